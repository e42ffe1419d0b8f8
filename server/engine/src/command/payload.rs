//! DUMP and RESTORE: a value out of the store as bytes, and back.
//!
//! The format is [`crate::rdb`]'s. What RESTORE is given comes from anywhere; it is read whole before anything changes.
//!
//! Source: Redis documentation of DUMP and RESTORE.

use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::{Args, ReplyWriter};

use super::{CommandError, Handled, args};
use crate::context::Context;
use crate::notice::Classes;
use crate::rdb::{self, BadPayload, Version};
use crate::store::entry::Entry;
use crate::store::locked::LockedSlots;
use crate::store::stamp::Used;

const BUSY: CommandError = CommandError::Other("BUSYKEY Target key name already exists.");
const BAD_TTL: CommandError = CommandError::Other("ERR Invalid TTL value, must be >= 0");
const BAD_IDLETIME: CommandError = CommandError::Other("ERR Invalid IDLETIME value, must be >= 0");
const BAD_FREQ: CommandError = CommandError::Other("ERR Invalid FREQ value, must be >= 0 and <= 255");
const BAD_FOOTER: CommandError = CommandError::Other("ERR DUMP payload version or checksum are wrong");
const BAD_FORMAT: CommandError = CommandError::Other("ERR Bad data format");

pub(super) fn dump(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    match slots.read_entry(cx, args.at(1)).map(Entry::value) {
        Some(value) => reply.bulk(&rdb::dump(value, Version::Current)),
        None => reply.null(),
    }
    Ok(())
}

