//! Looking ahead: bringing closer what the commands of a window will touch, before the first of them runs.
//!
//! A batch is known before it runs, so the memory that all its commands need can be on its way at once instead of one
//! miss after the other. Each hint needs what the one before it brought: the slot, the bucket of its table, the entry,
//! and in a collection the element's bucket, then its record. So each is given for a whole window before the next.
//!
//! A hint changes nothing and promises nothing. A slot that somebody holds is passed over.
//!
//! Neighbours: `store/prefetch.rs` has the instruction, `node/dispatch.rs` the window.

use nuthatch_proto::slot::Slot;

use super::Engine;
use crate::store::locked::Guard;
use crate::store::prefetch;
use crate::store::table::Place;
use crate::value::Object;

/// An element that a command will look for: the slot, the key, and the field or member.
pub type Sought<'a> = (Slot, &'a [u8], &'a [u8]);

impl Engine {
    /// The first hint: the slot itself.
    #[inline]
    pub fn prefetch(&self, db: usize, slot: Slot) {
        if let Some(database) = self.databases.existing(db) {
            prefetch::line(&raw const database.slots[slot.index()]);
        }
    }

    /// The second hint: the place in the slot's table where the key would be.
    #[inline]
    pub fn prefetch_bucket(&self, db: usize, slot: Slot, key: &[u8]) {
        if let Some(address) = self.peek(db, slot).and_then(|data| data.bucket_address(self.hash.of(key))) {
            prefetch::line(address);
        }
    }

    /// The third hint: the key itself and its value.
    #[inline]
    pub fn prefetch_entry(&self, db: usize, slot: Slot, key: &[u8]) {
        if let Some(address) = self.peek(db, slot).and_then(|data| data.entry_address(self.hash.of(key))) {
            prefetch::line(address);
            prefetch::line(address.wrapping_add(64));
        }
    }

    /// The last two hints: where each collection looks for its element, and what it will probably find there.
    #[inline]
    pub fn prefetch_elements<'a>(&self, db: usize, sought: impl Iterator<Item = Sought<'a>> + Clone) {
        let mut large = false;
        self.each_collection(db, sought.clone(), |collection, element| {
            large |= collection.is_table();
            collection.bucket_address(element)
        });
        if large {
            self.each_collection(db, sought, |collection, element| collection.record_address(element));
        }
    }

    /// Asks for what `address` says of each collection. One that several commands in a row look into is found once.
    #[inline]
    fn each_collection<'a>(
        &self,
        db: usize,
        sought: impl Iterator<Item = Sought<'a>>,
        mut address: impl FnMut(&Object, &[u8]) -> Option<*const u8>,
    ) {
        let mut held: Option<(&[u8], Guard<'_>, Place)> = None;
        for (slot, key, element) in sought {
            if held.as_ref().is_none_or(|&(same, ..)| same != key) {
                // Given back before the next is taken: it may be of the same slot.
                drop(held.take());
                held = self.peek(db, slot).and_then(|data| {
                    let place = data.locate(self.hash.of(key), key)?;
                    Some((key, data, place))
                });
            }
            if let Some((_, data, place)) = &held
                && let Some(collection) = data.collection(*place)
                && let Some(address) = address(collection, element)
            {
                prefetch::line(address);
            }
        }
    }

    /// The slot's data if nobody holds it.
    #[inline]
    fn peek(&self, db: usize, slot: Slot) -> Option<Guard<'_>> {
        self.databases.existing(db)?.slots[slot.index()].try_lock()
    }
}
