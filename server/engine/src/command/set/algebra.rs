//! Intersections, unions and differences of sets, replied, counted or stored.
//!
//! The sets are read together, under the locks of all their slots. An intersection walks the smallest and asks the
//! others; a difference walks the first and asks the others, or takes their members out of a copy of it, whichever is
//! less work. What needs no set of its own to be found is written as it is found.
//!
//! A stored result takes the form its members ask for, whatever the forms of the sources; an empty one deletes the
//! destination.

use nuthatch_proto::resp::{Args, ReplyWriter};
use smallvec::SmallVec;

use crate::command::args::{at_least_one, counted_keys, is, parse_integer};
use crate::command::{CommandError, Handled, elements};
use crate::context::Context;
use crate::notice::Classes;
use crate::store::locked::{LockedSlots, typed};
use crate::value::{IntegerText, Item, Limits, Set};

/// Sets, none where there is no key.
type Sources<'s> = SmallVec<[Option<&'s Set>; 8]>;

/// How sets are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::command) enum Operation {
    /// What all of them have.
    Intersection,
    /// What any of them has.
    Union,
    /// What the first has alone.
    Difference,
}

impl Operation {
    /// The event of storing its result.
    fn event(self) -> &'static str {
        match self {
            Self::Intersection => "sinterstore",
            Self::Union => "sunionstore",
            Self::Difference => "sdiffstore",
        }
    }

    /// The result as a set.
    fn result(self, sets: Sources<'_>, limits: &Limits) -> Set {
        let mut result = Set::new();
        match self {
            Self::Intersection => common(sets, |member| {
                add(&mut result, member, limits);
                true
            }),
            Self::Union => {
                sets.into_iter().flatten().flat_map(Set::iter).for_each(|m| add(&mut result, m, limits));
            }
            Self::Difference => different(sets, limits, |member| add(&mut result, member, limits)),
        }
        result
    }
}

fn add(set: &mut Set, member: Item<'_>, limits: &Limits) {
    set.insert(member.bytes(&mut IntegerText::new()), limits);
}

/// Shows the members that all sets have, until `visit` has enough.
fn common(sets: Sources<'_>, mut visit: impl FnMut(Item<'_>) -> bool) {
    let Some(mut sets) = sets.into_iter().collect::<Option<SmallVec<[&Set; 8]>>>() else { return };
    sets.sort_by_key(|set| set.len());
    let Some((smallest, others)) = sets.split_first() else { return };
    for member in smallest.iter() {
        if others.iter().all(|other| other.has(member)) && !visit(member) {
            return;
        }
    }
}

/// Shows the members of the first set that no other has.
fn different(sets: Sources<'_>, limits: &Limits, mut visit: impl FnMut(Item<'_>)) {
    let mut sets = sets.into_iter();
    let Some(first) = sets.next().flatten() else { return };
    let mut others: SmallVec<[&Set; 8]> = sets.flatten().collect();
    if others.iter().any(|other| std::ptr::eq(*other, first)) {
        return;
    }
    // Asking finds a common member early, copying touches every member for certain: half as much work, as Redis has it.
    let asking = first.len().saturating_mul(others.len() + 1) / 2;
    let copying = first.len() + others.iter().map(|set| set.len()).sum::<usize>();
    if asking <= copying {
        others.sort_by_key(|set| std::cmp::Reverse(set.len()));
        first.iter().filter(|&member| !others.iter().any(|set| set.has(member))).for_each(visit);
        return;
    }
    let mut left = Set::new();
    first.iter().for_each(|member| add(&mut left, member, limits));
    for member in others.into_iter().flat_map(Set::iter) {
        left.remove(member.bytes(&mut IntegerText::new()));
        if left.is_empty() {
            return;
        }
    }
    left.iter().for_each(&mut visit);
}

