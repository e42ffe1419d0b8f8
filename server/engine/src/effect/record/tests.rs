//! Whatever an effect is, its record says it; and whatever bytes are, the reader says what they are.

use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::slot::Slot;
use proptest::prelude::*;

use super::{Change, KIND_BITS, Malformed, RECORD_MAX, Record, TooLong, VERSION, append};
use crate::effect::{Effect, End};
use crate::rdb;
use crate::value::{Collection, Extreme, Hash, Limits, List, Object, Set, SortedSet};

/// What effects are made of.
#[derive(Debug, Clone)]
struct Parts {
    key: Vec<u8>,
    name: Vec<u8>,
    value: Vec<u8>,
    count: usize,
    deadline: Option<Timestamp>,
    first: bool,
    score: f64,
    object: Object,
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..12),
        "-?[0-9]{1,20}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..300),
        (0..40_000_usize).prop_map(|len| vec![b'x'; len]),
    ]
}

fn object() -> impl Strategy<Value = Object> {
    (0..5, prop::collection::btree_set(bytes(), 1..6)).prop_map(|(kind, elements)| {
        let limits = Limits::default();
        let (mut list, mut set) = (List::new(), Set::new());
        let (mut hash, mut sorted) = (Hash::new(), SortedSet::new());
        for (number, element) in elements.iter().enumerate() {
            list.push(End::Right, element, &limits);
            set.insert(element, &limits);
            hash.set(element, element, &limits);
            sorted.upsert(element, &limits, |_| Some(number as f64 / 3.0));
            if kind == 4 && number % 2 == 0 {
                hash.set_deadline(element, Timestamp(7_000 + number as u64), &limits);
            }
        }
        match kind {
            0 => list.into_object(),
            1 => set.into_object(),
            2 => sorted.into_object(),
            _ => hash.into_object(),
        }
    })
}

fn parts() -> impl Strategy<Value = Parts> {
    let number = || prop_oneof![0..300_u64, any::<u64>()];
    let score = any::<f64>().prop_filter("a score is a number", |score| !score.is_nan());
    (bytes(), bytes(), bytes(), number(), prop::option::of(number()), any::<bool>(), score, object())
        .prop_map(|(key, name, value, count, deadline, first, score, object)| {
            let (count, deadline) = (count as usize, deadline.map(Timestamp));
            Parts { key, name, value, count, deadline, first, score, object }
        })
}

/// The effect of each kind.
fn effect(kind: u8, parts: &Parts) -> Option<Effect<'_>> {
    let Parts { key, name, value, count, deadline, first, score, object } = parts;
    let (key, name, value): (&[u8], &[u8], &[u8]) = (key, name, value);
    let (count, deadline, score) = (*count, *deadline, *score);
    let end = if *first { End::Left } else { End::Right };
    let from = if *first { Extreme::Lowest } else { Extreme::Highest };
    Some(match kind {
        0 => Effect::Set { key, value, deadline },
        1 => Effect::SetRange { key, offset: count, bytes: value },
        2 => Effect::SetObject { key, object, deadline },
        3 => Effect::Delete { key },
        4 => Effect::Expire { key },
        5 => Effect::Deadline { key, deadline },
        6 => Effect::HashSet { key, field: name, value },
        7 => Effect::HashDeadline { key, field: name, deadline },
        8 => Effect::HashDelete { key, field: name },
        9 => Effect::HashExpire { key, field: name },
        10 => Effect::ListPush { key, end, element: value },
        11 => Effect::ListPop { key, end, count },
        12 => Effect::ListInsert { key, index: count, element: value },
        13 => Effect::ListSet { key, index: count, element: value },
        14 => Effect::ListRemove { key, from: end, count, element: value },
        15 => Effect::SetAdd { key, member: name },
        16 => Effect::SetRemove { key, member: name },
        17 => Effect::SortedSetAdd { key, member: name, score },
        18 => Effect::SortedSetRemove { key, member: name },
        19 => Effect::SortedSetPop { key, from, count },
        20 => Effect::SwapSlot { with: count },
        21 => Effect::FlushSlot,
        _ => return None,
    })
}

