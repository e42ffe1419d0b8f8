//! The metadata thread: the one owner of this node's part in the metadata group, and the one writer of its topology.
//!
//! The loop, always in this order: take events and ticks into the machine; then, round by round, send what promises
//! nothing, make the batch durable, finish the round, publish the topology with its gates, send what relies on the
//! disk, answer who waits. Nothing is sent, published or answered on the strength of what is not on the disk.
//!
//! What it is not: it holds no conversation with other nodes (`propose`, `join`, `follow` do) and takes no decision about
//! the cluster (the machine and the topology do).
//!
//! Invariants: a failed write ends the process, because the disk cannot be asked what it has; a panic of the Raft library
//! aborts it, because its memory is not to be trusted; after a pause of the process, time is made up for up to
//! [`CATCH_UP_TICKS_MAX`] ticks only.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use nuthatch_cluster::metadata::{
    self, CATCH_UP_TICKS_MAX, Machine, MetadataConfig, Persisted, ProposeError, TICK_MS,
};
use nuthatch_cluster::routing::Standing;
use nuthatch_cluster::topology::{
    Address, GroupId, Joiner, Outcome, ProcessId, Proposal, ProposalId, SlotRange, Topology,
};
use nuthatch_proto::rpc::RaftMessage;
use tokio::sync::oneshot;

use super::gates::Gates;
use super::identity;
use super::shared::{Event, NotTaken, Shared, View};
use crate::clock;
use crate::raft_log::{NodeIdentity, RaftLog, RaftLogError, Stored};
use crate::rpc::outbox::Outbox;

const TICK: Duration = Duration::from_millis(TICK_MS);

/// How many events are taken before the machine's rounds are run.
const EVENTS_PER_TURN: usize = 128;

type Answer = oneshot::Sender<Result<Outcome, NotTaken>>;

