//! The engine: the databases, and how a command finds, locks and leaves its slots.
//!
//! Shared by all data threads. A command on one slot takes one lock; one on several takes them in ascending order of
//! (database, slot), so that no two commands wait for each other in a circle. A shut gate refuses the command before
//! anything is written: the caller routes it again.

mod ahead;
mod swap;

pub use ahead::Sought;

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use foldhash::fast::FixedState;
use nuthatch_proto::command_table::{DataCommand, KeyspaceCommand};
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::{Args, ReplyWriter};
use nuthatch_proto::slot::Slot;
use parking_lot::{Mutex, RwLock};

use crate::command;
use crate::context::Context;
use crate::effect::{Effect, Running};
use crate::snapshot::Snapshot;
use crate::standstill::{Seat, Turns};
use crate::store::database::Databases;
use crate::store::locked::{Guard, LockedSlots};
use crate::store::reclaim::{Debt, Reclaim};
use crate::store::slot::{Gate, Hashed, Place, SlotCell, SlotData};
use crate::store::table::Table;
use crate::stream;
use crate::tuning::{Tuned, Tuning};
use crate::waiting;

/// How an engine is made.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// How many databases there are.
    pub databases: usize,
    /// Whether its slots are a part of a cluster's: commands may not reach beyond the slots of their keys then.
    pub in_cluster: bool,
    /// Secret of the process: keys are hashed with it, so that nobody outside can choose keys that collide.
    pub hash_seed: u64,
}

/// The slot's gate is shut: nothing was done and nothing written; the command must be routed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("slot {slot} is not served here now")]
pub struct Refused {
    /// The slot.
    pub slot: Slot,
}

/// A database in numbers.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseStats {
    /// How many keys it has.
    pub keys: usize,
    /// How many of them have a deadline.
    pub expires: usize,
    /// How long those have left on average, in milliseconds.
    pub avg_ttl: u64,
}

/// Keys whose memory is, or was, given back later.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Lazyfree {
    /// How many wait.
    pub pending: usize,
    /// How many had to wait and are freed.
    pub freed: u64,
}

/// The data of a node.
pub struct Engine {
    databases: Databases,
    in_cluster: bool,
    /// Read while keys expire, written while databases are exchanged; taken before any slot's lock.
    swapping: RwLock<()>,
    hash: KeyHash,
    /// Whether somebody must hear which command runs, or must see a slot before it is changed.
    followed: AtomicBool,
    /// Whether that is the receiver of effects.
    streams: AtomicBool,
    pub(crate) snapshot: Mutex<Option<Arc<Snapshot>>>,
    turns: Turns,
    /// How many times clients have begun to watch keys or to wait for them.
    attending: AtomicU64,
}

/// What all slots have in common: the keyed hash of their tables, what may be tuned in them (the limits of the
/// collections bring the same seed), whether they are copies, and where their garbage goes.
pub(crate) struct KeyHash {
    state: FixedState,
    pub(crate) tuned: Tuned,
    pub(crate) reclaim: Reclaim,
    passive: AtomicBool,
}

impl KeyHash {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: FixedState::with_seed(seed),
            tuned: Tuned::new(seed),
            reclaim: Reclaim::default(),
            passive: AtomicBool::new(false),
        }
    }

    /// Whether what is past its deadline stays, hidden, until somebody says that it is gone.
    #[inline]
    pub(crate) fn is_passive(&self) -> bool {
        self.passive.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn of(&self, key: &[u8]) -> u64 {
        let mut hasher = self.state.build_hasher();
        hasher.write(key);
        hasher.finish()
    }
}

impl Engine {
    /// An engine without data, all slots open.
    pub fn new(options: EngineOptions) -> Self {
        Self {
            databases: Databases::new(options.databases),
            hash: KeyHash::new(options.hash_seed),
            followed: AtomicBool::new(false),
            streams: AtomicBool::new(false),
            snapshot: Mutex::new(None),
            turns: Turns::default(),
            in_cluster: options.in_cluster,
            swapping: RwLock::default(),
            attending: AtomicU64::new(0),
        }
    }

    #[inline]
    pub(crate) fn hash(&self) -> &KeyHash {
        &self.hash
    }

