//! Commands on sets.
//!
//! How members are kept is the value's business (`value/set.rs`); here arguments become changes and replies. A set whose last
//! member goes is removed by the store, and a change is an effect only if something changed. Replies in RESP3 are sets.

pub(super) mod algebra;
pub(super) mod random;

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::elements::Named;
use super::scan::{self, Scanned};
use super::{Handled, elements};
use crate::context::Context;
use crate::effect::Effect;
use crate::notice::Classes;
use crate::store::locked::LockedSlots;
use crate::value::Set;

pub(super) fn sadd(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
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
        if added > 0 {
            emitter.notify(Classes::SET, "sadd");
        }
        added
    })?;
    reply.count(added);
    Ok(())
}

pub(super) fn smembers(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
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
) -> Handled {
    let set = slots.read::<Set>(cx, args.at(1))?;
    reply.integer(i64::from(set.is_some_and(|set| set.contains(args.at(2)))));
    Ok(())
}

pub(super) fn smismember(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let set = slots.read::<Set>(cx, args.at(1))?;
    let members = args.skip(2);
    reply.array(members.len());
    for member in members.iter() {
        reply.integer(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

pub(super) fn smove(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (source, destination, member) = (args.at(1), args.at(2), args.at(3));
    let there = slots.look::<Set>(cx, source)?.map(|set| set.contains(member));
    if there.is_some() {
        slots.look::<Set>(cx, destination)?;
    }
    let moves = there == Some(true);
    if moves && source != destination {
        slots.modify(cx, source, |set: &mut Set, emitter| {
            set.remove(member);
            emitter.emit(Effect::SetRemove { key: source, member });
            emitter.notify(Classes::SET, "srem");
        })?;
        slots.modify_or_create(cx, destination, |set: &mut Set, emitter| {
            if set.insert(member, emitter.limits()) {
                emitter.emit(Effect::SetAdd { key: destination, member });
                emitter.notify(Classes::SET, "sadd");
            }
        })?;
    }
    reply.integer(i64::from(moves));
    Ok(())
}

pub(super) fn sscan(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    scan::collection(cx, slots, args, reply, Scanned::Members, |set: &Set, cursor, page, _| {
        set.scan(cursor, |member| {
            page.member(member);
        })
    })
}

impl Named for Set {
    const CLASS: Classes = Classes::SET;
    const REMOVED: &'static str = "srem";

    fn take(&mut self, name: &[u8]) -> bool {
        self.remove(name)
    }

    fn removal<'a>(key: &'a [u8], name: &'a [u8]) -> Effect<'a> {
        Effect::SetRemove { key, member: name }
    }
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
    fn several_members_are_asked_for_at_once() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SADD s 1 x", ":2"),
            ("SMISMEMBER s x 2 1", "[:1 :0 :1]"),
            ("SMISMEMBER none x 2", "[:0 :0]"),
        ]);
    }

    #[test]
    fn a_member_moves_to_another_set() {
        let mut bench = Bench::new();
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        bench.check_all(&[
            ("SADD a 1 2", ":2"),
            ("SMOVE a b 1", ":1"),
            ("SMOVE a b 9", ":0"),
            ("SMOVE a a 2", ":1"),
            ("SMOVE a a 9", ":0"),
            ("SADD b 2", ":1"),
            ("SMOVE a b 2", ":1"),
            ("SMEMBERS b", "[1 2]"),
            ("EXISTS a", ":0"),
            ("SET s v", "+OK"),
            ("SMOVE none s 1", ":0"),
            ("SMOVE b s 9", wrong),
            ("SMOVE b s 1", wrong),
            ("SMOVE s b 1", wrong),
            ("SMEMBERS b", "[1 2]"),
        ]);
        assert_eq!(bench.effects()[2..6], ["srem a 1", "sadd b 1", "sadd b 2", "srem a 2"]);
    }

    #[test]
    fn a_scan_shows_every_member() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SADD s 3 1 2", ":3"),
            ("SSCAN s 0", "[0 [1 2 3]]"),
            ("SSCAN s 0 MATCH 2", "[0 [2]]"),
        ]);
        for n in 0..1_000 {
            bench.check(&format!("SADD big m{n}"), ":1");
        }
        let (mut cursor, mut seen) = ("0".to_owned(), std::collections::BTreeSet::new());
        loop {
            let reply = bench.run(&format!("SSCAN big {cursor} COUNT 20"));
            let (next, page) = reply[1..].split_once(' ').expect("a cursor and a page");
            seen.extend(page[1..page.len() - 2].split(' ').filter(|m| !m.is_empty()).map(str::to_owned));
            cursor = next.to_owned();
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(seen.len(), 1_000);
        bench.check("SSCAN big 0 TYPE set", "-ERR syntax error");
    }

    #[test]
    fn other_types_are_refused() {
        let mut bench = Bench::new();
        bench.check("RPUSH l 1", ":1");
        for command in [
            "SADD l a",
            "SREM l a",
            "SMEMBERS l",
            "SISMEMBER l a",
            "SMISMEMBER l a",
            "SCARD l",
            "SPOP l",
            "SPOP l 1",
            "SRANDMEMBER l",
            "SRANDMEMBER l 1",
            "SSCAN l 0",
        ] {
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
