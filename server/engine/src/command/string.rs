//! Commands on strings: reading, overwriting, and changing a part.
//!
//! SET and its relatives live in [`super::string_set`], counters in [`super::counter`].

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::args::integer;
use super::string_set::{Expiry, deadline_after};
use super::{CommandError, Handled};
use crate::context::Context;
use crate::notice::Classes;
use crate::store::entry::Origin;
use crate::store::locked::{LockedSlots, NewDeadline};

#[inline]
pub(super) fn get(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    reply.bulk_or_null(slots.string(cx, args.at(1))?);
    Ok(())
}

pub(super) fn getdel(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let key = args.at(1);
    match slots.string(cx, key)? {
        None => reply.null(),
        Some(value) => {
            reply.bulk(value);
            slots.delete(cx, key);
            slots.notify(cx, Classes::GENERIC, "del", key);
        }
    }
    Ok(())
}

/// What GETEX does to the deadline.
enum Change<'a> {
    None,
    Persist,
    At(Expiry<'a>),
}

pub(super) fn getex(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let change = getex_options(args)?;
    let key = args.at(1);
    let Some(value) = slots.string(cx, key)? else {
        reply.null();
        return Ok(());
    };
    reply.bulk(value);
    match change {
        Change::None => {}
        Change::Persist => {
            super::deadline::persist_key(cx, slots, key);
        }
        Change::At(expiry) => {
            let deadline = deadline_after(expiry, cx.now, "getex")?;
            super::deadline::expire_key(cx, slots, key, Some(deadline));
        }
    }
    Ok(())
}

