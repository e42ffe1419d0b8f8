//! Copies of slots: how a replica begins, how one that has strayed is put right, and how a slot begins to move.
//!
//! A slot is copied under its lock, in all databases at once, and what the caller reads at that moment (the offset of its
//! log) belongs to the copy: it is what the records before that offset made, and the records from there on bring it up to
//! date ([`Engine::apply`]). The other slots go on meanwhile. Keys that are past their deadline are in it like all others,
//! for only a record says that they are gone.
//!
//! The receiver builds the slot aside, from pieces that come in their order, and puts it in the place of what it had at
//! one moment ([`Engine::replace_slot`]). What a piece promises is believed as far as there are bytes.
//!
//! A piece is keys as a file of ours has them, nothing compressed; a key is never divided. How long a slot's lock is held
//! follows from how much is in the slot.

use std::collections::BTreeMap;

use nuthatch_proto::slot::Slot;

use crate::context::Context;
use crate::engine::Engine;
use crate::rdb::{Value, Version, file};
use crate::store::entry::Entry;
use crate::store::locked::Guard;
use crate::store::slot::{Hashed, Place, SlotData};

/// A piece is about so long, unless a single key is longer.
const PIECE: usize = 256 * 1024;

/// Why a piece is none of the slot's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPiece {
    /// Its bytes are no keys.
    #[error("its bytes are no keys")]
    Malformed,
    /// It has a key of another slot.
    #[error("it has a key of slot {0}")]
    OtherSlot(Slot),
    /// It has a key that came before.
    #[error("it has a key that came before")]
    Twice,
    /// It is of a database that is not there.
    #[error("there is no database {0} here")]
    NoDatabase(usize),
}

/// A slot's keys on their way into an engine, and nobody's yet. Dropped, it frees them here and now.
pub struct SlotCopy {
    slot: Slot,
    databases: BTreeMap<usize, SlotData>,
}

impl std::fmt::Debug for SlotCopy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: usize = self.databases.values().map(SlotData::len).sum();
        f.debug_struct("SlotCopy").field("slot", &self.slot).field("keys", &keys).finish_non_exhaustive()
    }
}

impl SlotCopy {
    /// Nothing yet of that slot.
    pub fn new(slot: Slot) -> Self {
        Self { slot, databases: BTreeMap::new() }
    }

    /// Which slot it is of.
    pub fn slot(&self) -> Slot {
        self.slot
    }
}

impl Engine {
    /// Copies the keys of a slot in all databases, with what `at` says at that moment. `take` is given each piece and its
    /// database; both are called under the slot's lock and must not call the engine.
    pub fn export_slot<T>(&self, slot: Slot, at: impl Fn() -> T, mut take: impl FnMut(usize, &[u8])) -> T {
        let (slots, at) = self.lock_everywhere(slot, at);
        let mut piece = Vec::new();
        for (place, slot) in &slots {
            for entry in slot.iter() {
                file::entry(&mut piece, entry, Version::Ours);
                if piece.len() >= PIECE {
                    take(place.db, &piece);
                    piece.clear();
                }
            }
            if !piece.is_empty() {
                take(place.db, &piece);
                piece.clear();
            }
        }
        at
    }

    /// Adds a piece to a copy that is to become a slot of this engine, and of no other.
    pub fn import_piece(
        &self,
        cx: &Context<'_>,
        copy: &mut SlotCopy,
        db: usize,
        piece: &[u8],
    ) -> Result<(), BadPiece> {
        if db >= self.databases() {
            return Err(BadPiece::NoDatabase(db));
        }
        let SlotCopy { slot, databases } = copy;
        let data = databases.entry(db).or_default();
        for key in file::keys(piece, &self.hash().tuned.limits()) {
            let (key, value, deadline) = key.ok_or(BadPiece::Malformed)?;
            if Slot::of_key(&key) != *slot {
                return Err(BadPiece::OtherSlot(Slot::of_key(&key)));
            }
            let hashed = Hashed { bytes: &key, hash: self.hash().of(&key), hasher: self.hash() };
            if data.get(hashed).is_some() {
                return Err(BadPiece::Twice);
            }
            let entry = match value {
                Value::String(value) => Entry::string(&key, &value, deadline),
                Value::Object(mut object) => {
                    // The time that this calls for is noted with all others when the copy takes its place.
                    object.expiring_mut().and_then(|hash| hash.call(cx.now));
                    Entry::object(&key, object, deadline)
                }
            };
            data.insert(cx, hashed, entry);
        }
        Ok(())
    }

    /// Puts a copy in the place of what the slot holds, in all databases at one moment, its gate open or shut. Those who
    /// watch keys of it hear that they changed; what was there is freed later.
    pub fn replace_slot(&self, cx: &Context<'_>, copy: SlotCopy) {
        let SlotCopy { slot, databases: mut new } = copy;
        // Databases that the copy needs and nobody has used yet.
        for &db in new.keys() {
            self.slot(Place { db, slot });
        }
        let (slots, ()) = self.lock_everywhere(slot, || ());
        let mut old = Vec::new();
        for (place, mut slot) in slots {
            let mut new = new.remove(&place.db).unwrap_or_default();
            self.preserve_slot(place, &slot);
            slot.touch_live(self.hash(), cx.now);
            slot.swap(&mut new);
            slot.touch_live(self.hash(), cx.now);
            self.push_hints(cx, place, &slot);
            old.push(new.clear());
        }
        self.hash().reclaim.tables(old);
    }

    /// Empties a slot in all databases at one moment, as [`Self::replace_slot`] does.
    pub fn clear_slot(&self, cx: &Context<'_>, slot: Slot) {
        self.replace_slot(cx, SlotCopy::new(slot));
    }

    /// Locks a slot in all databases, in the order of all locks, and asks something at that moment.
    pub(crate) fn lock_everywhere<T>(&self, slot: Slot, at: impl Fn() -> T) -> (Vec<(Place, Guard<'_>)>, T) {
        let existing = || {
            let places = (0..self.databases()).map(move |db| Place { db, slot });
            places.filter_map(|place| Some((place, self.existing_slot(place)?)))
        };
        loop {
            let slots: Vec<_> = existing().map(|(place, cell)| (place, cell.lock())).collect();
            let at = at();
            // In a database that has come into being since, something may have happened before that moment.
            if existing().count() == slots.len() {
                return (slots, at);
            }
        }
    }
}

#[cfg(test)]
mod tests;
