//! Replication between the nodes of a cluster: the drivers of the machines in `nuthatch_cluster::replication`.
//!
//! One thread ([`driver`]) owns this node's member of its shard. It tells the machine of time, of the topology, of messages and
//! of the log's growth, and performs what the machine says; it decides nothing. A primary's log ([`log`]) is filled under the
//! locks of the slots by the threads that run commands; [`serve`] sends it, and copies of slots, to the replicas, and [`link`]
//! takes both on the other side. [`failover`] is what the leader of the metadata group does when a primary is gone. [`wire`] is what crosses between them.
//!
//! What it is not: the feed, which speaks Redis' protocol with servers that are not ours.
//!
//! Here is what the rest of the node sees of it ([`Replication`]): a few numbers to be read at any time, and the queue of what
//! the thread is told.

pub(crate) mod driver;
pub(crate) mod failover;
mod link;
pub(crate) mod log;
pub(crate) mod serve;
pub(crate) mod wire;

use std::sync::atomic::{AtomicU64, Ordering};

use nuthatch_cluster::replication::message::{Ack, Fence, FenceAnswer, Fenced, Hello, Session, Suspect};
use nuthatch_cluster::replication::{Outcome, Role};
use nuthatch_cluster::topology::{Grant, GroupId};
use nuthatch_proto::ids::{Epoch, NodeId, ReplicationOffset, ShardId};
use nuthatch_proto::rpc::PrimaryFrame;
use nuthatch_proto::slot::Slot;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::clock;

/// How many events wait for the thread; who brings another one waits.
const EVENTS_MAX: usize = 1024;

/// What the thread is told by others.
#[derive(Debug)]
pub(crate) enum Event {
    /// A replica has begun a conversation.
    Greeted {
        /// The group and the shard that it means.
        group: GroupId,
        /// The shard.
        shard: ShardId,
        /// Its greeting.
        hello: Hello,
        /// Where the answers go. Dropped, it ends the conversation.
        out: mpsc::Sender<PrimaryFrame>,
    },
    /// A replica acknowledges.
    Acked(Ack),
    /// A replica asks for copies of slots.
    Wanted(Grant, Session, Vec<Slot>),
    /// A replica has ended a conversation.
    Left(Grant, Session),
    /// A proposal of the member is decided.
    Decided(u64, Outcome),
    /// The leader of the metadata group wants this node's life fenced; none is no answer.
    Fence(ShardId, Fence, oneshot::Sender<Option<FenceAnswer>>),
    /// To the leader: a member of that shard has answered a fence.
    Fenced(ShardId, Fenced),
    /// To the leader: a member of that shard suspects its primary.
    Suspected(ShardId, Suspect),
    /// To the leader: that node is there.
    Heard(NodeId),
    /// To the leader: its proposal for that shard is decided.
    PromotionDecided(ShardId, u64, Outcome),
}

/// What is known of a replica, for those who ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReplicaReport {
    pub(crate) node: NodeId,
    /// Whether it takes appends; otherwise it is being copied to.
    pub(crate) online: bool,
    /// What it holds.
    pub(crate) acked: ReplicationOffset,
    /// The lease clock when it was last heard.
    pub(crate) heard: u64,
}

/// How replication stands, for those who ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// This node's role, if it is in a shard.
    pub(crate) role: Option<Role>,
    /// Where the log ends that it holds.
    pub(crate) offset: ReplicationOffset,
    /// To a replica: its copy is whole and it takes appends.
    pub(crate) linked: bool,
    /// To a replica: slots are being copied.
    pub(crate) copying: bool,
    /// To a replica: the lease clock when its primary was last heard, 0 if it never was.
    pub(crate) heard: u64,
    /// To a primary: those who follow.
    pub(crate) replicas: Vec<ReplicaReport>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Replication {
    events: mpsc::Sender<Event>,
    stop: Notify,
    /// The epoch, and one more, in which this node has taken its part in its shard; 0 before.
    ready: AtomicU64,
    /// Until when a replica's reads are good, by the lease clock.
    readable_until: AtomicU64,
    /// Until when a primary takes writes, by the lease clock.
    writable_until: AtomicU64,
    report: Mutex<Report>,
}

impl Replication {
    /// With the queue of what the thread is told.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Event>) {
        let (events, queue) = mpsc::channel(EVENTS_MAX);
        let (stop, ready, readable_until, report) = Default::default();
        let writable_until = AtomicU64::new(u64::MAX);
        (Self { events, stop, writable_until, ready, readable_until, report }, queue)
    }

    /// Tells the thread something; waits while its queue is full.
    pub(crate) async fn tell(&self, event: Event) {
        // The thread ends with the node.
        let _ = self.events.send(event).await;
    }

    /// Has this node's life fenced; the answer, if the fence means anything to it.
    pub(crate) async fn fence(&self, shard: ShardId, fence: Fence) -> Option<FenceAnswer> {
        let (sender, answer) = oneshot::channel();
        self.tell(Event::Fence(shard, fence, sender)).await;
        answer.await.ok().flatten()
    }

    /// Has the thread end.
    pub(crate) fn stop(&self) {
        self.stop.notify_one();
    }

    async fn stopped(&self) {
        self.stop.notified().await;
    }

    /// Whether this node has taken its part in the shard in that epoch: as a primary it may serve, as a replica nobody of
    /// those who took it for the primary runs a command any more.
    pub(crate) fn is_ready(&self, epoch: Epoch) -> bool {
        self.ready.load(Ordering::Acquire) == epoch.0 + 1
    }

    /// This node has taken its part in that epoch, or in none; whether that is news.
    pub(crate) fn set_ready(&self, epoch: Option<Epoch>) -> bool {
        let ready = epoch.map_or(0, |epoch| epoch.0 + 1);
        self.ready.swap(ready, Ordering::AcqRel) != ready
    }

    /// Whether a replica may answer reads now.
    pub(crate) fn is_readable(&self) -> bool {
        clock::lease() < self.readable_until.load(Ordering::Relaxed)
    }

    /// Whether a primary takes no writes now, because its replicas do not hear it or it does not hear them: another one may
    /// have been made.
    #[inline]
    pub(crate) fn is_cut_off(&self) -> bool {
        let until = self.writable_until.load(Ordering::Relaxed);
        until != u64::MAX && clock::lease() >= until
    }

    /// How replication stands.
    pub(crate) fn report(&self) -> Report {
        self.report.lock().clone()
    }

    /// How many replicas were heard of in so many seconds.
    pub(crate) fn heard_within(&self, seconds: u64) -> u32 {
        let (now, report) = (clock::lease(), self.report.lock());
        let is_near = |replica: &&ReplicaReport| now.saturating_sub(replica.heard) / 1000 <= seconds;
        let near = report.replicas.iter().filter(|replica| replica.online).filter(is_near).count();
        u32::try_from(near).unwrap_or(u32::MAX)
    }

    /// How many replicas hold the log up to there.
    pub(crate) fn replicas_at(&self, offset: ReplicationOffset) -> usize {
        let report = self.report.lock();
        report.replicas.iter().filter(|replica| replica.online && replica.acked >= offset).count()
    }
}