/// Why the thread cannot go on. The process must end.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] RaftLogError),
    /// What the disk holds is no start for a machine.
    #[error(transparent)]
    Start(#[from] metadata::StartError),
    /// The system gives no random numbers.
    #[error("no random numbers from the system")]
    Entropy(#[from] std::io::Error),
}

/// The state of the thread.
pub(crate) struct Driver {
    pub(crate) shared: Arc<Shared>,
    pub(crate) log: RaftLog,
    pub(crate) identity: NodeIdentity,
    pub(crate) process: ProcessId,
    pub(crate) machine: Machine,
    /// The newest topology that another node sent; it counts while it is ahead of the machine's.
    pub(crate) followed: Option<Arc<Topology>>,
    /// The address of the group that the node is about to join.
    pub(crate) pending_join: Option<String>,
    pub(crate) outbox: Outbox,
    pub(crate) gates: Gates,
    pub(crate) waiting: HashMap<ProposalId, Vec<Answer>>,
}

/// The machine that goes on from what the disk held, and the topology that was followed beside it.
pub(crate) fn restore(stored: Stored, seed: u64) -> Result<(Machine, Option<Arc<Topology>>), Fatal> {
    let followed = stored.followed.map(Arc::new);
    Ok((Machine::new(stored.machine, MetadataConfig::with_seed(seed))?, followed))
}

/// The newer of what the machine applied and what another node sent.
pub(crate) fn newest(machine: &Machine, followed: Option<&Arc<Topology>>) -> Option<Arc<Topology>> {
    let applied = machine.topology();
    applied.into_iter().chain(followed).max_by_key(|topology| topology.applied()).map(Arc::clone)
}

impl Driver {
    /// Runs until it is told to stop. Ends the process if it cannot go on.
    pub(crate) fn run(mut self, events: &Receiver<Event>) {
        match catch_unwind(AssertUnwindSafe(|| self.turns(events))) {
            Ok(Ok(())) => {}
            Ok(Err(fatal)) => {
                tracing::error!("the node stops: {}", chain(&fatal));
                std::process::exit(1);
            }
            Err(_) => {
                tracing::error!(
                    "the metadata machine has panicked: aborting, a restart goes on from the disk"
                );
                std::process::abort();
            }
        }
    }

    fn turns(&mut self, events: &Receiver<Event>) -> Result<(), Fatal> {
        let mut next_tick = clock::monotonic();
        loop {
            self.rounds()?;
            self.publish(false);
            let wait = next_tick.saturating_duration_since(clock::monotonic());
            match events.recv_timeout(wait) {
                Ok(event) => {
                    for event in std::iter::once(event).chain(events.try_iter()).take(EVENTS_PER_TURN) {
                        if matches!(event, Event::Stop) {
                            return Ok(());
                        }
                        self.handle(event)?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            next_tick = self.tick(next_tick);
        }
    }

    /// Makes up for the time since the last tick; returns when the next is due.
    fn tick(&mut self, due: Instant) -> Instant {
        let now = clock::monotonic();
        let Some(late) = now.checked_duration_since(due) else { return due };
        let missed = u64::try_from(late.as_millis()).unwrap_or(u64::MAX) / TICK_MS;
        let ticks = missed.saturating_add(1).min(CATCH_UP_TICKS_MAX);
        (0..ticks).for_each(|_| self.machine.tick());
        for answers in self.waiting.values_mut() {
            answers.retain(|answer| !answer.is_closed());
        }
        self.waiting.retain(|_, answers| !answers.is_empty());
        if missed < CATCH_UP_TICKS_MAX { due + TICK * u32::try_from(ticks).unwrap_or(1) } else { now + TICK }
    }

    fn handle(&mut self, event: Event) -> Result<(), Fatal> {
        match event {
            Event::Raft { messages, bytes } => {
                self.shared.forget_bytes(bytes);
                for message in messages {
                    if let Err(error) = self.machine.step(message) {
                        tracing::debug!("dropped: {}", chain(&error));
                    }
                }
            }
            Event::Unreachable(member) => self.machine.report_unreachable(member),
            Event::SnapshotSent(member, arrived) => self.machine.report_snapshot(member, arrived),
            Event::HeardFrom(member) => self.machine.heard_from(member),
            Event::Propose(group, proposal, answer) => self.propose(group, &proposal, answer),
            Event::Followed(topology) => self.follow(*topology)?,
            Event::BeginJoin(target, address, answer) => {
                let _ = answer.send(self.begin_join(&target, address)?);
            }
            Event::AbandonJoin(done) => {
                self.set_pending_join(None)?;
                let _ = done.send(());
            }
            Event::Joined(topology, done) => {
                if self.pending_join.is_some() {
                    self.change_group(&topology)?;
                }
                let _ = done.send(());
            }
            Event::Hold(slot, answer) => {
                let empty = self.gates.hold(slot);
                let _ = answer.send(empty);
            }
            Event::Release(slot, done) => {
                self.gates.release(slot);
                let view = self.shared.view();
                self.gates.open_gained(&view.topology, &view.standing);
                let _ = done.send(());
            }
            Event::Reset(hard, done) => {
                self.begin_anew(hard)?;
                let _ = done.send(());
            }
            // The view that is published next goes by them.
            Event::RulesChanged => {}
            Event::PartTaken => {
                let view = self.shared.view();
                self.gates.open_gained(&view.topology, &view.standing);
            }
            // `turns` has looked for it.
            Event::Stop => {}
        }
        Ok(())
    }

    fn propose(&mut self, group: GroupId, proposal: &Proposal, answer: Answer) {
        let refusal = match () {
            () if self.machine.status().group != group => Some(NotTaken::NotLeader),
            () if self.pending_join.is_some() => Some(NotTaken::Joining),
            () => match self.machine.propose(proposal) {
                Ok(()) => None,
                Err(ProposeError::NotLeader { .. }) => Some(NotTaken::NotLeader),
                Err(ProposeError::TooLong) => Some(NotTaken::TooLong),
                Err(ProposeError::Busy) => Some(NotTaken::Full),
            },
        };
        match refusal {
            None => self.waiting.entry(proposal.id).or_default().push(answer),
            Some(refusal) => _ = answer.send(Err(refusal)),
        }
    }

    /// Runs the machine until it has nothing more to do.
    fn rounds(&mut self) -> Result<(), Fatal> {
        while let Some(ready) = self.machine.ready() {
            self.send(ready.messages);
            self.log.write(&ready.persist)?;
            let Persisted { messages, topology, events } = self.machine.persisted(ready.after);
            if topology.is_some() {
                self.publish(false);
            }
            self.send(messages);
            for event in events {
                self.answer(event);
            }
        }
        Ok(())
    }

    fn send(&mut self, messages: Vec<RaftMessage>) {
        self.shared.counts.sent.fetch_add(messages.len() as u64, Ordering::Relaxed);
        messages.into_iter().for_each(|message| self.outbox.send(message));
    }

    fn answer(&mut self, event: metadata::Event) {
        let (id, outcome) = match event {
            metadata::Event::Applied { id, outcome } => (id, Ok(outcome)),
            metadata::Event::Lost(id) => (id, Err(NotTaken::NotLeader)),
            // Nobody reads through the group yet: what is asked is answered from the applied topology.
            metadata::Event::ReadReady { .. } | metadata::Event::ReadLost(_) => return,
        };
        for answer in self.waiting.remove(&id).unwrap_or_default() {
            // Who stopped waiting needs no answer.
            let _ = answer.send(outcome.clone());
        }
    }

    /// Publishes a view if there is news, with the gates around it.
    fn publish(&mut self, always: bool) {
        let before = self.shared.view();
        let status = self.machine.status();
        let topology = newest(&self.machine, self.followed.as_ref());
        let topology = topology.unwrap_or_else(|| Arc::clone(&before.topology));
        let leads = self.machine.is_leader();
        let joining = self.pending_join.is_some();
        let same_topology = Arc::ptr_eq(&topology, &before.topology);
        let me = self.identity.node;
        let full_coverage = self.shared.rules().require_full_coverage;
        let standing = Standing::new(&topology, me, self.process, full_coverage);
        if !always
            && same_topology
            && before.standing == standing
            && (before.leader, before.leads, before.part, before.joining)
                == (status.leader, leads, status.role, joining)
        {
            return;
        }
        let leaderless_since = before.leaderless_since.or_else(|| Some(clock::monotonic()));
        let view = View {
            me,
            storage: self.identity.storage,
            process: self.process,
            topology: Arc::clone(&topology),
            standing,
            leader: status.leader,
            leaderless_since: leaderless_since.filter(|_| status.leader.is_none()),
            leads,
            part: status.role,
            joining,
            replication: Arc::clone(&self.shared.replication),
        };
        let gates_concerned = always || !same_topology;
        if gates_concerned {
            self.gates.shut_lost(&topology, &standing);
        }
        self.shared.publish(view);
        if gates_concerned {
            self.gates.open_gained(&topology, &standing);
            // A forgotten node is told so before it is out of the group.
            let in_group = |member| status.voters.contains(&member) || status.learners.contains(&member);
            self.outbox.retain(|member| topology.node_by_raft_id(member).is_some() || in_group(member));
        }
    }

    /// Takes over what another member of the group has applied, if it is news.
    fn follow(&mut self, topology: Topology) -> Result<(), Fatal> {
        let current = self.shared.view();
        if topology.group() != self.machine.status().group || topology.applied() <= current.topology.applied()
        {
            return Ok(());
        }
        if topology.changed() != current.topology.changed() {
            self.log.set_followed(&topology)?;
        }
        self.followed = Some(Arc::new(topology));
        self.publish(false);
        Ok(())
    }

    /// Freezes the group of one, so that it can be given up, and says what the node would bring along.
    fn begin_join(&mut self, target: &str, address: Address) -> Result<Result<Joiner, NotTaken>, Fatal> {
        // A group of one commits at once: after this nothing is under way.
        self.rounds()?;
        let view = self.shared.view();
        if !view.is_alone() {
            return Ok(Err(NotTaken::NotAlone));
        }
        if !view.leads || !self.waiting.is_empty() {
            return Ok(Err(NotTaken::NotLeader));
        }
        if self.pending_join.as_ref().is_some_and(|pending| pending != target) {
            return Ok(Err(NotTaken::Joining));
        }
        let shard = view.topology.shard_of(view.me);
        let slots: Vec<SlotRange> = shard.map(|shard| view.topology.ranges_of(shard.id)).unwrap_or_default();
        let shard = shard.map_or(self.identity.shard, |shard| shard.id);
        self.set_pending_join(Some(target.to_owned()))?;
        let NodeIdentity { node, storage, .. } = self.identity;
        Ok(Ok(Joiner { id: node, shard, storage, process: self.process, address, slots }))
    }

    fn set_pending_join(&mut self, target: Option<String>) -> Result<(), Fatal> {
        if self.pending_join != target {
            self.log.set_pending_join(target.as_deref())?;
            self.pending_join = target;
            self.publish(false);
        }
        Ok(())
    }

    /// Gives up the group of one for the one that has admitted this node.
    fn change_group(&mut self, topology: &Topology) -> Result<(), Fatal> {
        let Some(node) = topology.node(self.identity.node) else { return Ok(()) };
        self.log.join(topology.group(), node.raft_id, topology)?;
        tracing::info!("this node is a member of the cluster of {} nodes now", topology.nodes().len());
        self.start_over()
    }

    /// Leaves whatever group it is in for one of its own, without slots.
    fn begin_anew(&mut self, hard: bool) -> Result<(), Fatal> {
        let node = if hard { identity::node_id()? } else { self.identity.node };
        let identity = NodeIdentity { node, storage: identity::storage_id()?, shard: identity::shard_id()? };
        let address = self.shared.own_address(None);
        self.log.found(&identity, self.process, identity::group_id()?, address)?;
        self.identity = identity;
        self.start_over()
    }

    /// Goes on from what the disk holds, in a group that is another one now.
    fn start_over(&mut self) -> Result<(), Fatal> {
        self.outbox.clear();
        self.shared.forget_addresses();
        self.waiting.clear();
        self.pending_join = None;
        let stored = self.log.load()?.ok_or_else(|| self.log.damaged("it is empty"))?;
        (self.machine, self.followed) = restore(stored, clock::seed()?)?;
        self.rounds()?;
        self.publish(true);
        Ok(())
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
