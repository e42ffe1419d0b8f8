//! What the metadata group keeps on disk: the records, one batch of changes to them, and what is read back at start.
//!
//! A disk is two ordered maps: log entries by index, and four values by [`ValueKey`]. [`PersistBatch`] is all that one
//! round of the machine changes in them, and goes to disk in ONE transaction, deletions first: entries together with the
//! term and vote they were accepted under, a snapshot together with the end of the log it replaces, the state together
//! with its index. The bytes are prost messages of `cluster.proto`; nothing here touches a file.
//!
//! The latest applied state is always on disk, so it is the snapshot: there is no second copy that could disagree.
//!
//! Invariants, checked when records are read back: entries are consecutive, follow the compaction point, and their terms
//! never fall; compacted <= applied <= committed <= last; the topology's own applied index is that of its record.
//!
//! Neighbours: `ready` makes batches, the node's `raft_log` stores them, `log` is the view in memory.

use std::ops::RangeInclusive;

use nuthatch_proto::ids::LogIndex;
use nuthatch_proto::rpc;
use prost::Message as _;
use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};

use super::wire;
use crate::topology::{GroupId, Joiner, RaftId, Topology};

/// The values beside the log. The names are what a disk calls them; they never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueKey {
    /// Which group the node belongs to, and as whom. Without it the disk is blank.
    Identity,
    /// Term, vote and commit index.
    HardState,
    /// The topology, the index and term it stands for, and the group's members at that index.
    Applied,
    /// Index and term of the last entry that was cut off.
    Compaction,
}

impl ValueKey {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Identity, Self::HardState, Self::Applied, Self::Compaction];

    /// The key on disk.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::HardState => "hard_state",
            Self::Applied => "applied",
            Self::Compaction => "compaction",
        }
    }
}

/// What one round changes on disk, in one transaction: first `delete`, then `put` and `values`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersistBatch {
    /// Entries to delete, by index.
    pub delete: Vec<RangeInclusive<u64>>,
    /// Entries to write, by index, ascending.
    pub put: Vec<(u64, Vec<u8>)>,
    /// Values to write, or to delete where there is none.
    pub values: Vec<(ValueKey, Option<Vec<u8>>)>,
    /// Whether messages or answers depend on this batch being durable. Without it the batch says only what a restart
    /// could find out again (how far is committed and applied, what was cut off), so it may become durable with the next
    /// one that must: in order, and each whole.
    pub must_sync: bool,
}

impl PersistBatch {
    /// Makes a blank disk that of a group of one. Nothing is special about a founder afterwards: its log begins with a
    /// snapshot that holds the group's members, as that of each later member does.
    pub fn found(group: GroupId, founder: Joiner) -> Self {
        let id = RaftId(wire::FIRST_INDEX);
        let topology = Topology::singleton(group, LogIndex(wire::FIRST_INDEX), founder);
        let mut snapshot = Snapshot::default();
        snapshot.set_data(topology.encode().into());
        snapshot.mut_metadata().index = wire::FIRST_INDEX;
        snapshot.mut_metadata().term = wire::FIRST_TERM;
        snapshot.mut_metadata().set_conf_state(ConfState::from((vec![id.0], vec![])));
        let hard_state =
            HardState { term: wire::FIRST_TERM, commit: wire::FIRST_INDEX, ..HardState::default() };
        Self {
            delete: vec![0..=u64::MAX],
            put: Vec::new(),
            values: vec![
                (ValueKey::Identity, Some(encode_identity(group, id))),
                (ValueKey::HardState, Some(encode_hard_state(&hard_state))),
                (ValueKey::Applied, Some(encode_applied(&snapshot))),
                (ValueKey::Compaction, Some(encode_compaction(wire::FIRST_INDEX, wire::FIRST_TERM))),
            ],
            must_sync: true,
        }
    }

