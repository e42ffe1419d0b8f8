//! Changing lists at places that the command names: LINDEX reads there, LSET, LINSERT, LREM and LTRIM change.
//!
//! LINSERT's effect names the place it found, not the pivot. LREM's effect repeats the command: which elements go follows
//! from the list alone. LTRIM's are two pops.

use nuthatch_proto::resp::{Args, ReplyWriter};

use crate::command::args::{integer, is, negatable};
use crate::command::{CommandError, Handled, elements};
use crate::context::Context;
use crate::effect::{Effect, End};
use crate::notice::Classes;
use crate::store::locked::LockedSlots;
use crate::value::{Item, List};

pub(in crate::command) fn lindex(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let Some(list) = slots.read::<List>(cx, args.at(1))? else {
        reply.null();
        return Ok(());
    };
    let index = elements::position(integer(args.at(2))?, list.len());
    match index.and_then(|index| list.iter_from(index).next()) {
        Some(element) => elements::bulk(reply, element),
        None => reply.null(),
    }
    Ok(())
}

pub(in crate::command) fn lset(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (key, element) = (args.at(1), args.at(3));
    let set = slots.modify(cx, key, |list: &mut List, emitter| {
        let index = elements::position(integer(args.at(2))?, list.len())
            .ok_or(CommandError::Other("ERR index out of range"))?;
        list.set(index, element, emitter.limits());
        emitter.emit(Effect::ListSet { key, index, element });
        emitter.notify(Classes::LIST, "lset");
        Ok(())
    })?;
    set.ok_or(CommandError::NoSuchKey)??;
    reply.ok();
    Ok(())
}

pub(in crate::command) fn linsert(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (key, pivot, element) = (args.at(1), args.at(3), args.at(4));
    let beyond = if is(args.at(2), "AFTER") {
        1
    } else if is(args.at(2), "BEFORE") {
        0
    } else {
        return Err(CommandError::Syntax);
    };
    let inserted = slots.modify(cx, key, |list: &mut List, emitter| {
        let pivot = Item::new(pivot);
        let index = list.iter().position(|item| item == pivot)? + beyond;
        list.insert(index, element, emitter.limits());
        emitter.emit(Effect::ListInsert { key, index, element });
        emitter.notify(Classes::LIST, "linsert");
        Some(list.len())
    })?;
    match inserted {
        None => reply.integer(0),
        Some(None) => reply.integer(-1),
        Some(Some(len)) => reply.count(len),
    }
    Ok(())
}

pub(in crate::command) fn lrem(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (key, element) = (args.at(1), args.at(3));
    let wanted = negatable(args.at(2))?;
    let from = if wanted < 0 { End::Right } else { End::Left };
    let count = match usize::try_from(wanted.unsigned_abs()) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(count) => count,
    };
    let removed = slots.modify(cx, key, |list: &mut List, emitter| {
        let removed = list.remove_matching(element, from, count, emitter.limits());
        if removed > 0 {
            emitter.emit(Effect::ListRemove { key, from, count: removed, element });
            emitter.notify(Classes::LIST, "lrem");
        }
        removed
    })?;
    reply.count(removed.unwrap_or(0));
    Ok(())
}

