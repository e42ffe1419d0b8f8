//! Commands on a key's deadline: setting it, reading it, removing it.
//!
//! Times come relative or absolute, in seconds or milliseconds; all become absolute milliseconds once, where an overflow is
//! an error. A deadline in the past deletes the key, and the effect is that deletion. When expired keys go is not decided
//! here but on access and in `expiry`.

use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::{Args, ReplyWriter};

use super::args::{integer, is, repeated};
use super::{CommandError, Handled};
use crate::context::Context;
use crate::notice::Classes;
use crate::store::entry::Entry;
use crate::store::locked::LockedSlots;

/// How a command of the EXPIRE family reads its number.
pub(super) struct Form {
    name: &'static str,
    seconds: bool,
    absolute: bool,
}

impl Form {
    /// So many seconds from now.
    pub(super) const fn seconds(name: &'static str) -> Self {
        Self { name, seconds: true, absolute: false }
    }

    /// So many milliseconds from now.
    pub(super) const fn millis(name: &'static str) -> Self {
        Self { name, seconds: false, absolute: false }
    }

    /// At a time in seconds.
    pub(super) const fn at_seconds(name: &'static str) -> Self {
        Self { name, seconds: true, absolute: true }
    }

    /// At a time in milliseconds.
    pub(super) const fn at_millis(name: &'static str) -> Self {
        Self { name, seconds: false, absolute: true }
    }

    /// The absolute time in milliseconds that a number means.
    pub(super) fn deadline(&self, number: i64, now: Timestamp) -> Result<i64, CommandError> {
        let base = if self.absolute { 0 } else { signed(now) };
        let unit = if self.seconds { 1000 } else { 1 };
        number.checked_mul(unit).and_then(|millis| millis.checked_add(base)).ok_or_else(|| self.invalid())
    }

    /// What is answered to a number beyond the command's bounds.
    pub(super) fn invalid(&self) -> CommandError {
        CommandError::InvalidExpire(self.name)
    }
}

/// What must hold of the old deadline for the new one to be set.
#[derive(Default)]
pub(super) struct Conditions {
    none_yet: bool,
    some_already: bool,
    later: bool,
    earlier: bool,
}

impl Conditions {
    /// Adds the condition of that word, if it is one.
    pub(super) fn add(&mut self, word: &[u8]) -> bool {
        let condition = if is(word, "NX") {
            &mut self.none_yet
        } else if is(word, "XX") {
            &mut self.some_already
        } else if is(word, "GT") {
            &mut self.later
        } else if is(word, "LT") {
            &mut self.earlier
        } else {
            return false;
        };
        *condition = true;
        true
    }

