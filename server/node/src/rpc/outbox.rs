//! Raft messages on their way out: one bounded queue and one task for each receiver.
//!
//! Raft needs no message to arrive; it needs the newest to go soon. So a queue that is full drops its oldest message,
//! and what cannot be delivered is dropped and reported, never kept. A receiver that hangs delays nobody else.
//!
//! Invariants: messages to one receiver leave in order, one call at a time; a queue holds at most [`QUEUE_MAX`]
//! messages; each snapshot that was handed in is reported exactly once, as arrived or not (otherwise Raft would wait for
//! it for ever); the tasks end with [`Outbox::clear`].
//!
//! Neighbours: `driver/metadata` hands messages in and hears the reports.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use nuthatch_cluster::topology::RaftId;
use nuthatch_proto::rpc::{NodeAddress, RaftMessage, RaftMessageKind, RaftRequest};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::peers::{PeerAddress, Peers};

/// How many messages wait for one receiver.
const QUEUE_MAX: usize = 512;

/// How many messages one call carries.
const BATCH_MAX: usize = 64;

/// How long a call may take. Longer than an election, and the messages are worth nothing any more.
const DEADLINE: Duration = Duration::from_secs(2);

/// The same for a call with a snapshot in it.
const SNAPSHOT_DEADLINE: Duration = Duration::from_secs(10);

/// What the sender hears of its messages.
pub(crate) trait Reports: Send + Sync + 'static {
    /// Where that member is reached, as far as is known.
    fn address(&self, receiver: RaftId) -> Option<PeerAddress>;
    /// What to call ourselves, so that the receiver can answer.
    fn sender(&self) -> NodeAddress;
    /// Messages to it were lost.
    fn unreachable(&self, receiver: RaftId);
    /// A snapshot to it arrived, or did not.
    fn snapshot_sent(&self, receiver: RaftId, arrived: bool);
}

/// The queues of one member of one group.
pub(crate) struct Outbox {
    runtime: Handle,
    peers: Arc<Peers>,
    reports: Arc<dyn Reports>,
    queues: HashMap<RaftId, (Arc<Queue>, AbortHandle)>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<VecDeque<RaftMessage>>,
    filled: Notify,
}

impl Outbox {
    pub(crate) fn new(runtime: Handle, peers: Arc<Peers>, reports: Arc<dyn Reports>) -> Self {
        Self { runtime, peers, reports, queues: HashMap::new() }
    }

    /// Queues a message for the member that it names.
    pub(crate) fn send(&mut self, message: RaftMessage) {
        let receiver = RaftId(message.to);
        let (queue, _) = self.queues.entry(receiver).or_insert_with(|| {
            let queue = Arc::new(Queue::default());
            let task =
                deliver(receiver, Arc::clone(&queue), Arc::clone(&self.peers), Arc::clone(&self.reports));
            (queue, self.runtime.spawn(task).abort_handle())
        });
        let dropped = queue.push(message);
        if dropped.is_some_and(|message| is_snapshot(&message)) {
            self.reports.snapshot_sent(receiver, false);
        }
    }

    /// Ends the tasks of members that are none any more.
    pub(crate) fn retain(&mut self, mut is_member: impl FnMut(RaftId) -> bool) {
        self.queues.retain(|&receiver, (_, task)| {
            let keep = is_member(receiver);
            if !keep {
                task.abort();
            }
            keep
        });
    }

    /// Ends all tasks: the node leaves the group.
    pub(crate) fn clear(&mut self) {
        self.retain(|_| false);
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Queue {
    /// Appends a message; what had to be dropped for it is returned.
    fn push(&self, message: RaftMessage) -> Option<RaftMessage> {
        let mut waiting = self.waiting.lock();
        let dropped = if waiting.len() >= QUEUE_MAX { waiting.pop_front() } else { None };
        waiting.push_back(message);
        self.filled.notify_one();
        dropped
    }

    async fn pop(&self) -> Vec<RaftMessage> {
        loop {
            let filled = self.filled.notified();
            let batch: Vec<_> = {
                let mut waiting = self.waiting.lock();
                let count = waiting.len().min(BATCH_MAX);
                waiting.drain(..count).collect()
            };
            if !batch.is_empty() {
                return batch;
            }
            filled.await;
        }
    }
}

fn is_snapshot(message: &RaftMessage) -> bool {
    message.kind() == RaftMessageKind::Snapshot
}

async fn deliver(receiver: RaftId, queue: Arc<Queue>, peers: Arc<Peers>, reports: Arc<dyn Reports>) {
    loop {
        let messages = queue.pop().await;
        let snapshots = messages.iter().filter(|message| is_snapshot(message)).count();
        let deadline = if snapshots > 0 { SNAPSHOT_DEADLINE } else { DEADLINE };
        let arrived = match reports.address(receiver) {
            None => false,
            Some(address) => {
                let request = RaftRequest { sender: Some(reports.sender()), messages };
                let call =
                    peers.call(&address, deadline, |mut client| async move { client.raft(request).await });
                let outcome = call.await;
                outcome
                    .inspect_err(|error| tracing::debug!("Raft messages to {receiver} were lost: {error}"))
                    .is_ok()
            }
        };
        if !arrived {
            reports.unreachable(receiver);
        }
        (0..snapshots).for_each(|_| reports.snapshot_sent(receiver, arrived));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(index: u64) -> RaftMessage {
        RaftMessage { to: 2, index, ..RaftMessage::default() }
    }

    #[tokio::test]
    async fn a_full_queue_drops_the_oldest_and_keeps_the_order() {
        let queue = Queue::default();
        let extra = 3;
        let dropped: Vec<_> = (0..QUEUE_MAX as u64 + extra)
            .filter_map(|index| queue.push(message(index)))
            .map(|m| m.index)
            .collect();
        assert_eq!(dropped, (0..extra).collect::<Vec<_>>());
        let mut popped = Vec::new();
        while popped.len() < QUEUE_MAX {
            let batch = queue.pop().await;
            assert!(batch.len() <= BATCH_MAX);
            popped.extend(batch.into_iter().map(|m| m.index));
        }
        assert_eq!(popped, (extra..QUEUE_MAX as u64 + extra).collect::<Vec<_>>());
    }

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>, Notify);

    impl Heard {
        fn note(&self, what: String) {
            self.0.lock().push(what);
            self.1.notify_one();
        }
    }

    impl Reports for Heard {
        fn address(&self, _: RaftId) -> Option<PeerAddress> {
            None
        }
        fn sender(&self) -> NodeAddress {
            NodeAddress::default()
        }
        fn unreachable(&self, receiver: RaftId) {
            self.note(format!("{receiver} unreachable"));
        }
        fn snapshot_sent(&self, receiver: RaftId, arrived: bool) {
            self.note(format!("snapshot to {receiver}: {arrived}"));
        }
    }

    #[tokio::test]
    async fn what_cannot_be_delivered_is_reported() {
        let heard = Arc::new(Heard::default());
        let peers = Arc::new(Peers::new(super::super::secret::Secret::default()));
        let mut outbox = Outbox::new(Handle::current(), peers, Arc::clone(&heard) as Arc<dyn Reports>);
        outbox.send(RaftMessage { kind: RaftMessageKind::Snapshot.into(), ..message(1) });
        while heard.0.lock().len() < 2 {
            heard.1.notified().await;
        }
        assert_eq!(*heard.0.lock(), ["2 unreachable", "snapshot to 2: false"]);
    }
}
