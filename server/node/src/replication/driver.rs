//! The thread that owns this node's member of its shard, and performs what the machine says.
//!
//! The thread has a small runtime of its own with tasks that never run at the same time: the loop here, a task for each
//! conversation with a replica ([`serve`](super::serve)), and one for the link to the primary ([`link`](super::link)). They
//! share the [`Core`], which is borrowed between two awaits and never across one.
//!
//! The machine is made anew when this node becomes another life, or comes into another shard. What the engine is (the data,
//! or a copy that only records change) follows its role: the change is made while nobody runs a command, and only then may
//! the gates of the shard's slots be opened (`Replication::is_ready`).
//!
//! Invariants: outputs are performed in their order, before the next input; a replica's records are applied before they are
//! acknowledged; a copy that a record does not fit ends the process, because nothing of it can be trusted and only a new
//! life says so to all.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use nuthatch_cluster::replication::message::{Fenced, Message, Proposed};
use nuthatch_cluster::replication::timing::Time;
use nuthatch_cluster::replication::{FailoverInput, Input, Member, Outcome, Output, Role, Settings};
use nuthatch_cluster::topology::{Grant, GroupId, Outcome as Verdict, Shard};
use nuthatch_engine::{Context, Engine, NoEffects, Rng, Seat, Stats};
use nuthatch_proto::ids::{ReplicationOffset, ShardId};
use nuthatch_proto::slot::Slot;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::failover::{self, Failovers};
use super::link::Link;
use super::serve::Conversation;
use super::{Event, ReplicaReport, Report};
use crate::clock;
use crate::driver::shared::{Event as MetadataEvent, Shared, View};
use crate::feed::Feed;

/// How often the machine is told of the time.
const TICK: Duration = Duration::from_millis(10);

/// How many events are taken before the others have their turn.
const EVENTS_PER_TURN: usize = 64;

/// Which member a machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) group: GroupId,
    pub(super) shard: ShardId,
    pub(super) me: Grant,
}

/// What the tasks share.
pub(super) struct Core {
    pub(super) shared: Arc<Shared>,
    pub(super) engine: Arc<Engine>,
    pub(super) feed: Arc<Feed>,
    pub(super) seat: Seat,
    pub(super) member: Option<(Place, Member)>,
    /// The view that the machine was last told.
    told: Option<Shard>,
    /// The engine holds a copy of some shard's data, or did.
    copied: bool,
    pub(super) link: Option<Link>,
    pub(super) conversations: HashMap<Grant, Conversation>,
    /// Tells the conversations that there may be more to do.
    pub(super) stirred: watch::Sender<()>,
    /// The records of the append that is being taken, and where they begin.
    pub(super) records: (ReplicationOffset, Vec<u8>),
    /// What the machine has just answered to a fence.
    fenced: Option<Fenced>,
    /// The metadata leader's part.
    pub(super) failovers: Failovers,
    /// The metadata thread must hear that gates may be opened.
    untold: bool,
    out: Vec<Output>,
}

/// The tasks' way to it.
pub(super) type Shares = Rc<RefCell<Core>>;

/// Starts the thread.
pub(crate) fn start(
    shared: Arc<Shared>,
    engine: Arc<Engine>,
    feed: Arc<Feed>,
    events: mpsc::Receiver<Event>,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("nuthatch-copies".to_owned()).spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => runtime.block_on(run(shared, engine, feed, events)),
            // A node that copies nothing and says so is better than one that seems to.
            Err(error) => {
                tracing::error!("the node stops: its thread for replication cannot start: {error}");
                std::process::exit(1);
            }
        }
    })
}

