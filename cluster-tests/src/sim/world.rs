//! The world: a queue of events in virtual time, and the rules by which each leads to others.
//!
//! A run has two parts. While faults last, writers write, nodes join, and things go wrong. Then the network is healed
//! and every node is started, no new request begins, and within [`REST_MS_MAX`] all must be at rest.

mod requests;
mod rest;
mod strikes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nuthatch_cluster::topology::{GroupId, RaftId};
use nuthatch_proto::ids::NodeId;
use nuthatch_proto::rpc::{RaftMessage, RaftMessageKind};

use super::faults::{Character, Fault};
use super::invariants::Ledger;
use super::network::{Network, Place};
use super::node::{Answer, Asker, Effect, Input, Node};
use super::random::Random;
use super::workload::{Client, Numbers, Purpose};
use super::{Mutation, Report, Violation};

/// How long faults last, in virtual milliseconds.
const FAULTS_MS: u64 = 10_000;
/// How long it may take after the faults until all is at rest.
const REST_MS_MAX: u64 = 30_000;
/// How often the world looks after what is not an event of its own.
const UPKEEP_MS: u64 = 200;
/// How many lines of a trace are kept.
const TRACE_MAX: usize = 400;

/// How a run is made.
#[derive(Debug, Default, Clone, Copy)]
pub struct Options {
    /// A rule to be broken.
    pub mutation: Option<Mutation>,
    /// Whether three nodes are to have nothing but elections: crashes and cuts, one after the other.
    pub harsh: bool,
    /// Whether to keep the last events as text.
    pub trace: bool,
}

#[derive(Debug)]
enum Happening {
    Tick(Place, u64),
    Input(Place, u64, Input),
    Arrive(Place, Input),
    Synced(Place, u64),
    Restart(Place),
    Resume(Place, u64),
    Wake(usize, u64),
    Answer(Asker, Answer),
    CrashAfterVote(Place, u64, RaftId),
    CrashAtSync(Place, u64),
    Fault,
    Upkeep,
    Heal,
}

/// A run.
pub struct World {
    options: Options,
    random: Random,
    /// What chance there is in changes of copies: apart, so that such a change delays nothing and loses no message.
    copies: Random,
    now: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    scheduled: u64,
    nodes: Vec<Node>,
    network: Network,
    character: Character,
    /// Chance in a thousand that a node crashes just after it has voted: whether it remembers shows at no other time.
    vote_crash_permille: u64,
    /// Chance in a thousand that a node crashes while the disk syncs, or just after.
    sync_crash_permille: u64,
    ledger: Ledger,
    /// Writers, then one client for each node's joining and leaving.
    clients: Vec<Client>,
    proposals: Numbers,
    writers: usize,
    /// Who has, or had, which number.
    numbers: BTreeMap<(GroupId, RaftId), Place>,
    /// Nodes whose old self must be forgotten before they can join.
    strangers: BTreeSet<Place>,
    /// Numbers whose disks are gone.
    lost: BTreeSet<RaftId>,
    /// Nodes that were forgotten and wait until they are out of the group, with their numbers.
    leaving: BTreeMap<Place, RaftId>,
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
    Err(Violation { seed, test: "sim", at_ms: world.now, what, trace: world.trace.into() })
}

