//! A node: a machine, the driver that does what the machine says, and an engine whose effects are numbers.
//!
//! An effect sets a key to a value and takes one place in the log, so offsets count effects. Beside what an engine holds
//! (the state of each key, and a bounded backlog) a node here keeps the whole log that its state came from, for the
//! ledger to compare: the state itself changes by effects and copies only, as an engine's would.
//!
//! `written` is where in the log each key was last written to *by this primary*: a replica does not keep it, so what a new
//! primary inherited looks settled. That is right because it serves only when it is (R7).

use std::collections::{BTreeMap, VecDeque};

use nuthatch_cluster::replication::message::{Append, Fenced, Message, Proposed, Session, Suspect, SyncKind};
use nuthatch_cluster::replication::mutation::Rules;
use nuthatch_cluster::replication::timing::Time;
use nuthatch_cluster::replication::{Input, Member, Outcome, Output, Role, Settings};
use nuthatch_cluster::topology::Grant;
use nuthatch_proto::ids::ReplicationOffset;

use super::clients::{ASYNC_KEY, Answer, Ask, Asker, KEYS};
use super::history::Value;
use super::metadata::{View, place_of};
use super::{Broken, NODES};

/// After how long a copy that has not arrived is given up.
const COPY_MS: u64 = 400;
/// After how long an undecided proposal is sent again.
const PROPOSE_AGAIN_MS: u64 = 200;

/// A node's lease clock: it began anywhere and runs a little fast or slow.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Its reading when the world began.
    pub base_ms: u64,
    /// Its rate, in millionths.
    pub rate_ppm: u64,
}

impl Clock {
    /// Its reading at that moment of the world.
    pub fn at(&self, world_ms: u64) -> Time {
        Time(self.base_ms + world_ms * self.rate_ppm / 1_000_000)
    }
}

/// An effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// The key.
    pub key: usize,
    /// Its value from now on.
    pub value: Value,
}

/// What an engine holds, and the log that it came from.
#[derive(Debug, Clone, Default)]
pub struct Data {
    /// Each key's value and the place of its write.
    pub state: [(Value, u64); KEYS],
    /// All effects.
    pub log: Vec<Effect>,
    /// What the log is up to each place, as a number: equal numbers are equal logs.
    hashes: Vec<u64>,
}

impl Data {
    /// The log's end.
    pub fn end(&self) -> u64 {
        self.log.len() as u64
    }

    /// The number of the log up to there, if it goes so far.
    pub fn hash_at(&self, end: u64) -> Option<u64> {
        match end {
            0 => Some(0),
            _ => self.hashes.get(usize::try_from(end).ok()? - 1).copied(),
        }
    }

