//! The commands together: replies, the strings they leave, and strings that no HyperLogLog ever was.

use proptest::prelude::*;

use super::draft::Draft;
use super::sketch::{DENSE_LEN, HEADER, REGISTERS, Registers, Sketch, runs};
use super::{place, self_test};
use crate::testing::Bench;
use crate::{Classes, Tuning};

const NO_SKETCH: &str = "-WRONGTYPE Key is not a valid HyperLogLog string value.";
const CORRUPT: &str = "-INVALIDOBJ Corrupted HLL object detected";

/// The string at a key.
fn string(bench: &mut Bench, key: &str) -> Vec<u8> {
    let reply = bench.run_raw(&["GET", key]);
    let begin = reply.iter().position(|&byte| byte == b'\n').expect("a bulk string") + 1;
    reply[begin..reply.len() - 2].to_vec()
}

fn registers(sketch: &[u8]) -> Option<Registers> {
    let mut registers = Registers::default();
    Sketch::of(sketch).and_then(|sketch| sketch.merge_into(&mut registers)).ok()?;
    Some(registers)
}

#[test]
fn elements_are_added_counted_and_merged() {
    let mut bench = Bench::new();
    bench.check_all(&[
        ("PFADD h", ":1"),
        ("PFADD h", ":0"),
        ("PFCOUNT h", ":0"),
        ("PFADD h a b c", ":1"),
        ("PFADD h a b c", ":0"),
        ("PFADD h \"\"", ":1"),
        ("PFCOUNT h", ":4"),
        ("PFADD g b c d e", ":1"),
        ("PFCOUNT g h none", ":6"),
        ("PFMERGE m", "+OK"),
        ("PFCOUNT m", ":0"),
        ("PFMERGE m g h none", "+OK"),
        ("PFCOUNT m", ":6"),
        ("PFMERGE h g", "+OK"),
        ("PFCOUNT h", ":6"),
        ("PFCOUNT none", ":0"),
        ("OBJECT ENCODING h", "raw"),
    ]);
}

#[test]
fn counting_notes_nothing_in_a_copy() {
    let mut bench = Bench::new();
    bench.run("PFADD h a b c");
    bench.engine.set_passive(true);
    let before = string(&mut bench, "h");
    bench.effects();
    bench.check("PFCOUNT h", ":3");
    assert_eq!((string(&mut bench, "h") == before, bench.effects().len()), (true, 0));
    bench.engine.set_passive(false);
    bench.check("PFCOUNT h", ":3");
    assert_eq!((string(&mut bench, "h") == before, bench.effects().len()), (false, 1));
}

