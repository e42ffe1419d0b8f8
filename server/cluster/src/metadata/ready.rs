//! The machine's outputs: one round from what is to be done to what follows from it.
//!
//! A round is the library's `Ready`, in stages that cannot be taken in another order:
//! 1. [`Machine::ready`]: messages that need no disk (a leader's) come out, and the batch: new entries with the suffix
//!    they replace, hard state, a snapshot, and the state as it was applied in the round before, with its index.
//! 2. The driver makes the batch durable in one transaction.
//! 3. [`Machine::persisted`] takes the token that came with the batch. Only now the library's view of the disk changes,
//!    messages that promise something come out, what is committed is applied, and events come out.
//!
//! Nothing is applied before it is durable, and the state goes to disk one round after its entries, together with the
//! commit index that covers it; a restart in between applies them again.
//!
//! Members change in stage 3 as well, and after the library has done its part of the round: it counts on this node's
//! being a member while it takes note of what was persisted. A leader that a change removes, or makes a learner, stops
//! leading at once, because the library goes on to lead and then misses itself among the members. That happens when a
//! voter is to be removed and is elected before the change is committed.
//!
//! Neighbours: `machine` has the state, `record` the bytes, `log` the view.

use std::sync::Arc;

use nuthatch_proto::ids::LogIndex;
use nuthatch_proto::rpc::{RaftConfChangeKind, RaftConfChangeSingle, RaftMessage};
use raft::StateRole;
use raft::eraftpb::{ConfChangeType, ConfChangeV2, ConfState, Entry, EntryType, Message, Snapshot};

use super::log::Stored;
use super::machine::role_of;
use super::record::{self, PersistBatch, ValueKey};
use super::{Machine, ReadId, wire};
use crate::topology::{Outcome, Proposal, ProposalId, Topology, TopologyChange};

/// What is to be done, in this order: send, persist, and then [`Machine::persisted`].
#[derive(Debug)]
#[must_use = "a round that is not finished stops the machine"]
pub struct Ready {
    /// Messages that promise nothing: they may go before anything is durable, or never.
    pub messages: Vec<RaftMessage>,
    /// One transaction. If it cannot be made durable, the process must end: a disk that failed once cannot be asked
    /// again what it has.
    pub persist: PersistBatch,
    /// To be given back when the disk has the batch.
    pub after: AfterPersist,
}

/// The rest of a round, sealed until its batch is durable.
#[must_use = "a round that is not finished stops the machine"]
pub struct AfterPersist {
    ready: raft::Ready,
    stored: Stored,
    messages: Vec<RaftMessage>,
}

impl std::fmt::Debug for AfterPersist {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AfterPersist").finish_non_exhaustive()
    }
}

/// What follows from a durable batch.
#[derive(Debug, Default)]
#[must_use = "peers and proposers wait for it"]
pub struct Persisted {
    /// Messages that rely on the batch.
    pub messages: Vec<RaftMessage>,
    /// The applied topology, if the round changed it: to be published before the events are handed out, because who
    /// gets an answer may look at once.
    pub topology: Option<Arc<Topology>>,
    /// What happened, in order.
    pub events: Vec<Event>,
}

/// Something that others wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A proposal made here was committed and applied here.
    Applied {
        /// Which.
        id: ProposalId,
        /// What came of it.
        outcome: Outcome,
    },
    /// This node stopped leading before it knew what came of a proposal made here. It may be applied or not: propose it
    /// again under the same id.
    Lost(ProposalId),
    /// A read can be answered by any topology at or after that index; the one applied here is.
    ReadReady {
        /// Which.
        id: ReadId,
        /// From which index on.
        index: LogIndex,
    },
    /// A read got no answer in time, or this node stopped leading. Ask again.
    ReadLost(ReadId),
}

impl Machine {
    /// The next round, if there is something to do.
    pub fn ready(&mut self) -> Option<Ready> {
        assert!(!self.in_round, "one round at a time");
        let log = self.raw.store();
        let settled =
            self.applied == log.applied.get_metadata().index && self.raw.raft.hard_state() == log.hard_state;
        if settled && self.events.is_empty() && !self.raw.has_ready() {
            return None;
        }
        self.in_round = true;
        let mut ready = self.raw.ready();
        let messages = self.to_wire(ready.take_messages());
        let rely_on_disk = ready.take_persisted_messages();
        let rely_on_disk = self.to_wire(rely_on_disk);
        let stored = self.to_store(&ready);
        let persist = to_batch(&stored, ready.must_sync());
        Some(Ready { messages, persist, after: AfterPersist { ready, stored, messages: rely_on_disk } })
    }

