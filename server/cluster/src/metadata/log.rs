//! The part of the metadata log that is on disk, as the Raft library reads it: `raft::Storage` over memory.
//!
//! This is a view of what was persisted, and changes only when a batch was: [`Log::stored`] is told so by the machine
//! after the disk said so. What is not yet on disk is in the library's own unstable log. The view holds the entries
//! after the compaction point and the latest applied state, which doubles as the snapshot for members that lag behind
//! the compaction point; [`Log::plan_compaction`] keeps a tail of entries so that few do.
//!
//! Invariants: entries are consecutive from the compaction point; an append at or before the last entry cuts the rest
//! off first, and nothing committed is ever cut off; compacted <= applied <= committed <= last.
//!
//! Neighbours: `ready` feeds it, `record` is its form on disk, the library reads it within `step` and `tick`.

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{Error, GetEntriesContext, RaftState, Result, Storage, StorageError};

use super::record::Restored;

/// Applied entries that stay in the log for members that are a little behind.
pub(super) const TAIL_ENTRIES: u64 = 500;
/// Compaction cuts off at least this many, so that it is rare.
pub(super) const COMPACT_ENTRIES: u64 = 1_000;

/// What is on disk.
#[derive(Debug, Clone)]
pub(super) struct Log {
    pub(super) hard_state: HardState,
    /// Index 0 while nothing was applied.
    pub(super) applied: Snapshot,
    /// Index and term of the last entry that is gone.
    compacted: (u64, u64),
    entries: Vec<Entry>,
}

/// What one batch wrote.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// A snapshot that replaces the whole log.
    pub(super) installed: Option<Snapshot>,
    /// Entries that replace all from the first of them on.
    pub(super) entries: Vec<Entry>,
    pub(super) hard_state: Option<HardState>,
    pub(super) applied: Option<Snapshot>,
    /// The compaction point, index and term.
    pub(super) compacted: Option<(u64, u64)>,
}

impl Log {
    pub(super) fn new(restored: &mut Restored) -> Self {
        Self {
            hard_state: restored.hard_state.clone(),
            applied: restored.applied.clone(),
            compacted: restored.compacted,
            entries: std::mem::take(&mut restored.entries),
        }
    }

    /// The disk has this now.
    pub(super) fn stored(&mut self, stored: Stored) {
        if let Some(snapshot) = stored.installed {
            self.compacted = (snapshot.get_metadata().index, snapshot.get_metadata().term);
            self.applied = snapshot;
            self.entries.clear();
        }
        self.append(stored.entries);
        if let Some(hard_state) = stored.hard_state {
            self.hard_state = hard_state;
        }
        if let Some(applied) = stored.applied {
            self.applied = applied;
        }
        if let Some((index, term)) = stored.compacted {
            let gone = self.position(index + 1);
            self.entries.drain(..gone);
            self.compacted = (index, term);
        }
    }

    fn append(&mut self, entries: Vec<Entry>) {
        let Some(first) = entries.first().map(|entry| entry.index) else { return };
        assert!(self.compacted.0 < first && first <= self.last() + 1, "an append leaves no gap");
        self.entries.truncate(self.position(first));
        self.entries.extend(entries);
    }

    /// Where to cut the log off once `applied` is on disk, if it is worth it: index and term.
    pub(super) fn plan_compaction(&self, applied: u64) -> Option<(u64, u64)> {
        let index = applied.checked_sub(TAIL_ENTRIES)?;
        // Applied entries were persisted before, so the entry is in this view, not only in the batch being written.
        (index >= self.compacted.0 + COMPACT_ENTRIES).then(|| Some((index, self.term(index).ok()?))).flatten()
    }

    pub(super) fn last(&self) -> u64 {
        self.entries.last().map_or(self.compacted.0, |entry| entry.index)
    }

    /// Where the entry of that index is, which must not be before the compaction point.
    fn position(&self, index: u64) -> usize {
        let position = usize::try_from(index - self.compacted.0 - 1).unwrap_or(usize::MAX);
        position.min(self.entries.len())
    }

    pub(super) fn conf_state(&self) -> &ConfState {
        self.applied.get_metadata().get_conf_state()
    }
}

impl Storage for Log {
    fn initial_state(&self) -> Result<RaftState> {
        Ok(RaftState::new(self.hard_state.clone(), self.conf_state().clone()))
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> Result<Vec<Entry>> {
        if low <= self.compacted.0 {
            return Err(Error::Store(StorageError::Compacted));
        }
        assert!(high <= self.last() + 1, "entries up to {high} are asked for, the last is {}", self.last());
        let mut entries = self.entries[self.position(low)..self.position(high)].to_vec();
        raft::util::limit_size(&mut entries, max_size.into());
        Ok(entries)
    }

    fn term(&self, index: u64) -> Result<u64> {
        if index == self.compacted.0 {
            return Ok(self.compacted.1);
        }
        if index < self.compacted.0 {
            return Err(Error::Store(StorageError::Compacted));
        }
        let entry = self.entries.get(self.position(index)).filter(|_| index <= self.last());
        entry.map(|entry| entry.term).ok_or(Error::Store(StorageError::Unavailable))
    }

    fn first_index(&self) -> Result<u64> {
        Ok(self.compacted.0 + 1)
    }

    fn last_index(&self) -> Result<u64> {
        Ok(self.last())
    }

    fn snapshot(&self, request_index: u64, _to: u64) -> Result<Snapshot> {
        if self.applied.get_metadata().index < request_index.max(1) {
            return Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable));
        }
        Ok(self.applied.clone())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use raft::storage::MemStorage;

