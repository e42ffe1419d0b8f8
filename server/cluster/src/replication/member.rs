//! A node's part in a shard: which role it has, and what stays with it when the role changes.
//!
//! The metadata's word decides the role. Whoever it names as primary, by this very life, leads; everybody else follows.
//! The log, the commit offset, the fence and the promise belong to the node and outlast a role: a primary that is
//! deposed follows with the log that it has, and a replica that is promoted waits until its own promise to the one
//! before it is over.
//!
//! Nothing is forgotten while the process lives, and all of it when it ends; so a new process begins as a new life with
//! [`Member::new`], after it has registered and learned the shard's epoch (R8).
//!
//! Invariants: the epoch of the view rises, the fence is not below it, the commit offset does not fall while a history
//! lasts. Inputs that do not fit the role are late and change nothing.
//!
//! Neighbours: `primary` and `replica` are the roles; a driver performs the outputs in their order.

use nuthatch_proto::ids::{Epoch, NodeId, ReplicationOffset};

use super::message::{Append, Fence, Fenced, Hello, Message, Proposed, Session, Suspect, Sync, SyncKind};
use super::mutation::Rules;
use super::position::{History, Log};
use super::primary::{Primary, Standing};
use super::replica::Replica;
use super::timing::{Promise, Time, Timings};
use crate::topology::{Grant, Shard};

/// What a member is told about its surroundings.
#[derive(Debug, Default, Clone, Copy)]
pub struct Settings {
    /// How long things take.
    pub timings: Timings,
    /// How many members must hold a write before an `insync` write is answered, the primary included.
    pub min_insync: usize,
    /// What tests break.
    pub rules: Rules,
}

/// What became of a proposal, when the metadata group has decided it. Silence, a lost connection or a new leader decide
/// nothing: then the same proposal goes on under the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was applied; a view that shows it is on its way.
    Applied,
    /// It was refused, and will not be applied however long one waits.
    Refused,
}

/// What happens to a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Time has passed: every 10 ms or so.
    Tick,
    /// The metadata's word, newer than the one before or not.
    View(Shard),
    /// To a primary: its log ends there now, and holds the effects from `backlog_start` on.
    Log {
        /// The end.
        end: ReplicationOffset,
        /// Where the oldest effect that is kept begins.
        backlog_start: ReplicationOffset,
    },
    /// From a replica or a primary.
    Message(Message),
    /// To a replica: the copy that was asked for is whole, and is the primary's log up to there.
    Copied {
        /// The conversation that it belongs to.
        session: Session,
        /// Where it ends.
        end: ReplicationOffset,
    },
    /// To a replica: the connection to the primary is gone, or a copy came to nothing.
    LinkLost {
        /// The conversation that it belongs to.
        session: Session,
    },
    /// From the metadata leader.
    Fence(Fence),
    /// A proposal is decided.
    Decided {
        /// Its number.
        number: u64,
        /// The decision.
        outcome: Outcome,
    },
    /// To a primary: let another member take over, any if none is named.
    HandOver {
        /// Who.
        to: Option<NodeId>,
    },
    /// The cluster's setting has changed.
    MinInsync(usize),
}

/// Which part a member has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// It serves, or will when its log is on the whole in-sync set.
    Primary,
    /// It follows.
    Replica,
}

/// What a driver is to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send to that life, or drop it.
    Send {
        /// To whom.
        to: Grant,
        /// What.
        message: Message,
    },
    /// Send that replica the effects from there on, as they are appended.
    Stream {
        /// To whom.
        to: Grant,
        /// The conversation.
        session: Session,
        /// From where.
        from: ReplicationOffset,
    },
    /// Send that replica what it has not been sent, or nothing, behind what [`Member::header`] says: from where the last
    /// effects ended, in order with them. So what was lost before shows as a gap.
    Ping {
        /// To whom.
        to: Grant,
        /// The conversation.
        session: Session,
    },
    /// Have that replica's copies made as it asks for them, then stream from where they end.
    Serve {
        /// To whom.
        to: Grant,
        /// The conversation.
        session: Session,
    },
    /// Fetch slots from the primary; what is held counts for nothing until it is whole. [`Input::Copied`] ends it.
    Copy {
        /// The conversation.
        session: Session,
        /// Which slots.
        kind: SyncKind,
    },
    /// Apply the effects of the append, from `start` on, before the answer that follows is sent.
    Apply {
        /// Where what is held ends.
        start: ReplicationOffset,
        /// Where the effects end.
        end: ReplicationOffset,
    },
    /// Drop all that is held: the shard begins from nothing.
    Clear,
    /// The role has changed. Who stops being primary answers all writes that wait with `-UNCERTAIN`; who becomes it
    /// appends from the log's end on, but serves only when its [`Standing`] says so.
    Became(Role),
    /// Every member of the in-sync set holds the log up to there: reads that waited for it may be answered.
    Committed(ReplicationOffset),
    /// And there were enough of them: `insync` writes up to there may be answered.
    Released(ReplicationOffset),
    /// Take no more writes: another member is about to take over.
    Pause,
    /// It did not come to that: take writes again.
    Resume,
    /// To the metadata leader.
    Suspect(Suspect),
    /// To the metadata leader.
    Fenced(Fenced),
    /// To the metadata group, until it is decided.
    Propose(Proposed),
}

