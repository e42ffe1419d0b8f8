//! A copy that is given a primary's records is the primary's equal, whatever the commands were, from wherever on its
//! slots were copied, and in whatever forms it keeps them.

mod commands;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use nuthatch_proto::command_table::Handler;
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::args::OwnedArgs;
use nuthatch_proto::resp::{Protocol, ReplyWriter};
use nuthatch_proto::slot::Slot;
use proptest::prelude::*;

use self::commands::{Command, DATABASES, Swarm, TAGS};
use super::{Divergence, Unapplied};
use crate::effect::record::{Malformed, Record, append};
use crate::testing::{printed, row};
use crate::value::Limits;
use crate::{
    Context, Effect, EffectSink, Engine, EngineOptions, Mailbox, NoEffects, Outcome, Places, Rng, SlotCopy,
    Stats, Tuning, Wait,
};

/// A primary's log.
#[derive(Default)]
struct Log(Mutex<Vec<u8>>);

impl Log {
    fn len(&self) -> usize {
        self.0.lock().expect("no test panics while it holds the log").len()
    }

    fn from(&self, offset: usize) -> Vec<u8> {
        self.0.lock().expect("no test panics while it holds the log")[offset..].to_vec()
    }
}

impl EffectSink for Log {
    fn emit(&self, db: usize, slot: Slot, effect: Effect<'_>) {
        let mut log = self.0.lock().expect("no test panics while it holds the log");
        append(&mut log, db, slot, effect).expect("it is short");
    }
}

/// Whoever hears of effects on a copy has heard of a bug.
struct Nothing;

impl EffectSink for Nothing {
    fn emit(&self, _: usize, _: Slot, effect: Effect<'_>) {
        panic!("a copy has an effect of its own: {effect:?}");
    }
}

/// A client whose replies nobody reads.
struct Silent;

impl Mailbox for Silent {
    fn deliver(&self, _: Outcome) {}

    fn is_open(&self) -> bool {
        true
    }
}

/// An engine and what a thread of it has.
struct Node {
    engine: Engine,
    stats: Stats,
    rng: Rng,
    waits: Vec<Wait>,
}

impl Node {
    fn new(seed: u64) -> Self {
        let engine = Engine::new(EngineOptions { databases: DATABASES, in_cluster: false, hash_seed: seed });
        Self { engine, stats: Stats::default(), rng: Rng::new(seed), waits: Vec::new() }
    }