impl World {
    fn new(seed: u64, options: Options) -> Self {
        let mut random = Random::new(seed);
        let places = if options.harsh { 3 } else { [1, 2, 3, 3, 3, 4, 5, 5, 6, 7][random.below(10)] };
        let mut nodes: Vec<_> = (0..places).map(|place| Node::new(place, &mut random)).collect();
        let numbers = BTreeMap::new();
        let _ = nodes[0].start(&mut random);
        let ledger = Ledger::new(&nodes[0]);
        let writers = 1 + random.below(6);
        let client = |number: usize, random: &mut Random| {
            let gateway = if number < writers { random.below(places) } else { number - writers };
            // Writers speak for the founder, so that what they did is remembered.
            let name = if number < writers { NodeId([1; 20]) } else { nodes[gateway].id };
            Client::new(gateway, name)
        };
        let proposals = Numbers::new(&mut random);
        let clients = (0..writers + places).map(|number| client(number, &mut random)).collect();
        let network = Network::draw(&mut random);
        let character = if options.harsh { Character::harsh() } else { Character::draw(&mut random) };
        let vote_crash_permille = if options.harsh { 500 } else { [0, 300][random.below(2)] };
        let sync_crash_permille = [0, 3, 20][random.below(3)];
        let mut world = Self {
            options,
            random,
            copies: Random::new(!seed),
            now: 0,
            queue: BTreeMap::new(),
            scheduled: 0,
            nodes,
            network,
            character,
            vote_crash_permille,
            sync_crash_permille,
            ledger,
            clients,
            proposals,
            writers,
            numbers,
            strangers: BTreeSet::new(),
            lost: BTreeSet::new(),
            leaving: BTreeMap::new(),
            healed_at: None,
            report: Report::default(),
            trace: VecDeque::new(),
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        self.note_started(0);
        for place in 1..self.nodes.len() {
            let after = self.random.within(0..2_000);
            self.after(after, Happening::Restart(place));
        }
        for client in 0..self.writers {
            self.after(500, Happening::Wake(client, 0));
        }
        self.after(UPKEEP_MS, Happening::Upkeep);
        self.after(3_000, Happening::Fault);
        self.after(FAULTS_MS, Happening::Heal);
    }

    fn run_to_rest(&mut self) -> Result<(), String> {
        while let Some(((at, _), happening)) = self.queue.pop_first() {
            self.now = at;
            self.report.steps += 1;
            self.note(&happening);
            self.happen(happening)?;
            if let Some(since) = self.healed_at {
                if self.at_rest()? {
                    self.report.healed_ms = self.now - since;
                    (self.report.committed, self.report.terms, self.report.member_changes) =
                        self.ledger.totals();
                    self.report.promotions = self.ledger.promotions();
                    return Ok(());
                }
                if self.now - since > REST_MS_MAX {
                    return Err(format!(
                        "liveness: not at rest {REST_MS_MAX} ms after the last fault: {}{}",
                        self.unrest(),
                        self.describe()
                    ));
                }
            }
        }
        Err("liveness: nothing happens any more".to_owned())
    }

    fn note(&mut self, happening: &Happening) {
        if self.options.trace && !matches!(happening, Happening::Tick(..) | Happening::Upkeep) {
            let mut line = format!("{:>6} {happening:?}", self.now);
            line.truncate(400);
            self.trace_line(line);
        }
    }

    fn trace_line(&mut self, line: String) {
        if self.trace.len() >= TRACE_MAX {
            self.trace.pop_front();
        }
        self.trace.push_back(line);
    }

    fn after(&mut self, ms: u64, happening: Happening) {
        self.scheduled += 1;
        self.queue.insert((self.now + ms, self.scheduled), happening);
    }

    fn happen(&mut self, happening: Happening) -> Result<(), String> {
        let mutation = self.options.mutation;
        match happening {
            Happening::Tick(place, life) if self.nodes[place].life == life => {
                // Clocks differ a little.
                let ms = self.random.within(48..53);
                self.after(ms, Happening::Tick(place, life));
                self.input(place, Input::Tick)?;
            }
            Happening::Input(place, life, input) if self.nodes[place].life == life => {
                self.input(place, input)?
            }
            Happening::Synced(place, life) if self.nodes[place].life == life => {
                let effects = self.nodes[place].synced(&mut self.random, mutation);
                self.take_effect(place, effects)?;
            }
            Happening::Resume(place, life) if self.nodes[place].life == life => {
                self.nodes[place].set_stopped(false);
                let effects = self.nodes[place].work(&mut self.random, mutation);
                self.take_effect(place, effects)?;
            }
            Happening::CrashAfterVote(place, life, elected)
                if self.nodes[place].life == life && self.healed_at.is_none() =>
            {
                self.crash_after_vote(place, elected);
            }
            Happening::CrashAtSync(place, life) if self.nodes[place].life == life => self.crash(place, 30),
            // Of an earlier life.
            Happening::CrashAfterVote(..)
            | Happening::CrashAtSync(..)
            | Happening::Tick(..)
            | Happening::Input(..)
            | Happening::Synced(..)
            | Happening::Resume(..) => {}
            Happening::Arrive(place, input) => self.input(place, input)?,
            Happening::Restart(place) => self.start(place)?,
            Happening::Wake(client, attempt) if self.clients[client].attempt == attempt => self.wake(client),
            Happening::Wake(..) => {}
            Happening::Answer(asker, answer) => self.answered(asker, answer)?,
            Happening::Fault if self.healed_at.is_none() => {
                let fault = self.character.next(&mut self.random, self.nodes.len());
                self.strike(fault);
                let pause = self.character.pause_ms(&mut self.random);
                self.after(pause, Happening::Fault);
            }
            Happening::Fault => {}
            Happening::Upkeep => {
                self.after(UPKEEP_MS, Happening::Upkeep);
                self.upkeep()?;
            }
            Happening::Heal => self.heal()?,
        }
        Ok(())
    }

    fn start(&mut self, place: Place) -> Result<(), String> {
        if self.nodes[place].process.is_none() {
            self.nodes[place].start(&mut self.random)?;
            self.note_started(place);
        }
        Ok(())
    }

    fn note_started(&mut self, place: Place) {
        let node = &self.nodes[place];
        let life = node.life;
        self.numbers.insert((node.group, node.raft_id), place);
        self.ledger.restarted(place);
        let first = self.random.within(0..50);
        self.after(first, Happening::Tick(place, life));
    }

    fn input(&mut self, place: Place, input: Input) -> Result<(), String> {
        let effects = self.nodes[place].input(input, &mut self.random, self.options.mutation);
        self.take_effect(place, effects)
    }

    fn take_effect(&mut self, place: Place, effects: Vec<Effect>) -> Result<(), String> {
        if effects.is_empty() {
            return Ok(());
        }
        let life = self.nodes[place].life;
        for effect in effects {
            match effect {
                Effect::Send(message) => self.send(place, message),
                Effect::Sync(ms) => {
                    self.after(ms, Happening::Synced(place, life));
                    if self.healed_at.is_none() && self.random.chance(self.sync_crash_permille) {
                        let ms = self.random.within(0..2 * ms);
                        self.after(ms, Happening::CrashAtSync(place, life));
                    }
                }
                Effect::Wrote(batch) => self.ledger.wrote(&self.nodes[place], &batch)?,
                Effect::Published(topology) => self.ledger.published(&self.nodes[place], &topology)?,
                Effect::Decided(id, outcome) if self.nodes[place].group == self.ledger.group() => {
                    self.ledger.decided(id, &outcome)?;
                }
                Effect::Read { floor, index } if self.nodes[place].group == self.ledger.group() => {
                    self.report.reads += 1;
                    self.ledger.read(floor, index)?;
                }
                // A node that is alone reads and decides for itself.
                Effect::Decided(..) | Effect::Read { .. } => {}
                Effect::Answer(asker, answer) => {
                    let gateway = self.clients[asker.client].gateway;
                    for ms in self.arrivals(place, gateway) {
                        self.after(ms, Happening::Answer(asker, answer.clone()));
                    }
                }
            }
        }
        self.ledger.check_node(&self.nodes[place])
    }

    fn arrivals(&mut self, from: Place, to: Place) -> Vec<u64> {
        match from == to {
            true => vec![0],
            false => self.network.arrivals(&mut self.random, from, to),
        }
    }

    fn send(&mut self, from: Place, message: Box<RaftMessage>) {
        let (life, group, number) = (self.nodes[from].life, self.nodes[from].group, RaftId(message.to));
        let is_vote = message.kind() == RaftMessageKind::VoteResponse && !message.reject;
        if is_vote && self.healed_at.is_none() && self.random.chance(self.vote_crash_permille) {
            let ms = self.random.within(1..60);
            self.after(ms, Happening::CrashAfterVote(from, life, number));
        }
        let is_snapshot = message.kind() == RaftMessageKind::Snapshot;
        let to = self.numbers.get(&(group, number)).copied();
        let arrivals = to.map(|to| self.arrivals(from, to)).unwrap_or_default();
        let delivered = !arrivals.is_empty() && to.is_some_and(|to| self.nodes[to].process.is_some());
        for (ms, to) in arrivals.into_iter().zip(std::iter::repeat(to)) {
            let to = to.expect("what arrives arrives somewhere");
            self.after(ms, Happening::Arrive(to, Input::Raft(message.clone())));
        }
        if is_snapshot {
            self.report.snapshots += 1;
            // Even the report can get lost: then the machine must help itself.
            if !self.random.chance(100) {
                self.after(20, Happening::Input(from, life, Input::SnapshotReport(number, delivered)));
            }
        } else if !delivered && self.random.chance(300) {
            self.after(5, Happening::Input(from, life, Input::Unreachable(number)));
        }
    }

    fn is_member(&self, place: Place) -> bool {
        let node = &self.nodes[place];
        node.group == self.ledger.group() && node.raft_id.0 != 0 && !self.strangers.contains(&place)
    }

    /// Whom most would take for the leader: the one with the highest term.
    fn leader(&self) -> Option<Place> {
        let leads = |node: &&Node| {
            let process = node.process.as_ref().filter(|process| process.machine.is_leader());
            process.filter(|_| node.group == self.ledger.group()).map(|p| p.machine.status().term)
        };
        let leaders = self.nodes.iter().filter_map(|node| Some((leads(&node)?, node.place)));
        leaders.max().map(|(_, place)| place)
    }
}
