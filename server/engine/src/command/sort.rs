//! SORT and SORT_RO: the elements of a list, set or sorted set in an order of their own or of other keys' values.
//!
//! Options are read first ([`Options`]); the elements are copied, for what BY and GET look up lies in the same slots;
//! each gets its weight ([`order`]), and what remains of the order after LIMIT is replied or stored as a list. Nothing
//! is stored if a weight is no number.
//!
//! Patterns of BY and GET name keys that are known only when the elements are: such a SORT holds every slot of its
//! database. In a cluster only patterns are let through whose keys are all in the slot of the sorted key.

mod order;
mod pattern;

use std::ops::Range;

use nuthatch_proto::resp::{Args, ReplyWriter};
use nuthatch_proto::slot::Slot;

use super::args::{integer, is};
use super::{CommandError, Handled};
use crate::context::Context;
use crate::effect::End;
use crate::notice::Classes;
use crate::store::entry::{Entry, ValueRef};
use crate::store::locked::LockedSlots;
use crate::value::{List, Object};
use order::Order;
use pattern::Pattern;

/// What follows the key.
struct Options<'a> {
    descending: bool,
    alpha: bool,
    offset: i64,
    /// All if negative.
    count: i64,
    by: Option<Pattern<'a>>,
    /// Whether the elements stay in the order they have: a BY named no key of theirs.
    keeps_order: bool,
    get: Vec<Pattern<'a>>,
    store: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>, readonly: bool, in_cluster: bool) -> Result<Self, CommandError> {
        let slot = Slot::of_key(args.at(1));
        let reachable = |pattern: Pattern<'_>| !in_cluster || pattern.slot() == Some(slot);
        let mut options = Self {
            descending: false,
            alpha: false,
            offset: 0,
            count: -1,
            by: None,
            keeps_order: false,
            get: Vec::new(),
            store: None,
        };
        let mut words = args.skip(2).iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(CommandError::Syntax);
            if is(word, "ASC") {
                options.descending = false;
            } else if is(word, "DESC") {
                options.descending = true;
            } else if is(word, "ALPHA") {
                options.alpha = true;
            } else if is(word, "LIMIT") {
                let (offset, count) = (value()?, value()?);
                (options.offset, options.count) = (integer(offset)?, integer(count)?);
            } else if is(word, "STORE") && !readonly {
                options.store = Some(value()?);
            } else if is(word, "BY") {
                let pattern = Pattern::new(value()?);
                // Another BY does not take it back.
                options.keeps_order |= !pattern.varies();
                if pattern.varies() && !reachable(pattern) {
                    return Err(CommandError::Other("ERR BY option of SORT denied in Cluster mode."));
                }
                options.by = Some(pattern);
            } else if is(word, "GET") {
                let pattern = Pattern::new(value()?);
                if !reachable(pattern) {
                    return Err(CommandError::Other("ERR GET option of SORT denied in Cluster mode."));
                }
                options.get.push(pattern);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }

    /// Which of that many elements are wanted, counted in their new order.
    fn wanted(&self, len: usize) -> Range<usize> {
        let start = usize::try_from(self.offset.max(0)).unwrap_or(usize::MAX).min(len);
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        start..start.saturating_add(count).min(len)
    }
}

/// What SORT needs locked beside the slot of its first key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs<'a> {
    /// Nothing.
    Nothing,
    /// The slot of where it stores.
    Destination(&'a [u8]),
    /// The whole database.
    Everything,
}

