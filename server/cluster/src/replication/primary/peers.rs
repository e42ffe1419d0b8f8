//! What a primary knows of the other members: which life, how far it is, what it promised, when it was heard.
//!
//! There is a peer for every life that is required, whether it was heard or not, and for at most one more life of each
//! node that is to have a copy: its latest. So the list is as long as the shard has members, twice at the worst.

use nuthatch_proto::ids::ReplicationOffset;

use super::super::message::{Hello, Session};
use super::super::timing::{Time, Timings};
use crate::topology::{Grant, Shard};

/// How a peer gets the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It has not greeted, or has to greet again.
    Unknown,
    /// It has to start anew, and before that to leave the in-sync set.
    Leaving,
    /// It fetches slots.
    Copying,
    /// It takes appends.
    Streaming,
}

/// One life of another member.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) grant: Grant,
    /// Whether nothing is committed without it.
    pub(super) required: bool,
    pub(super) session: Session,
    pub(super) stage: Stage,
    /// What it holds, as it said in this conversation.
    pub(super) acked: Option<ReplicationOffset>,
    /// The last moment whose whole log it is known to hold.
    pub(super) covered: Option<Time>,
    /// When what it last promised for was sent.
    pub(super) promised: Option<Time>,
    /// When the resignation that it took note of was sent.
    pub(super) released: Option<Time>,
    pub(super) heard: Time,
    /// Its own time when it said so.
    pub(super) heard_sent: Option<Time>,
}

impl Peer {
    fn new(now: Time, grant: Grant) -> Self {
        Self {
            grant,
            required: false,
            session: Session(0),
            stage: Stage::Unknown,
            acked: None,
            covered: None,
            promised: None,
            released: None,
            heard: now,
            heard_sent: None,
        }
    }

    /// Whether it is in a conversation in which it can be sent something.
    pub(super) fn is_talking(&self) -> bool {
        match self.stage {
            Stage::Copying | Stage::Streaming => true,
            Stage::Unknown | Stage::Leaving => false,
        }
    }

    /// Whether it holds up what it is required for: it is silent, too far behind, or has to start anew.
    pub(super) fn must_leave(&self, now: Time, end: ReplicationOffset, timings: &Timings) -> bool {
        let behind = self.acked.is_some_and(|acked| end.0.saturating_sub(acked.0) > timings.lag_bytes_max)
            || self.covered.is_some_and(|covered| now.since(covered) > 2 * timings.lease_ms);
        self.stage == Stage::Leaving || now.since(self.heard) >= timings.shrink_ms || behind
    }

    /// Whether it has caught up, and goes on doing so.
    pub(super) fn may_join(&self, now: Time, commit: ReplicationOffset, timings: &Timings) -> bool {
        let recent = |at: Option<Time>| at.is_some_and(|at| now.since(at) < timings.shrink_ms);
        self.stage == Stage::Streaming
            && self.acked.is_some_and(|acked| acked >= commit)
            && recent(self.covered)
            && recent(self.promised)
    }
}

/// The other members.
#[derive(Debug, Default)]
pub(super) struct Peers(Vec<Peer>);

impl Peers {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.0.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Peer> {
        self.0.iter_mut()
    }

    pub(super) fn get(&self, grant: Grant) -> Option<&Peer> {
        self.0.iter().find(|peer| peer.grant == grant)
    }

    pub(super) fn get_mut(&mut self, grant: Grant) -> Option<&mut Peer> {
        self.0.iter_mut().find(|peer| peer.grant == grant)
    }

    fn required(&self) -> impl Iterator<Item = &Peer> {
        self.0.iter().filter(|peer| peer.required)
    }

    /// Makes room for who is required, and forgets who is neither that nor the latest life of a member.
    pub(super) fn review(&mut self, now: Time, shard: &Shard, required: impl Fn(Grant) -> bool) {
        for grant in shard.isr.iter().copied().filter(|grant| required(*grant)) {
            if self.get(grant).is_none() {
                self.0.push(Peer::new(now, grant));
            }
        }
        for peer in &mut self.0 {
            let before = std::mem::replace(&mut peer.required, required(peer.grant));
            if peer.required && !before {
                peer.heard = now;
            }
        }
        let latest: Vec<Grant> = self.0.iter().map(|peer| peer.grant).collect();
        let newer = |grant: Grant| {
            latest.iter().any(|other| other.node == grant.node && other.incarnation > grant.incarnation)
        };
        self.0.retain(|peer| peer.required || (shard.has_replica(peer.grant.node) && !newer(peer.grant)));
    }

    /// Notes a new conversation; false if it is an old one, or of a life that is over.
    pub(super) fn greeted(&mut self, now: Time, hello: &Hello) -> bool {
        let Hello { member, session, .. } = *hello;
        if self
            .0
            .iter()
            .any(|peer| peer.grant.node == member.node && peer.grant.incarnation > member.incarnation)
        {
            return false;
        }
        self.0.retain(|peer| peer.grant.node != member.node || peer.grant == member || peer.required);
        if self.get(member).is_none() {
            self.0.push(Peer::new(now, member));
        }
        let Some(peer) = self.get_mut(member).filter(|peer| session > peer.session) else { return false };
        (peer.session, peer.stage, peer.acked, peer.heard) = (session, Stage::Unknown, None, now);
        true
    }

    /// Whether somebody fetches slots, and is not silent.
    pub(super) fn is_copying(&self, now: Time, silent_ms: u64) -> bool {
        self.0.iter().any(|peer| peer.stage == Stage::Copying && now.since(peer.heard) < silent_ms)
    }

    /// What every required member holds of a log with that end.
    pub(super) fn least_acked(&self, end: ReplicationOffset) -> ReplicationOffset {
        self.required().map(|peer| peer.acked.unwrap_or_default()).fold(end, ReplicationOffset::min)
    }

    /// The time for which every required member's promise was sent; never if there is none to promise.
    pub(super) fn promised(&self) -> Option<Time> {
        self.required().try_fold(Time::NEVER, |least, peer| Some(least.min(peer.promised?)))
    }

    /// The moment whose whole log every required member holds.
    pub(super) fn covered(&self) -> Option<Time> {
        self.required().try_fold(Time::NEVER, |least, peer| Some(least.min(peer.covered?)))
    }
}
