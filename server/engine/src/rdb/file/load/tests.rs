//! Files as we and as Redis write them, and files that nobody wrote.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::rdb::CRC64;
use crate::testing::Bench;
use crate::{NoEffects, Outline, RdbWriter, Rng, SnapshotSink, Stats};

/// A file in memory.
struct Sink(Mutex<RdbWriter<Vec<u8>>>);

impl SnapshotSink for Sink {
    fn take(&self, db: usize, keys: &[u8]) {
        self.0.lock().expect("no test panics while it writes").put(db, keys).expect("memory takes it");
    }
}

/// The bench's data as a file; `meanwhile` runs after half of the slots are copied.
fn saved(bench: &mut Bench, meanwhile: impl FnOnce(&mut Bench)) -> Vec<u8> {
    let mut sink = None;
    let writer = |outline: &Outline| RdbWriter::new(Vec::new(), outline, &[("ctime", "1")]).expect("memory");
    let outline = bench.engine.begin_snapshot(|outline| {
        let begun = Arc::new(Sink(Mutex::new(writer(outline))));
        sink = Some(Arc::clone(&begun));
        begun
    });
    assert!(outline.is_some());
    let slots: Vec<Slot> = Slot::all().collect();
    slots[..8192].iter().for_each(|&slot| bench.engine.copy_slot(slot));
    meanwhile(bench);
    slots[8192..].iter().for_each(|&slot| bench.engine.copy_slot(slot));
    bench.engine.end_snapshot();
    let sink = sink.and_then(Arc::into_inner).expect("nobody else has it");
    let (file, len) = sink.0.into_inner().expect("no test panics while it writes").finish().expect("memory");
    assert_eq!(file.len() as u64, len);
    file
}

fn loaded(file: &[u8]) -> (Bench, Result<Loaded, LoadError>) {
    loaded_some(file, Wanted::default())
}

fn loaded_some(file: &[u8], wanted: Wanted) -> (Bench, Result<Loaded, LoadError>) {
    let bench = Bench::new();
    let (mut stats, mut rng) = (Stats::default(), Rng::new(1));
    let mut cx = Context::new(Timestamp(bench.now), &NoEffects, &mut stats, &mut rng);
    let result = bench.engine.load_some(&mut cx, file, wanted);
    drop(cx);
    (bench, result)
}

/// Some keys of every type, in two databases.
fn filled() -> Bench {
    let mut bench = Bench::new();
    for number in 0..200 {
        bench.db = number % 2;
        bench.run(&format!("SET string:{number} {number}"));
        bench.run(&format!("RPUSH list:{number} a {number} c"));
        bench.run(&format!("SADD set:{number} {number} -5 7"));
        bench.run(&format!("HSET hash:{number} f {number} g w"));
        bench.run(&format!("ZADD zset:{number} 1.5 a {number} b"));
    }
    bench.db = 0;
    bench
}

const LOOKS: [&str; 5] = ["GET string:", "LRANGE list:", "SMISMEMBER set:", "HMGET hash:", "ZRANGE zset:"];

/// What a bench holds.
fn contents(bench: &mut Bench) -> Vec<String> {
    let mut all = Vec::new();
    for db in 0..2 {
        bench.db = db;
        all.push(bench.run("DBSIZE"));
        for number in 0..200 {
            let tails = ["", " 0 -1", " 7 -5 1", " f g h", " 0 -1 WITHSCORES"];
            all.extend(
                LOOKS.iter().zip(tails).map(|(look, tail)| bench.run(&format!("{look}{number}{tail}"))),
            );
        }
    }
    bench.db = 0;
    all
}

#[test]
fn what_was_saved_is_loaded() {
    let mut bench = filled();
    bench.check_all(&[
        ("SET stays 1 PX 500", "+OK"),
        ("SET goes 1 PX 10", "+OK"),
        ("HSET h f v g w", ":2"),
        ("HPEXPIRE h 700 FIELDS 1 f", "[:1]"),
    ]);
    let file = saved(&mut bench, |_| {});
    assert!(file.starts_with(b"REDIS0012"));
    let now = bench.now + 10;
    let (mut again, mut stats, mut rng) = (Bench::new(), Stats::default(), Rng::new(1));
    again.now = now;
    let mut cx = Context::new(Timestamp(now), &NoEffects, &mut stats, &mut rng);
    let result = again.engine.load(&mut cx, &*file);
    drop(cx);
    assert_eq!(result.expect("our own file"), Loaded { keys: 1002, expired: 1, ..Loaded::default() });
    again.check_all(&[("PTTL stays", ":490"), ("EXISTS goes", ":0"), ("HPTTL h FIELDS 2 f g", "[:690 :-1]")]);
    bench.run("DEL stays goes h");
    again.run("DEL stays h");
    assert_eq!(contents(&mut again), contents(&mut bench));
}

