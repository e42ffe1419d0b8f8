//! Commands on sorted sets: adding, removing and looking up members. `ZRANGE` is in [`range`], what
//! pops in [`pop`].
//!
//! How members are ordered is the value's business (`value/sorted_set.rs`); here arguments become changes and replies. All
//! scores of a ZADD are read before the first member is added, so a wrong one changes nothing. A sorted set whose last member
//! goes is removed by the store.

mod pop;
mod range;

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::CommandError;
use super::args;
use crate::context::Context;
use crate::effect::Effect;
use crate::store::locked::{Emitter, LockedSlots};
use crate::value::SortedSet;

pub(super) use pop::{zmpop, zpopmax, zpopmin};
pub(super) use range::zrange;

/// The options of `ZADD`.
#[derive(Debug, Default, Clone, Copy)]
struct AddOptions {
    /// Only add members.
    nx: bool,
    /// Only change members that are there.
    xx: bool,
    /// Only to a greater score.
    gt: bool,
    /// Only to a lesser score.
    lt: bool,
    /// Count changed members as well.
    ch: bool,
    /// Add to the score, as `ZINCRBY` does.
    incr: bool,
}

/// What `ZADD` did with one member.
enum Added {
    /// The options forbade it.
    Nothing,
    /// The member has this score, as before.
    Same(f64),
    /// The member has this new score.
    Changed(f64),
    /// The member is new, with this score.
    New(f64),
}

impl AddOptions {
    /// Reads the options; how many arguments they are.
    fn parse(arguments: Args<'_>) -> (Self, usize) {
        let mut options = Self::default();
        for (count, argument) in arguments.iter().enumerate() {
            let option = match argument.len() {
                2 if args::is(argument, "nx") => &mut options.nx,
                2 if args::is(argument, "xx") => &mut options.xx,
                2 if args::is(argument, "gt") => &mut options.gt,
                2 if args::is(argument, "lt") => &mut options.lt,
                2 if args::is(argument, "ch") => &mut options.ch,
                4 if args::is(argument, "incr") => &mut options.incr,
                _ => return (options, count),
            };
            *option = true;
        }
        (options, arguments.len())
    }

    fn check(self, members: usize) -> Result<(), CommandError> {
        let error = if self.nx && self.xx {
            "ERR XX and NX options at the same time are not compatible"
        } else if [self.nx, self.gt, self.lt].into_iter().filter(|&set| set).count() > 1 {
            "ERR GT, LT, and/or NX options at the same time are not compatible"
        } else if self.incr && members > 1 {
            "ERR INCR option supports a single increment-element pair"
        } else {
            return Ok(());
        };
        Err(CommandError::Other(error))
    }

    /// Adds a member or changes its score, as far as the options allow.
    #[inline]
    fn apply(
        self,
        set: &mut SortedSet,
        member: &[u8],
        score: f64,
        emitter: &Emitter<'_, '_>,
    ) -> Result<Added, CommandError> {
        let mut nan = false;
        let upserted = set.upsert(member, emitter.limits(), |old| {
            let Some(old) = old else { return (!self.xx).then_some(score) };
            if self.nx {
                return None;
            }
            let score = if self.incr { old + score } else { score };
            nan = score.is_nan();
            let forbidden = nan || (self.lt && score >= old) || (self.gt && score <= old);
            (!forbidden).then_some(score)
        });
        if nan {
            return Err(CommandError::ScoreNan);
        }
        Ok(match (upserted.old, upserted.new) {
            (_, None) => Added::Nothing,
            (None, Some(score)) => Added::New(score),
            (Some(old), Some(score)) if old == score => Added::Same(score),
            (Some(_), Some(score)) => Added::Changed(score),
        })
    }
}

pub(super) fn zadd(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    let key = args.at(1);
    let (options, skipped) = AddOptions::parse(args.skip(2));
    let pairs = args.skip(2 + skipped);
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    options.check(pairs.len() / 2)?;
    for score in pairs.iter().step_by(2).skip(1) {
        args::float(score)?;
    }
    let first = args::float(pairs.at(0))?;
    let add =
        |set: &mut SortedSet, emitter: &Emitter<'_, '_>| -> Result<(usize, Option<f64>), CommandError> {
            let longest = pairs.iter().skip(1).step_by(2).map(<[u8]>::len).max().unwrap_or(0);
            set.prepare(pairs.len() / 2, longest, emitter.limits());
            let (mut counted, mut last) = (0, None);
            for index in (0..pairs.len()).step_by(2) {
                let score = if index == 0 { first } else { args::float(pairs.at(index))? };
                let member = pairs.at(index + 1);
                let (count, score) = match options.apply(set, member, score, emitter)? {
                    Added::Nothing => continue,
                    Added::Same(score) => (false, score),
                    Added::Changed(score) => {
                        emitter.emit(Effect::SortedSetAdd { key, member, score });
                        (options.ch, score)
                    }
                    Added::New(score) => {
                        emitter.emit(Effect::SortedSetAdd { key, member, score });
                        (true, score)
                    }
                };
                counted += usize::from(count);
                last = Some(score);
            }
            Ok((counted, last))
        };
    let (counted, last) = if options.xx {
        slots.modify(cx, key, add)?.transpose()?.unwrap_or((0, None))
    } else {
        slots.modify_or_create(cx, key, add)??
    };
    match last {
        _ if !options.incr => reply.count(counted),
        Some(score) => reply.double(score),
        None => reply.null(),
    }
    Ok(())
}

