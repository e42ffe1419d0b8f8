//! OBJECT: how a key's value is kept, and when and how often the key was used.
//!
//! The names are Redis's for its own forms. Ours differ, but change at the same sizes, so that the names mean the same
//! to whoever tunes by them; those of Redis 7.0 can be had instead ([`EncodingNames`]). Looking is no use of the key. A
//! key that is not there is null and no error.

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::args::parse_integer;
use super::{CommandError, Handled};
use crate::context::Context;
use crate::store::entry::{Entry, Origin, ValueRef};
use crate::store::locked::LockedSlots;
use crate::tuning::EncodingNames;
use crate::value::Object;

/// The longest string that Redis keeps in one allocation with its header.
const EMBEDDED_MAX: usize = 44;
/// Redis keeps one object for each integer below this, and all keys share it.
const SHARED_INTEGERS: i64 = 10_000;
/// How many references Redis says that a shared object has.
const SHARED: i64 = i32::MAX as i64;

pub(super) fn encoding(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let names = slots.tuned().encoding_names();
    match slots.unused_entry(cx, args.at(2)) {
        None => reply.null(),
        Some(entry) => reply.bulk(encoding_of(entry, names).as_bytes()),
    }
    Ok(())
}

fn encoding_of(entry: &Entry, names: EncodingNames) -> &'static str {
    match entry.value() {
        ValueRef::Object(object) => match names {
            EncodingNames::Redis72 => object.encoding(),
            EncodingNames::Redis70 => older_name(object),
        },
        ValueRef::String(_) if entry.origin() == Origin::Edited => "raw",
        ValueRef::String(_) if as_integer(entry).is_some() => "int",
        ValueRef::String(text) if text.len() <= EMBEDDED_MAX => "embstr",
        ValueRef::String(_) => "raw",
    }
}

/// What Redis 7.0 would keep the value as.
fn older_name(object: &Object) -> &'static str {
    match (object, object.encoding()) {
        (Object::List(_), _) => "quicklist",
        (Object::Set(_), "listpack") => "hashtable",
        (Object::Hash(_), "listpackex") => "listpack",
        (Object::Set(_) | Object::Hash(_) | Object::SortedSet(_), name) => name,
    }
}

/// The integer that Redis would keep instead of the string.
fn as_integer(entry: &Entry) -> Option<i64> {
    parse_integer(entry.string_bytes()).filter(|_| matches!(entry.origin(), Origin::Given | Origin::Copied))
}

pub(super) fn freq(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (law, now) = (slots.tuned().counting(), cx.now);
    let Some(entry) = slots.unused_entry(cx, args.at(2)) else {
        reply.null();
        return Ok(());
    };
    let law = law.ok_or(CommandError::Other(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching \
         between policies at runtime LRU and LFU data will take some time to adjust.",
    ))?;
    reply.integer(entry.stamp().count(now, law).into());
    Ok(())
}

