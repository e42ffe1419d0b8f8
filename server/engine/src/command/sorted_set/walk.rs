//! Commands that take members as they come: `ZSCAN` and `ZRANDMEMBER`.
//!
//! How a scan makes a page and how members are drawn is decided in [`scan`] and [`random`], for all collections alike.

use nuthatch_proto::resp::double::DoubleText;
use nuthatch_proto::resp::{Args, ReplyWriter};

use super::super::Handled;
use super::super::random::{self, Drawn};
use super::super::scan::{self, Scanned};
use crate::context::{Context, Rng};
use crate::store::locked::LockedSlots;
use crate::value::{Item, SortedSet};

pub(in super::super) fn zscan(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    scan::collection(cx, slots, args, reply, Scanned::Members, |set: &SortedSet, cursor, page, _| {
        let mut text = DoubleText::default();
        set.scan(cursor, |member, score| {
            if page.member(member) {
                // A small set's scores are the texts that it keeps, a big one's are printed as long doubles are.
                let score = if set.is_compact() { text.format(score) } else { text.format_17_digits(score) };
                page.write(Item::Bytes(score.as_bytes()));
            }
        })
    })
}

impl Drawn for SortedSet {
    type Element<'a> = (Item<'a>, f64);

    fn has_index(&self) -> bool {
        !self.is_compact()
    }

    fn random(&self, rng: &mut Rng) -> Option<(Item<'_>, f64)> {
        self.random(rng)
    }

    fn elements(&self) -> impl Iterator<Item = (Item<'_>, f64)> {
        self.iter()
    }

    fn name<'a>((member, _): Self::Element<'a>) -> Item<'a> {
        member
    }
}

pub(in super::super) fn zrandmember(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    random::members::<SortedSet>(cx, slots, args, reply, Some("withscores"), |reply, (_, score)| {
        reply.double(score);
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use nuthatch_proto::resp::Protocol;

    use crate::testing::Bench;

    #[test]
    fn a_scan_shows_members_and_scores() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("ZADD z 1 a 0.1 b", ":2"),
            ("ZSCAN z 0", "[0 [b 0.1 a 1]]"),
            ("ZSCAN z 0 MATCH a", "[0 [a 1]]"),
            ("ZSCAN none 0", "[0 []]"),
            ("ZSCAN z x", "-ERR invalid cursor"),
            ("ZSCAN z 0 COUNT 0", "-ERR syntax error"),
        ]);
        let long = "m".repeat(65);
        bench.run_words(&["ZADD", "z", "3", &long]);
        bench.check("ZREM z a", ":1");
        let scanned = bench.run("ZSCAN z 0");
        assert!(
            scanned.contains("b 0.10000000000000001") && scanned.contains(&format!("{long} 3")),
            "{scanned}"
        );
    }

    #[test]
    fn a_scan_of_many_reaches_all() {
        let mut bench = Bench::new();
        for n in 0..500 {
            bench.check(&format!("ZADD z {n} m{n}"), ":1");
        }
        let (mut cursor, mut seen) = ("0".to_owned(), BTreeSet::new());
        loop {
            let reply = bench.run(&format!("ZSCAN z {cursor} COUNT 20"));
            let (next, rest) = reply[1..reply.len() - 2].split_once(" [").expect("a cursor and a page");
            let words: Vec<&str> = rest.split_whitespace().collect();
            for pair in words.chunks(2) {
                assert_eq!(pair[0], format!("m{}", pair[1]));
                seen.insert(pair[0].to_owned());
            }
            next.clone_into(&mut cursor);
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(seen.len(), 500);
    }

    #[test]
    fn members_are_drawn() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("ZRANDMEMBER z", "nil"),
            ("ZRANDMEMBER z 3", "[]"),
            ("ZADD z 1 a", ":1"),
            ("ZRANDMEMBER z", "a"),
            ("ZRANDMEMBER z -3", "[a a a]"),
            ("ZRANDMEMBER z 3 WITHSCORES", "[a 1]"),
            ("ZRANDMEMBER z 0", "[]"),
            ("ZRANDMEMBER z x", "-ERR value is not an integer or out of range"),
            ("ZRANDMEMBER z 1 WITHSCORE", "-ERR syntax error"),
            ("ZRANDMEMBER z -9223372036854775807 WITHSCORES", "-ERR value is out of range"),
        ]);
        bench.protocol = Protocol::Resp3;
        let nested = b"*2\r\n*2\r\n$1\r\na\r\n,1\r\n*2\r\n$1\r\na\r\n,1\r\n";
        assert_eq!(bench.run_raw(&["ZRANDMEMBER", "z", "-2", "WITHSCORES"]), nested);
    }
}
