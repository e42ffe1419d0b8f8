//! One database: its 16,384 slots and the hash of its keys.

use std::sync::OnceLock;

use nuthatch_proto::slot::{SLOT_COUNT, Slot};
use parking_lot::Mutex;

use super::slot::{Gate, SlotCell};

/// All databases of an engine; each is allocated when it is first used.
pub(crate) struct Databases {
    slots: Box<[OnceLock<Box<[SlotCell]>>]>,
    /// What every slot's gate is, for databases that come into being later. Held while one does, and while a gate is
    /// set in those that exist.
    gates: Mutex<Box<[Gate]>>,
}

impl Databases {
    pub(crate) fn new(count: usize) -> Self {
        Self {
            slots: (0..count).map(|_| OnceLock::new()).collect(),
            gates: Mutex::new(vec![Gate::Open; usize::from(SLOT_COUNT)].into()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The database's slot, coming into being if need be.
    #[inline]
    pub(crate) fn slot(&self, db: usize, slot: Slot) -> &SlotCell {
        match self.slots[db].get() {
            Some(slots) => &slots[slot.index()],
            None => &self.create(db)[slot.index()],
        }
    }

    /// The database's slots, if it was ever used.
    pub(crate) fn existing(&self, db: usize) -> Option<&[SlotCell]> {
        self.slots.get(db)?.get().map(|slots| &**slots)
    }

    #[cold]
    fn create(&self, db: usize) -> &[SlotCell] {
        let gates = self.gates.lock();
        self.slots[db].get_or_init(|| {
            let slots: Box<[SlotCell]> = (0..SLOT_COUNT).map(|_| SlotCell::default()).collect();
            for (cell, &gate) in slots.iter().zip(gates.iter()) {
                cell.lock().gate = gate;
            }
            slots
        })
    }

    /// Opens or shuts a slot in every database. When this returns, no command runs on a slot that was shut.
    pub(crate) fn set_gate(&self, slot: Slot, gate: Gate) {
        let mut gates = self.gates.lock();
        gates[slot.index()] = gate;
        for slots in self.slots.iter().filter_map(OnceLock::get) {
            slots[slot.index()].lock().gate = gate;
        }
    }
}
