//! The world of a shard: a queue of events in virtual time, and the rules by which each leads to others.
//!
//! While faults last, clients ask and things go wrong. Then the network is healed and every process is started, and
//! within [`REST_MS_MAX`] all must be at rest; then everything is read once more.

mod events;
mod rest;

use std::collections::{BTreeMap, VecDeque};

use nuthatch_cluster::replication::message::{Fence, Proposed, SyncKind};
use nuthatch_cluster::replication::timing::Timings;
use nuthatch_cluster::replication::{Failover, FailoverInput, FailoverOutput, Outcome};
use nuthatch_cluster::topology::Grant;

use super::clients::{Answer, Ask, Asker, Client};
use super::faults::{Character, Fault};
use super::ledger::Ledger;
use super::metadata::{Metadata, View, node_id, place_of};
use super::node::{self, Clock, Effected, Node, Parcel, Process, Read};
use super::{Broken, NODES, Report};
use crate::sim::Violation;
use crate::sim::network::{Network, Place};
use crate::sim::random::Random;

/// How long faults last, in virtual milliseconds.
const FAULTS_MS: u64 = 8_000;
/// How long it may take after the faults until all is at rest.
const REST_MS_MAX: u64 = 20_000;
/// Between two ticks of a machine.
const TICK_MS: u64 = 10;
/// Between two heartbeats of a node, and two views of the metadata group that say nothing new.
const HEARTBEAT_MS: u64 = 100;
/// How many parcels a stopped process may have waiting: the rest is lost with its connections.
const WAITING_MAX: usize = 2_000;
/// How many lines of a trace are kept.
const TRACE_MAX: usize = 500;

/// How a run is made.
#[derive(Debug, Default, Clone, Copy)]
pub struct Options {
    /// A rule to be taken away.
    pub broken: Option<Broken>,
    /// Whether to keep the last events as text.
    pub trace: bool,
}

/// What happens to a process.
#[derive(Debug, Clone)]
enum ToNode {
    Tick,
    Heartbeat,
    Parcel(Parcel),
    View(View),
    Fence(Fence),
    Decided { process: u64, number: u64, outcome: Outcome },
    Finish(u64, Read),
    HandOver(Option<Place>),
    Ask(Asker, usize, Ask),
}

/// What happens to the metadata group.
#[derive(Debug, Clone)]
enum ToMetadata {
    Tell(Place, node::Report),
    Tick,
    Publish,
    /// What that leader has proposed is committed.
    Apply(u64, Proposed),
    Quorum,
}

#[derive(Debug, Clone)]
enum Happening {
    Node(Place, ToNode),
    /// Again and again, as long as the process lives.
    Tick(Place, u64),
    Heartbeat(Place, u64),
    Crash(Place, u64),
    Restart(Place),
    Resume(Place, u64),
    Metadata(ToMetadata),
    Wake(usize, u64),
    Answer(Asker, Answer),
    Timeout(usize, u64),
    Fault,
    Heal,
}

/// A run.
pub struct World {
    options: Options,
    random: Random,
    now: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    scheduled: u64,
    /// Counts events: the moments of the history.
    moment: u64,
    nodes: Vec<Node>,
    waiting: Vec<VecDeque<ToNode>>,
    processes: u64,
    metadata: Metadata,
    /// Counts the leaders of the metadata group.
    leaders: u64,
    network: Network,
    /// Whether messages of a link keep their order, as those of one connection do.
    in_order: bool,
    last_arrival: BTreeMap<(Place, Place), u64>,
    /// How many effects a connection to each place takes between two ticks.
    windows: [usize; NODES],
    /// How many effects a node keeps for partial syncs.
    backlog: u64,
    /// Chance in a thousand that a new primary dies in its first moments: what it did too early shows at no other time.
    heir_crash_permille: u64,
    character: Character,
    clients: Vec<Client>,
    values: u64,
    ledger: Ledger,
    healed_at: Option<u64>,
    report: Report,
    trace: VecDeque<String>,
}

/// Runs a seed.
pub fn run(seed: u64, options: Options) -> Result<Report, Violation> {
    let mut world = World::new(seed, options);
    let what = match world.run_to_rest() {
        Ok(()) => return Ok(world.report),
        Err(what) => what,
    };
    Err(Violation { seed, test: "replication", at_ms: world.now, what, trace: world.trace.into() })
}

