//! The machine's inputs: what may happen to a node's part of the metadata group.
//!
//! Each input goes to the library, and is followed by the same few chores (`settle`): the election timeout is drawn from
//! the seed, and proposals and reads end when leadership does. Outputs come out of `ready`.
//!
//! A node is in the group (voter or learner) or watches it from outside; every node runs a machine all the same. That of
//! a watcher has an empty log, or an old one from when it was a member, and never stands for election: when the leader
//! wants the node, it makes it a learner and sends what is missing.
//!
//! Nothing is forwarded. A follower refuses a proposal or a read and names the leader, and the driver carries it there;
//! so a proposal never travels twice and every read has one owner.

use std::collections::BTreeSet;
use std::sync::Arc;

use nuthatch_proto::ids::LogIndex;
use nuthatch_proto::rpc::{RaftConfChange, RaftConfChangeKind, RaftConfChangeSingle, RaftMessage};
use prost::Message as _;
use raft::eraftpb::{ConfState, Entry, EntryType, Message, MessageType};
use raft::{Config, ProgressState, RawNode, ReadOnlyOption, SnapshotStatus, StateRole};

use super::guard::{self, Implausible};
use super::log::Log;
use super::membership::{self, Group, Step};
use super::peers::Peers;
use super::reads::{Reads, WAITING_MAX};
use super::ready::Event;
use super::record::Restored;
use super::{ELECTION_TICKS, HEARTBEAT_TICKS, MetadataConfig, PROPOSAL_BYTES_MAX, ReadId, election, wire};
use crate::topology::{GroupId, Proposal, ProposalId, RaftId, Role, Topology};

/// How many proposals of this node may wait for their outcome.
const PROPOSALS_MAX: usize = 1024;
/// Ticks between two looks at who should be in the group.
const PLAN_TICKS: u64 = 4;
/// A learner with at most this many entries missing has caught up.
const CAUGHT_UP_ENTRIES: u64 = 16;

/// The records of the disk are no start for a machine.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The members in the applied state cannot be.
    #[error("the members of the metadata group on disk are impossible")]
    Members,
    /// The library refuses its configuration.
    #[error("the Raft library does not start")]
    Raft(#[source] raft::Error),
}

/// A message was dropped. Nothing follows from it but a count: Raft lives with lost messages.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// It is not a message of ours.
    #[error("a Raft message has an unknown form")]
    Unfit(#[source] wire::Unfit),
    /// It is of another metadata group.
    #[error("a Raft message of another metadata group")]
    OtherGroup,
    /// It is for a node that had this one's address.
    #[error("a Raft message for {0}, which is not this node")]
    OtherNode(RaftId),
    /// It contradicts what is known.
    #[error("a Raft message that cannot be right")]
    Implausible(#[source] Implausible),
    /// The library has no use for it: an answer from a node that is not in the group any more.
    #[error("a Raft message from a node that is not in the group")]
    Unused,
}

/// A proposal was not taken; nothing of it is in the log by this call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Only the leader takes proposals.
    #[error("this node does not lead the metadata group")]
    NotLeader {
        /// Who does, as far as this node knows.
        leader: Option<RaftId>,
    },
    /// It would not fit an entry.
    #[error("the proposal is longer than {PROPOSAL_BYTES_MAX} bytes")]
    TooLong,
    /// Too much is waiting to be committed, or leadership is being handed over: try again in a moment.
    #[error("the metadata group takes no proposals at the moment")]
    Busy,
}

/// A read was not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Only the leader begins reads.
    #[error("this node does not lead the metadata group")]
    NotLeader {
        /// Who does, as far as this node knows.
        leader: Option<RaftId>,
    },
    /// The leader does not know yet how far the log was committed before its time, or too many reads wait: try again.
    #[error("the metadata group answers no reads at the moment")]
    Unavailable,
}

/// Leadership was not handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// This node does not lead.
    #[error("this node does not lead the metadata group")]
    NotLeader,
    /// That node is no voter.
    #[error("{0} is not a voter of the metadata group")]
    NotVoter(RaftId),
}

/// What a node is in its group's current term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leadership {
    /// It appends what the leader sends, if there is one.
    Follower,
    /// It stands for election, or asks whether to.
    Candidate,
    /// It leads.
    Leader,
}

/// What a machine shows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The group.
    pub group: GroupId,
    /// This node in it.
    pub id: RaftId,
    /// Its part in the group, as far as it knows.
    pub role: Role,
    /// Its part in the term.
    pub leadership: Leadership,
    /// The term.
    pub term: u64,
    /// Who leads, as far as it knows.
    pub leader: Option<RaftId>,
    /// The last entry known to be committed.
    pub committed: LogIndex,
    /// The last entry that was applied.
    pub applied: LogIndex,
    /// The last entry of the log.
    pub last: LogIndex,
    /// The voters at the applied index.
    pub voters: BTreeSet<RaftId>,
    /// The learners at the applied index.
    pub learners: BTreeSet<RaftId>,
}

