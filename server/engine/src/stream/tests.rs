//! What is written to the stream for which commands.

use std::sync::Mutex;

use nuthatch_proto::command_table::Handler;
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::args::OwnedArgs;
use nuthatch_proto::resp::{Protocol, ReplyWriter};
use nuthatch_proto::slot::Slot;
use proptest::prelude::*;

use crate::testing::{Bench, printed, row};
use crate::{Context, Effect, EffectSink, Places, Rng, Running, Stats, Unit};

const NOW: u64 = 1_000_000;

/// The stream as a replica gets it.
#[derive(Default)]
struct Stream(Mutex<(Unit, Vec<u8>, Option<usize>)>);

impl Stream {
    fn unit<R>(&self, look: impl FnOnce(&mut Unit) -> R) -> R {
        look(&mut self.0.lock().expect("no test panics while it holds the stream").0)
    }

    fn write(&self) {
        let mut stream = self.0.lock().expect("no test panics while it holds the stream");
        let (unit, out, selected) = &mut *stream;
        unit.write(out, selected);
    }
}

impl EffectSink for Stream {
    fn emit(&self, db: usize, _: Slot, effect: Effect<'_>) {
        if self.unit(|unit| {
            unit.tell(db, effect);
            !unit.is_running()
        }) {
            self.write();
        }
    }

    fn begin(&self, db: usize, running: Running<'_>) {
        self.unit(|unit| unit.begin(db, running));
    }

    fn done(&self, succeeded: bool) {
        self.unit(|unit| unit.done(succeeded));
    }

    fn end(&self) {
        if self.unit(|unit| unit.is_empty()) { self.unit(Unit::clear) } else { self.write() }
    }
}

/// A followed engine; commands run in database 0 unless they are written as `3: command`.
struct Primary {
    bench: Bench,
    stream: Stream,
}

impl Primary {
    fn new() -> Self {
        let bench = Bench::new();
        bench.engine.follow(true);
        Self { bench, stream: Stream::default() }
    }