impl World {
    fn new(seed: u64, options: Options) -> Self {
        let mut random = Random::new(seed);
        // Rates within half a percent of the world's: within one of each other.
        let clock = |random: &mut Random| Clock {
            base_ms: random.within(0..1_000_000),
            rate_ppm: random.within(995_000..1_005_001),
        };
        let windows = std::array::from_fn(|_| [1, 3, 1_000, 1_000][random.below(4)]);
        let backlog = [8, 60][random.below(2)];
        let heir_crash_permille = [0, 500][random.below(2)];
        let node = |place: usize, random: &mut Random| Node {
            place,
            clock: clock(random),
            life: 1,
            stopped: false,
            process: Some(Process::new(place as u64 + 1, windows, backlog)),
        };
        let nodes: Vec<_> = (0..NODES).map(|place| node(place, &mut random)).collect();
        let metadata = Metadata::new(clock(&mut random), Timings::default());
        let clients = (0..2 + random.below(4)).map(|_| Client::draw(&mut random)).collect();
        let (network, character) = (Network::draw(&mut random), Character::draw(&mut random));
        let in_order = random.chance(700);
        Self {
            options,
            random,
            now: 0,
            queue: BTreeMap::new(),
            scheduled: 0,
            moment: 0,
            nodes,
            waiting: vec![VecDeque::new(); NODES],
            processes: NODES as u64,
            metadata,
            leaders: 1,
            network,
            in_order,
            last_arrival: BTreeMap::new(),
            windows,
            backlog,
            heir_crash_permille,
            character,
            clients,
            values: 0,
            ledger: Ledger::default(),
            healed_at: None,
            report: Report::default(),
            trace: VecDeque::new(),
        }
    }

    fn run_to_rest(&mut self) -> Result<(), String> {
        let view = self.metadata.now.clone();
        for place in 0..NODES {
            self.at_node(place, ToNode::View(view.clone()))?;
            self.after(0, Happening::Tick(place, 1));
            self.after(1, Happening::Heartbeat(place, 1));
        }
        self.after(0, Happening::Metadata(ToMetadata::Tick));
        self.after(0, Happening::Metadata(ToMetadata::Publish));
        for client in 0..self.clients.len() {
            self.after(5, Happening::Wake(client, 0));
        }
        let pause_ms = 600 + self.character.pause_ms(&mut self.random);
        self.after(pause_ms, Happening::Fault);
        self.after(FAULTS_MS, Happening::Heal);
        while let Some(((at, _), happening)) = self.queue.pop_first() {
            self.now = at;
            self.moment += 1;
            self.report.steps += 1;
            self.happen(happening)?;
            // Comparing all copies takes longer than an event.
            let look = self.healed_at.is_some() && self.report.steps.is_multiple_of(64);
            if look && self.is_over()? {
                return self.close();
            }
        }
        Err("nothing happens any more".to_owned())
    }

    fn after(&mut self, ms: u64, happening: Happening) {
        self.scheduled += 1;
        self.queue.insert((self.now + ms, self.scheduled), happening);
    }

    fn say(&mut self, line: impl FnOnce() -> String) {
        if self.options.trace {
            if self.trace.len() >= TRACE_MAX {
                self.trace.pop_front();
            }
            self.trace.push_back(format!("{:>6} {}", self.now, line()));
        }
    }

    /// Puts something on the network.
    fn send(&mut self, from: Place, to: Place, happening: &Happening) {
        let mut arrivals = self.network.arrivals(&mut self.random, from, to);
        if self.in_order {
            // A connection neither repeats nor reorders; what it loses ends it, which the machines notice by the gap.
            arrivals.truncate(1);
        }
        for ms in arrivals {
            let last = self.last_arrival.entry((from, to)).or_insert(0);
            let at = if self.in_order { (*last).max(self.now + ms) } else { self.now + ms };
            *last = at;
            self.after(at - self.now, happening.clone());
        }
    }

    /// One step at a node, unless it is stopped: then it waits.
    fn at_node(&mut self, place: Place, event: ToNode) -> Result<(), String> {
        if self.nodes[place].stopped {
            if self.waiting[place].len() < WAITING_MAX {
                self.waiting[place].push_back(event);
            }
            return Ok(());
        }
        let mut done = Vec::new();
        self.step_node(place, event, &mut done);
        self.take_effect(place, done)
    }

