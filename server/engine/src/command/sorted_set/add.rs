//! `ZADD` and `ZINCRBY`, and what adds the members of GEOADD.
//!
//! All scores are read before the first member is added, so a wrong one changes nothing. ZINCRBY is ZADD with INCR, down
//! to reading its increment as an option if it looks like one.

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::super::{CommandError, Handled, args};
use crate::context::Context;
use crate::effect::Effect;
use crate::notice::Classes;
use crate::store::locked::{Emitter, LockedSlots};
use crate::value::SortedSet;

/// The options of `ZADD`.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct AddOptions {
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
    /// What ZADD begins with.
    pub(in super::super) const NONE: Self =
        Self { nx: false, xx: false, gt: false, lt: false, ch: false, incr: false };
    /// What ZINCRBY begins with.
    pub(in super::super) const INCREMENT: Self = Self { incr: true, ..Self::NONE };

    /// Adds the options that the arguments begin with; how many those are.
    fn parse(mut self, arguments: Args<'_>) -> (Self, usize) {
        let count = arguments.iter().take_while(|argument| self.set(argument)).count();
        (self, count)
    }

    /// The options of GEOADD that the arguments begin with, and how many those are.
    pub(in super::super) fn parse_conditions(arguments: Args<'_>) -> Result<(Self, usize), CommandError> {
        let mut options = Self::NONE;
        let is_one = |argument: &[u8]| ["nx", "xx", "ch"].iter().any(|option| args::is(argument, option));
        let count = arguments.iter().take_while(|argument| is_one(argument) && options.set(argument)).count();
        if options.nx && options.xx { Err(CommandError::Syntax) } else { Ok((options, count)) }
    }

    /// Sets the option of that name; whether there is one.
    #[inline]
    fn set(&mut self, argument: &[u8]) -> bool {
        let option = match argument.len() {
            2 if args::is(argument, "nx") => &mut self.nx,
            2 if args::is(argument, "xx") => &mut self.xx,
            2 if args::is(argument, "gt") => &mut self.gt,
            2 if args::is(argument, "lt") => &mut self.lt,
            2 if args::is(argument, "ch") => &mut self.ch,
            4 if args::is(argument, "incr") => &mut self.incr,
            _ => return false,
        };
        *option = true;
        true
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

/// What became of all members.
#[derive(Debug, Default, Clone, Copy)]
struct Outcome {
    /// How many members the reply counts.
    counted: usize,
    /// The last score that the options allowed.
    last: Option<f64>,
}

/// Adds members to a set that is ready for them. The scores are known to be ones, whether they are read already or not.
fn add_members<'k>(
    options: AddOptions,
    key: &[u8],
    members: impl Iterator<Item = Result<(f64, &'k [u8]), CommandError>>,
    set: &mut SortedSet,
    emitter: &Emitter<'_, '_>,
) -> Result<Outcome, CommandError> {
    let (mut outcome, mut changed) = (Outcome::default(), false);
    for scored in members {
        let (score, member) = scored?;
        let (counts, score) = match options.apply(set, member, score, emitter)? {
            Added::Nothing => continue,
            Added::Same(score) => {
                outcome.last = Some(score);
                continue;
            }
            Added::Changed(score) => (options.ch, score),
            Added::New(score) => (true, score),
        };
        emitter.emit(Effect::SortedSetAdd { key, member, score });
        changed = true;
        outcome.counted += usize::from(counts);
        outcome.last = Some(score);
    }
    if changed {
        emitter.notify(Classes::SORTED_SET, if options.incr { "zincr" } else { "zadd" });
    }
    Ok(outcome)
}

/// Adds members to the set at a key, of which the longest is so long.
#[inline]
fn add_to_key<'k>(
    options: AddOptions,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    key: &[u8],
    longest: usize,
    members: impl ExactSizeIterator<Item = Result<(f64, &'k [u8]), CommandError>>,
) -> Result<Outcome, CommandError> {
    let add = |set: &mut SortedSet, emitter: &Emitter<'_, '_>| {
        set.prepare(members.len(), longest, emitter.limits());
        add_members(options, key, members, set, emitter)
    };
    if options.xx {
        Ok(slots.modify(cx, key, add)?.transpose()?.unwrap_or_default())
    } else {
        slots.modify_or_create(cx, key, add)?
    }
}

/// Adds members whose scores somebody else has made; how many of them the options count.
pub(in super::super) fn add_scored(
    options: AddOptions,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    key: &[u8],
    members: &[(f64, &[u8])],
) -> Result<usize, CommandError> {
    let longest = members.iter().map(|(_, member)| member.len()).max().unwrap_or(0);
    let members = members.iter().map(|&scored| Ok(scored));
    Ok(add_to_key(options, cx, slots, key, longest, members)?.counted)
}

/// Runs ZADD with options that the command's name has already set.
#[inline]
pub(in super::super) fn add(
    preset: AddOptions,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let key = args.at(1);
    let (options, skipped) = preset.parse(args.skip(2));
    let pairs = args.skip(2 + skipped);
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    options.check(pairs.len() / 2)?;
    let first = args::float(pairs.at(0))?;
    for score in pairs.iter().step_by(2).skip(1) {
        args::float(score)?;
    }
    let longest = pairs.iter().skip(1).step_by(2).map(<[u8]>::len).max().unwrap_or(0);
    let members = (0..pairs.len()).step_by(2).map(|index| {
        let score = if index == 0 { first } else { args::float(pairs.at(index))? };
        Ok((score, pairs.at(index + 1)))
    });
    let outcome = add_to_key(options, cx, slots, key, longest, members)?;
    match outcome.last {
        _ if !options.incr => reply.count(outcome.counted),
        Some(score) => reply.double(score),
        None => reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

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
    fn zincrby_is_zadd_with_incr() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("ZINCRBY z 2.5 a", "2.5"),
            ("ZINCRBY z -1 a", "1.5"),
            ("ZINCRBY z inf a", "inf"),
            ("ZINCRBY z -inf a", "-ERR resulting score is not a number (NaN)"),
            ("ZINCRBY z x a", "-ERR value is not a valid float"),
            ("ZINCRBY z nx a", "-ERR syntax error"),
            ("ZSCORE z a", "inf"),
        ]);
        assert_eq!(bench.effects(), ["zadd z 2.5 a", "zadd z 1.5 a", "zadd z inf a"]);
    }
}
