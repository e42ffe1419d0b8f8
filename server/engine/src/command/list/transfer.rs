//! Taking elements from lists that others name: LMPOP, LMOVE and RPOPLPUSH.
//!
//! Each is an attempt on lists that may not be there, and says whether it found an element. The commands answer null if
//! it did not; those that block wait for a push and make the same attempt again, so the attempts know nothing of the
//! command that asked.
//!
//! An element that moves is pushed before it is popped. So a list that is both source and destination never becomes
//! empty on the way, and keeps its deadline here as on a copy that applies the effects; the notices have the order that
//! Redis gives them, too.

use nuthatch_proto::resp::{Args, ReplyWriter};
use smallvec::SmallVec;

use super::{event, pop_into};
use crate::command::args::{MultiPop, is};
use crate::command::{CommandError, Handled};
use crate::context::Context;
use crate::effect::{Effect, End};
use crate::notice::Classes;
use crate::store::locked::LockedSlots;
use crate::value::{IntegerText, List};

/// How a pop from the first list that is there replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PopShape {
    /// The key and one element: BLPOP, BRPOP.
    Pair,
    /// The key and an array of up to so many elements: LMPOP, BLMPOP.
    UpTo(usize),
}

/// Pops from the first of these lists that is there, and replies with its key and elements; whether one is there.
pub(crate) fn pop_first<'k>(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    keys: impl Iterator<Item = &'k [u8]>,
    end: End,
    shape: PopShape,
    reply: &mut ReplyWriter<'_>,
) -> Result<bool, CommandError> {
    for key in keys {
        let popped = slots.modify(cx, key, |list: &mut List, emitter| {
            reply.array(2);
            reply.bulk(key);
            let count = match shape {
                PopShape::Pair => 1,
                PopShape::UpTo(count) => {
                    let count = count.min(list.len());
                    reply.array(count);
                    count
                }
            };
            pop_into(list, key, end, count, emitter, reply);
        })?;
        if popped.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Moves an element from an end of one list to an end of another, and replies with it; whether there was one.
pub(crate) fn move_element(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    (source, from): (&[u8], End),
    (destination, to): (&[u8], End),
    reply: &mut ReplyWriter<'_>,
) -> Result<bool, CommandError> {
    let mut text = IntegerText::new();
    let Some(element) = slots.look::<List>(cx, source)?.and_then(|list| list.peek(from)) else {
        return Ok(false);
    };
    let element: SmallVec<[u8; 128]> = SmallVec::from_slice(element.bytes(&mut text));
    slots.modify_or_create(cx, destination, |list: &mut List, emitter| {
        list.push(to, &element, emitter.limits());
        emitter.emit(Effect::ListPush { key: destination, end: to, element: &element });
        emitter.notify(Classes::LIST, event(to, "lpush", "rpush"));
    })?;
    slots.modify(cx, source, |list: &mut List, emitter| {
        list.pop(from, emitter.limits());
        emitter.emit(Effect::ListPop { key: source, end: from, count: 1 });
        emitter.notify(Classes::LIST, event(from, "lpop", "rpop"));
    })?;
    reply.bulk(&element);
    Ok(true)
}

/// An end of a list, as LMOVE names it.
pub(crate) fn end(word: &[u8]) -> Result<End, CommandError> {
    if is(word, "LEFT") {
        Ok(End::Left)
    } else if is(word, "RIGHT") {
        Ok(End::Right)
    } else {
        Err(CommandError::Syntax)
    }
}

pub(in crate::command) fn lmpop(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let pop = MultiPop::parse(args, 1, ["LEFT", "RIGHT"])?;
    let end = if pop.last { End::Right } else { End::Left };
    if !pop_first(cx, slots, pop.keys.iter(), end, PopShape::UpTo(pop.count), reply)? {
        reply.null_array();
    }
    Ok(())
}

pub(in crate::command) fn lmove(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (from, to) = (end(args.at(3))?, end(args.at(4))?);
    move_or_null(cx, slots, (args.at(1), from), (args.at(2), to), reply)
}

pub(in crate::command) fn rpoplpush(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    move_or_null(cx, slots, (args.at(1), End::Right), (args.at(2), End::Left), reply)
}

fn move_or_null(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    source: (&[u8], End),
    destination: (&[u8], End),
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    if !move_element(cx, slots, source, destination, reply)? {
        reply.null();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    #[test]
    fn elements_move_between_lists() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("RPUSH a 1 2 x", ":3"),
            ("RPOPLPUSH a b", "x"),
            ("LMOVE a b LEFT right", "1"),
            ("LRANGE b 0 -1", "[x 1]"),
            ("LMOVE a b RIGHT LEFT", "2"),
            ("EXISTS a", ":0"),
            ("RPOPLPUSH a b", "nil"),
            ("LRANGE b 0 -1", "[2 x 1]"),
            ("LMOVE a b UP LEFT", "-ERR syntax error"),
            ("LMOVE a b LEFT UP", "-ERR syntax error"),
        ]);
        assert_eq!(
            bench.effects()[3..],
            [
                "push b Left x",
                "pop a Right 1",
                "push b Right 1",
                "pop a Left 1",
                "push b Left 2",
                "pop a Right 1"
            ]
        );
    }

    #[test]
    fn a_list_that_rotates_keeps_its_deadline() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("RPUSH l a", ":1"),
            ("PEXPIRE l 1000", ":1"),
            ("RPOPLPUSH l l", "a"),
            ("PTTL l", ":1000"),
            ("RPUSH l b c", ":3"),
            ("LMOVE l l LEFT RIGHT", "a"),
            ("LRANGE l 0 -1", "[b c a]"),
            ("LMOVE l l LEFT LEFT", "b"),
            ("LRANGE l 0 -1", "[b c a]"),
        ]);
    }

    #[test]
    fn what_is_no_list_is_refused_where_redis_refuses_it() {
        let mut bench = Bench::new();
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        bench.check_all(&[
            ("SET s v", "+OK"),
            ("RPUSH l a", ":1"),
            ("RPOPLPUSH none s", "nil"),
            ("RPOPLPUSH s l", wrong),
            ("RPOPLPUSH l s", wrong),
            ("LRANGE l 0 -1", "[a]"),
            ("LMPOP 2 none s LEFT", wrong),
            ("LMPOP 2 l s LEFT", "[l [a]]"),
        ]);
    }

    #[test]
    fn the_first_list_that_is_there_is_popped() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("RPUSH b 1 2 3 4", ":4"),
            ("RPUSH c 9", ":1"),
            ("LMPOP 3 a b c LEFT", "[b [1]]"),
            ("LMPOP 3 a b c right COUNT 2", "[b [4 3]]"),
            ("LMPOP 3 a b c LEFT COUNT 9", "[b [2]]"),
            ("LMPOP 3 a b c LEFT COUNT 9", "[c [9]]"),
            ("LMPOP 3 a b c LEFT COUNT 9", "nil"),
        ]);
        assert_eq!(bench.effects()[5..], ["pop b Left 1", "pop b Right 2", "pop b Left 1", "pop c Left 1"]);
    }

    #[test]
    fn the_arguments_of_a_pop_from_many() {
        let mut bench = Bench::new();
        for (command, error) in [
            ("LMPOP 0 a LEFT", "numkeys should be greater than 0"),
            ("LMPOP -1 a LEFT", "numkeys should be greater than 0"),
            ("LMPOP x a LEFT", "numkeys should be greater than 0"),
            ("LMPOP 2 a LEFT", "syntax error"),
            ("LMPOP 9223372036854775807 a LEFT", "syntax error"),
            ("LMPOP 1 a UP", "syntax error"),
            ("LMPOP 1 a LEFT COUNT", "syntax error"),
            ("LMPOP 1 a LEFT COUNT 0", "count should be greater than 0"),
            ("LMPOP 1 a LEFT COUNT x", "count should be greater than 0"),
            ("LMPOP 1 a LEFT COUNT 1 COUNT 2", "syntax error"),
            ("LMPOP 1 a LEFT 5", "syntax error"),
        ] {
            bench.check(command, &format!("-ERR {error}"));
        }
    }
}
