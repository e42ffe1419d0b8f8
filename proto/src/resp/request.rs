//! Requests to bytes: what a client sends, an array of bulk strings.
//!
//! The counterpart of [`decode`](super::decode). There is one form for all requests, so this is a function and no
//! writer: a pipeline is requests one behind the other in the same buffer. Inline requests are for people and are never
//! written.

/// Appends one request with these arguments, the command's name first.
pub fn encode_request(out: &mut Vec<u8>, arguments: &[impl AsRef<[u8]>]) {
    header(out, b'*', arguments.len());
    for argument in arguments {
        let argument = argument.as_ref();
        out.reserve(argument.len() + 16);
        header(out, b'$', argument.len());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
}

fn header(out: &mut Vec<u8>, kind: u8, number: usize) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::resp::{Args, Decoded, Decoder, Limits};

    proptest! {
        #[test]
        fn the_server_reads_what_was_sent(arguments in vec(vec(any::<u8>(), 0..120), 1..20)) {
            let mut buffer = Vec::new();
            encode_request(&mut buffer, &arguments);
            let mut spans = Vec::new();
            let outcome = Decoder::default().decode(&mut buffer, 0, &Limits::default(), &mut spans);
            prop_assert_eq!(outcome, Ok(Decoded::Request { end: buffer.len() }));
            let read = Args::new(&buffer, &spans).iter().map(<[u8]>::to_vec).collect::<Vec<_>>();
            prop_assert_eq!(read, arguments);
        }
    }
}