    fn take_effect(&mut self, place: Place, done: Vec<Effected>) -> Result<(), String> {
        for effected in done {
            if self.options.trace {
                self.trace_effected(place, &effected);
            }
            match effected {
                Effected::Send(to, parcel) => {
                    self.send(place, to, &Happening::Node(to, ToNode::Parcel(parcel)));
                }
                Effected::Tell(report) => {
                    self.send(place, NODES, &Happening::Metadata(ToMetadata::Tell(place, report)));
                }
                Effected::Answer(asker, answer) => {
                    let ms = self.random.within(1..3);
                    self.after(ms, Happening::Answer(asker, answer));
                }
                Effected::Committed(end) => {
                    self.ledger.commit(&self.nodes, place, end, &self.metadata.now.shard)?;
                }
                Effected::Acknowledged(key, value, offset) => {
                    let is_async = key == super::clients::ASYNC_KEY;
                    let member = self.nodes[place].process.as_ref().and_then(|p| p.member.as_ref());
                    let epoch = member.map_or(0, |member| member.shard().epoch.0);
                    self.ledger.acknowledged(epoch, is_async, value, offset, self.now)?;
                    match is_async {
                        true => self.report.async_writes += 1,
                        false => self.report.writes += 1,
                    }
                }
                Effected::Replaced => {
                    self.ledger.check_copy(&self.nodes[place])?;
                    self.ledger.check_in_sync(&self.nodes, &self.metadata.now.shard)?;
                }
                Effected::Leads => {
                    let process = self.nodes[place].process.as_ref();
                    let member = process.and_then(|process| process.member.as_ref());
                    if let (Some(process), Some(member)) = (process, member) {
                        self.ledger.leads(process, member.shard().epoch.0)?;
                    }
                    if self.healed_at.is_none() && self.random.chance(self.heir_crash_permille) {
                        let (ms, life) = (self.random.within(5..120), self.nodes[place].life);
                        self.after(ms, Happening::Crash(place, life));
                    }
                }
                Effected::Copies(kind) => {
                    match kind {
                        SyncKind::Partial => {}
                        SyncKind::Slots { .. } => self.report.copies.1 += 1,
                        SyncKind::Full => self.report.copies.0 += 1,
                    }
                    // From now on it holds nothing that counts.
                    self.ledger.check_in_sync(&self.nodes, &self.metadata.now.shard)?;
                }
            }
        }
        self.ledger.check_node(&self.nodes[place])
    }

    fn trace_effected(&mut self, place: Place, effected: &Effected) {
        if let Effected::Send(to, Parcel::Copied(_, copied)) = effected {
            let (session, end) = (copied.session, copied.data.end());
            self.say(|| format!("node {place} -> {to} copy {session:?} up to {end}"));
        } else if !matches!(effected, Effected::Tell(node::Report::Heartbeat(_))) {
            self.say(|| format!("node {place} {effected:?}"));
        }
    }

    /// The metadata leader's machine takes a step.
    fn at_leader(&mut self, input: FailoverInput) {
        let now = self.metadata.clock.at(self.now);
        let mut out = Vec::new();
        self.metadata.failover.step(now, input, &mut out);
        for output in out {
            self.say(|| format!("leader {output:?}"));
            match output {
                FailoverOutput::Fence(fence) => {
                    let place = place_of(fence.member.node);
                    self.send(NODES, place, &Happening::Node(place, ToNode::Fence(fence)));
                }
                FailoverOutput::Propose(proposed) => {
                    let ms = self.random.within(1..8);
                    self.after(ms, Happening::Metadata(ToMetadata::Apply(self.leaders, proposed)));
                }
            }
        }
    }

    /// Something was applied: the leader knows, the nodes will.
    fn applied(&mut self) -> Result<(), String> {
        self.ledger.check_metadata(&self.nodes, &self.metadata)?;
        let (shard, primary_lives) = (self.metadata.now.shard.clone(), self.metadata.primary_lives());
        self.say(|| format!("metadata {shard:?}, primary lives: {primary_lives}"));
        self.at_leader(FailoverInput::View { shard, primary_lives });
        self.publish();
        Ok(())
    }

