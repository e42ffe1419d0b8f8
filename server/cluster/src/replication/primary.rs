//! The primary's rules: when it serves, what is committed, who is in sync, and how it makes way.
//!
//! - R7: it serves when its whole log is on its in-sync set, and its own promise to the primary before is over.
//! - R2: the commit offset is the least that any required member acknowledged in this epoch. Required are the members of
//!   the in-sync set, and from the moment of the proposal the one that is about to join it.
//! - R3: who is about to leave is required until the removal is seen committed. One proposal is open at a time: each
//!   names the version of the set that it changes, so a second one would be refused anyway.
//! - R6: reads are good until the lease ends: the least time at which a required member's promise was sent for, and `L`.
//!   Without any required member there is nobody else who could be elected, and so no end.
//! - An `async` write is taken as long as every required member held, less than `L` ago, all that was there then. What a
//!   failover loses is younger than that.
//! - A member of the in-sync set that cannot go on from where it is starts anew, and holds nothing meanwhile: it is
//!   taken out of the set first, and greets again.
//!
//! One pass over the members makes each step. Neighbours: `peers` what is known of each member, `handover` the planned
//! switch; `member` gives the role.

mod handover;
mod peers;

use nuthatch_proto::ids::{Epoch, NodeId, ReplicationOffset};

use super::member::{Outcome, Output, Own};
use super::message::{Ack, Append, Change, Hello, Message, Pledge, Proposed, Session, Sync, SyncKind};
use super::mutation::Mutation;
use super::position::{History, Log};
use super::timing::{Marks, Time};
use crate::topology::{Grant, ShardState};
use handover::Handover;
use peers::{Peer, Peers, Stage};

/// What a primary may do, for the path of every command: a driver publishes it after each step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its epoch.
    pub epoch: Epoch,
    /// Whether it serves at all.
    pub serving: bool,
    /// Until when reads are good. It is looked at after the value was read, never before.
    pub lease_until: Time,
    /// Until when `async` writes are taken, unless they are to be taken always.
    pub async_until: Time,
    /// What of the log is on the whole in-sync set. A read of a slot that was written to beyond waits for it.
    pub commit: ReplicationOffset,
    /// Up to where `insync` writes are answered.
    pub released: ReplicationOffset,
    /// How many members are in sync. With fewer than `min_insync` an `insync` write is refused before it runs.
    pub in_sync: usize,
    /// Whether writes are to be held back because another member is about to take over.
    pub paused: bool,
}

/// A proposal that is not decided, or not seen decided.
#[derive(Debug)]
struct Pending {
    number: u64,
    change: Change,
}

/// The part of a primary in one epoch.
#[derive(Debug)]
pub(super) struct Primary {
    peers: Peers,
    pending: Option<Pending>,
    /// No proposal before: the last was refused, and the view that says why is on its way.
    propose_after: Time,
    backlog_start: ReplicationOffset,
    /// The log's end when the epoch began.
    barrier: ReplicationOffset,
    /// When its promise to the primary before ends.
    not_before: Time,
    serving: bool,
    released: ReplicationOffset,
    marks: Marks,
    pinged: Option<Time>,
    /// Promises sent for up to here do not count: it has resigned since.
    lease_from: Option<Time>,
    handover: Option<Handover>,
}

impl Primary {
    pub(super) fn new(own: &mut Own, now: Time) -> Self {
        own.log.open(own.shard.epoch, History(own.shard.history));
        let mut primary = Self {
            peers: Peers::default(),
            pending: None,
            propose_after: now,
            backlog_start: ReplicationOffset(0),
            barrier: own.log.end(),
            not_before: own.promise.until(),
            serving: false,
            released: ReplicationOffset(0),
            marks: Marks::default(),
            pinged: None,
            lease_from: None,
            handover: None,
        };
        if own.rules().broken(Mutation::IgnorePromise) {
            primary.not_before = now;
        }
        primary.review(own, now);
        primary
    }

    pub(super) fn standing(&self, own: &Own) -> Standing {
        let lease_ms = own.timings().lease_ms;
        let lease_until = match own.rules().broken(Mutation::LeaseByIsr) {
            true => Time::NEVER,
            false => self.peers.promised().map_or(Time(0), |sent| sent.after(lease_ms)),
        };
        let covered_until = self.peers.covered().map_or(Time(0), |sent| sent.after(lease_ms));
        Standing {
            epoch: own.shard.epoch,
            serving: self.serving && !self.has_resigned() && own.shard.state == ShardState::Active,
            lease_until,
            async_until: lease_until.min(covered_until),
            commit: own.commit,
            released: self.released,
            in_sync: own.shard.isr.len(),
            paused: self.handover.is_some(),
        }
    }

    pub(super) fn replicas_at(&self, offset: ReplicationOffset) -> usize {
        self.peers.iter().filter(|peer| peer.acked.is_some_and(|acked| acked >= offset)).count()
    }

