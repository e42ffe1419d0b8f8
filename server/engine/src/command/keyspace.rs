//! Commands on a whole database: they go from slot to slot and lock one at a time.
//!
//! So they see each slot at a moment of its own. SCAN keeps what Redis promises: a key that is there from the first
//! call to the last is returned at least once. Slots whose gate is shut are passed over: their keys are served
//! elsewhere.

use nuthatch_proto::glob::{self, Case};
use nuthatch_proto::resp::{Args, ReplyWriter};
use nuthatch_proto::slot::{SLOT_COUNT, Slot};

use super::args::{is, parse_integer};
use super::scan::{self, Page, ScanOptions, Scanned};
use super::{CommandError, Handled};
use crate::context::Context;
use crate::engine::Engine;
use crate::store::entry::{Entry, ValueRef};
use crate::store::slot::Place;
use crate::value::Item;

pub(super) fn dbsize(engine: &Engine, db: usize, reply: &mut ReplyWriter<'_>) -> Handled {
    reply.count(engine.slots(db).map(|(_, slot)| slot.len()).sum());
    Ok(())
}

pub(super) fn flushdb(
    engine: &Engine,
    cx: &mut Context<'_>,
    db: usize,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    flush_mode(args)?;
    engine.flush(cx, db);
    reply.ok();
    Ok(())
}

pub(super) fn flushall(
    engine: &Engine,
    cx: &mut Context<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    flush_mode(args)?;
    (0..engine.databases()).for_each(|db| engine.flush(cx, db));
    reply.ok();
    Ok(())
}

/// SYNC and ASYNC are one here: the keys are gone at once, and their memory is given back in pieces. Who wants to hear
/// only when it is waits for that outside the engine.
fn flush_mode(args: Args<'_>) -> Handled {
    let known = match args.len() {
        1 => true,
        2 => is(args.at(1), "SYNC") || is(args.at(1), "ASYNC"),
        _ => false,
    };
    if known { Ok(()) } else { Err(CommandError::Syntax) }
}

/// Exchanges two databases.
pub(super) fn swapdb(
    engine: &Engine,
    cx: &mut Context<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    if engine.in_cluster() {
        return Err(CommandError::SwapInCluster);
    }
    let index = |text, error| parse_integer(text).and_then(|n| i32::try_from(n).ok()).ok_or(error);
    let one = index(args.at(1), CommandError::Other("ERR invalid first DB index"))?;
    let other = index(args.at(2), CommandError::Other("ERR invalid second DB index"))?;
    let there = |db| usize::try_from(db).ok().filter(|&db| db < engine.databases());
    let (one, other) = there(one).zip(there(other)).ok_or(CommandError::DbIndex)?;
    engine.swap(cx, one, other);
    reply.ok();
    Ok(())
}

pub(super) fn keys(
    engine: &Engine,
    cx: &Context<'_>,
    db: usize,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let pattern = args.at(1);
    let mark = reply.deferred_array();
    let mut found = 0;
    for (_, slot) in engine.slots(db) {
        for entry in slot.iter().filter(|entry| alive(entry, cx)) {
            if glob::matches(pattern, entry.key(), Case::Sensitive) {
                reply.bulk(entry.key());
                found += 1;
            }
        }
    }
    reply.finish_array(mark, found);
    Ok(())
}

fn alive(entry: &Entry, cx: &Context<'_>) -> bool {
    let is_over = |entry: &Entry| match entry.value() {
        ValueRef::Object(object) => object.expiring().is_some_and(|hash| hash.is_over(cx.now)),
        ValueRef::String(_) => false,
    };
    entry.deadline().is_none_or(|deadline| deadline > cx.now)
        && !(entry.has_field_deadlines() && is_over(entry))
}

pub(super) fn randomkey(
    engine: &Engine,
    cx: &mut Context<'_>,
    db: usize,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    // Slots differ little in size, so a random slot and then a random key in it is nearly even. The walk goes on from
    // there to the first slot that has a live key.
    let start = cx.rng.below(usize::from(SLOT_COUNT));
    let dice = cx.rng.next_u64();
    for offset in 0..usize::from(SLOT_COUNT) {
        let slot = slot_at((start + offset) % usize::from(SLOT_COUNT));
        let Some(mut guard) = engine.open_slot(db, slot) else { continue };
        if let Some(entry) = guard.random(dice, |entry| alive(entry, cx)) {
            reply.bulk(entry.key());
            return Ok(());
        }
        let dead: Vec<_> = guard.iter().map(|entry| entry.key().to_vec()).collect();
        engine.expire_seen(cx, Place { db, slot }, &mut guard, &dead);
    }
    reply.null();
    Ok(())
}

fn slot_at(number: usize) -> Slot {
    u16::try_from(number).ok().and_then(Slot::new).expect("the number is below the count of slots")
}

