//! CLUSTER commands about nodes: meeting, forgetting, resetting, and their epochs.
//!
//! Changes become proposals, which the metadata group accepts or refuses; what Redis would refuse from local knowledge alone is
//! refused before. Epochs are the group's to give, so the commands about them are answered for the sake of the tools that
//! send them, and change nothing.

use nuthatch_cluster::topology::{Rejected, TopologyChange};
use nuthatch_proto::ids::NodeId;
use nuthatch_proto::resp::{Args, ReplyWriter};

use super::words::{self, text};
use super::{Call, Refusal, make, slots};
use crate::driver::View;

/// MEET.
pub(super) async fn meet(call: &Call<'_>) -> Result<(), Refusal> {
    let (ip, cluster_port) = words::node_address(call.args)?;
    call.handle.meet(ip.to_string(), cluster_port).await.map_err(|error| error.to_string())
}

/// FORGET. Telling every node in turn is usual, so whom the cluster has forgotten may be forgotten again.
pub(super) async fn forget(call: &Call<'_>) -> Result<(), Refusal> {
    let node = words::node_id(call.args.at(2), "Unknown node")?;
    let view = call.handle.view();
    if node == view.me {
        return Err("ERR I tried hard but I can't forget myself...".to_owned());
    }
    make(call, &view, TopologyChange::Forget { node, by: view.me }).await
}

/// RESET.
pub(super) async fn reset(call: &Call<'_>) -> Result<(), Refusal> {
    let hard = words::reset(call.args)?;
    let view = call.handle.view();
    let is_primary = view.topology.shard_of(view.me).is_none_or(|shard| shard.primary.node == view.me);
    if is_primary && slots::holds_keys(call) {
        return Err("ERR CLUSTER RESET can't be called with master nodes containing keys".to_owned());
    }
    call.handle.reset(hard).await.map_err(|error| error.to_string())
}

/// REPLICATE. What the topology would refuse is refused from what this node knows, and so is a primary that has keys.
pub(super) async fn replicate(call: &Call<'_>) -> Result<(), Refusal> {
    let view = call.handle.view();
    let change = TopologyChange::Replicate { node: view.me, primary: known(call.args.at(2), &view)? };
    let verdict = view.topology.rehearse([&change]).into_iter().collect::<Result<(), Rejected>>();
    verdict.map_err(|rejected| rejected.to_string())?;
    let is_primary = view.topology.shard_of(view.me).is_some_and(|shard| shard.primary.node == view.me);
    if is_primary && slots::holds_keys(call) {
        return Err(Rejected::ReplicateNotEmpty.to_string());
    }
    // A shard that has lost its last copy in sync can be given up by no command yet.
    if !call.unfinished {
        return Err("ERR Replication is not supported yet: every node serves slots of its own".to_owned());
    }
    make(call, &view, change).await
}

/// COUNT-FAILURE-REPORTS: the only reports that a node has are its own.
pub(super) fn failure_reports(
    call: &Call<'_>,
    view: &View,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), Refusal> {
    let node = known(call.args.at(2), view)?;
    let suspected = call.handle.observed(view).peers.get(&node).is_some_and(|peer| peer.suspected);
    reply.integer(suspected.into());
    Ok(())
}

/// BUMPEPOCH. An epoch is the index of the shard's last change in the metadata log: there is never a reason to bump one.
pub(super) fn bump_epoch(view: &View, reply: &mut ReplyWriter<'_>) -> Result<(), Refusal> {
    let epoch = view.topology.shard_of(view.me).map(|shard| shard.shown_epoch()).unwrap_or_default();
    reply.simple(&format!("STILL {epoch}"));
    Ok(())
}

/// SET-CONFIG-EPOCH: checked as Redis does, and of no effect, because epochs cannot collide.
pub(super) fn set_config_epoch(
    args: Args<'_>,
    view: &View,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), Refusal> {
    let epoch = words::integer(args.at(2))?;
    if epoch < 0 {
        return Err(format!("ERR Invalid config epoch specified: {epoch}"));
    }
    if !view.is_alone() {
        let refusal =
            "ERR The user can assign a config epoch only when the node does not know any other node.";
        return Err(refusal.to_owned());
    }
    reply.ok();
    Ok(())
}

fn known(word: &[u8], view: &View) -> Result<NodeId, Refusal> {
    let node = words::node_id(word, "Unknown node")?;
    view.topology.node(node).map(|node| node.id).ok_or_else(|| format!("ERR Unknown node {}", text(word)))
}
