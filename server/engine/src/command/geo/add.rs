//! `GEOADD`: ZADD with scores made of positions, and with those of its options that make sense of them.
//!
//! All positions are read before the first member is added. What ZADD tells of, this tells of in its name: the effects are
//! scores, and the event is `zadd`.

use nuthatch_proto::resp::{Args, ReplyWriter};
use smallvec::SmallVec;

use super::super::sorted_set::{AddOptions, add_scored};
use super::super::{CommandError, Handled};
use super::position;
use crate::context::Context;
use crate::store::locked::LockedSlots;

/// The words that place a member: a longitude, a latitude, its name.
const WORDS: usize = 3;

pub(in super::super) fn geoadd(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (options, skipped) = AddOptions::parse_conditions(args.skip(2))?;
    let placed = args.skip(2 + skipped);
    if placed.is_empty() || !placed.len().is_multiple_of(WORDS) {
        return Err(CommandError::Syntax);
    }
    let mut members: SmallVec<[(f64, &[u8]); 4]> = SmallVec::with_capacity(placed.len() / WORDS);
    for index in (0..placed.len()).step_by(WORDS) {
        let position = position(placed.at(index), placed.at(index + 1))?;
        members.push((position.score(), placed.at(index + 2)));
    }
    reply.count(add_scored(options, cx, slots, args.at(1), &members)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::notice::Classes;
    use crate::testing::Bench;

    #[test]
    fn positions_become_scores() {
        let mut bench = Bench::new();
        bench.classes = Classes::SORTED_SET;
        bench.check_all(&[
            ("GEOADD g -180 -85.05112878 a 0 0 b", ":2"),
            ("GEOADD g 0 0 a", ":0"),
            ("GEOADD g CH 0 0 b 1e0 0x1 c -0 -0 a", ":1"),
            ("ZRANGE g 0 1 WITHSCORES", "[a 3377699720527872 b 3377699720527872]"),
            ("TYPE g", "+zset"),
        ]);
        let effects = bench.effects();
        assert_eq!(effects[..3], ["zadd g 0 a", "zadd g 3377699720527872 b", "zadd g 3377699720527872 a"]);
        assert_eq!(bench.notices(), ["zadd g@0"; 3]);
    }

    #[test]
    fn options_are_a_part_of_those_of_zadd() {
        Bench::new().check_all(&[
            ("GEOADD g XX 1 1 a", ":0"),
            ("EXISTS g", ":0"),
            ("GEOADD g nx 1 1 a 2 2 b", ":2"),
            ("GEOADD g NX CH 3 3 a 3 3 c", ":1"),
            ("GEOADD g XX CH 3 3 a 4 4 d", ":1"),
            ("GEOHASH g a c", "[s0d1h60s300 s0d1h60s300]"),
            ("GEOADD g NX XX 1 1 a", "-ERR syntax error"),
            ("GEOADD g GT 1 1 a", "-ERR syntax error"),
            ("GEOADD g GT 1 a", "-ERR value is not a valid float"),
            ("GEOADD g NX CH NX", "-ERR syntax error"),
        ]);
    }

    #[test]
    fn wrong_positions_change_nothing() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SET t v", "+OK"),
            ("GEOADD g 0 0 a 0", "-ERR syntax error"),
            ("GEOADD g 0 0 a x 0 b", "-ERR value is not a valid float"),
            ("GEOADD g 0 nan a", "-ERR value is not a valid float"),
            ("GEOADD g 0 0 a 181 0 b", "-ERR invalid longitude,latitude pair 181.000000,0.000000"),
            ("GEOADD t 0 -inf a", "-ERR invalid longitude,latitude pair 0.000000,-inf"),
            ("GEOADD t 0 0 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("EXISTS g", ":0"),
        ]);
    }
}
