//! Joining by itself: a blank node that was started with addresses of others looks for a cluster among them.
//!
//! If one of them is a member of a cluster, the node joins that. If all are alone, somebody must be the first: a seed
//! that is not looking for a cluster itself is joined at once; among those that are looking, each joins the one with
//! the smallest id; and who knows of no smaller one looks no longer, but stays to be joined. So the same list of seeds
//! can be given to all nodes, were it only the first of them.
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

use super::shared::Shared;
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
    /// Ask again later: a better answer may come.
    Wait,
    /// Let the others come.
    Stay,
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
                tracing::warn!(
                    "no seed gives an answer yet: they are down, or have another cluster-secret; the node goes on trying"
                );
                logged = true;
            }
            let patient = answers.len() < seeds.len() && begun.elapsed() < PATIENCE;
            let advice = advise(shared.view().me, &answers, patient);
            shared.set_will_join(advice != Advice::Stay);
            if let Advice::Join(target) = advice {
                match shared.meet(target).await {
                    Ok(()) => tracing::info!("joined the cluster at {target}"),
                    Err(error) => tracing::warn!("not joined at {target}: {}", error.sentence()),
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

fn advise(me: NodeId, answers: &[(PeerAddress, ProbeResponse)], patient: bool) -> Advice<'_> {
    let others = || answers.iter().filter(|(_, answer)| answer.node_id[..] != me.0);
    let settled = |answer: &ProbeResponse| answer.known_nodes > 1 || !answer.will_join;
    if let Some((target, _)) = others().filter(|(_, a)| settled(a)).max_by_key(|(_, a)| a.known_nodes) {
        return Advice::Join(target);
    }
    let id = |answer: &ProbeResponse| <[u8; 20]>::try_from(&answer.node_id[..]).map(NodeId).ok();
    let smallest = others().filter_map(|(target, answer)| Some((id(answer)?, target))).min();
    match smallest {
        _ if patient => Advice::Wait,
        Some((id, target)) if id < me => Advice::Join(target),
        Some(_) | None => Advice::Stay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: u8 = 5;

    /// Answers of nodes with that id, so many members, and whether they are looking; joined is the port named like the id.
    #[track_caller]
    fn check(answers: &[(u8, u32, bool)], patient: bool, expected: &str) {
        let answer = |&(id, known_nodes, will_join): &(u8, u32, bool)| {
            let node_id = vec![id; 20].into();
            let answer = ProbeResponse { node_id, known_nodes, will_join, ..ProbeResponse::default() };
            (PeerAddress::new("h", id.into()), answer)
        };
        let answers: Vec<_> = answers.iter().map(answer).collect();
        let advice = match advise(NodeId([ME; 20]), &answers, patient) {
            Advice::Join(target) => format!("join {target}"),
            Advice::Wait => "Wait".to_owned(),
            Advice::Stay => "Stay".to_owned(),
        };
        assert_eq!(advice, expected, "{answers:?}");
    }

    #[test]
    fn a_cluster_is_joined_first_then_who_does_not_look_then_the_smallest() {
        check(&[(1, 1, true), (7, 1, false), (8, 3, true), (9, 2, true)], true, "join h:8");
        check(&[(1, 1, true), (7, 1, false)], true, "join h:7");
        check(&[(3, 1, true), (2, 1, true), (ME, 1, true)], false, "join h:2");
        check(&[(3, 1, true), (2, 1, true)], true, "Wait");
    }

    #[test]
    fn the_smallest_stays_and_so_does_who_knows_nobody_else() {
        check(&[(ME, 1, true), (6, 1, true)], false, "Stay");
        check(&[(ME, 1, true)], false, "Stay");
        check(&[], false, "Stay");
        check(&[], true, "Wait");
    }
}