fn getex_options(args: Args<'_>) -> Result<Change<'_>, CommandError> {
    let mut change = Change::None;
    let mut options = args.skip(2).iter();
    while let Some(option) = options.next() {
        // An option may be given again, and then the last one counts.
        let next = if super::args::is(option, "PERSIST") {
            Change::Persist
        } else {
            Change::At(Expiry::parse(option, &mut options)?.ok_or(CommandError::Syntax)?)
        };
        change = match (change, next) {
            (Change::None, next) | (Change::Persist, next @ Change::Persist) => next,
            (Change::At(old), Change::At(new)) if new.replaces(old) => Change::At(new),
            _ => return Err(CommandError::Syntax),
        };
    }
    Ok(change)
}

pub(super) fn mget(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    reply.array(args.len() - 1);
    for key in args.iter().skip(1) {
        // A key of another type reads as missing here.
        reply.bulk_or_null(slots.string(cx, key).unwrap_or_default());
    }
    Ok(())
}

pub(super) fn mset(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    if args.len().is_multiple_of(2) {
        return Err(CommandError::WrongArity("mset"));
    }
    set_pairs(cx, slots, args);
    reply.ok();
    Ok(())
}

pub(super) fn msetnx(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    if args.len().is_multiple_of(2) {
        return Err(CommandError::WrongArity("msetnx"));
    }
    let free = args.iter().skip(1).step_by(2).all(|key| slots.entry(cx, key).is_none());
    if free {
        set_pairs(cx, slots, args);
    }
    reply.integer(i64::from(free));
    Ok(())
}

fn set_pairs(cx: &mut Context<'_>, slots: &mut LockedSlots<'_>, args: Args<'_>) {
    let mut words = args.iter().skip(1);
    while let (Some(key), Some(value)) = (words.next(), words.next()) {
        slots.set_string(cx, key, value, NewDeadline::Clear);
        slots.notify(cx, Classes::STRING, "set", key);
    }
}

pub(super) fn strlen(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    reply.count(slots.string(cx, args.at(1))?.map_or(0, <[u8]>::len));
    Ok(())
}

pub(super) fn append(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (key, value, string_max) = (args.at(1), args.at(2), slots.tuned().string_max());
    let Some(mut string) = slots.string_mut(cx, key)? else {
        slots.set_string(cx, key, value, NewDeadline::Clear);
        slots.notify(cx, Classes::STRING, "append", key);
        reply.count(value.len());
        return Ok(());
    };
    let before = string.bytes().len();
    let after = checked_length(before, value.len(), string_max)?;
    string.write_at(cx, before, value);
    slots.notify(cx, Classes::STRING, "append", key);
    reply.count(after);
    Ok(())
}

pub(super) fn setrange(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (key, value, string_max) = (args.at(1), args.at(3), slots.tuned().string_max());
    let offset = usize::try_from(integer(args.at(2))?).map_err(|_| CommandError::OffsetOutOfRange)?;
    let Some(mut string) = slots.string_mut(cx, key)? else {
        if value.is_empty() {
            reply.integer(0);
            return Ok(());
        }
        let len = checked_length(offset, value.len(), string_max)?;
        let mut padded = vec![0; len];
        padded[offset..].copy_from_slice(value);
        slots.set_string(cx, key, &padded, NewDeadline::Clear);
        if let Some(mut string) = slots.string_mut(cx, key)? {
            string.set_origin(Origin::Edited);
        }
        slots.notify(cx, Classes::STRING, "setrange", key);
        reply.count(len);
        return Ok(());
    };
    if value.is_empty() {
        reply.count(string.bytes().len());
        return Ok(());
    }
    checked_length(offset, value.len(), string_max)?;
    string.write_at(cx, offset, value);
    reply.count(string.bytes().len());
    slots.notify(cx, Classes::STRING, "setrange", key);
    Ok(())
}

fn checked_length(before: usize, more: usize, max: usize) -> Result<usize, CommandError> {
    before.checked_add(more).filter(|&len| len <= max).ok_or(CommandError::StringTooLong)
}

pub(super) fn getrange(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (start, end) = (integer(args.at(2))?, integer(args.at(3))?);
    let value = slots.string(cx, args.at(1))?.unwrap_or_default();
    reply.bulk(range(value, start, end));
    Ok(())
}

/// The bytes from `start` to `end` inclusive; negative positions count from the end.
fn range(value: &[u8], start: i64, end: i64) -> &[u8] {
    if start < 0 && end < 0 && start > end {
        return b"";
    }
    let len = i64::try_from(value.len()).unwrap_or(i64::MAX);
    let place = |position: i64| if position < 0 { position.saturating_add(len).max(0) } else { position };
    let (start, end) = (place(start), place(end).min(len - 1));
    if start > end {
        return b"";
    }
    // Both lie within the value now.
    &value[start as usize..=end as usize]
}

#[cfg(test)]
mod tests {
    use crate::Classes;
    use crate::testing::Bench;

    #[test]
    fn reading() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SET a hello", "+OK"),
            ("GET a", "hello"),
            ("GET none", "nil"),
            ("STRLEN a", ":5"),
            ("STRLEN none", ":0"),
            ("MSET b 1 c 2", "+OK"),
            ("MSET b", "-ERR wrong number of arguments for 'mset' command"),
            ("MGET a none b c", "[hello nil 1 2]"),
            ("MSETNX d 4 a 5", ":0"),
            ("GET d", "nil"),
            ("MSETNX d 4 e 5", ":1"),
            ("MSETNX d 4 e", "-ERR wrong number of arguments for 'msetnx' command"),
            ("MGET d e", "[4 5]"),
            ("GETDEL a", "hello"),
            ("GETDEL a", "nil"),
            ("EXISTS a", ":0"),
        ]);
        assert_eq!((bench.stats.keyspace_hits, bench.stats.keyspace_misses), (8, 6));
    }

    #[test]
    fn ranges() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SET a 0123456789", "+OK"),
            ("GETRANGE a 0 3", "0123"),
            ("GETRANGE a -3 -1", "789"),
            ("GETRANGE a 5 -100", ""),
            ("GETRANGE a -1 -5", ""),
            ("GETRANGE a -100 100", "0123456789"),
            ("GETRANGE a 10 20", ""),
            ("SUBSTR a 1 2", "12"),
            ("GETRANGE none 0 -1", ""),
            ("GETRANGE a x 1", "-ERR value is not an integer or out of range"),
            ("GETRANGE a -9223372036854775808 9223372036854775807", "0123456789"),
        ]);
    }

    #[test]
    fn changing_a_part() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("APPEND a abc", ":3"),
            ("APPEND a def", ":6"),
            ("GET a", "abcdef"),
            ("SETRANGE a 1 XY", ":6"),
            ("GET a", "aXYdef"),
            ("SETRANGE a 8 Z", ":9"),
            ("GET a", "aXYdef\0\0Z"),
            ("SETRANGE a 20 \"\"", ":9"),
            ("SETRANGE none 5 \"\"", ":0"),
            ("EXISTS none", ":0"),
            ("SETRANGE b 2 x", ":3"),
            ("GET b", "\0\0x"),
            ("SETRANGE b -1 x", "-ERR offset is out of range"),
            ("SETRANGE b 536870912 x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
            (
                "SETRANGE none 9223372036854775807 x",
                "-ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            ),
        ]);
        assert_eq!(
            bench.effects(),
            ["set a abc", "range a 3 def", "range a 1 XY", "range a 8 Z", "set b \0\0x"]
        );
    }

    #[test]
    fn getex_changes_the_deadline() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SET a 1", "+OK"),
            ("GETEX a EX 100", "1"),
            ("TTL a", ":100"),
            ("GETEX a", "1"),
            ("TTL a", ":100"),
            ("GETEX a PERSIST", "1"),
            ("TTL a", ":-1"),
            ("GETEX a PX 0", "-ERR invalid expire time in 'getex' command"),
            ("GETEX a EX", "-ERR syntax error"),
            ("GETEX a EX 1 PX 1", "-ERR syntax error"),
            ("GETEX a PERSIST EX 1", "-ERR syntax error"),
            ("GETEX none EX x", "nil"),
            ("GETEX a EX x", "-ERR value is not an integer or out of range"),
            ("GETEX a PXAT 1", "1"),
            ("EXISTS a", ":0"),
        ]);
        assert_eq!(bench.effects(), ["set a 1", "deadline a @1100000", "deadline a", "delete a"]);
    }

    #[test]
    fn what_subscribers_hear_of_strings() {
        #[track_caller]
        fn check(command: &str, notices: &[&str]) {
            let mut bench = Bench::new();
            bench.check_all(&[("SET a 1 EX 100", "+OK"), ("LPUSH l x", ":1")]);
            bench.classes = Classes::STRING | Classes::GENERIC;
            bench.run(command);
            assert_eq!(bench.notices(), notices, "{command}");
        }
        check("SET a 2", &["set a@0"]);
        check("SET a 2 NX", &[]);
        check("SET l 2 PX 5000", &["set l@0", "expire l@0"]);
        check("SETEX b 5 x", &["set b@0", "expire b@0"]);
        check("SETNX b x", &["set b@0"]);
        check("GETSET a x", &["set a@0"]);
        check("MSET a 1 b 2", &["set a@0", "set b@0"]);
        check("MSETNX a 1 b 2", &[]);
        check("APPEND b x", &["append b@0"]);
        check("APPEND l x", &[]);
        check("SETRANGE a 1 x", &["setrange a@0"]);
        check("SETRANGE b 1 x", &["setrange b@0"]);
        check("SETRANGE a 1 \"\"", &[]);
        check("INCR a", &["incrby a@0"]);
        check("DECRBY b 3", &["incrby b@0"]);
        check("INCRBYFLOAT a 0.5", &["incrbyfloat a@0"]);
        check("GETDEL a", &["del a@0"]);
        check("GETEX a", &[]);
        check("GETEX a EX 5", &["expire a@0"]);
        check("GETEX a PXAT 1", &["del a@0"]);
        check("GETEX a PERSIST", &["persist a@0"]);
    }
}