    /// Has the commands from now on go by these figures. Values that are there stay as they are.
    pub fn tune(&self, tuning: Tuning) {
        self.hash.tuned.set(tuning);
    }

    /// Makes the engine a copy, which hides what is past its deadline and removes it only when a record says so
    /// ([`Self::apply`]), or no longer. While it is one, only commands that write nothing may be run, and their time is
    /// to be the primary's. To be called while no thread has a turn.
    pub fn set_passive(&self, passive: bool) {
        self.hash.passive.store(passive, Ordering::Relaxed);
    }

    /// Whether the engine is a copy.
    pub fn is_passive(&self) -> bool {
        self.hash.is_passive()
    }

    /// Runs a command on keys. `slot` is that of its first key; the caller has checked the number of arguments against
    /// the table, and `db` against [`Self::databases`].
    pub fn execute(
        &self,
        cx: &mut Context<'_>,
        db: usize,
        command: DataCommand,
        args: Args<'_>,
        slot: Slot,
        reply: &mut ReplyWriter<'_>,
    ) -> Result<(), Refused> {
        let first = Place { db, slot };
        let mut slots = match command::places(command, args, first, self) {
            None => {
                let guard = self.databases.slot(db, slot).lock();
                if guard.gate == Gate::Shut {
                    return Err(Refused { slot });
                }
                if guard.is_attended() || self.is_followed() {
                    drop(guard);
                    return self.execute_attended(cx, db, command, args, &[first], reply);
                }
                LockedSlots::one(self, db, slot, guard)
            }
            Some(places) => {
                let slots = self.lock_open(db, &places)?;
                if slots.is_attended() || self.is_followed() {
                    drop(slots);
                    return self.execute_attended(cx, db, command, args, &places, reply);
                }
                slots
            }
        };
        answer(command, cx, &mut slots, args, reply);
        Ok(())
    }

    /// The same where somebody attends to keys of the slots or follows all of them: what the command changes is worked
    /// off for them.
    #[cold]
    fn execute_attended(
        &self,
        cx: &mut Context<'_>,
        db: usize,
        command: DataCommand,
        args: Args<'_>,
        places: &[Place],
        reply: &mut ReplyWriter<'_>,
    ) -> Result<(), Refused> {
        let mut slots = self.lock_with_destinations(db, places);
        if let Some(shut) = places.iter().find(|&&place| slots.is_shut(place)) {
            return Err(Refused { slot: shut.slot });
        }
        cx.touched.set_noting(slots.is_attended());
        answer_followed(command, cx, &mut slots, args, reply);
        cx.touched.set_noting(false);
        self.end_unit(cx);
        work_off(cx, &mut slots);
        Ok(())
    }

    /// From now on the receiver of effects hears which command runs, or no longer. To be called while no thread has a
    /// turn: a command is heard of whole or not at all.
    pub fn follow(&self, streams: bool) {
        self.streams.store(streams, Ordering::Relaxed);
        self.note_followers();
    }

    /// Brings the flag up to date that every command looks at.
    pub(crate) fn note_followers(&self) {
        let followed = self.streams.load(Ordering::Relaxed) || self.snapshot.lock().is_some();
        self.followed.store(followed, Ordering::Relaxed);
    }

    /// Whether somebody must hear which command runs, or must see a slot before it is changed.
    #[inline]
    pub fn is_followed(&self) -> bool {
        self.followed.load(Ordering::Relaxed)
    }

    /// What was told is whole, unless it is a part of a transaction.
    pub(crate) fn end_unit(&self, cx: &Context<'_>) {
        if self.is_followed() && cx.held_back.is_none() {
            cx.effects.end();
        }
    }

    /// A thread's right to run commands, in turns. A caller that nobody shares the engine with needs none.
    pub fn seat(&self) -> Seat {
        self.turns.seat()
    }

    /// Does the work while no thread has a turn. The caller must have none.
    pub fn stand_still<R>(&self, work: impl FnOnce() -> R) -> R {
        self.turns.stand_still(work)
    }

