//! Taking members away at one end: `ZPOPMIN`, `ZPOPMAX`, `ZMPOP`, and what the blocking forms of them do at last.
//!
//! [`Pop`] is a pop with everything but its keys: it is tried on keys in turn, and the first that holds a sorted set is
//! popped from. Nothing is written to the reply unless something was popped, so that a caller may wait instead and try
//! again, under whatever locks it then holds.

use nuthatch_proto::resp::{Args, Protocol, ReplyWriter};

use super::super::args::{self, MultiPop};
use super::super::{CommandError, Handled, elements};
use crate::context::Context;
use crate::effect::Effect;
use crate::notice::Classes;
use crate::store::locked::{Emitter, LockedSlots};
use crate::value::{Extreme, SortedSet};

/// What a pop replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Members and scores in turn: ZPOPMIN.
    Flat,
    /// An array of a member and its score for each: ZPOPMIN with a count in RESP3.
    Pairs,
    /// The key, the only member and its score: BZPOPMIN.
    KeyAndMember,
    /// The key, then as [`Self::Pairs`]: ZMPOP.
    KeyAndPairs,
}

/// A pop, but for its keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pop {
    /// At which end.
    pub(in super::super) from: Extreme,
    /// How many members at most; at least one.
    pub(in super::super) count: usize,
    /// How they are replied.
    pub(in super::super) shape: Shape,
}

