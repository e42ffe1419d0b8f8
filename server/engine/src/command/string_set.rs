//! SET with all its options, and the older commands that are special cases of it.
//!
//! Options are read whole before anything is decided, and refused in the order in which Redis refuses them. Deadlines are
//! made absolute at once, against the time of the batch, and an invalid one is found before anything changes. Commands that
//! read or cut strings are in `string.rs`, those on numbers in `counter.rs`.

use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::{Args, ReplyWriter};

use super::args::{integer, is};
use super::{CommandError, Handled};
use crate::context::Context;
use crate::notice::Classes;
use crate::store::locked::{LockedSlots, NewDeadline};

/// An expiry as a command gives it: not validated yet, because Redis looks at the number after the other options.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expiry<'a> {
    number: &'a [u8],
    seconds: bool,
    absolute: bool,
}

impl<'a> Expiry<'a> {
    /// The expiry that begins with this option, its number taken from the rest; `None` if it is another option.
    pub(super) fn parse(
        option: &[u8],
        rest: &mut impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Self>, CommandError> {
        let (seconds, absolute) = match option.to_ascii_uppercase().as_slice() {
            b"EX" => (true, false),
            b"PX" => (false, false),
            b"EXAT" => (true, true),
            b"PXAT" => (false, true),
            _ => return Ok(None),
        };
        let number = rest.next().ok_or(CommandError::Syntax)?;
        Ok(Some(Self { number, seconds, absolute }))
    }

    /// Whether it is of the same kind as one given before, whose place it then takes.
    pub(super) fn replaces(self, before: Self) -> bool {
        (self.seconds, self.absolute) == (before.seconds, before.absolute)
    }
}

/// The deadline an expiry means now; it must be positive and within 63 bits of milliseconds.
pub(super) fn deadline_after(
    expiry: Expiry<'_>,
    now: Timestamp,
    command: &'static str,
) -> Result<Timestamp, CommandError> {
    let number = integer(expiry.number)?;
    let invalid = CommandError::InvalidExpire(command);
    let unit = if expiry.seconds { 1000 } else { 1 };
    let base = if expiry.absolute { 0 } else { i64::try_from(now.0).unwrap_or(i64::MAX) };
    let deadline = number.checked_mul(unit).and_then(|millis| millis.checked_add(base));
    let deadline = deadline.filter(|_| number > 0).ok_or(invalid)?;
    Ok(Timestamp(deadline.unsigned_abs()))
}

/// When SET sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    IfMissing,
    IfPresent,
}

/// What follows SET's value.
struct Options<'a> {
    condition: Condition,
    get: bool,
    keep_ttl: bool,
    expiry: Option<Expiry<'a>>,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>) -> Result<Self, CommandError> {
        let mut options = Self { condition: Condition::Always, get: false, keep_ttl: false, expiry: None };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            if is(word, "NX") && options.condition != Condition::IfPresent {
                options.condition = Condition::IfMissing;
            } else if is(word, "XX") && options.condition != Condition::IfMissing {
                options.condition = Condition::IfPresent;
            } else if is(word, "GET") {
                options.get = true;
            } else if is(word, "KEEPTTL") && options.expiry.is_none() {
                options.keep_ttl = true;
            } else {
                let expiry = Expiry::parse(word, &mut words)?.ok_or(CommandError::Syntax)?;
                if options.keep_ttl || options.expiry.is_some_and(|before| !expiry.replaces(before)) {
                    return Err(CommandError::Syntax);
                }
                options.expiry = Some(expiry);
            }
        }
        Ok(options)
    }
}

#[inline]
pub(super) fn set(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    if args.len() == 3 {
        put(cx, slots, args.at(1), args.at(2), NewDeadline::Clear);
        reply.ok();
        return Ok(());
    }
    set_with_options(cx, slots, args, reply)
}

/// Stores a string and tells of it, as SET and its relatives do.
#[inline]
fn put(cx: &mut Context<'_>, slots: &mut LockedSlots<'_>, key: &[u8], value: &[u8], deadline: NewDeadline) {
    slots.set_string(cx, key, value, deadline);
    slots.notify(cx, Classes::STRING, "set", key);
    if matches!(deadline, NewDeadline::At(_)) {
        slots.notify(cx, Classes::GENERIC, "expire", key);
    }
}

