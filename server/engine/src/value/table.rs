//! Byte strings to byte strings: the hash table of big hashes, sets and sorted sets.
//!
//! Records lie in an [`Arena`], [`Links`] find them by a part of their key's hash: a lookup reads one cache line of the
//! index and the record, and another key's record once in many. The hash is keyed ([`super::Limits::hash_seed`]):
//! clients choose the keys.
//!
//! A record that moves (evacuation) keeps its link. A sorted set's tree keeps places as well, so it is told:
//! [`Table::remove_record`] returns a [`Sparse`] chunk that the caller must [`Table::evacuate`] and settle.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;

use super::arena::{Arena, ChunkId, Place, Record};
use super::links::{Links, PartHash};
use crate::context::Rng;

/// A chunk of which most is dead: its records ask to be moved together.
#[derive(Debug)]
#[must_use]
pub(super) struct Sparse(ChunkId);

/// A hash table of records.
#[derive(Debug, Clone)]
pub(super) struct Table {
    links: Links,
    arena: Arena,
    hasher: FixedState,
}

/// What [`Table::upsert`] found.
pub(super) enum Slot {
    /// The key was there, in the record at this place.
    Found(Place),
    /// The key was added, in the record at this place.
    Added(Place),
}

impl Table {
    /// An empty table with room for so many records.
    pub(super) fn new(hash_seed: u64, capacity: usize) -> Self {
        Self {
            links: Links::new(capacity),
            arena: Arena::default(),
            hasher: FixedState::with_seed(hash_seed),
        }
    }

    /// How many records there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    /// The heap memory it holds.
    pub(super) fn memory_bytes(&self) -> usize {
        self.links.memory_bytes() + self.arena.memory_bytes()
    }

    /// How many allocations freeing it returns.
    pub(super) fn free_effort(&self) -> usize {
        1 + self.arena.chunk_count()
    }

    /// Frees up to so many allocations of a table that is not used any more; how many.
    pub(super) fn shed(&mut self, most: usize) -> usize {
        self.arena.shed(most)
    }

