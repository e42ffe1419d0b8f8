//! Who is there: each node asks the others in turn whether they answer.
//!
//! What it finds is this node's own observation: it is shown in CLUSTER NODES, and the leader tells it to the metadata
//! machine, which would choose the next voter among members that answer (those outside the Raft group say nothing by
//! themselves). It decides nothing: no node is declared failed here.
//!
//! Invariants: a bounded number of probes is under way; large clusters are gone through in turns; the notes are about
//! members only.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use nuthatch_cluster::topology::Node;
use nuthatch_cluster::views::{Link, PeerView};
use nuthatch_proto::ids::{NodeId, Timestamp};
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::shared::{Event, Shared};
use crate::clock;

/// How long to wait between two turns.
const INTERVAL: Duration = Duration::from_millis(500);

/// How many nodes are asked in one turn.
const ASKED_AT_ONCE: usize = 8;

/// Unanswered probes in a row after which a node is shown as disconnected.
const FAILURES_MIN: u32 = 2;

/// After how many milliseconds a probe should have been answered.
const OVERDUE: u64 = 500;

/// What is noted of the other members.
#[derive(Debug, Default)]
pub(crate) struct Presence(Mutex<HashMap<NodeId, Note>>);

#[derive(Debug, Clone, Copy)]
struct Note {
    /// When it was last asked without an answer yet; 0 if it has answered.
    asked: Timestamp,
    /// When it last answered, or when the notes on it begin.
    answered: Timestamp,
    /// When it first answered after a silence, or when the notes on it begin.
    since: Timestamp,
    /// How many times in a row it has not answered.
    failures: u32,
}

impl Note {
    fn new(now: Timestamp) -> Self {
        Self { asked: Timestamp(0), answered: now, since: now, failures: 0 }
    }

    /// Whether it owes an answer that should have come by now, and was not heard for so many milliseconds. One that was
    /// asked a moment ago owes none, however long it was not asked.
    fn is_suspected(&self, now: Timestamp, patience: u64) -> bool {
        let overdue = self.asked != Timestamp(0) && now.0.saturating_sub(self.asked.0) > OVERDUE;
        overdue && now.0.saturating_sub(self.answered.0) > patience
    }

    /// One unanswered probe is no news: tools leave out nodes that are shown as disconnected.
    fn is_connected(&self) -> bool {
        self.failures < FAILURES_MIN
    }
}

impl Presence {
    fn ask(&self, node: NodeId, now: Timestamp) {
        let mut notes = self.0.lock();
        let note = notes.entry(node).or_insert(Note::new(now));
        if note.asked == Timestamp(0) {
            note.asked = now;
        }
    }

    fn answer(&self, node: NodeId, now: Timestamp, answered: bool) {
        let mut notes = self.0.lock();
        let Some(note) = notes.get_mut(&node) else { return };
        if answered {
            let since = if note.is_connected() { note.since } else { now };
            *note = Note { since, ..Note::new(now) };
        } else {
            note.failures = note.failures.saturating_add(1);
        }
    }

    fn retain(&self, mut is_member: impl FnMut(NodeId) -> bool) {
        self.0.lock().retain(|node, _| is_member(*node));
    }

    /// What this node has seen of those members; who owes an answer and has been silent for longer than `patience` is
    /// suspected. Who has not been asked yet is taken to be there.
    pub(crate) fn peers<'a>(
        &self,
        members: impl Iterator<Item = &'a Node>,
        now: Timestamp,
        patience: Duration,
    ) -> BTreeMap<NodeId, PeerView> {
        let notes = self.0.lock();
        let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let seen = |node: &Node| {
            let note = notes.get(&node.id).copied().unwrap_or(Note::new(now));
            let connected = note.is_connected();
            let link =
                Link { outgoing: true, created: note.since, send_buffer_allocated: 0, send_buffer_used: 0 };
            let peer = PeerView {
                connected,
                suspected: note.is_suspected(now, patience),
                ping_sent: note.asked,
                pong_received: note.answered,
                links: connected.then_some(link).into_iter().collect(),
                ..PeerView::default()
            };
            (node.id, peer)
        };
        members.map(seen).collect()
    }
}

/// Looks for as long as the process lives, while there are others.
pub(crate) async fn look(shared: Arc<Shared>) {
    let mut views = shared.subscribe();
    for turn in 0_usize.. {
        let Ok(view) = views.wait_for(|view| !view.is_alone()).await.map(|view| Arc::clone(&view)) else {
            return;
        };
        shared.presence.retain(|id| view.topology.node(id).is_some());
        let others: Vec<_> = view.topology.nodes().filter(|node| node.id != view.me).collect();
        let mut asked = JoinSet::new();
        for place in 0..others.len().min(ASKED_AT_ONCE) {
            let node = others[(turn * ASKED_AT_ONCE + place) % others.len()].clone();
            asked.spawn(ask(Arc::clone(&shared), node));
        }
        asked.join_all().await;
        sleep(INTERVAL).await;
    }
}

async fn ask(shared: Arc<Shared>, node: Node) {
    let group = shared.view().topology.group();
    shared.presence.ask(node.id, clock::now());
    let answer = shared.probe(&shared.address_of(&node)).await;
    let answered =
        answer.is_ok_and(|answer| answer.node_id[..] == node.id.0 && answer.group_id[..] == group.0);
    shared.presence.answer(node.id, clock::now(), answered);
    if answered && shared.view().leads {
        // A full queue drops the news; the next turn brings it again.
        let _ = shared.tell(Event::HeardFrom(node.raft_id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_disconnected_after_two_failures_and_back_at_once() {
        let presence = Presence::default();
        let id = NodeId([1; 20]);
        let seen = || {
            let note = presence.0.lock()[&id];
            (note.is_connected(), note.answered.0, note.asked.0, note.since.0)
        };
        presence.ask(id, Timestamp(1000));
        presence.answer(id, Timestamp(1005), true);
        assert_eq!(seen(), (true, 1005, 0, 1000));
        presence.ask(id, Timestamp(2000));
        presence.answer(id, Timestamp(3000), false);
        assert_eq!(seen(), (true, 1005, 2000, 1000), "once is no news");
        presence.ask(id, Timestamp(4000));
        presence.answer(id, Timestamp(5000), false);
        assert_eq!(seen(), (false, 1005, 2000, 1000), "asked since the first silence");
        presence.answer(id, Timestamp(6000), true);
        assert_eq!(seen(), (true, 6000, 0, 6000));
        presence.retain(|_| false);
        assert!(presence.0.lock().is_empty());
    }

    #[test]
    fn who_owes_an_answer_for_too_long_is_suspected() {
        let presence = Presence::default();
        let id = NodeId([1; 20]);
        let suspected =
            |now: u64, patience: u64| presence.0.lock()[&id].is_suspected(Timestamp(now), patience);
        presence.ask(id, Timestamp(1000));
        presence.answer(id, Timestamp(1005), true);
        assert!(!suspected(60_000, 1500), "it owes nothing: nobody has asked");
        presence.ask(id, Timestamp(2000));
        assert!(!suspected(2400, 300), "it was asked a moment ago");
        assert!(suspected(2600, 300) && !suspected(2600, 1600) && suspected(2606, 1600));
        presence.answer(id, Timestamp(3000), false);
        assert!(suspected(3000, 1600));
        presence.answer(id, Timestamp(3500), true);
        assert!(!suspected(60_000, 1600));
    }
}