    fn note(&mut self, effect: Effect) {
        let last = self.hashes.last().copied().unwrap_or(0);
        let mixed = (last ^ effect.value.wrapping_mul(KEYS as u64 + 1) ^ effect.key as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.log.push(effect);
        self.hashes.push(mixed ^ (mixed >> 29));
    }

    /// One more effect.
    pub fn apply(&mut self, effect: Effect) {
        self.note(effect);
        self.state[effect.key] = (effect.value, self.end());
    }

    /// What the log says that the state should be.
    pub fn replayed(&self) -> [(Value, u64); KEYS] {
        let mut state = [(0, 0); KEYS];
        for (place, effect) in self.log.iter().enumerate() {
            state[effect.key] = (effect.value, place as u64 + 1);
        }
        state
    }
}

/// A copy of some keys' values, and the effects beside.
#[derive(Debug, Clone)]
pub struct Copied {
    /// The conversation.
    pub session: Session,
    /// What was asked for.
    pub kind: SyncKind,
    /// The keys that were.
    pub keys: [bool; KEYS],
    /// The sender's data when it made the copy.
    pub data: Data,
}

/// What a node sends to a node.
#[derive(Debug, Clone)]
pub enum Parcel {
    /// Between machines, with the effects of an append.
    Peer(Grant, Message, Vec<Effect>),
    /// A replica wants keys.
    Want {
        /// From whom.
        to: Grant,
        /// Who.
        from: Grant,
        /// In which conversation.
        session: Session,
        /// How.
        kind: SyncKind,
        /// Which.
        keys: [bool; KEYS],
    },
    /// A replica gets them.
    Copied(Grant, Box<Copied>),
}

/// What a node tells the metadata group.
#[derive(Debug, Clone)]
pub enum Report {
    /// A process begins a life.
    Register(u64),
    /// A process lives.
    Heartbeat(Grant),
    /// A process proposes.
    Propose(u64, Proposed),
    /// A replica suspects its primary.
    Suspect(Suspect),
    /// A member answers a fence.
    Fenced(Fenced),
}

/// What comes of a step, beside parcels.
#[derive(Debug, Clone)]
pub enum Effected {
    /// Send it to the node of that place.
    Send(usize, Parcel),
    /// Tell the metadata group.
    Tell(Report),
    /// Tell a client.
    Answer(Asker, Answer),
    /// The primary commits its log up to there.
    Committed(u64),
    /// A write of that key with that value is answered, at that place of the log.
    Acknowledged(usize, Value, u64),
    /// What is held was replaced or begun.
    Replaced,
    /// It leads.
    Leads,
    /// A copy is being made.
    Copies(SyncKind),
}

/// A write that waits for its commit.
#[derive(Debug, Clone, Copy)]
struct Write {
    asker: Asker,
    value: Value,
    key: usize,
    offset: u64,
}

/// A read whose value was taken.
#[derive(Debug, Clone, Copy)]
pub struct Read {
    /// Who asked.
    pub asker: Asker,
    value: Value,
    at: u64,
    /// Where the key was last written to.
    written: u64,
    epoch: u64,
}

/// A process.
#[derive(Debug)]
pub struct Process {
    /// Its number, higher than of any before.
    pub number: u64,
    /// The last view's index.
    pub view: u64,
    /// Its machine, when it is registered.
    pub member: Option<Member>,
    /// Its engine.
    pub data: Data,
    /// How many effects a stream to each place takes between two ticks.
    windows: [usize; NODES],
    /// How many effects it keeps for partial syncs.
    backlog: u64,
    streams: BTreeMap<Grant, (Session, u64)>,
    serves: BTreeMap<Grant, Session>,
    copying: Option<(Session, SyncKind, u64)>,
    written: [u64; KEYS],
    writes: VecDeque<Write>,
    reads: Vec<Read>,
    proposals: BTreeMap<u64, (Proposed, u64)>,
    outputs: Vec<Output>,
}

/// A place where processes run.
#[derive(Debug)]
pub struct Node {
    /// Its place.
    pub place: usize,
    /// Its clock.
    pub clock: Clock,
    /// Counts its processes.
    pub life: u64,
    /// Whether it is stopped.
    pub stopped: bool,
    /// Its process.
    pub process: Option<Process>,
}

impl Process {
    /// A process that has nothing and knows nothing.
    pub fn new(number: u64, windows: [usize; NODES], backlog: u64) -> Self {
        Self {
            number,
            view: 0,
            member: None,
            data: Data::default(),
            windows,
            backlog,
            streams: BTreeMap::new(),
            serves: BTreeMap::new(),
            copying: None,
            written: [0; KEYS],
            writes: VecDeque::new(),
            reads: Vec::new(),
            proposals: BTreeMap::new(),
            outputs: Vec::new(),
        }
    }

