//! One node: a disk, and while it runs the real machine with a driver around it.
//!
//! The driver is what the node's own driver must be: one thread, one input at a time, and after each input rounds until
//! there is none, each in its order: send what may go, write the batch, and only when the disk has synced it send the
//! rest and hand out events. While the disk is busy or the process is stopped, inputs queue up; ticks that were missed
//! are made up for within the limit that the machine names.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use nuthatch_cluster::metadata::{
    AfterPersist, CATCH_UP_TICKS_MAX, Event, Machine, MetadataConfig, PersistBatch, Persisted, ProposeError,
    ReadError, ReadId, ValueKey,
};
use nuthatch_cluster::topology::{
    Address, GroupId, Joiner, Outcome, ProcessId, Proposal, ProposalId, RaftId, StorageId, Topology,
};
use nuthatch_proto::ids::{LogIndex, NodeId, ShardId};
use nuthatch_proto::rpc::{MetadataHardState, RaftMessage};
use prost::Message as _;

use super::Mutation;
use super::disk::Disk;
use super::network::Place;
use super::random::Random;

/// What a full queue drops: a driver's queues are bounded.
const INBOX_MAX: usize = 1_000;
/// Ticks of silence after which a voter may be replaced: short, so that it happens.
const DEAD_AFTER_TICKS: u64 = 100;

/// Who waits for an answer: which attempt of which client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asker {
    /// The client.
    pub client: usize,
    /// Its attempt; answers to earlier ones still count if the proposal is the same.
    pub attempt: u64,
}

/// What a node is told.
#[derive(Debug, Clone)]
pub enum Input {
    /// The clock went on.
    Tick,
    /// A message of a peer.
    Raft(Box<RaftMessage>),
    /// A client's proposal, for that group.
    Request(Asker, GroupId, Arc<Proposal>),
    /// What became of a snapshot.
    SnapshotReport(RaftId, bool),
    /// A node could not be reached.
    Unreachable(RaftId),
    /// A node outside the group is alive.
    Heard(RaftId),
    /// Somebody reads, having seen everything up to that index acknowledged.
    Read(u64),
    /// Leadership shall go elsewhere.
    Transfer(RaftId),
}

/// What an asker is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The outcome and, if the proposer is a member, its number in the group.
    Done(ProposalId, Outcome, Option<RaftId>),
    /// Ask this one.
    NotLeader(Option<RaftId>),
    /// Ask again.
    Unknown,
}

/// What a node does to the world.
#[derive(Debug)]
pub enum Effect {
    /// A message leaves.
    Send(Box<RaftMessage>),
    /// The disk has to sync, and takes so long.
    Sync(u64),
    /// A batch was written.
    Wrote(PersistBatch),
    /// A topology was published.
    Published(Arc<Topology>),
    /// A proposal's outcome could be told from now on.
    Decided(ProposalId, Outcome),
    /// An asker is answered.
    Answer(Asker, Answer),
    /// A read that had seen `floor` acknowledged is answered with `index`.
    Read {
        /// What the reader had seen.
        floor: u64,
        /// What it is answered with.
        index: LogIndex,
    },
}

/// A running process.
pub struct Process {
    /// The machine.
    pub machine: Machine,
    sealed: Option<AfterPersist>,
    inbox: VecDeque<Input>,
    missed_ticks: u64,
    waiting: BTreeMap<ProposalId, Vec<Asker>>,
    reads: BTreeMap<ReadId, u64>,
    /// SIGSTOP.
    pub stopped: bool,
}

/// A node.
pub struct Node {
    /// Where it is.
    pub place: Place,
    /// Who it is.
    pub id: NodeId,
    /// Its data directory; another one after it was wiped.
    pub storage: StorageId,
    /// The directory's contents.
    pub disk: Disk,
    /// How often it started.
    pub life: u64,
    /// Its group, as its disk has it.
    pub group: GroupId,
    /// Its number there.
    pub raft_id: RaftId,
    /// None while it is down.
    pub process: Option<Process>,
    /// How many milliseconds a sync takes at most.
    pub sync_ms_max: u64,
}

impl Node {
    /// A blank node, down.
    pub fn new(place: Place, random: &mut Random) -> Self {
        let number = u8::try_from(place + 1).expect("few nodes");
        Self {
            place,
            id: NodeId([number; 20]),
            storage: StorageId([number; 16]),
            disk: Disk::default(),
            life: 0,
            group: GroupId([0; 16]),
            raft_id: RaftId(0),
            process: None,
            sync_ms_max: [2, 10, 40][random.below(3)],
        }
    }