impl Pop {
    /// Pops from the first of the keys that exists and replies; whether there was one. A key of another type before
    /// that is an error.
    pub(in super::super) fn run<'k>(
        self,
        cx: &mut Context<'_>,
        slots: &mut LockedSlots<'_>,
        keys: impl IntoIterator<Item = &'k [u8]>,
        reply: &mut ReplyWriter<'_>,
    ) -> Result<bool, CommandError> {
        for key in keys {
            let popped = slots.modify(cx, key, |set: &mut SortedSet, emitter| {
                self.pop(set, key, emitter, reply);
            })?;
            if popped.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn pop(self, set: &mut SortedSet, key: &[u8], emitter: &Emitter<'_, '_>, reply: &mut ReplyWriter<'_>) {
        let count = self.count.min(set.len());
        let nested = match self.shape {
            Shape::Flat => {
                reply.array(count * 2);
                false
            }
            Shape::Pairs => {
                reply.array(count);
                true
            }
            Shape::KeyAndMember => {
                reply.array(3);
                reply.bulk(key);
                false
            }
            Shape::KeyAndPairs => {
                reply.array(2);
                reply.bulk(key);
                reply.array(count);
                true
            }
        };
        for _ in 0..count {
            let Some((member, score)) = set.extreme(self.from) else { return };
            if nested {
                reply.array(2);
            }
            elements::bulk(reply, member);
            reply.double(score);
            let member = member.to_vec();
            set.remove(&member);
        }
        emitter.emit(Effect::SortedSetPop { key, from: self.from, count });
        let event = match self.from {
            Extreme::Lowest => "zpopmin",
            Extreme::Highest => "zpopmax",
        };
        emitter.notify(Classes::SORTED_SET, event);
    }
}

/// ZPOPMIN and ZPOPMAX.
pub(in super::super) fn pop(
    from: Extreme,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    if args.len() > 3 {
        return Err(CommandError::Syntax);
    }
    let wanted = args.get(2).map(args::count).transpose()?;
    let shape = match (wanted, reply.protocol()) {
        (Some(_), Protocol::Resp3) => Shape::Pairs,
        (None, _) | (_, Protocol::Resp2) => Shape::Flat,
    };
    let key = args.at(1);
    if wanted == Some(0) {
        slots.read::<SortedSet>(cx, key)?;
        reply.array(0);
        return Ok(());
    }
    if !(Pop { from, count: wanted.unwrap_or(1), shape }.run(cx, slots, [key], reply)?) {
        reply.array(0);
    }
    Ok(())
}

/// Reads `numkeys key [key ...] <MIN | MAX> [COUNT count]` from the argument at `position` on.
pub(in super::super) fn parse_multi_pop(
    args: Args<'_>,
    position: usize,
) -> Result<(Pop, Args<'_>), CommandError> {
    let MultiPop { keys, last, count } = MultiPop::parse(args, position, ["min", "max"])?;
    let from = if last { Extreme::Highest } else { Extreme::Lowest };
    Ok((Pop { from, count, shape: Shape::KeyAndPairs }, keys))
}

pub(in super::super) fn zmpop(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (pop, keys) = parse_multi_pop(args, 1)?;
    if !pop.run(cx, slots, keys.iter(), reply)? {
        reply.null_array();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::Protocol;

    use crate::testing::Bench;

    #[test]
    fn members_are_popped_at_either_end() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("ZADD z 1 a 2 b 3 c 4 d", ":4"),
            ("ZPOPMIN z", "[a 1]"),
            ("ZPOPMAX z 2", "[d 4 c 3]"),
            ("ZPOPMAX z 0", "[]"),
            ("ZPOPMIN z 9", "[b 2]"),
            ("EXISTS z", ":0"),
            ("ZPOPMIN z", "[]"),
            ("ZPOPMAX z 2", "[]"),
        ]);
        assert_eq!(bench.effects()[4..], ["zpop z Lowest 1", "zpop z Highest 2", "zpop z Lowest 1"]);
    }

    #[test]
    fn many_are_popped_from_the_first_set_there_is() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("ZMPOP 2 x z MIN", "nil"),
            ("ZADD z 1 a 2 b 3 c", ":3"),
            ("ZADD y 9 q", ":1"),
            ("ZMPOP 3 x z y min", "[z [[a 1]]]"),
            ("ZMPOP 3 x z y MAX COUNT 5", "[z [[c 3] [b 2]]]"),
            ("ZMPOP 3 x z y MAX COUNT 5", "[y [[q 9]]]"),
            ("SET s v", "+OK"),
            ("ZMPOP 2 x s MIN", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("ZADD z 1 a", ":1"),
            ("ZMPOP 2 z s MIN", "[z [[a 1]]]"),
        ]);
    }

    #[test]
    fn arguments_are_judged_before_the_keys() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SET s v", "+OK"),
            ("ZPOPMIN s -1", "-ERR value is out of range, must be positive"),
            ("ZPOPMIN s x", "-ERR value is out of range, must be positive"),
            ("ZPOPMIN s 1 2", "-ERR syntax error"),
            ("ZPOPMIN s 0", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("ZPOPMAX s", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("ZMPOP 0 s MIN", "-ERR numkeys should be greater than 0"),
            ("ZMPOP a s MIN", "-ERR numkeys should be greater than 0"),
            ("ZMPOP 2 s MIN", "-ERR syntax error"),
            ("ZMPOP 9223372036854775807 s MIN", "-ERR syntax error"),
            ("ZMPOP 1 s LEFT", "-ERR syntax error"),
            ("ZMPOP 1 s MIN COUNT", "-ERR syntax error"),
            ("ZMPOP 1 s MIN COUNT 0", "-ERR count should be greater than 0"),
            ("ZMPOP 1 s MIN COUNT 1 COUNT 2", "-ERR syntax error"),
        ]);
    }

    #[test]
    fn pairs_are_nested_where_redis_nests_them() {
        let mut bench = Bench::new();
        bench.protocol = Protocol::Resp3;
        bench.check("ZADD z 1 a 2 b 3 c", ":3");
        assert_eq!(bench.run_raw(&["ZPOPMIN", "z"]), b"*2\r\n$1\r\na\r\n,1\r\n");
        assert_eq!(bench.run_raw(&["ZPOPMIN", "z", "1"]), b"*1\r\n*2\r\n$1\r\nb\r\n,2\r\n");
        bench.protocol = Protocol::Resp2;
        assert_eq!(
            bench.run_raw(&["ZMPOP", "1", "z", "MIN"]),
            b"*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\nc\r\n$1\r\n3\r\n"
        );
        assert_eq!(bench.run_raw(&["ZMPOP", "1", "z", "MIN"]), b"*-1\r\n");
    }
}
