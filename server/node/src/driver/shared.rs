//! What every part of the control plane may see and ask: the newest [`View`], and the way to the metadata thread.
//!
//! The view is one immutable value: who this node is, and the topology as far as it is applied here. Only the metadata
//! thread publishes one. Whoever needs two facts together takes them from one view, never from two.
//!
//! Invariants: the queue of events is bounded in number and the Raft messages in it in bytes; nobody waits for the
//! metadata thread without a deadline.
//!
//! Neighbours: `metadata` owns the state, `propose`, `join`, `register` and `follow` are the conversations with other
//! nodes, each an `impl` of [`Shared`] in its own file.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use nuthatch_cluster::routing::{MetadataContact, Standing};
use nuthatch_cluster::topology::{
    Address, GroupId, Joiner, Node, Outcome, ProcessId, Proposal, RaftId, Role, StorageId, Topology,
};
use nuthatch_proto::ids::{LogIndex, NodeId};
use nuthatch_proto::rpc::{NodeAddress, RaftMessage};
use nuthatch_proto::slot::Slot;
use parking_lot::Mutex;
use prost::Message as _;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use super::numbers::ProposalNumbers;
use super::presence::Presence;
use crate::pubsub::Pubsub;
use crate::replication::Replication;
use crate::rpc::broadcast::Broadcast;
use crate::rpc::callers::Callers;
use crate::rpc::outbox::Reports;
use crate::rpc::peers::{PeerAddress, Peers};

/// How many events wait for the metadata thread.
pub(crate) const EVENTS_MAX: usize = 1024;

/// How many bytes of Raft messages wait for it.
const RAFT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How long a group may be without a leader before this node says that it has lost contact: longer than an election.
const LEADERLESS_PATIENCE: Duration = Duration::from_secs(3);

/// How many addresses are remembered that the topology does not have (yet).
const HINTS_MAX: usize = 64;

/// This node and the cluster around it, at one moment.
#[derive(Debug, Clone)]
pub struct View {
    /// This node.
    pub me: NodeId,
    /// Its data directory.
    pub storage: StorageId,
    /// This run of its process.
    pub process: ProcessId,
    /// The cluster, as far as it is applied here.
    pub topology: Arc<Topology>,
    /// What this process is in it.
    pub standing: Standing,
    /// The member that leads the metadata group, as far as this node knows.
    pub leader: Option<RaftId>,
    /// Since when it has known of none; always, for a node outside the Raft group.
    pub leaderless_since: Option<Instant>,
    /// This node leads it.
    pub leads: bool,
    /// This node's part in it by its own log: until it is told otherwise it keeps what it promised.
    pub part: Role,
    /// This node is alone and has asked to join another group; what was agreed alone is not changed any more.
    pub joining: bool,
    /// How it replicates: not of this moment, but of any later one.
    pub(crate) replication: Arc<Replication>,
}

impl View {
    /// Whether this node is a group of its own. One that its group has forgotten is not, however few the others are: it
    /// may be their only voter still.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.topology.nodes().len() == 1 && self.topology.node(self.me).is_some()
    }

    /// Whether the group knows of this run of the process: before that it may serve nothing, because the group may
    /// still take the node for the one that held the data.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.standing.grant().is_some()
    }

    /// This node's own number in the metadata group.
    #[must_use]
    pub fn raft_id(&self) -> Option<RaftId> {
        self.topology.node(self.me).map(|node| node.raft_id)
    }

    /// Whether this node applies the log itself at the moment: it is in the group and hears a leader.
    pub(crate) fn applies_log(&self) -> bool {
        self.leader.is_some() && !self.is_watcher()
    }

    /// Whether this node is outside the Raft group, or outside the cluster altogether.
    pub(crate) fn is_watcher(&self) -> bool {
        self.topology.node(self.me).is_none_or(|node| node.role == Role::Watcher)
    }

    /// Whether this node, which left its cluster with the entry of that index, is in nobody's majority any more, as far
    /// as it was told.
    pub(crate) fn is_dismissed(&self, left: LogIndex) -> bool {
        self.part == Role::Watcher && (self.leader.is_none() || self.topology.applied() >= left)
    }

    /// The leader, when it is another node.
    pub(crate) fn other_leader(&self) -> Option<&Node> {
        self.topology.node_by_raft_id(self.leader?).filter(|node| node.id != self.me)
    }
}

