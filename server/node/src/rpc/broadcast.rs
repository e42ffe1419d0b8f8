//! Published messages on their way to the other nodes: one bounded queue and one task for each of them.
//!
//! PUBLISH reaches the subscribers of the whole cluster, whichever node they are connected to. It never waits for that:
//! the message is appended to the queue of every other member, and the members' tasks carry the queues over, in order
//! and one call at a time. Delivery is at most once, as PUBLISH's always is: a message that finds its queue full, that
//! is too long for a call, or whose call fails, is dropped and counted.
//!
//! Invariants: a queue holds at most [`QUEUE_MAX`] messages and [`BYTES_MAX`] bytes; the queues are those of the members
//! of the newest topology but this node.
//!
//! Neighbours: `admin/pubsub` hands messages in, `service` receives those of others, `pubsub` delivers them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use nuthatch_proto::ids::NodeId;
use nuthatch_proto::rpc::{PublishRequest, PublishedMessage};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::driver::shared::Shared;

/// How many messages wait for one member.
const QUEUE_MAX: usize = 16 * 1024;

/// How many bytes of messages wait for one member: less than one call may carry.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// What a message costs beside its bytes.
const OVERHEAD: usize = 32;

/// How long a call may take.
const DEADLINE: Duration = Duration::from_secs(2);

/// The queues of one node.
#[derive(Debug, Default)]
pub(crate) struct Broadcast {
    queues: ArcSwap<Vec<Arc<Queue>>>,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<PublishedMessage>,
    bytes: usize,
}

fn cost(message: &PublishedMessage) -> usize {
    message.channel.len() + message.message.len() + OVERHEAD
}

impl Queue {
    /// Appends a message; `false` if there is no room for it.
    fn push(&self, message: PublishedMessage) -> bool {
        let mut waiting = self.waiting.lock();
        let bytes = waiting.bytes.saturating_add(cost(&message));
        if waiting.messages.len() >= QUEUE_MAX || bytes > BYTES_MAX {
            return false;
        }
        waiting.bytes = bytes;
        waiting.messages.push_back(message);
        self.filled.notify_one();
        true
    }

    /// All that waits, as soon as something does.
    async fn pop(&self) -> Vec<PublishedMessage> {
        loop {
            let filled = self.filled.notified();
            let waiting = std::mem::take(&mut *self.waiting.lock());
            if !waiting.messages.is_empty() {
                return waiting.messages.into();
            }
            filled.await;
        }
    }
}

impl Broadcast {
    /// Has a message carried to the other members.
    pub(crate) fn publish(&self, channel: &[u8], message: &[u8]) {
        let queues = self.queues.load();
        if queues.is_empty() {
            return;
        }
        let message = PublishedMessage { channel: channel.to_vec().into(), message: message.to_vec().into() };
        let refused = queues.iter().filter(|queue| !queue.push(message.clone())).count();
        self.drop_some(refused);
    }

    fn drop_some(&self, count: usize) {
        self.dropped.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// How many messages did not reach a member, counted for each member.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Keeps a queue and a task for every other member, for as long as the node runs.
pub(crate) async fn carry(shared: Arc<Shared>) {
    let mut views = shared.subscribe();
    let mut tasks: HashMap<NodeId, (Arc<Queue>, AbortHandle)> = HashMap::new();
    loop {
        let view = Arc::clone(&views.borrow_and_update());
        let is_other = |id: NodeId| id != view.me && view.topology.node(id).is_some();
        tasks.retain(|&id, (_, task)| {
            let stays = is_other(id);
            if !stays {
                task.abort();
            }
            stays
        });
        for node in view.topology.nodes().filter(|node| node.id != view.me) {
            tasks.entry(node.id).or_insert_with(|| {
                let queue = Arc::new(Queue::default());
                let task = tokio::spawn(deliver(Arc::clone(&shared), node.id, Arc::clone(&queue)));
                (queue, task.abort_handle())
            });
        }
        shared.broadcast.queues.store(Arc::new(tasks.values().map(|(queue, _)| Arc::clone(queue)).collect()));
        if views.changed().await.is_err() {
            return;
        }
    }
}

async fn deliver(shared: Arc<Shared>, receiver: NodeId, queue: Arc<Queue>) {
    loop {
        let messages = queue.pop().await;
        let count = messages.len();
        let view = shared.view();
        let Some(node) = view.topology.node(receiver) else { return };
        let group_id = view.topology.group().0.to_vec().into();
        let request = PublishRequest { group_id, messages };
        let address = shared.address_of(node);
        let call =
            shared.peers.call(&address, DEADLINE, |mut client| async move { client.publish(request).await });
        if let Err(error) = call.await {
            tracing::debug!("{count} published messages to {receiver} were lost: {error}");
            shared.broadcast.drop_some(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(len: usize) -> PublishedMessage {
        PublishedMessage { channel: vec![b'c'; 3].into(), message: vec![b'm'; len].into() }
    }

    #[tokio::test]
    async fn messages_leave_in_order_and_make_room() {
        let queue = Queue::default();
        assert!((0..10).all(|len| queue.push(message(len))));
        let lens: Vec<_> = queue.pop().await.iter().map(|message| message.message.len()).collect();
        assert_eq!(lens, (0..10).collect::<Vec<_>>());
        assert_eq!(queue.waiting.lock().bytes, 0);
    }

    #[test]
    fn a_full_queue_takes_nothing_more() {
        let queue = Queue::default();
        assert!((0..QUEUE_MAX).all(|_| queue.push(message(0))));
        assert!(!queue.push(message(0)));
        let queue = Queue::default();
        assert!(!queue.push(message(BYTES_MAX)));
        assert!(queue.push(message(BYTES_MAX / 2)));
        assert!(!queue.push(message(BYTES_MAX / 2)));
    }

    #[test]
    fn what_is_refused_is_counted_for_each_member() {
        let broadcast = Broadcast::default();
        broadcast.publish(b"a", b"alone");
        assert_eq!(broadcast.dropped(), 0);
        broadcast.queues.store(Arc::new(vec![Arc::default(), Arc::default()]));
        broadcast.publish(b"a", &vec![0; BYTES_MAX]);
        broadcast.publish(b"a", b"small");
        assert_eq!(broadcast.dropped(), 2);
    }
}
