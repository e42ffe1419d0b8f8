//! What holds for every request and every way of delivering it.
//!
//! The same stream is decoded at once, byte by byte, and in random pieces, in buffers that move in between; all must
//! agree on every request and on the error that ends it. Examples with their exact replies stand in the parent.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::resp::args::Args;

/// What a stream of bytes holds: requests as owned arguments, `None` for what is no request.
type Requests = Vec<Option<Vec<Vec<u8>>>>;

/// Decodes everything in the stream, delivered in pieces of those sizes (the last one over and over). As a connection
/// does, it drops what was decoded and moves the rest, and shows the buffer behind `ahead` bytes of something else.
fn decoded(
    stream: &[u8],
    pieces: &[usize],
    ahead: &[usize],
    limits: &Limits,
) -> (Requests, Option<ProtocolError>) {
    let mut requests = Vec::new();
    let mut decoder = Decoder::default();
    let (mut pieces, mut ahead) = (pieces.iter().copied(), ahead.iter().copied().cycle());
    let (mut pending, mut delivered, mut piece) = (Vec::new(), 0, 1);
    while delivered < stream.len() {
        piece = pieces.next().unwrap_or(piece).max(1);
        let next = stream.len().min(delivered + piece);
        pending.extend_from_slice(&stream[delivered..next]);
        delivered = next;
        let start = ahead.next().unwrap_or(0);
        let mut buffer = vec![b'\r'; start];
        buffer.append(&mut pending);
        let mut at = start;
        loop {
            let mut spans = vec![Span { start: 7, len: 7 }];
            match decoder.decode(&mut buffer, at, limits, &mut spans) {
                Ok(Decoded::Request { end }) => {
                    let args = Args::new(&buffer, &spans[1..]);
                    requests.push(Some(args.iter().map(<[u8]>::to_vec).collect()));
                    at = end;
                }
                Ok(Decoded::Nothing { end }) => {
                    requests.push(None);
                    at = end;
                }
                Ok(Decoded::Incomplete { wanted }) => {
                    assert!(wanted > 0 && spans.len() == 1);
                    break;
                }
                Err(error) => return (requests, Some(error)),
            }
        }
        pending = buffer.split_off(at);
    }
    (requests, None)
}

fn encoded(request: &[Vec<u8>]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", request.len()).into_bytes();
    for argument in request {
        out.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Mostly short arguments, some whose header has three digits.
fn argument() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![5 => vec(any::<u8>(), 0..20), 1 => vec(any::<u8>(), 95..130)]
}

/// Bytes that come close to a request often enough to reach every branch.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        Just(b"*".to_vec()),
        Just(b"$".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"*1\r\n$4\r\nPING\r\n".to_vec()),
        Just(b"*2\r\n$3\r\nGET\r\n$3\r\n".to_vec()),
        "[-0-9]{1,3}\r\n".prop_map(String::into_bytes),
        "[-0-9 a'\"\\\\x]{1,9}".prop_map(String::into_bytes),
        vec(any::<u8>(), 1..4),
    ];
    vec(token, 0..12).prop_map(|tokens| tokens.concat())
}

const SMALL: Limits = Limits { inline_max: 24, multibulk_max: 8, bulk_max: 40, authenticated: true };

proptest! {
    #[test]
    fn requests_are_read_back_however_they_are_cut(
        requests in vec(vec(argument(), 1..14), 1..5),
        pieces in vec(1usize..200, 1..8),
        ahead in vec(0usize..40, 1..4),
    ) {
        let stream = requests.iter().flat_map(|request| encoded(request)).collect::<Vec<_>>();
        let expected = requests.into_iter().map(Some).collect::<Requests>();
        let limits = Limits::default();
        prop_assert_eq!(decoded(&stream, &[stream.len()], &[0], &limits), (expected.clone(), None));
        prop_assert_eq!(decoded(&stream, &pieces, &ahead, &limits), (expected.clone(), None));
        prop_assert_eq!(decoded(&stream, &[1], &ahead, &limits), (expected, None));
    }

    #[test]
    fn a_cut_at_any_byte_changes_nothing(request in vec(argument(), 1..6)) {
        let stream = encoded(&request);
        for cut in 1..stream.len() {
            let found = decoded(&stream, &[cut, stream.len()], &[0, 3], &Limits::default());
            prop_assert_eq!(found, (vec![Some(request.clone())], None), "cut at {}", cut);
        }
    }

    #[test]
    fn noise_is_read_alike_however_it_is_cut(
        stream in noise(),
        pieces in vec(1usize..9, 1..8),
        ahead in vec(0usize..5, 1..4),
        authenticated: bool,
    ) {
        let limits = Limits { authenticated, ..SMALL };
        let at_once = decoded(&stream, &[stream.len()], &[0], &limits);
        prop_assert_eq!(decoded(&stream, &pieces, &ahead, &limits), at_once.clone());
        prop_assert_eq!(decoded(&stream, &[1], &[0], &limits), at_once);
    }

    #[test]
    fn random_bytes_never_panic(stream in vec(any::<u8>(), 0..200), pieces in vec(1usize..50, 1..5)) {
        decoded(&stream, &pieces, &[0, 9], &Limits::default());
    }
}
