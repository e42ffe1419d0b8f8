//! A disk that keeps what was synced, and at a crash some of what was not.
//!
//! Batches are whole or not there, in the order in which they were written, as a transactional store promises; which of
//! the unsynced ones survive a crash is chance, because a kernel writes when it likes.

use std::collections::{BTreeMap, VecDeque};

use nuthatch_cluster::metadata::{PersistBatch, RecoverError, Restored, ValueKey};

use super::random::Random;

/// The two maps that a batch changes.
#[derive(Debug, Clone, Default)]
pub struct Image {
    /// Log entries by index.
    pub entries: BTreeMap<u64, Vec<u8>>,
    /// The values beside the log.
    pub values: BTreeMap<ValueKey, Vec<u8>>,
}

impl Image {
    fn apply(&mut self, batch: &PersistBatch) {
        for range in &batch.delete {
            let gone: Vec<_> = self.entries.range(range.clone()).map(|(index, _)| *index).collect();
            gone.iter().for_each(|index| _ = self.entries.remove(index));
        }
        self.entries.extend(batch.put.iter().cloned());
        for (key, value) in &batch.values {
            match value {
                Some(value) => _ = self.values.insert(*key, value.clone()),
                None => _ = self.values.remove(key),
            }
        }
    }

    /// What a node that starts finds.
    pub fn read(&self) -> Result<Option<Restored>, RecoverError> {
        let entries = self.entries.iter().map(|(index, bytes)| (*index, bytes.clone()));
        Restored::read(|key| self.values.get(&key).cloned(), entries)
    }
}

/// One node's disk.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// What a crash cannot touch.
    durable: Image,
    /// What the node sees.
    visible: Image,
    unsynced: VecDeque<PersistBatch>,
}

impl Disk {
    /// Writes a batch, durable or not.
    pub fn write(&mut self, batch: PersistBatch) {
        self.visible.apply(&batch);
        self.unsynced.push_back(batch);
    }

    /// Makes durable all that was written.
    pub fn sync(&mut self) {
        for batch in self.unsynced.drain(..) {
            self.durable.apply(&batch);
        }
    }

    /// Loses some of what was not synced, from the end.
    pub fn crash(&mut self, random: &mut Random) {
        let survive = random.below(self.unsynced.len() + 1);
        for batch in self.unsynced.drain(..).take(survive) {
            self.durable.apply(&batch);
        }
        self.visible = self.durable.clone();
    }

    /// What the node sees.
    pub fn image(&self) -> &Image {
        &self.visible
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(index: u64) -> PersistBatch {
        PersistBatch { put: vec![(index, vec![1])], ..PersistBatch::default() }
    }

    #[test]
    fn a_crash_takes_unsynced_batches_from_the_end_only() {
        let mut random = Random::new(1);
        let mut lengths = [0; 4];
        for _ in 0..100 {
            let mut disk = Disk::default();
            disk.write(batch(1));
            disk.sync();
            disk.write(batch(2));
            disk.write(batch(3));
            assert_eq!(disk.image().entries.len(), 3);
            disk.crash(&mut random);
            let left: Vec<_> = disk.image().entries.keys().copied().collect();
            assert_eq!(left, (1..=left.len() as u64).collect::<Vec<_>>());
            lengths[left.len()] += 1;
        }
        assert!(lengths[0] == 0 && lengths[1..].iter().all(|seen| *seen > 0), "{lengths:?}");
    }
}
