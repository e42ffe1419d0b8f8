//! Commands on several sorted sets at once: `ZUNION`, `ZINTER`, `ZDIFF`, their storing forms, and `ZINTERCARD`.
//!
//! Sets are welcome among the sources: their members have the score 1. The sources are read under all their locks together
//! and combined by [`source`]; the result borrows their members, and is copied only if it is stored.
//!
//! Errors come in Redis's order: the number of keys, then the type of what they hold, then the options.

mod source;

use nuthatch_proto::resp::{Args, ReplyWriter};
use smallvec::SmallVec;

use super::super::set::algebra::Operation;
use super::super::{CommandError, Handled, args};
use super::write_members;
use crate::context::Context;
use crate::notice::Classes;
use crate::store::locked::LockedSlots;
use crate::value::{IntegerText, Item, Limits, SortedSet};
use source::{Aggregate, Source, Weighted};

/// What becomes of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Use {
    /// It is replied.
    Reply,
    /// It is stored.
    Store,
    /// It is only counted.
    Count,
}

/// The name of the command that does this, which is also that of its event.
fn name(operation: Operation, purpose: Use) -> &'static str {
    match (operation, purpose) {
        (Operation::Union, Use::Store) => "zunionstore",
        (Operation::Union, Use::Reply | Use::Count) => "zunion",
        (Operation::Intersection, Use::Reply) => "zinter",
        (Operation::Intersection, Use::Store) => "zinterstore",
        (Operation::Intersection, Use::Count) => "zintercard",
        (Operation::Difference, Use::Store) => "zdiffstore",
        (Operation::Difference, Use::Reply | Use::Count) => "zdiff",
    }
}

/// The options of a combination.
#[derive(Debug, Clone)]
struct Options {
    weights: SmallVec<[f64; 8]>,
    aggregate: Aggregate,
    with_scores: bool,
    /// At how many members counting ends.
    limit: usize,
}

impl Options {
    fn parse(
        arguments: Args<'_>,
        keys: usize,
        operation: Operation,
        purpose: Use,
    ) -> Result<Self, CommandError> {
        let weights = SmallVec::from_elem(1.0, keys);
        let mut options = Self { weights, aggregate: Aggregate::Sum, with_scores: false, limit: usize::MAX };
        let weighs = operation != Operation::Difference && purpose != Use::Count;
        let mut rest = arguments;
        while let Some(word) = rest.get(0) {
            let values = rest.len() - 1;
            let read = if weighs && values >= keys && args::is(word, "weights") {
                for (weight, text) in options.weights.iter_mut().zip(rest.skip(1).iter()) {
                    *weight = args::parse_float(text)
                        .ok_or(CommandError::Other("ERR weight value is not a float"))?;
                }
                keys
            } else if weighs && values >= 1 && args::is(word, "aggregate") {
                options.aggregate = Aggregate::parse(rest.at(1)).ok_or(CommandError::Syntax)?;
                1
            } else if purpose == Use::Reply && args::is(word, "withscores") {
                options.with_scores = true;
                0
            } else if purpose == Use::Count && values >= 1 && args::is(word, "limit") {
                options.limit = limit(rest.at(1))?;
                1
            } else {
                return Err(CommandError::Syntax);
            };
            rest = rest.skip(1 + read);
        }
        Ok(options)
    }
}

/// A limit of which 0 is none.
fn limit(text: &[u8]) -> Result<usize, CommandError> {
    let number = args::parse_integer(text).and_then(|number| usize::try_from(number).ok());
    match number {
        Some(0) => Ok(usize::MAX),
        Some(limit) => Ok(limit),
        None => Err(CommandError::Other("ERR LIMIT can't be negative")),
    }
}

/// The keys that follow their number, and what follows them; with other errors than where keys are popped from.
fn sources<'a>(command: &'static str, args: Args<'a>) -> Result<(Args<'a>, Args<'a>), CommandError> {
    let count = args::integer(args.at(0))?;
    let count = usize::try_from(count).ok().filter(|&count| count > 0);
    let count = count.ok_or(CommandError::NoInputKey(command))?;
    let rest = args.skip(1);
    if count > rest.len() {
        return Err(CommandError::Syntax);
    }
    Ok((rest.take(count), rest.skip(count)))
}

