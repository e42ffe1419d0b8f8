//! Commands on lists.
//!
//! Here the ends, lengths and ranges; `list/middle.rs` changes what lies between, `list/search.rs` looks for it, and
//! `list/transfer.rs` takes elements from lists that others name.
//!
//! How elements are kept is the value's business (`value/list.rs`); here arguments become changes and replies. A list whose
//! last element goes is removed by the store. Popping with a count answers an array, without one a single element, and the
//! two have different nulls.

pub(super) mod middle;
pub(super) mod search;
pub(crate) mod transfer;

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::args;
use super::{CommandError, Handled, elements};
use crate::context::Context;
use crate::effect::{Effect, End};
use crate::notice::Classes;
use crate::store::locked::{Emitter, LockedSlots};
use crate::value::List;

/// LPUSHX and RPUSHX.
pub(super) fn push_if_there(
    end: End,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let key = args.at(1);
    let len = slots.modify(cx, key, |list: &mut List, emitter| {
        push_each(list, key, end, args.skip(2), emitter);
        list.len()
    })?;
    reply.count(len.unwrap_or(0));
    Ok(())
}

/// LPUSH and RPUSH.
#[inline]
pub(super) fn push(
    end: End,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let key = args.at(1);
    let len = slots.modify_or_create(cx, key, |list: &mut List, emitter| {
        push_each(list, key, end, args.skip(2), emitter);
        list.len()
    })?;
    reply.count(len);
    Ok(())
}

#[inline]
fn push_each(list: &mut List, key: &[u8], end: End, elements: Args<'_>, emitter: &Emitter<'_, '_>) {
    for element in elements.iter() {
        list.push(end, element, emitter.limits());
        emitter.emit(Effect::ListPush { key, end, element });
    }
    emitter.notify(Classes::LIST, event(end, "lpush", "rpush"));
}

/// LPOP and RPOP.
pub(super) fn pop(
    end: End,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    if args.len() > 3 {
        return Err(CommandError::WrongArity(event(end, "lpop", "rpop")));
    }
    let wanted = args.get(2).map(args::count).transpose()?;
    let key = args.at(1);
    let popped = slots.modify(cx, key, |list: &mut List, emitter| {
        let count = wanted.unwrap_or(1).min(list.len());
        if wanted.is_some() {
            reply.array(count);
        }
        pop_into(list, key, end, count, emitter, reply);
    })?;
    match (popped, wanted) {
        (Some(()), _) => {}
        (None, Some(_)) => reply.null_array(),
        (None, None) => reply.null(),
    }
    Ok(())
}

/// Pops as many elements as there certainly are, and replies with each.
fn pop_into(
    list: &mut List,
    key: &[u8],
    end: End,
    count: usize,
    emitter: &Emitter<'_, '_>,
    reply: &mut ReplyWriter<'_>,
) {
    for _ in 0..count {
        if let Some(element) = list.peek(end) {
            elements::bulk(reply, element);
        }
        list.pop(end, emitter.limits());
    }
    if count > 0 {
        emitter.emit(Effect::ListPop { key, end, count });
        emitter.notify(Classes::LIST, event(end, "lpop", "rpop"));
    }
}

/// The name of an event that depends on the end.
#[inline]
fn event(end: End, left: &'static str, right: &'static str) -> &'static str {
    match end {
        End::Left => left,
        End::Right => right,
    }
}

pub(super) fn lrange(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (start, end) = (args::integer(args.at(2))?, args::integer(args.at(3))?);
    let Some(list) = slots.read::<List>(cx, args.at(1))? else {
        reply.array(0);
        return Ok(());
    };
    let range = elements::positions(start, end, list.len());
    reply.array(range.len());
    for element in list.iter_from(range.start).take(range.len()) {
        elements::bulk(reply, element);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::Protocol;

    use crate::testing::Bench;

    #[test]
    fn both_ends_push_and_pop() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("RPUSH l a b 3", ":3"),
            ("LPUSH l x y", ":5"),
            ("LRANGE l 0 -1", "[y x a b 3]"),
            ("LLEN l", ":5"),
            ("LPOP l", "y"),
            ("RPOP l", "3"),
            ("RPOP l 2", "[b a]"),
            ("LPOP l 0", "[]"),
            ("LPOP l 9", "[x]"),
            ("EXISTS l", ":0"),
            ("LPOP l", "nil"),
            ("LPOP l 1", "nil"),
            ("LLEN l", ":0"),
            ("LRANGE l 0 -1", "[]"),
        ]);
        assert_eq!(
            bench.effects(),
            [
                "push l Right a",
                "push l Right b",
                "push l Right 3",
                "push l Left x",
                "push l Left y",
                "pop l Left 1",
                "pop l Right 1",
                "pop l Right 2",
                "pop l Left 1"
            ]
        );
    }

    #[test]
    fn arguments_are_judged_before_the_key() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SET s v", "+OK"),
            ("LPOP s x", "-ERR value is out of range, must be positive"),
            ("LPOP s -1", "-ERR value is out of range, must be positive"),
            ("LPOP s 1 2", "-ERR wrong number of arguments for 'lpop' command"),
            ("RPOP s 1 2", "-ERR wrong number of arguments for 'rpop' command"),
            ("LRANGE s a 1", "-ERR value is not an integer or out of range"),
            ("LPOP s 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("LPUSH s 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("LLEN s", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
            ("LRANGE s 0 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ]);
    }

    #[test]
    fn an_absent_list_pops_a_null_of_the_shape_asked_for() {
        let mut bench = Bench::new();
        assert_eq!(bench.run_raw(&["LPOP", "l"]), b"$-1\r\n");
        assert_eq!(bench.run_raw(&["LPOP", "l", "2"]), b"*-1\r\n");
        bench.protocol = Protocol::Resp3;
        assert_eq!(bench.run_raw(&["LPOP", "l", "2"]), b"_\r\n");
    }

    #[test]
    fn only_a_list_that_is_there_is_pushed_to() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("LPUSHX l a", ":0"),
            ("RPUSHX l a", ":0"),
            ("EXISTS l", ":0"),
            ("RPUSH l m", ":1"),
            ("LPUSHX l b a", ":3"),
            ("RPUSHX l x y", ":5"),
            ("LRANGE l 0 -1", "[a b m x y]"),
            ("SET s v", "+OK"),
            ("LPUSHX s a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ]);
        assert_eq!(bench.effects()[1..3], ["push l Left b", "push l Left a"]);
    }

    #[test]
    fn a_long_list_is_read_anywhere() {
        let mut bench = Bench::new();
        for n in 0..3_000 {
            bench.check(&format!("RPUSH l element:{n}"), &format!(":{}", n + 1));
        }
        bench.check("LRANGE l 1500 1501", "[element:1500 element:1501]");
        bench.check("LRANGE l -2 5000", "[element:2998 element:2999]");
    }
}