/// Why the metadata thread did not take something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTaken {
    /// Its queue is full.
    #[error("the metadata thread is busy")]
    Full,
    /// It has ended.
    #[error("the node is stopping")]
    Stopped,
    /// It cannot now: not the leader, or about to join another group.
    #[error("not the leader")]
    NotLeader,
    /// It would not fit an entry of the log.
    #[error("the change is too large")]
    TooLong,
    /// It is about to join another group.
    #[error("the node is about to join a cluster")]
    Joining,
    /// It is a member of a group that has others.
    #[error("the node is a member of a cluster")]
    NotAlone,
}

/// What the metadata thread is told or asked.
#[derive(Debug)]
pub(crate) enum Event {
    /// Raft messages arrived.
    Raft {
        /// As they came.
        messages: Vec<RaftMessage>,
        /// What they count in the queue.
        bytes: usize,
    },
    /// Raft messages to that member were lost.
    Unreachable(RaftId),
    /// A snapshot to that member arrived or did not.
    SnapshotSent(RaftId, bool),
    /// That member, which may be outside the Raft group, answered.
    HeardFrom(RaftId),
    /// Propose this, if the node leads that group.
    Propose(GroupId, Proposal, oneshot::Sender<Result<Outcome, NotTaken>>),
    /// A topology came from the node that is followed.
    Followed(Box<Topology>),
    /// The node is about to join the group at that address: what would it bring along?
    BeginJoin(String, Address, oneshot::Sender<Result<Joiner, NotTaken>>),
    /// It does not join after all.
    AbandonJoin(oneshot::Sender<()>),
    /// It has been admitted, and this is the topology of its new group.
    Joined(Box<Topology>, oneshot::Sender<()>),
    /// Shut that slot's gate, and say whether the slot is empty.
    Hold(Slot, oneshot::Sender<bool>),
    /// Let that slot's gate follow the topology again.
    Release(Slot, oneshot::Sender<()>),
    /// Begin anew, alone; if `true` under another id.
    Reset(bool, oneshot::Sender<()>),
    /// This node's own rules are others now.
    RulesChanged,
    /// This node has taken its part in its shard: gates may be opened.
    PartTaken,
    /// End.
    Stop,
}

/// Where this node tells others to reach it.
#[derive(Debug, Clone)]
pub(crate) struct Announce {
    /// Configured, or the one address that the node listens on; without it, it is found out.
    pub(crate) host: Option<String>,
    pub(crate) port: u16,
    pub(crate) bus_port: u16,
    pub(crate) hostname: String,
}

impl Announce {
    pub(crate) fn address(&self, found: impl FnOnce() -> String) -> Address {
        Address {
            host: self.host.clone().unwrap_or_else(found),
            port: self.port,
            bus_port: self.bus_port,
            hostname: self.hostname.clone(),
        }
    }
}

/// Raft messages since the start.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
}

/// What does not change while the process lives.
pub(crate) struct Surroundings {
    pub(crate) peers: Arc<Peers>,
    pub(crate) runtime: Handle,
    pub(crate) announce: Announce,
    pub(crate) rules: Rules,
    pub(crate) pubsub: Arc<Pubsub>,
    pub(crate) replication: Arc<Replication>,
}

/// What of the configuration may change while the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How long a node may be silent before it is shown as suspected.
    pub node_timeout: Duration,
    /// Serve no keys while a slot has no owner.
    pub require_full_coverage: bool,
    /// How many bytes of the log of effects are kept for replicas.
    pub backlog: usize,
    /// For how many milliseconds a replica may not have heard its primary and answer reads all the same; 0: for ever.
    pub replica_max_lag: u64,
    /// A primary goes on taking writes while it and its replicas do not hear each other.
    pub writes_when_cut_off: bool,
}