pub(super) fn zrem(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    let key = args.at(1);
    let removed = slots.modify(cx, key, |set: &mut SortedSet, emitter| {
        let mut removed = 0;
        for member in args.skip(2).iter() {
            if set.remove(member).is_some() {
                removed += 1;
                emitter.emit(Effect::SortedSetRemove { key, member });
            }
        }
        removed
    })?;
    reply.count(removed.unwrap_or(0));
    Ok(())
}

pub(super) fn zscore(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    let set = slots.read::<SortedSet>(cx, args.at(1))?;
    match set.and_then(|set| set.score(args.at(2))) {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
    Ok(())
}

pub(super) fn zcard(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    reply.count(slots.read::<SortedSet>(cx, args.at(1))?.map_or(0, SortedSet::len));
    Ok(())
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::Protocol;

    use crate::testing::Bench;

    #[test]
    fn members_join_change_and_leave() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("ZADD z 1 a 2.5 b 1 a", ":2"),
            ("ZADD z CH 3 a 2.5 b 0 c", ":2"),
            ("ZSCORE z a", "3"),
            ("ZSCORE z b", "2.5"),
            ("ZSCORE z x", "nil"),
            ("ZSCORE none x", "nil"),
            ("ZCARD z", ":3"),
            ("ZREM z a x", ":1"),
            ("ZREM z b c", ":2"),
            ("EXISTS z", ":0"),
            ("ZCARD z", ":0"),
            ("ZREM z a", ":0"),
        ]);
        assert_eq!(
            bench.effects(),
            ["zadd z 1 a", "zadd z 2.5 b", "zadd z 3 a", "zadd z 0 c", "zrem z a", "zrem z b", "zrem z c"]
        );
    }

    #[test]
    fn options_limit_what_is_changed() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("ZADD z XX 1 a", ":0"),
            ("EXISTS z", ":0"),
            ("ZADD z NX 1 a 2 b", ":2"),
            ("ZADD z nx ch 9 a 3 c", ":1"),
            ("ZADD z XX CH 5 a 9 d", ":1"),
            ("ZADD z GT CH 4 a 6 b", ":1"),
            ("ZADD z LT CH 4 a 9 b", ":1"),
            ("ZADD z GT 1 e", ":1"),
            ("ZRANGE z 0 -1 WITHSCORES", "[e 1 c 3 a 4 b 6]"),
            ("ZADD z INCR 1.5 a", "5.5"),
            ("ZADD z INCR NX 1 a", "nil"),
            ("ZADD z INCR XX 1 new", "nil"),
            ("ZADD z INCR GT -1 a", "nil"),
            ("ZADD z INCR 0 a", "5.5"),
            ("ZADD z INCR 7 new", "7"),
        ]);
    }

    #[test]
    fn wrong_arguments_change_nothing() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("ZADD z 1 a 2", "-ERR syntax error"),
            ("ZADD z NX CH", "-ERR syntax error"),
            ("ZADD z NX XX 1 a", "-ERR XX and NX options at the same time are not compatible"),
            ("ZADD z GT LT 1 a", "-ERR GT, LT, and/or NX options at the same time are not compatible"),
            ("ZADD z NX GT 1 a", "-ERR GT, LT, and/or NX options at the same time are not compatible"),
            ("ZADD z INCR 1 a 2 b", "-ERR INCR option supports a single increment-element pair"),
            ("ZADD z 1 a x b", "-ERR value is not a valid float"),
            ("ZADD z nan a", "-ERR value is not a valid float"),
            ("ZADD z 1e400 a", "-ERR value is not a valid float"),
            ("EXISTS z", ":0"),
            ("ZADD z inf a", ":1"),
            ("ZADD z INCR -inf a", "-ERR resulting score is not a number (NaN)"),
            ("ZSCORE z a", "inf"),
            ("SET s v", "+OK"),
        ]);
        for command in ["ZADD s 1 a", "ZADD s XX 1 a", "ZREM s a", "ZSCORE s a", "ZCARD s", "ZRANGE s 0 1"] {
            bench.check(command, "-WRONGTYPE Operation against a key holding the wrong kind of value");
        }
    }

    #[test]
    fn scores_are_doubles_in_resp3() {
        let mut bench = Bench::new();
        bench.protocol = Protocol::Resp3;
        bench.check("ZADD z 1.5 a", ":1");
        assert_eq!(bench.run_raw(&["ZSCORE", "z", "a"]), b",1.5\r\n");
        assert_eq!(bench.run_raw(&["ZADD", "z", "INCR", "1", "a"]), b",2.5\r\n");
        assert_eq!(bench.run_raw(&["ZSCORE", "z", "b"]), b"_\r\n");
    }
}
