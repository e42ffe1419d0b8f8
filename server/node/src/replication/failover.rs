//! The metadata leader's part in failovers: it hears who is there and who is suspected, and has primaries replaced.
//!
//! The node that leads the metadata group has a machine for each shard with replicas; every other node has none. What it knows
//! is worth nothing to the next leader, which hears the suspicions again. Fences go to the members that they name, also to
//! this node itself, and the answers come back as events; promotions are proposals like all others.
//!
//! Every member of a shard tells the leader that it is there, ten times a second ([`beat`]); a replica tells it whom it
//! suspects ([`suspect`]).
//!
//! Invariants: one fence at a time is on its way to a member for each time the machine asks; calls end within
//! [`DEADLINE`]; a proposal is carried to an outcome.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use nuthatch_cluster::replication::message::{Fence, Fenced, Proposed, Suspect};
use nuthatch_cluster::replication::timing::Timings;
use nuthatch_cluster::replication::{Failover, FailoverInput, FailoverOutput, Outcome};
use nuthatch_proto::ids::{NodeId, ShardId};
use nuthatch_proto::rpc::{BeatRequest, FenceRequest, SuspectRequest};
use tokio::time::sleep;

use super::driver::{Shares, now, outcome_of};
use super::{Event, wire};
use crate::driver::shared::{Shared, View};

/// How often a member says that it is there.
const BEAT: Duration = Duration::from_millis(100);

/// How long a call may take.
const DEADLINE: Duration = Duration::from_millis(300);

/// The machines of a leader.
#[derive(Debug, Default)]
pub(super) struct Failovers(BTreeMap<ShardId, Failover>);

/// Takes the newest topology in.
pub(super) fn see(core: &Shares, view: &View) {
    if !view.leads {
        core.borrow_mut().failovers.0.clear();
        return;
    }
    let copied = |id: &ShardId| view.topology.shard(*id).is_some_and(|shard| !shard.replicas.is_empty());
    core.borrow_mut().failovers.0.retain(|id, _| copied(id));
    for shard in view.topology.shards().iter().filter(|shard| copied(&shard.id)) {
        let registered = view.topology.node(shard.primary.node).map(|node| node.incarnation);
        let primary_lives = registered == Some(shard.primary.incarnation);
        let (id, shard) = (shard.id, shard.clone());
        core.borrow_mut()
            .failovers
            .0
            .entry(id)
            .or_insert_with(|| Failover::new(now(), Timings::default(), shard.clone(), primary_lives));
        step(core, id, FailoverInput::View { shard, primary_lives });
    }
}

/// Tells every machine of the time; this node itself is there.
pub(super) fn tick(core: &Shares) {
    let me = core.borrow().shared.view().me;
    heard(core, me);
    let ids: Vec<ShardId> = core.borrow().failovers.0.keys().copied().collect();
    ids.into_iter().for_each(|id| step(core, id, FailoverInput::Tick));
}

/// A node was heard.
pub(super) fn heard(core: &Shares, node: NodeId) {
    let view = core.borrow().shared.view();
    let Some(shard) = view.topology.shard_of(node).filter(|shard| shard.primary.node == node) else { return };
    step(core, shard.id, FailoverInput::Heard);
}

/// One step of a shard's machine, if there is one.
pub(super) fn step(core: &Shares, shard: ShardId, input: FailoverInput) {
    let mut out = Vec::new();
    if let Some(machine) = core.borrow_mut().failovers.0.get_mut(&shard) {
        machine.step(now(), input, &mut out);
    }
    for output in out {
        let shared = Arc::clone(&core.borrow().shared);
        match output {
            FailoverOutput::Fence(fence) => {
                shared.runtime.clone().spawn(deliver(shared, shard, fence));
            }
            FailoverOutput::Propose(Proposed { number, change }) => {
                tracing::warn!("shard {shard} is to have another primary: {change:?}");
                shared.runtime.clone().spawn(async move {
                    let outcome: Outcome = outcome_of(shared.decide_change(change.of_shard(shard)).await);
                    shared.replication.tell(Event::PromotionDecided(shard, number, outcome)).await;
                });
            }
        }
    }
}

/// Takes a fence to the member that it names, and its answer back.
async fn deliver(shared: Arc<Shared>, shard: ShardId, fence: Fence) {
    let view = shared.view();
    let answer = if fence.member.node == view.me {
        shared.replication.fence(shard, fence).await
    } else {
        let Some(node) = view.topology.node(fence.member.node) else { return };
        let request = FenceRequest {
            group_id: view.topology.group().0.to_vec().into(),
            shard: shard.0.to_vec().into(),
            member: wire::grant_out(fence.member),
            epoch: fence.epoch.0,
            isr_version: fence.isr_version,
        };
        let address = shared.address_of(node);
        let call =
            shared.peers.call(&address, DEADLINE, |mut client| async move { client.fence(request).await });
        match call.await {
            Ok(response) => wire::fence_answer(response.answer),
            Err(error) => {
                tracing::debug!("{} was not fenced: {error}", fence.member.node);
                None
            }
        }
    };
    if let Some(answer) = answer {
        let fenced = Fenced { member: fence.member, epoch: fence.epoch, answer };
        shared.replication.tell(Event::Fenced(shard, fenced)).await;
    }
}

/// Tells the leader whom this node suspects.
pub(super) async fn suspect(shared: Arc<Shared>, shard: ShardId, suspect: Suspect) {
    let view = shared.view();
    if view.leads {
        return shared.replication.tell(Event::Suspected(shard, suspect)).await;
    }
    let Some(leader) = view.other_leader() else { return };
    let request = SuspectRequest {
        group_id: view.topology.group().0.to_vec().into(),
        shard: shard.0.to_vec().into(),
        member: wire::grant_out(suspect.member),
        epoch: suspect.epoch.0,
        silence_ms: suspect.silence_ms,
    };
    let address = shared.address_of(leader);
    let call =
        shared.peers.call(&address, DEADLINE, |mut client| async move { client.suspect(request).await });
    if let Err(error) = call.await {
        tracing::debug!("the leader did not hear of a suspicion: {error}");
    }
}

/// Tells the leader that this node is there, as long as it is the primary of a shard that has replicas.
pub(crate) async fn beat(shared: Arc<Shared>) {
    loop {
        sleep(BEAT).await;
        let view = shared.view();
        let copied = |view: &View| {
            let shard = view.topology.shard_of(view.me);
            shard.is_some_and(|shard| shard.primary.node == view.me && !shard.replicas.is_empty())
        };
        let Some(leader) = view.other_leader().filter(|_| view.is_registered() && copied(&view)) else {
            continue;
        };
        let request = BeatRequest {
            group_id: view.topology.group().0.to_vec().into(),
            node: view.me.0.to_vec().into(),
        };
        let address = shared.address_of(leader);
        let call =
            shared.peers.call(&address, DEADLINE, |mut client| async move { client.beat(request).await });
        if let Err(error) = call.await {
            tracing::debug!("the leader did not hear this node: {error}");
        }
    }
}