    /// The batch of the round is durable.
    pub fn persisted(&mut self, after: AfterPersist) -> Persisted {
        assert!(self.in_round, "the batch of this machine's round");
        self.in_round = false;
        let AfterPersist { mut ready, stored, mut messages } = after;
        let applied_before = self.applied;
        if let Some(snapshot) = &stored.installed {
            self.install(snapshot);
        }
        self.raw.mut_store().stored(stored);
        for read in ready.take_read_states() {
            self.reads.confirmed(&read.request_ctx, read.index);
        }
        let mut committed = ready.take_committed_entries();
        let mut light = self.raw.advance_append(ready);
        messages.extend(self.to_wire(light.take_messages()));
        committed.extend(light.take_committed_entries());
        self.apply(committed);
        self.raw.advance_apply_to(self.applied);
        self.step_down_if_removed();
        let answerable = self.reads.answerable(LogIndex(self.applied));
        self.events.extend(answerable.into_iter().map(|(id, index)| Event::ReadReady { id, index }));
        self.settle();
        let topology = self.topology.clone().filter(|_| self.applied > applied_before);
        Persisted { messages, topology, events: std::mem::take(&mut self.events) }
    }

    /// What this round changes on disk.
    fn to_store(&self, ready: &raft::Ready) -> Stored {
        let log = self.raw.store();
        let installed = (!ready.snapshot().is_empty()).then(|| ready.snapshot().clone());
        let newly_applied = self.applied > log.applied.get_metadata().index && installed.is_none();
        let hard_state = self.raw.raft.hard_state();
        Stored {
            entries: ready.entries().clone(),
            hard_state: (hard_state != log.hard_state).then_some(hard_state),
            applied: newly_applied.then(|| self.applied_snapshot()).flatten(),
            compacted: newly_applied.then(|| log.plan_compaction(self.applied)).flatten(),
            installed,
        }
    }

    /// The applied state as a snapshot.
    fn applied_snapshot(&self) -> Option<Snapshot> {
        let topology = self.topology.as_ref()?;
        let mut snapshot = Snapshot::default();
        snapshot.set_data(topology.encode().into());
        let metadata = snapshot.mut_metadata();
        metadata.index = self.applied;
        metadata.term =
            self.raw.raft.raft_log.term(self.applied).expect("compaction keeps a tail of applied entries");
        metadata.set_conf_state(self.members.clone());
        Some(snapshot)
    }

    fn install(&mut self, snapshot: &Snapshot) {
        let topology =
            Topology::decode(&snapshot.data).expect("`guard` has decoded it before the library saw it");
        self.topology = Some(Arc::new(topology));
        self.applied = snapshot.get_metadata().index;
        self.members = snapshot.get_metadata().get_conf_state().clone();
        self.members_since = self.applied;
    }

    fn apply(&mut self, committed: Vec<Entry>) {
        for entry in committed {
            let index = LogIndex(entry.index);
            let topology = Arc::clone(self.topology.as_ref().expect("a log begins after a snapshot"));
            let next = match entry.get_entry_type() {
                EntryType::EntryNormal if !entry.data.is_empty() => {
                    self.apply_proposal(&topology, index, &entry.data)
                }
                EntryType::EntryNormal => topology.advanced(index),
                EntryType::EntryConfChangeV2 => {
                    self.apply_change(&entry.data);
                    self.members_since = entry.index;
                    topology.advanced(index)
                }
                EntryType::EntryConfChange => unreachable!("`wire` and `machine` make no such entries"),
            };
            self.topology = Some(Arc::new(with_roles(next, index, &self.members)));
            self.applied = entry.index;
        }
    }

    fn apply_proposal(&mut self, topology: &Topology, index: LogIndex, data: &[u8]) -> Topology {
        // What no node can read changes nothing on any node.
        let Ok(proposal) = Proposal::decode(data) else { return topology.advanced(index) };
        let (next, outcome) = topology.apply_proposal(index, &proposal);
        if self.proposals.remove(&proposal.id) {
            self.events.push(Event::Applied { id: proposal.id, outcome });
        }
        next
    }