    /// How it introduces itself.
    pub fn joiner(&self) -> Joiner {
        let number = self.id.0[0];
        let host = format!("10.0.0.{number}");
        // Another one for each directory: the shard that a node left behind may go on without it.
        let mut shard = ShardId(self.id.0);
        shard.0[4..].copy_from_slice(&self.group.0);
        Joiner {
            id: self.id,
            shard,
            storage: self.storage,
            process: ProcessId([number; 16]),
            address: Address { host, port: 7000, bus_port: 17000, hostname: String::new() },
            slots: Vec::new(),
        }
    }

    /// Starts the process; a blank disk becomes that of a group of one.
    pub fn start(&mut self, random: &mut Random) -> Result<(), String> {
        assert!(self.process.is_none(), "a node runs once");
        self.life += 1;
        if self.disk.image().values.is_empty() {
            let mut group = [0; 16];
            group[..8].copy_from_slice(&random.bits().to_be_bytes());
            self.group = GroupId(group);
            self.disk.write(PersistBatch::found(self.group, self.joiner()));
            self.disk.sync();
        }
        let restored = self.disk.image().read().map_err(|error| format!("node {}: {error}", self.place))?;
        let restored = restored.ok_or("a disk without an identity")?;
        (self.group, self.raft_id) = (restored.group(), restored.raft_id());
        let seed = random.bits();
        let config = MetadataConfig { dead_after_ticks: DEAD_AFTER_TICKS, ..MetadataConfig::with_seed(seed) };
        let machine =
            Machine::new(restored, config).map_err(|error| format!("node {}: {error}", self.place))?;
        self.process = Some(Process::new(machine));
        Ok(())
    }

    /// Ends the process without warning.
    pub fn crash(&mut self, random: &mut Random) {
        self.process = None;
        self.disk.crash(random);
    }

    /// Loses the directory and comes back as another.
    pub fn wipe(&mut self, random: &mut Random, mutation: Option<Mutation>) {
        let (group, raft_id) = (self.group, self.raft_id);
        self.process = None;
        self.disk = Disk::default();
        self.storage.0[8..].copy_from_slice(&random.bits().to_be_bytes());
        if mutation == Some(Mutation::KeepRaftId) {
            self.become_member(group, raft_id);
        }
    }

    /// Becomes a blank member of a group; must be down.
    pub fn become_member(&mut self, group: GroupId, raft_id: RaftId) {
        assert!(self.process.is_none(), "the machine starts anew");
        self.disk.write(PersistBatch::join(group, raft_id));
        self.disk.sync();
    }

    /// Tells the node something, and lets it work.
    pub fn input(&mut self, input: Input, random: &mut Random, mutation: Option<Mutation>) -> Vec<Effect> {
        let Some(process) = &mut self.process else { return Vec::new() };
        let is_busy = process.stopped || process.sealed.is_some();
        if is_busy && matches!(input, Input::Tick) {
            process.missed_ticks = (process.missed_ticks + 1).min(CATCH_UP_TICKS_MAX);
        } else if process.inbox.len() < INBOX_MAX {
            process.inbox.push_back(input);
        }
        self.work(random, mutation)
    }

    /// The disk has synced all that was written.
    pub fn synced(&mut self, random: &mut Random, mutation: Option<Mutation>) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.disk.sync();
        if let Some(process) = &mut self.process
            && let Some(after) = process.sealed.take()
        {
            let done = process.machine.persisted(after);
            process.hand_out(done, &mut effects);
        }
        effects.extend(self.work(random, mutation));
        effects
    }

    /// Stops the process (SIGSTOP) or lets it go on.
    pub fn set_stopped(&mut self, stopped: bool) {
        if let Some(process) = &mut self.process {
            process.stopped = stopped;
        }
    }

    /// The driver's loop: rounds until there is none, then the next input.
    pub fn work(&mut self, random: &mut Random, mutation: Option<Mutation>) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(process) = &mut self.process else { return effects };
        while process.sealed.is_none() && !process.stopped {
            if let Some(ready) = process.machine.ready() {
                effects.extend(ready.messages.into_iter().map(Box::new).map(Effect::Send));
                let batch = mutated(ready.persist, mutation);
                let must_sync = batch.must_sync;
                self.disk.write(batch.clone());
                effects.push(Effect::Wrote(batch));
                if must_sync {
                    effects.push(Effect::Sync(random.within(1..self.sync_ms_max + 1)));
                }
                if must_sync && mutation != Some(Mutation::SendBeforePersist) {
                    process.sealed = Some(ready.after);
                } else {
                    let done = process.machine.persisted(ready.after);
                    process.hand_out(done, &mut effects);
                }
            } else if process.missed_ticks > 0 {
                process.missed_ticks -= 1;
                process.machine.tick();
            } else if let Some(input) = process.inbox.pop_front() {
                process.handle(input, mutation, &mut effects);
            } else {
                break;
            }
        }
        effects
    }
}