pub(super) fn idletime(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (counts, now) = (slots.tuned().counting().is_some(), cx.now);
    let Some(entry) = slots.unused_entry(cx, args.at(2)) else {
        reply.null();
        return Ok(());
    };
    if counts {
        return Err(CommandError::Other(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between \
             policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    reply.integer(i64::try_from(entry.stamp().idle(now) / 1000).unwrap_or(i64::MAX));
    Ok(())
}

pub(super) fn refcount(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let shared_integers = slots.tuned().shared_integers();
    match slots.unused_entry(cx, args.at(2)) {
        None => reply.null(),
        Some(entry) => {
            let shared = entry.origin() == Origin::Given
                && as_integer(entry).is_some_and(|number| (0..SHARED_INTEGERS).contains(&number));
            reply.integer(if shared && shared_integers { SHARED } else { 1 });
        }
    }
    Ok(())
}

/// MEMORY USAGE: SAMPLES is checked and not needed, because the sizes are known and not sampled.
pub(super) fn memory_usage(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let mut options = args.skip(3);
    while let Some(option) = options.get(0) {
        let Some(samples) = options.get(1).filter(|_| option.eq_ignore_ascii_case(b"SAMPLES")) else {
            return Err(CommandError::Syntax);
        };
        match parse_integer(samples) {
            None => return Err(CommandError::NotInteger),
            Some(..0) => return Err(CommandError::Syntax),
            Some(_) => options = options.skip(2),
        }
    }
    match slots.unused_entry(cx, args.at(2)) {
        None => reply.null(),
        Some(entry) => reply.count(entry.memory_bytes()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;
    use crate::tuning::{Counting, EncodingNames, Tuning};

    #[test]
    fn a_copy_of_an_integer_is_not_shared() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SET a 7", "+OK"),
            ("COPY a b", ":1"),
            ("OBJECT REFCOUNT a", ":2147483647"),
            ("OBJECT REFCOUNT b", ":1"),
            ("OBJECT ENCODING b", "int"),
            ("RENAME b c", "+OK"),
            ("OBJECT REFCOUNT c", ":1"),
            ("INCR c", ":8"),
            ("OBJECT REFCOUNT c", ":2147483647"),
        ]);
    }

    #[test]
    fn encodings_of_strings() {
        let mut bench = Bench::new();
        let long = "x".repeat(45);
        bench.check_all(&[
            ("OBJECT ENCODING none", "nil"),
            ("SET a 12", "+OK"),
            ("OBJECT ENCODING a", "int"),
            ("APPEND a 3", ":3"),
            ("OBJECT ENCODING a", "raw"),
            ("PEXPIRE a 5000", ":1"),
            ("RENAME a b", "+OK"),
            ("COPY b a", ":1"),
            ("OBJECT ENCODING a", "raw"),
            ("OBJECT REFCOUNT a", ":1"),
            ("INCR a", ":124"),
            ("OBJECT ENCODING a", "int"),
            ("OBJECT REFCOUNT a", ":2147483647"),
            ("SET a 10000", "+OK"),
            ("OBJECT REFCOUNT a", ":1"),
            ("SET a 0123", "+OK"),
            ("OBJECT ENCODING a", "embstr"),
            ("SET a 1", "+OK"),
            ("INCRBYFLOAT a 1", "2"),
            ("OBJECT ENCODING a", "embstr"),
            ("OBJECT REFCOUNT a", ":1"),
            ("INCRBYFLOAT computed 1", "1"),
            ("OBJECT ENCODING computed", "embstr"),
            ("SETRANGE c 0 1", ":1"),
            ("OBJECT ENCODING c", "raw"),
            (&format!("SET a {long}"), "+OK"),
            ("OBJECT ENCODING a", "raw"),
            ("LPUSH l x", ":1"),
            ("OBJECT ENCODING l", "listpack"),
        ]);
    }

    #[test]
    fn encodings_have_the_names_of_an_older_version_if_that_is_wanted() {
        let mut bench = Bench::new();
        let values =
            ["SET s 1", "RPUSH l a", "SADD i 1", "SADD w a", "HSET h f v", "HSET e f v", "ZADD z 1 a"];
        values.iter().for_each(|command| drop(bench.run(command)));
        bench.run("HPEXPIRE e 100000 FIELDS 1 f");
        let check = |bench: &mut Bench, names: [&str; 7]| {
            for (key, name) in ["s", "l", "i", "w", "h", "e", "z"].into_iter().zip(names) {
                bench.check(&format!("OBJECT ENCODING {key}"), name);
            }
        };
        check(&mut bench, ["int", "listpack", "intset", "listpack", "listpack", "listpackex", "listpack"]);
        bench.engine.tune(Tuning { encoding_names: EncodingNames::Redis70, ..Tuning::default() });
        check(&mut bench, ["int", "quicklist", "intset", "hashtable", "listpack", "listpack", "listpack"]);
    }

    #[test]
    fn idle_times_begin_with_the_last_use_and_looking_is_none() {
        let mut bench = Bench::new();
        bench.check("SET a 1", "+OK");
        bench.now += 10_240;
        for command in ["EXISTS a", "TYPE a", "TTL a", "OBJECT ENCODING a"] {
            bench.run(command);
        }
        bench.check_all(&[("OBJECT IDLETIME a", ":10"), ("OBJECT IDLETIME none", "nil")]);
        assert!(
            bench.run("OBJECT FREQ a").starts_with("-ERR An LFU maxmemory policy is not selected, access")
        );
        bench.check("TOUCH a", ":1");
        for command in ["TOUCH a", "GET a", "SET a 1"] {
            bench.now += 10_240;
            bench.check("OBJECT IDLETIME a", ":10");
            bench.run(command);
            bench.check("OBJECT IDLETIME a", ":0");
        }
    }

    #[test]
    fn memory_grows_with_the_value() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("MEMORY usage none", "nil"),
            ("SET a b", "+OK"),
            ("MEMORY usage a SAMPLES 5 samples 0", ":16"),
            ("MEMORY usage a SAMPLES -1", "-ERR syntax error"),
            ("MEMORY usage a SAMPLES x", "-ERR value is not an integer or out of range"),
            ("MEMORY usage a SAMPLES", "-ERR syntax error"),
            ("MEMORY usage a FOO 1", "-ERR syntax error"),
        ]);
        let long = "x".repeat(100_000);
        bench.run_words(&["SET", "a", &long]);
        bench.run_words(&["RPUSH", "l", &long]);
        for key in ["a", "l"] {
            let bytes = bench.run_words(&["MEMORY", "usage", key]);
            let bytes: usize = bytes.trim_start_matches(':').parse().expect("a number");
            assert!((100_000..200_000).contains(&bytes), "{bytes}");
        }
    }

    #[test]
    fn uses_are_counted_under_an_lfu_policy() {
        let mut bench = Bench::new();
        let counting = Some(Counting { log_factor: 0, decay_minutes: 1 });
        bench.engine.tune(Tuning { counting, shared_integers: false, ..Tuning::default() });
        bench.check_all(&[
            ("OBJECT FREQ none", "nil"),
            ("SET a 1", "+OK"),
            ("OBJECT FREQ a", ":5"),
            ("GET a", "1"),
            ("GET a", "1"),
            ("OBJECT FREQ a", ":7"),
            ("OBJECT REFCOUNT a", ":1"),
        ]);
        assert!(
            bench.run("OBJECT IDLETIME a").starts_with("-ERR An LFU maxmemory policy is selected, idle time")
        );
        bench.now += 120_000;
        bench.check("OBJECT FREQ a", ":5");
    }
}