/// Where a SCAN stands: a slot, and a cursor within its table. As text it is one number that is 0 at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    slot: usize,
    bucket: u64,
}

impl Cursor {
    const SLOT_BITS: u32 = SLOT_COUNT.trailing_zeros();

    fn from_number(number: u64) -> Self {
        Self { slot: (number & (u64::from(SLOT_COUNT) - 1)) as usize, bucket: number >> Self::SLOT_BITS }
    }

    fn number(self) -> u64 {
        self.bucket << Self::SLOT_BITS | self.slot as u64
    }
}

/// Goes on until it has looked at as many keys as were asked for. Empty slots are passed over without limit, as there
/// are only so many: a small database is returned whole, as by Redis.
pub(super) fn scan(
    engine: &Engine,
    cx: &mut Context<'_>,
    db: usize,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let mut cursor = Cursor::from_number(scan::cursor(args.at(1))?);
    let options = ScanOptions::parse(args.skip(2), Scanned::Keys)?;
    let mut room = Vec::new();
    let mut page = Page::new(&options, &mut room, reply.protocol());
    let mut dead = Vec::new();
    let of_kind = |entry: &Entry| options.kind.is_none_or(|kind| is(kind, entry.kind().name()));
    while cursor.slot < usize::from(SLOT_COUNT) && !page.is_full() {
        let place = Place { db, slot: slot_at(cursor.slot) };
        if let Some(mut slot) = engine.open_slot(db, place.slot) {
            loop {
                cursor.bucket = slot.scan(cursor.bucket, |entry| {
                    if !alive(entry, cx) {
                        dead.push(entry.key().to_vec());
                    } else if page.admits(entry.key()) && of_kind(entry) {
                        page.write(Item::Bytes(entry.key()));
                    }
                });
                engine.expire_seen(cx, place, &mut slot, &dead);
                dead.clear();
                if cursor.bucket == 0 || page.is_full() {
                    break;
                }
            }
        } else {
            cursor.bucket = 0;
        }
        if cursor.bucket == 0 {
            cursor.slot += 1;
        }
    }
    if cursor.slot == usize::from(SLOT_COUNT) {
        cursor = Cursor { slot: 0, bucket: 0 };
    }
    let written = page.written();
    scan::finish(reply, cursor.number(), written, &room);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::Bench;

    /// All keys a whole iteration returns, sorted, duplicates kept.
    fn scan_all(bench: &mut Bench, options: &str) -> Vec<String> {
        let mut keys = Vec::new();
        let mut cursor = "0".to_owned();
        loop {
            let reply = bench.run(&format!("SCAN {cursor}{options}"));
            let (next, rest) = reply[1..reply.len() - 1].split_once(' ').expect("a cursor and an array");
            keys.extend(rest[1..rest.len() - 1].split_whitespace().map(str::to_owned));
            if next == "0" {
                break;
            }
            cursor = next.to_owned();
        }
        keys.sort();
        keys
    }

    #[test]
    fn counting_listing_and_flushing() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("DBSIZE", ":0"),
            ("KEYS *", "[]"),
            ("RANDOMKEY", "nil"),
            ("MSET one 1 two 2 three 3", "+OK"),
            ("DBSIZE", ":3"),
            ("KEYS o*", "[one]"),
            ("KEYS none", "[]"),
            ("FLUSHDB SYNC", "+OK"),
            ("DBSIZE", ":0"),
            ("SET a 1", "+OK"),
            ("RANDOMKEY", "a"),
            ("FLUSHALL ASYNC", "+OK"),
            ("GET a", "nil"),
            ("FLUSHALL FOO", "-ERR syntax error"),
            ("FLUSHDB SYNC SYNC", "-ERR syntax error"),
        ]);
        bench.db = 5;
        bench.check_all(&[("SET a 1", "+OK"), ("DBSIZE", ":1")]);
        bench.db = 0;
        bench.check_all(&[("DBSIZE", ":0"), ("FLUSHDB", "+OK")]);
        bench.db = 5;
        bench.check_all(&[("DBSIZE", ":1"), ("FLUSHALL", "+OK"), ("DBSIZE", ":0")]);
    }

    #[test]
    fn databases_are_exchanged_with_their_deadlines() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("SWAPDB 3 4", "+OK"),
            ("SWAPDB x 1", "-ERR invalid first DB index"),
            ("SWAPDB 1 99999999999", "-ERR invalid second DB index"),
            ("SWAPDB 1 16", "-ERR DB index is out of range"),
            ("SWAPDB -1 1", "-ERR DB index is out of range"),
            ("MSET a 1 b 2", "+OK"),
            ("PEXPIRE a 1000", ":1"),
            ("SWAPDB 0 0", "+OK"),
            ("SWAPDB 1 0", "+OK"),
            ("DBSIZE", ":0"),
        ]);
        assert_eq!(bench.effects()[3..], ["swap 1", "swap 1"]);
        bench.db = 1;
        bench.check_all(&[("PTTL a", ":1000"), ("GET b", "2")]);
        bench.now += 1200;
        // The hint has come along.
        bench.expire(100);
        assert_eq!((bench.stats.expired_keys, bench.run("DBSIZE")), (1, ":1".to_owned()));
    }

    #[test]
    fn expired_keys_are_not_listed() {
        let mut bench = Bench::new();
        bench.check("SET a 1 PX 10", "+OK");
        bench.now += 10;
        bench.check_all(&[("KEYS *", "[]"), ("RANDOMKEY", "nil")]);
        assert!(scan_all(&mut bench, "").is_empty());
    }

    #[test]
    fn scanning_with_options() {
        let mut bench = Bench::new();
        let mut expected: Vec<String> = (0..100).map(|n| format!("key:{n}")).collect();
        expected.sort();
        for key in &expected {
            bench.run(&format!("SET {key} x"));
        }
        assert_eq!(scan_all(&mut bench, ""), expected);
        assert!(bench.run("SCAN 0 COUNT 1000").starts_with("[0 ["));
        assert_eq!(scan_all(&mut bench, " COUNT 1"), expected);
        assert_eq!(scan_all(&mut bench, " COUNT 100000"), expected);
        assert_eq!(scan_all(&mut bench, " MATCH key:1? TYPE STRING").len(), 10);
        assert!(scan_all(&mut bench, " TYPE hash").is_empty());
        bench.check_all(&[
            ("SCAN x", "-ERR invalid cursor"),
            ("SCAN 0 COUNT 0", "-ERR syntax error"),
            ("SCAN 0 COUNT x", "-ERR value is not an integer or out of range"),
            ("SCAN 0 COUNT", "-ERR syntax error"),
            ("SCAN 0 FOO 1", "-ERR syntax error"),
            ("SCAN 0 NOVALUES", "-ERR NOVALUES option can only be used in HSCAN"),
        ]);
        // A cursor that no SCAN gave is taken as it is.
        assert!(bench.run("SCAN 18446744073709551615").starts_with('['));
    }

    #[test]
    fn cursors_carry_their_slot() {
        let cursor = Cursor { slot: 12_345, bucket: 77 };
        assert_eq!(Cursor::from_number(cursor.number()), cursor);
    }

    /// What happens between two calls of SCAN.
    #[derive(Debug, Clone)]
    enum Between {
        Come(u16),
        Go(u16),
        GoAll,
    }

    fn between() -> impl Strategy<Value = Between> {
        prop_oneof![
            (0..3000_u16).prop_map(Between::Come),
            (0..3000_u16).prop_map(Between::Go),
            Just(Between::GoAll),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_there_throughout_is_returned_whatever_comes_and_goes(
            // With a tag, all keys are in one slot, whose table grows and shrinks through all its forms.
            tag in prop_oneof![Just("{t}"), Just("")],
            steps in proptest::collection::vec((between(), 1..400_u16), 1..12),
        ) {
            let mut bench = Bench::new();
            let (mut come, mut gone) = (0, 0);
            let keys = |kind: &str, numbers: std::ops::Range<u32>| -> Vec<String> {
                numbers.map(|number| format!("{tag}{kind}{number}")).collect()
            };
            let constant = keys("constant", 0..300);
            constant.iter().for_each(|key| { bench.run_words(&["SET", key, ""]); });
            let mut seen = BTreeSet::new();
            let mut cursor = "0".to_owned();
            for (between, count) in steps.iter().cycle() {
                let reply = bench.run(&format!("SCAN {cursor} COUNT {count}"));
                let (next, rest) = reply[1..reply.len() - 1].split_once(' ').expect("a cursor and an array");
                seen.extend(rest[1..rest.len() - 1].split_whitespace().map(str::to_owned));
                next.clone_into(&mut cursor);
                if cursor == "0" {
                    break;
                }
                let end = match *between {
                    Between::Come(more) if come - gone < 10_000 => {
                        let more = come + u32::from(more);
                        keys("passing", come..more).iter().for_each(|key| {
                            bench.run_words(&["SET", key, ""]);
                        });
                        come = more;
                        gone
                    }
                    Between::Come(_) | Between::GoAll => come,
                    Between::Go(less) => come.min(gone + u32::from(less)),
                };
                keys("passing", gone..end).iter().for_each(|key| { bench.run_words(&["DEL", key]); });
                gone = end;
            }
            for key in &constant {
                prop_assert!(seen.contains(key), "{key}");
            }
        }
    }
}
