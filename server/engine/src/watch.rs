//! Watched keys: the optimistic half of transactions.
//!
//! A client that watches keys has one flag; whatever changes one of the keys raises it, under the lock of the key's
//! slot. A transaction locks the slots of the watched keys together with its own, so that what the flag says when it
//! begins holds until it ends.
//!
//! A key whose deadline has passed is removed before it is watched: what becomes of it later is then no change, and a
//! key that was alive and expires is one, whether somebody has removed it yet or not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nuthatch_proto::slot::Slot;

use crate::context::Context;
use crate::engine::{Engine, Refused};
use crate::store::slot::{Gate, Hashed, Place};

/// The flag of one client.
#[derive(Debug)]
pub(crate) struct Watcher {
    id: u64,
    touched: AtomicBool,
}

impl Watcher {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Raises the flag.
    pub(crate) fn touch(&self) {
        self.touched.store(true, Ordering::Release);
    }

    fn is_touched(&self) -> bool {
        self.touched.load(Ordering::Acquire)
    }
}

/// Whether a key that one client watches has changed, for others to look at.
#[derive(Debug, Clone)]
pub struct TouchFlag(Arc<Watcher>);

impl TouchFlag {
    /// Whether one has.
    pub fn is_touched(&self) -> bool {
        self.0.is_touched()
    }
}

/// The keys that one client watches. To be given back with [`Engine::unwatch`]: the slots know the client until then.
#[derive(Debug)]
pub struct Watching {
    watcher: Arc<Watcher>,
    keys: BTreeSet<(Place, Box<[u8]>)>,
    bytes: usize,
}

impl Watching {
    /// How many keys are watched.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key is watched.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many bytes the keys have together.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether one of the keys has changed. Without the locks of their slots, "no" is already old.
    pub fn is_touched(&self) -> bool {
        self.watcher.is_touched()
    }