    fn publish(&mut self) {
        for place in 0..NODES {
            let view = self.metadata.now.clone();
            self.send(NODES, place, &Happening::Node(place, ToNode::View(view)));
        }
    }

    /// Who is the primary, by the metadata.
    fn primary(&self) -> Place {
        place_of(self.metadata.now.shard.primary.node)
    }

    fn strike(&mut self, fault: Fault) {
        self.say(|| format!("{fault:?}"));
        let primary = self.primary();
        let others = |place: Place| (0..NODES).filter(move |other| *other != place);
        match fault {
            Fault::Crash(place, ms) => self.crash(place.unwrap_or(primary), ms),
            Fault::Stop(place, ms) => {
                let place = place.unwrap_or(primary);
                if self.nodes[place].process.is_some() {
                    self.nodes[place].stopped = true;
                    self.after(ms, Happening::Resume(place, self.nodes[place].life));
                }
            }
            Fault::Island(place) => {
                let place = place.unwrap_or(primary);
                for other in others(place) {
                    self.network.cut(place, other);
                    self.network.cut(other, place);
                }
            }
            Fault::Unled(place) => {
                let place = place.unwrap_or(primary);
                self.network.cut(place, NODES);
                self.network.cut(NODES, place);
            }
            Fault::OneWay { place, mute } => {
                let place = place.unwrap_or(primary);
                for other in (0..=NODES).filter(|other| *other != place) {
                    match mute {
                        true => self.network.cut(place, other),
                        false => self.network.cut(other, place),
                    }
                }
            }
            Fault::Isolate(place) => {
                let place = place.unwrap_or(primary);
                self.network.split(|other| other == place, NODES + 1);
            }
            Fault::CutLink(from, to) => self.network.cut(from, to),
            Fault::Mend => self.network.mend(),
            Fault::NoQuorum(ms) => {
                self.metadata.up = false;
                self.after(ms, Happening::Metadata(ToMetadata::Quorum));
            }
            Fault::NewLeader => self.new_leader(),
            Fault::HandOver(to) => {
                self.report.handovers += 1;
                self.after(0, Happening::Node(primary, ToNode::HandOver(to)));
            }
            Fault::Order(to) => {
                let to = to.map(node_id);
                self.at_leader(FailoverInput::Order { to });
            }
        }
    }

    /// A node that knows nothing of the failovers under way leads.
    fn new_leader(&mut self) {
        let now = self.metadata.clock.at(self.now);
        let (shard, lives) = (self.metadata.now.shard.clone(), self.metadata.primary_lives());
        self.leaders += 1;
        self.metadata.failover = Failover::new(now, Timings::default(), shard, lives);
    }

    /// A process dies. What was in memory is gone, so unless the seed is reckless another in-sync life must be left.
    fn crash(&mut self, place: Place, ms: u64) {
        let lives = |grant: &Grant| {
            let process = self.nodes[place_of(grant.node)].process.as_ref();
            let member = process.and_then(|process| process.member.as_ref());
            member.is_some_and(|member| member.me() == *grant)
        };
        let others = self.metadata.now.shard.isr.iter().filter(|grant| grant.node != node_id(place));
        let survived = others.copied().any(|grant| lives(&grant));
        if (survived || self.character.reckless) && self.nodes[place].process.is_some() {
            self.nodes[place].process = None;
            self.nodes[place].stopped = false;
            self.waiting[place].clear();
            self.report.crashes += 1;
            self.after(ms, Happening::Restart(place));
        }
    }

    fn start(&mut self, place: Place) {
        let node = &mut self.nodes[place];
        if node.process.is_none() {
            self.processes += 1;
            node.life += 1;
            node.stopped = false;
            self.waiting[place].clear();
            node.process = Some(Process::new(self.processes, self.windows, self.backlog));
            let life = node.life;
            self.after(0, Happening::Tick(place, life));
            self.after(0, Happening::Heartbeat(place, life));
        }
    }

    fn decide(&mut self, process: u64, proposed: &Proposed) -> Result<Outcome, String> {
        let before = self.metadata.now.index;
        let outcome = self.metadata.propose(process, proposed);
        if self.metadata.now.index > before {
            self.say(|| format!("metadata {proposed:?}: {outcome:?}"));
            self.applied()?;
        }
        Ok(outcome)
    }
}