#[test]
fn a_snapshot_is_of_its_moment() {
    let mut bench = filled();
    let before = contents(&mut bench);
    let file = saved(&mut bench, |bench| {
        for number in 0..200 {
            bench.db = number % 2;
            bench.run(&format!("SET new:{number} x"));
            bench.run(&format!("INCR string:{number}"));
            bench.run(&format!("RENAME list:{number} other:{number}"));
            bench.run(&format!("DEL set:{number}"));
        }
        bench.run("FLUSHALL");
        bench.run("SWAPDB 0 1");
    });
    bench.check("DBSIZE", ":0");
    assert!(file.starts_with(b"REDIS0009"));
    let (mut again, result) = loaded(&file);
    assert_eq!(result.expect("our own file"), Loaded { keys: 1000, ..Loaded::default() });
    assert_eq!(contents(&mut again), before);
}

#[test]
fn a_second_snapshot_waits_for_the_first() {
    let bench = filled();
    let sink = |outline: &Outline| -> Arc<dyn SnapshotSink> {
        Arc::new(Sink(Mutex::new(RdbWriter::new(Vec::new(), outline, &[]).expect("memory"))))
    };
    assert_eq!(bench.engine.begin_snapshot(sink).map(|outline| outline.keys()), Some(1000));
    assert!(bench.engine.begin_snapshot(sink).is_none());
    bench.engine.end_snapshot();
    assert!(bench.engine.begin_snapshot(sink).is_some());
}

#[test]
fn files_that_are_none_say_why() {
    let file = saved(&mut filled(), |_| {});
    let why = |file: &[u8]| loaded(file).1.expect_err("no file").to_string();
    assert_eq!(why(b""), "it is cut off after 0 bytes");
    assert_eq!(why(b"REDIS00x1"), "it is no RDB file");
    assert_eq!(why(b"REDIS0099"), "it has version 99 of the format, and the newest that is read is 12");
    assert!(why(&file[..file.len() / 2]).starts_with("it is cut off after"));
    let mut other = file.clone();
    let last = other.len() - 1;
    other[last] ^= 1;
    assert_eq!(why(&other), "its checksum does not fit: it is damaged somewhere");
    other.truncate(last - 7);
    other.extend([0; 8]);
    assert_eq!(loaded(&other).1.expect("a file without a checksum").keys, 1000);
    assert!(why(b"REDIS0011\xfe\x40\x63").ends_with("database 99: raise `databases` to more than that"));
    assert!(why(b"REDIS0011\x15\x01x").starts_with("it contains a stream (the key 'x')"));
    // A length that only promises.
    assert!(why(b"REDIS0011\x00\x01x\x81\x7f\xff\xff\xff\xff\xff\xff\xff").starts_with("it is cut off"));
}

/// A file as redis-server 7.0.15 wrote it: keys with a deadline and a use, packed forms, two databases.
#[test]
fn a_file_of_redis_is_loaded() {
    let mut file =
        b"REDIS0010\xfa\x09redis-ver\x067.0.15\xfa\x0aredis-bits\xc0\x40\xfe\x00\xfb\x02\x01".to_vec();
    file.extend(b"\xfc\xff\xff\xff\xff\xff\x00\x00\x00\x00\x01a\xc0\x0a");
    file.extend(b"\xf8\x05\x10\x01h\x12\x12\x00\x00\x00\x04\x00\x81f\x02\x81v\x02\x81n\x02\x05\x01\xff");
    file.extend(
        b"\xfe\x03\xfb\x01\x00\x0b\x01s\x0e\x02\x00\x00\x00\x03\x00\x00\x00\x01\x00\x02\x00\x2c\x01\xff",
    );
    let checksum = CRC64.checksum(&file);
    file.extend(checksum.to_le_bytes());
    let (mut bench, result) = loaded(&file);
    assert_eq!(result.expect("a file"), Loaded { keys: 3, ..Loaded::default() });
    bench.check_all(&[("OBJECT IDLETIME h", ":5"), ("HGET h n", "5")]);
    bench.check_all(&[("GET a", "10"), ("PEXPIRETIME a", ":1099511627775")]);
    bench.db = 3;
    bench.check("SMISMEMBER s 1 2 300", "[:1 :1 :1]");
}

