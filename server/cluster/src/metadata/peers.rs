//! What a leader notes about the other nodes beside the library's own progress: when each was last heard from, and how
//! long a snapshot has been on its way.
//!
//! The library stops sending to a member once it has sent it a snapshot, until it is told what became of it. The driver
//! tells; but a report can get lost in a restart of the transport, so a snapshot that is not accounted for in time
//! counts as failed.
//!
//! Time is ticks of the machine. Silence counts from the start of the leadership, because a new leader has heard nobody.
//!
//! Neighbours: `machine` is the only caller.

use std::collections::{BTreeMap, BTreeSet};

use crate::topology::RaftId;

/// Ticks until a snapshot of which nothing was heard counts as failed: 10 s.
const SNAPSHOT_TICKS: u64 = 10_000 / super::TICK_MS;

/// Notes about the other nodes.
#[derive(Debug, Default)]
pub(super) struct Peers {
    since: u64,
    heard: BTreeMap<RaftId, u64>,
    snapshots: BTreeMap<RaftId, u64>,
}

impl Peers {
    /// This node leads from now on.
    pub(super) fn begin(&mut self, now: u64) {
        *self = Self { since: now, ..Self::default() };
    }

    pub(super) fn heard(&mut self, id: RaftId, now: u64) {
        self.heard.insert(id, now);
    }

    /// Those of `ids` that were heard from within `patience` ticks. The rest is forgotten, so that this stays small.
    pub(super) fn alive(&mut self, ids: &BTreeSet<RaftId>, now: u64, patience: u64) -> BTreeSet<RaftId> {
        self.heard.retain(|id, _| ids.contains(id));
        let last = |id: &RaftId| self.heard.get(id).copied().unwrap_or(self.since);
        ids.iter().filter(|id| now.saturating_sub(last(id)) <= patience).copied().collect()
    }

    /// Notes which members wait for the fate of a snapshot; returns those that have waited for too long.
    pub(super) fn overdue_snapshots(&mut self, waiting: &BTreeSet<RaftId>, now: u64) -> Vec<RaftId> {
        self.snapshots.retain(|id, _| waiting.contains(id));
        waiting.iter().for_each(|id| _ = self.snapshots.entry(*id).or_insert(now));
        let overdue = |(id, since): (&RaftId, &u64)| (now - since >= SNAPSHOT_TICKS).then_some(*id);
        let overdue: Vec<_> = self.snapshots.iter().filter_map(overdue).collect();
        overdue.iter().for_each(|id| _ = self.snapshots.remove(id));
        overdue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[u64]) -> BTreeSet<RaftId> {
        ids.iter().copied().map(RaftId).collect()
    }

    #[test]
    fn silence_counts_from_the_last_word_or_the_start_of_the_leadership() {
        let mut peers = Peers::default();
        peers.begin(100);
        peers.heard(RaftId(2), 150);
        assert_eq!(peers.alive(&ids(&[1, 2]), 110, 10), ids(&[1, 2]), "a new leader has heard nobody");
        assert_eq!(peers.alive(&ids(&[1, 2]), 160, 10), ids(&[2]));
        assert_eq!(peers.alive(&ids(&[1, 2]), 161, 10), ids(&[]));
    }

    #[test]
    fn a_snapshot_of_which_nothing_is_heard_is_reported_once_per_attempt() {
        let mut peers = Peers::default();
        assert_eq!(peers.overdue_snapshots(&ids(&[2]), 5), []);
        assert_eq!(peers.overdue_snapshots(&ids(&[2]), 5 + SNAPSHOT_TICKS), [RaftId(2)]);
        assert_eq!(
            peers.overdue_snapshots(&ids(&[2]), 6 + SNAPSHOT_TICKS),
            [],
            "the next attempt has its own time"
        );
        assert_eq!(peers.overdue_snapshots(&ids(&[]), 7 + SNAPSHOT_TICKS), []);
    }
}