/// What a node has of a shard whatever its role is.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) me: Grant,
    pub(super) settings: Settings,
    pub(super) shard: Shard,
    pub(super) log: Log,
    pub(super) commit: ReplicationOffset,
    /// It follows nobody of an epoch below.
    pub(super) fence: Epoch,
    pub(super) promise: Promise,
    /// Its last conversation as a replica.
    pub(super) session: Session,
    /// Its last proposal.
    pub(super) proposals: u64,
}

impl Own {
    pub(super) fn timings(&self) -> &Timings {
        &self.settings.timings
    }

    pub(super) fn has_member(&self, node: NodeId) -> bool {
        self.shard.members().any(|member| member == node)
    }

    pub(super) fn rules(&self) -> Rules {
        self.settings.rules
    }
}

#[derive(Debug)]
enum Part {
    Primary(Primary),
    Replica(Replica),
}

/// A life's part in a shard.
#[derive(Debug)]
pub struct Member {
    own: Own,
    part: Part,
}

impl Member {
    /// The member that a registered process begins as, with the first view that knows of its registration.
    pub fn new(now: Time, me: Grant, settings: Settings, shard: Shard, out: &mut Vec<Output>) -> Self {
        let own = Own {
            me,
            settings,
            fence: shard.epoch,
            shard,
            log: Log::blank(),
            commit: ReplicationOffset(0),
            promise: Promise::default(),
            session: Session(0),
            proposals: 0,
        };
        let mut member = Self { own, part: Part::Replica(Replica::new(now)) };
        member.take_part(now, out);
        member
    }

