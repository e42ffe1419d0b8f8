//! Commands on sets.
//!
//! How members are kept is the value's business (`value/set.rs`); here arguments become changes and replies. A set whose last
//! member goes is removed by the store, and a change is an effect only if something changed. Replies in RESP3 are sets.

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::CommandError;
use super::elements;
use crate::context::Context;
use crate::effect::Effect;
use crate::store::locked::LockedSlots;
use crate::value::Set;

pub(super) fn sadd(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    let (key, members) = (args.at(1), args.skip(2));
    let added = slots.modify_or_create(cx, key, |set: &mut Set, emitter| {
        set.prepare(members.len(), members.at(0), emitter.limits());
        let mut added = 0;
        for member in members.iter() {
            if set.insert(member, emitter.limits()) {
                added += 1;
                emitter.emit(Effect::SetAdd { key, member });
            }
        }
        added
    })?;
    reply.count(added);
    Ok(())
}

pub(super) fn srem(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    let key = args.at(1);
    let removed = slots.modify(cx, key, |set: &mut Set, emitter| {
        let mut removed = 0;
        for member in args.skip(2).iter() {
            if set.remove(member) {
                removed += 1;
                emitter.emit(Effect::SetRemove { key, member });
            }
        }
        removed
    })?;
    reply.count(removed.unwrap_or(0));
    Ok(())
}

pub(super) fn smembers(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    let Some(set) = slots.read::<Set>(cx, args.at(1))? else {
        reply.set(0);
        return Ok(());
    };
    reply.set(set.len());
    for member in set.iter() {
        elements::bulk(reply, member);
    }
    Ok(())
}

pub(super) fn sismember(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    let set = slots.read::<Set>(cx, args.at(1))?;
    reply.integer(i64::from(set.is_some_and(|set| set.contains(args.at(2)))));
    Ok(())
}

pub(super) fn scard(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    reply.count(slots.read::<Set>(cx, args.at(1))?.map_or(0, Set::len));
    Ok(())
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::Protocol;

    use crate::testing::Bench;

    #[test]
    fn members_join_and_leave() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SADD s 3 1 3", ":2"),
            ("SMEMBERS s", "[1 3]"),
            ("SADD s 2 x", ":2"),
            ("SCARD s", ":4"),
            ("SISMEMBER s x", ":1"),
            ("SISMEMBER s 01", ":0"),
            ("SREM s 3 y", ":1"),
            ("SMEMBERS s", "[1 2 x]"),
            ("SREM s 1 2 x", ":3"),
            ("EXISTS s", ":0"),
            ("SREM s 1", ":0"),
            ("SCARD s", ":0"),
            ("SMEMBERS s", "[]"),
            ("SISMEMBER s x", ":0"),
        ]);
        assert_eq!(
            bench.effects(),
            ["sadd s 3", "sadd s 1", "sadd s 2", "sadd s x", "srem s 3", "srem s 1", "srem s 2", "srem s x"]
        );
    }

    #[test]
    fn other_types_are_refused() {
        let mut bench = Bench::new();
        bench.check("RPUSH l 1", ":1");
        for command in ["SADD l a", "SREM l a", "SMEMBERS l", "SISMEMBER l a", "SCARD l"] {
            bench.check(command, "-WRONGTYPE Operation against a key holding the wrong kind of value");
        }
    }

    #[test]
    fn a_set_is_a_set_in_resp3() {
        let mut bench = Bench::new();
        bench.protocol = Protocol::Resp3;
        assert_eq!(bench.run_raw(&["SMEMBERS", "s"]), b"~0\r\n");
        bench.check("SADD s 1", ":1");
        assert_eq!(bench.run_raw(&["SMEMBERS", "s"]), b"~1\r\n$1\r\n1\r\n");
    }
}
