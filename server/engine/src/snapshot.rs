//! All keys as they were at one moment, while commands go on changing them.
//!
//! The moment is a standstill in which nothing is copied, only put down that every slot is still to be. Afterwards the
//! slots are copied one by one under their locks, and a command that is about to change a slot that is not copied yet
//! copies it first ([`Engine::preserve`]). So no slot is copied twice, none after it has changed, and nobody waits for
//! more than one slot's keys.
//!
//! What expires before its slot is copied is missing in the copy, and is told to those who follow as gone: they delete
//! what is not there. Databases that come into being after the moment have nothing to copy.
//!
//! Commands that change whole databases have all that is left copied at once, and must run alone: FLUSHALL in the midst
//! of a snapshot takes as long as the rest of it.
//!
//! Neighbours: `rdb::file` has the format, the node the file; the effect stream ([`crate::stream`]) begins at the same
//! moment where a replica is to follow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nuthatch_proto::slot::{SLOT_COUNT, Slot};

use crate::engine::Engine;
use crate::rdb::{Version, file};
use crate::store::locked::LockedSlots;
use crate::store::slot::{Place, SlotData};

/// A piece that is handed on is about so long, unless a single key is longer.
const PIECE: usize = 256 * 1024;

/// Receives the copies.
pub trait SnapshotSink: Send + Sync {
    /// Takes some keys of a database, as a file has them. Called under the lock of their slot: it must not call the
    /// engine.
    fn take(&self, db: usize, keys: &[u8]);
}

/// How many keys a database has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Which database.
    pub db: usize,
    /// How many keys.
    pub keys: usize,
    /// How many of them have a deadline.
    pub expires: usize,
}

/// What a snapshot will have in it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The databases that are not empty.
    pub databases: Vec<Size>,
    /// Whether there are hashes of which fields have deadlines.
    pub expiring_hashes: bool,
}

impl Outline {
    /// How many keys there are in all databases.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.databases.iter().map(|size| size.keys).sum()
    }
}

/// A snapshot that is being taken.
pub(crate) struct Snapshot {
    sink: Arc<dyn SnapshotSink>,
    /// Of each database that there was, which slots are still to be copied.
    left: Vec<Option<Box<[AtomicBool]>>>,
}

impl Snapshot {
    /// Copies a slot, which is locked, unless that was done.
    fn copy(&self, place: Place, slot: &SlotData) {
        let left = self.left.get(place.db).and_then(Option::as_deref);
        let Some(left) = left.map(|slots| &slots[place.slot.index()]) else { return };
        // Whoever looks at it holds the slot's lock.
        if !left.swap(false, Ordering::Relaxed) {
            return;
        }
        let mut piece = Vec::new();
        for entry in slot.iter() {
            file::entry(&mut piece, entry, Version::Current);
            if piece.len() >= PIECE {
                self.sink.take(place.db, &piece);
                piece.clear();
            }
        }
        if !piece.is_empty() {
            self.sink.take(place.db, &piece);
        }
    }
}

impl Engine {
    /// Begins a snapshot of this very moment; the caller sees to it that no thread has a turn. `None` if another one is
    /// being taken.
    pub fn begin_snapshot(&self, sink: impl FnOnce(&Outline) -> Arc<dyn SnapshotSink>) -> Option<Outline> {
        if self.snapshot.lock().is_some() {
            return None;
        }
        let mut outline = Outline::default();
        let mut left = Vec::new();
        for db in 0..self.databases() {
            let Some(slots) = self.existing_slots(db) else {
                left.push(None);
                continue;
            };
            let mut size = Size { db, keys: 0, expires: 0 };
            let used = slots.iter().map(|cell| {
                let slot = cell.lock();
                size.keys += slot.len();
                size.expires += slot.expiring();
                outline.expiring_hashes |= slot.has_field_deadlines();
                AtomicBool::new(slot.len() > 0)
            });
            left.push(Some(used.collect()));
            if size.keys > 0 {
                outline.databases.push(size);
            }
        }
        let sink = sink(&outline);
        *self.snapshot.lock() = Some(Arc::new(Snapshot { sink, left }));
        self.note_followers();
        Some(outline)
    }

    /// Copies what is left of a slot in all databases. When that was done for every slot, the snapshot is whole.
    pub fn copy_slot(&self, slot: Slot) {
        let Some(snapshot) = self.snapshot.lock().clone() else { return };
        for db in 0..snapshot.left.len() {
            let place = Place { db, slot };
            if let Some(cell) = self.existing_slot(place) {
                snapshot.copy(place, &cell.lock());
            }
        }
    }

    /// Ends the snapshot, whole or not. When this returns nothing is handed to its sink any more.
    pub fn end_snapshot(&self) {
        let ended = self.snapshot.lock().take();
        self.note_followers();
        if let Some(snapshot) = ended {
            for slot in Slot::all() {
                // Who copies one holds its lock, and has looked for a snapshot before.
                for db in 0..snapshot.left.len() {
                    drop(self.existing_slot(Place { db, slot }).map(|cell| cell.lock()));
                }
            }
        }
    }

    /// Copies slots that are about to change, if a snapshot is still to see them.
    #[cold]
    pub(crate) fn preserve(&self, slots: &LockedSlots<'_>) {
        let Some(snapshot) = self.snapshot.lock().clone() else { return };
        slots.each().for_each(|(place, slot)| snapshot.copy(place, slot));
    }

    /// The same for one slot.
    #[inline]
    pub(crate) fn preserve_slot(&self, place: Place, slot: &SlotData) {
        if self.is_followed()
            && let Some(snapshot) = self.snapshot.lock().clone()
        {
            snapshot.copy(place, slot);
        }
    }

    /// Copies all that is left.
    pub(crate) fn preserve_all(&self) {
        if self.snapshot.lock().is_some() {
            (0..SLOT_COUNT).filter_map(Slot::new).for_each(|slot| self.copy_slot(slot));
        }
    }
}
