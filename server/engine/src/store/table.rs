//! The hash table of one slot.

use hashbrown::HashTable;

use super::entry::Entry;

/// A slot's entries by the hash of their keys.
#[derive(Default)]
pub(crate) struct Table {
    entries: HashTable<(u64, Entry)>,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn find(&self, hash: u64, key: &[u8]) -> Option<&Entry> {
        self.entries.find(hash, |(_, entry)| entry.key() == key).map(|(_, entry)| entry)
    }

    pub(crate) fn find_mut(&mut self, hash: u64, key: &[u8]) -> Option<&mut Entry> {
        self.entries.find_mut(hash, |(_, entry)| entry.key() == key).map(|(_, entry)| entry)
    }

    /// Adds an entry whose key is not in the table.
    pub(crate) fn insert(&mut self, hash: u64, entry: Entry) -> &mut Entry {
        &mut self.entries.insert_unique(hash, (hash, entry), |&(hash, _)| hash).into_mut().1
    }

    pub(crate) fn remove(&mut self, hash: u64, key: &[u8]) -> Option<Entry> {
        self.entries.find_entry(hash, |(_, entry)| entry.key() == key).ok().map(|found| found.remove().0.1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().map(|(_, entry)| entry)
    }

    pub(crate) fn scan(&self, _cursor: u64, visit: impl FnMut(&Entry)) -> u64 {
        self.iter().for_each(visit);
        0
    }

    pub(crate) fn random(&self, dice: u64, wanted: impl Fn(&Entry) -> bool) -> Option<&Entry> {
        let start = (dice % (self.len().max(1) as u64)) as usize;
        self.iter().skip(start).chain(self.iter().take(start)).find(|entry| wanted(entry))
    }
}