impl Process {
    fn new(machine: Machine) -> Self {
        Self {
            machine,
            sealed: None,
            inbox: VecDeque::new(),
            missed_ticks: 0,
            waiting: BTreeMap::new(),
            reads: BTreeMap::new(),
            stopped: false,
        }
    }

    fn handle(&mut self, input: Input, mutation: Option<Mutation>, effects: &mut Vec<Effect>) {
        match input {
            Input::Tick => self.machine.tick(),
            // A refused message is a lost one.
            Input::Raft(message) => _ = self.machine.step(*message),
            Input::Request(asker, group, _) if group != self.machine.status().group => {
                effects.push(Effect::Answer(asker, Answer::NotLeader(None)));
            }
            Input::Request(asker, _, proposal) => match self.machine.propose(&proposal) {
                Ok(()) => self.waiting.entry(proposal.id).or_default().push(asker),
                Err(ProposeError::NotLeader { leader }) => {
                    effects.push(Effect::Answer(asker, Answer::NotLeader(leader)));
                }
                Err(ProposeError::Busy | ProposeError::TooLong) => {
                    effects.push(Effect::Answer(asker, Answer::Unknown));
                }
            },
            Input::SnapshotReport(id, delivered) => self.machine.report_snapshot(id, delivered),
            Input::Unreachable(id) => self.machine.report_unreachable(id),
            Input::Heard(id) => self.machine.heard_from(id),
            Input::Read(floor) if mutation == Some(Mutation::UnconfirmedReads) => {
                if self.machine.is_leader() {
                    effects.push(Effect::Read { floor, index: self.machine.status().applied });
                }
            }
            Input::Read(floor) => match self.machine.read_index() {
                Ok(id) => _ = self.reads.insert(id, floor),
                Err(ReadError::NotLeader { .. } | ReadError::Unavailable) => {}
            },
            Input::Transfer(id) => _ = self.machine.transfer_leader(id),
        }
    }

    fn hand_out(&mut self, done: Persisted, effects: &mut Vec<Effect>) {
        effects.extend(done.messages.into_iter().map(Box::new).map(Effect::Send));
        effects.extend(done.topology.map(Effect::Published));
        for event in done.events {
            match event {
                Event::Applied { id, outcome } => {
                    effects.push(Effect::Decided(id, outcome.clone()));
                    let number =
                        self.machine.topology().and_then(|t| t.node(id.node)).map(|node| node.raft_id);
                    for asker in self.waiting.remove(&id).unwrap_or_default() {
                        let answer = Answer::Done(id, outcome.clone(), number);
                        effects.push(Effect::Answer(asker, answer));
                    }
                }
                Event::Lost(id) => {
                    let askers = self.waiting.remove(&id).unwrap_or_default();
                    effects.extend(askers.into_iter().map(|asker| Effect::Answer(asker, Answer::Unknown)));
                }
                Event::ReadReady { id, index } => {
                    let floor = self.reads.remove(&id);
                    effects.extend(floor.map(|floor| Effect::Read { floor, index }));
                }
                Event::ReadLost(id) => _ = self.reads.remove(&id),
            }
        }
    }
}

/// The batch as a disk that breaks a rule keeps it.
fn mutated(mut batch: PersistBatch, mutation: Option<Mutation>) -> PersistBatch {
    match mutation {
        Some(Mutation::ForgetVote) => {
            for (key, value) in &mut batch.values {
                if let (ValueKey::HardState, Some(bytes)) = (key, value) {
                    let state = MetadataHardState::decode(&bytes[..]).expect("the machine's own record");
                    *bytes = MetadataHardState { vote: 0, ..state }.encode_to_vec();
                }
            }
        }
        Some(Mutation::KeepSuffix) if !batch.put.is_empty() => {
            let first = batch.put[0].0;
            batch.delete.retain(|range| *range.start() != first);
        }
        Some(
            Mutation::SendBeforePersist
            | Mutation::KeepSuffix
            | Mutation::FreshProposalIds
            | Mutation::KeepRaftId
            | Mutation::UnconfirmedReads,
        )
        | None => {}
    }
    batch
}