    use super::*;

    fn entry(index: u64, term: u64) -> Entry {
        Entry {
            index,
            term,
            data: vec![7; usize::try_from(index % 5).expect("small")].into(),
            ..Entry::default()
        }
    }

    fn snapshot(index: u64, term: u64) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.mut_metadata().index = index;
        snapshot.mut_metadata().term = term;
        snapshot.mut_metadata().set_conf_state(ConfState::from((vec![1], vec![])));
        snapshot
    }

    fn blank() -> Log {
        Log {
            hard_state: HardState::default(),
            applied: Snapshot::default(),
            compacted: (0, 0),
            entries: Vec::new(),
        }
    }

    #[derive(Debug, Clone)]
    enum Op {
        /// Append so many entries, beginning so far back from the end.
        Append { back: u64, count: u64 },
        /// Cut off so many at the beginning.
        Compact(u64),
        /// Install a snapshot so far after the last entry.
        Install(u64),
    }

    fn ops() -> impl Strategy<Value = Vec<Op>> {
        let op = prop_oneof![
            6 => (0..6u64, 1..8u64).prop_map(|(back, count)| Op::Append { back, count }),
            2 => (0..6u64).prop_map(Op::Compact),
            1 => (1..4u64).prop_map(Op::Install),
        ];
        prop::collection::vec(op, 1..40)
    }

    /// Both storages answer each question alike. (The library's knows no term at its compaction point.)
    fn check_same(log: &Log, reference: &MemStorage, terms_from: u64) {
        assert_eq!(log.first_index(), reference.first_index());
        assert_eq!(log.last_index(), reference.last_index());
        let (first, last) = (log.first_index().expect("known"), log.last_index().expect("known"));
        for index in terms_from.max(first)..=last + 2 {
            assert_eq!(log.term(index), reference.term(index), "term of {index}");
        }
        if first > 1 {
            assert_eq!(log.term(first - 2).ok(), None, "what is gone has no term");
        }
        let no_limit = || GetEntriesContext::empty(false);
        for low in first..=last {
            for limit in [None, Some(0), Some(20)] {
                assert_eq!(
                    log.entries(low, last + 1, limit, no_limit()),
                    reference.entries(low, last + 1, limit, no_limit())
                );
            }
        }
    }

    proptest! {
        #[test]
        fn behaves_as_the_librarys_memory_storage(ops in ops()) {
            let (mut log, reference) = (blank(), MemStorage::new());
            let mut term = 1;
            for op in ops {
                term += 1;
                let (first, last) = (log.compacted.0 + 1, log.last());
                match op {
                    Op::Append { back, count } => {
                        let from = (last + 1).saturating_sub(back).max(first);
                        let entries: Vec<_> = (from..from + count).map(|index| entry(index, term)).collect();
                        reference.wl().append(&entries).expect("memory does not fail");
                        log.stored(Stored { entries, ..Stored::default() });
                    }
                    Op::Compact(count) => {
                        // The library's storage forgets where it was cut off once it is empty: one entry stays.
                        let index = (first - 1 + count).min(last.saturating_sub(1));
                        if index >= first {
                            reference.wl().compact(index + 1).expect("memory does not fail");
                            let compacted = Some((index, log.term(index).expect("in the log")));
                            log.stored(Stored { compacted, ..Stored::default() });
                        }
                    }
                    Op::Install(ahead) => {
                        let installed = snapshot(last + ahead, term);
                        reference.wl().apply_snapshot(installed.clone()).expect("newer than the log");
                        log.stored(Stored { installed: Some(installed), ..Stored::default() });
                    }
                }
                check_same(&log, &reference, log.compacted.0 + 1);
            }
        }
    }

    #[test]
    fn a_conflicting_suffix_is_cut_off() {
        let mut log = blank();
        log.stored(Stored { entries: (1..=5).map(|i| entry(i, 1)).collect(), ..Stored::default() });
        log.stored(Stored { entries: vec![entry(3, 2)], ..Stored::default() });
        assert_eq!((log.last(), log.term(3), log.term(2)), (3, Ok(2), Ok(1)));
        assert_eq!(log.term(4), Err(Error::Store(StorageError::Unavailable)));
    }

    #[test]
    fn compaction_waits_until_it_is_worth_it_and_keeps_a_tail() {
        let mut log = blank();
        let last = 2 * (TAIL_ENTRIES + COMPACT_ENTRIES);
        log.stored(Stored { entries: (1..=last).map(|i| entry(i, 1)).collect(), ..Stored::default() });
        assert_eq!(log.plan_compaction(TAIL_ENTRIES + COMPACT_ENTRIES - 1), None);
        let worth = TAIL_ENTRIES + COMPACT_ENTRIES;
        assert_eq!(log.plan_compaction(worth), Some((COMPACT_ENTRIES, 1)));
        log.stored(Stored { compacted: Some((COMPACT_ENTRIES, 1)), ..Stored::default() });
        assert_eq!(log.plan_compaction(worth), None);
        assert_eq!(log.first_index(), Ok(COMPACT_ENTRIES + 1));
    }

    #[test]
    fn a_snapshot_is_the_applied_state_and_never_older_than_asked_for() {
        let mut log = blank();
        assert!(log.snapshot(0, 2).is_err(), "nothing was applied yet");
        log.stored(Stored { applied: Some(snapshot(4, 1)), ..Stored::default() });
        assert_eq!(log.snapshot(4, 2), Ok(snapshot(4, 1)));
        assert_eq!(log.snapshot(5, 2), Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable)));
    }
}