    /// Locks places that are in ascending order, each once.
    pub(crate) fn lock(&self, db: usize, places: &[Place]) -> LockedSlots<'_> {
        let guards = places.iter().map(|&place| (place, self.slot(place).lock()));
        LockedSlots::many(self, db, guards.collect())
    }

    /// Locks places, and with them those that clients who wait there want to move elements to.
    pub(crate) fn lock_with_destinations(&self, db: usize, places: &[Place]) -> LockedSlots<'_> {
        let mut places = places.to_vec();
        loop {
            let slots = self.lock(db, &places);
            let known = places.len();
            places.extend(slots.destinations());
            places.sort_unstable();
            places.dedup();
            // Places are only ever added, so this ends.
            if places.len() == known {
                if self.is_followed() {
                    self.preserve(&slots);
                }
                return slots;
            }
        }
    }

    /// The same, but only if all their gates are open.
    fn lock_open(&self, db: usize, places: &[Place]) -> Result<LockedSlots<'_>, Refused> {
        let slots = self.lock(db, places);
        match places.iter().find(|&&place| slots.is_shut(place)) {
            Some(shut) => Err(Refused { slot: shut.slot }),
            None => Ok(slots),
        }
    }

    /// The number of the next client that attends to keys.
    pub(crate) fn next_number(&self) -> u64 {
        self.attending.fetch_add(1, Ordering::Relaxed)
    }

    /// The slot at a place, if its database was ever used.
    pub(crate) fn existing_slot(&self, place: Place) -> Option<&SlotCell> {
        self.databases.existing(place.db).map(|database| &database.slots[place.slot.index()])
    }

    /// The slots of a database, if it was ever used.
    pub(crate) fn existing_slots(&self, db: usize) -> Option<&[SlotCell]> {
        self.databases.existing(db).map(|database| &*database.slots)
    }

    /// The slot at a place.
    #[inline]
    pub(crate) fn slot(&self, place: Place) -> &SlotCell {
        self.databases.slot(place.db, place.slot)
    }

    /// Runs a command on a whole database, slot after slot. Slots whose gate is shut are passed over. While the engine is
    /// followed, one that changes the database is to be run while no other thread has a turn.
    pub fn execute_keyspace(
        &self,
        cx: &mut Context<'_>,
        db: usize,
        command: KeyspaceCommand,
        args: Args<'_>,
        reply: &mut ReplyWriter<'_>,
    ) {
        let start = reply.mark();
        let heard = stream::changes(command) && self.is_followed();
        if heard {
            self.preserve_all();
            cx.effects.begin(db, Running::Keyspace(command, args));
        }
        let ran = command::run_keyspace(command, self, cx, db, args, reply);
        if heard {
            cx.effects.done(ran.is_ok());
            self.end_unit(cx);
        }
        if let Err(error) = ran {
            reply.rewind(start);
            reply.error(&error.to_string());
        }
    }

    /// Opens or shuts a slot in all databases. When this returns, no command runs on a slot that was shut.
    pub fn set_gate(&self, slot: Slot, gate: Gate) {
        self.databases.set_gate(slot, gate);
    }

    pub(crate) fn in_cluster(&self) -> bool {
        self.in_cluster
    }

    /// How many databases there are.
    pub fn databases(&self) -> usize {
        self.databases.len()
    }

    /// How many keys a slot has, as CLUSTER COUNTKEYSINSLOT counts them: those past their deadline too.
    pub fn count_keys_in_slot(&self, db: usize, slot: Slot) -> usize {
        self.databases.existing(db).map_or(0, |database| database.slots[slot.index()].lock().len())
    }

    /// Up to `count` keys of a slot.
    pub fn keys_in_slot(&self, db: usize, slot: Slot, count: usize) -> Vec<Vec<u8>> {
        self.databases.existing(db).map_or_else(Vec::new, |database| {
            database.slots[slot.index()].lock().iter().take(count).map(|entry| entry.key().to_vec()).collect()
        })
    }

    /// Whether commands run on a slot now.
    pub fn serves(&self, slot: Slot) -> bool {
        self.databases.slot(0, slot).lock().gate == Gate::Open
    }

    /// A slot's data, locked, unless its gate is shut or its database was never used.
    pub(crate) fn open_slot(&self, db: usize, slot: Slot) -> Option<Guard<'_>> {
        let guard = self.databases.existing(db)?.slots[slot.index()].lock();
        (guard.gate == Gate::Open).then_some(guard)
    }

    /// The open slots of a database one after the other, each locked while it is looked at.
    pub(crate) fn slots(&self, db: usize) -> impl Iterator<Item = (Slot, Guard<'_>)> {
        Slot::all().filter_map(move |slot| Some((slot, self.open_slot(db, slot)?)))
    }

    /// Removes all keys of a database but those in slots whose gate is shut; they are freed later.
    pub(crate) fn flush(&self, cx: &mut Context<'_>, db: usize) {
        let remove = |(slot, guard)| flush_locked(cx, &self.hash, Place { db, slot }, guard);
        let tables = self.slots(db).filter_map(remove).map(|removed| removed.table).collect();
        self.hash.reclaim.tables(tables);
    }

    /// Removes all keys of all databases; they are freed later. To be called while no thread has a turn.
    pub fn clear(&self, cx: &mut Context<'_>) {
        self.preserve_all();
        (0..self.databases()).for_each(|db| self.flush(cx, db));
    }

    /// Removes all keys of one slot in a database, its gate open or shut. They are gone when this returns; freeing them
    /// is left to the caller.
    pub fn flush_slot(&self, cx: &mut Context<'_>, db: usize, slot: Slot) -> Option<Removed> {
        let database = self.databases.existing(db)?;
        flush_locked(cx, &self.hash, Place { db, slot }, database.slots[slot.index()].lock())
    }

    /// Removes keys of a slot that somebody has seen to be past their deadline.
    pub(crate) fn expire_seen(
        &self,
        cx: &mut Context<'_>,
        at: Place,
        slot: &mut SlotData,
        keys: &[impl AsRef<[u8]>],
    ) {
        for key in keys {
            let bytes = key.as_ref();
            slot.unused(cx, Hashed { bytes, hash: self.hash.of(bytes), hasher: &self.hash }, at);
        }
    }

    /// Has somebody look for the key of that hash when the deadline has passed.
    pub(crate) fn push_hint(&self, cx: &Context<'_>, at: Place, hash: u64, deadline: Timestamp) {
        if let Some(database) = self.databases.existing(at.db) {
            database.wheels.push(cx.now, at.slot, hash, deadline);
        }
    }

    /// The same for all keys of a slot that are new there.
    pub(crate) fn push_hints(&self, cx: &Context<'_>, at: Place, slot: &SlotData) {
        if let Some(database) = self.databases.existing(at.db) {
            database.wheels.push_slot(cx.now, &self.hash, at.slot, slot);
        }
    }

    /// Removes keys whose deadline has passed, in all databases. The work is bounded: at most about `budget` hints
    /// are followed. Answers how many were; if that reaches `budget`, more may be due. To be called every few tens of
    /// milliseconds, of a copy too, which removes nothing; [`Stats::expired_keys`](crate::Stats) counts the keys that were
    /// removed.
    pub fn expire_due(&self, cx: &mut Context<'_>, budget: usize) -> usize {
        if self.is_passive() {
            self.forget_hints(cx);
            return 0;
        }
        let _no_swap = self.swapping.read();
        let mut handled = 0;
        for db in 0..self.databases.len() {
            let Some(database) = self.databases.existing(db) else { continue };
            let left = budget - handled;
            handled += database.wheels.expire_due(cx, &self.hash, db, &database.slots, left);
        }
        handled
    }

    /// Forgets what it knows of deadlines that are none any more, where most are: in place of [`Self::expire_due`], for a
    /// server that removes nothing by itself.
    pub fn forget_hints(&self, cx: &mut Context<'_>) {
        let _no_swap = self.swapping.read();
        for database in (0..self.databases.len()).filter_map(|db| self.databases.existing(db)) {
            database.wheels.compare_all(cx, &self.hash, &database.slots);
        }
    }

    #[cfg(test)]
    pub(crate) fn wheels(&self, db: usize) -> Option<&crate::expiry::Wheels> {
        self.databases.existing(db).map(|database| &database.wheels)
    }

    /// Gives back the memory of large values that are gone, about so many allocations; how many it freed. If that
    /// reaches `budget`, more may be left. To be called between commands, every few tens of milliseconds.
    pub fn reclaim(&self, budget: usize) -> usize {
        self.hash.reclaim.free(budget)
    }

    /// What waits for [`Self::reclaim`], and what it did.
    pub fn lazyfree(&self) -> Lazyfree {
        Lazyfree { pending: self.hash.reclaim.pending(), freed: self.hash.reclaim.freed() }
    }

    /// Has [`Lazyfree::freed`] begin anew.
    pub fn reset_freed(&self) {
        self.hash.reclaim.reset();
    }

    /// The memory that waits now to be given back by [`Self::reclaim`].
    pub fn debt(&self) -> Debt {
        self.hash.reclaim.debt()
    }

    /// Whether that memory has been given back since.
    pub fn is_paid(&self, debt: Debt) -> bool {
        self.hash.reclaim.is_paid(debt)
    }

    /// A database in numbers. Walks its slots: for INFO, not for every command.
    pub fn database_stats(&self, db: usize, now: Timestamp) -> DatabaseStats {
        let mut stats = DatabaseStats::default();
        let mut left: u128 = 0;
        let slots = self.databases.existing(db).map_or_else(Default::default, |db| &*db.slots);
        for cell in slots {
            let slot = cell.lock();
            stats.keys += slot.len();
            stats.expires += slot.expiring();
            left += u128::from(slot.time_left(now));
        }
        let average = left.checked_div(stats.expires as u128).unwrap_or(0);
        stats.avg_ttl = u64::try_from(average).unwrap_or(u64::MAX);
        stats
    }
}

