//! What must hold after each step, in one place, whoever broke it.
//!
//! The ledger sees everything: each batch that a node of the group under test writes, each topology it publishes, each
//! answer it gives. From the batches it rebuilds the log that was committed and the members that it made.
//!
//! - **election safety**: a term has at most one leader;
//! - **log matching**: a committed entry is the same on every node that has it, for ever;
//! - **state machine safety**: at one index every node has the same state and members, byte for byte;
//! - **no acknowledged change is lost or made twice**: each client writes 1, 2, 3... to a setting of its own, each after
//!   the one before was acknowledged; a topology that includes an acknowledged write never shows less, and a node never
//!   sees the number fall;
//! - **linearizable reads**: a read's answer includes all that was acknowledged before it was asked for;
//! - **succession**: who is primary of a shard after whom, and who is in sync, as [`Succession`] has it;
//! - **one change of members at a time**: no log has two that are not committed, and a voter was a learner.

use std::collections::{BTreeMap, BTreeSet};

use nuthatch_cluster::metadata::{PersistBatch, ValueKey};
use nuthatch_cluster::topology::{GroupId, Outcome, ProposalId, RaftId, Rejected, Topology};
use nuthatch_proto::ids::LogIndex;
use nuthatch_proto::rpc::{RaftConfChangeKind, RaftEntry, RaftSnapshot, raft_entry::Payload};
use prost::Message as _;

use super::disk::Image;
use super::network::Place;
use super::node::Node;
use super::succession::Succession;

/// The setting that a client counts up.
pub fn setting_of(client: usize) -> String {
    format!("client-{client}")
}

/// What one node has shown so far.
#[derive(Debug, Default, Clone)]
struct Seen {
    /// Entries up to here were compared with the ledger's.
    checked: u64,
    /// The last topology's index, and each client's number in it.
    topology: (LogIndex, BTreeMap<usize, u64>),
}

/// What the world knows to be so.
#[derive(Debug)]
pub struct Ledger {
    group: GroupId,
    leaders: BTreeMap<u64, RaftId>,
    committed: BTreeMap<u64, Vec<u8>>,
    applied: BTreeMap<u64, Vec<u8>>,
    outcomes: BTreeMap<ProposalId, Outcome>,
    /// Acknowledged numbers by client, with the index from which on they must be seen.
    acknowledged: BTreeMap<usize, Vec<(LogIndex, u64)>>,
    last_acknowledged: u64,
    voters: BTreeSet<RaftId>,
    learners: BTreeSet<RaftId>,
    /// The log is replayed up to this index.
    replayed: u64,
    succession: Succession,
    member_changes: u64,
    seen: BTreeMap<Place, Seen>,
}

impl Ledger {
    /// The ledger of the group that this node has just founded.
    pub fn new(founder: &Node) -> Self {
        Self {
            group: founder.group,
            leaders: BTreeMap::new(),
            committed: BTreeMap::new(),
            applied: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            last_acknowledged: 0,
            voters: BTreeSet::from([founder.raft_id]),
            learners: BTreeSet::new(),
            replayed: 1,
            succession: Succession::new(founder.group, founder.joiner()),
            member_changes: 0,
            seen: BTreeMap::new(),
        }
    }

    /// The group under test.
    pub fn group(&self) -> GroupId {
        self.group
    }

    /// The voters that the committed log makes.
    pub fn voters(&self) -> &BTreeSet<RaftId> {
        &self.voters
    }

    /// The learners that the committed log makes.
    pub fn learners(&self) -> &BTreeSet<RaftId> {
        &self.learners
    }

    /// The highest index that was acknowledged to anybody.
    pub fn last_acknowledged(&self) -> u64 {
        self.last_acknowledged
    }

    /// Committed entries, terms with a leader, changes of members.
    pub fn totals(&self) -> (u64, u64, u64) {
        (self.committed.len() as u64, self.leaders.len() as u64, self.member_changes)
    }

    /// How often another became the primary of a shard that went on with its data.
    pub fn promotions(&self) -> u64 {
        self.succession.promotions()
    }

    /// A node starts: its log is looked at anew, and what it applied may be older than before.
    pub fn restarted(&mut self, place: Place) {
        self.seen.insert(place, Seen::default());
    }

    /// A client was told that its number is set from that index on.
    pub fn acknowledge(&mut self, client: usize, index: LogIndex, number: u64) {
        self.acknowledged.entry(client).or_default().push((index, number));
    }

    /// A node knows an outcome, and could tell.
    pub fn decided(&mut self, id: ProposalId, outcome: &Outcome) -> Result<(), String> {
        let index = match outcome {
            Outcome::Applied(index) | Outcome::Rejected { index, .. } => index.0,
        };
        self.last_acknowledged = self.last_acknowledged.max(index);
        if matches!(outcome, Outcome::Rejected { error, .. } if *error == Rejected::Outdated.to_string()) {
            // The late copy of a request that was answered long ago.
            let known = self.outcomes.contains_key(&id);
            return known
                .then_some(())
                .ok_or_else(|| format!("lost: {id:?} was in flight and counts as outdated"));
        }
        let first = self.outcomes.entry(id).or_insert_with(|| outcome.clone());
        same(first, outcome).map_err(|()| format!("made twice: {id:?} came to {first:?} and to {outcome:?}"))
    }