/// SINTER, SUNION and SDIFF.
pub(in crate::command) fn combine(
    operation: Operation,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let limits = slots.limits();
    let sets = slots.read_many(cx, args.skip(1).iter(), typed::<Set>)?;
    if operation == Operation::Union {
        let result = operation.result(sets, &limits);
        reply.set(result.len());
        result.iter().for_each(|member| elements::bulk(reply, member));
        return Ok(());
    }
    let (mark, mut count) = (reply.deferred_array(), 0);
    let mut write = |member: Item<'_>| {
        elements::bulk(reply, member);
        count += 1;
    };
    if operation == Operation::Difference {
        different(sets, &limits, write);
    } else {
        common(sets, |member| {
            write(member);
            true
        });
    }
    reply.finish_set(mark, count);
    Ok(())
}

/// SINTERSTORE, SUNIONSTORE and SDIFFSTORE.
pub(in crate::command) fn store(
    operation: Operation,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let limits = slots.limits();
    let sets = slots.read_many(cx, args.skip(2).iter(), typed::<Set>)?;
    let result = operation.result(sets, &limits);
    reply.count(result.len());
    slots.store(cx, args.at(1), result, Classes::SET, operation.event());
    Ok(())
}

pub(in crate::command) fn sintercard(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    if at_least_one(args.at(1), "ERR numkeys should be greater than 0")? > args.len() - 2 {
        return Err(CommandError::Other("ERR Number of keys can't be greater than number of args"));
    }
    let (keys, rest) = counted_keys(args, 1)?;
    let limit = limit(rest)?;
    let sets = slots.read_many(cx, keys.iter(), typed::<Set>)?;
    let mut count = 0;
    common(sets, |_| {
        count += 1;
        count != limit
    });
    reply.count(count);
    Ok(())
}