    /// A view arrives; the first that knows of this process begins its life.
    pub fn view(
        &mut self,
        place: usize,
        world_ms: u64,
        now: Time,
        view: &View,
        broken: Option<Broken>,
        done: &mut Vec<Effected>,
    ) {
        if view.index <= self.view {
            return;
        }
        self.view = view.index;
        if self.member.is_some() {
            return self.step(world_ms, now, Input::View(view.shard.clone()), &[], done);
        }
        if view.registered[place].process != self.number && !Broken::keeps_life(broken) {
            return;
        }
        let rules = Rules::without(Broken::of_machine(broken));
        let settings = Settings { min_insync: 1, rules, ..Settings::default() };
        let member = Member::new(now, view.grant(place), settings, view.shard.clone(), &mut self.outputs);
        self.member = Some(member);
        self.perform(world_ms, now, &[], done);
    }

    /// One step of the machine, and what it asks for.
    pub fn step(
        &mut self,
        world_ms: u64,
        now: Time,
        input: Input,
        effects: &[Effect],
        done: &mut Vec<Effected>,
    ) {
        let Some(member) = &mut self.member else { return };
        member.step(now, input, &mut self.outputs);
        self.perform(world_ms, now, effects, done);
    }

    /// The clock has moved on.
    pub fn tick(&mut self, world_ms: u64, now: Time, done: &mut Vec<Effected>) {
        self.step(world_ms, now, Input::Tick, &[], done);
        self.stream(now, done);
        if let Some((session, _, since)) = self.copying
            && world_ms >= since + COPY_MS
        {
            self.copying = None;
            self.step(world_ms, now, Input::LinkLost { session }, &[], done);
        }
        for (proposed, sent) in self.proposals.values_mut() {
            if world_ms >= *sent + PROPOSE_AGAIN_MS {
                *sent = world_ms;
                done.push(Effected::Tell(Report::Propose(self.number, proposed.clone())));
            }
        }
    }

    fn perform(&mut self, world_ms: u64, now: Time, effects: &[Effect], done: &mut Vec<Effected>) {
        let mut outputs = std::mem::take(&mut self.outputs);
        for output in outputs.drain(..) {
            self.perform_one(world_ms, now, output, effects, done);
        }
        self.outputs = outputs;
    }

    fn perform_one(
        &mut self,
        world_ms: u64,
        now: Time,
        output: Output,
        effects: &[Effect],
        done: &mut Vec<Effected>,
    ) {
        match output {
            Output::Send { to, message } => {
                done.push(send(to, Parcel::Peer(to, message, Vec::new())));
            }
            Output::Stream { to, session, from } => {
                self.streams.retain(|grant, _| grant.node != to.node);
                self.streams.insert(to, (session, from.0));
            }
            Output::Ping { to, session } => {
                let sent = self.streams.get(&to).filter(|(known, _)| *known == session).map_or(0, |s| s.1);
                let sent = ReplicationOffset(sent);
                let header = self.member.as_ref().and_then(|m| m.header(now, to, session, sent, sent));
                if let Some(append) = header {
                    done.push(send(to, Parcel::Peer(to, Message::Append(append), Vec::new())));
                }
            }
            Output::Serve { to, session } => {
                self.streams.retain(|grant, _| grant.node != to.node);
                self.serves.insert(to, session);
            }
            Output::Copy { session, kind } => {
                done.push(Effected::Copies(kind));
                self.copying = Some((session, kind, world_ms));
                self.want(session, kind, done);
            }
            Output::Apply { start, end } => {
                let count = usize::try_from(end.0 - start.0).expect("few effects");
                let missing = &effects[effects.len() - count..];
                missing.iter().for_each(|effect| self.data.apply(*effect));
            }
            Output::Became(role) => {
                self.streams.clear();
                self.serves.clear();
                self.proposals.clear();
                self.copying = None;
                self.written = [0; KEYS];
                let uncertain = self.writes.drain(..).map(|write| (write.asker, Answer::Uncertain));
                let refused = self.reads.drain(..).map(|read| (read.asker, Answer::Refused));
                done.extend(uncertain.chain(refused).map(|(asker, answer)| Effected::Answer(asker, answer)));
                match role {
                    Role::Primary => done.push(Effected::Leads),
                    Role::Replica => {}
                }
            }
            Output::Committed(offset) => {
                done.push(Effected::Committed(offset.0));
                let (ready, waiting) = self.reads.drain(..).partition(|read| read.written <= offset.0);
                self.reads = waiting;
                let ready: Vec<Read> = ready;
                done.extend(ready.iter().map(|r| Effected::Answer(r.asker, Answer::Value(r.value, r.at))));
            }
            Output::Released(offset) => {
                let held = self.writes.partition_point(|write| write.offset <= offset.0);
                for write in self.writes.drain(..held) {
                    done.push(Effected::Acknowledged(write.key, write.value, write.offset));
                    done.push(Effected::Answer(write.asker, Answer::Done));
                }
            }
            Output::Clear => self.data = Data::default(),
            // Writes are refused by the standing.
            Output::Pause | Output::Resume => {}
            Output::Suspect(suspect) => done.push(Effected::Tell(Report::Suspect(suspect))),
            Output::Fenced(fenced) => done.push(Effected::Tell(Report::Fenced(fenced))),
            Output::Propose(proposed) => {
                self.proposals.insert(proposed.number, (proposed.clone(), world_ms));
                done.push(Effected::Tell(Report::Propose(self.number, proposed)));
            }
        }
    }