    /// Makes the disk of a node that is alone that of a blank member of another group: what it agreed with itself is
    /// gone, and a leader will send it a snapshot if it is to be more than a watcher. `id` must be the one that the group
    /// gave to this very disk: a member that forgot what it promised may not go on under its number.
    pub fn join(group: GroupId, id: RaftId) -> Self {
        Self {
            delete: vec![0..=u64::MAX],
            put: Vec::new(),
            values: vec![
                (ValueKey::Identity, Some(encode_identity(group, id))),
                (ValueKey::HardState, None),
                (ValueKey::Applied, None),
                (ValueKey::Compaction, None),
            ],
            must_sync: true,
        }
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.delete.is_empty() && self.put.is_empty() && self.values.is_empty()
    }
}

/// The records cannot be what this program wrote: the disk is damaged, or another version's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// A value's bytes are not its message, or the message says what cannot be.
    #[error("the metadata record `{}` is damaged", .0.name())]
    Value(ValueKey),
    /// An entry's bytes are not an entry of its index.
    #[error("the metadata log entry {0} is damaged")]
    Entry(u64),
    /// The log has a hole before this index, or its terms fall there.
    #[error("the metadata log does not continue at {0}")]
    Gap(u64),
    /// The indexes contradict each other.
    #[error(
        "compacted {compacted} <= applied {applied} <= committed {committed} <= last {last} does not hold"
    )]
    Order {
        /// The last entry that was cut off.
        compacted: u64,
        /// The index of the applied state.
        applied: u64,
        /// The commit index.
        committed: u64,
        /// The last entry.
        last: u64,
    },
}

/// What the disk held at start, decoded and found consistent.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    pub(super) group: GroupId,
    pub(super) id: RaftId,
    pub(super) hard_state: HardState,
    /// Index 0: a blank member.
    pub(super) applied: Snapshot,
    pub(super) topology: Option<Topology>,
    pub(super) compacted: (u64, u64),
    pub(super) entries: Vec<Entry>,
}

impl Restored {
    /// Decodes a disk's records. `None`: the disk is blank, and the node must found a group.
    pub fn read(
        value: impl Fn(ValueKey) -> Option<Vec<u8>>,
        entries: impl IntoIterator<Item = (u64, Vec<u8>)>,
    ) -> Result<Option<Self>, RecoverError> {
        let Some(identity) = value(ValueKey::Identity) else { return Ok(None) };
        let (group, id) = decode_identity(&identity)?;
        let hard_state = value(ValueKey::HardState).map(|bytes| decode_hard_state(&bytes)).transpose()?;
        let applied = value(ValueKey::Applied).map(|bytes| decode_applied(&bytes)).transpose()?;
        let compacted = value(ValueKey::Compaction).map(|bytes| decode_compaction(&bytes)).transpose()?;
        let (applied, topology) = applied.map_or((Snapshot::default(), None), |(a, t)| (a, Some(t)));
        let entries: Result<Vec<_>, _> =
            entries.into_iter().map(|(index, bytes)| decode_entry(index, &bytes)).collect();
        let restored = Self {
            group,
            id,
            hard_state: hard_state.unwrap_or_default(),
            applied,
            topology,
            compacted: compacted.unwrap_or_default(),
            entries: entries?,
        };
        restored.check()?;
        Ok(Some(restored))
    }

    /// The group that the node belongs to.
    pub fn group(&self) -> GroupId {
        self.group
    }

    /// Its number in that group.
    pub fn raft_id(&self) -> RaftId {
        self.id
    }

    /// The topology it had applied; none on a member that never had a snapshot.
    pub fn topology(&self) -> Option<&Topology> {
        self.topology.as_ref()
    }

    fn check(&self) -> Result<(), RecoverError> {
        let (compacted, mut term) = self.compacted;
        let mut last = compacted;
        for entry in &self.entries {
            if entry.index != last + 1 || entry.term < term {
                return Err(RecoverError::Gap(entry.index));
            }
            (last, term) = (entry.index, entry.term);
        }
        let applied = self.applied.get_metadata().index;
        let committed = self.hard_state.commit;
        if !(compacted <= applied && applied <= committed && committed <= last) {
            return Err(RecoverError::Order { compacted, applied, committed, last });
        }
        if self.topology.as_ref().is_some_and(|t| t.applied() != LogIndex(applied) || t.group() != self.group)
        {
            return Err(RecoverError::Value(ValueKey::Applied));
        }
        if self.hard_state.term < term {
            return Err(RecoverError::Value(ValueKey::HardState));
        }
        Ok(())
    }
}