/// SINTERCARD's LIMIT; 0 is none.
fn limit(options: Args<'_>) -> Result<usize, CommandError> {
    let mut limit = 0;
    let mut words = options.iter();
    while let Some(word) = words.next() {
        let value = words.next().filter(|_| is(word, "LIMIT")).ok_or(CommandError::Syntax)?;
        let number = parse_integer(value).and_then(|number| usize::try_from(number).ok());
        limit = number.ok_or(CommandError::Other("ERR LIMIT can't be negative"))?;
    }
    Ok(limit)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nuthatch_proto::resp::Protocol;
    use proptest::prelude::*;

    use crate::testing::Bench;

    const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

    #[test]
    fn sets_are_combined() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SADD a 1 2 3 4", ":4"),
            ("SADD b 3 4 x", ":3"),
            ("SADD c 4 5", ":2"),
            ("SINTER a b", "[3 4]"),
            ("SINTER a b c", "[4]"),
            ("SINTER a none", "[]"),
            ("SUNION a c", "[1 2 3 4 5]"),
            ("SUNION none", "[]"),
            ("SDIFF a b c", "[1 2]"),
            ("SDIFF a a", "[]"),
            ("SDIFF none a", "[]"),
            ("SDIFF c none", "[4 5]"),
            ("SINTERSTORE r a b", ":2"),
            ("SMEMBERS r", "[3 4]"),
            ("SUNIONSTORE r r c", ":3"),
            ("SMEMBERS r", "[3 4 5]"),
            ("SDIFFSTORE r a r", ":2"),
            ("SMEMBERS r", "[1 2]"),
            ("SDIFFSTORE r r r", ":0"),
            ("EXISTS r", ":0"),
            ("SINTERSTORE r none none", ":0"),
        ]);
        assert_eq!(bench.effects()[9..], ["put r set", "put r set", "put r set", "delete r"]);
    }

    #[test]
    fn a_result_replaces_whatever_was_there() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SADD a 1", ":1"),
            ("SET s v EX 100", "+OK"),
            ("SUNIONSTORE s a", ":1"),
            ("TTL s", ":-1"),
            ("SMEMBERS s", "[1]"),
            ("SET s v", "+OK"),
            ("SINTERSTORE s a none", ":0"),
            ("EXISTS s", ":0"),
        ]);
    }

    #[test]
    fn every_source_must_be_a_set() {
        let mut bench = Bench::new();
        bench.check_all(&[("SADD a 1", ":1"), ("SET s v", "+OK")]);
        for command in
            ["SINTER", "SUNION", "SDIFF", "SINTERSTORE a", "SUNIONSTORE a", "SDIFFSTORE a", "SINTERCARD 2"]
        {
            bench.check(&format!("{command} none s"), WRONG_TYPE);
            bench.check(&format!("{command} s a"), WRONG_TYPE);
        }
        bench.check("SMEMBERS a", "[1]");
    }

    #[test]
    fn the_size_of_an_intersection() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SADD a 1 2 3", ":3"),
            ("SADD b 1 2 3 4", ":4"),
            ("SINTERCARD 2 a b", ":3"),
            ("SINTERCARD 2 a b LIMIT 2", ":2"),
            ("SINTERCARD 2 a b limit 0", ":3"),
            ("SINTERCARD 2 a b LIMIT 9", ":3"),
            ("SINTERCARD 1 none", ":0"),
            ("SINTERCARD 0 a", "-ERR numkeys should be greater than 0"),
            ("SINTERCARD x a", "-ERR numkeys should be greater than 0"),
            ("SINTERCARD 3 a b", "-ERR Number of keys can't be greater than number of args"),
            ("SINTERCARD 1 a b", "-ERR syntax error"),
            ("SINTERCARD 1 a LIMIT", "-ERR syntax error"),
            ("SINTERCARD 1 a LIMIT -1", "-ERR LIMIT can't be negative"),
            ("SINTERCARD 1 a LIMIT x", "-ERR LIMIT can't be negative"),
        ]);
    }

    #[test]
    fn results_are_sets_in_resp3() {
        let mut bench = Bench::new();
        bench.protocol = Protocol::Resp3;
        bench.check("SADD a 1", ":1");
        for command in ["SINTER", "SUNION", "SDIFF"] {
            assert_eq!(bench.run_raw(&[command, "a"]), b"~1\r\n$1\r\n1\r\n");
            assert_eq!(bench.run_raw(&[command, "none"]), b"~0\r\n");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn agrees_with_ordered_sets(
            sets in prop::collection::vec(prop::collection::btree_set("[0-9]{1,2}|x[0-9]{1,2}", 0..150), 1..5)
        ) {
            let mut bench = Bench::new();
            let keys: Vec<String> = (0..sets.len()).map(|n| format!("s{n}")).collect();
            for (key, set) in keys.iter().zip(&sets) {
                for member in set {
                    bench.check(&format!("SADD {key} {member}"), ":1");
                }
            }
            let mut combine = |command: &str| -> BTreeSet<String> {
                let reply = bench.run(&format!("{command} {}", keys.join(" ")));
                reply[1..reply.len() - 1].split(' ').filter(|m| !m.is_empty()).map(str::to_owned).collect()
            };
            let fold = |with: fn(&BTreeSet<String>, &BTreeSet<String>) -> BTreeSet<String>| {
                sets.iter().skip(1).fold(sets[0].clone(), |result, set| with(&result, set))
            };
            prop_assert_eq!(combine("SINTER"), fold(|a, b| a & b));
            prop_assert_eq!(combine("SUNION"), fold(|a, b| a | b));
            prop_assert_eq!(combine("SDIFF"), fold(|a, b| a - b));
            let common = fold(|a, b| a & b).len();
            prop_assert_eq!(bench.run(&format!("SINTERCARD {} {}", keys.len(), keys.join(" "))), format!(":{common}"));
            bench.check(&format!("SUNIONSTORE s0 {}", keys.join(" ")), &format!(":{}", fold(|a, b| a | b).len()));
        }
    }
}
