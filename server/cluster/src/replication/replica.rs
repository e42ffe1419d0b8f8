//! The replica's rules: whom it follows, what it acknowledges, what it promises, and when it lets itself be fenced.
//!
//! A replica greets the primary of its view until it is told how it gets what it lacks; then it takes appends in order.
//! A conversation that has a gap, or that nobody answers, is begun anew under the next number.
//!
//! ```text
//!   Greeting --Partial--> Streaming --gap, silence--> Greeting
//!      \--Slots, Full--> Copying --Copied--> Streaming
//! ```
//!
//! - R4: what is of an epoch below the fence, or of another conversation, is not taken, and so not acknowledged.
//! - R5: a fence for this very life is accepted when no promise is open on this node's own clock, and never while what
//!   is held is no log: such a copy stands for nothing. That cannot be a member of the in-sync set, as a primary has a
//!   member removed from it before the member starts anew.
//! - A fence that no promotion came of ends when the metadata has removed this member from the in-sync set since: no
//!   promotion can count on it any more. Without this rule the member could not follow before the next failover.
//!
//! Suspicion counts from when the primary last heard this node, told by its own time coming back. So it covers both
//! directions: a primary that sends but hears nothing cannot commit, and is no better than a silent one.

use nuthatch_proto::ids::ReplicationOffset;

use super::member::{self, Output, Own};
use super::message::{
    Ack, Append, Fence, FenceAnswer, Fenced, Message, Pledge, Session, Suspect, Sync, SyncKind,
};
use super::mutation::Mutation;
use super::position::{History, Log, Position};
use super::timing::Time;

/// The primary may learn of its promotion a moment later than its replicas do: the second greeting comes soon, the next
/// ones later and later.
const FIRST_WAIT_MS: u64 = 5;

/// How a replica stands with its primary.
#[derive(Debug)]
enum Link {
    /// It has greeted, or is about to, and greets again at that time.
    Greeting { again: Time, wait_ms: u64 },
    /// Its driver fetches what it lacks of that log.
    Copying { source: Log },
    /// It takes appends.
    Streaming,
}

/// The part of a replica in one epoch.
#[derive(Debug)]
pub(super) struct Replica {
    link: Link,
    /// When something of the conversation last came.
    heard: Time,
    /// This node's time of the last answer that the primary is known to have heard.
    heard_back: Time,
    suspected: Option<Time>,
    /// The version of the in-sync set by which it was fenced beyond the view's epoch.
    fenced_at: Option<u64>,
}

impl Replica {
    pub(super) fn new(now: Time) -> Self {
        let link = Link::Greeting { again: now, wait_ms: FIRST_WAIT_MS };
        Self { link, heard: now, heard_back: now, suspected: None, fenced_at: None }
    }

    pub(super) fn silence_ms(&self, now: Time) -> u64 {
        now.since(self.heard_back)
    }

    pub(super) fn tick(&mut self, own: &mut Own, now: Time, out: &mut Vec<Output>) {
        let retry_ms = own.timings().retry_ms;
        match self.link {
            Link::Greeting { again, .. } if now >= again => self.greet(own, now, out),
            Link::Copying { .. } | Link::Streaming if now.since(self.heard) >= own.timings().suspect_ms => {
                self.greet(own, now, out);
            }
            Link::Greeting { .. } | Link::Copying { .. } | Link::Streaming => {}
        }
        let silence_ms = self.silence_ms(now);
        let reported = self.suspected.is_some_and(|at| now.since(at) < retry_ms);
        if silence_ms >= own.timings().suspect_ms && !reported && own.shard.is_in_sync(own.me) {
            self.suspected = Some(now);
            out.push(Output::Suspect(Suspect { member: own.me, epoch: own.shard.epoch, silence_ms }));
        }
    }

    pub(super) fn view(&mut self, own: &mut Own) {
        let over = self.fenced_at.is_some_and(|version| own.shard.isr_version > version);
        if over && !own.shard.is_in_sync(own.me) {
            self.fenced_at = None;
            own.fence = own.shard.epoch;
        }
    }

    fn greet(&mut self, own: &mut Own, now: Time, out: &mut Vec<Output>) {
        let wait_ms = match self.link {
            Link::Greeting { wait_ms, .. } => wait_ms.saturating_mul(2).min(2 * own.timings().retry_ms),
            Link::Copying { .. } | Link::Streaming => FIRST_WAIT_MS,
        };
        self.link = Link::Greeting { again: now.after(wait_ms), wait_ms };
        if own.fence <= own.shard.epoch && own.has_member(own.me.node) {
            let hello = member::greeting(own);
            out.push(Output::Send { to: own.shard.primary, message: Message::Hello(hello) });
        }
    }

