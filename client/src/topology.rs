//! What the client knows of the cluster: who owns each slot, and how to reach them.
//!
//! A [`View`] is published as a whole and read without a lock. Two things replace it: a MOVED reply, at once and for one
//! slot, and the refresher, a task of its own that asks for the whole map when somebody hints at a change and from time
//! to time. Refreshing asks a few nodes at a time and takes the first answer, so that dead ones cost nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use nuthatch_proto::slot::Slot;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::client::builder::Options;
use crate::connection::Node;
use crate::error::{Effect, Error, ErrorKind};
use crate::request::Request;
use crate::router::{SlotMap, resolve};

/// How many nodes are asked for the slots at once.
const ASKED_AT_ONCE: usize = 3;
/// The least time between two refreshes, however many hints there are.
const REFRESH_PAUSE: Duration = Duration::from_millis(50);

/// The slot map with the nodes it speaks of, in the same order.
struct View {
    /// Never without nodes.
    map: SlotMap,
    nodes: Vec<Arc<Node>>,
}

/// What all clones of a client share.
pub(crate) struct Cluster {
    pub(crate) options: Arc<Options>,
    view: ArcSwap<View>,
    /// Every node that was met; those that own nothing and are no seeds are forgotten with the next full map.
    nodes: Mutex<HashMap<Arc<str>, Arc<Node>>>,
    hint: Arc<Notify>,
    /// Whose turn it is to take a request that any node can take.
    turn: AtomicUsize,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Lets the refresher see that it is not needed any more.
        self.hint.notify_one();
    }
}

impl Cluster {
    /// Asks the seeds for the slots and starts the refresher.
    pub(crate) async fn discover(options: Arc<Options>) -> Result<Arc<Self>, Error> {
        if options.seeds.is_empty() {
            return Err(Error::new(ErrorKind::NoCluster("there are no seeds".into()), Effect::NotSent));
        }
        let seeds = options.seeds.iter().map(|seed| (Arc::clone(seed), new_node(seed, &options)));
        let nodes: HashMap<_, _> = seeds.collect();
        let view = View {
            map: SlotMap::unknown(nodes.keys().cloned().collect()),
            nodes: nodes.values().cloned().collect(),
        };
        let cluster = Self {
            options,
            view: ArcSwap::from_pointee(view),
            nodes: Mutex::new(nodes),
            hint: Arc::default(),
            turn: AtomicUsize::new(0),
        };
        cluster.refresh().await?;
        let cluster = Arc::new(cluster);
        tokio::spawn(refresher(Arc::downgrade(&cluster), Arc::clone(&cluster.hint)));
        Ok(cluster)
    }

    /// The node to ask: the slot's owner, or any for what has no slot or nobody is known to own.
    pub(crate) fn target(&self, slot: Option<Slot>) -> Arc<Node> {
        let view = self.view.load();
        let owner = slot.and_then(|slot| view.map.owner(slot));
        let index = owner.unwrap_or_else(|| self.turn.fetch_add(1, Ordering::Relaxed) % view.nodes.len());
        Arc::clone(&view.nodes[index])
    }

