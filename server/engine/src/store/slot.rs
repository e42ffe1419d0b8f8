//! One hash slot: its lock, its gate, its table and its counts.
//!
//! The lock is one byte and stands in the cache line that any command on the slot must read anyway. The gate says
//! whether this node serves the slot now; it is read under the lock, so that routing may be stale and the gate not: a
//! shut gate refuses the command, and whoever shut it knows that nothing runs on the slot.

use parking_lot::{Mutex, MutexGuard};

use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::slot::Slot;

use super::entry::Entry;
use super::table::Table;
use crate::context::Context;
use crate::effect::Effect;

/// Whether a slot is served here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gate {
    /// Commands run.
    #[default]
    Open,
    /// Commands are refused and routed again.
    Shut,
}

/// A slot behind its lock.
#[repr(align(64))]
#[derive(Default)]
pub(crate) struct SlotCell {
    data: Mutex<SlotData>,
}

impl SlotCell {
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, SlotData> {
        self.data.lock()
    }
}

/// What the lock protects.
#[derive(Default)]
pub(crate) struct SlotData {
    pub(crate) gate: Gate,
    table: Table,
    /// How many entries have a deadline.
    expiring: u32,
}

/// Where a slot is: effects carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) db: usize,
    pub(crate) slot: Slot,
}

impl Place {
    /// Tells the sink of a change at this place.
    #[inline]
    pub(crate) fn emit(self, cx: &Context<'_>, effect: Effect<'_>) {
        if cx.effects.listens() {
            cx.effects.emit(self.db, self.slot, effect);
        }
    }
}

/// What becomes of a key's deadline when a string is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewDeadline {
    /// It has none afterwards.
    Clear,
    /// It keeps the one it has.
    Keep,
    /// It expires then.
    At(Timestamp),
}

impl SlotData {
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn expiring(&self) -> usize {
        self.expiring as usize
    }

    /// The entry at `key`; one whose deadline has passed is removed first, which emits its deletion.
    #[inline]
    pub(crate) fn live(
        &mut self,
        cx: &mut Context<'_>,
        at: Place,
        hash: u64,
        key: &[u8],
    ) -> Option<&mut Entry> {
        let deadline = self.table.find(hash, key)?.deadline();
        if deadline.is_some_and(|deadline| deadline <= cx.now) {
            self.expire(cx, at, hash, key);
            return None;
        }
        self.table.find_mut(hash, key)
    }

    #[cold]
    fn expire(&mut self, cx: &mut Context<'_>, at: Place, hash: u64, key: &[u8]) {
        self.remove(hash, key);
        cx.stats.expired_keys += 1;
        at.emit(cx, Effect::Delete { key });
    }

    /// Stores a string, whatever was there before; its deadline afterwards.
    #[inline]
    pub(crate) fn set_string(
        &mut self,
        cx: &mut Context<'_>,
        at: Place,
        hash: u64,
        key: &[u8],
        value: &[u8],
        deadline: NewDeadline,
    ) -> Option<Timestamp> {
        let Some(entry) = self.live(cx, at, hash, key) else {
            let deadline = match deadline {
                NewDeadline::Clear | NewDeadline::Keep => None,
                NewDeadline::At(time) => Some(time),
            };
            self.insert(hash, Entry::string(key, value, deadline));
            return deadline;
        };
        let before = entry.deadline();
        let after = match deadline {
            NewDeadline::Clear => None,
            NewDeadline::Keep => before,
            NewDeadline::At(time) => Some(time),
        };
        entry.set_string(value, after);
        if before != after {
            self.expiring -= u32::from(before.is_some());
            self.expiring += u32::from(after.is_some());
        }
        after
    }

    /// Adds an entry whose key is not in the slot.
    pub(crate) fn insert(&mut self, hash: u64, entry: Entry) -> &mut Entry {
        self.expiring += u32::from(entry.deadline().is_some());
        self.table.insert(hash, entry)
    }

    /// Takes the entry out, expired or not.
    pub(crate) fn remove(&mut self, hash: u64, key: &[u8]) -> Option<Entry> {
        let entry = self.table.remove(hash, key)?;
        self.expiring -= u32::from(entry.deadline().is_some());
        Some(entry)
    }

    /// Sets or clears the deadline of a key that is there; whether it is.
    pub(crate) fn set_deadline(&mut self, hash: u64, key: &[u8], deadline: Option<Timestamp>) -> bool {
        let Some(entry) = self.table.find_mut(hash, key) else { return false };
        self.expiring -= u32::from(entry.deadline().is_some());
        self.expiring += u32::from(deadline.is_some());
        entry.set_deadline(deadline);
        true
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.table.iter()
    }

    /// Shows the entries of the cursor's bucket; the next cursor, 0 after the last bucket.
    pub(crate) fn scan(&self, cursor: u64, visit: impl FnMut(&Entry)) -> u64 {
        self.table.scan(cursor, visit)
    }

    /// An entry that is `wanted`, chosen by the dice, if there is one.
    pub(crate) fn random(&self, dice: u64, wanted: impl Fn(&Entry) -> bool) -> Option<&Entry> {
        self.table.random(dice, wanted)
    }

    /// Removes everything.
    pub(crate) fn clear(&mut self) -> Table {
        self.expiring = 0;
        std::mem::take(&mut self.table)
    }
}
