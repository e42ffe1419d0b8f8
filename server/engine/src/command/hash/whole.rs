//! A hash as a whole: all of it, a page of it, or some of it by chance.
//!
//! HGETALL is a map in RESP3; HRANDFIELD's fields with their values are pairs there, because a field may come twice. What is
//! a page and how fields are drawn is decided in [`scan`] and [`random`], for all collections alike.

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::super::elements;
use super::super::random::{self, Drawn};
use super::super::scan::{self, Scanned};
use crate::command::CommandError;
use crate::context::{Context, Rng};
use crate::store::locked::LockedSlots;
use crate::value::{Hash, Item};

pub(in super::super) fn hgetall(
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

pub(in super::super) fn hkeys(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    list(cx, slots, args, reply, |(field, _)| field)
}

pub(in super::super) fn hvals(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    list(cx, slots, args, reply, |(_, value)| value)
}

/// Replies with one half of every pair.
fn list(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
    half: impl for<'a> Fn((Item<'a>, Item<'a>)) -> Item<'a>,
) -> Result<(), CommandError> {
    let Some(hash) = slots.read::<Hash>(cx, args.at(1))? else {
        reply.array(0);
        return Ok(());
    };
    reply.array(hash.len());
    hash.iter().for_each(|pair| elements::bulk(reply, half(pair)));
    Ok(())
}

pub(in super::super) fn hscan(
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

impl Drawn for Hash {
    type Element<'a> = (Item<'a>, Item<'a>);

    fn has_index(&self) -> bool {
        self.has_index()
    }

    fn random(&self, rng: &mut Rng) -> Option<(Item<'_>, Item<'_>)> {
        self.random(rng)
    }

    fn elements(&self) -> impl Iterator<Item = (Item<'_>, Item<'_>)> {
        self.iter()
    }

    fn name<'a>((field, _): Self::Element<'a>) -> Item<'a> {
        field
    }
}

pub(in super::super) fn hrandfield(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    random::members::<Hash>(cx, slots, args, reply, Some("withvalues"), |reply, (_, value)| {
        elements::bulk(reply, value);
    })
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::Protocol;

    use crate::testing::Bench;

    #[test]
    fn a_hash_is_a_map_in_resp3() {
        let mut bench = Bench::new();
        bench.protocol = Protocol::Resp3;
        assert_eq!(bench.run_raw(&["HGETALL", "h"]), b"%0\r\n");
        bench.check("HSET h f v", ":1");
        assert_eq!(bench.run_raw(&["HGETALL", "h"]), b"%1\r\n$1\r\nf\r\n$1\r\nv\r\n");
        assert_eq!(bench.run_raw(&["HGET", "h", "x"]), b"_\r\n");
    }

    #[test]
    fn fields_and_values() {
        Bench::new().check_all(&[
            ("HKEYS none", "[]"),
            ("HVALS none", "[]"),
            ("HSET h a 1 b x", ":2"),
            ("HKEYS h", "[a b]"),
            ("HVALS h", "[1 x]"),
        ]);
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
    fn fields_by_chance() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("HRANDFIELD none", "nil"),
            ("HRANDFIELD none 3", "[]"),
            ("HSET h a 1", ":1"),
            ("HRANDFIELD h", "a"),
            ("HRANDFIELD h 0", "[]"),
            ("HRANDFIELD h 5 withvalues", "[a 1]"),
            ("HRANDFIELD h -3", "[a a a]"),
            ("HRANDFIELD h -2 WITHVALUES", "[a 1 a 1]"),
            ("HRANDFIELD h x", "-ERR value is not an integer or out of range"),
            ("HRANDFIELD h 1 FOO", "-ERR syntax error"),
            ("HRANDFIELD h 1 WITHVALUES 1", "-ERR syntax error"),
            ("HRANDFIELD h -9223372036854770000 WITHVALUES", "-ERR value is out of range"),
            (
                "HRANDFIELD h -9223372036854775808",
                "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
            ),
        ]);
        bench.protocol = Protocol::Resp3;
        let pairs = b"*2\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n";
        assert_eq!(bench.run_raw(&["HRANDFIELD", "h", "-2", "WITHVALUES"]), pairs);
        assert_eq!(bench.run_raw(&["HRANDFIELD", "h", "2"]), b"*1\r\n$1\r\na\r\n");
        assert_eq!(bench.run_raw(&["HRANDFIELD", "none"]), b"_\r\n");
    }
}