    pub(super) fn sync(&mut self, own: &mut Own, now: Time, sync: Sync, out: &mut Vec<Output>) {
        let expected =
            sync.session == own.session && sync.epoch == own.shard.epoch && own.fence <= sync.epoch;
        if !expected || !matches!(self.link, Link::Greeting { .. }) || !member::is_sound(own, &sync) {
            return;
        }
        self.heard = now;
        match sync.kind {
            SyncKind::Partial => {
                if own.log.divergence(&sync.log) != Some(own.log.end()) {
                    return;
                }
                own.log.follow(&sync.log);
                self.link = Link::Streaming;
            }
            SyncKind::Slots { .. } | SyncKind::Full => {
                if own.shard.is_in_sync(own.me) && !own.rules().broken(Mutation::CopyInSync) {
                    return;
                }
                own.log = Log::blank();
                own.commit = ReplicationOffset(0);
                self.link = Link::Copying { source: sync.log };
                out.push(Output::Copy { session: sync.session, kind: sync.kind });
            }
        }
    }

    pub(super) fn copied(
        &mut self,
        own: &mut Own,
        now: Time,
        session: Session,
        end: ReplicationOffset,
        out: &mut Vec<Output>,
    ) {
        let Link::Copying { source } = &self.link else { return };
        if session != own.session {
            return;
        }
        let mut log = source.clone();
        log.grow(end);
        own.log = log.up_to(end);
        self.link = Link::Streaming;
        self.heard = now;
        answer(own, now, session, Some(own.log.end()), Pledge::Nothing, out);
    }

    pub(super) fn link_lost(&mut self, own: &mut Own, now: Time, session: Session, out: &mut Vec<Output>) {
        if session == own.session {
            self.greet(own, now, out);
        }
    }

    pub(super) fn append(&mut self, own: &mut Own, now: Time, append: Append, out: &mut Vec<Output>) {
        let expected =
            append.epoch == own.shard.epoch && append.session == own.session && own.fence <= append.epoch;
        if !expected && !own.rules().broken(Mutation::OldEpoch) {
            // Only the primary of the view can be told: of an earlier one no address is kept.
            if append.epoch == own.shard.epoch && append.epoch < own.fence {
                answer(own, now, append.session, None, Pledge::Refusal, out);
            }
            return;
        }
        let offset = match self.link {
            Link::Greeting { .. } => return,
            Link::Copying { .. } => None,
            Link::Streaming if append.start > own.log.end() => return self.greet(own, now, out),
            Link::Streaming => Some(self.take(own, &append, out)),
        };
        self.heard = now;
        if let Some(heard) = append.heard {
            self.heard_back = self.heard_back.max(heard.min(now));
        }
        let timings = own.settings.timings;
        let pledge = match append.resigned {
            true => {
                own.promise.release(now, append.epoch, append.sent);
                Pledge::Release(append.sent)
            }
            false => {
                own.promise.give(now, append.epoch, append.sent, &timings);
                Pledge::Promise(append.sent)
            }
        };
        answer(own, now, append.session, offset, pledge, out);
    }

    fn take(&mut self, own: &mut Own, append: &Append, out: &mut Vec<Output>) -> ReplicationOffset {
        let start = own.log.end();
        if append.end > start {
            own.log.grow(append.end);
            out.push(Output::Apply { start, end: append.end });
        }
        own.commit = own.commit.max(append.commit.min(own.log.end()));
        own.log.end()
    }

    pub(super) fn fence(&mut self, own: &mut Own, now: Time, fence: Fence, out: &mut Vec<Output>) {
        let by_name = own.rules().broken(Mutation::ByName) && fence.member.node == own.me.node;
        if fence.member != own.me && !by_name {
            return;
        }
        // A life that holds no log stands for nothing.
        let nothing = Position { epoch: own.shard.epoch, offset: ReplicationOffset(0) };
        let ours = own.log.history() == Some(History(own.shard.history));
        let position = own.log.position().filter(|_| ours);
        let Some(position) = position.or(by_name.then_some(nothing)) else { return };
        if fence.epoch < own.fence || fence.epoch <= own.shard.epoch {
            return;
        }
        let open = own.promise.ends_in(now).filter(|_| !own.rules().broken(Mutation::IgnorePromise));
        let answer = match open {
            Some(ends_in_ms) => FenceAnswer::Promised { ends_in_ms },
            None => {
                own.fence = fence.epoch;
                self.fenced_at = Some(self.fenced_at.unwrap_or(0).max(fence.isr_version));
                FenceAnswer::Fenced(position)
            }
        };
        out.push(Output::Fenced(Fenced { member: own.me, epoch: fence.epoch, answer }));
    }
}

/// Tells the primary what this replica holds. It is called after all else, so that nothing is said before it is so.
fn answer(
    own: &Own,
    now: Time,
    session: Session,
    offset: Option<ReplicationOffset>,
    pledge: Pledge,
    out: &mut Vec<Output>,
) {
    let ack = Ack { member: own.me, session, epoch: own.shard.epoch, offset, pledge, sent: now };
    out.push(Output::Send { to: own.shard.primary, message: Message::Ack(ack) });
}