pub(in crate::command) fn ltrim(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (key, start, end) = (args.at(1), integer(args.at(2))?, integer(args.at(3))?);
    slots.modify(cx, key, |list: &mut List, emitter| {
        let kept = elements::positions(start, end, list.len());
        // What is kept of nothing is nothing: then all goes from the left.
        let kept = if kept.is_empty() { list.len()..list.len() } else { kept };
        let right = list.len() - kept.end;
        list.remove(kept.end..list.len(), emitter.limits());
        list.remove(0..kept.start, emitter.limits());
        for (end, count) in [(End::Left, kept.start), (End::Right, right)] {
            if count > 0 {
                emitter.emit(Effect::ListPop { key, end, count });
            }
        }
        // Redis takes it for a change of the list even when all is kept.
        emitter.touch();
        emitter.notify(Classes::LIST, "ltrim");
    })?;
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    const NOT_INTEGER: &str = "-ERR value is not an integer or out of range";

    #[test]
    fn elements_are_read_and_set_by_index() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("RPUSH l a b 3", ":3"),
            ("LINDEX l 0", "a"),
            ("LINDEX l -1", "3"),
            ("LINDEX l 3", "nil"),
            ("LINDEX l -4", "nil"),
            ("LINDEX l -9223372036854775808", "nil"),
            ("LINDEX l x", NOT_INTEGER),
            ("LINDEX none x", "nil"),
            ("LSET l -1 c", "+OK"),
            ("LSET l 0 7", "+OK"),
            ("LSET l 3 x", "-ERR index out of range"),
            ("LSET l -4 x", "-ERR index out of range"),
            ("LSET l x x", NOT_INTEGER),
            ("LSET none x x", "-ERR no such key"),
            ("LRANGE l 0 -1", "[7 b c]"),
        ]);
        assert_eq!(bench.effects()[3..], ["lset l 2 c", "lset l 0 7"]);
    }

    #[test]
    fn elements_are_inserted_beside_another() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("RPUSH l a b a 5", ":4"),
            ("LINSERT l BEFORE a x", ":5"),
            ("LINSERT l after 5 y", ":6"),
            ("LINSERT l after 05 y", ":-1"),
            ("LINSERT none after 5 y", ":0"),
            ("LINSERT l beside 5 y", "-ERR syntax error"),
            ("LRANGE l 0 -1", "[x a b a 5 y]"),
        ]);
        assert_eq!(bench.effects()[4..], ["linsert l 0 x", "linsert l 5 y"]);
    }

    #[test]
    fn equal_elements_are_removed_from_either_end() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("RPUSH l a b a c a b 1 1", ":8"),
            ("LREM l 1 a", ":1"),
            ("LREM l -1 b", ":1"),
            ("LREM l -9 1", ":2"),
            ("LREM l 5 none", ":0"),
            ("LRANGE l 0 -1", "[b a c a]"),
            ("LREM l 0 a", ":2"),
            ("LREM l 9 b", ":1"),
            ("LREM l 0 c", ":1"),
            ("EXISTS l", ":0"),
            ("LREM l 0 c", ":0"),
            ("LREM l x c", NOT_INTEGER),
            (
                "LREM l -9223372036854775808 c",
                "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
            ),
        ]);
        assert_eq!(
            bench.effects()[8..],
            [
                "lrem l Left 1 a",
                "lrem l Right 1 b",
                "lrem l Right 2 1",
                "lrem l Left 2 a",
                "lrem l Left 1 b",
                "lrem l Left 1 c"
            ]
        );
    }

    #[test]
    fn a_list_is_trimmed_to_a_range() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("RPUSH l 1 2 3 4 5 6", ":6"),
            ("LTRIM l 1 -2", "+OK"),
            ("LRANGE l 0 -1", "[2 3 4 5]"),
            ("LTRIM l 0 100", "+OK"),
            ("LTRIM l -3 100", "+OK"),
            ("LRANGE l 0 -1", "[3 4 5]"),
            ("LTRIM l -100 1", "+OK"),
            ("LRANGE l 0 -1", "[3 4]"),
            ("LTRIM l 5 1", "+OK"),
            ("EXISTS l", ":0"),
            ("LTRIM l 0 0", "+OK"),
            ("LTRIM l x 0", NOT_INTEGER),
        ]);
        assert_eq!(
            bench.effects()[6..],
            ["pop l Left 1", "pop l Right 1", "pop l Left 1", "pop l Right 1", "pop l Left 2"]
        );
    }

    #[test]
    fn other_types_are_refused() {
        let mut bench = Bench::new();
        bench.check("SET s v", "+OK");
        for command in
            ["LINDEX s x", "LSET s x v", "LINSERT s AFTER p v", "LREM s 0 v", "LTRIM s 0 1", "LPOS s v"]
        {
            bench.check(command, WRONG_TYPE);
        }
    }

    #[test]
    fn a_long_list_changes_in_the_middle() {
        let mut bench = Bench::new();
        for n in 0..3_000 {
            bench.check(&format!("RPUSH l element:{n}"), &format!(":{}", n + 1));
        }
        bench.check_all(&[
            ("LINSERT l BEFORE element:1500 here", ":3001"),
            ("LINDEX l 1500", "here"),
            ("LSET l 1501 there", "+OK"),
            ("LRANGE l 1499 1502", "[element:1499 here there element:1501]"),
            ("LREM l 0 here", ":1"),
            ("LTRIM l 1499 1500", "+OK"),
            ("LRANGE l 0 -1", "[element:1499 there]"),
        ]);
    }
}
