//! Commands on hashes.
//!
//! How fields are kept is the value's business (`value/hash.rs`); here arguments become changes and replies. Pairs are checked
//! to be pairs before the first is set, so a wrong request changes nothing. A hash whose last field goes is removed by the
//! store.

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::CommandError;
use super::elements;
use super::scan::{self, Scanned};
use crate::context::Context;
use crate::effect::Effect;
use crate::store::locked::LockedSlots;
use crate::value::{Hash, Item};

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
        }
        added
    })
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

pub(super) fn hgetall(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    let Some(hash) = slots.read::<Hash>(cx, args.at(1))? else {
        reply.map(0);
        return Ok(());
    };
    reply.map(hash.len());
    for (field, value) in hash.iter() {
        elements::bulk(reply, field);
        elements::bulk(reply, value);
    }
    Ok(())
}

pub(super) fn hscan(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    scan::collection(cx, slots, args, reply, Scanned::Fields, |hash: &Hash, cursor, page, options| {
        hash.scan(cursor, |field, value| {
            if page.member(field) && !options.without_values {
                page.write(value);
            }
        })
    })
}

pub(super) fn hlen(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    reply.count(slots.read::<Hash>(cx, args.at(1))?.map_or(0, Hash::len));
    Ok(())
}

pub(super) fn hdel(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    let key = args.at(1);
    let removed = slots.modify(cx, key, |hash: &mut Hash, emitter| {
        let mut removed = 0;
        for field in args.skip(2).iter() {
            if hash.remove(field) {
                removed += 1;
                emitter.emit(Effect::HashDelete { key, field });
            }
        }
        removed
    })?;
    reply.count(removed.unwrap_or(0));
    Ok(())
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::Protocol;

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
    fn scanning() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("HSCAN none 0", "[0 []]"),
            ("HSCAN none 0 FOO", "[0 []]"),
            ("HSCAN none x", "-ERR invalid cursor"),
            ("HSET h a 1 b 2 ab 3", ":3"),
            ("HSCAN h 0", "[0 [a 1 b 2 ab 3]]"),
            ("HSCAN h 99 COUNT 1", "[0 [a 1 b 2 ab 3]]"),
            ("HSCAN h 0 match a* count 100", "[0 [a 1 ab 3]]"),
            ("HSCAN h 0 NOVALUES MATCH *b", "[0 [b ab]]"),
            ("HSCAN h 0 MATCH", "-ERR syntax error"),
            ("HSCAN h 0 COUNT 0", "-ERR syntax error"),
            ("HSCAN h 0 COUNT x", "-ERR value is not an integer or out of range"),
            ("HSCAN h 0 TYPE hash", "-ERR syntax error"),
            ("HSCAN h 0 FOO", "-ERR syntax error"),
        ]);
        for n in 0..1_000 {
            bench.run(&format!("HSET big f{n} {n}"));
        }
        let (mut cursor, mut pages, mut parts) = ("0".to_owned(), 0, 0);
        loop {
            let reply = bench.run(&format!("HSCAN big {cursor} COUNT 100"));
            let (next, page) = reply[1..reply.len() - 1].split_once(' ').expect("a cursor and an array");
            (pages, parts) = (pages + 1, parts + page.split(' ').count());
            if next == "0" {
                break;
            }
            cursor = next.to_owned();
        }
        assert_eq!(parts, 2_000);
        assert!((5..=10).contains(&pages), "{pages}");
    }

    #[test]
    fn other_types_are_refused_and_unharmed() {
        let mut bench = Bench::new();
        bench.check("SET s v", "+OK");
        for command in ["HSET s a 1", "HGET s a", "HMGET s a", "HGETALL s", "HLEN s", "HDEL s a"] {
            bench.check(command, "-WRONGTYPE Operation against a key holding the wrong kind of value");
        }
        bench.check("GET s", "v");
    }

    #[test]
    fn a_hash_is_a_map_in_resp3() {
        let mut bench = Bench::new();
        bench.protocol = Protocol::Resp3;
        assert_eq!(bench.run_raw(&["HGETALL", "h"]), b"%0\r\n");
        bench.check("HSET h f v", ":1");
        assert_eq!(bench.run_raw(&["HGETALL", "h"]), b"%1\r\n$1\r\nf\r\n$1\r\nv\r\n");
        assert_eq!(bench.run_raw(&["HGET", "h", "x"]), b"_\r\n");
    }
}
