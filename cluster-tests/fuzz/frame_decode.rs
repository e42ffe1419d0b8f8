//! The reply decoder: whatever the bytes, it does not panic, and what it reads does not depend on how they were
//! delivered.
//!
//! The first input byte chooses the sizes of the pieces, the rest is the stream.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nuthatch_proto::resp::{FrameDecoder, FrameError, FrameLimits};

const LIMITS: FrameLimits = FrameLimits { depth: 8, count: 1000, bulk: 1000, line: 64 };

fuzz_target!(|data: &[u8]| {
    let Some((&choice, stream)) = data.split_first() else { return };
    let pieces = [1 + usize::from(choice & 15), 1 + usize::from(choice >> 4)];
    assert_eq!(frames(stream, &[stream.len().max(1)]), frames(stream, &pieces));
});

/// All frames of the stream, as text because NaN is not equal to itself, and how it ended.
fn frames(stream: &[u8], pieces: &[usize]) -> (Vec<String>, Option<FrameError>) {
    let mut decoder = FrameDecoder::new(LIMITS);
    let mut pieces = pieces.iter().cycle();
    let (mut found, mut pending, mut rest) = (Vec::new(), Vec::new(), stream);
    while !rest.is_empty() {
        let piece = rest.len().min(*pieces.next().expect("endless"));
        pending.extend_from_slice(&rest[..piece]);
        rest = &rest[piece..];
        loop {
            match decoder.decode(&pending) {
                Ok((read, frame)) => {
                    pending.drain(..read);
                    let Some(frame) = frame else { break };
                    found.push(format!("{frame:?}"));
                }
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}