/// Runs a command under its locks; its error is its reply.
#[inline]
pub(crate) fn answer(
    command: DataCommand,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) {
    let start = reply.mark();
    if let Err(error) = command::run(command, cx, slots, args, reply) {
        reply.rewind(start);
        reply.error(&error.to_string());
    }
}

/// The same, heard of by who follows.
pub(crate) fn answer_followed(
    command: DataCommand,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) {
    if !slots.is_followed() {
        return answer(command, cx, slots, args, reply);
    }
    cx.effects.begin(slots.db(), Running::Data(command, args));
    answer(command, cx, slots, args, reply);
    cx.effects.done(true);
}

/// Works off what a command changed, or keeps it for the end of the transaction that the command belongs to.
pub(crate) fn work_off(cx: &mut Context<'_>, slots: &mut LockedSlots<'_>) {
    match cx.held_back {
        Some(held) => cx.touched.append_to(&mut held.keys.borrow_mut()),
        None => settle(cx, slots),
    }
}

/// Works off what commands changed, for those who attend to it.
pub(crate) fn settle(cx: &mut Context<'_>, slots: &mut LockedSlots<'_>) {
    // What is given to those who wait changes keys too, and others may wait for these.
    cx.touched.set_noting(true);
    while let Some((place, key)) = cx.touched.next() {
        if let Some(slot) = slots.slot_mut(place) {
            slot.touch(&key);
            waiting::serve(cx, slots, place, &key);
        }
    }
    cx.touched.set_noting(false);
}