fn appended(db: usize, slot: Slot, effect: Effect<'_>) -> Vec<u8> {
    let mut out = b"before".to_vec();
    append(&mut out, db, slot, effect).expect("far below the limit");
    out.split_off(6)
}

/// A record of that body.
fn framed(body: &[u8]) -> Vec<u8> {
    let mut room = [0; 10];
    let mut out = super::append::number(&mut room, body.len() as u64).to_vec();
    out.extend_from_slice(body);
    out
}

/// The body of a whole record.
fn body(record: &[u8]) -> &[u8] {
    let prefix = record.iter().position(|byte| byte & 0x80 == 0).expect("a length ends");
    &record[prefix + 1..]
}

#[test]
fn every_kind_is_tried_and_no_other_is_known() {
    for kind in 0..1 << KIND_BITS {
        let record = framed(&[VERSION << KIND_BITS | kind, 0, 0, 0]);
        let is_unknown = matches!(Record::read(&record), Err(Malformed::Kind(_)));
        let parts = Parts {
            key: vec![],
            name: vec![],
            value: vec![],
            count: 0,
            deadline: None,
            first: true,
            score: 0.0,
            object: List::new().into_object(),
        };
        assert_eq!(is_unknown, effect(kind, &parts).is_none(), "{kind}");
    }
}

/// What is on the wire may not change unnoticed.
#[test]
fn the_format_is_this() {
    let slot = |key: &[u8]| Slot::of_key(key).number().to_le_bytes();
    let [low, high] = slot(b"k");
    let set = Effect::Set { key: b"k", value: b"12", deadline: Some(Timestamp(300)) };
    assert_eq!(
        appended(2, Slot::of_key(b"k"), set),
        [12, 0x20, 2, low, high, 1, b'k', 1, 0xAC, 2, 2, b'1', b'2']
    );
    let mut list = List::new();
    list.push(End::Right, b"ab", &Limits::default());
    list.push(End::Right, b"7", &Limits::default());
    let (object, deadline) = (&list.into_object(), None);
    assert_eq!(
        appended(0, Slot::of_key(b"k"), Effect::SetObject { key: b"k", object, deadline }),
        [14, 0x22, 0, low, high, 1, b'k', 0, 1, 2, 2, b'a', b'b', 0xC0, 7]
    );
    let long = appended(0, Slot::of_key(b"k"), Effect::SetAdd { key: b"k", member: &[b'm'; 200] });
    assert_eq!(long[..10], [0xD0, 1, 0x2F, 0, low, high, 1, b'k', 0xC8, 1]);
    assert_eq!(appended(0, Slot::all().next().expect("one"), Effect::FlushSlot), [4, 0x35, 0, 0, 0]);
}

#[test]
fn what_is_wrong_is_named() {
    let check = |body: &[u8], wrong: Malformed| {
        assert_eq!(Record::read(&framed(body)).expect_err("it is malformed"), wrong, "{body:?}");
    };
    let [low, high] = Slot::of_key(b"k").number().to_le_bytes();
    check(&[], Malformed::CutOff("head"));
    check(&[0x40], Malformed::Version(2));
    check(&[0x20], Malformed::CutOff("database"));
    check(&[0x20, 0, 0, 0x40], Malformed::Value("slot"));
    check(&[0x23, 0, low, high, 9, b'k'], Malformed::CutOff("key"));
    check(&[0x23, 0, 0, 0, 1, b'k'], Malformed::OtherSlot(Slot::new(0).expect("a slot")));
    check(&[0x23, 0, low, high, 1, b'k', 7], Malformed::Trailing(1));
    check(&[0x23, 0, low, high, 0x81, 0, b'k'], Malformed::Value("key"));
    check(&[0x25, 0, low, high, 1, b'k', 2], Malformed::Value("deadline"));
    check(&[0x2B, 0, low, high, 1, b'k', 2, 1], Malformed::Value("end of the list"));
    check(&[0x33, 0, low, high, 1, b'k', 2, 1], Malformed::Value("end of the sorted set"));
    let nan = [&[0x31, 0, low, high, 1, b'k', 1, b'm'][..], &f64::NAN.to_le_bytes()].concat();
    check(&nan, Malformed::Value("score"));
    let endless = [0xFF; 12];
    assert_eq!(Record::read(&endless).expect_err("no number"), Malformed::Value("length"));
    let mut room = [0; 10];
    let long = super::append::number(&mut room, RECORD_MAX + 1);
    assert_eq!(Record::read(long).expect_err("too long"), Malformed::TooLong(RECORD_MAX + 1));
    assert_eq!(TooLong(9).to_string(), "the effect takes a record of 9 bytes, and 4294967296 is the limit");
}

