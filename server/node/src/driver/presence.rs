//! Who is there: the leader asks the members outside the Raft group whether they answer.
//!
//! Members of the group are heard by their Raft messages. The others, from which the leader would choose the next voter,
//! say nothing by themselves; so it probes a few of them at a time. What follows from silence the machine decides.

use std::sync::Arc;
use std::time::Duration;

use nuthatch_cluster::topology::{Node, Role};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::shared::{Event, Shared};
use crate::rpc::peers::PeerAddress;

/// How often the leader looks.
const INTERVAL: Duration = Duration::from_millis(500);

/// How many nodes it asks each time; large clusters are gone through in turns.
const ASKED_AT_ONCE: usize = 8;

/// Looks for as long as the process lives, while this node leads.
pub(crate) async fn look(shared: Arc<Shared>) {
    let mut views = shared.subscribe();
    for turn in 0_usize.. {
        let Ok(view) =
            views.wait_for(|view| view.leads && !view.is_alone()).await.map(|view| Arc::clone(&view))
        else {
            return;
        };
        let watchers: Vec<_> = view.topology.nodes_in_role(Role::Watcher).collect();
        let mut asked = JoinSet::new();
        for place in 0..watchers.len().min(ASKED_AT_ONCE) {
            let node = watchers[(turn * ASKED_AT_ONCE + place) % watchers.len()].clone();
            asked.spawn(ask(Arc::clone(&shared), node));
        }
        asked.join_all().await;
        sleep(INTERVAL).await;
    }
}

async fn ask(shared: Arc<Shared>, node: Node) {
    let group = shared.view().topology.group();
    let answer = shared.probe(&PeerAddress::from(&node.address)).await;
    if answer.is_ok_and(|answer| answer.node_id[..] == node.id.0 && answer.group_id[..] == group.0) {
        // A full queue drops the news; the next turn brings it again.
        let _ = shared.tell(Event::HeardFrom(node.raft_id));
    }
}