    fn with<R>(
        &mut self,
        effects: &dyn EffectSink,
        now: u64,
        work: impl FnOnce(&Engine, &mut Context<'_>) -> R,
    ) -> R {
        work(&self.engine, &mut Context::new(Timestamp(now), effects, &mut self.stats, &mut self.rng))
    }

    fn run(&mut self, effects: &dyn EffectSink, now: u64, db: usize, words: &[Vec<u8>]) -> Vec<u8> {
        let owned: OwnedArgs = words.iter().collect();
        let (args, mut out) = (owned.as_args(), Vec::new());
        let mut reply = ReplyWriter::new(&mut out, Protocol::Resp2);
        let spec = commands::row(words).expect("a command");
        let wait = self.with(effects, now, |engine, cx| match spec.handler {
            Handler::Keyspace(command) => {
                engine.execute_keyspace(cx, db, command, args, &mut reply);
                None
            }
            Handler::Data(_) | Handler::Container => {
                let (command, slot) = row(args);
                if spec.flags.contains(nuthatch_proto::command_table::Flags::BLOCKING) {
                    let asked = (command, args, slot);
                    engine
                        .execute_or_wait(cx, db, asked, Arc::new(Silent), &mut reply)
                        .expect("gates are open")
                } else {
                    engine.execute(cx, db, command, args, slot, &mut reply).expect("gates are open");
                    None
                }
            }
            Handler::Node(_) | Handler::Transaction(_) | Handler::Script(_) => panic!("not the engine's"),
        });
        self.waits.extend(wait);
        out
    }

    fn digests(&self) -> Vec<(crate::SlotDigest, usize)> {
        let slots = TAGS.iter().map(|tag| Slot::of_key(tag.as_bytes()));
        slots.map(|slot| self.engine.digest_slot(slot, || 0)).collect()
    }
}

/// A primary and a copy that follows it from a distance.
struct Pair {
    primary: Node,
    log: Log,
    copy: Node,
    /// How much of the log the copy has applied, and from where on what concerns a slot.
    applied: usize,
    copied: BTreeMap<Slot, usize>,
    now: u64,
    db: usize,
    swarm: Swarm,
    /// What was done, for who reads of a failure.
    history: Vec<String>,
}

/// A command as one would write it.
fn text(words: &[Vec<u8>]) -> String {
    let words: Vec<_> = words.iter().map(|word| word.escape_ascii().to_string()).collect();
    words.join(" ")
}

impl Pair {
    fn new(swarm: Swarm) -> Self {
        let (primary, copy) = (Node::new(1), Node::new(2));
        let limits = Limits {
            hash_entries: 3,
            list_size: 4,
            set_integers: 2,
            set_entries: 3,
            sorted_set_entries: 3,
            ..Limits::default()
        };
        copy.engine.tune(Tuning { limits, ..Tuning::default() });
        copy.engine.set_passive(true);
        let log = Log::default();
        Self {
            primary,
            log,
            copy,
            applied: 0,
            copied: BTreeMap::new(),
            now: 1_000_000,
            db: 0,
            swarm,
            history: Vec::new(),
        }
    }

    /// Runs a command on the primary.
    fn run(&mut self, mut command: Command) {
        if let Some(index) = command.dumped {
            let dump = [b"DUMP".to_vec(), command.words[index].clone()];
            let payload = self.primary.run(&self.log, self.now, self.db, &dump);
            let end = payload.iter().position(|&byte| byte == b'\n').expect("a reply");
            command.words[index] = payload[end + 1..payload.len().max(end + 3) - 2].to_vec();
        }
        self.history.push(format!("{}: {}", self.db, text(&command.words)));
        self.primary.run(&self.log, self.now, self.db, &command.words);
    }

    /// Runs a few commands as one.
    fn run_together(&mut self, rng: &mut Rng) {
        let mut all = Vec::new();
        while all.len() < 1 + rng.below(4) {
            let words = commands::write(rng, self.swarm, self.now).words;
            if commands::row(&words).is_some_and(|row| matches!(row.handler, Handler::Data(_))) {
                self.history.push(format!("{}: together: {}", self.db, text(&words)));
                all.push(words.iter().collect::<OwnedArgs>());
            }
        }
        let db = self.db;
        self.primary.with(&self.log, self.now, |engine, cx| {
            let mut places = Places::default();
            for words in &all {
                let (command, slot) = row(words.as_args());
                engine.add_places(&mut places, db, command, words.as_args(), slot);
            }
            let begun = engine.begin(cx, &places, None).expect("gates are open");
            let mut transaction = begun.expect("nothing is watched");
            for words in &all {
                let (command, _) = row(words.as_args());
                let mut out = Vec::new();
                let mut reply = ReplyWriter::new(&mut out, Protocol::Resp2);
                transaction.run(cx, db, command, words.as_args(), &mut reply);
            }
            transaction.end(cx);
        });
    }

    /// The copy applies what it has not.
    fn catch_up(&mut self) {
        let records = self.log.from(self.applied);
        let mut at = 0;
        while let Some((record, taken)) = Record::read(&records[at..]).expect("the primary wrote it") {
            let offset = self.applied + at;
            if self.copied.get(&record.slot).is_none_or(|&from| offset >= from) {
                let applied =
                    self.copy.with(&Nothing, self.now, |engine, cx| engine.apply_record(cx, &record));
                assert_eq!(applied, Ok(()), "{record:?} after {:#?}", self.history);
            }
            at += taken;
        }
        assert_eq!(at, records.len());
        self.applied += at;
    }

