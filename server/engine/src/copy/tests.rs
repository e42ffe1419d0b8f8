//! Slots as they are copied, and as they come to be again.

use std::cell::Cell;

use nuthatch_proto::slot::Slot;

use super::{BadPiece, PIECE, SlotCopy};
use crate::testing::Bench;

/// A slot's pieces with their databases.
fn pieces(bench: &Bench, slot: Slot) -> Vec<(usize, Vec<u8>)> {
    let mut pieces = Vec::new();
    bench.engine.export_slot(slot, || (), |db, piece| pieces.push((db, piece.to_vec())));
    pieces
}

fn import(bench: &mut Bench, slot: Slot, pieces: &[(usize, Vec<u8>)]) -> Result<SlotCopy, BadPiece> {
    let (engine, cx) = bench.parts();
    let mut copy = SlotCopy::new(slot);
    for (db, piece) in pieces {
        engine.import_piece(&cx, &mut copy, *db, piece)?;
    }
    Ok(copy)
}

fn slot() -> Slot {
    Slot::of_key(b"t")
}

#[test]
fn a_slot_takes_the_place_of_what_was_there() {
    let mut from = Bench::new();
    from.check_all(&[
        ("SET {t}s text PX 5000", "+OK"),
        ("HSET {t}h a 1 b 2", ":2"),
        ("HPEXPIRE {t}h 7000 FIELDS 1 a", "[:1]"),
        ("RPUSH {t}l 1 2 three", ":3"),
        ("SET elsewhere 1", "+OK"),
    ]);
    from.db = 3;
    from.check("ZADD {t}z 1.5 a", ":1");
    let mut to = Bench::new();
    to.check_all(&[("SET {t}old 1", "+OK"), ("SET {t}s other", "+OK"), ("SET other 1", "+OK")]);
    to.effects();
    let copy = import(&mut to, slot(), &pieces(&from, slot())).expect("it was exported");
    assert_eq!(
        (copy.slot(), format!("{copy:?}")),
        (slot(), format!("SlotCopy {{ slot: {:?}, keys: 4, .. }}", slot()))
    );
    to.check("GET {t}old", "1");
    let (engine, cx) = to.parts();
    engine.replace_slot(&cx, copy);
    assert_eq!(from.engine.digest_slot(slot(), || 0), to.engine.digest_slot(slot(), || 0));
    assert_eq!(from.engine.digest_slot(slot(), || 0).0.keys, 4);
    to.check_all(&[("EXISTS {t}old elsewhere", ":0"), ("GET other", "1"), ("PTTL {t}s", ":5000")]);
    assert!(to.effects().is_empty());
    // What came with a deadline goes in its time.
    to.now += 8000;
    to.expire(100);
    assert_eq!(to.effects(), ["delete {t}s", "hdel {t}h a"]);
    let (engine, cx) = to.parts();
    engine.clear_slot(&cx, slot());
    to.check_all(&[("DBSIZE", ":1"), ("EXISTS {t}h {t}l", ":0")]);
    to.db = 3;
    to.check("DBSIZE", ":0");
}

#[test]
fn pieces_are_short_and_whole_and_the_offset_is_asked_once_nothing_changes() {
    let mut bench = Bench::new();
    let value = "v".repeat(10_000);
    (0..100).for_each(|n| bench.check(&format!("SET {{t}}{n} {value}"), "+OK"));
    bench.check(&format!("SET {{t}}huge {}", "v".repeat(3 * PIECE)), "+OK");
    let asked = Cell::new(0);
    let (mut lengths, mut total) = (Vec::new(), 0);
    let offset = bench.engine.export_slot(
        slot(),
        || {
            asked.set(asked.get() + 1);
            77
        },
        |_, piece| {
            lengths.push(piece.len());
            total += piece.len();
        },
    );
    assert_eq!((offset, asked.get()), (77, 1));
    assert!(total > 100 * 10_000 + 3 * PIECE);
    assert!(lengths.iter().filter(|&&len| len > PIECE + 10_100).count() <= 1, "{lengths:?}");
    assert!(lengths.len() >= 4, "{lengths:?}");
    let copy = import(&mut Bench::new(), slot(), &pieces(&bench, slot()));
    assert!(format!("{copy:?}").contains("keys: 101"));
}

#[test]
fn watched_keys_change_and_memory_is_given_back_later() {
    let mut bench = Bench::new();
    (0..200).for_each(|n| bench.check(&format!("SET {{t}}{n} 1"), "+OK"));
    let mut watched = Vec::new();
    for key in ["{t}0", "{t}none"] {
        let (engine, mut cx) = bench.parts();
        let mut watching = engine.watching();
        engine.watch(&mut cx, &mut watching, 0, slot(), key.as_bytes()).expect("gates are open");
        watched.push(watching);
    }
    let (engine, cx) = bench.parts();
    engine.clear_slot(&cx, slot());
    assert_eq!(engine.lazyfree().pending, 200);
    assert_eq!(watched.iter().map(|watching| watching.is_touched()).collect::<Vec<_>>(), [true, false]);
    watched.into_iter().for_each(|watching| engine.unwatch(watching));
    while engine.reclaim(50) == 50 {}
    assert_eq!(engine.lazyfree().pending, 0);
}

#[test]
fn a_piece_that_is_none_is_refused() {
    let mut from = Bench::new();
    from.check_all(&[("SET {t}a 1", "+OK"), ("SET b 1", "+OK")]);
    let (whole, other) = (pieces(&from, slot()), pieces(&from, Slot::of_key(b"b")));
    let refused = |pieces: &[(usize, Vec<u8>)]| import(&mut Bench::new(), slot(), pieces).err();
    assert_eq!(refused(&whole), None);
    assert_eq!(refused(&[&whole[..], &whole[..]].concat()), Some(BadPiece::Twice));
    assert_eq!(refused(&other), Some(BadPiece::OtherSlot(Slot::of_key(b"b"))));
    assert_eq!(refused(&[(16, Vec::new())]), Some(BadPiece::NoDatabase(16)));
    let piece = &whole[0].1;
    for len in 1..piece.len() {
        assert_eq!(refused(&[(0, piece[..len].to_vec())]), Some(BadPiece::Malformed), "{len}");
    }
    assert_eq!(refused(&[(0, vec![0xFC; 40])]), Some(BadPiece::Malformed));
}