/// See the module.
pub(crate) struct Shared {
    pub(crate) current: ArcSwap<View>,
    pub(crate) published: watch::Sender<Arc<View>>,
    pub(crate) peers: Arc<Peers>,
    pub(crate) runtime: Handle,
    pub(crate) announce: Announce,
    rules: Mutex<Rules>,
    /// What the thread that replicates is told, and says.
    pub(crate) replication: Arc<Replication>,
    /// Who is subscribed here.
    pub(crate) pubsub: Arc<Pubsub>,
    /// What is published here, for the others.
    pub(crate) broadcast: Broadcast,
    /// One change of membership at a time.
    pub(crate) membership: tokio::sync::Mutex<()>,
    pub(crate) numbers: ProposalNumbers,
    pub(crate) presence: Presence,
    /// Who is connected to this node's cluster port.
    pub(crate) callers: Arc<Callers>,
    pub(crate) counts: Counts,
    /// For a node outside the Raft group: a stream of topologies stands, or will in a moment.
    pub(crate) follows: AtomicBool,
    events: SyncSender<Event>,
    raft_bytes: AtomicUsize,
    will_join: AtomicBool,
    hints: Mutex<HashMap<RaftId, PeerAddress>>,
}

impl Shared {
    /// `first_seq` must be random: no two runs of a node may use the same numbers for proposals.
    pub(crate) fn new(view: View, events: SyncSender<Event>, around: Surroundings, first_seq: u64) -> Self {
        let Surroundings { peers, runtime, announce, rules, pubsub, replication } = around;
        let view = Arc::new(view);
        Self {
            current: ArcSwap::new(Arc::clone(&view)),
            published: watch::Sender::new(view),
            peers,
            runtime,
            announce,
            rules: Mutex::new(rules),
            replication,
            pubsub,
            broadcast: Broadcast::default(),
            membership: tokio::sync::Mutex::default(),
            numbers: ProposalNumbers::new(first_seq),
            presence: Presence::default(),
            callers: Arc::default(),
            counts: Counts::default(),
            follows: AtomicBool::new(false),
            events,
            raft_bytes: AtomicUsize::new(0),
            will_join: AtomicBool::new(false),
            hints: Mutex::default(),
        }
    }

    /// The newest view.
    pub(crate) fn view(&self) -> Arc<View> {
        self.current.load_full()
    }