/// Keys that are in no slot any more. Dropping it frees them, which takes as long as there are many.
#[must_use = "dropped at once, it frees the keys here and now"]
pub struct Removed {
    keys: usize,
    table: Table,
}

impl Removed {
    /// How many keys.
    pub fn keys(&self) -> usize {
        self.keys
    }
}

impl std::fmt::Debug for Removed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Removed").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// Takes the keys out; they are freed without the lock.
fn flush_locked(cx: &mut Context<'_>, hash: &KeyHash, place: Place, mut slot: Guard<'_>) -> Option<Removed> {
    let keys = slot.len();
    (keys > 0).then(|| {
        slot.touch_live(hash, cx.now);
        let table = slot.clear();
        place.emit(cx, Effect::FlushSlot);
        Removed { keys, table }
    })
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::Protocol;
    use nuthatch_proto::resp::args::OwnedArgs;

    use super::*;
    use crate::testing::{Bench, printed};
    use crate::{NoEffects, Rng, Stats};

    #[test]
    fn a_shut_gate_refuses_in_every_database_until_it_opens() {
        let mut bench = Bench::new();
        bench.check("MSET a 1 b 2", "+OK");
        let slot = Slot::of_key(b"a");
        bench.engine.set_gate(slot, Gate::Shut);
        let refused = format!("-{}", Refused { slot });
        for command in ["GET a", "SET a 2", "MGET b a", "RENAME b a"] {
            bench.check(command, &refused);
        }
        bench.check_all(&[("GET b", "2"), ("DBSIZE", ":1"), ("KEYS *", "[b]"), ("FLUSHDB", "+OK")]);
        // A database that comes into being later has the gate shut too.
        bench.db = 9;
        bench.check("GET a", &refused);
        bench.engine.set_gate(slot, Gate::Open);
        bench.check("GET a", "nil");
        bench.db = 0;
        bench.check("GET a", "1");
    }

    #[test]
    fn a_slot_can_be_counted_listed_and_flushed() {
        let mut bench = Bench::new();
        bench.check("MSET {t}a 1 {t}b 2 other 3", "+OK");
        let slot = Slot::of_key(b"t");
        assert_eq!(bench.engine.count_keys_in_slot(0, slot), 2);
        assert_eq!(bench.engine.keys_in_slot(0, slot, 1).len(), 1);
        assert_eq!(bench.engine.keys_in_slot(0, slot, 9).len(), 2);
        bench.effects();
        assert_eq!(bench.flush_slot(slot), 2);
        assert_eq!((bench.flush_slot(slot), bench.effects()), (0, vec!["flush".to_owned()]));
        bench.check("DBSIZE", ":1");
    }

    #[test]
    fn a_database_in_numbers() {
        let mut bench = Bench::new();
        assert_eq!(bench.engine.database_stats(0, Timestamp(0)), DatabaseStats::default());
        bench.check_all(&[("MSET a 1 b 2 c 3", "+OK"), ("PEXPIRE a 1000", ":1"), ("PEXPIRE b 3000", ":1")]);
        let now = Timestamp(bench.now);
        assert_eq!(bench.engine.database_stats(0, now), DatabaseStats { keys: 3, expires: 2, avg_ttl: 2000 });
    }

    fn run(engine: &Engine, command: DataCommand, words: &[String]) -> String {
        let args: OwnedArgs = words.iter().collect();
        let (mut stats, mut rng, mut out) = (Stats::default(), Rng::new(1), Vec::new());
        let mut cx = Context::new(Timestamp(1), &NoEffects, &mut stats, &mut rng);
        let slot = Slot::of_key(words[1].as_bytes());
        let mut reply = ReplyWriter::new(&mut out, Protocol::Resp2);
        engine.execute(&mut cx, 0, command, args.as_args(), slot, &mut reply).expect("gates are open");
        printed(&out)
    }

    #[test]
    fn commands_on_many_slots_neither_deadlock_nor_mix() {
        let engine = Engine::new(EngineOptions { databases: 1, in_cluster: false, hash_seed: 5 });
        let keys: Vec<String> = (0..8).map(|n| format!("key:{n}")).collect();
        let rounds = &|seed: u64| {
            let mut rng = Rng::new(seed);
            for round in 0..2000 {
                // The same keys in another order each time.
                let first = rng.below(keys.len());
                let order: Vec<String> =
                    (0..keys.len()).map(|n| keys[(first + n) % keys.len()].clone()).collect();
                let mut set = vec!["MSET".to_owned()];
                set.extend(order.iter().flat_map(|key| [key.clone(), format!("{seed}-{round}")]));
                assert_eq!(run(&engine, DataCommand::MSet, &set), "+OK");
                let mut get = vec!["MGET".to_owned()];
                get.extend(order);
                let reply = run(&engine, DataCommand::MGet, &get);
                let mut values = reply[1..reply.len() - 1].split(' ');
                let value = values.next().expect("a value");
                assert!(values.all(|other| other == value), "{reply}");
            }
        };
        std::thread::scope(|threads| {
            for seed in 1..=3 {
                threads.spawn(move || rounds(seed));
            }
        });
    }
}