    /// The copy takes a slot anew, wherever it stands otherwise.
    fn copy_slot(&mut self, slot: Slot) {
        let mut pieces = Vec::new();
        let take = |db: usize, piece: &[u8]| pieces.push((db, piece.to_vec()));
        let from = self.primary.engine.export_slot(slot, || self.log.len(), take);
        self.copy.with(&Nothing, self.now, |engine, cx| {
            let mut copy = SlotCopy::new(slot);
            for (db, piece) in pieces {
                engine.import_piece(cx, &mut copy, db, &piece).expect("the primary wrote it");
            }
            engine.replace_slot(cx, copy);
        });
        self.copied.insert(slot, from);
        self.history.push(format!("slot {slot} is copied"));
    }

    /// What the copy must have when it has applied all records.
    #[track_caller]
    fn compare(&self) {
        assert_eq!(self.copy.digests(), self.primary.digests(), "{:#?}", self.history);
    }

    /// What both reply to the same question, the copy being asked first; their words sorted.
    fn replies(&mut self, words: &[Vec<u8>]) -> [Vec<String>; 2] {
        let of_copy = self.copy.run(&Nothing, self.now, self.db, words);
        let of_primary = self.primary.run(&self.log, self.now, self.db, words);
        [of_copy, of_primary].map(|reply| {
            let text = printed(&reply);
            let text = text.trim_matches(['[', ']']);
            // Compact sorted sets make 0 of the score -0.
            let mut words: Vec<_> =
                text.split(' ').map(|word| if word == "-0" { "0" } else { word }.to_owned()).collect();
            words.sort();
            words
        })
    }

    fn step(&mut self, dice: u64) {
        let mut rng = Rng::new(dice);
        match rng.below(100) {
            0..5 => {
                self.now += rng.below(150) as u64;
                self.history.push(format!("it is {}", self.now));
            }
            5..8 => drop(self.primary.with(&self.log, self.now, |engine, cx| engine.expire_due(cx, 3))),
            8..10 => self.db = rng.below(DATABASES) * rng.below(2),
            10..14 => self.copy_slot(Slot::of_key(TAGS[rng.below(TAGS.len())].as_bytes())),
            14..22 => {
                // Whatever the copy has, its reads change nothing in it, and see nothing expired.
                let words = commands::read(&mut rng, self.swarm, self.now).words;
                self.copy.run(&Nothing, self.now, self.db, &words);
                self.copy.with(&Nothing, self.now, |engine, cx| assert_eq!(engine.expire_due(cx, 9), 0));
            }
            22..26 => {
                self.catch_up();
                self.compare();
                let words = commands::read(&mut rng, self.swarm, self.now).words;
                let [of_copy, of_primary] = self.replies(&words);
                assert_eq!(of_copy, of_primary, "{} after {:#?}", text(&words), self.history);
            }
            26..28 => {
                for wait in std::mem::take(&mut self.primary.waits) {
                    self.primary.engine.leave(wait);
                }
            }
            28..36 => self.run_together(&mut rng),
            _ => self.run(commands::write(&mut rng, self.swarm, self.now)),
        }
    }