    pub(super) fn tick(&mut self, own: &mut Own, now: Time, out: &mut Vec<Output>) {
        let due = self.pinged.is_none_or(|pinged| now.since(pinged) >= own.timings().ping_ms);
        if due {
            self.pinged = Some(now);
            self.marks.set(now, own.log.end());
            self.ping(out);
        }
        self.tick_handover(own, now, out);
        self.propose(own, now, out);
        self.advance(own, now, out);
    }

    fn ping(&self, out: &mut Vec<Output>) {
        let talking = self.peers.iter().filter(|peer| peer.is_talking());
        out.extend(talking.map(|peer| Output::Ping { to: peer.grant, session: peer.session }));
    }

    pub(super) fn header(
        &self,
        own: &Own,
        now: Time,
        to: Grant,
        session: Session,
        start: ReplicationOffset,
        end: ReplicationOffset,
    ) -> Option<Append> {
        let peer = self.peers.get(to).filter(|peer| peer.session == session && peer.is_talking())?;
        let (epoch, commit) = (own.shard.epoch, own.commit);
        let resigned = self.has_resigned_to(to);
        Some(Append { epoch, session, start, end, commit, sent: now, heard: peer.heard_sent, resigned })
    }

    /// The log has grown. Nothing here depends on how many effects that were.
    pub(super) fn appended(
        &mut self,
        own: &mut Own,
        now: Time,
        end: ReplicationOffset,
        backlog_start: ReplicationOffset,
        out: &mut Vec<Output>,
    ) {
        own.log.grow(end);
        self.backlog_start = backlog_start.min(own.log.end());
        self.advance(own, now, out);
    }

    pub(super) fn hello(&mut self, own: &mut Own, now: Time, hello: Hello, out: &mut Vec<Output>) {
        let node = hello.member.node;
        let stranger = hello.member == own.me || !own.has_member(node);
        if stranger || hello.epoch != own.shard.epoch || !self.peers.greeted(now, &hello) {
            return;
        }
        let kind = kind_for(&own.log, &hello.log, self.backlog_start);
        let in_sync = self.peers.get(hello.member).is_some_and(|peer| peer.required)
            && !own.rules().broken(Mutation::CopyInSync);
        let silent_ms = own.timings().shrink_ms;
        let busy = self.peers.is_copying(now, silent_ms);
        let Some(peer) = self.peers.get_mut(hello.member) else { return };
        let (to, session) = (hello.member, hello.session);
        peer.stage = match kind {
            SyncKind::Partial => Stage::Streaming,
            SyncKind::Slots { .. } | SyncKind::Full if in_sync => Stage::Leaving,
            // One copy at a time; the others greet again.
            SyncKind::Slots { .. } | SyncKind::Full if busy => Stage::Unknown,
            SyncKind::Slots { .. } | SyncKind::Full => Stage::Copying,
        };
        match peer.stage {
            Stage::Streaming => {
                out.push(sync(own, to, session, kind));
                out.push(Output::Stream { to, session, from: hello.log.end() });
                // What it has already is acknowledged at once, not with the next ping: a barrier may wait for it.
                out.push(Output::Ping { to, session });
            }
            Stage::Copying => {
                out.push(sync(own, to, session, kind));
                out.push(Output::Serve { to, session });
            }
            Stage::Unknown => {}
            Stage::Leaving => self.propose(own, now, out),
        }
    }

    pub(super) fn ack(&mut self, own: &mut Own, now: Time, ack: Ack, out: &mut Vec<Output>) {
        let end = own.log.end();
        let Some(peer) = self.peers.get_mut(ack.member) else { return };
        let plausible = ack.offset.is_none_or(|offset| offset <= end);
        if ack.session != peer.session || ack.epoch != own.shard.epoch || !plausible {
            return;
        }
        match ack.pledge {
            Pledge::Refusal => {
                peer.promised = None;
                return;
            }
            Pledge::Promise(sent) if sent <= now && self.lease_from.is_none_or(|from| sent > from) => {
                peer.promised = peer.promised.max(Some(sent));
            }
            Pledge::Promise(_) | Pledge::Nothing => {}
            Pledge::Release(sent) => peer.released = peer.released.max(Some(sent)),
        }
        peer.heard = now;
        peer.heard_sent = peer.heard_sent.max(Some(ack.sent));
        if let (Some(offset), Stage::Copying | Stage::Streaming) = (ack.offset, peer.stage) {
            peer.stage = Stage::Streaming;
            peer.acked = peer.acked.max(Some(offset));
            peer.covered = peer.covered.max(peer.acked.and_then(|acked| self.marks.covered(acked)));
        }
        self.tick_handover(own, now, out);
        self.advance(own, now, out);
    }