/// A sorted set of these members.
pub(in super::super) fn collect(members: &[(Item<'_>, f64)], limits: &Limits) -> SortedSet {
    let (mut set, mut room) = (SortedSet::new(), IntegerText::new());
    let longest = members.iter().map(|(member, _)| member.bytes(&mut room).len()).max();
    set.prepare(members.len(), longest.unwrap_or(0), limits);
    for (member, score) in members {
        set.upsert(member.bytes(&mut room), limits, |_| Some(*score));
    }
    set
}

pub(in super::super) fn combine(
    operation: Operation,
    purpose: Use,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let command = name(operation, purpose);
    let counted = if purpose == Use::Store { 2 } else { 1 };
    let (keys, rest) = sources(command, args.skip(counted))?;
    let limits = slots.limits();
    let sources = slots.read_many(cx, keys.iter(), Source::of)?;
    let options = Options::parse(rest, keys.len(), operation, purpose)?;
    let sources = sources.into_iter().zip(&options.weights);
    let mut sources: SmallVec<[Weighted<'_>; 8]> =
        sources.map(|(source, &weight)| Weighted { source, weight }).collect();
    if operation != Operation::Difference {
        // Sums of doubles depend on their order, so it must be Redis's: from the fewest members to the most.
        sources.sort_by_key(|weighted| weighted.source.len());
    }
    match purpose {
        Use::Count => {
            reply.count(source::intersection(&sources, options.aggregate).take(options.limit).count());
            return Ok(());
        }
        Use::Reply => {
            let members = result(operation, &sources, options.aggregate, &limits);
            write_members(reply, members.len(), members.into_iter(), options.with_scores);
            return Ok(());
        }
        Use::Store => {}
    }
    let stored = collect(&result(operation, &sources, options.aggregate, &limits), &limits);
    drop(sources);
    reply.count(stored.len());
    slots.store(cx, args.at(1), stored, Classes::SORTED_SET, command);
    Ok(())
}

/// The members of the result in their order.
fn result<'a>(
    operation: Operation,
    sources: &[Weighted<'a>],
    aggregate: Aggregate,
    limits: &Limits,
) -> Vec<(Item<'a>, f64)> {
    source::ordered(match operation {
        Operation::Union => source::union(sources, aggregate, limits),
        Operation::Intersection => source::intersection(sources, aggregate).collect(),
        Operation::Difference => source::difference(sources).collect(),
    })
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::Protocol;

    use crate::testing::Bench;

    fn three() -> Bench {
        let mut bench = Bench::new();
        bench.check("ZADD a 1 x 2 y 3 z", ":3");
        bench.check("ZADD b 10 y 20 z 30 10", ":3");
        bench.check("SADD s z 10", ":2");
        bench
    }

    #[test]
    fn members_are_united_intersected_and_subtracted() {
        three().check_all(&[
            ("ZUNION 3 a b s WITHSCORES", "[x 1 y 12 z 24 10 31]"),
            ("ZUNION 2 a none", "[x y z]"),
            ("ZUNION 2 a a WITHSCORES", "[x 2 y 4 z 6]"),
            ("ZUNION 2 a b WEIGHTS 2 0.5 AGGREGATE MAX WITHSCORES", "[x 2 y 5 z 10 10 15]"),
            ("ZUNION 2 a b AGGREGATE MIN WITHSCORES", "[x 1 y 2 z 3 10 30]"),
            ("ZINTER 2 a b WITHSCORES", "[y 12 z 23]"),
            ("ZINTER 3 a b s WITHSCORES", "[z 24]"),
            ("ZINTER 2 a none", "[]"),
            ("ZINTERCARD 2 a b", ":2"),
            ("ZINTERCARD 2 a b LIMIT 1", ":1"),
            ("ZINTERCARD 2 a b LIMIT 0", ":2"),
            ("ZDIFF 2 a s WITHSCORES", "[x 1 y 2]"),
            ("ZDIFF 3 b a s", "[]"),
            ("ZDIFF 1 s WITHSCORES", "[10 1 z 1]"),
            ("ZDIFF 2 none a", "[]"),
        ]);
    }

    #[test]
    fn infinities_that_meet_are_zero() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("ZADD p inf x", ":1"),
            ("ZADD n -inf x", ":1"),
            ("ZUNION 2 p n WITHSCORES", "[x 0]"),
            ("ZINTER 2 p n WITHSCORES", "[x 0]"),
            ("ZUNION 1 p WEIGHTS 0 WITHSCORES", "[x 0]"),
            ("ZUNION 2 p n AGGREGATE MAX WITHSCORES", "[x inf]"),
        ]);
    }

    #[test]
    fn a_result_is_stored_over_whatever_is_there() {
        let mut bench = three();
        bench.check("SET d v EX 9", "+OK");
        bench.effects();
        bench.check_all(&[
            ("ZUNIONSTORE d 2 a b", ":4"),
            ("ZRANGE d 0 -1 WITHSCORES", "[x 1 y 12 z 23 10 30]"),
            ("TTL d", ":-1"),
            ("ZINTERSTORE a 2 a b", ":2"),
            ("ZRANGE a 0 -1 WITHSCORES", "[y 12 z 23]"),
            ("ZDIFFSTORE d 2 d d", ":0"),
            ("EXISTS d", ":0"),
            ("ZINTERSTORE d 2 a none", ":0"),
        ]);
        assert_eq!(bench.effects(), ["put d zset", "put a zset", "delete d"]);
    }

    #[test]
    fn big_results_are_ordered() {
        let mut bench = Bench::new();
        for n in 0..300 {
            bench.check(&format!("ZADD a {} m{n}", n % 7), ":1");
            bench.check(&format!("SADD s {n}"), ":1");
        }
        bench.check_all(&[
            ("ZUNIONSTORE d 2 a s WEIGHTS 1 -1", ":600"),
            ("ZRANGE d 0 3 WITHSCORES", "[0 -1 1 -1 10 -1 100 -1]"),
            ("ZREVRANGE d 0 1 WITHSCORES", "[m97 6 m90 6]"),
            ("ZINTERCARD 2 d s", ":300"),
            ("ZDIFFSTORE d 2 d s", ":300"),
            ("ZRANGE d 0 1", "[m0 m105]"),
        ]);
    }

    #[test]
    fn errors_come_in_order() {
        let mut bench = three();
        bench.check("SET t v", "+OK");
        let wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        bench.check_all(&[
            ("ZUNION x a", "-ERR value is not an integer or out of range"),
            ("ZUNION 0 a", "-ERR at least 1 input key is needed for 'zunion' command"),
            ("ZINTERSTORE d -1 a", "-ERR at least 1 input key is needed for 'zinterstore' command"),
            ("ZUNION 3 a b", "-ERR syntax error"),
            ("ZUNION 9223372036854775807 a", "-ERR syntax error"),
            ("ZUNION 2 a t NONSENSE", wrong_type),
            ("ZUNION 2 a b NONSENSE", "-ERR syntax error"),
            ("ZUNION 2 a b WEIGHTS 1", "-ERR syntax error"),
            ("ZUNION 2 a b WEIGHTS 1 x", "-ERR weight value is not a float"),
            ("ZUNION 2 a b AGGREGATE avg", "-ERR syntax error"),
            ("ZUNIONSTORE d 2 a b WITHSCORES", "-ERR syntax error"),
            ("ZDIFF 2 a b WEIGHTS 1 2", "-ERR syntax error"),
            ("ZINTERCARD 2 a b WITHSCORES", "-ERR syntax error"),
            ("ZINTERCARD 2 a b LIMIT", "-ERR syntax error"),
            ("ZINTERCARD 2 a b LIMIT -1", "-ERR LIMIT can't be negative"),
            ("ZINTERCARD 2 a b LIMIT x", "-ERR LIMIT can't be negative"),
            ("ZINTER 2 a b LIMIT 1", "-ERR syntax error"),
        ]);
    }

    #[test]
    fn pairs_are_nested_in_resp3() {
        let mut bench = three();
        bench.protocol = Protocol::Resp3;
        let nested = b"*2\r\n*2\r\n$1\r\ny\r\n,12\r\n*2\r\n$1\r\nz\r\n,23\r\n";
        assert_eq!(bench.run_raw(&["ZINTER", "2", "a", "b", "WITHSCORES"]), nested);
    }
}