pub(super) fn encode_identity(group: GroupId, id: RaftId) -> Vec<u8> {
    rpc::MetadataIdentity { group_id: group.0.to_vec().into(), raft_id: id.0 }.encode_to_vec()
}

fn decode_identity(bytes: &[u8]) -> Result<(GroupId, RaftId), RecoverError> {
    let damaged = RecoverError::Value(ValueKey::Identity);
    let Ok(message) = rpc::MetadataIdentity::decode(bytes) else { return Err(damaged) };
    match message.group_id[..].try_into() {
        Ok(group) if message.raft_id != 0 => Ok((GroupId(group), RaftId(message.raft_id))),
        Ok(_) | Err(_) => Err(damaged),
    }
}

pub(super) fn encode_hard_state(hard_state: &HardState) -> Vec<u8> {
    let &HardState { term, vote, commit, .. } = hard_state;
    rpc::MetadataHardState { term, vote, commit }.encode_to_vec()
}

fn decode_hard_state(bytes: &[u8]) -> Result<HardState, RecoverError> {
    match rpc::MetadataHardState::decode(bytes) {
        Ok(rpc::MetadataHardState { term, vote, commit }) => {
            Ok(HardState { term, vote, commit, ..HardState::default() })
        }
        Err(_) => Err(RecoverError::Value(ValueKey::HardState)),
    }
}

pub(super) fn encode_applied(snapshot: &Snapshot) -> Vec<u8> {
    wire::snapshot_to_wire(snapshot).encode_to_vec()
}

fn decode_applied(bytes: &[u8]) -> Result<(Snapshot, Topology), RecoverError> {
    let damaged = RecoverError::Value(ValueKey::Applied);
    let Ok(message) = rpc::RaftSnapshot::decode(bytes) else { return Err(damaged) };
    let Ok(topology) = Topology::decode(&message.data) else { return Err(damaged) };
    Ok((wire::snapshot_from_wire(message), topology))
}

pub(super) fn encode_compaction(index: u64, term: u64) -> Vec<u8> {
    rpc::MetadataCompaction { index, term }.encode_to_vec()
}

fn decode_compaction(bytes: &[u8]) -> Result<(u64, u64), RecoverError> {
    match rpc::MetadataCompaction::decode(bytes) {
        Ok(message) => Ok((message.index, message.term)),
        Err(_) => Err(RecoverError::Value(ValueKey::Compaction)),
    }
}

pub(super) fn encode_entry(entry: &Entry) -> Vec<u8> {
    let wire = wire::entry_to_wire(entry);
    wire.expect("an entry of the log was decoded by `wire` or made by this machine in the same form")
        .encode_to_vec()
}