    /// Asks the primary for keys: those that were written to beyond the divergence point, or all.
    fn want(&mut self, session: Session, kind: SyncKind, done: &mut Vec<Effected>) {
        let Some(member) = &self.member else { return };
        let (to, from) = (member.shard().primary, member.me());
        let mut keys = [false; KEYS];
        match kind {
            SyncKind::Partial => {}
            SyncKind::Slots { after } => {
                let after = usize::try_from(after.0).expect("below the end of a log");
                self.data.log.iter().skip(after).for_each(|effect| keys[effect.key] = true);
            }
            SyncKind::Full => keys = [true; KEYS],
        }
        done.push(send(to, Parcel::Want { to, from, session, kind, keys }));
    }

    /// A replica wants keys: it gets them as they are now, and then what follows.
    pub fn serve(
        &mut self,
        from: Grant,
        session: Session,
        kind: SyncKind,
        keys: [bool; KEYS],
        done: &mut Vec<Effected>,
    ) {
        if self.serves.get(&from) == Some(&session) {
            let copied = Copied { session, kind, keys, data: self.data.clone() };
            done.push(send(from, Parcel::Copied(from, Box::new(copied))));
            self.streams.retain(|grant, _| grant.node != from.node);
            self.streams.insert(from, (session, self.data.end()));
        }
    }

    /// The keys arrive.
    pub fn copied(&mut self, world_ms: u64, now: Time, copied: Copied, done: &mut Vec<Effected>) {
        let Copied { session, kind, keys, data } = copied;
        if self.copying.take_if(|(waits, wants, _)| (*waits, *wants) == (session, kind)).is_none() {
            return;
        }
        let after = match kind {
            SyncKind::Slots { after } => usize::try_from(after.0).expect("below the end of a log"),
            SyncKind::Partial | SyncKind::Full => 0,
        };
        let mut state = std::mem::take(&mut self.data.state);
        for (place, effect) in data.log.iter().enumerate().skip(after) {
            state[effect.key] = (effect.value, place as u64 + 1);
        }
        for key in (0..KEYS).filter(|key| keys[*key]) {
            state[key] = data.state[key];
        }
        self.data = Data { state, ..data };
        done.push(Effected::Replaced);
        let end = ReplicationOffset(self.data.end());
        self.step(world_ms, now, Input::Copied { session, end }, &[], done);
    }

