//! Commands on hashes: fields one by one. The whole of a hash is in [`whole`], numbers in fields are in [`number`], their
//! deadlines in [`expiry`].
//!
//! How fields are kept is the value's business (`value/hash.rs`); here arguments become changes and replies. Pairs are checked
//! to be pairs before the first is set, so a wrong request changes nothing. A hash whose last field goes is removed by the
//! store.

mod expiry;
mod number;
mod whole;

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::CommandError;
use super::elements::{self, Named};
use crate::context::Context;
use crate::effect::Effect;
use crate::notice::Classes;
use crate::store::locked::LockedSlots;
use crate::value::{Hash, IntegerText, Item};

pub(super) use expiry::{hexpire, hexpiretime, hpersist, hpexpiretime, hpttl, httl};
pub(super) use number::{hincrby, hincrbyfloat};
pub(super) use whole::{hgetall, hkeys, hrandfield, hscan, hvals};

pub(super) fn hset(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    let added = set_fields("hset", cx, slots, args)?;
    reply.count(added);
    Ok(())
}

pub(super) fn hmset(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    set_fields("hmset", cx, slots, args)?;
    reply.ok();
    Ok(())
}

/// Sets the fields of `command key field value [field value ...]`; how many are new.
#[inline]
fn set_fields(
    command: &'static str,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
) -> Result<usize, CommandError> {
    if !args.len().is_multiple_of(2) {
        return Err(CommandError::WrongArity(command));
    }
    let (key, pairs) = (args.at(1), args.skip(2));
    slots.modify_or_create(cx, key, |hash: &mut Hash, emitter| {
        let longest = pairs.iter().map(<[u8]>::len).max().unwrap_or(0);
        hash.prepare(pairs.len() / 2, longest, emitter.limits());
        let mut added = 0;
        for index in (0..pairs.len()).step_by(2) {
            let (field, value) = (pairs.at(index), pairs.at(index + 1));
            added += usize::from(hash.set(field, value, emitter.limits()));
            emitter.emit(Effect::HashSet { key, field, value });
            expiry::persist(hash, emitter, key, field);
        }
        emitter.notify(Classes::HASH, "hset");
        added
    })
}

pub(super) fn hsetnx(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    let (key, field, value) = (args.at(1), args.at(2), args.at(3));
    let added = slots.modify_or_create(cx, key, |hash: &mut Hash, emitter| {
        let missing = !hash.contains(field);
        if missing {
            hash.set(field, value, emitter.limits());
            emitter.emit(Effect::HashSet { key, field, value });
            emitter.notify(Classes::HASH, "hset");
        }
        missing
    })?;
    reply.integer(i64::from(added));
    Ok(())
}

pub(super) fn hget(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    let hash = slots.read::<Hash>(cx, args.at(1))?;
    value_or_null(reply, hash.and_then(|hash| hash.get(args.at(2))));
    Ok(())
}

pub(super) fn hmget(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    let hash = slots.read::<Hash>(cx, args.at(1))?;
    let fields = args.skip(2);
    reply.array(fields.len());
    for field in fields.iter() {
        value_or_null(reply, hash.and_then(|hash| hash.get(field)));
    }
    Ok(())
}

fn value_or_null(reply: &mut ReplyWriter<'_>, value: Option<Item<'_>>) {
    match value {
        Some(value) => elements::bulk(reply, value),
        None => reply.null(),
    }
}

pub(super) fn hexists(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    let hash = slots.read::<Hash>(cx, args.at(1))?;
    reply.integer(i64::from(hash.is_some_and(|hash| hash.contains(args.at(2)))));
    Ok(())
}

pub(super) fn hstrlen(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    let value = slots.read::<Hash>(cx, args.at(1))?.and_then(|hash| hash.get(args.at(2)));
    reply.count(value.map_or(0, |value| value.bytes(&mut IntegerText::new()).len()));
    Ok(())
}

impl Named for Hash {
    const CLASS: Classes = Classes::HASH;
    const REMOVED: &'static str = "hdel";

    fn take(&mut self, name: &[u8]) -> bool {
        self.remove(name)
    }

    fn removal<'a>(key: &'a [u8], name: &'a [u8]) -> Effect<'a> {
        Effect::HashDelete { key, field: name }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    #[test]
    fn fields_are_set_read_and_removed() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("HSET h a 1 b x a 2", ":2"),
            ("HSET h a 3", ":0"),
            ("HSET h c", "-ERR wrong number of arguments for 'hset' command"),
            ("HMSET h c 5 d", "-ERR wrong number of arguments for 'hmset' command"),
            ("HMSET h c \"\"", "+OK"),
            ("HGET h a", "3"),
            ("HGET h c", ""),
            ("HGET h z", "nil"),
            ("HGET none a", "nil"),
            ("HMGET h b z a", "[x nil 3]"),
            ("HMGET none a b", "[nil nil]"),
            ("HGETALL h", "[a 3 b x c ]"),
            ("HGETALL none", "[]"),
            ("HLEN h", ":3"),
            ("HLEN none", ":0"),
            ("HEXISTS h a", ":1"),
            ("HEXISTS h z", ":0"),
            ("HEXISTS none a", ":0"),
            ("HSTRLEN h a", ":1"),
            ("HSTRLEN h c", ":0"),
            ("HSTRLEN h z", ":0"),
            ("HSTRLEN none a", ":0"),
            ("HDEL h a z a", ":1"),
            ("HDEL none a", ":0"),
            ("HDEL h b c", ":2"),
            ("EXISTS h", ":0"),
        ]);
        assert_eq!(
            bench.effects(),
            [
                "hset h a 1",
                "hset h b x",
                "hset h a 2",
                "hset h a 3",
                "hset h c ",
                "hdel h a",
                "hdel h b",
                "hdel h c"
            ]
        );
    }

    #[test]
    fn a_field_that_is_there_is_not_set_anew() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("HSETNX h a 12345", ":1"),
            ("HSETNX h a 2", ":0"),
            ("HSETNX h b x", ":1"),
            ("HMGET h a b", "[12345 x]"),
            ("HSTRLEN h a", ":5"),
        ]);
        assert_eq!(bench.effects(), ["hset h a 12345", "hset h b x"]);
    }

    #[test]
    fn other_types_are_refused_and_unharmed() {
        let mut bench = Bench::new();
        bench.check("SET s v", "+OK");
        for command in [
            "HSET s a 1",
            "HSETNX s a 1",
            "HGET s a",
            "HMGET s a",
            "HEXISTS s a",
            "HSTRLEN s a",
            "HGETALL s",
            "HKEYS s",
            "HVALS s",
            "HLEN s",
            "HDEL s a",
            "HINCRBY s a 1",
            "HINCRBYFLOAT s a 1",
            "HRANDFIELD s",
            "HRANDFIELD s 0",
            "HSCAN s 0 FOO",
        ] {
            bench.check(command, "-WRONGTYPE Operation against a key holding the wrong kind of value");
        }
        bench.check("GET s", "v");
    }
}