fn decode_entry(index: u64, bytes: &[u8]) -> Result<Entry, RecoverError> {
    let damaged = RecoverError::Entry(index);
    let Ok(message) = rpc::RaftEntry::decode(bytes) else { return Err(damaged) };
    match wire::entry_from_wire(message) {
        Ok(entry) if entry.index == index => Ok(entry),
        Ok(_) | Err(_) => Err(damaged),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::topology::arbitrary::joiner;

    /// A disk's two maps.
    #[derive(Default, Clone)]
    struct Records {
        entries: BTreeMap<u64, Vec<u8>>,
        values: BTreeMap<ValueKey, Vec<u8>>,
    }

    impl Records {
        fn founded() -> Self {
            let mut records = Self::default();
            let batch = PersistBatch::found(GroupId([9; 16]), joiner(1, Vec::new()));
            records.values.extend(batch.values.into_iter().filter_map(|(key, value)| Some((key, value?))));
            records
        }

        fn with_entries(mut self, entries: &[(u64, u64)]) -> Self {
            for (index, term) in entries {
                let entry = Entry { index: *index, term: *term, ..Entry::default() };
                self.entries.insert(*index, encode_entry(&entry));
            }
            self
        }

        fn with_hard_state(mut self, term: u64, commit: u64) -> Self {
            let hard_state = HardState { term, commit, ..HardState::default() };
            self.values.insert(ValueKey::HardState, encode_hard_state(&hard_state));
            self
        }

        fn read(&self) -> Result<Option<Restored>, RecoverError> {
            let entries = self.entries.iter().map(|(index, bytes)| (*index, bytes.clone()));
            Restored::read(|key| self.values.get(&key).cloned(), entries)
        }
    }

    fn check_refused(records: Records, expected: RecoverError) {
        assert_eq!(records.read(), Err(expected));
    }

    #[test]
    fn a_blank_disk_is_blank_and_a_founders_is_whole() {
        assert_eq!(Records::default().read(), Ok(None));
        let restored = Records::founded().read().expect("what was just made").expect("not blank");
        assert_eq!((restored.group(), restored.raft_id()), (GroupId([9; 16]), RaftId(1)));
        assert_eq!(restored.topology().expect("the founder's").applied(), LogIndex(FIRST));
        let restored = Records::founded().with_entries(&[(2, 1), (3, 4)]).with_hard_state(4, 2).read();
        assert_eq!(restored.expect("whole").expect("not blank").entries.len(), 2);
    }

    const FIRST: u64 = wire::FIRST_INDEX;

    #[test]
    fn a_member_that_joined_begins_blank() {
        let mut records = Records::founded();
        let batch = PersistBatch::join(GroupId([3; 16]), RaftId(40));
        assert_eq!(batch.delete, [0..=u64::MAX]);
        for (key, value) in batch.values {
            match value {
                Some(value) => _ = records.values.insert(key, value),
                None => _ = records.values.remove(&key),
            }
        }
        let restored = records.read().expect("whole").expect("not blank");
        assert_eq!((restored.group(), restored.raft_id()), (GroupId([3; 16]), RaftId(40)));
        assert_eq!((restored.topology(), &restored.hard_state), (None, &HardState::default()));
    }

    #[test]
    fn contradictions_are_found() {
        let founded = Records::founded;
        check_refused(founded().with_entries(&[(3, 1)]), RecoverError::Gap(3));
        check_refused(founded().with_entries(&[(2, 2), (3, 1)]), RecoverError::Gap(3));
        let order = RecoverError::Order { compacted: 1, applied: 1, committed: 3, last: 2 };
        check_refused(founded().with_entries(&[(2, 1)]).with_hard_state(1, 3), order);
        let order = RecoverError::Order { compacted: 1, applied: 1, committed: 0, last: 1 };
        check_refused(founded().with_hard_state(1, 0), order);
        let old_term = founded().with_entries(&[(2, 5)]).with_hard_state(4, 1);
        check_refused(old_term, RecoverError::Value(ValueKey::HardState));
        let mut other_group = founded();
        other_group.values.insert(ValueKey::Identity, encode_identity(GroupId([8; 16]), RaftId(1)));
        check_refused(other_group, RecoverError::Value(ValueKey::Applied));
    }

    #[test]
    fn damaged_bytes_are_found() {
        for key in ValueKey::ALL {
            let mut records = Records::founded();
            records.values.insert(key, vec![0xff; 3]);
            check_refused(records, RecoverError::Value(key));
        }
        let mut records = Records::founded().with_entries(&[(2, 1)]);
        records.entries.insert(2, vec![0xff]);
        check_refused(records, RecoverError::Entry(2));
        let mut records = Records::founded().with_entries(&[(2, 1), (3, 1)]);
        records.entries.insert(2, records.entries[&3].clone());
        check_refused(records, RecoverError::Entry(2));
    }
}