    fn parse(args: Args<'_>) -> Result<Self, CommandError> {
        let mut conditions = Self::default();
        if let Some(word) = args.iter().find(|word| !conditions.add(word)) {
            return Err(CommandError::UnsupportedOption(repeated(word)));
        }
        if conditions.none_yet && (conditions.some_already || conditions.later || conditions.earlier) {
            return Err(CommandError::Other(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if conditions.later && conditions.earlier {
            return Err(CommandError::Other("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(conditions)
    }

    /// Whether they hold; what has no deadline counts as never expiring.
    pub(super) fn hold(&self, old: Option<Timestamp>, new: i64) -> bool {
        let old = old.map(signed);
        !(self.none_yet && old.is_some()
            || self.some_already && old.is_none()
            || self.later && old.is_none_or(|old| new <= old)
            || self.earlier && old.is_some_and(|old| new >= old))
    }
}

pub(super) fn signed(time: Timestamp) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

/// EXPIRE and its kin.
pub(super) fn expire(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
    form: &Form,
) -> Handled {
    let key = args.at(1);
    let conditions = Conditions::parse(args.skip(3))?;
    let number = integer(args.at(2))?;
    let deadline = form.deadline(number, cx.now)?;
    let old = slots.entry(cx, key).map(|entry| entry.deadline());
    let set = old.is_some_and(|old| conditions.hold(old, deadline));
    if set {
        expire_key(cx, slots, key, u64::try_from(deadline).ok().map(Timestamp));
    }
    reply.integer(i64::from(set));
    Ok(())
}

/// Has a key that is there expire at a time, which deletes it if that is past; `None` is before all time.
pub(super) fn expire_key(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    key: &[u8],
    deadline: Option<Timestamp>,
) {
    // The server that is followed says itself when the key goes.
    if deadline.is_some_and(|deadline| deadline > cx.now || cx.sees_expired) {
        slots.set_deadline(cx, key, deadline);
        slots.notify(cx, Classes::GENERIC, "expire", key);
    } else {
        slots.delete(cx, key);
        slots.notify(cx, Classes::GENERIC, "del", key);
    }
}

/// Takes a key's deadline away; whether it had one.
pub(super) fn persist_key(cx: &mut Context<'_>, slots: &mut LockedSlots<'_>, key: &[u8]) -> bool {
    let removed = slots.entry(cx, key).is_some_and(|entry| entry.deadline().is_some())
        && slots.set_deadline(cx, key, None);
    if removed {
        slots.notify(cx, Classes::GENERIC, "persist", key);
    }
    removed
}

pub(super) fn persist(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    reply.integer(i64::from(persist_key(cx, slots, args.at(1))));
    Ok(())
}

/// Replies what `show` makes of the deadline; -1 if there is none, -2 if there is no key.
fn show(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
    show: impl FnOnce(i64, i64) -> i64,
) -> Handled {
    let now = signed(cx.now);
    reply.integer(match slots.unused_entry(cx, args.at(1)).map(Entry::deadline) {
        None => -2,
        Some(None) => -1,
        Some(Some(deadline)) => show(signed(deadline), now),
    });
    Ok(())
}

/// Milliseconds to the nearest second.
fn seconds(millis: i64) -> i64 {
    millis / 1000 + i64::from(millis % 1000 >= 500)
}

pub(super) fn ttl(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    show(cx, slots, args, reply, |deadline, now| seconds(deadline - now))
}

pub(super) fn pttl(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    show(cx, slots, args, reply, |deadline, now| deadline - now)
}

pub(super) fn expiretime(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    show(cx, slots, args, reply, |deadline, _| seconds(deadline))
}

pub(super) fn pexpiretime(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    show(cx, slots, args, reply, |deadline, _| deadline)
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    #[test]
    fn setting_and_reading() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("EXPIRE a 10", ":0"),
            ("TTL a", ":-2"),
            ("SET a 1", "+OK"),
            ("TTL a", ":-1"),
            ("PEXPIRETIME a", ":-1"),
            ("EXPIRE a 10", ":1"),
            ("TTL a", ":10"),
            ("PTTL a", ":10000"),
            ("EXPIRETIME a", ":1010"),
            ("PEXPIRETIME a", ":1010000"),
            ("PEXPIRE a 1499", ":1"),
            ("TTL a", ":1"),
            ("PEXPIRE a 1500", ":1"),
            ("TTL a", ":2"),
            ("EXPIREAT a 1003", ":1"),
            ("PTTL a", ":3000"),
            ("PEXPIREAT a 1000007", ":1"),
            ("PTTL a", ":7"),
            ("PERSIST a", ":1"),
            ("PERSIST a", ":0"),
            ("PERSIST none", ":0"),
            ("PEXPIREAT a 9223372036854775807", ":1"),
            ("PEXPIRETIME a", ":9223372036854775807"),
            ("EXPIRETIME a", ":9223372036854776"),
        ]);
        assert_eq!(bench.effects()[..2], ["set a 1", "deadline a @1010000"]);
    }

    #[test]
    fn conditions() {
        Bench::new().check_all(&[
            ("SET a 1", "+OK"),
            ("EXPIRE a 10 XX", ":0"),
            ("EXPIRE a 10 GT", ":0"),
            ("EXPIRE a 10 nx", ":1"),
            ("EXPIRE a 20 NX", ":0"),
            ("EXPIRE a 10 GT", ":0"),
            ("EXPIRE a 20 GT", ":1"),
            ("EXPIRE a 30 LT", ":0"),
            ("EXPIRE a 15 LT XX", ":1"),
            ("PERSIST a", ":1"),
            ("EXPIRE a 15 LT", ":1"),
            ("EXPIRE a 1 NX GT", "-ERR NX and XX, GT or LT options at the same time are not compatible"),
            ("EXPIRE a 1 GT LT", "-ERR GT and LT options at the same time are not compatible"),
            ("EXPIRE a 1 FOO", "-ERR Unsupported option FOO"),
        ]);
    }

    #[test]
    fn an_error_repeats_an_option_as_far_as_it_is_a_line_of_text() {
        for (option, repeated) in [
            (&b"FOO"[..], &b"FOO"[..]),
            (b"\0", b""),
            (b"F\0OO", b"F"),
            (b"\r\n", b""),
            (b"F\r\nO\n", b"F  O"),
        ] {
            let reply = Bench::new().run_raw(&[&b"EXPIRE"[..], b"a", b"1", option]);
            assert_eq!(reply, [b"-ERR Unsupported option ", repeated, b"\r\n"].concat());
        }
    }

    #[test]
    fn the_past_deletes_and_overflow_is_refused() {
        let mut bench = Bench::new();
        for command in ["EXPIRE a 0", "EXPIRE a -1", "PEXPIREAT a 1000000", "EXPIREAT a -5"] {
            bench.check_all(&[("SET a 1", "+OK"), (command, ":1"), ("EXISTS a", ":0")]);
            assert_eq!(bench.effects(), ["set a 1", "delete a"], "{command}");
        }
        bench.check_all(&[
            ("SET a 1", "+OK"),
            ("EXPIRE a 9223372036854775807", "-ERR invalid expire time in 'expire' command"),
            ("PEXPIRE a 9223372036854775807", "-ERR invalid expire time in 'pexpire' command"),
            ("EXPIREAT a 9223372036854776", "-ERR invalid expire time in 'expireat' command"),
            ("EXPIRE a x", "-ERR value is not an integer or out of range"),
        ]);
    }

    #[test]
    fn an_expired_key_is_gone_for_every_command() {
        let mut bench = Bench::new();
        bench.check("SET a 1 PX 100", "+OK");
        bench.effects();
        bench.now += 99;
        bench.check("GET a", "1");
        bench.now += 1;
        bench.check_all(&[("GET a", "nil"), ("TTL a", ":-2"), ("DEL a", ":0")]);
        assert_eq!(bench.effects(), ["delete a"]);
        assert_eq!(bench.stats.expired_keys, 1);
    }

    #[test]
    fn an_expired_key_that_is_to_stay_is_gone_all_the_same() {
        let mut bench = Bench::new();
        bench.check_all(&[("SET a 1 PX 100", "+OK"), ("SET b 1 PX 100", "+OK")]);
        bench.check_all(&[("HSET h f 1 g 2", ":2"), ("HPEXPIRE h 100 FIELDS 2 f g", "[:1 :1]")]);
        bench.effects();
        bench.now += 100;
        bench.keep_expired = true;
        bench.check_all(&[("GET a", "nil"), ("EXISTS a b h", ":0"), ("TTL a", ":-2"), ("RANDOMKEY", "nil")]);
        bench.check_all(&[("HGET h f", "nil"), ("HLEN h", ":0")]);
        assert_eq!(
            (bench.effects().len(), bench.stats.expired_keys, bench.run("DBSIZE")),
            (0, 0, ":3".to_owned())
        );
        bench.keep_expired = false;
        bench.check_all(&[("HSET h g 3", ":1"), ("HGETALL h", "[g 3]")]);
        assert_eq!(bench.effects(), ["hdel h f", "hdel h g", "hset h g 3"]);
        bench.check("GET a", "nil");
        assert_eq!((bench.effects(), bench.stats.expired_keys), (vec!["delete a".to_owned()], 1));
    }
    #[test]
    fn for_the_server_that_is_followed_a_key_is_there_until_it_is_deleted() {
        let mut bench = Bench::new();
        bench.check_all(&[("SET a 1 PX 100", "+OK"), ("SET b 1 PX 100", "+OK")]);
        bench.now += 100;
        bench.sees_expired = true;
        bench.check_all(&[("INCR a", ":2"), ("RENAME a c", "+OK"), ("PERSIST c", ":1")]);
        bench.check_all(&[("PEXPIREAT b 5", ":1"), ("EXISTS b", ":1"), ("DEL b", ":1")]);
        bench.sees_expired = false;
        bench.check_all(&[("GET c", "2"), ("PTTL c", ":-1"), ("DBSIZE", ":1")]);
    }
}
