//! The databases: 16,384 slots each, and the time wheels of their keys' deadlines.
//!
//! A database that nobody used costs a pointer: its slots come into being with the first command that selects it. They never
//! go away again, so a reference to a slot is good for the engine's life. The first one, which every client begins with, is
//! there from the beginning, so that no client's command has to make it. The state of the gates is kept for databases to come,
//! under a lock that orders "a database is born" and "a gate is set".

use std::sync::OnceLock;

use nuthatch_proto::slot::{SLOT_COUNT, Slot};
use parking_lot::Mutex;

use super::slot::{Gate, SlotCell};
use crate::expiry::Wheels;

/// One database.
pub(crate) struct Database {
    /// Its 16,384 slots.
    pub(crate) slots: Box<[SlotCell]>,
    /// The hints for its keys with deadlines.
    pub(crate) wheels: Wheels,
}

/// All databases of an engine; each but the first is allocated when it is first used.
pub(crate) struct Databases {
    each: Box<[OnceLock<Database>]>,
    /// What every slot's gate is, for databases that come into being later. Held while one does, and while a gate is
    /// set in those that exist.
    gates: Mutex<Box<[Gate]>>,
}

impl Databases {
    pub(crate) fn new(count: usize) -> Self {
        let databases = Self {
            each: (0..count).map(|_| OnceLock::new()).collect(),
            gates: Mutex::new(vec![Gate::Open; usize::from(SLOT_COUNT)].into()),
        };
        if count > 0 {
            databases.create(0);
        }
        databases
    }

    pub(crate) fn len(&self) -> usize {
        self.each.len()
    }

    /// The database's slot, coming into being if need be.
    #[inline]
    pub(crate) fn slot(&self, db: usize, slot: Slot) -> &SlotCell {
        match self.each[db].get() {
            Some(database) => &database.slots[slot.index()],
            None => &self.create(db).slots[slot.index()],
        }
    }

    /// The database, if it was ever used.
    pub(crate) fn existing(&self, db: usize) -> Option<&Database> {
        self.each.get(db)?.get()
    }

    #[cold]
    fn create(&self, db: usize) -> &Database {
        let gates = self.gates.lock();
        self.each[db].get_or_init(|| {
            let slots: Box<[SlotCell]> = (0..SLOT_COUNT).map(|_| SlotCell::default()).collect();
            for (cell, &gate) in slots.iter().zip(gates.iter()) {
                cell.lock().gate = gate;
            }
            Database { slots, wheels: Wheels::default() }
        })
    }

    /// Opens or shuts a slot in every database. When this returns, no command runs on a slot that was shut.
    pub(crate) fn set_gate(&self, slot: Slot, gate: Gate) {
        let mut gates = self.gates.lock();
        gates[slot.index()] = gate;
        for database in self.each.iter().filter_map(OnceLock::get) {
            database.slots[slot.index()].lock().gate = gate;
        }
    }
}