    /// A read was answered.
    pub fn read(&self, floor: u64, index: LogIndex) -> Result<(), String> {
        match index.0 >= floor {
            true => Ok(()),
            false => Err(format!("linearizable reads: answered at {index}, {floor} was acknowledged before")),
        }
    }

    /// A node that has just done something.
    pub fn check_node(&mut self, node: &Node) -> Result<(), String> {
        let Some(process) = node.process.as_ref().filter(|_| node.group == self.group) else { return Ok(()) };
        let status = process.machine.status();
        if process.machine.is_leader() {
            let leader = self.leaders.entry(status.term).or_insert(status.id);
            if *leader != status.id {
                return Err(format!(
                    "election safety: {leader} and {} lead in term {}",
                    status.id, status.term
                ));
            }
        }
        self.check_committed(node.place, node.disk.image(), status.committed.0)?;
        self.replay()
    }

    fn check_committed(&mut self, place: Place, image: &Image, committed: u64) -> Result<(), String> {
        let seen = self.seen.entry(place).or_default();
        let last = image.entries.keys().next_back().copied().unwrap_or(0).min(committed);
        if seen.checked >= last {
            return Ok(());
        }
        for (index, entry) in image.entries.range(seen.checked + 1..=last) {
            let first = self.committed.entry(*index).or_insert_with(|| entry.clone());
            if first != entry {
                return Err(format!("log matching: node {place} committed another entry at {index}"));
            }
        }
        seen.checked = last;
        Ok(())
    }

    fn replay(&mut self) -> Result<(), String> {
        while let Some(bytes) = self.committed.get(&(self.replayed + 1)) {
            self.replayed += 1;
            self.succession.enter(self.replayed, bytes)?;
            let Some((kind, id)) = conf_change(bytes) else { continue };
            self.member_changes += 1;
            match kind {
                RaftConfChangeKind::Voter if !self.learners.remove(&id) => {
                    return Err(format!("members: {id} became a voter and was no learner"));
                }
                RaftConfChangeKind::Voter => _ = self.voters.insert(id),
                RaftConfChangeKind::Learner => {
                    self.voters.remove(&id);
                    self.learners.insert(id);
                }
                RaftConfChangeKind::Remove => {
                    self.voters.remove(&id);
                    self.learners.remove(&id);
                }
            }
            if self.voters.is_empty() {
                return Err(format!("members: no voter is left at {}", self.replayed));
            }
        }
        Ok(())
    }

    /// A node has written a batch.
    pub fn wrote(&mut self, node: &Node, batch: &PersistBatch) -> Result<(), String> {
        if node.group != self.group {
            return Ok(());
        }
        if batch.put.iter().any(|(_, bytes)| conf_change(bytes).is_some()) {
            let known = self.committed.keys().next_back().copied().unwrap_or(0);
            let known = known.max(node.process.as_ref().map_or(0, |p| p.machine.status().committed.0));
            let open = node
                .disk
                .image()
                .entries
                .range(known + 1..)
                .filter(|(_, bytes)| conf_change(bytes).is_some());
            if open.count() > 1 {
                return Err(format!("members: node {} has two changes in flight after {known}", node.place));
            }
        }
        for (key, value) in &batch.values {
            let (ValueKey::Applied, Some(bytes)) = (key, value) else { continue };
            let index = RaftSnapshot::decode(&bytes[..]).map_err(|error| error.to_string())?.index;
            let first = self.applied.entry(index).or_insert_with(|| bytes.clone());
            if first != bytes {
                return Err(format!(
                    "state machine safety: node {} has another state at {index}",
                    node.place
                ));
            }
        }
        Ok(())
    }

    /// A node has published a topology.
    pub fn published(&mut self, node: &Node, topology: &Topology) -> Result<(), String> {
        if node.group != self.group {
            return Ok(());
        }
        let applied = topology.applied();
        let seen = self.seen.entry(node.place).or_default();
        if applied < seen.topology.0 {
            return Err(format!("node {} went back from {} to {applied}", node.place, seen.topology.0));
        }
        seen.topology.0 = applied;
        for (client, acknowledged) in &self.acknowledged {
            let shown =
                topology.setting(&setting_of(*client)).and_then(|text| text.parse().ok()).unwrap_or(0);
            // A client's acknowledgements rise in both.
            let must_show = acknowledged.iter().rev().find(|(index, _)| *index <= applied);
            let must_show = must_show.map_or(0, |(_, number)| *number);
            if shown < must_show {
                return Err(format!(
                    "lost or made twice: client {client} shows {shown}, {must_show} was acknowledged"
                ));
            }
            let before = seen.topology.1.insert(*client, shown).unwrap_or(0);
            if shown < before {
                return Err(format!(
                    "made twice: client {client} fell from {before} to {shown} at {applied}"
                ));
            }
        }
        Ok(())
    }
}

/// An outcome told twice is the same one.
fn same(first: &Outcome, second: &Outcome) -> Result<(), ()> {
    (first == second).then_some(()).ok_or(())
}

/// The change of members in an entry's record, if it is one.
fn conf_change(bytes: &[u8]) -> Option<(RaftConfChangeKind, RaftId)> {
    let Some(Payload::ConfChange(change)) = RaftEntry::decode(bytes).ok()?.payload else { return None };
    let single = change.changes.first()?;
    Some((RaftConfChangeKind::try_from(single.kind).ok()?, RaftId(single.raft_id)))
}