    /// The same for others to ask.
    pub fn flag(&self) -> TouchFlag {
        TouchFlag(Arc::clone(&self.watcher))
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = Place> {
        self.keys.iter().map(|&(place, _)| place)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = (Place, &[u8])> {
        self.keys.iter().map(|(place, key)| (*place, &**key))
    }
}

impl Engine {
    /// A client that watches nothing yet.
    pub fn watching(&self) -> Watching {
        let watcher = Arc::new(Watcher { id: self.next_number(), touched: AtomicBool::new(false) });
        Watching { watcher, keys: BTreeSet::new(), bytes: 0 }
    }

    /// Watches one more key, which is in that slot.
    pub fn watch(
        &self,
        cx: &mut Context<'_>,
        watching: &mut Watching,
        db: usize,
        slot: Slot,
        key: &[u8],
    ) -> Result<(), Refused> {
        let place = Place { db, slot };
        if watching.is_touched() || !watching.keys.insert((place, key.into())) {
            return Ok(());
        }
        let mut data = self.slot(place).lock();
        if data.gate == Gate::Shut {
            watching.keys.remove(&(place, key.into()));
            return Err(Refused { slot });
        }
        data.live(cx, Hashed { bytes: key, hash: self.hash().of(key), hasher: self.hash() }, place);
        watching.bytes += key.len();
        data.attention_mut().watch(key, &watching.watcher);
        Ok(())
    }

    /// Ends the watch over all keys.
    pub fn unwatch(&self, watching: Watching) {
        for (place, key) in watching.keys() {
            self.slot(place).lock().attend_less(|attention| attention.unwatch(key, &watching.watcher));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    fn watch(bench: &mut Bench, watching: &mut Watching, key: &str) {
        let db = bench.db;
        let (engine, mut cx) = bench.parts();
        let slot = Slot::of_key(key.as_bytes());
        engine.watch(&mut cx, watching, db, slot, key.as_bytes()).expect("gates are open");
    }

    /// Whether a transaction that watches `k` since `before` may run after `after`.
    fn survives(before: &[&str], after: &[&str]) -> bool {
        let mut bench = Bench::new();
        let run = |bench: &mut Bench, commands: &[&str]| {
            for command in commands {
                match command.split_once(' ') {
                    Some(("WAIT", time)) => bench.now += time.parse::<u64>().expect("a time"),
                    Some(("DB", db)) => bench.db = db.parse().expect("a database"),
                    _ => assert!(!bench.run(command).starts_with('-'), "{command}"),
                }
            }
        };
        run(&mut bench, before);
        let mut watching = bench.engine.watching();
        watch(&mut bench, &mut watching, "k");
        run(&mut bench, after);
        let (engine, mut cx) = bench.parts();
        let begun = engine.begin(&mut cx, &crate::Places::default(), Some(&watching));
        let begun = begun.expect("gates are open").is_some();
        engine.unwatch(watching);
        begun
    }

    #[test]
    fn what_changes_a_watched_key_stops_the_transaction() {
        let changes: [(&[&str], &[&str]); 19] = [
            (&[], &["SET k 1"]),
            (&["SET k 1"], &["SET k 1"]),
            (&["SET k 1"], &["APPEND k 2"]),
            (&["SET k 1"], &["DEL k"]),
            (&["SET k 1"], &["PEXPIRE k 100"]),
            (&["SET k 1 PX 100"], &["PERSIST k"]),
            (&["SET k 1"], &["RENAME k l"]),
            (&["SET l 1"], &["RENAME l k"]),
            (&["SET l 1"], &["COPY l k"]),
            (&["RPUSH k a b"], &["LPOP k"]),
            (&["RPUSH k a b"], &["LTRIM k 0 -1"]),
            (&["SET k a"], &["SETBIT k 9 0"]),
            (&["SADD k a"], &["SREM k a"]),
            (&["HSET k f v"], &["HSET k f w"]),
            (&["ZADD k 1 a"], &["ZADD k 2 a"]),
            (&["SET k 1"], &["FLUSHALL"]),
            (&["SET k 1"], &["FLUSHDB", "SET k 1"]),
            (&["SET k 1 PX 100"], &["WAIT 100"]),
            (&["SET k 1 PX 100"], &["WAIT 100", "GET k"]),
        ];
        for (before, after) in changes {
            assert!(!survives(before, after), "{before:?} {after:?}");
        }
    }

    #[test]
    fn what_leaves_a_watched_key_alone_does_not() {
        let others: [(&[&str], &[&str]); 11] = [
            (&[], &[]),
            (&["SET k 1"], &["GET k", "SET l 1", "EXISTS k"]),
            (&["SET k 1"], &["DB 1", "SET k 2", "FLUSHDB"]),
            (&[], &["DEL k"]),
            (&[], &["FLUSHALL"]),
            (&["SET k 1"], &["COPY k l"]),
            (&["SET k a"], &["SETBIT k 0 0", "SETBIT k 1 1"]),
            (&[], &["LTRIM k 0 -1"]),
            // It was past its deadline before it was watched.
            (&["SET k 1 PX 100", "WAIT 100"], &[]),
            (&["SET k 1 PX 100", "WAIT 100"], &["EXISTS k"]),
            (&["SET k 1 PX 100", "WAIT 100"], &["FLUSHALL"]),
        ];
        for (before, after) in others {
            assert!(survives(before, after), "{before:?} {after:?}");
        }
    }

    #[test]
    fn keys_that_expire_by_themselves_are_changes_too() {
        let mut bench = Bench::new();
        bench.check("SET k 1 PX 100", "+OK");
        let mut watching = bench.engine.watching();
        watch(&mut bench, &mut watching, "k");
        bench.now += 200;
        assert_eq!((watching.is_touched(), bench.expire(10), watching.is_touched()), (false, 1, true));
    }

    #[test]
    fn nothing_is_left_of_a_watch_that_ended() {
        let mut bench = Bench::new();
        let mut one = bench.engine.watching();
        let mut other = bench.engine.watching();
        for key in ["a", "b", "a"] {
            watch(&mut bench, &mut one, key);
        }
        watch(&mut bench, &mut other, "a");
        assert_eq!((one.len(), one.bytes(), other.len()), (2, 2, 1));
        bench.engine.unwatch(one);
        let place = |key: &str| Place { db: 0, slot: Slot::of_key(key.as_bytes()) };
        let attended = |bench: &Bench, key| bench.engine.slot(place(key)).lock().is_attended();
        assert!(attended(&bench, "a") && !attended(&bench, "b"));
        bench.check("SET a 1", "+OK");
        assert!(other.is_touched() && !attended(&bench, "a"));
        bench.engine.unwatch(other);
    }

    #[test]
    fn a_slot_that_is_not_served_is_not_watched() {
        let mut bench = Bench::new();
        let slot = Slot::of_key(b"k");
        let mut watching = bench.engine.watching();
        watch(&mut bench, &mut watching, "k");
        bench.engine.set_gate(slot, Gate::Shut);
        let (engine, mut cx) = bench.parts();
        let mut late = engine.watching();
        assert_eq!(engine.watch(&mut cx, &mut late, 0, slot, b"k"), Err(Refused { slot }));
        assert!(late.is_empty());
        let begun = engine.begin(&mut cx, &crate::Places::default(), Some(&watching));
        assert!(begun.is_ok_and(|begun| begun.is_none()));
        engine.unwatch(watching);
    }
}