async fn run(shared: Arc<Shared>, engine: Arc<Engine>, feed: Arc<Feed>, mut events: mpsc::Receiver<Event>) {
    let mut views = shared.subscribe();
    let replication = Arc::clone(&shared.replication);
    let core = Core {
        seat: engine.seat(),
        engine,
        feed: Arc::clone(&feed),
        member: None,
        told: None,
        copied: false,
        link: None,
        conversations: HashMap::new(),
        stirred: watch::Sender::new(()),
        records: Default::default(),
        fenced: None,
        failovers: Failovers::default(),
        untold: false,
        out: Vec::new(),
        shared,
    };
    let core = Rc::new(RefCell::new(core));
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    see(&core);
    loop {
        tokio::select! {
            _ = ticks.tick() => tick(&core),
            changed = views.changed() => match changed {
                Ok(()) => see(&core),
                Err(_) => return,
            },
            () = feed.log.grown() => grown(&core),
            () = replication.stopped() => return,
            event = events.recv() => {
                let Some(event) = event else { return };
                let mut next = Some(event);
                for _ in 0..EVENTS_PER_TURN {
                    match next {
                        Some(event) => hear(&core, event),
                        None => break,
                    }
                    next = events.try_recv().ok();
                }
                if let Some(event) = next {
                    hear(&core, event);
                }
            }
        }
        publish(&core);
        // The conversations are tasks of the same thread.
        tokio::task::yield_now().await;
    }
}

pub(super) fn now() -> Time {
    Time(clock::lease())
}

/// One step of the machine.
pub(super) fn step(core: &Shares, input: Input) {
    let mut out = {
        let core = &mut *core.borrow_mut();
        let mut out = std::mem::take(&mut core.out);
        if let Some((_, member)) = &mut core.member {
            member.step(now(), input, &mut out);
        }
        out
    };
    perform(core, &mut out);
    core.borrow_mut().out = out;
}

fn perform(core: &Shares, out: &mut Vec<Output>) {
    for output in out.drain(..) {
        match output {
            Output::Send { to, message: Message::Hello(hello) } => Link::dial(core, to, hello),
            Output::Send { message: Message::Ack(ack), .. } => core.borrow_mut().acknowledge(&ack),
            Output::Send { to, message: Message::Sync(sync) } => core.borrow_mut().answer(to, &sync),
            // The conversations send them, with their records.
            Output::Send { message: Message::Append(_), .. } => {}
            Output::Ping { to, session } => core.borrow_mut().ping(to, session),
            Output::Stream { to, session, from } => Conversation::stream(core, to, session, from),
            Output::Serve { to, session } => Conversation::serve(core, to, session),
            Output::Copy { session, kind } => core.borrow_mut().begin_copy(session, kind),
            Output::Apply { start, end } => core.borrow_mut().apply(start, end),
            Output::Clear => core.borrow_mut().clear(),
            Output::Became(role) => core.borrow_mut().become_(role),
            Output::Propose(proposed) => propose(core, proposed),
            // Nobody waits for a commit yet, and nobody asks for a switch.
            Output::Committed(_) | Output::Released(_) | Output::Pause | Output::Resume => {}
            Output::Suspect(suspect) => {
                let core = core.borrow();
                if let Some((place, _)) = &core.member {
                    tracing::debug!("the primary has not heard this node for {} ms", suspect.silence_ms);
                    let told = failover::suspect(Arc::clone(&core.shared), place.shard, suspect);
                    core.shared.runtime.spawn(told);
                }
            }
            Output::Fenced(fenced) => core.borrow_mut().fenced = Some(fenced),
        }
    }
}