    /// One step. Outputs are added to `out`, which a driver empties and hands in again.
    pub fn step(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::View(shard) => self.view(now, shard, out),
            Input::MinInsync(members) => {
                self.own.settings.min_insync = members;
                self.input(now, Input::Tick, out);
            }
            Input::Tick
            | Input::Log { .. }
            | Input::Message(_)
            | Input::Copied { .. }
            | Input::LinkLost { .. }
            | Input::Fence(_)
            | Input::Decided { .. }
            | Input::HandOver { .. } => self.input(now, input, out),
        }
    }

    fn input(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        let own = &mut self.own;
        match (&mut self.part, input) {
            (Part::Primary(part), Input::Tick) => part.tick(own, now, out),
            (Part::Primary(part), Input::Log { end, backlog_start }) => {
                part.appended(own, now, end, backlog_start, out);
            }
            (Part::Primary(part), Input::Message(Message::Hello(hello))) => part.hello(own, now, hello, out),
            (Part::Primary(part), Input::Message(Message::Ack(ack))) => part.ack(own, now, ack, out),
            (Part::Primary(part), Input::Decided { number, outcome }) => {
                part.decided(own, now, number, outcome, out);
            }
            (Part::Primary(part), Input::HandOver { to }) => part.hand_over(own, now, to, out),
            (Part::Replica(part), Input::Tick) => part.tick(own, now, out),
            (Part::Replica(part), Input::Message(Message::Sync(sync))) => part.sync(own, now, sync, out),
            (Part::Replica(part), Input::Message(Message::Append(append))) => {
                part.append(own, now, append, out);
            }
            (Part::Replica(part), Input::Copied { session, end }) => part.copied(own, now, session, end, out),
            (Part::Replica(part), Input::LinkLost { session }) => part.link_lost(own, now, session, out),
            (Part::Replica(part), Input::Fence(fence)) => part.fence(own, now, fence, out),
            (_, Input::View(_) | Input::MinInsync(_)) => unreachable!("`step` keeps them"),
            // They are for the role that this member had, or is about to have.
            (
                Part::Primary(_),
                Input::Message(Message::Sync(_) | Message::Append(_))
                | Input::Copied { .. }
                | Input::LinkLost { .. }
                | Input::Fence(_),
            )
            | (
                Part::Replica(_),
                Input::Message(Message::Hello(_) | Message::Ack(_))
                | Input::Log { .. }
                | Input::Decided { .. }
                | Input::HandOver { .. },
            ) => {}
        }
    }

    fn view(&mut self, now: Time, shard: Shard, out: &mut Vec<Output>) {
        let version = |shard: &Shard| (shard.epoch, shard.isr_version);
        let (known, new) = (version(&self.own.shard), version(&shard));
        if new < known {
            return;
        }
        self.own.shard = shard;
        if new.0 > known.0 {
            self.own.fence = self.own.fence.max(new.0);
            self.take_part(now, out);
            return;
        }
        match &mut self.part {
            Part::Primary(part) => part.view(&mut self.own, now, out),
            Part::Replica(part) => part.view(&mut self.own),
        }
    }

    /// Begins the epoch of the view in the part that it gives.
    fn take_part(&mut self, now: Time, out: &mut Vec<Output>) {
        // R1: a grant is to a life, and a process that came back is another.
        if self.own.shard.primary == self.own.me {
            if self.own.log.history() != Some(History(self.own.shard.history)) {
                self.own.commit = ReplicationOffset(0);
                out.push(Output::Clear);
            }
            out.push(Output::Became(Role::Primary));
            self.part = Part::Primary(Primary::new(&mut self.own, now));
        } else {
            if self.role() == Role::Primary {
                out.push(Output::Became(Role::Replica));
            }
            self.part = Part::Replica(Replica::new(now));
        }
        self.input(now, Input::Tick, out);
    }

    /// Its life.
    pub fn me(&self) -> Grant {
        self.own.me
    }

    /// Its role.
    pub fn role(&self) -> Role {
        match self.part {
            Part::Primary(_) => Role::Primary,
            Part::Replica(_) => Role::Replica,
        }
    }

    /// The metadata's word as it knows it.
    pub fn shard(&self) -> &Shard {
        &self.own.shard
    }

    /// What it holds.
    pub fn log(&self) -> &Log {
        &self.own.log
    }

    /// Up to where it knows the log to be committed.
    pub fn commit(&self) -> ReplicationOffset {
        self.own.commit
    }

    /// The epoch below which it follows nobody.
    pub fn fence(&self) -> Epoch {
        self.own.fence
    }

    /// What a primary may serve; none for a replica.
    pub fn standing(&self) -> Option<Standing> {
        match &self.part {
            Part::Primary(part) => Some(part.standing(&self.own)),
            Part::Replica(_) => None,
        }
    }

    /// What goes before the effects from `start` to `end` that a primary sends to a replica in that conversation; none
    /// if the replica is not to have them by it.
    pub fn header(
        &self,
        now: Time,
        to: Grant,
        session: Session,
        start: ReplicationOffset,
        end: ReplicationOffset,
    ) -> Option<Append> {
        match &self.part {
            Part::Primary(part) => part.header(&self.own, now, to, session, start, end),
            Part::Replica(_) => None,
        }
    }

    /// How many replicas hold a primary's log up to there, for WAIT.
    pub fn replicas_at(&self, offset: ReplicationOffset) -> usize {
        match &self.part {
            Part::Primary(part) => part.replicas_at(offset),
            Part::Replica(_) => 0,
        }
    }

    /// Milliseconds since a replica last heard from its primary that the primary hears it; none for a primary.
    pub fn silence_ms(&self, now: Time) -> Option<u64> {
        match &self.part {
            Part::Primary(_) => None,
            Part::Replica(part) => Some(part.silence_ms(now)),
        }
    }
}

/// A greeting that begins the next conversation.
pub(super) fn greeting(own: &mut Own) -> Hello {
    own.session = Session(own.session.0.saturating_add(1));
    Hello { member: own.me, session: own.session, epoch: own.shard.epoch, log: own.log.clone() }
}

/// Whether what a primary says of its log can be so.
pub(super) fn is_sound(own: &Own, sync: &Sync) -> bool {
    sync.log.history() == Some(History(own.shard.history))
        && sync.log.position().is_some_and(|position| position.epoch <= sync.epoch)
}