/// What a SORT needs locked; what fails needs nothing.
pub(super) fn needs(args: Args<'_>, in_cluster: bool) -> Needs<'_> {
    let Ok(options) = Options::parse(args, false, in_cluster) else { return Needs::Nothing };
    let looks_up = |pattern: &Pattern<'_>| pattern.varies();
    if !in_cluster && (options.by.iter().any(looks_up) || options.get.iter().any(looks_up)) {
        return Needs::Everything;
    }
    options.store.map_or(Needs::Nothing, Needs::Destination)
}

pub(super) fn sort(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let options = Options::parse(args, false, slots.in_cluster())?;
    run(cx, slots, args.at(1), options, reply)
}

pub(super) fn sort_ro(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let options = Options::parse(args, true, slots.in_cluster())?;
    run(cx, slots, args.at(1), options, reply)
}

fn run(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    key: &[u8],
    options: Options<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    // A set has no order, and neither what is stored nor what a script does must depend on chance.
    let ordered = options.store.is_some() || cx.for_script;
    let sorted = match slots.read_entry(cx, key).map(Entry::value) {
        None => Vec::new(),
        Some(ValueRef::String(_) | ValueRef::Object(Object::Hash(_))) => return Err(CommandError::WrongType),
        Some(ValueRef::Object(object)) if options.keeps_order => as_they_are(object, &options, ordered),
        Some(ValueRef::Object(object)) => {
            let elements = all(object);
            let wanted = options.wanted(elements.len());
            let order = Order { by: options.by, alpha: options.alpha, descending: options.descending };
            let mut sorted = order.sort(cx, slots, elements)?;
            sorted.truncate(wanted.end);
            sorted.drain(..wanted.start);
            sorted
        }
    };
    match options.store {
        None => write(cx, slots, &sorted, &options.get, reply),
        Some(destination) => {
            let list = listed(cx, slots, &sorted, &options.get);
            reply.count(list.len());
            slots.store(cx, destination, list, Classes::LIST, "sortstore");
        }
    }
    Ok(())
}

/// All elements, in the order of the value.
fn all(object: &Object) -> Vec<Vec<u8>> {
    match object {
        Object::List(list) => list.iter().map(|item| item.to_vec()).collect(),
        Object::Set(set) => set.iter().map(|item| item.to_vec()).collect(),
        Object::SortedSet(set) => set.iter().map(|(item, _)| item.to_vec()).collect(),
        Object::Hash(_) => Vec::new(),
    }
}

/// The wanted elements in the order of the value, without a copy of the others where it has an order. Those of a set are
/// `ordered` by themselves, or come as they are.
fn as_they_are(object: &Object, options: &Options<'_>, ordered: bool) -> Vec<Vec<u8>> {
    let wanted = options.wanted(object.len());
    let reversed = object.len() - wanted.end..object.len() - wanted.start;
    match object {
        Object::List(list) if options.descending => {
            let mut elements: Vec<_> =
                list.iter_from(reversed.start).take(reversed.len()).map(|item| item.to_vec()).collect();
            elements.reverse();
            elements
        }
        Object::List(list) => {
            list.iter_from(wanted.start).take(wanted.len()).map(|item| item.to_vec()).collect()
        }
        Object::SortedSet(set) if options.descending => {
            set.range_reversed(reversed).map(|(item, _)| item.to_vec()).collect()
        }
        Object::SortedSet(set) => set.range(wanted).map(|(item, _)| item.to_vec()).collect(),
        Object::Set(_) | Object::Hash(_) => {
            let mut elements = all(object);
            if ordered {
                elements.sort_unstable();
                if options.descending {
                    elements.reverse();
                }
            }
            elements.truncate(wanted.end);
            elements.drain(..wanted.start);
            elements
        }
    }
}

fn write(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    sorted: &[Vec<u8>],
    get: &[Pattern<'_>],
    reply: &mut ReplyWriter<'_>,
) {
    reply.array(sorted.len() * get.len().max(1));
    for element in sorted {
        if get.is_empty() {
            reply.bulk(element);
        }
        for pattern in get {
            reply.bulk_or_null(pattern.look_up(cx, slots, element).as_deref());
        }
    }
}

fn listed(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    sorted: &[Vec<u8>],
    get: &[Pattern<'_>],
) -> List {
    let limits = slots.tuned().limits();
    let mut list = List::new();
    for element in sorted {
        if get.is_empty() {
            list.push(End::Right, element, &limits);
        }
        for pattern in get {
            let found = pattern.look_up(cx, slots, element).unwrap_or_default();
            list.push(End::Right, &found, &limits);
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::args::OwnedArgs;

    use super::*;
    use crate::testing::Bench;

    #[test]
    fn numbers_and_names_up_and_down() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("RPUSH l 3 1 10 2 1.5", ":5"),
            ("SORT l", "[1 1.5 2 3 10]"),
            ("SORT l DESC", "[10 3 2 1.5 1]"),
            ("SORT l ALPHA", "[1 1.5 10 2 3]"),
            ("SORT_RO l LIMIT 1 2", "[1.5 2]"),
            ("SORT l LIMIT -5 2", "[1 1.5]"),
            ("SORT l LIMIT 3 -1", "[3 10]"),
            ("SORT l LIMIT 9 9", "[]"),
            ("SORT l LIMIT 9223372036854775807 9223372036854775807", "[]"),
            ("SORT l BY nosort", "[3 1 10 2 1.5]"),
            ("SORT l BY nosort DESC LIMIT 1 2", "[2 10]"),
            ("SADD s c a b", ":3"),
            ("SORT s ALPHA DESC", "[c b a]"),
            ("SORT s", "-ERR One or more scores can't be converted into double"),
            ("ZADD z 1 b 2 a 3 c", ":3"),
            ("SORT z ALPHA", "[a b c]"),
            ("SORT z BY nosort DESC LIMIT 0 2", "[c a]"),
            ("SORT z BY nosort LIMIT 1 9", "[a c]"),
            ("SORT l BY nosort BY w*", "[3 1 10 2 1.5]"),
            ("SORT none", "[]"),
        ]);
    }

    #[test]
    fn weights_and_values_of_other_keys() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("RPUSH l 1 2 3", ":3"),
            ("MSET w1 9 w2 7 w3 8", "+OK"),
            ("HSET h1 f 2 g x", ":2"),
            ("HSET h3 f 1", ":1"),
            ("SORT l BY w*", "[2 3 1]"),
            ("SORT l BY w* GET # GET w*", "[2 7 3 8 1 9]"),
            ("SORT l BY w* GET fixed", "[nil nil nil]"),
            // One without a weight weighs nothing.
            ("SORT l BY h*->f", "[2 3 1]"),
            ("SORT l BY h*->f GET h*->g DESC", "[x nil nil]"),
            // What is no field is a part of the name.
            ("SET w1-> 5", "+OK"),
            ("SORT l BY nosort GET w*->", "[5 nil nil]"),
            ("SORT l BY none* DESC", "[3 2 1]"),
            ("MSET n1 b n2 a", "+OK"),
            ("SORT l BY n* ALPHA", "[3 2 1]"),
            ("SORT l BY n*", "-ERR One or more scores can't be converted into double"),
        ]);
    }

    #[test]
    fn a_script_is_given_a_set_in_order() {
        let mut bench = Bench::new();
        bench.for_script = true;
        bench.check_all(&[("SADD s d b aa c a", ":5"), ("SORT s BY nosort", "[a aa b c d]")]);
        bench.check("SORT s BY nosort DESC LIMIT 1 2", "[c b]");
    }

    #[test]
    fn the_result_is_stored_as_a_list() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SADD s 3 1 2", ":3"),
            ("SET to x", "+OK"),
            ("SORT s GET # GET w* STORE to", ":6"),
            ("LRANGE to 0 -1", "[1  2  3 ]"),
            ("SORT s BY nosort DESC LIMIT 0 2 STORE to", ":2"),
            ("LRANGE to 0 -1", "[3 2]"),
            ("SORT none STORE to", ":0"),
            ("EXISTS to", ":0"),
            ("SORT_RO s STORE to", "-ERR syntax error"),
        ]);
        assert_eq!(bench.effects()[3..], ["set to x", "put to list", "put to list", "delete to"]);
    }

    #[test]
    fn what_is_refused() {
        Bench::new().check_all(&[
            ("SET a 1", "+OK"),
            ("SORT a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("SORT a FOO", "-ERR syntax error"),
            ("SORT a LIMIT 1", "-ERR syntax error"),
            ("SORT a LIMIT 1 x", "-ERR value is not an integer or out of range"),
            ("SORT a BY", "-ERR syntax error"),
        ]);
    }

    #[test]
    fn patterns_of_other_slots_need_everything_or_are_refused() {
        #[track_caller]
        fn check(command: &str, alone: Needs<'_>, in_cluster: Option<&str>) {
            let args: OwnedArgs = command.split(' ').collect();
            assert_eq!(needs(args.as_args(), false), alone, "{command}");
            let refused = Options::parse(args.as_args(), false, true).err();
            assert_eq!(refused.map(|error| error.to_string()).as_deref(), in_cluster, "{command}");
        }
        let by = Some("ERR BY option of SORT denied in Cluster mode.");
        let get = Some("ERR GET option of SORT denied in Cluster mode.");
        check("SORT {t}a", Needs::Nothing, None);
        check("SORT {t}a STORE b", Needs::Destination(b"b"), None);
        check("SORT {t}a BY nosort", Needs::Nothing, None);
        check("SORT {t}a BY w_*", Needs::Everything, by);
        check("SORT {t}a GET #", Needs::Nothing, get);
        check("SORT {t}a GET {*}t", Needs::Everything, get);
        check("SORT {t}a BY {t}w_* GET {t}*->{u}", Needs::Everything, None);
    }
}