#[test]
fn the_string_is_as_redis_writes_it() {
    let mut bench = Bench::new();
    bench.run("PFADD h");
    assert_eq!(string(&mut bench, "h"), b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff");
    bench.run("PFCOUNT h");
    assert_eq!(string(&mut bench, "h"), b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff");
    bench.run("PFADD h a b c");
    bench.check("PFDEBUG DECODE h", "Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603");
    bench.run("PFCOUNT h");
    assert_eq!(string(&mut bench, "h")[8..16], [3, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn what_changes_is_told() {
    let mut bench = Bench::new();
    bench.classes = Classes::all();
    bench.run("PFADD h a");
    bench.run("PFADD h a");
    bench.run("PFCOUNT h");
    bench.run("PFCOUNT h");
    bench.run("PFMERGE m h");
    assert_eq!(bench.notices(), ["new h@0", "pfadd h@0", "keymiss m@0", "new m@0", "pfadd m@0"]);
    let effects = bench.effects();
    let kinds: Vec<_> = effects.iter().map(|effect| &effect[..7.min(effect.len())]).collect();
    assert_eq!(kinds, ["set h H", "range h", "set m H"]);
    bench.run("PFDEBUG TODENSE h");
    bench.effects();
    bench.run("PFADD h a b");
    // One register, and that the estimate does not hold any more.
    assert_eq!(bench.effects().len(), 2);
    assert_eq!(bench.run("PFADD h b"), ":0");
    assert_eq!(bench.effects().len(), 0);
}

#[test]
fn deadlines_stay() {
    let mut bench = Bench::new();
    bench.check_all(&[
        ("PFADD h a", ":1"),
        ("PEXPIRE h 1000", ":1"),
        ("PFADD h b", ":1"),
        ("PFCOUNT h", ":2"),
        ("PFMERGE h none", "+OK"),
        ("PFDEBUG TODENSE h", ":1"),
        ("PFADD h c", ":1"),
        ("PTTL h", ":1000"),
    ]);
}

#[test]
fn the_insides_are_shown() {
    let mut bench = Bench::new();
    bench.check_all(&[
        ("PFDEBUG ENCODING h", "-ERR The specified key does not exist"),
        ("PFADD h a", ":1"),
        ("PFDEBUG encoding h", "+sparse"),
        ("PFDEBUG TODENSE h", ":1"),
        ("PFDEBUG TODENSE h", ":0"),
        ("PFDEBUG ENCODING h", "+dense"),
        ("PFDEBUG DECODE h", "-ERR HLL encoding is not sparse"),
        ("PFDEBUG nothing h", "-ERR Unknown PFDEBUG subcommand 'nothing'"),
        ("STRLEN h", ":12304"),
        ("PFCOUNT h", ":1"),
        ("PFADD s a", ":1"),
        ("PFMERGE s h", "+OK"),
        ("PFDEBUG ENCODING s", "+dense"),
    ]);
    let values = bench.run("PFDEBUG GETREG h");
    assert_eq!(values.matches(':').count(), REGISTERS);
    assert_eq!(values.matches(":0").count(), REGISTERS - 1);
}

#[test]
fn what_is_none_is_refused() {
    let mut bench = Bench::new();
    let other = "-WRONGTYPE Operation against a key holding the wrong kind of value";
    bench.check_all(&[("SET s text", "+OK"), ("SET i 5", "+OK"), ("RPUSH l a", ":1"), ("PFADD h a", ":1")]);
    for command in ["PFADD s a", "PFCOUNT s", "PFCOUNT h i", "PFMERGE h s", "PFMERGE s h", "PFDEBUG GETREG s"]
    {
        bench.check(command, NO_SKETCH);
    }
    for command in ["PFADD l a", "PFCOUNT l", "PFCOUNT h l", "PFMERGE h l", "PFDEBUG GETREG l"] {
        bench.check(command, other);
    }
    bench.check("OBJECT ENCODING s", "embstr");
    bench.check("APPEND h hello", ":26");
    for command in ["PFCOUNT h", "PFCOUNT h none", "PFMERGE m h", "PFDEBUG TODENSE h"] {
        bench.check(command, CORRUPT);
    }
    bench.check_all(&[("SETRANGE h 4 x", ":26"), ("PFCOUNT h", NO_SKETCH), ("EXISTS m", ":0")]);
    // More runs than there are registers.
    let long = [&b"HYLL\x01"[..], &[0; 11], &[0x3f; 1 << 20]].concat();
    bench.run_words(&[&b"SET"[..], b"long", &long]);
    for command in ["PFADD long a", "PFCOUNT long", "PFDEBUG DECODE long", "PFMERGE long"] {
        bench.check(command, CORRUPT);
    }
}

#[test]
fn a_long_one_becomes_dense() {
    let mut bench = Bench::new();
    for number in 0..3000 {
        bench.run(&format!("PFADD h element:{number}"));
        let len = string(&mut bench, "h").len();
        assert!(len <= 3000 || len == DENSE_LEN, "{len}");
    }
    bench.check("PFDEBUG ENCODING h", "+dense");
    bench.engine.tune(Tuning { hll_sparse_max: 0, ..Tuning::default() });
    bench.check_all(&[("PFADD g", ":1"), ("STRLEN g", ":18"), ("PFADD g a", ":1"), ("STRLEN g", ":12304")]);
}

#[test]
fn it_finds_nothing_wrong_with_itself() {
    assert_eq!(self_test(7), Ok(()));
}

proptest! {
    #[test]
    fn sparse_and_dense_have_the_same_registers(
        raises in prop::collection::vec((0..REGISTERS, 1..36u8), 1..300),
        near in prop::collection::vec((0..40usize, 1..6u8), 1..300),
    ) {
        let (mut sparse, mut dense) = (Draft::empty(3000), Draft::empty(0));
        dense.make_dense().expect("an empty one is sound");
        let mut model = vec![0; REGISTERS];
        for (register, value) in near.into_iter().chain(raises) {
            let higher = model[register] < value;
            model[register] = value.max(model[register]);
            prop_assert_eq!(sparse.raise(register, value), Ok(higher));
            prop_assert_eq!(dense.raise(register, value), Ok(higher));
        }
        for draft in [&sparse, &dense] {
            let found = registers(draft.bytes()).expect("it is sound");
            prop_assert_eq!(found.values(), &model[..]);
        }
    }

    /// Whatever the bytes are, the answer is a reply, and what is left of a sound one is sound.
    #[test]
    fn any_bytes_are_read_within_their_bounds(
        magic in prop::bool::weighted(0.9),
        dense in any::<bool>(),
        header in prop::array::uniform11(any::<u8>()),
        body in prop::collection::vec(any::<u8>(), 0..200),
        full in any::<bool>(),
        raises in prop::collection::vec("[a-z]{1,3}", 1..20),
    ) {
        let mut bytes = if magic { b"HYLL".to_vec() } else { b"HYLO".to_vec() };
        bytes.push(u8::from(!dense));
        bytes.extend(header);
        bytes.extend(body.iter().cycle().take(if full && dense { DENSE_LEN - HEADER } else { body.len() }));
        if full && !dense {
            // What is missing to all registers, so that many of these are sound.
            let have: usize = runs(&bytes[HEADER..]).map(|run| run.len).sum();
            bytes.extend(std::iter::repeat_n(0, REGISTERS.saturating_sub(have)));
        }
        let was_sound = registers(&bytes).is_some();
        let mut bench = Bench::new();
        for command in ["PFCOUNT h", "PFCOUNT h h", "PFDEBUG DECODE h", "PFDEBUG ENCODING h", "PFADD h", "PFMERGE h"] {
            bench.run_words(&[&b"SET"[..], b"h", &bytes]);
            bench.run(command);
            let mut add = vec!["PFADD", "h"];
            add.extend(raises.iter().map(String::as_str));
            bench.run_words(&add);
            let left = string(&mut bench, "h");
            prop_assert!(!was_sound || registers(&left).is_some(), "{} made {:?} unsound", command, bytes);
            if was_sound {
                let found = registers(&left).expect("it is sound");
                for (register, value) in raises.iter().map(|element| place(element.as_bytes())) {
                    prop_assert!(found.values()[register] >= value);
                }
            }
        }
        bench.run_words(&[&b"SET"[..], b"h", &bytes]);
        bench.run("PFDEBUG GETREG h");
        bench.run("PFMERGE g h");
    }
}