    /// The views from now on.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<View>> {
        self.published.subscribe()
    }

    /// Whether this node hears the metadata group, or did so a moment ago.
    pub(crate) fn contact(&self, view: &View) -> MetadataContact {
        let leader = view.leaderless_since.is_none_or(|since| since.elapsed() < LEADERLESS_PATIENCE);
        let hears = if view.is_watcher() { self.follows.load(Ordering::Relaxed) } else { leader };
        if hears { MetadataContact::Valid } else { MetadataContact::Lost }
    }

    /// The rules as they are now.
    pub(crate) fn rules(&self) -> Rules {
        *self.rules.lock()
    }

    /// Has the node go by other rules.
    pub(crate) fn set_rules(&self, rules: Rules) {
        let before = std::mem::replace(&mut *self.rules.lock(), rules);
        if before != rules {
            // A full queue is no harm: the thread looks again at its next tick.
            let _ = self.tell(Event::RulesChanged);
        }
    }

    /// For the metadata thread only.
    pub(crate) fn publish(&self, view: View) {
        let view = Arc::new(view);
        self.current.store(Arc::clone(&view));
        self.published.send_replace(view);
    }

    pub(crate) fn will_join(&self) -> bool {
        self.will_join.load(Ordering::Relaxed)
    }

    pub(crate) fn set_will_join(&self, will_join: bool) {
        self.will_join.store(will_join, Ordering::Relaxed);
    }

    /// Tells the metadata thread something, without waiting.
    pub(crate) fn tell(&self, event: Event) -> Result<(), NotTaken> {
        self.events.try_send(event).map_err(|error| match error {
            TrySendError::Full(_) => NotTaken::Full,
            TrySendError::Disconnected(_) => NotTaken::Stopped,
        })
    }

    /// Asks the metadata thread something and waits for the answer.
    pub(crate) async fn ask<T>(
        &self,
        question: impl FnOnce(oneshot::Sender<T>) -> Event,
    ) -> Result<T, NotTaken> {
        let (sender, answer) = oneshot::channel();
        self.tell(question(sender))?;
        answer.await.map_err(|_| NotTaken::Stopped)
    }

    /// Queues Raft messages that arrived; they are dropped if too many wait.
    pub(crate) fn receive_raft(
        &self,
        sender: Option<PeerAddress>,
        messages: Vec<RaftMessage>,
    ) -> Result<(), NotTaken> {
        if let (Some(sender), Some(first)) = (sender, messages.first()) {
            self.note_address(RaftId(first.from), sender);
        }
        self.counts.received.fetch_add(messages.len() as u64, Ordering::Relaxed);
        let bytes = messages.iter().map(|message| message.encoded_len() + size_of::<RaftMessage>()).sum();
        if self.raft_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > RAFT_BYTES_MAX {
            self.forget_bytes(bytes);
            return Err(NotTaken::Full);
        }
        self.tell(Event::Raft { messages, bytes }).inspect_err(|_| self.forget_bytes(bytes))
    }

    /// The metadata thread has taken Raft messages of that many bytes from the queue.
    pub(crate) fn forget_bytes(&self, bytes: usize) {
        self.raft_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Where a member is reached: as it said itself, or as the topology has it.
    pub(crate) fn address_of(&self, member: &Node) -> PeerAddress {
        let said = self.hints.lock().get(&member.raft_id).cloned();
        said.unwrap_or_else(|| PeerAddress::from(&member.address))
    }

    /// Remembers where a member says it is reached, unless the topology says the same.
    pub(crate) fn note_address(&self, member: RaftId, address: PeerAddress) {
        let view = self.view();
        let known = view.topology.node_by_raft_id(member).map(|node| PeerAddress::from(&node.address));
        let mut hints = self.hints.lock();
        if known.as_ref() == Some(&address) {
            hints.remove(&member);
        } else if hints.len() < HINTS_MAX || hints.contains_key(&member) {
            hints.insert(member, address);
        }
    }

    /// Forgets what members of an earlier group said.
    pub(crate) fn forget_addresses(&self) {
        self.hints.lock().clear();
    }

    /// This node's address as others should use it: configured, or as the topology has it, or the local one towards
    /// that peer.
    pub(crate) fn own_address(&self, towards: Option<IpAddr>) -> Address {
        let view = self.view();
        self.announce.address(|| {
            let known = view.topology.node(view.me).map(|node| node.address.host.clone());
            let found = towards.and_then(local_address_towards).map(|ip| ip.to_string());
            found.or(known).unwrap_or_else(|| "127.0.0.1".to_owned())
        })
    }
}

/// The local address from which the system would reach that one; no packet is sent for it.
fn local_address_towards(peer: IpAddr) -> Option<IpAddr> {
    let unspecified: IpAddr = match peer {
        IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = std::net::UdpSocket::bind((unspecified, 0)).ok()?;
    socket.connect((peer, 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

impl Reports for Shared {
    fn address(&self, receiver: RaftId) -> Option<PeerAddress> {
        match self.view().topology.node_by_raft_id(receiver) {
            Some(member) => Some(self.address_of(member)),
            None => self.hints.lock().get(&receiver).cloned(),
        }
    }

    fn sender(&self) -> NodeAddress {
        let address = self.own_address(None);
        NodeAddress { host: address.host, cluster_port: address.bus_port.into() }
    }

    fn unreachable(&self, receiver: RaftId) {
        // A full queue drops the report; the next failed call brings another.
        let _ = self.tell(Event::Unreachable(receiver));
    }

    fn snapshot_sent(&self, receiver: RaftId, arrived: bool) {
        if self.tell(Event::SnapshotSent(receiver, arrived)) == Err(NotTaken::Full) {
            tracing::warn!("the metadata thread is busy: the fate of a snapshot to {receiver} is not noted");
        }
    }
}