fn hear(core: &Shares, event: Event) {
    match event {
        Event::Greeted { group, shard, hello, out } => {
            let ours = core.borrow().member.as_ref().map(|(place, _)| (place.group, place.shard));
            if ours == Some((group, shard)) {
                core.borrow_mut().converse(hello.member, hello.session, out);
                step(core, Input::Message(Message::Hello(hello)));
                core.borrow_mut().end_if_idle();
            }
        }
        Event::Acked(ack) => {
            core.borrow_mut().note_ack(&ack);
            step(core, Input::Message(Message::Ack(ack)));
        }
        Event::Wanted(member, session, slots) => core.borrow_mut().want(member, session, slots),
        Event::Left(member, session) => core.borrow_mut().leave(member, session),
        Event::Decided(number, outcome) => step(core, Input::Decided { number, outcome }),
        Event::Fence(shard, fence, answer) => {
            core.borrow_mut().fenced = None;
            if core.borrow().member.as_ref().is_some_and(|(place, _)| place.shard == shard) {
                step(core, Input::Fence(fence));
            }
            let fenced = core.borrow_mut().fenced.take().filter(|fenced| fenced.epoch == fence.epoch);
            let _ = answer.send(fenced.map(|fenced| fenced.answer));
        }
        Event::Fenced(shard, fenced) => failover::step(core, shard, FailoverInput::Fenced(fenced)),
        Event::Suspected(shard, suspect) => failover::step(core, shard, FailoverInput::Suspect(suspect)),
        Event::Heard(node) => failover::heard(core, node),
        Event::PromotionDecided(shard, number, outcome) => {
            failover::step(core, shard, FailoverInput::Decided { number, outcome });
        }
    }
}

/// Tells the machine where the log ends.
fn grown(core: &Shares) {
    let (backlog_start, end) = core.borrow().feed.log.span();
    step(core, Input::Log { end, backlog_start });
    core.borrow().stirred.send_replace(());
}

fn tick(core: &Shares) {
    // Whatever was appended is in the machine's log before it looks at the time.
    grown(core);
    step(core, Input::Tick);
    failover::tick(core);
}

/// Takes the newest topology in.
fn see(core: &Shares) {
    let view = core.borrow().shared.view();
    failover::see(core, &view);
    let Some((place, shard)) = place_in(&view) else {
        core.borrow_mut().withdraw();
        return;
    };
    core.borrow_mut().set_capacity();
    if core.borrow().member.as_ref().is_none_or(|(known, _)| *known != place) {
        let mut out = {
            let core = &mut *core.borrow_mut();
            core.withdraw();
            let mut out = std::mem::take(&mut core.out);
            if shard.primary != place.me {
                core.become_(Role::Replica);
            }
            let member = Member::new(now(), place.me, Settings::default(), shard.clone(), &mut out);
            core.member = Some((place, member));
            out
        };
        perform(core, &mut out);
        core.borrow_mut().out = out;
    } else if core.borrow().told.as_ref() != Some(&shard) {
        step(core, Input::View(shard.clone()));
    }
    let mut core = core.borrow_mut();
    if shard.primary == place.me && !shard.replicas.is_empty() {
        core.feed.keep_log(true);
    }
    core.told = Some(shard);
}

/// This node's member in that view.
fn place_in(view: &View) -> Option<(Place, Shard)> {
    let me = view.standing.grant()?;
    let shard = view.topology.shard_of(view.me)?;
    Some((Place { group: view.topology.group(), shard: shard.id, me }, shard.clone()))
}

/// Has the metadata group decide a change of the in-sync set.
fn propose(core: &Shares, proposed: Proposed) {
    let core = core.borrow();
    let Some((place, _)) = &core.member else { return };
    let (shared, shard) = (Arc::clone(&core.shared), place.shard);
    core.shared.runtime.spawn(async move {
        let Proposed { number, change } = proposed;
        let outcome = outcome_of(shared.decide_change(change.of_shard(shard)).await);
        shared.replication.tell(Event::Decided(number, outcome)).await;
    });
}

/// What the group's word is to the machines.
pub(super) fn outcome_of(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Applied(_) => Outcome::Applied,
        Verdict::Rejected { error, .. } => {
            tracing::debug!("a change of a shard was refused: {error}");
            Outcome::Refused
        }
    }
}