#[test]
fn what_would_be_too_long_is_not_appended() {
    let slot = Slot::of_key(b"k");
    let (effect, mut out) = (Effect::SetAdd { key: b"k", member: b"member" }, b"before".to_vec());
    let mut append = |limit| super::append::append_within(limit, &mut out, 0, slot, effect);
    assert_eq!((append(12), append(13)), (Err(TooLong(13)), Ok(())));
    assert_eq!((&out[..6], out.len()), (&b"before"[..], 6 + 14));
}

proptest! {
    #[test]
    fn what_is_appended_is_read_again(kind in 0..22_u8, parts in parts(), db in 0..100_000_usize) {
        let effect = effect(kind, &parts).expect("there are 22");
        let slot = effect.key().map_or(Slot::new(77).expect("a slot"), Slot::of_key);
        let record = appended(db, slot, effect);
        let mut bytes = record.clone();
        bytes.extend_from_slice(b"the next one");
        let (again, taken) = Record::read(&bytes).expect("it is one").expect("it is whole");
        prop_assert_eq!((again.db, again.slot, taken), (db, slot, record.len()));
        match again.change {
            Change::Effect(again) => prop_assert_eq!(format!("{again:?}"), format!("{effect:?}")),
            Change::Object { key, bytes, deadline } => {
                let object = &rdb::read_object(bytes, &Limits::default()).expect("its own bytes");
                let effect = Effect::SetObject { key, object, deadline };
                prop_assert_eq!(appended(db, slot, effect), &record[..]);
            }
        }
    }

    #[test]
    fn a_record_that_is_cut_is_waited_for_and_one_that_lacks_something_refused(
        kind in 0..22_u8,
        parts in parts(),
        at in any::<prop::sample::Index>(),
    ) {
        let effect = effect(kind, &parts).expect("there are 22");
        let slot = effect.key().map_or(Slot::new(77).expect("a slot"), Slot::of_key);
        let record = appended(3, slot, effect);
        prop_assert!(matches!(Record::read(&record[..at.index(record.len())]), Ok(None)));
        let whole = body(&record);
        let short = framed(&whole[..at.index(whole.len())]);
        match Record::read(&short) {
            Err(_) => {}
            // What an object's bytes are is found out by who applies it.
            Ok(short) => prop_assert!(kind == 2 && short.is_some()),
        }
    }

    #[test]
    fn bytes_that_anybody_sends_are_a_record_or_an_error(
        head in 0x20..0x37_u8,
        rest in prop::collection::vec(prop_oneof![0..4_u8, any::<u8>()], 0..40),
    ) {
        let mut body = vec![head];
        body.extend(rest);
        for bytes in [framed(&body), body] {
            if let Ok(Some((record, taken))) = Record::read(&bytes)
                && let Change::Effect(effect) = record.change
            {
                // There is one way to write it.
                prop_assert_eq!(appended(record.db, record.slot, effect), &bytes[..taken]);
            }
        }
    }

    #[test]
    fn a_changed_byte_is_no_panic(
        kind in 0..22_u8,
        parts in parts(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let effect = effect(kind, &parts).expect("there are 22");
        let mut record = appended(3, effect.key().map_or(Slot::new(77).expect("a slot"), Slot::of_key), effect);
        let at = at.index(record.len());
        record[at] = byte;
        if let Ok(Some((Record { change: Change::Object { bytes, .. }, .. }, _))) = Record::read(&record) {
            drop(rdb::read_object(bytes, &Limits::default()));
        }
    }
}
