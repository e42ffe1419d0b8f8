//! The control plane of a node: what keeps its topology, and how it talks with the other nodes about it.
//!
//! [`start`] opens the metadata file, founds a group of one if it is new, and starts two threads' worth of work: the
//! metadata thread ([`metadata`]), which alone owns the machine and the disk, and a small runtime for the conversations
//! with other nodes: [`propose`], [`join`], [`register`], [`follow`], [`presence`], [`seeds`]. The rest of the node sees
//! [`MetadataHandle`]: the newest [`View`] to read, and changes to ask for.
//!
//! In standalone mode none of this runs.

pub(crate) mod follow;
mod gates;
mod identity;
pub(crate) mod join;
pub(crate) mod metadata;
mod numbers;
mod presence;
pub(crate) mod propose;
mod reclaim;
mod register;
mod seeds;
pub(crate) mod shared;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use nuthatch_cluster::metadata::Machine;
use nuthatch_cluster::routing::{MetadataContact, Standing};
use nuthatch_cluster::topology::{ProcessId, Topology, TopologyChange};
use nuthatch_cluster::views::{Link, LocalView};
use nuthatch_engine::Engine;
use nuthatch_proto::ids::{LogIndex, NodeId};
use nuthatch_proto::slot::Slot;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

pub use join::MeetError;
pub use metadata::Fatal;
pub use propose::{GiveError, ProposeError};
pub use shared::{Rules, View};

use crate::clock;
use crate::feed::{Departures, Feed};
use crate::pubsub::Pubsub;
use crate::raft_log::{NodeIdentity, RaftLog, RaftLogError, Stored};
use crate::replication::{self, Replication};
use crate::rpc::broadcast;
use crate::rpc::outbox::Outbox;
use crate::rpc::peers::{PeerAddress, Peers};
use crate::rpc::secret::{InvalidSecret, Secret};
use crate::rpc::service;
use metadata::Driver;
use shared::{Announce, EVENTS_MAX, Event, Shared, Surroundings};

/// The cluster port is so far above the port for clients, unless configured.
pub const CLUSTER_PORT_OFFSET: u16 = 10_000;

/// The address of a node that does not know another of its own yet.
const LOOPBACK: &str = "127.0.0.1";

/// What the control plane needs to start.
pub struct ControlOptions {
    /// Where the metadata file is kept. Must exist.
    pub directory: PathBuf,
    /// The bound sockets of the cluster port: as the port for clients is bound.
    pub sockets: Vec<TcpListener>,
    /// The host that others are told; without it, the address bound, or the one that others see.
    pub announce_host: Option<String>,
    /// The host name that clients are told beside it; empty is none.
    pub announce_hostname: String,
    /// The port for clients, as others are told.
    pub port: u16,
    /// The cluster port, as others are told.
    pub cluster_port: u16,
    /// What every peer must show.
    pub secret: Secret,
    /// Addresses of clients' ports, `host:port`, of nodes to look for a cluster at.
    pub join: Vec<String>,
    /// What may change later.
    pub rules: Rules,
    /// The data, whose gates follow the topology.
    pub engine: Arc<Engine>,
    /// The subscribers, who hear what is published at other nodes.
    pub(crate) pubsub: Arc<Pubsub>,
    /// Where effects go; it hears of keys that go with their slot too.
    pub(crate) feed: Arc<Feed>,
}