    /// The records, in the order of the arena.
    pub(super) fn records(&self) -> impl Iterator<Item = Record<'_>> + Clone {
        self.arena.records()
    }

    /// Shows the records of the cursor's bucket; the next cursor, 0 after the last bucket. A record that is there from
    /// the first call to the last is shown at least once, however the table grows or shrinks in between.
    pub(super) fn scan<'a>(&'a self, cursor: u64, mut visit: impl FnMut(Record<'a>)) -> u64 {
        self.links.scan(cursor, |place| visit(self.arena.record(place)))
    }

    /// A record that the dice choose, each with the same chance.
    pub(super) fn random(&self, rng: &mut Rng) -> Option<Record<'_>> {
        self.links.random(rng).map(|place| self.arena.record(place))
    }

    /// The record at a place.
    #[inline]
    pub(super) fn record(&self, place: Place) -> Record<'_> {
        self.arena.record(place)
    }

    /// The value at a place, to be changed without changing its length.
    #[inline]
    pub(super) fn value_mut(&mut self, place: Place) -> &mut [u8] {
        self.arena.value_mut(place)
    }

    #[inline]
    fn hash(&self, key: &[u8]) -> PartHash {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        PartHash::of(hasher.finish())
    }

    #[inline]
    fn find_hashed(&self, hash: PartHash, key: &[u8]) -> Option<Place> {
        let position = self.links.find(hash, |place| self.arena.key(place) == key)?;
        Some(self.links.place(position))
    }

    /// The address of the bucket a key's link would be in.
    #[inline]
    pub(super) fn bucket_address(&self, key: &[u8]) -> *const u8 {
        self.links.home_address(self.hash(key))
    }

    /// The address of the record that a key probably has, told without touching it.
    #[inline]
    pub(super) fn record_address(&self, key: &[u8]) -> Option<*const u8> {
        self.links.likely(self.hash(key)).map(|place| self.arena.address(place))
    }

    /// The place of a key's record.
    #[inline]
    pub(super) fn find(&self, key: &[u8]) -> Option<Place> {
        self.find_hashed(self.hash(key), key)
    }

    /// The value of a key.
    #[inline]
    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.find(key).map(|place| self.arena.record(place).value)
    }

    /// Finds a key, or adds it with this value.
    #[inline]
    pub(super) fn upsert(&mut self, key: &[u8], value: &[u8]) -> Slot {
        let hash = self.hash(key);
        if let Some(place) = self.find_hashed(hash, key) {
            return Slot::Found(place);
        }
        let place = self.arena.push(key, value);
        self.links.insert(hash, place);
        Slot::Added(place)
    }

    /// Gives a key this value; whether the key is new.
    pub(super) fn set(&mut self, key: &[u8], value: &[u8]) -> bool {
        match self.upsert(key, value) {
            Slot::Added(_) => true,
            Slot::Found(place) => {
                let old = self.arena.value_mut(place);
                if old.len() == value.len() {
                    old.copy_from_slice(value);
                } else {
                    let new = self.arena.push(key, value);
                    self.relink(place, new);
                    if let Some(chunk) = self.arena.free(place) {
                        self.compact(Sparse(chunk));
                    }
                }
                false
            }
        }
    }

    /// Takes a key away and moves what asks to be moved; whether it was there.
    pub(super) fn remove(&mut self, key: &[u8]) -> bool {
        let Some(place) = self.find(key) else { return false };
        if let Some(sparse) = self.remove_record(place) {
            self.compact(sparse);
        }
        true
    }

    /// Takes the record at a place away. The caller settles the sparse chunk, if that left one.
    #[must_use]
    pub(super) fn remove_record(&mut self, place: Place) -> Option<Sparse> {
        let hash = self.hash(self.arena.key(place));
        if let Some(position) = self.links.find(hash, |other| other == place) {
            self.links.remove(position);
        }
        self.arena.free(place).map(Sparse)
    }

    /// Moves a sparse chunk's records: from where to where. The old places stay readable until [`Self::release`].
    #[must_use]
    pub(super) fn evacuate(&mut self, sparse: &Sparse) -> Vec<(Place, Place)> {
        let moves = self.arena.evacuate(sparse.0);
        for &(old, new) in &moves {
            self.relink(old, new);
        }
        moves
    }

    /// Gives back the memory of an evacuated chunk.
    pub(super) fn release(&mut self, sparse: Sparse) {
        self.arena.release(sparse.0);
    }

    fn compact(&mut self, sparse: Sparse) {
        let _ = self.evacuate(&sparse);
        self.release(sparse);
    }

    fn relink(&mut self, old: Place, new: Place) {
        let hash = self.hash(self.arena.key(new));
        if let Some(position) = self.links.find(hash, |place| place == old) {
            self.links.set_place(position, new);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn contents(table: &Table) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let pairs: Vec<_> = table.records().map(|r| (r.key.to_vec(), r.value.to_vec())).collect();
        let map: BTreeMap<_, _> = pairs.iter().cloned().collect();
        assert_eq!(map.len(), pairs.len(), "a key stands twice");
        map
    }

    proptest! {
        #[test]
        fn agrees_with_a_map(
            operations in prop::collection::vec((0_u8..5, 0_u16..300, 0_usize..4), 0..2_000)
        ) {
            let (mut table, mut model) = (Table::new(7, 0), BTreeMap::new());
            for (kind, key, size) in operations {
                let key = format!("key:{key}").into_bytes();
                if kind < 3 {
                    let value = vec![kind; [0, 9, 300, 9_000][size]];
                    prop_assert_eq!(table.set(&key, &value), model.insert(key.clone(), value).is_none());
                } else {
                    prop_assert_eq!(table.remove(&key), model.remove(&key).is_some());
                }
                prop_assert_eq!(table.get(&key), model.get(&key).map(Vec::as_slice));
                prop_assert_eq!(table.len(), model.len());
            }
            prop_assert_eq!(contents(&table), model);
        }
    }

    #[test]
    fn a_table_that_empties_gives_its_memory_back() {
        let mut table = Table::new(7, 0);
        let key = |n: u32| format!("member:{n:012}").into_bytes();
        for n in 0..20_000 {
            assert!(table.set(&key(n), b"value"));
        }
        let full = table.memory_bytes();
        assert!(full < 20_000 * 50, "{full}");
        for n in 100..20_000 {
            assert!(table.remove(&key(n)));
        }
        assert!(table.memory_bytes() < full / 20, "{} of {full}", table.memory_bytes());
        assert!((0..100).all(|n| table.get(&key(n)) == Some(b"value")));
    }
}