    fn with<R>(&mut self, work: impl FnOnce(&crate::Engine, &mut Context<'_>) -> R) -> R {
        let (mut stats, mut rng) = (Stats::default(), Rng::new(1));
        let mut cx = Context::new(Timestamp(self.bench.now), &self.stream, &mut stats, &mut rng);
        work(&self.bench.engine, &mut cx)
    }

    fn run(&mut self, text: &str) -> String {
        let (db, text) = text
            .split_once(": ")
            .map_or((0, text), |(db, text)| (db.parse::<usize>().expect("a database"), text));
        let args: OwnedArgs = text.split(' ').collect();
        let mut out = Vec::new();
        let mut reply = ReplyWriter::new(&mut out, Protocol::Resp2);
        let spec = nuthatch_proto::command_table::lookup(args.as_args().at(0)).expect("a command");
        self.with(|engine, cx| match spec.handler {
            Handler::Keyspace(command) => {
                engine.execute_keyspace(cx, db, command, args.as_args(), &mut reply)
            }
            Handler::Data(_) => {
                let (command, slot) = row(args.as_args());
                engine.execute(cx, db, command, args.as_args(), slot, &mut reply).expect("gates are open");
            }
            Handler::Node(_) | Handler::Transaction(_) | Handler::Script(_) | Handler::Container => {
                panic!("not the engine's")
            }
        });
        printed(&out)
    }

    /// What was written since the last call: each command in brackets.
    fn written(&mut self) -> String {
        printed(&std::mem::take(&mut self.stream.0.lock().expect("no test panics while it holds it").1))
    }
}

/// Runs commands and compares what is written, without the selection of database 0 at the beginning.
#[track_caller]
fn check(commands: &[&str], expected: &str) {
    let mut primary = Primary::new();
    primary.run("SET first 1");
    primary.written();
    commands.iter().for_each(|command| drop(primary.run(command)));
    assert_eq!(primary.written(), expected, "{commands:?}");
}

#[test]
fn strings_and_deadlines_are_absolute() {
    check(&["SET a 1"], "[SET a 1]");
    check(&["SET a 1 EX 10", "SETEX a 20 2"], "[SET a 1 PXAT 1010000] [SET a 2 PXAT 1020000]");
    check(&["INCR a", "APPEND a x"], "[INCR a] [SETRANGE a 1 x]");
    check(&["SET a 1 PX 5", "SET a 2 KEEPTTL"], "[SET a 1 PXAT 1000005] [SET a 2 KEEPTTL]");
    check(&["INCRBYFLOAT a 1.5"], "[SET a 1.5 KEEPTTL]");
    check(&["GETEX first EX 1", "GETEX first PERSIST"], "[PEXPIREAT first 1001000] [PERSIST first]");
    check(&["GETDEL first", "GETDEL first"], "[DEL first]");
    check(&["EXPIREAT first 1"], "[DEL first]");
    check(&["MSET a 1 b 2", "UNLINK a b c", "DEL a"], "[MSET a 1 b 2] [UNLINK a b]");
}

#[test]
fn what_says_the_same_of_a_key_is_one_command() {
    check(&["LPUSH l a b c", "RPUSH l d"], "[LPUSH l a b c] [RPUSH l d]");
    check(&["ZADD z 1 a 2.5 b inf c", "ZMPOP 1 z MIN COUNT 2"], "[ZADD z 1 a 2.5 b inf c] [ZPOPMIN z 2]");
    check(&["GEOADD g 0 0 a -180 0 b"], "[ZADD g 3377699720527872 a 1125899906842624 b]");
    check(&["HSET h f 1 g 2", "HDEL h f x"], "[HSET h f 1 g 2] [HDEL h f]");
    check(&["SADD s a b a", "SREM s a"], "[SADD s a b] [SREM s a]");
    check(&["RPUSH l 1 2 3 4", "LMPOP 2 k l RIGHT COUNT 3"], "[RPUSH l 1 2 3 4] [RPOP l 3]");
    check(&["SADD s a", "SPOP s"], "[SADD s a] [SREM s a]");
}

#[test]
fn what_no_effect_says_is_written_as_it_came() {
    check(&["RPUSH l a", "LINSERT l before a b"], "[RPUSH l a] [LINSERT l before a b]");
    check(&["RENAME first a", "RENAME none a"], "[RENAME first a]");
    check(&["SUNIONSTORE d none"], "");
    check(&["FLUSHDB ASYNC", "FLUSHDB x"], "[FLUSHDB ASYNC]");
    check(&["SWAPDB 0 1"], "[SWAPDB 0 1]");
}

#[test]
fn several_changes_of_one_command_are_a_transaction() {
    check(&["RPUSH l 1 2", "BLMOVE l m LEFT LEFT 0"], "[RPUSH l 1 2] [MULTI] [LPUSH m 1] [LPOP l 1] [EXEC]");
    check(&["GETEX none", "GET first"], "");
}

#[test]
fn the_database_is_selected_when_it_changes() {
    check(
        &["SET a 1", "2: SET b 1", "2: SET c 1", "0: DEL a"],
        "[SET a 1] [SELECT 2] [SET b 1] [SET c 1] [SELECT 0] [DEL a]",
    );
}

#[test]
fn what_has_expired_goes_first_and_alone() {
    let mut primary = Primary::new();
    primary.run("MSET a 1 b 2 c 3");
    primary.run("PEXPIRE a 5");
    primary.run("PEXPIRE b 5");
    primary.written();
    primary.bench.now = NOW + 10;
    primary.run("RENAMENX c a");
    primary.run("GET b");
    assert_eq!(primary.written(), "[DEL a] [RENAMENX c a] [DEL b]");
}

#[test]
fn a_payload_is_restored_until_the_same_moment() {
    let mut primary = Primary::new();
    let (engine, mut cx) = primary.bench.parts();
    let payload =
        crate::rdb::dump(crate::store::entry::ValueRef::String(b"some text"), crate::rdb::Version::Oldest);
    let words: [&[u8]; 4] = [b"RESTORE", b"a", b"500", &payload];
    let args: OwnedArgs = words.iter().collect();
    cx.effects = &primary.stream;
    let (command, slot) = row(args.as_args());
    let mut out = Vec::new();
    let mut reply = ReplyWriter::new(&mut out, Protocol::Resp2);
    engine.execute(&mut cx, 0, command, args.as_args(), slot, &mut reply).expect("gates are open");
    drop(cx);
    let written = primary.written();
    assert!(
        written.starts_with("[SELECT 0] [RESTORE a 1000500 ") && written.ends_with(" ABSTTL]"),
        "{written}"
    );
}

#[test]
fn a_transaction_is_one_unit_unless_it_changes_one_thing() {
    let mut primary = Primary::new();
    let mut together = |commands: &[&str]| {
        let all: Vec<OwnedArgs> = commands.iter().map(|text| text.split(' ').collect()).collect();
        primary.with(|engine, cx| {
            let mut places = Places::default();
            for args in &all {
                let (command, slot) = row(args.as_args());
                engine.add_places(&mut places, 0, command, args.as_args(), slot);
            }
            let begun = engine.begin(cx, &places, None).expect("gates are open");
            let mut transaction = begun.expect("nothing is watched");
            let mut out = Vec::new();
            for args in &all {
                let mut reply = ReplyWriter::new(&mut out, Protocol::Resp2);
                transaction.run(cx, 0, row(args.as_args()).0, args.as_args(), &mut reply);
            }
            transaction.end(cx);
        });
        primary.written()
    };
    assert_eq!(together(&["SET a 1", "GET a"]), "[SELECT 0] [SET a 1]");
    assert_eq!(together(&["INCR a", "GET a", "RPUSH l x"]), "[MULTI] [INCR a] [RPUSH l x] [EXEC]");
    assert_eq!(together(&["GET a", "DEL none"]), "");
}

/// Commands of all kinds on few keys, so that they meet.
fn command() -> impl Strategy<Value = String> {
    let key = prop_oneof!["a", "b", "c"];
    (0..26_usize, key.clone(), key, 0..4_u32).prop_map(|(kind, key, other, n)| match kind {
        0 => format!("SET {key} {n}"),
        1 => format!("SET {key} {n} PX {}", n * 40 + 1),
        2 => format!("INCRBY {key} {n}"),
        3 => format!("APPEND {key} x{n}"),
        4 => format!("RPUSH {key} {n} x {n}"),
        5 => format!("LINSERT {key} AFTER x {n}"),
        6 => format!("LREM {key} -1 {n}"),
        7 => format!("LMOVE {key} {other} LEFT RIGHT"),
        8 => format!("SADD {key} {n} m"),
        9 => format!("SPOP {key} {n}"),
        10 => format!("SMOVE {key} {other} {n}"),
        11 => format!("ZADD {key} {n}.5 {n} 1 m"),
        12 => format!("ZMPOP 2 {key} {other} MAX COUNT {}", n + 1),
        13 => format!("ZUNIONSTORE {key} 2 {key} {other}"),
        14 => format!("HSET {key} f{n} {n} g 1"),
        15 => format!("HINCRBYFLOAT {key} f{n} 0.1"),
        16 => format!("HDEL {key} f{n}"),
        17 => format!("PEXPIRE {key} {}", n * 50),
        18 => format!("PERSIST {key}"),
        19 => format!("RENAME {key} {other}"),
        20 => format!("COPY {key} {other} REPLACE"),
        21 => format!("MOVE {key} 1"),
        22 => format!("SORT {key} ALPHA STORE {other}"),
        23 => format!("GEOADD {key} {n} 1 {n} 2 2 m"),
        24 => format!("GEORADIUSBYMEMBER {key} m 200 km STOREDIST {other}"),
        _ => format!("LTRIM {key} {n} -2"),
    })
}

proptest! {
    /// Whoever runs the stream on an empty server has the same data in the end.
    #[test]
    fn the_stream_makes_the_same_data(commands in prop::collection::vec((command(), 0..30_u64), 1..60)) {
        let mut primary = Primary::new();
        for (command, later) in &commands {
            primary.bench.now += later;
            primary.run(command);
        }
        let now = primary.bench.now;
        let stream = std::mem::take(&mut primary.stream.0.lock().expect("no test panics while it holds it").1);
        let mut replica = Bench::new();
        // A replica does not look at the clock: what expires is deleted by the primary.
        replica.now = NOW - 100_000;
        for words in requests(&stream) {
            match words[0].as_slice() {
                b"SELECT" => replica.db = usize::from(words[1] != b"0"),
                b"MULTI" | b"EXEC" => {}
                _ => prop_assert!(!replica.run_words(&words).starts_with('-'), "{:?}", words),
            }
        }
        let mut own = primary.bench;
        (own.now, replica.now) = (now, now);
        for db in 0..2 {
            (own.db, replica.db) = (db, db);
            for key in ["a", "b", "c"] {
                for look in ["TYPE", "PEXPIRETIME", "GET", "LRANGE", "SMEMBERS", "HGETALL", "ZRANGE"] {
                    let tail = if look == "LRANGE" || look == "ZRANGE" { " 0 -1 WITHSCORES" } else { "" };
                    let tail = if look == "LRANGE" { " 0 -1" } else { tail };
                    let (ours, theirs) =
                        (own.run(&format!("{look} {key}{tail}")), replica.run(&format!("{look} {key}{tail}")));
                    prop_assert_eq!(sorted(&ours, look), sorted(&theirs, look), "{} {}", look, key);
                }
            }
        }
    }
}

/// The words of a set or a hash in one order.
fn sorted(reply: &str, look: &str) -> Vec<String> {
    let mut words: Vec<String> =
        reply.split(' ').map(|word| word.trim_matches(['[', ']']).to_owned()).collect();
    if look == "SMEMBERS" || look == "HGETALL" {
        words.sort();
    }
    words
}

/// The requests of a stream.
fn requests(mut stream: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let line = |stream: &mut &[u8]| {
        let end = stream.windows(2).position(|pair| pair == b"\r\n").expect("a line ends");
        let number = std::str::from_utf8(&stream[1..end]).expect("a number").parse::<usize>().expect("one");
        *stream = &stream[end + 2..];
        number
    };
    let mut all = Vec::new();
    while !stream.is_empty() {
        let count = line(&mut stream);
        all.push(
            (0..count)
                .map(|_| {
                    let len = line(&mut stream);
                    let word = stream[..len].to_vec();
                    stream = &stream[len + 2..];
                    word
                })
                .collect(),
        );
    }
    all
}