    /// Sends the replicas what they have not been sent, as much as their connections take: a replica lags, and what a
    /// primary does when one does is seldom seen where none lags.
    fn stream(&mut self, now: Time, done: &mut Vec<Effected>) {
        let Some(member) = &self.member else { return };
        let (log, windows) = (&self.data.log, self.windows);
        self.streams.retain(|to, (session, sent)| {
            let start = usize::try_from(*sent).expect("in memory");
            let end = log.len().min(start + windows[place_of(to.node)]);
            let (from, until) = (ReplicationOffset(*sent), ReplicationOffset(end as u64));
            let Some(append) = member.header(now, *to, *session, from, until) else { return false };
            if start < end {
                let effects = log[start..end].to_vec();
                done.push(send(*to, Parcel::Peer(*to, Message::Append(append), effects)));
            }
            *sent = until.0;
            true
        });
    }

    /// A message of another machine.
    pub fn message(
        &mut self,
        world_ms: u64,
        now: Time,
        message: Message,
        effects: &[Effect],
        done: &mut Vec<Effected>,
    ) {
        // What was sent beyond the append's range by a sender that lies would be the driver's to refuse.
        if let Message::Append(Append { start, end, .. }) = &message {
            assert_eq!(effects.len() as u64, end.0 - start.0, "an append has its effects");
        }
        self.step(world_ms, now, Input::Message(message), effects, done);
    }

    /// The metadata group has decided.
    pub fn decided(
        &mut self,
        world_ms: u64,
        now: Time,
        number: u64,
        outcome: Outcome,
        done: &mut Vec<Effected>,
    ) {
        if self.proposals.remove(&number).is_some() {
            self.step(world_ms, now, Input::Decided { number, outcome }, &[], done);
        }
    }

    /// A client asks. A read's answer is checked a little later, as a thread of a server would.
    pub fn ask(
        &mut self,
        world_ms: u64,
        now: Time,
        asker: Asker,
        key: usize,
        ask: Ask,
        done: &mut Vec<Effected>,
    ) -> Option<Read> {
        let standing = self.member.as_ref().and_then(Member::standing).filter(|standing| standing.serving);
        let Some(standing) = standing else {
            done.push(Effected::Answer(asker, Answer::Refused));
            return None;
        };
        match ask {
            Ask::Read => {
                let (value, at) = self.data.state[key];
                Some(Read { asker, value, at, written: self.written[key], epoch: standing.epoch.0 })
            }
            Ask::Write(_) if standing.paused || (key == ASYNC_KEY && now >= standing.async_until) => {
                done.push(Effected::Answer(asker, Answer::Refused));
                None
            }
            Ask::Write(value) => {
                self.data.apply(Effect { key, value });
                let offset = self.data.end();
                self.written[key] = offset;
                match key == ASYNC_KEY {
                    true => {
                        done.push(Effected::Acknowledged(key, value, offset));
                        done.push(Effected::Answer(asker, Answer::Done));
                    }
                    false => self.writes.push_back(Write { asker, value, key, offset }),
                }
                let backlog_start = ReplicationOffset(offset.saturating_sub(self.backlog));
                let input = Input::Log { end: ReplicationOffset(offset), backlog_start };
                self.step(world_ms, now, input, &[], done);
                None
            }
        }
    }

    /// A read whose value was taken a moment ago is answered, if it was good then.
    pub fn finish(&mut self, now: Time, read: Read, broken: Option<Broken>, done: &mut Vec<Effected>) {
        let standing = self.member.as_ref().and_then(Member::standing);
        let good = standing.is_some_and(|standing| {
            standing.serving && standing.epoch.0 == read.epoch && now < standing.lease_until
        });
        let commit = standing.map_or(0, |standing| standing.commit.0);
        match good {
            false => done.push(Effected::Answer(read.asker, Answer::Refused)),
            true if read.written <= commit || broken == Some(Broken::DirtyReads) => {
                done.push(Effected::Answer(read.asker, Answer::Value(read.value, read.at)));
            }
            true => self.reads.push(read),
        }
    }
}

fn send(to: Grant, parcel: Parcel) -> Effected {
    Effected::Send(place_of(to.node), parcel)
}