/// What RESTORE was told beside the value.
#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    used: Used,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Self, CommandError> {
        let mut options = Self::default();
        let mut words = args.skip(4).iter();
        while let Some(word) = words.next() {
            if args::is(word, "REPLACE") {
                options.replace = true;
            } else if args::is(word, "ABSTTL") {
                options.absolute = true;
            } else if args::is(word, "IDLETIME") && options.used.count.is_none() {
                let seconds = args::integer(words.next().ok_or(CommandError::Syntax)?)?;
                let seconds = u64::try_from(seconds).map_err(|_| BAD_IDLETIME)?;
                options.used.idle = Some(seconds.saturating_mul(1000));
            } else if args::is(word, "FREQ") && options.used.idle.is_none() {
                let count = args::integer(words.next().ok_or(CommandError::Syntax)?)?;
                options.used.count = Some(u8::try_from(count).map_err(|_| BAD_FREQ)?);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

pub(super) fn restore(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (key, options) = (args.at(1), Options::parse(args)?);
    if !options.replace && slots.entry(cx, key).is_some() {
        return Err(BUSY);
    }
    let ttl = u64::try_from(args::integer(args.at(2))?).map_err(|_| BAD_TTL)?;
    let value = rdb::restore(args.at(3), &slots.limits()).map_err(|bad| match bad {
        BadPayload::Footer => BAD_FOOTER,
        BadPayload::Format => BAD_FORMAT,
    })?;
    let deadline = match ttl {
        0 => None,
        at if options.absolute => Some(Timestamp(at)),
        // Redis adds to a signed number: a sum that is beyond it lies in the past.
        left => {
            cx.now.0.checked_add(left).filter(|&sum| i64::try_from(sum).is_ok()).or(Some(0)).map(Timestamp)
        }
    };
    if deadline.is_some_and(|deadline| deadline <= cx.now) {
        // It has expired on the way: only what it would have replaced goes.
        if slots.delete(cx, key) {
            slots.notify(cx, Classes::GENERIC, "del", key);
        }
    } else {
        slots.restore(cx, key, value, deadline, options.used);
        slots.notify(cx, Classes::GENERIC, "restore", key);
    }
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    /// The payload in a reply of DUMP.
    fn dumped(bench: &mut Bench, key: &str) -> Vec<u8> {
        let reply = bench.run_raw(&["DUMP", key]);
        let start = reply.iter().position(|&byte| byte == b'\n').expect("a length") + 1;
        reply[start..reply.len() - 2].to_vec()
    }

    #[test]
    fn a_key_of_every_type_comes_back() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SET s text", "+OK"),
            ("RPUSH l a 2 c", ":3"),
            ("SADD i 1 2 3", ":3"),
            ("HSET h f v", ":1"),
            ("ZADD z 1.5 a 2 b", ":2"),
        ]);
        for (key, read, reply) in [
            ("s", "GET s", "text"),
            ("l", "LRANGE l 0 -1", "[a 2 c]"),
            ("i", "SISMEMBER i 2", ":1"),
            ("h", "HGET h f", "v"),
            ("z", "ZSCORE z a", "1.5"),
        ] {
            let payload = dumped(&mut bench, key);
            bench.check(&format!("DEL {key}"), ":1");
            let words: [&[u8]; 4] = [b"RESTORE", key.as_bytes(), b"5000", &payload];
            assert_eq!(bench.run_words(&words), "+OK");
            bench.check(read, reply);
            bench.check(&format!("PTTL {key}"), ":5000");
            assert_eq!(bench.run_words(&words), "-BUSYKEY Target key name already exists.");
            let past: [&[u8]; 6] = [b"RESTORE", key.as_bytes(), b"1", &payload, b"REPLACE", b"absttl"];
            assert_eq!(bench.run_words(&past), "+OK");
            bench.check(&format!("EXISTS {key}"), ":0");
        }
        bench.check("DUMP none", "nil");
    }

    #[test]
    fn fields_keep_their_deadlines() {
        let mut bench = Bench::new();
        bench.check_all(&[("HSET h a 1 b 2 c 3", ":3"), ("HPEXPIRE h 500 FIELDS 2 a b", "[:1 :1]")]);
        bench.check("HPEXPIRE h 700 FIELDS 1 b", "[:1]");
        let payload = dumped(&mut bench, "h");
        bench.check("DEL h", ":1");
        let words: [&[u8]; 4] = [b"RESTORE", b"h", b"0", &payload];
        assert_eq!(bench.run_words(&words), "+OK");
        bench.check("HPTTL h FIELDS 3 a b c", "[:500 :700 :-1]");
        bench.now += 600;
        bench.check("HGETALL h", "[b 2 c 3]");
        bench.now += 200;
        bench.expire(100);
        bench.check("HLEN h", ":1");
    }

    #[test]
    fn a_deadline_beyond_all_numbers_has_passed() {
        let mut bench = Bench::new();
        bench.check_all(&[("SET s 1", "+OK"), ("RPUSH old x", ":1")]);
        let payload = dumped(&mut bench, "s");
        let words: [&[u8]; 5] = [b"RESTORE", b"old", b"9223372036854775807", &payload, b"REPLACE"];
        assert_eq!(bench.run_words(&words), "+OK");
        bench.check("EXISTS old", ":0");
        let absolute: [&[u8]; 5] = [b"RESTORE", b"new", b"9223372036854775807", &payload, b"ABSTTL"];
        assert_eq!(bench.run_words(&absolute), "+OK");
        bench.check("PEXPIRETIME new", ":9223372036854775807");
    }

    #[test]
    fn how_a_key_was_used_comes_with_it() {
        let mut bench = Bench::new();
        bench.check("SET s 1", "+OK");
        bench.now += 10_000_000;
        let payload = dumped(&mut bench, "s");
        let words: [&[u8]; 7] = [b"RESTORE", b"s", b"0", &payload, b"REPLACE", b"IDLETIME", b"1000"];
        assert_eq!(bench.run_words(&words), "+OK");
        let idle = bench.run("OBJECT IDLETIME s");
        assert!([":999", ":1000", ":1001"].contains(&idle.as_str()), "{idle}");
    }

    #[test]
    fn bad_arguments_change_nothing() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("RESTORE a 0 short", "-ERR DUMP payload version or checksum are wrong"),
            ("RESTORE a 0 0123456789012345", "-ERR DUMP payload version or checksum are wrong"),
            ("RESTORE a -1 x", "-ERR Invalid TTL value, must be >= 0"),
            ("RESTORE a x x", "-ERR value is not an integer or out of range"),
            ("RESTORE a 0 x IDLETIME -1", "-ERR Invalid IDLETIME value, must be >= 0"),
            ("RESTORE a 0 x FREQ 256", "-ERR Invalid FREQ value, must be >= 0 and <= 255"),
            ("RESTORE a 0 x IDLETIME 1 FREQ 1", "-ERR syntax error"),
            ("RESTORE a 0 x NOSUCH", "-ERR syntax error"),
            ("EXISTS a", ":0"),
        ]);
        assert!(bench.effects().is_empty());
    }
}