/// Why the control plane cannot start. One line that names what is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The metadata file.
    #[error(transparent)]
    Log(#[from] RaftLogError),
    /// What the file holds.
    #[error("the metadata of this node cannot be used: {0}")]
    Start(Fatal),
    /// A seed's address.
    #[error("join: '{0}' is no address: write host:port, the port being the one for clients")]
    Seed(String),
    /// What others are to be told.
    #[error("cluster-announce-ip, -hostname, -port or -bus-port: '{0}' cannot be shown to clients")]
    Announce(String),
    /// The secret.
    #[error(transparent)]
    Secret(#[from] InvalidSecret),
    /// Threads, sockets, randomness.
    #[error("the control plane cannot start: {0}")]
    System(#[from] io::Error),
}

/// The running control plane. Dropping it does not stop it; [`Control::stop`] does.
pub struct Control {
    handle: MetadataHandle,
    thread: JoinHandle<()>,
    copies: JoinHandle<()>,
    runtime: Runtime,
}

/// What the node sees of the control plane; cheap to clone.
#[derive(Clone)]
pub struct MetadataHandle {
    shared: Arc<Shared>,
}

/// Starts the control plane. When this returns, a node that is a member of a group already has its old topology, and a
/// blank one is a group of its own.
///
/// # Errors
/// If the metadata file cannot be used or the system refuses.
pub fn start(options: ControlOptions) -> Result<Control, ControlError> {
    let seeds = options.join.iter().map(|seed| seed_address(seed));
    let seeds: Vec<_> = seeds.collect::<Result<_, _>>()?;
    let announce = Announce {
        host: options.announce_host.clone().or_else(|| bound_host(&options.sockets)),
        port: options.port,
        bus_port: options.cluster_port,
        hostname: options.announce_hostname.clone(),
    };
    let announced = announce.address(|| LOOPBACK.to_owned());
    if !announced.is_valid() {
        return Err(ControlError::Announce(format!("{announced} {}", announced.hostname)));
    }
    let process = identity::process_id()?;
    let log = RaftLog::open(&options.directory)?;
    let stored = load_or_found(&log, process, &announce)?;
    let (identity, pending_join) = (stored.identity, stored.pending_join.clone());
    let (machine, followed) = metadata::restore(stored, clock::seed()?).map_err(ControlError::Start)?;
    let topology = metadata::newest(&machine, followed.as_ref())
        .ok_or_else(|| log.damaged("a member without any topology"))?;

    let runtime =
        Builder::new_multi_thread().worker_threads(1).thread_name("nuthatch-rpc").enable_all().build()?;
    let peers = Arc::new(Peers::new(options.secret.clone()));
    let (sender, events) = mpsc::sync_channel(EVENTS_MAX);
    let (replication, replication_events) = Replication::new();
    let replication = Arc::new(replication);
    let full_coverage = options.rules.require_full_coverage;
    let view = first_view(&machine, &identity, process, topology, full_coverage, Arc::clone(&replication));
    let surroundings = Surroundings {
        peers,
        runtime: runtime.handle().clone(),
        announce,
        rules: options.rules,
        pubsub: options.pubsub,
        replication: Arc::clone(&replication),
    };
    let shared = Arc::new(Shared::new(view, sender, surroundings, clock::seed()?));
    let driver = Driver {
        shared: Arc::clone(&shared),
        log,
        identity,
        process,
        machine,
        followed,
        pending_join: pending_join.clone(),
        outbox: Outbox::new(runtime.handle().clone(), Arc::clone(&shared.peers), Arc::clone(&shared) as _),
        gates: gates::Gates::new(
            Arc::clone(&options.engine),
            Arc::new(Departures(Arc::clone(&options.feed))),
            replication,
        )?,
        waiting: HashMap::new(),
    };
    converse(&shared, options.sockets, options.secret, seeds, pending_join)?;
    let thread = std::thread::Builder::new().name("nuthatch-metadata".to_owned());
    let thread = thread.spawn(move || driver.run(&events))?;
    let copies =
        replication::driver::start(Arc::clone(&shared), options.engine, options.feed, replication_events)?;
    Ok(Control { handle: MetadataHandle { shared }, thread, copies, runtime })
}

fn load_or_found(log: &RaftLog, process: ProcessId, announce: &Announce) -> Result<Stored, ControlError> {
    if let Some(stored) = log.load()? {
        return Ok(stored);
    }
    let identity = NodeIdentity {
        node: identity::node_id()?,
        storage: identity::storage_id()?,
        shard: identity::shard_id()?,
    };
    log.found(&identity, process, identity::group_id()?, announce.address(|| LOOPBACK.to_owned()))?;
    Ok(log.load()?.ok_or_else(|| log.damaged("it is empty after it was written"))?)
}

fn first_view(
    machine: &Machine,
    identity: &NodeIdentity,
    process: ProcessId,
    topology: Arc<Topology>,
    require_full_coverage: bool,
    replication: Arc<Replication>,
) -> View {
    View {
        me: identity.node,
        storage: identity.storage,
        process,
        standing: Standing::new(&topology, identity.node, process, require_full_coverage),
        topology,
        leader: machine.leader(),
        leaderless_since: Some(clock::monotonic()),
        leads: false,
        part: machine.status().role,
        joining: false,
        replication,
    }
}

/// Starts the tasks that talk with other nodes.
fn converse(
    shared: &Arc<Shared>,
    sockets: Vec<TcpListener>,
    secret: Secret,
    seeds: Vec<PeerAddress>,
    pending_join: Option<String>,
) -> io::Result<()> {
    let runtime = &shared.runtime;
    let entered = runtime.enter();
    let listeners: io::Result<Vec<_>> = sockets
        .into_iter()
        .map(|socket| {
            socket.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(socket)
        })
        .collect();
    drop(entered);
    runtime.spawn(service::serve(listeners?, secret, Arc::clone(shared)));
    runtime.spawn(register::register(Arc::clone(shared)));
    runtime.spawn(follow::follow(Arc::clone(shared)));
    runtime.spawn(presence::look(Arc::clone(shared)));
    runtime.spawn(broadcast::carry(Arc::clone(shared)));
    runtime.spawn(replication::failover::beat(Arc::clone(shared)));
    if let Some(target) = pending_join.as_deref().and_then(PeerAddress::parse) {
        shared.resume_join(target);
    }
    if !seeds.is_empty() {
        runtime.spawn(seeds::use_seeds(Arc::clone(shared), seeds));
    }
    Ok(())
}

/// A seed is named by its port for clients; it is asked at the cluster port that usually goes with it.
fn seed_address(seed: &str) -> Result<PeerAddress, ControlError> {
    let no_address = || ControlError::Seed(seed.to_owned());
    let address = PeerAddress::parse(seed.trim()).ok_or_else(no_address)?;
    let port = address.port.checked_add(CLUSTER_PORT_OFFSET).ok_or_else(no_address)?;
    Ok(PeerAddress { port, ..address })
}

/// The address that a node must be reached at because it listens nowhere else.
fn bound_host(sockets: &[TcpListener]) -> Option<String> {
    let ips: Vec<IpAddr> = sockets.iter().filter_map(|socket| Some(socket.local_addr().ok()?.ip())).collect();
    if ips.iter().any(IpAddr::is_unspecified) {
        return None;
    }
    ips.iter().find(|ip| !ip.is_loopback()).or(ips.first()).map(IpAddr::to_string)
}

impl Control {
    /// The way to it.
    #[must_use]
    pub fn handle(&self) -> MetadataHandle {
        self.handle.clone()
    }

    /// Stops it and waits until the disk is closed.
    pub fn stop(self) {
        self.handle.shared.replication.stop();
        if self.copies.join().is_err() {
            tracing::error!("The thread for replication ended in a panic.");
        }
        // If the queue is full, the thread ends with the process.
        if self.handle.shared.tell(Event::Stop).is_ok() {
            let _ = self.thread.join();
        }
        self.runtime.shutdown_background();
    }
}

impl MetadataHandle {
    /// The newest view. Take it once for what belongs together.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.shared.view()
    }

    /// The newest topology.
    #[must_use]
    pub fn topology(&self) -> Arc<Topology> {
        Arc::clone(&self.shared.view().topology)
    }

    /// What this node observes of the cluster itself, for the CLUSTER commands; `view` is the one they answer from.
    #[must_use]
    pub fn observed(&self, view: &View) -> LocalView {
        let shared = &self.shared;
        let others = view.topology.nodes().filter(|node| node.id != view.me);
        let mut peers = shared.presence.peers(others, clock::now(), shared.rules().node_timeout);
        for (node, created) in shared.callers.named() {
            if let Some(peer) = peers.get_mut(&node) {
                let buffers =
                    Link { outgoing: false, created, send_buffer_allocated: 0, send_buffer_used: 0 };
                peer.links.push(buffers);
            }
        }
        LocalView {
            leader: view.leader.and_then(|leader| view.topology.node_by_raft_id(leader)).map(|node| node.id),
            peers,
            messages_sent: shared.counts.sent.load(Ordering::Relaxed),
            messages_received: shared.counts.received.load(Ordering::Relaxed),
            ..LocalView::new(view.standing, shared.contact(view))
        }
    }

    /// How replication stands.
    pub(crate) fn replication(&self) -> &Replication {
        &self.shared.replication
    }

    /// Has this node go by other rules from now on.
    pub(crate) fn set_rules(&self, rules: Rules) {
        self.shared.set_rules(rules);
    }

    /// Whether this node hears the metadata group.
    pub(crate) fn contact(&self, view: &View) -> MetadataContact {
        self.shared.contact(view)
    }

    /// Moves a slot without keys to another node's shard; afterwards that is applied on this node, its present owner.
    ///
    /// # Errors
    /// If the slot has keys, or as [`MetadataHandle::propose`].
    pub async fn give_slot(&self, slot: Slot, to: NodeId) -> Result<(), GiveError> {
        let shared = Arc::clone(&self.shared);
        let task = self.shared.runtime.spawn(async move { shared.give_slot(slot, to).await });
        task.await.unwrap_or(Err(GiveError::Refused(ProposeError::Unavailable)))
    }

    /// Has a message that was published here carried to the subscribers of the other nodes, as far as that is possible.
    pub(crate) fn publish(&self, channel: &[u8], message: &[u8]) {
        self.shared.broadcast.publish(channel, message);
    }

    /// How many published messages did not reach another node, counted for each node.
    pub(crate) fn publications_dropped(&self) -> u64 {
        self.shared.broadcast.dropped()
    }

    /// The views as they come.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Arc<View>> {
        self.shared.subscribe()
    }

    /// Makes these changes, all or none; afterwards they are applied on this node.
    ///
    /// # Errors
    /// If the topology's rules refuse them, or nothing was heard in time. The text is the client's error.
    pub async fn propose(&self, changes: Vec<TopologyChange>) -> Result<LogIndex, ProposeError> {
        let shared = Arc::clone(&self.shared);
        let task = self.shared.runtime.spawn(async move { shared.propose(changes).await });
        task.await.unwrap_or(Err(ProposeError::Unavailable))
    }

    /// Makes this node and the one at that address members of one cluster; afterwards that is applied on this node.
    ///
    /// # Errors
    /// If it is not there, may not, or did not answer in time. The text is the client's error.
    pub async fn meet(&self, host: String, cluster_port: u16) -> Result<(), MeetError> {
        let target = PeerAddress::new(host, cluster_port);
        let name = target.to_string();
        let shared = Arc::clone(&self.shared);
        let task = self.shared.runtime.spawn(async move { shared.meet(&target).await });
        task.await.unwrap_or_else(|_| Err(MeetError::Unknown(name, "the node is stopping".to_owned())))
    }

    /// Leaves the cluster and begins anew, alone and without slots; if `hard`, under a new id.
    ///
    /// # Errors
    /// If the cluster does not let it go, or nothing was heard in time. The text is the client's error.
    pub async fn reset(&self, hard: bool) -> Result<(), ProposeError> {
        let shared = Arc::clone(&self.shared);
        let task = self.shared.runtime.spawn(async move { shared.reset(hard).await });
        task.await.unwrap_or(Err(ProposeError::Unavailable))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nuthatch_cluster::topology::SlotRange;
    use nuthatch_engine::EngineOptions;

    use super::*;

    /// A node without clients in a directory that goes away with it.
    struct Member {
        control: Option<Control>,
        pubsub: Arc<Pubsub>,
        directory: PathBuf,
        cluster_port: u16,
    }

    impl Member {
        fn start(name: &str) -> Self {
            Self::with(name, "", Vec::new())
        }

        fn with(name: &str, secret: &str, join: Vec<String>) -> Self {
            let directory =
                std::env::temp_dir().join(format!("nuthatch-driver-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&directory).expect("the temporary directory is writable");
            let mut member = Self { control: None, pubsub: Arc::default(), directory, cluster_port: 0 };
            member.run(secret, join);
            member
        }

        /// Starts it, on the port that it had before if it had one.
        fn run(&mut self, secret: &str, join: Vec<String>) {
            let socket = TcpListener::bind(("127.0.0.1", self.cluster_port)).expect("a free port");
            self.cluster_port = socket.local_addr().expect("bound").port();
            let options = ControlOptions {
                directory: self.directory.clone(),
                sockets: vec![socket],
                announce_host: None,
                announce_hostname: String::new(),
                port: 7001,
                cluster_port: self.cluster_port,
                secret: Secret::new(secret).expect("a valid secret"),
                join,
                rules: Rules {
                    node_timeout: Duration::from_secs(15),
                    require_full_coverage: true,
                    backlog: 1 << 20,
                    replica_max_lag: 0,
                    writes_when_cut_off: false,
                },
                pubsub: Arc::clone(&self.pubsub),
                feed: Arc::default(),
                engine: Arc::new(Engine::new(EngineOptions { databases: 1, in_cluster: true, hash_seed: 1 })),
            };
            self.control = Some(start(options).expect("a free directory and port"));
        }

        fn stop(&mut self) {
            if let Some(control) = self.control.take() {
                control.stop();
            }
        }

        fn handle(&self) -> MetadataHandle {
            self.control.as_ref().expect("it runs").handle()
        }

        async fn meet(&self, other: &Self) -> Result<(), MeetError> {
            self.handle().meet("127.0.0.1".to_owned(), other.cluster_port).await
        }

        async fn add_slots(&self, first: u16, last: u16) -> Result<LogIndex, ProposeError> {
            let ranges = vec![SlotRange::from_numbers(first, last).expect("slots")];
            let node = self.handle().view().me;
            self.handle().propose(vec![TopologyChange::AddSlots { node, ranges }]).await
        }

        /// Waits for a view that is so; the limit only ends a test that has failed.
        async fn until(&self, what: &str, is_so: impl FnMut(&Arc<View>) -> bool) -> Arc<View> {
            let mut views = self.handle().subscribe();
            let found = tokio::time::timeout(Duration::from_secs(60), views.wait_for(is_so)).await;
            let found = found.unwrap_or_else(|_| panic!("never came: {what}"));
            Arc::clone(&found.expect("the node runs"))
        }
    }

    impl Drop for Member {
        fn drop(&mut self) {
            self.stop();
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }

    #[tokio::test]
    async fn a_blank_node_is_a_group_that_answers() {
        let node = Member::start("alone");
        node.add_slots(0, 16383).await.expect("it leads itself");
        let view = node.handle().view();
        assert!(view.is_registered() && view.leads);
        assert_eq!(view.topology.assigned(), 16384);
        let refused = node.add_slots(3, 3).await.expect_err("it has it already");
        assert_eq!(refused.to_string(), "ERR Slot 3 is already busy");
    }

    #[tokio::test]
    async fn nodes_meet_agree_and_survive_the_leader() {
        let mut nodes = ["meet-a", "meet-b", "meet-c"].map(Member::start);
        for (place, node) in nodes.iter().enumerate() {
            let first = u16::try_from(place).expect("small") * 100;
            node.add_slots(first, first + 99).await.expect("alone");
        }
        nodes[1].meet(&nodes[0]).await.expect("both are alone");
        nodes[0].meet(&nodes[2]).await.expect("a member invites");
        nodes[2].meet(&nodes[1]).await.expect("they are in one group");
        for node in &nodes {
            let three = |view: &Arc<View>| {
                view.topology.nodes_in_role(nuthatch_cluster::topology::Role::Voter).count() == 3
            };
            let view = node.until("three voters", three).await;
            assert_eq!(view.topology.assigned(), 300);
        }
        let leader = nodes.iter().position(|node| node.handle().view().leads).expect("one leads");
        let ids: Vec<_> = nodes.iter().map(|node| node.handle().view().me).collect();
        nodes[leader].stop();
        let survivor = (leader + 1) % 3;
        let committed = nodes[survivor].add_slots(1000, 1000).await;
        committed.expect("two of three are a majority");
        nodes[leader].run("", Vec::new());
        let back = nodes[leader].until("caught up and registered", |view| {
            view.is_registered() && view.topology.assigned() == 301
        });
        assert_eq!(back.await.me, ids[leader]);
    }

    #[tokio::test]
    async fn what_is_published_at_one_node_is_heard_at_the_others_in_order() {
        let (one, other) = (Member::start("publish-a"), Member::start("publish-b"));
        one.meet(&other).await.expect("both are alone");
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        let clients = crate::net::clients::Clients::default();
        let client = clients.register(address, address, 1, clock::now());
        other.pubsub.subscribe(&client, crate::pubsub::Kind::Channel, b"news");
        // The first ones may come before the queue for the other node is there.
        let mut heard = Vec::new();
        for number in 0u64.. {
            one.handle().publish(b"news", number.to_string().as_bytes());
            tokio::task::yield_now().await;
            client.take_pushes(&mut heard);
            if heard.len() > 10_000 {
                break;
            }
        }
        let heard = String::from_utf8(heard).expect("text");
        let numbers =
            heard.split("\r\n").skip(6).step_by(7).map(|word| word.parse::<u64>().expect("a number"));
        assert!(numbers.is_sorted(), "{heard}");
    }

    #[tokio::test]
    async fn a_wrong_secret_is_refused() {
        let one = Member::with("secret-a", "swordfish", Vec::new());
        let other = Member::with("secret-b", "sword", Vec::new());
        let refused = other.meet(&one).await.expect_err("it has another secret");
        assert!(matches!(refused, MeetError::OtherSecret(_)), "{refused}");
        assert!(other.handle().view().is_alone() && !other.handle().view().joining);
    }

    #[tokio::test]
    async fn an_address_without_a_node_is_named_once_with_the_reason() {
        let node = Member::start("nobody");
        let handle = node.handle();
        let bound = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = bound.local_addr().expect("bound").port();
        let silent = handle.meet("127.0.0.1".to_owned(), port).await.expect_err("it never answers");
        assert_eq!(silent.to_string(), format!("ERR No node answers at 127.0.0.1:{port}: no answer in time"));
        drop(bound);
        let gone = handle.meet("127.0.0.1".to_owned(), port).await.expect_err("nobody listens");
        let text = gone.to_string();
        assert!(text.starts_with(&format!("ERR No node answers at 127.0.0.1:{port}: ")), "{text}");
        assert_eq!(text.matches("127.0.0.1").count(), 1, "{text}");
    }

    #[tokio::test]
    async fn groups_with_others_do_not_merge_and_slots_must_not_clash() {
        let nodes = ["clash-a", "clash-b", "clash-c", "clash-d"].map(Member::start);
        nodes[1].meet(&nodes[0]).await.expect("both are alone");
        nodes[3].meet(&nodes[2]).await.expect("both are alone");
        let refused = nodes[3].meet(&nodes[0]).await.expect_err("two clusters");
        assert!(matches!(refused, MeetError::TwoClusters(_, 2)), "{refused}");

        nodes[3].handle().reset(true).await.expect("it is no voter");
        assert!(nodes[3].handle().view().is_alone());
        nodes[0].add_slots(5, 5).await.expect("free");
        nodes[3].add_slots(5, 5).await.expect("alone");
        let refused = nodes[3].meet(&nodes[1]).await.expect_err("slot 5 has an owner");
        assert!(refused.to_string().starts_with("ERR Slot 5 of the joining node"), "{refused}");
        assert!(!nodes[3].handle().view().joining);
    }

    #[tokio::test]
    async fn two_nodes_that_meet_each_other_at_once_agree() {
        let (one, other) = (Member::start("cross-a"), Member::start("cross-b"));
        let (a, b) = tokio::join!(one.meet(&other), other.meet(&one));
        a.expect("one of them joins");
        b.expect("the other is joined");
        assert_eq!(one.handle().topology().group(), other.handle().topology().group());
    }

    #[tokio::test]
    async fn the_only_voter_of_two_nodes_can_leave_and_the_other_goes_on() {
        let [founder, other] = ["leave-a", "leave-b"].map(Member::start);
        other.meet(&founder).await.expect("both are alone");
        let id = founder.handle().view().me;
        founder.handle().reset(false).await.expect("the other takes over");
        assert!(founder.handle().view().is_alone());
        other.until("the other leads alone", |view| view.leads && view.is_alone()).await;
        other.add_slots(0, 5).await.expect("it is its own majority");
        assert!(other.handle().topology().is_forgotten(id));
    }

    #[tokio::test]
    async fn the_only_voter_can_be_forgotten_and_begins_anew_when_the_other_has_taken_over() {
        let [founder, other] = ["forget-a", "forget-b"].map(Member::start);
        other.meet(&founder).await.expect("both are alone");
        let (group, node) = (founder.handle().topology().group(), founder.handle().view().me);
        let by = other.handle().view().me;
        let forget = TopologyChange::Forget { node, by };
        other.handle().propose(vec![forget]).await.expect("it owns no slots");
        // As redis-cli does at once; who was forgotten is not alone before the other has taken over.
        founder.handle().reset(false).await.expect("the other takes over");
        founder.until("the forgotten begins anew", |view| view.topology.group() != group).await;
        other.until("the other leads", |view| view.leads).await;
        assert_eq!(other.handle().topology().group(), group);
    }

    #[tokio::test]
    async fn the_only_voter_does_not_leave_while_nobody_could_take_over() {
        let [founder, mut other] = ["stay-a", "stay-b"].map(Member::start);
        other.meet(&founder).await.expect("both are alone");
        other.stop();
        let id = other_than(&founder);
        let handle = founder.handle();
        while handle.observed(&handle.view()).peers.get(&id).is_none_or(|peer| peer.connected) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let refused = handle.reset(false).await.expect_err("nobody could take over");
        assert_eq!(refused, ProposeError::NoSuccessor);
        assert_eq!(handle.topology().nodes().len(), 2);
    }

    fn other_than(member: &Member) -> NodeId {
        let view = member.handle().view();
        view.topology.nodes().map(|node| node.id).find(|id| *id != view.me).expect("two members")
    }

    #[test]
    fn seeds_are_named_by_the_port_for_clients() {
        assert_eq!(seed_address(" 10.0.0.1:7001").ok(), Some(PeerAddress::new("10.0.0.1", 17001)));
        assert!(seed_address("10.0.0.1").is_err());
        assert!(seed_address("10.0.0.1:60000").is_err());
    }

    #[track_caller]
    fn check_bound(bound: &[&str], expected: Option<&str>) {
        let sockets: Vec<_> =
            bound.iter().map(|ip| TcpListener::bind((*ip, 0)).expect("a free port")).collect();
        assert_eq!(bound_host(&sockets).as_deref(), expected, "{bound:?}");
    }

    #[test]
    fn a_node_that_listens_on_one_address_is_reached_there() {
        check_bound(&["127.0.0.1"], Some("127.0.0.1"));
        check_bound(&["0.0.0.0"], None);
        check_bound(&["127.0.0.1", "0.0.0.0"], None);
    }
}