    /// Whatever lies behind, the copy can become the primary's equal, and its successor.
    fn end(&mut self) {
        self.catch_up();
        let now = Timestamp(self.now);
        self.compare();
        assert_eq!(self.copy.engine.digest(now), self.primary.engine.digest(now));
        for db in 0..DATABASES {
            let stats = |node: &Node| node.engine.database_stats(db, now);
            assert_eq!(stats(&self.copy), stats(&self.primary));
        }
        self.copy.engine.set_passive(false);
        self.now += 400;
        for node in [&mut self.copy, &mut self.primary] {
            node.with(&NoEffects, self.now, |engine, cx| engine.expire_due(cx, usize::MAX));
        }
        self.compare();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_copy_that_applies_the_records_is_its_primarys_equal(
        steps in prop::collection::vec(any::<u64>(), 1..500),
        swarm in any::<u64>().prop_map(Swarm::new),
        followed in any::<bool>(),
    ) {
        let mut pair = Pair::new(swarm);
        pair.primary.engine.follow(followed);
        steps.iter().for_each(|&dice| pair.step(dice));
        pair.end();
    }
}

/// Applies effects of key `k` in database 0 to an engine on which these commands ran.
fn applied(commands: &[&str], effects: &[Effect<'_>]) -> (Node, Result<usize, Unapplied>) {
    let mut node = Node::new(5);
    for command in commands {
        let words: Vec<Vec<u8>> = command.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        node.run(&NoEffects, 1_000_000, 0, &words);
    }
    let mut records = Vec::new();
    for &effect in effects {
        append(&mut records, 0, Slot::of_key(b"k"), effect).expect("it is short");
    }
    let applied = node.with(&NoEffects, 1_000_000, |engine, cx| engine.apply(cx, &records));
    (node, applied)
}

#[test]
fn an_effect_that_does_not_fit_is_told() {
    use crate::effect::End;
    use crate::value::Extreme;
    let (key, element, field): (&[u8], &[u8], &[u8]) = (b"k", b"e", b"f");
    let (end, from, far) = (End::Left, Extreme::Highest, Some(Timestamp(u64::MAX)));
    let check = |command: &str, effect, why| {
        let (_, applied) = applied(&[command], &[effect]);
        assert_eq!(applied, Err(Unapplied::Diverged { at: 0, why }), "{command}: {effect:?}");
    };
    let none = "SET other 1";
    for effect in [
        Effect::Delete { key },
        Effect::Expire { key },
        Effect::Deadline { key, deadline: None },
        Effect::SetRange { key, offset: 0, bytes: element },
        Effect::HashDelete { key, field },
        Effect::ListPop { key, end, count: 1 },
        Effect::SetRemove { key, member: element },
        Effect::SortedSetPop { key, from, count: 1 },
    ] {
        check(none, effect, Divergence::NoKey);
    }
    for effect in [
        Effect::SetRange { key, offset: 0, bytes: element },
        Effect::HashSet { key, field, value: element },
        Effect::SetAdd { key, member: element },
        Effect::SortedSetAdd { key, member: element, score: 1.0 },
    ] {
        check("RPUSH k a b", effect, Divergence::OtherType);
    }
    check("SET k 1", Effect::ListPush { key, end, element }, Divergence::OtherType);
    for effect in [
        Effect::ListPop { key, end, count: 3 },
        Effect::ListPop { key, end: End::Right, count: usize::MAX },
        Effect::ListSet { key, index: 2, element },
        Effect::ListInsert { key, index: 3, element },
        Effect::ListRemove { key, from: end, count: 2, element: b"a" },
    ] {
        check("RPUSH k a b", effect, Divergence::NoElement);
    }
    check("SADD k e", Effect::SetAdd { key, member: element }, Divergence::ElementThere);
    check("SADD k a", Effect::SetRemove { key, member: element }, Divergence::NoElement);
    check("ZADD k 1 a", Effect::SortedSetRemove { key, member: element }, Divergence::NoElement);
    check("ZADD k 1 a", Effect::SortedSetPop { key, from, count: 2 }, Divergence::NoElement);
    check("HSET k a 1", Effect::HashDelete { key, field }, Divergence::NoElement);
    check(
        "HSET k a 1",
        Effect::HashDeadline { key, field, deadline: Some(Timestamp(9)) },
        Divergence::NoElement,
    );
    check("HSET k f 1", Effect::HashDeadline { key, field, deadline: None }, Divergence::NoDeadline);
    check("HSET k f 1", Effect::HashDeadline { key, field, deadline: far }, Divergence::BadValue);
    check("HSET k f 1", Effect::HashExpire { key, field }, Divergence::NoDeadline);
    check("SET k 1", Effect::Expire { key }, Divergence::NoDeadline);
    check("SET k 1", Effect::SetRange { key, offset: usize::MAX, bytes: element }, Divergence::BadValue);
    check("SET k 1", Effect::SetRange { key, offset: 1 << 40, bytes: element }, Divergence::BadValue);
    check("SET k 1", Effect::SwapSlot { with: 0 }, Divergence::NoDatabase(0));
    check("SET k 1", Effect::SwapSlot { with: DATABASES }, Divergence::NoDatabase(DATABASES));
    check(none, Effect::SwapSlot { with: 1 }, Divergence::NoKeys);
    check(none, Effect::FlushSlot, Divergence::NoKeys);
}

#[test]
fn what_does_not_fit_is_found_where_it_is() {
    let (first, then) =
        (Effect::Set { key: b"k", value: b"1", deadline: None }, Effect::Delete { key: b"k" });
    let (_, all) = applied(&[], &[first, then]);
    let (_, again) = applied(&[], &[first, then, then]);
    let end = all.expect("both fit");
    assert_eq!(again, Err(Unapplied::Diverged { at: end, why: Divergence::NoKey }));
    let mut node = Node::new(1);
    let mut apply = |bytes: &[u8]| node.with(&NoEffects, 1, |engine, cx| engine.apply(cx, bytes));
    let mut record = Vec::new();
    append(&mut record, DATABASES, Slot::of_key(b"k"), first).expect("it is short");
    let why = Divergence::NoDatabase(DATABASES);
    assert_eq!(apply(&record), Err(Unapplied::Diverged { at: 0, why }));
    record.clear();
    append(&mut record, 0, Slot::of_key(b"k"), first).expect("it is short");
    let whole = record.len();
    record.extend_from_slice(&[9, 0x20]);
    assert_eq!(apply(&record), Ok(whole));
    record.truncate(whole);
    record.extend_from_slice(&[1, 0xFF]);
    assert_eq!(apply(&record), Err(Unapplied::Malformed { at: whole, why: Malformed::Version(7) }));
}

#[test]
fn watched_keys_change_and_those_who_wait_are_not_served() {
    let effects: [&[Effect<'_>]; 6] = [
        &[Effect::Set { key: b"k", value: b"1", deadline: None }],
        &[Effect::ListPush { key: b"k", end: crate::effect::End::Left, element: b"e" }],
        &[Effect::SetAdd { key: b"k", member: b"e" }],
        &[Effect::Set { key: b"k", value: b"1", deadline: None }, Effect::FlushSlot],
        &[Effect::Set { key: b"k", value: b"1", deadline: None }, Effect::SwapSlot { with: 1 }],
        &[Effect::Set { key: b"k", value: b"1", deadline: None }, Effect::Delete { key: b"k" }],
    ];
    for effects in effects {
        let mut node = Node::new(1);
        let slot = Slot::of_key(b"k");
        let mut watching = node.engine.watching();
        node.with(&NoEffects, 1, |engine, cx| engine.watch(cx, &mut watching, 0, slot, b"k").expect("open"));
        let words = ["BLPOP", "k", "0"].map(|word| word.as_bytes().to_vec());
        node.run(&NoEffects, 1, 0, &words);
        let mut records = Vec::new();
        for &effect in effects {
            append(&mut records, 0, slot, effect).expect("it is short");
        }
        node.with(&NoEffects, 1, |engine, cx| engine.apply(cx, &records)).expect("it fits");
        assert!(watching.is_touched(), "{effects:?}");
        node.engine.unwatch(watching);
        let waiter = node.waits.pop().expect("it waits");
        assert!(waiter.waiter().end(Outcome::TimedOut), "{effects:?}");
        node.engine.leave(waiter);
    }
}