/// What stands in the files of other servers and not in ours: a function, a module's data, a stream with a group and a
/// consumer, and a module's key.
fn foreign() -> Vec<u8> {
    let mut file = b"REDIS0011\xfa\x0erepl-stream-db\xc0\x03\xf5\x06#!lua\n".to_vec();
    file.extend(b"\xf7\x81\x01\x02\x03\x04\x05\x06\x07\x08\x02\x01\x05\x03abc\x00");
    file.extend(b"\x15\x06stream\x01\x10");
    file.extend([0; 16]);
    file.extend(b"\x05packs\x02\x05\x01\x05\x00\x00\x00\x02\x01\x05group\x05\x01\x02\x01");
    file.extend([0; 24]);
    file.extend(b"\x01\x01\x08consumer");
    file.extend([0; 16]);
    file.extend(b"\x01");
    file.extend([0; 16]);
    file.extend(b"\x07\x03mod\x40\x80\x01\x05\x02\x06\x04");
    file.extend([0; 8]);
    file.extend(b"\x03\x00\x00\x00\x00\x05\x01x\x00\x00\x01a\x01b\xff");
    let checksum = CRC64.checksum(&file);
    file.extend(checksum.to_le_bytes());
    file
}

#[test]
fn what_does_not_exist_here_is_passed_over_where_it_may_be_missing() {
    let wanted = Wanted { known_only: true, ..Wanted::default() };
    let (mut bench, result) = loaded_some(&foreign(), wanted);
    let expected = Loaded { keys: 1, passed_over: 4, stream_db: Some(3), ..Loaded::default() };
    assert_eq!(result.expect("all else is known"), expected);
    bench.check_all(&[("GET a", "b"), ("DBSIZE", ":1")]);
    let why = loaded(&foreign()).1.expect_err("it may not be missing").to_string();
    assert!(why.starts_with("it contains a function (at byte "), "{why}");
    // Where the first form of modules' values ends is not known.
    let why = loaded_some(b"REDIS0011\x06\x01m", wanted).1.expect_err("no length").to_string();
    assert!(why.starts_with("it contains the data of a module (the key 'm')"), "{why}");
}

#[test]
fn keys_whose_time_has_come_are_loaded_for_somebody_else_to_delete() {
    let mut bench = Bench::new();
    bench.check_all(&[("SET a 1 PX 1", "+OK"), ("SET b 1", "+OK")]);
    let file = saved(&mut bench, |_| {});
    let mut again = Bench::new();
    again.now = bench.now + 5;
    let (mut stats, mut rng) = (Stats::default(), Rng::new(1));
    let mut cx = Context::new(Timestamp(again.now), &NoEffects, &mut stats, &mut rng);
    let wanted = Wanted { expired: true, ..Wanted::default() };
    let loaded = again.engine.load_some(&mut cx, &*file, wanted).expect("our own file");
    drop(cx);
    assert_eq!((loaded.keys, loaded.expired), (2, 0));
    again.sees_expired = true;
    again.check("GET a", "1");
    again.sees_expired = false;
    again.check("GET a", "nil");
}

proptest! {
    #[test]
    fn no_bytes_cause_a_panic(kind in any::<u8>(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut file = b"REDIS0011".to_vec();
        file.extend([kind, 1, b'k']);
        file.extend(bytes);
        let _ = loaded(&file);
        let _ = loaded_some(&file, Wanted { known_only: true, expired: true });
    }

    #[test]
    fn a_damaged_file_of_others_is_refused(at in 9_usize..100, byte in any::<u8>()) {
        let mut file = foreign();
        prop_assume!(file[at] != byte);
        file[at] = byte;
        let (_, result) = loaded_some(&file, Wanted { known_only: true, ..Wanted::default() });
        prop_assert!(result.is_err());
    }

    #[test]
    fn a_damaged_file_is_refused_or_read(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bench = Bench::new();
        bench.run("SET a 1 PX 500");
        bench.run("ZADD z 1 a 2 b");
        bench.run("HSET h f v");
        bench.run("RPUSH l some-longer-text-that-is-there some-longer-text-that-is-there");
        let mut file = saved(&mut bench, |_| {});
        let at = at.index(file.len());
        let same = file[at] == byte;
        file[at] = byte;
        let (_, result) = loaded(&file);
        // The version alone is not needed to read the rest.
        prop_assert!(at < 9 || result.is_ok() == same);
    }
}
