//! The stream of topologies: from a member that applies the log to one that does not.
//!
//! Few members are voters; the others learn of a change here, from any of them. A topology is sent whole and names its
//! index, so a stream can be resumed anywhere, and a slow reader gets the newest instead of all.
//!
//! A member that follows a node which is itself cut off would not notice. So a stream ends when its source has had no
//! leader for [`LEADERLESS_MAX`], and the follower turns to the next voter. A voter that hears no leader follows as
//! well: it may have been removed from the group while it was away, and learns that here.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nuthatch_cluster::topology::{GroupId, Role, Topology};
use nuthatch_proto::rpc::{WatchRequest, WatchResponse};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::shared::{Event, Shared, View};
use crate::rpc::peers::PeerAddress;

/// How long a node without a leader goes on to be a source, and a voter waits before it follows.
const LEADERLESS_MAX: Duration = Duration::from_secs(3);

/// How long a source may take to answer the request; the topologies come when they come.
const BEGIN_DEADLINE: Duration = Duration::from_secs(2);

/// How long to wait before the next source is asked.
const PAUSE: Duration = Duration::from_millis(200);

/// The topologies applied here that are newer than `after`, until this node has had no leader for a while.
pub(crate) fn lead(shared: &Shared, after: u64) -> ReceiverStream<Result<WatchResponse, Status>> {
    let (sender, stream) = mpsc::channel(1);
    let mut views = shared.subscribe();
    shared.runtime.spawn(async move {
        let mut sent = after;
        loop {
            let view = tokio::select! {
                view = next_view(&mut views, sent) => view,
                () = sender.closed() => return,
            };
            let Some(view) = view else {
                let _ = sender.send(Err(Status::unavailable("this node hears no leader"))).await;
                return;
            };
            sent = view.topology.applied().0;
            let response = WatchResponse { index: sent, topology: view.topology.encode().into() };
            if sender.send(Ok(response)).await.is_err() {
                return;
            }
        }
    });
    ReceiverStream::new(stream)
}

/// The first view whose topology is newer than that index; `None` if there is no leader for a while.
async fn next_view(views: &mut watch::Receiver<Arc<View>>, after: u64) -> Option<Arc<View>> {
    loop {
        let view = Arc::clone(&views.borrow_and_update());
        if view.topology.applied().0 > after {
            return Some(view);
        }
        if view.leader.is_some() {
            views.changed().await.ok()?;
        } else {
            let changed = |view: &Arc<View>| view.leader.is_some() || view.topology.applied().0 > after;
            timeout(LEADERLESS_MAX, views.wait_for(changed)).await.ok()?.ok()?;
        }
    }
}

/// Follows the group for as long as the process lives, whenever this node does not apply the log itself.
pub(crate) async fn follow(shared: Arc<Shared>) {
    let mut views = shared.subscribe();
    for turn in 0_usize.. {
        if !must_follow(&mut views).await {
            return;
        }
        let view = Arc::clone(&views.borrow());
        let Some(source) = source(&shared, &view, turn) else {
            let _ = timeout(LEADERLESS_MAX, views.changed()).await;
            continue;
        };
        let begun = begin(&shared, &view, &source).await;
        shared.follows.store(begun.is_ok(), Ordering::Relaxed);
        let ended = match begun {
            Ok(stream) => take_all(&shared, view.topology.group(), stream).await,
            Err(status) => Err(status),
        };
        if let Err(status) = ended {
            tracing::debug!("following {source} ended: {}", status.message());
        }
        sleep(PAUSE).await;
    }
}

/// Waits until this node must follow another; `false` when the node stops.
async fn must_follow(views: &mut watch::Receiver<Arc<View>>) -> bool {
    loop {
        if views.wait_for(|view| !view.is_alone() && !view.applies_log()).await.is_err() {
            return false;
        }
        let view = Arc::clone(&views.borrow());
        if view.is_watcher() {
            return true;
        }
        // A voter: a leader may well be elected soon.
        match timeout(LEADERLESS_MAX, views.wait_for(|view| view.is_alone() || view.applies_log())).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return false,
            Err(_elapsed) => return true,
        }
    }
}

/// Whom to follow at this turn: the voters, one after the other; each follower begins with another.
fn source(shared: &Shared, view: &View, turn: usize) -> Option<PeerAddress> {
    let voters = view.topology.nodes_in_role(Role::Voter).filter(|node| node.id != view.me);
    let count = voters.clone().count();
    let offset = usize::from(view.me.0[0]);
    let chosen = voters.clone().nth((turn + offset).checked_rem(count)?)?;
    Some(shared.address_of(chosen))
}

async fn begin(
    shared: &Shared,
    view: &View,
    source: &PeerAddress,
) -> Result<Streaming<WatchResponse>, Status> {
    let group_id = view.topology.group().0.to_vec().into();
    let request = WatchRequest { group_id, after: view.topology.applied().0 };
    let mut client = shared.peers.client(source).map_err(|error| Status::unavailable(error.to_string()))?;
    let begun = timeout(BEGIN_DEADLINE, client.watch(request)).await;
    Ok(begun.map_err(|_| Status::deadline_exceeded("no answer in time"))??.into_inner())
}

/// Hands the topologies to the metadata thread until the stream ends or this node need not follow any more.
async fn take_all(
    shared: &Shared,
    group: GroupId,
    mut stream: Streaming<WatchResponse>,
) -> Result<(), Status> {
    let mut views = shared.subscribe();
    loop {
        let response = tokio::select! {
            response = stream.next() => response,
            ended = views.wait_for(|view| view.applies_log() || view.topology.group() != group) => {
                return ended.map(|_| ()).map_err(|_| Status::cancelled("the node is stopping"));
            }
        };
        let Some(response) = response.transpose()? else { return Ok(()) };
        let topology = Topology::decode(&response.topology);
        let topology = topology.map_err(|error| Status::data_loss(error.to_string()))?;
        if shared.tell(Event::Followed(Box::new(topology))).is_err() {
            return Err(Status::resource_exhausted("the metadata thread is busy"));
        }
    }
}