    /// The node at that address, whether or not it is known to be in the cluster.
    pub(crate) fn node(&self, address: &str) -> Arc<Node> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        self.node_in(&mut nodes, &address.into())
    }

    fn node_in(&self, nodes: &mut HashMap<Arc<str>, Arc<Node>>, address: &Arc<str>) -> Arc<Node> {
        Arc::clone(nodes.entry(Arc::clone(address)).or_insert_with(|| new_node(address, &self.options)))
    }

    /// Whether the keys of one command have to be in one slot.
    pub(crate) fn clustered(&self) -> bool {
        self.view.load().map.clustered()
    }

    /// The nodes of the map.
    pub(crate) fn nodes(&self) -> Vec<Arc<Node>> {
        self.view.load().nodes.clone()
    }

    /// Takes note that the slot has another owner, and has the whole map asked for.
    pub(crate) fn moved(&self, slot: Slot, address: &str) {
        self.publish(|map| map.moved(slot, address));
        self.hint.notify_one();
    }

    /// Has the map asked for soon.
    pub(crate) fn suspect(&self) {
        self.hint.notify_one();
    }

    /// Replaces the map by what `change` makes of it.
    fn publish(&self, change: impl FnOnce(&SlotMap) -> Option<SlotMap>) {
        // The lock makes changes follow each other; readers never take it.
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(map) = change(&self.view.load().map) else { return };
        let members = map.nodes().iter().map(|address| self.node_in(&mut nodes, address)).collect();
        self.view.store(Arc::new(View { map, nodes: members }));
    }

    /// Forgets the nodes that are neither in the map nor seeds.
    fn forget_strangers(&self) {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let view = self.view.load();
        nodes.retain(|address, _| view.map.nodes().contains(address) || self.options.seeds.contains(address));
    }

    /// Asks for the whole map, a few nodes at a time, until one answers.
    async fn refresh(&self) -> Result<(), Error> {
        let mut candidates = self.nodes();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % candidates.len().max(1);
        candidates.rotate_left(turn);
        for seed in &self.options.seeds {
            if !candidates.iter().any(|node| node.address() == seed) {
                candidates.push(self.node(seed));
            }
        }
        let mut candidates = candidates.into_iter();
        let mut asked = JoinSet::new();
        let mut reason = ErrorKind::NoCluster("none was asked".into());
        loop {
            while asked.len() < ASKED_AT_ONCE
                && let Some(node) = candidates.next()
            {
                asked.spawn(ask_for_slots(node, Instant::now() + self.options.deadline));
            }
            match asked.join_next().await {
                Some(Ok(Ok(map))) => {
                    self.publish(|_| Some(map));
                    self.forget_strangers();
                    return Ok(());
                }
                Some(Ok(Err(kind))) => reason = kind,
                Some(Err(_)) => {}
                None => return Err(Error::new(unreachable_cluster(reason), Effect::NotSent)),
            }
        }
    }
}

fn new_node(address: &Arc<str>, options: &Arc<Options>) -> Arc<Node> {
    Arc::new(Node::new(Arc::clone(address), Arc::clone(options)))
}

/// A refused password stays what it is; all else means that there is no cluster.
fn unreachable_cluster(reason: ErrorKind) -> ErrorKind {
    if matches!(reason, ErrorKind::Handshake(_) | ErrorKind::NoCluster(_)) {
        return reason;
    }
    ErrorKind::NoCluster(reason.to_string())
}

/// Asks one node for the slots. One that is no cluster owns them all.
async fn ask_for_slots(node: Arc<Node>, deadline: Instant) -> Result<SlotMap, ErrorKind> {
    let request = Request::new(&["CLUSTER", "SLOTS"]).map_err(|error| error.kind().clone())?;
    let reply = node.call(request.bytes, 1, deadline).await.into_last().map_err(|failure| failure.kind)?;
    if let Some(refusal) = reply.as_error() {
        let no_cluster = refusal.contains("cluster support disabled") || refusal.starts_with("ERR unknown");
        return if no_cluster {
            Ok(SlotMap::single(node.address()))
        } else {
            Err(ErrorKind::Server(refusal.to_owned()))
        };
    }
    let expected = "a list of slot ranges";
    SlotMap::from_reply(&reply, node.address()).ok_or(ErrorKind::Unexpected { expected })
}

/// Refreshes the view until the last client is gone.
async fn refresher(cluster: Weak<Cluster>, hint: Arc<Notify>) {
    while let Some(interval) = cluster.upgrade().map(|cluster| cluster.options.refresh_interval) {
        // Both a hint and its absence are reasons to refresh.
        let _ = timeout(interval, hint.notified()).await;
        if let Some(cluster) = cluster.upgrade() {
            // If nobody answers, the view stays as it is, and the next failing call hints again.
            let _ = cluster.refresh().await;
        }
        sleep(REFRESH_PAUSE).await;
    }
}

/// The address behind an endpoint that `node` named.
pub(crate) fn address_from(endpoint: &str, node: &Node) -> String {
    resolve(endpoint, node.address())
}