/// Says how things stand, to those who look and to the metadata thread.
fn publish(core: &Shares) {
    let core = &mut *core.borrow_mut();
    let replication = &core.shared.replication;
    let Some((_, member)) = &core.member else { return };
    let ready = match member.standing() {
        Some(standing) => standing.serving && !core.engine.is_passive(),
        None => core.engine.is_passive(),
    };
    core.untold |= replication.set_ready(ready.then_some(member.shard().epoch)) && ready;
    if core.untold && core.shared.tell(MetadataEvent::PartTaken).is_ok() {
        core.untold = false;
    }
    let writes_on = core.shared.rules().writes_when_cut_off;
    let writable_until = member.standing().filter(|_| !writes_on).map_or(Time::NEVER, |own| own.async_until);
    replication.writable_until.store(writable_until.0, Ordering::Relaxed);
    let (linked, copying, heard) = match &core.link {
        Some(link) => (link.is_whole(), link.is_copying(), link.heard()),
        None => (false, false, 0),
    };
    let max_lag = core.shared.rules().replica_max_lag;
    let until = match max_lag {
        0 if linked => u64::MAX,
        _ if linked => heard.saturating_add(max_lag),
        _ => 0,
    };
    replication.readable_until.store(until, Ordering::Relaxed);
    let reports = core.conversations.iter().filter_map(|(member, conversation)| {
        let (online, acked, heard) = conversation.standing()?;
        Some(ReplicaReport { node: member.node, online, acked, heard })
    });
    let mut report = replication.report.lock();
    let mut replicas = std::mem::take(&mut report.replicas);
    replicas.clear();
    replicas.extend(reports);
    replicas.sort_unstable_by_key(|replica| replica.node);
    let (role, offset) = (Some(member.role()), core.feed.log.end());
    *report = Report { role, offset, linked, copying, heard, replicas };
}

impl Core {
    /// This node is no member of any shard, or of another one.
    fn withdraw(&mut self) {
        self.member = None;
        self.told = None;
        self.link = None;
        self.conversations.clear();
        self.shared.replication.set_ready(None);
        *self.shared.replication.report.lock() = Report::default();
    }

    fn set_capacity(&self) {
        let wanted = self.shared.rules().backlog;
        if self.feed.log.capacity() != wanted {
            self.feed.log.set_capacity(wanted);
        }
    }

    fn become_(&mut self, role: Role) {
        match role {
            Role::Primary => {
                self.link = None;
                // Who has always been alone keeps none before the first replica comes.
                self.feed.keep_log(self.copied);
                if self.engine.is_passive() {
                    self.engine.stand_still(|| self.engine.set_passive(false));
                }
            }
            Role::Replica => {
                self.conversations.clear();
                self.copied = true;
                self.engine.stand_still(|| self.engine.set_passive(true));
                self.feed.keep_log(false);
            }
        }
    }

    /// The shard begins from nothing.
    fn clear(&mut self) {
        self.feed.log.restart(ReplicationOffset(0));
        if std::mem::take(&mut self.copied) {
            let (mut stats, mut rng) = (Stats::default(), Rng::new(0));
            let cx = Context::new(clock::now(), &NoEffects, &mut stats, &mut rng);
            for slot in Slot::all() {
                let _turn = self.seat.turn();
                self.engine.clear_slot(&cx, slot);
            }
        }
    }

    /// Applies records of the append that is being taken.
    fn apply(&mut self, start: ReplicationOffset, end: ReplicationOffset) {
        let (from, records) = &self.records;
        let at = |offset: ReplicationOffset| {
            usize::try_from(offset.0.saturating_sub(from.0)).unwrap_or(usize::MAX)
        };
        let records = records.get(at(start)..at(end)).unwrap_or_default();
        let (mut stats, mut rng) = (Stats::default(), Rng::new(0));
        let mut cx = Context::new(clock::now(), &NoEffects, &mut stats, &mut rng);
        let applied = {
            let _turn = self.seat.turn();
            self.engine.apply(&mut cx, records)
        };
        if applied.as_ref().ok() != Some(&records.len()) || self.feed.log.end() != start {
            give_up(&format!("what came from {start} to {end} was not applied: {applied:?}"));
        }
        self.feed.log.extend(records);
    }
}

/// Ends the process: its copy is none.
pub(super) fn give_up(why: &str) -> ! {
    tracing::error!(
        "the node stops: its copy of the shard has gone astray; started again it takes a new one: {why}"
    );
    std::process::exit(1);
}
