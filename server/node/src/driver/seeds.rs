//! Joining by itself: a blank node that was started with addresses of others looks for a cluster among them.
//!
//! If one of them is a member of a cluster, the node joins that. If all are alone, somebody must be the first: a seed
//! that is not looking for a cluster itself is joined at once; among those that are looking, each joins the one with
//! the smallest id, which stays. So the same list of seeds can be given to all nodes.
//!
//! A node that is a member already, and hears no leader, asks the seeds for members whose addresses have changed: after a
//! restart of the whole cluster under new addresses nobody else could tell.
//!
//! Seeds that do not answer may be the very ones that already form a cluster, so before two looking nodes found one
//! they wait for all seeds, up to [`PATIENCE`].

use std::sync::Arc;
use std::time::Duration;

use nuthatch_cluster::routing::MetadataContact;
use nuthatch_proto::ids::NodeId;
use nuthatch_proto::rpc::ProbeResponse;
use tokio::time::{Instant, sleep};

use super::shared::{Shared, View};
use crate::rpc::peers::PeerAddress;

/// How long looking nodes wait for seeds that do not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait before the seeds are asked again.
const PAUSE: Duration = Duration::from_millis(200);

/// What the answers of the seeds suggest.
#[derive(Debug, PartialEq, Eq)]
enum Advice<'a> {
    /// Join the node at that address.
    Join(&'a PeerAddress),
    /// Ask again later.
    Wait,
}

/// How long to wait before a member without a leader asks the seeds again.
const MEMBER_PAUSE: Duration = Duration::from_secs(1);

/// Makes use of the seeds for as long as the process lives.
pub(crate) async fn use_seeds(shared: Arc<Shared>, seeds: Vec<PeerAddress>) {
    // A node that leaves its cluster later shall stay alone: it joins by itself at the start only.
    join_any(&shared, &seeds).await;
    let mut views = shared.subscribe();
    while views.wait_for(|view| !view.is_alone() && !view.applies_log()).await.is_ok() {
        let hears = shared.contact(&shared.view()) == MetadataContact::Valid;
        let answers = if hears { Vec::new() } else { ask_all(&shared, &seeds).await };
        for (address, answer) in answers {
            let view = shared.view();
            let is_member = answer.group_id[..] == view.topology.group().0;
            let member = view.topology.nodes().find(|node| node.id.0 == answer.node_id[..]);
            if let Some(member) = member.filter(|node| is_member && node.id != view.me) {
                shared.note_address(member.raft_id, address);
            }
        }
        sleep(MEMBER_PAUSE).await;
    }
}

/// Looks for a cluster among the seeds until this node is a member of one.
async fn join_any(shared: &Arc<Shared>, seeds: &[PeerAddress]) {
    shared.set_will_join(true);
    let begun = Instant::now();
    let mut logged = false;
    while shared.view().is_alone() {
        if !shared.view().joining {
            let answers = ask_all(shared, seeds).await;
            if answers.is_empty() && !logged {
                tracing::warn!("no seed answers yet; the node goes on trying");
                logged = true;
            }
            let patient = answers.len() < seeds.len() && begun.elapsed() < PATIENCE;
            if let Advice::Join(target) = advise(&shared.view(), &answers, patient) {
                match shared.meet(target).await {
                    Ok(()) => tracing::info!("joined the cluster at {target}"),
                    Err(error) => tracing::warn!("not joined at {target}: {error}"),
                }
            }
        }
        sleep(PAUSE).await;
    }
    shared.set_will_join(false);
}

async fn ask_all(shared: &Arc<Shared>, seeds: &[PeerAddress]) -> Vec<(PeerAddress, ProbeResponse)> {
    let mut asked = tokio::task::JoinSet::new();
    for seed in seeds.iter().cloned() {
        let shared = Arc::clone(shared);
        asked.spawn(async move {
            let answer = shared.probe(&seed).await;
            answer.inspect_err(|error| tracing::debug!("seed {error}")).ok().map(|answer| (seed, answer))
        });
    }
    asked.join_all().await.into_iter().flatten().collect()
}

fn advise<'a>(view: &View, answers: &'a [(PeerAddress, ProbeResponse)], patient: bool) -> Advice<'a> {
    let others = || answers.iter().filter(|(_, answer)| answer.node_id[..] != view.me.0);
    let settled = |answer: &ProbeResponse| answer.known_nodes > 1 || !answer.will_join;
    if let Some((target, _)) =
        others().filter(|(_, answer)| settled(answer)).max_by_key(|(_, a)| a.known_nodes)
    {
        return Advice::Join(target);
    }
    let id = |answer: &ProbeResponse| <[u8; 20]>::try_from(&answer.node_id[..]).map(NodeId).ok();
    let smallest = others().filter_map(|(target, answer)| Some((id(answer)?, target))).min();
    match smallest {
        Some((id, target)) if id < view.me && !patient => Advice::Join(target),
        Some(_) | None => Advice::Wait,
    }
}