fn set_with_options(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let key = args.at(1);
    let options = Options::parse(args.skip(3))?;
    let deadline = match options.expiry {
        Some(expiry) => NewDeadline::At(deadline_after(expiry, cx.now, "set")?),
        None if options.keep_ttl => NewDeadline::Keep,
        None => NewDeadline::Clear,
    };
    if options.get {
        reply.bulk_or_null(slots.string(cx, key)?);
    }
    let set = match options.condition {
        Condition::Always => true,
        Condition::IfMissing => slots.entry(cx, key).is_none(),
        Condition::IfPresent => slots.entry(cx, key).is_some(),
    };
    if set {
        put(cx, slots, key, args.at(2), deadline);
    }
    match (options.get, set) {
        (true, _) => {}
        (false, true) => reply.ok(),
        (false, false) => reply.null(),
    }
    Ok(())
}

pub(super) fn setnx(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let free = slots.entry(cx, args.at(1)).is_none();
    if free {
        put(cx, slots, args.at(1), args.at(2), NewDeadline::Clear);
    }
    reply.integer(i64::from(free));
    Ok(())
}

pub(super) fn setex(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let expiry = Expiry { number: args.at(2), seconds: true, absolute: false };
    set_until(cx, slots, args, deadline_after(expiry, cx.now, "setex")?, reply)
}

pub(super) fn psetex(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let expiry = Expiry { number: args.at(2), seconds: false, absolute: false };
    set_until(cx, slots, args, deadline_after(expiry, cx.now, "psetex")?, reply)
}

fn set_until(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    deadline: Timestamp,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    put(cx, slots, args.at(1), args.at(3), NewDeadline::At(deadline));
    reply.ok();
    Ok(())
}

pub(super) fn getset(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    reply.bulk_or_null(slots.string(cx, args.at(1))?);
    put(cx, slots, args.at(1), args.at(2), NewDeadline::Clear);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    #[test]
    fn conditions() {
        Bench::new().check_all(&[
            ("SET a 1 XX", "nil"),
            ("SET a 1 nx", "+OK"),
            ("SET a 2 NX", "nil"),
            ("SET a 2 XX", "+OK"),
            ("SET a 3 GET", "2"),
            ("SET a 4 NX GET", "3"),
            ("GET a", "3"),
            ("SET b 1 GET", "nil"),
            ("GET b", "1"),
            ("SET a 1 NX XX", "-ERR syntax error"),
            ("SET a 1 XX NX", "-ERR syntax error"),
            ("SET a 1 FOO", "-ERR syntax error"),
            ("SETNX b 2", ":0"),
            ("SETNX c 2", ":1"),
            ("GETSET c 3", "2"),
            ("GETSET d 3", "nil"),
        ]);
    }

    #[test]
    fn deadlines() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SET a 1 EX 10", "+OK"),
            ("PTTL a", ":10000"),
            ("SET a 2 KEEPTTL", "+OK"),
            ("PTTL a", ":10000"),
            ("SET a 3", "+OK"),
            ("PTTL a", ":-1"),
            ("SET a 1 PX 1500", "+OK"),
            ("PTTL a", ":1500"),
            ("SET a 1 EXAT 2000", "+OK"),
            ("PEXPIRETIME a", ":2000000"),
            ("SET a 1 PXAT 2000001", "+OK"),
            ("PEXPIRETIME a", ":2000001"),
            ("SETEX a 7 x", "+OK"),
            ("PTTL a", ":7000"),
            ("PSETEX a 7 x", "+OK"),
            ("PTTL a", ":7"),
            ("GETSET a y", "x"),
            ("PTTL a", ":-1"),
            ("SET a 1 PXAT 1", "+OK"),
            ("GET a", "nil"),
        ]);
    }

    #[test]
    fn what_is_no_expiry_is_refused() {
        let mut bench = Bench::new();
        for (command, error) in [
            ("SET a 1 EX 0", "-ERR invalid expire time in 'set' command"),
            ("SET a 1 PX -5", "-ERR invalid expire time in 'set' command"),
            ("SET a 1 EX 9223372036854775807", "-ERR invalid expire time in 'set' command"),
            ("SET a 1 PX 9223372036854775807", "-ERR invalid expire time in 'set' command"),
            ("SETEX a 0 x", "-ERR invalid expire time in 'setex' command"),
            ("PSETEX a -1 x", "-ERR invalid expire time in 'psetex' command"),
            ("SET a 1 EX x", "-ERR value is not an integer or out of range"),
            ("SET a 1 EX", "-ERR syntax error"),
            ("SET a 1 EX 1 PX 1", "-ERR syntax error"),
            ("SET a 1 EX 1 EX 0", "-ERR invalid expire time in 'set' command"),
            ("SET a 1 KEEPTTL EX 1", "-ERR syntax error"),
            ("SET a 1 EX 1 KEEPTTL", "-ERR syntax error"),
        ] {
            bench.check(command, error);
            bench.check("EXISTS a", ":0");
        }
    }
}