    /// A change of members takes effect. Both the library and this machine refuse what cannot be, and so does every
    /// other node, because it depends on the log alone.
    fn apply_change(&mut self, data: &[u8]) {
        let change = wire::decode_conf_change(data).expect("checked when it was proposed or received");
        let mut library = ConfChangeV2::default();
        for RaftConfChangeSingle { kind, raft_id } in change.changes {
            let kind = match RaftConfChangeKind::try_from(kind) {
                Ok(RaftConfChangeKind::Voter) => ConfChangeType::AddNode,
                Ok(RaftConfChangeKind::Learner) => ConfChangeType::AddLearnerNode,
                Ok(RaftConfChangeKind::Remove) => ConfChangeType::RemoveNode,
                Err(_) => unreachable!("checked with the change"),
            };
            library.mut_changes().push(raft_single(raft_id, kind));
        }
        if let Ok(members) = self.raw.apply_conf_change(&library) {
            self.members = sorted(members);
        }
    }

    fn step_down_if_removed(&mut self) {
        let raft = &mut self.raw.raft;
        if raft.state == StateRole::Leader && !self.members.voters.contains(&self.id.0) {
            let term = raft.term;
            raft.become_follower(term, raft::INVALID_ID);
        }
    }

    fn to_wire(&self, messages: Vec<Message>) -> Vec<RaftMessage> {
        // What does not fit is never for a peer: the library addresses some messages to itself.
        messages.into_iter().filter_map(|message| wire::message_to_wire(self.group, message).ok()).collect()
    }
}

fn raft_single(raft_id: u64, kind: ConfChangeType) -> raft::eraftpb::ConfChangeSingle {
    let mut single = raft::eraftpb::ConfChangeSingle { node_id: raft_id, ..Default::default() };
    single.set_change_type(kind);
    single
}

/// The library keeps members in hash sets; ours are in order, so that equal states are equal bytes.
fn sorted(mut members: ConfState) -> ConfState {
    members.voters.sort_unstable();
    members.learners.sort_unstable();
    members
}

/// The topology shows each member's part in the group as the group has it at that index. New voters come first: a
/// topology refuses to lose the last one.
fn with_roles(topology: Topology, index: LogIndex, members: &ConfState) -> Topology {
    let differs = |node: &&crate::topology::Node| node.role != role_of(node.raft_id, members);
    let mut roles: Vec<_> =
        topology.nodes().filter(differs).map(|node| (role_of(node.raft_id, members), node.id)).collect();
    roles.sort_unstable();
    let changes: Vec<_> =
        roles.into_iter().map(|(role, node)| TopologyChange::SetRole { node, role }).collect();
    let set = |topology: Topology, change: &TopologyChange| topology.apply(index, change).unwrap_or(topology);
    changes.iter().fold(topology, set)
}

fn to_batch(stored: &Stored, must_sync: bool) -> PersistBatch {
    let mut batch = PersistBatch { must_sync, ..PersistBatch::default() };
    if let Some(snapshot) = &stored.installed {
        let metadata = snapshot.get_metadata();
        batch.delete.push(0..=u64::MAX);
        batch.values.push((ValueKey::Applied, Some(record::encode_applied(snapshot))));
        batch
            .values
            .push((ValueKey::Compaction, Some(record::encode_compaction(metadata.index, metadata.term))));
    }
    if let Some(first) = stored.entries.first() {
        batch.delete.push(first.index..=u64::MAX);
        batch.put.extend(stored.entries.iter().map(|entry| (entry.index, record::encode_entry(entry))));
    }
    if let Some(hard_state) = &stored.hard_state {
        batch.values.push((ValueKey::HardState, Some(record::encode_hard_state(hard_state))));
    }
    if let Some(applied) = &stored.applied {
        batch.values.push((ValueKey::Applied, Some(record::encode_applied(applied))));
    }
    if let Some((index, term)) = stored.compacted {
        batch.delete.push(0..=index);
        batch.values.push((ValueKey::Compaction, Some(record::encode_compaction(index, term))));
    }
    batch
}