/// A node's part of the metadata group.
pub struct Machine {
    pub(super) group: GroupId,
    pub(super) id: RaftId,
    config: MetadataConfig,
    pub(super) raw: RawNode<Log>,
    /// What was applied; none on a member that never had a snapshot.
    pub(super) topology: Option<Arc<Topology>>,
    /// The last applied entry, or the snapshot's.
    pub(super) applied: u64,
    /// The members at `applied`.
    pub(super) members: ConfState,
    /// Who has applied the log up to here has those members. The index that last changed them, or a later one.
    pub(super) members_since: u64,
    /// A round is being persisted.
    pub(super) in_round: bool,
    pub(super) events: Vec<Event>,
    /// Proposals made here in the term that this node leads, in the log and not applied.
    pub(super) proposals: BTreeSet<ProposalId>,
    pub(super) reads: Reads,
    peers: Peers,
    now: u64,
    /// The term that this node leads.
    leading: Option<u64>,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Machine {
    /// A machine that goes on from what the disk held. The only voter of a group leads at once.
    pub fn new(mut restored: Restored, config: MetadataConfig) -> Result<Self, StartError> {
        let log = Log::new(&mut restored);
        let members = log.conf_state().clone();
        if restored.topology.is_some() && !guard::conf_state_is_possible(&members) {
            return Err(StartError::Members);
        }
        let applied = log.applied.get_metadata().index;
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let raw =
            RawNode::new(&library_config(restored.id, applied), log, &logger).map_err(StartError::Raft)?;
        let mut machine = Self {
            group: restored.group,
            id: restored.id,
            config,
            raw,
            topology: restored.topology.map(Arc::new),
            applied,
            members,
            members_since: applied,
            in_round: false,
            events: Vec::new(),
            proposals: BTreeSet::new(),
            reads: Reads::default(),
            peers: Peers::default(),
            now: 0,
            leading: None,
        };
        if machine.members.voters == [machine.id.0] {
            // There is nobody to wait for. Should entries be waiting to be applied first, the clock will do it.
            _ = machine.raw.campaign();
        }
        machine.settle();
        Ok(machine)
    }

    /// One tick of the clock, [`super::TICK_MS`] after the one before. After a pause the driver makes up for at most
    /// [`super::CATCH_UP_TICKS_MAX`] ticks.
    pub fn tick(&mut self) {
        self.begin_input();
        self.now += 1;
        self.raw.tick();
        let expired = self.reads.expired(self.now);
        self.events.extend(expired.into_iter().map(Event::ReadLost));
        if self.leading.is_some() {
            self.fail_overdue_snapshots();
            if self.now.is_multiple_of(PLAN_TICKS) {
                self.plan_members();
            }
        }
        self.settle();
    }

    /// A message from a peer.
    pub fn step(&mut self, message: RaftMessage) -> Result<(), StepError> {
        self.begin_input();
        let (group, message) = wire::message_from_wire(message).map_err(StepError::Unfit)?;
        if group != self.group {
            return Err(StepError::OtherGroup);
        }
        if message.to != self.id.0 {
            return Err(StepError::OtherNode(RaftId(message.to)));
        }
        guard::check(&self.raw, self.group, &message).map_err(StepError::Implausible)?;
        self.peers.heard(RaftId(message.from), self.now);
        let stepped = self.raw.step(message);
        self.settle();
        stepped.map_err(|_| StepError::Unused)
    }

    /// Puts a proposal into the log. What comes of it is told by [`Event::Applied`], or [`Event::Lost`] if this node
    /// stops leading first; then the same proposal, under the same id, goes to the next leader, and is applied once
    /// however often it got into the log. A proposal whose id is waiting here already waits on.
    pub fn propose(&mut self, proposal: &Proposal) -> Result<(), ProposeError> {
        self.begin_input();
        if self.leading.is_none() {
            return Err(ProposeError::NotLeader { leader: self.leader() });
        }
        if self.proposals.contains(&proposal.id) {
            return Ok(());
        }
        if self.proposals.len() >= PROPOSALS_MAX {
            return Err(ProposeError::Busy);
        }
        let bytes = proposal.encode();
        if bytes.len() > PROPOSAL_BYTES_MAX {
            return Err(ProposeError::TooLong);
        }
        self.raw.propose(Vec::new(), bytes).map_err(|_| ProposeError::Busy)?;
        self.proposals.insert(proposal.id);
        self.settle();
        Ok(())
    }

    /// Begins a linearizable read: [`Event::ReadReady`] says from which index on a topology answers it. Each attempt is
    /// a read of its own.
    pub fn read_index(&mut self) -> Result<ReadId, ReadError> {
        self.begin_input();
        let Some(term) = self.leading else { return Err(ReadError::NotLeader { leader: self.leader() }) };
        if !self.raw.raft.commit_to_current_term() || self.reads.len() >= WAITING_MAX {
            return Err(ReadError::Unavailable);
        }
        let taken = |raw: &RawNode<Log>| raw.raft.pending_read_count() + raw.raft.ready_read_count();
        let before = taken(&self.raw);
        let id = self.reads.ask(self.now);
        self.raw.read_index(Reads::context(id, term));
        let dropped = taken(&self.raw) == before;
        self.settle();
        if dropped {
            self.reads.dropped(id);
            return Err(ReadError::Unavailable);
        }
        Ok(id)
    }

    /// Hands leadership over, as before a planned stop. It shows in [`Machine::status`] when it has worked; if it does
    /// not within an election timeout, this node leads on.
    pub fn transfer_leader(&mut self, to: RaftId) -> Result<(), TransferError> {
        self.begin_input();
        if self.leading.is_none() {
            return Err(TransferError::NotLeader);
        }
        if !self.members.voters.contains(&to.0) {
            return Err(TransferError::NotVoter(to));
        }
        self.raw.transfer_leader(to.0);
        self.settle();
        Ok(())
    }

    /// A node outside the group was heard from (it asked for topologies, it answered a probe): should a voter be
    /// wanted, this one is there. Members of the group are noted by their messages.
    pub fn heard_from(&mut self, id: RaftId) {
        if self.topology.as_ref().is_some_and(|topology| topology.node_by_raft_id(id).is_some()) {
            self.peers.heard(id, self.now);
        }
    }

    /// Messages to that node cannot be delivered at the moment.
    pub fn report_unreachable(&mut self, id: RaftId) {
        self.begin_input();
        self.raw.report_unreachable(id.0);
        self.settle();
    }

    /// What became of a message of the kind SNAPSHOT: until this is told, nothing more is sent to that node.
    pub fn report_snapshot(&mut self, id: RaftId, delivered: bool) {
        self.begin_input();
        let status = if delivered { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
        self.raw.report_snapshot(id.0, status);
        self.settle();
    }

    /// The applied topology; none on a member that never had a snapshot.
    pub fn topology(&self) -> Option<&Arc<Topology>> {
        self.topology.as_ref()
    }

    /// Who leads, as far as this node knows.
    pub fn leader(&self) -> Option<RaftId> {
        Some(RaftId(self.raw.raft.leader_id)).filter(|id| id.0 != raft::INVALID_ID)
    }

    /// Whether this node leads.
    pub fn is_leader(&self) -> bool {
        self.leading.is_some()
    }

    /// What there is to show.
    pub fn status(&self) -> Status {
        let raft = &self.raw.raft;
        let ids = |ids: &[u64]| ids.iter().copied().map(RaftId).collect();
        Status {
            group: self.group,
            id: self.id,
            role: role_of(self.id, &self.members),
            leadership: match raft.state {
                StateRole::Follower => Leadership::Follower,
                StateRole::Candidate | StateRole::PreCandidate => Leadership::Candidate,
                StateRole::Leader => Leadership::Leader,
            },
            term: raft.term,
            leader: self.leader(),
            committed: LogIndex(raft.raft_log.committed),
            applied: LogIndex(self.applied),
            last: LogIndex(raft.raft_log.last_index()),
            voters: ids(&self.members.voters),
            learners: ids(&self.members.learners),
        }
    }

    fn begin_input(&self) {
        assert!(!self.in_round, "no input while a round is being persisted");
    }

    /// What follows each input.
    pub(super) fn settle(&mut self) {
        let raft = &mut self.raw.raft;
        let timeout = election::timeout_ticks(self.config.seed, self.id, raft.term);
        raft.set_randomized_election_timeout(timeout);
        let leading = (raft.state == StateRole::Leader).then_some(raft.term);
        if leading != self.leading {
            self.leading = leading;
            self.peers.begin(self.now);
            let lost = std::mem::take(&mut self.proposals);
            self.events.extend(lost.into_iter().map(Event::Lost));
            let orphaned = self.reads.orphaned();
            self.events.extend(orphaned.into_iter().map(Event::ReadLost));
        }
    }

    fn fail_overdue_snapshots(&mut self) {
        let waits = |(id, progress): (&u64, &raft::Progress)| {
            (progress.state == ProgressState::Snapshot).then_some(RaftId(*id))
        };
        let waiting = self.raw.raft.prs().iter().filter_map(waits).collect();
        for id in self.peers.overdue_snapshots(&waiting, self.now) {
            self.raw.report_snapshot(id.0, SnapshotStatus::Failure);
        }
    }

    /// Takes the next step towards the members that the group should have, if there is one and none is on its way.
    fn plan_members(&mut self) {
        let raft = &self.raw.raft;
        let Some(topology) = &self.topology else { return };
        if raft.has_pending_conf() || raft.lead_transferee.is_some() || !raft.apply_to_current_term() {
            return;
        }
        let ids = |ids: &[u64]| ids.iter().copied().map(RaftId).collect::<BTreeSet<_>>();
        let (voters, learners) = (ids(&self.members.voters), ids(&self.members.learners));
        let nodes: BTreeSet<_> = topology.nodes().map(|node| node.raft_id).collect();
        let known = nodes.iter().chain(&voters).chain(&learners).copied().collect();
        let mut alive = self.peers.alive(&known, self.now, self.config.dead_after_ticks);
        alive.insert(self.id);
        let near = |id: &RaftId| {
            let progress = raft.prs().get(id.0);
            // Who has confirmed nothing may not even know yet that it is a member, however short the log is.
            let has = |p: &raft::Progress| {
                p.matched > 0 && p.matched + CAUGHT_UP_ENTRIES >= raft.raft_log.committed
            };
            progress.is_some_and(has)
        };
        let caught_up = learners.iter().filter(|id| near(id)).copied().collect();
        // What a node knows to be committed it applies before it does anything else.
        let knows = |id: &RaftId| {
            raft.prs().get(id.0).is_some_and(|progress| progress.committed_index >= self.members_since)
        };
        let mut informed: BTreeSet<_> = voters.iter().filter(|id| knows(id)).copied().collect();
        informed.insert(self.id);
        let group = Group { leader: self.id, voters, learners, nodes, alive, caught_up, informed };
        let Some(step) = membership::next_step(&group) else { return };
        let (kind, id) = match step {
            Step::AddLearner(id) | Step::Demote(id) => (RaftConfChangeKind::Learner, id),
            Step::Promote(id) => (RaftConfChangeKind::Voter, id),
            Step::Remove(id) => (RaftConfChangeKind::Remove, id),
            Step::HandOver(id) => return self.raw.transfer_leader(id.0),
        };
        self.propose_change(kind, id);
    }

    /// As the library's own proposal of a change, but of our encoding. A refusal is no loss: the planner asks again.
    fn propose_change(&mut self, kind: RaftConfChangeKind, id: RaftId) {
        let single = RaftConfChangeSingle { kind: kind.into(), raft_id: id.0 };
        let change = RaftConfChange { changes: vec![single], ..RaftConfChange::default() };
        let mut entry = Entry { data: change.encode_to_vec().into(), ..Entry::default() };
        entry.set_entry_type(EntryType::EntryConfChangeV2);
        let mut message = Message { from: self.id.0, entries: vec![entry].into(), ..Message::default() };
        message.set_msg_type(MessageType::MsgPropose);
        _ = self.raw.step(message);
    }
}

/// A node's part in the group that has these members.
pub(super) fn role_of(id: RaftId, members: &ConfState) -> Role {
    match () {
        () if members.voters.contains(&id.0) => Role::Voter,
        () if members.learners.contains(&id.0) => Role::Learner,
        () => Role::Watcher,
    }
}

/// Every setting of the library, so that none is a default that nobody chose.
fn library_config(id: RaftId, applied: u64) -> Config {
    Config {
        id: id.0,
        applied,
        election_tick: ELECTION_TICKS,
        heartbeat_tick: HEARTBEAT_TICKS,
        // The draw within these bounds is overwritten, see `election`.
        min_election_tick: ELECTION_TICKS,
        max_election_tick: 2 * ELECTION_TICKS,
        // A node that comes back must not depose a leader that works, and a leader that is cut off must stop.
        pre_vote: true,
        check_quorum: true,
        // Never the lease, which trusts clocks.
        read_only_option: ReadOnlyOption::Safe,
        max_size_per_msg: 64 * 1024,
        max_inflight_msgs: 256,
        max_uncommitted_size: 4 * 1024 * 1024,
        max_committed_size_per_ready: 4 * 1024 * 1024,
        // Followers shall apply at once: clients wait for it.
        skip_bcast_commit: false,
        batch_append: false,
        priority: 0,
    }
}

#[cfg(test)]
mod tests;