    pub(super) fn decided(
        &mut self,
        own: &mut Own,
        now: Time,
        number: u64,
        outcome: Outcome,
        out: &mut Vec<Output>,
    ) {
        if self.pending.as_ref().is_none_or(|pending| pending.number != number) {
            return;
        }
        match outcome {
            // R3: what was applied counts when a view shows it.
            Outcome::Applied => {}
            Outcome::Refused => {
                let refused = self.pending.take();
                self.propose_after = now.after(own.timings().ping_ms);
                if refused.is_some_and(|refused| matches!(refused.change, Change::Promote { .. })) {
                    self.cancel_handover(now, out);
                }
                self.review(own, now);
                self.advance(own, now, out);
            }
        }
    }

    /// Another view of the same epoch.
    pub(super) fn view(&mut self, own: &mut Own, now: Time, out: &mut Vec<Output>) {
        let seen = own.shard.isr_version;
        let overtaken = |pending: &Pending| match pending.change {
            Change::Shrink { isr_version, .. } | Change::Grow { isr_version, .. } => isr_version < seen,
            Change::Promote { .. } => false,
        };
        // A change of that version was applied: this one, or another with which this one is refused.
        self.pending.take_if(|pending| overtaken(pending));
        self.review(own, now);
        self.propose(own, now, out);
        self.advance(own, now, out);
    }

    /// Who is required, by the view and by the open proposal.
    fn review(&mut self, own: &Own, now: Time) {
        let rules = own.rules();
        let (mut joins, mut leaves) = (None, None);
        match self.pending.as_ref().map(|pending| &pending.change) {
            Some(Change::Grow { member, .. }) if !rules.broken(Mutation::PendingNotRequired) => {
                joins = Some(*member);
            }
            Some(Change::Shrink { out, .. }) if rules.broken(Mutation::EarlyShrink) => leaves = Some(*out),
            Some(Change::Grow { .. } | Change::Shrink { .. } | Change::Promote { .. }) | None => {}
        }
        let required = |grant: Grant| {
            grant != own.me && Some(grant) != leaves && (own.shard.is_in_sync(grant) || Some(grant) == joins)
        };
        self.peers.review(now, &own.shard, required);
    }

    /// Commit, barrier, and what may be answered.
    fn advance(&mut self, own: &mut Own, now: Time, out: &mut Vec<Output>) {
        let acked = self.peers.least_acked(own.log.end());
        if acked > own.commit {
            own.commit = acked;
            out.push(Output::Committed(acked));
        }
        let whole = acked >= self.barrier || own.rules().broken(Mutation::NoBarrier);
        if !self.serving && whole && now >= self.not_before {
            self.serving = true;
        }
        let enough = own.shard.isr.len() >= own.settings.min_insync;
        if self.serving && enough && own.commit > self.released {
            self.released = own.commit;
            out.push(Output::Released(own.commit));
        }
    }

    /// One change of the in-sync set, if one is due and none is open.
    fn propose(&mut self, own: &mut Own, now: Time, out: &mut Vec<Output>) {
        if self.pending.is_some() || now < self.propose_after || own.shard.is_offline() {
            return;
        }
        let timings = *own.timings();
        let end = own.log.end();
        let (epoch, isr_version, by) = (own.shard.epoch, own.shard.isr_version, own.me);
        let gone = |peer: &&Peer| peer.required && peer.must_leave(now, end, &timings);
        let change = match self.peers.iter().find(gone) {
            Some(peer) => Change::Shrink { epoch, isr_version, by, out: peer.grant },
            None if !self.serving || self.handover.is_some() => return,
            None => {
                let joins = |peer: &&Peer| !peer.required && peer.may_join(now, own.commit, &timings);
                let Some(peer) = self.peers.iter().find(joins) else { return };
                Change::Grow { epoch, isr_version, by, member: peer.grant }
            }
        };
        self.ask(own, change, out);
        self.review(own, now);
    }

    fn ask(&mut self, own: &mut Own, change: Change, out: &mut Vec<Output>) {
        own.proposals = own.proposals.saturating_add(1);
        let number = own.proposals;
        self.pending = Some(Pending { number, change: change.clone() });
        out.push(Output::Propose(Proposed { number, change }));
    }

    pub(super) fn hand_over(&mut self, own: &mut Own, now: Time, to: Option<NodeId>, out: &mut Vec<Output>) {
        self.begin_handover(own, now, to, out);
        self.tick_handover(own, now, out);
    }
}

/// How a log gets what it lacks, from a primary that keeps its effects from `backlog_start` on.
fn kind_for(ours: &Log, theirs: &Log, backlog_start: ReplicationOffset) -> SyncKind {
    match ours.divergence(theirs) {
        Some(after) if after >= backlog_start => match theirs.end() <= after {
            true if theirs.end() >= backlog_start => SyncKind::Partial,
            true => SyncKind::Full,
            false => SyncKind::Slots { after },
        },
        Some(_) | None => SyncKind::Full,
    }
}

fn sync(own: &Own, to: Grant, session: Session, kind: SyncKind) -> Output {
    let message = Message::Sync(Sync { epoch: own.shard.epoch, session, log: own.log.clone(), kind });
    Output::Send { to, message }
}
