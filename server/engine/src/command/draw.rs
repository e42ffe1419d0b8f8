//! Drawing elements at random: what SRANDMEMBER, HRANDFIELD and ZRANDMEMBER share.
//!
//! A count that is not negative asks for so many different elements, fewer if there are not so many; a negative one for
//! exactly so many, each drawn from all of them. The first are drawn one by one until enough differ while they are few,
//! and chosen in one walk over all elements when they are many, so that neither the time nor the memory depends on
//! luck. The second are as many as the client says, so their reply has a limit.

use foldhash::quality::FixedState;
use hashbrown::HashSet;
use nuthatch_proto::resp::ReplyWriter;

use super::CommandError;
use super::args::negatable;
use crate::context::Rng;
use crate::value::Item;

/// One element in so many is drawn singly; when more are asked for, all are walked over.
const FEW: usize = 3;
/// How many bytes of repeated draws a client gets.
const REPLY_MAX: usize = 256 << 20;

/// How many elements a command draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Draw {
    /// So many different ones, or all.
    Distinct(usize),
    /// So many, perhaps some of them more than once.
    Repeated(usize),
}

impl Draw {
    /// Reads a count.
    pub(super) fn parse(text: &[u8]) -> Result<Self, CommandError> {
        let count = negatable(text)?;
        let magnitude = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        Ok(if count < 0 { Self::Repeated(magnitude) } else { Self::Distinct(magnitude) })
    }
}

/// Shows `count` different elements of `len`, of which `all` are in order and `draw` draws one; `name` is what tells one
/// from another.
pub(super) fn distinct<'a, E: Copy>(
    rng: &mut Rng,
    (count, len): (usize, usize),
    all: impl Iterator<Item = E>,
    mut draw: impl FnMut(&mut Rng) -> Option<E>,
    name: impl Fn(E) -> Item<'a>,
    mut visit: impl FnMut(E),
) {
    if count >= len / FEW {
        let (mut wanted, mut left) = (count, len);
        for element in all {
            // Each is taken with the chance that the rest of the draw leaves it.
            if rng.below(left) < wanted {
                visit(element);
                wanted -= 1;
            }
            left = left.saturating_sub(1);
        }
        return;
    }
    let mut drawn = HashSet::with_capacity_and_hasher(count, FixedState::with_seed(rng.next_u64()));
    while drawn.len() < count {
        let Some(element) = draw(rng) else { return };
        if drawn.insert(name(element)) {
            visit(element);
        }
    }
}

/// Writes as many draws as the client says, unless that makes a reply beyond all reason.
pub(super) fn repeated(
    count: usize,
    reply: &mut ReplyWriter<'_>,
    mut write: impl FnMut(&mut ReplyWriter<'_>),
) -> Result<(), CommandError> {
    let before = reply.written();
    for _ in 0..count {
        write(reply);
        if reply.written() - before > REPLY_MAX {
            return Err(CommandError::Other("ERR value is out of range"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_a_sign() {
        for (text, draw) in [
            ("0", Draw::Distinct(0)),
            ("5", Draw::Distinct(5)),
            ("-5", Draw::Repeated(5)),
            ("-9223372036854775807", Draw::Repeated(i64::MAX as usize)),
        ] {
            assert_eq!(Draw::parse(text.as_bytes()), Ok(draw));
        }
        assert!(Draw::parse(b"-9223372036854775808").is_err());
        assert_eq!(Draw::parse(b"x"), Err(CommandError::NotInteger));
    }

    #[test]
    fn every_element_has_the_same_chance() {
        let mut rng = Rng::new(5);
        for count in [0, 1, 4, 33, 34, 99, 100, 500] {
            let mut drawn = [0_usize; 100];
            for _ in 0..400 {
                let mut once = HashSet::with_hasher(FixedState::with_seed(1));
                let draw = |rng: &mut Rng| Some(rng.below(100));
                let name = |number: usize| Item::Integer(number as i64);
                distinct(&mut rng, (count, 100), 0..100, draw, name, |number| {
                    assert!(once.insert(number), "{number} twice");
                    drawn[number] += 1;
                });
                assert_eq!(once.len(), count.min(100));
            }
            let expected = 4 * count.min(100);
            assert!(
                drawn.iter().all(|&times| times.abs_diff(expected) <= 10.min(expected) + expected / 2),
                "{drawn:?}"
            );
        }
    }

    #[test]
    fn a_reply_beyond_all_reason_is_refused() {
        let mut out = Vec::new();
        let mut reply = ReplyWriter::new(&mut out, nuthatch_proto::resp::Protocol::Resp2);
        let megabyte = vec![b'x'; 1 << 20];
        assert!(repeated(200, &mut reply, |reply| reply.raw(&megabyte)).is_ok());
        reply.rewind(reply.mark());
        assert!(repeated(usize::MAX, &mut reply, |reply| reply.raw(&megabyte)).is_err());
    }
}
