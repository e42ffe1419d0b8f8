//! The world: a queue of events in virtual time, and the rules by which each leads to others.
//!
//! A run has two parts. While faults last, writers write, nodes join, and things go wrong. Then the network is healed
//! and every node is started, no new request begins, and within [`REST_MS_MAX`] all must be at rest.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use nuthatch_cluster::metadata::membership::voters_for;
use nuthatch_cluster::metadata::{PersistBatch, ValueKey};
use nuthatch_cluster::topology::{GroupId, Outcome, RaftId, Role, TopologyChange};
use nuthatch_proto::ids::NodeId;
use nuthatch_proto::rpc::{MetadataHardState, RaftMessage, RaftMessageKind};
use prost::Message as _;

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
    CrashAfterVote(Place, u64),
    Fault,
    Upkeep,
    Heal,
}

/// A run.
pub struct World {
    options: Options,
    random: Random,
    now: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    scheduled: u64,
    nodes: Vec<Node>,
    network: Network,
    character: Character,
    /// Chance in a thousand that a node crashes just after it has voted: whether it remembers shows at no other time.
    vote_crash_permille: u64,
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
    Err(Violation { seed, at_ms: world.now, what, trace: world.trace.into() })
}

impl World {
    fn new(seed: u64, options: Options) -> Self {
        let mut random = Random::new(seed);
        let places = [1, 2, 3, 3, 3, 4, 5, 5, 6, 7][random.below(10)];
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
        let character = Character::draw(&mut random);
        let vote_crash_permille = [0, 300][random.below(2)];
        let mut world = Self {
            options,
            random,
            now: 0,
            queue: BTreeMap::new(),
            scheduled: 0,
            nodes,
            network,
            character,
            vote_crash_permille,
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
            Happening::CrashAfterVote(place, life) if self.nodes[place].life == life => self.crash(place, 3),
            // Of an earlier life.
            Happening::CrashAfterVote(..)
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

    // Nodes.

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
                Effect::Sync(ms) => self.after(ms, Happening::Synced(place, life)),
                Effect::Wrote(batch) => {
                    self.ledger.wrote(&self.nodes[place], &batch)?;
                    if votes_for_another(&batch, self.nodes[place].raft_id)
                        && self.random.chance(self.vote_crash_permille)
                    {
                        let ms = self.random.within(1..60);
                        self.after(ms, Happening::CrashAfterVote(place, life));
                    }
                }
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

    // Clients.

    fn wake(&mut self, number: usize) {
        let in_reach = |client: &Client| {
            client.request.as_ref().is_none_or(|request| self.proposals.is_near(request.proposal.id))
        };
        let may_begin = number < self.writers && self.healed_at.is_none();
        let all_in_reach = self.clients.iter().all(in_reach);
        let client = &mut self.clients[number];
        client.attempt += 1;
        let attempt = client.attempt;
        if client.request.is_none() && may_begin && !all_in_reach {
            // A node that has too much in flight waits for the oldest.
            return self.after(100, Happening::Wake(number, attempt));
        }
        if client.request.is_none() {
            if !may_begin {
                return;
            }
            let nodes: Vec<_> = self.nodes.iter().map(|node| node.id).collect();
            client.write(number, &nodes, &mut self.random, &mut self.proposals);
        } else if self.options.mutation == Some(Mutation::FreshProposalIds) {
            client.forget_id(&mut self.proposals);
        }
        let timeout = self.random.within(300..800);
        self.after(timeout, Happening::Wake(number, attempt));
        let gateway = self.clients[number].gateway;
        let Some(request) = self.clients[number].request.clone() else { return };
        let hint = self.clients[number].target.take().or_else(|| self.leader_as_seen_by(gateway));
        let target = hint.unwrap_or_else(|| self.random.below(self.nodes.len()));
        let input = Input::Request(Asker { client: number, attempt }, self.ledger.group(), request.proposal);
        for ms in self.arrivals(gateway, target) {
            self.after(ms, Happening::Arrive(target, input.clone()));
        }
    }

    fn leader_as_seen_by(&self, place: Place) -> Option<Place> {
        let node = &self.nodes[place];
        let leader = node.process.as_ref()?.machine.leader()?;
        self.numbers.get(&(node.group, leader)).copied().filter(|_| node.group == self.ledger.group())
    }

    fn answered(&mut self, asker: Asker, answer: Answer) -> Result<(), String> {
        let client = &mut self.clients[asker.client];
        let Some(request) = client.request.clone() else { return Ok(()) };
        match answer {
            Answer::Done(id, outcome, number) if request.proposal.id == id => {
                client.request = None;
                client.attempt += 1;
                self.report.answered += 1;
                self.done(asker.client, request.purpose, &outcome, number)
            }
            Answer::Done(..) => Ok(()),
            Answer::NotLeader(_) | Answer::Unknown if client.attempt != asker.attempt => Ok(()),
            Answer::NotLeader(hint) => {
                let group = self.ledger.group();
                client.target = hint.and_then(|leader| self.numbers.get(&(group, leader)).copied());
                self.wake_soon(asker)
            }
            Answer::Unknown => self.wake_soon(asker),
        }
    }

    fn wake_soon(&mut self, asker: Asker) -> Result<(), String> {
        let ms = self.random.within(10..50);
        self.after(ms, Happening::Wake(asker.client, asker.attempt));
        Ok(())
    }

    fn done(
        &mut self,
        client: usize,
        purpose: Purpose,
        outcome: &Outcome,
        number: Option<RaftId>,
    ) -> Result<(), String> {
        let attempt = self.clients[client].attempt;
        match (purpose, outcome) {
            (Purpose::Write(value), outcome) => {
                if let Outcome::Applied(index) = outcome {
                    self.ledger.acknowledge(client, *index, value);
                }
                let pause = self.random.within(5..150);
                self.after(pause, Happening::Wake(client, attempt));
            }
            (Purpose::Join(place), Outcome::Applied(_)) => {
                let Some(number) = number.filter(|_| !self.is_member(place)) else { return Ok(()) };
                let group = self.ledger.group();
                self.nodes[place].process = None;
                self.nodes[place].become_member(group, number);
                self.start(place)?;
            }
            // Known with another directory: its old self has to go first.
            (Purpose::Join(place), Outcome::Rejected { .. }) => _ = self.strangers.insert(place),
            (Purpose::Forget(place), Outcome::Applied(_)) => {
                let node = &self.nodes[place];
                if self.is_member(place) {
                    self.leaving.insert(place, node.raft_id);
                }
                self.strangers.remove(&place);
            }
            // It is the last voter at the moment, or was never known: upkeep tries again, or it joins.
            (Purpose::Forget(place), Outcome::Rejected { error, .. }) => {
                if error.contains("Unknown node") {
                    self.strangers.remove(&place);
                }
            }
        }
        Ok(())
    }

    /// Lets nodes join that are not in the group, forgotten ones start anew, and watchers be heard; and asks to read.
    fn upkeep(&mut self) -> Result<(), String> {
        let floor = self.ledger.last_acknowledged();
        for place in 0..self.nodes.len() {
            self.input(place, Input::Read(floor))?;
        }
        for place in 0..self.nodes.len() {
            let out_of_group =
                |id| !self.ledger.voters().contains(id) && !self.ledger.learners().contains(id);
            if self.leaving.get(&place).is_some_and(out_of_group) && self.voters_agree() {
                self.leaving.remove(&place);
                self.nodes[place].process = None;
                self.nodes[place].disk = Default::default();
                self.start(place)?;
            }
            if self.nodes[place].process.is_some() && !self.is_member(place) {
                self.ask_to_join(place);
            }
        }
        let Some(leader) = self.leader() else { return Ok(()) };
        for place in (0..self.nodes.len()).filter(|place| *place != leader) {
            if self.is_member(place)
                && self.nodes[place].process.is_some()
                && !self.network.is_cut(place, leader)
            {
                self.input(leader, Input::Heard(self.nodes[place].raft_id))?;
            }
        }
        Ok(())
    }

    fn ask_to_join(&mut self, place: Place) {
        let number = self.writers + place;
        if self.clients[number].request.is_some() {
            return;
        }
        let node = self.nodes[place].id;
        match self.strangers.contains(&place) {
            true => self.ask_to_forget(place),
            false => {
                let joiner = self.nodes[place].joiner();
                self.clients[number].name = node;
                let join = TopologyChange::Join { joiner, role: Role::Watcher };
                self.clients[number].ask(Purpose::Join(place), vec![join], &mut self.proposals);
            }
        }
        let attempt = self.clients[number].attempt;
        self.after(0, Happening::Wake(number, attempt));
    }

    fn ask_to_forget(&mut self, place: Place) {
        let number = self.writers + place;
        let node = self.nodes[place].id;
        let by = self.nodes[(place + 1) % self.nodes.len()].id;
        let changes = vec![TopologyChange::FlushSlots { node }, TopologyChange::Forget { node, by }];
        self.clients[number].name = by;
        self.clients[number].ask(Purpose::Forget(place), changes, &mut self.proposals);
    }

    // Faults.

    fn strike(&mut self, fault: Fault) {
        if self.options.trace {
            self.trace_line(format!("{:>6} {fault:?}", self.now));
        }
        let places = self.nodes.len();
        match fault {
            Fault::Crash(place, ms) => self.crash(place, ms),
            Fault::CrashAll(ms) => (0..places).for_each(|place| self.crash(place, ms + place as u64)),
            Fault::Stop(place, ms) => {
                let life = self.nodes[place].life;
                self.nodes[place].set_stopped(true);
                self.after(ms, Happening::Resume(place, life));
            }
            Fault::Split(sides) => self.network.split(|place| sides >> place & 1 == 1, places),
            Fault::CutLeader { mute, deaf } => {
                let Some(leader) = self.leader() else { return };
                for other in (0..places).filter(|other| *other != leader) {
                    if mute {
                        self.network.cut(leader, other);
                    }
                    if deaf {
                        self.network.cut(other, leader);
                    }
                }
            }
            Fault::Rivals(ms) => {
                let Some(leader) = self.leader() else { return };
                for rival in (0..places).filter(|rival| *rival != leader) {
                    (0..places)
                        .filter(|other| *other != leader)
                        .for_each(|other| self.network.cut(rival, other));
                }
                self.crash(leader, ms);
            }
            Fault::CutLink(from, to) => self.network.cut(from, to),
            Fault::Mend => self.network.mend(),
            Fault::Transfer(place) => {
                let Some(leader) = self.leader() else { return };
                let (life, to) = (self.nodes[leader].life, self.nodes[place].raft_id);
                self.after(0, Happening::Input(leader, life, Input::Transfer(to)));
            }
            Fault::Wipe(place) => self.wipe(place),
            Fault::Forget(place) => self.forget(place),
        }
    }

    fn crash(&mut self, place: Place, ms: u64) {
        if self.nodes[place].process.is_some() {
            self.report.crashes += 1;
            self.nodes[place].crash(&mut self.random);
            self.after(ms, Happening::Restart(place));
        }
    }

    /// Whether every voter runs and has applied the last change of voters. The library votes by the members that it has
    /// applied, so a voter that was removed may be needed until the others know it.
    fn voters_agree(&self) -> bool {
        let voters = self.ledger.voters();
        let knows = |id: &RaftId| {
            let place = self.numbers.get(&(self.ledger.group(), *id))?;
            let process =
                self.nodes[*place].process.as_ref().filter(|_| self.nodes[*place].raft_id == *id)?;
            Some(process.machine.status().voters == *voters)
        };
        voters.iter().all(|id| knows(id) == Some(true))
    }

    /// Whether a voter may be lost for good: a majority of the voters' disks must live, now and until it is replaced.
    fn can_lose_a_voter(&self) -> bool {
        let voters = self.ledger.voters();
        let members = (0..self.nodes.len()).filter(|place| self.is_member(*place)).count();
        let forgetting = |client: &Client| {
            client.request.as_ref().is_some_and(|request| matches!(request.purpose, Purpose::Forget(_)))
        };
        voters.len() >= 3
            && members >= 3
            && self.lost.is_disjoint(voters)
            && self.leaving.is_empty()
            && self.voters_agree()
            && !self.clients.iter().any(forgetting)
    }

    fn wipe(&mut self, place: Place) {
        if self.nodes[place].process.is_some() && self.is_member(place) && self.can_lose_a_voter() {
            self.lost.insert(self.nodes[place].raft_id);
            self.nodes[place].wipe(&mut self.random, self.options.mutation);
            self.nodes[place].raft_id = RaftId(0);
            self.strangers.insert(place);
            if self.options.mutation == Some(Mutation::KeepRaftId) {
                self.strangers.remove(&place);
            }
            let ms = self.random.within(50..1_000);
            self.after(ms, Happening::Restart(place));
        }
    }

    fn forget(&mut self, place: Place) {
        let number = self.writers + place;
        if self.is_member(place) && self.can_lose_a_voter() && self.clients[number].request.is_none() {
            self.ask_to_forget(place);
            let attempt = self.clients[number].attempt;
            self.after(0, Happening::Wake(number, attempt));
        }
    }

    fn heal(&mut self) -> Result<(), String> {
        self.network.heal();
        for place in 0..self.nodes.len() {
            self.start(place)?;
            self.nodes[place].set_stopped(false);
            let effects = self.nodes[place].work(&mut self.random, self.options.mutation);
            self.take_effect(place, effects)?;
        }
        self.healed_at = Some(self.now);
        Ok(())
    }

    // Rest.

    fn at_rest(&self) -> Result<bool, String> {
        if !self.unrest().is_empty() {
            return Ok(false);
        }
        let states =
            self.nodes.iter().filter_map(|node| Some((node, node.process.as_ref()?.machine.topology()?)));
        let voters: Vec<_> =
            states.filter(|(node, _)| self.ledger.voters().contains(&node.raft_id)).collect();
        let alike = voters.windows(2).all(|pair| pair[0].1 == pair[1].1);
        alike
            .then_some(true)
            .ok_or_else(|| "state machine safety: the voters rest at different topologies".to_owned())
    }

    /// All nodes, for a person to read.
    fn describe(&self) -> String {
        let line = |node: &Node| {
            let status = node.process.as_ref().map(|process| process.machine.status());
            format!("\n  node {} (member: {}): {status:?}", node.place, self.is_member(node.place))
        };
        self.nodes.iter().map(line).collect()
    }

    /// What is still to happen, or nothing.
    fn unrest(&self) -> String {
        let places = 0..self.nodes.len();
        if let Some(client) = self.clients.iter().position(|client| client.request.is_some()) {
            return format!("client {client} waits for {:?}", self.clients[client].request);
        }
        if let Some(place) = places.clone().find(|place| !self.is_member(*place)) {
            return format!("node {place} is no member");
        }
        if !self.leaving.is_empty() {
            return format!("{:?} were forgotten and are in the group", self.leaving);
        }
        let Some(leader) = self.leader() else { return "no leader".to_owned() };
        let voters = self.ledger.voters();
        if voters.len() != voters_for(self.nodes.len()) || !self.ledger.learners().is_empty() {
            return format!("voters {voters:?}, learners {:?}", self.ledger.learners());
        }
        let applied =
            |place: Place| self.nodes[place].process.as_ref().map(|process| process.machine.status().applied);
        let behind = |place: &Place| {
            voters.contains(&self.nodes[*place].raft_id) && applied(*place) != applied(leader)
        };
        match places.clone().find(behind) {
            Some(place) => {
                format!("voter {place} is at {:?}, the leader at {:?}", applied(place), applied(leader))
            }
            None => String::new(),
        }
    }
}

fn votes_for_another(batch: &PersistBatch, own: RaftId) -> bool {
    batch.values.iter().any(|(key, value)| match (key, value) {
        (ValueKey::HardState, Some(bytes)) => {
            MetadataHardState::decode(&bytes[..]).is_ok_and(|state| state.vote != 0 && state.vote != own.0)
        }
        _ => false,
    })
}
