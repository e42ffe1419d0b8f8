//! The request decoder: whatever the bytes, it does not panic, its spans lie within the buffer, and what it reads does
//! not depend on how the bytes were delivered or where in the buffer they stood.
//!
//! The first input byte chooses the limits and the sizes of the pieces, the rest is the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nuthatch_proto::resp::args::Span;
use nuthatch_proto::resp::{Args, Decoded, Decoder, Limits, ProtocolError};

type Requests = Vec<Option<Vec<Vec<u8>>>>;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, stream)) = data.split_first() else { return };
    let limits = match choice >> 6 {
        0 | 1 => Limits::default(),
        2 => Limits { authenticated: false, ..Limits::default() },
        _ => Limits { inline_max: 24, multibulk_max: 8, bulk_max: 40, authenticated: true },
    };
    let pieces = [1 + usize::from(choice & 7), 1 + usize::from(choice >> 3 & 7) * 3];
    let at_once = decoded(stream, &[stream.len().max(1)], &[0], &limits);
    let in_pieces = decoded(stream, &pieces, &[usize::from(choice & 3), 0, 5], &limits);
    assert_eq!(at_once, in_pieces);
});

/// Everything the stream holds, delivered in pieces of those sizes, in a buffer that begins with other bytes.
fn decoded(stream: &[u8], pieces: &[usize], ahead: &[usize], limits: &Limits) -> (Requests, Option<ProtocolError>) {
    let mut requests = Vec::new();
    let mut decoder = Decoder::default();
    let (mut pieces, mut ahead) = (pieces.iter().cycle(), ahead.iter().cycle());
    let (mut pending, mut rest) = (Vec::new(), stream);
    let mut spans: Vec<Span> = Vec::new();
    while !rest.is_empty() {
        let piece = rest.len().min(*pieces.next().expect("endless"));
        let mut at = *ahead.next().expect("endless");
        let mut buffer = vec![b'\r'; at];
        buffer.append(&mut pending);
        buffer.extend_from_slice(&rest[..piece]);
        rest = &rest[piece..];
        loop {
            spans.clear();
            match decoder.decode(&mut buffer, at, limits, &mut spans) {
                Ok(Decoded::Request { end }) => {
                    assert!(end > at && end <= buffer.len() && !spans.is_empty());
                    let args = Args::new(&buffer, &spans);
                    requests.push(Some(args.iter().map(<[u8]>::to_vec).collect()));
                    at = end;
                }
                Ok(Decoded::Nothing { end }) => {
                    assert!(end > at && end <= buffer.len() && spans.is_empty());
                    requests.push(None);
                    at = end;
                }
                Ok(Decoded::Incomplete { wanted }) => {
                    assert!(wanted > 0 && spans.is_empty());
                    break;
                }
                Err(error) => return (requests, Some(error)),
            }
        }
        pending = buffer.split_off(at);
    }
    (requests, None)
}
