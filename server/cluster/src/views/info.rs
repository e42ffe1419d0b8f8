//! CLUSTER INFO: what this node knows of the cluster, field by field.
//!
//! `cluster_state` is `ok` while this node hears the metadata group and may serve keys, even if other shards are down:
//! some clients refuse a node for any other text.

use std::fmt::Write;

use nuthatch_proto::resp::ReplyWriter;

use super::{Health, LocalView};
use crate::topology::{Role, Shard, Topology};

/// CLUSTER INFO.
pub fn info(topology: &Topology, view: &LocalView, reply: &mut ReplyWriter<'_>) {
    let (mut well, mut suspected, mut failed, mut size) = (0, 0, 0, 0);
    for (shard, ranges) in super::ranges_by_shard(topology) {
        let count: usize = ranges.iter().map(|range| range.len()).sum();
        // A primary that is not in sync is one whose life is over: it waits for another to be promoted.
        let primary = topology.node(shard.primary.node).filter(|node| super::is_in_sync(shard, node));
        let health = primary.map_or(Health::Failed, |node| view.health(node));
        size += usize::from(count > 0);
        *match health {
            Health::Well => &mut well,
            Health::Suspected => &mut suspected,
            Health::Failed => &mut failed,
        } += count;
    }
    let state = if view.standing.is_ok(view.contact) { "ok" } else { "fail" };
    let mine = topology.shard_of(view.standing.me()).map(Shard::shown_epoch).unwrap_or_default();
    let mut text = String::new();
    let mut field = |name: &str, value: &dyn std::fmt::Display| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{name}:{value}\r\n");
    };
    field("cluster_state", &state);
    field("cluster_slots_assigned", &topology.assigned());
    field("cluster_slots_ok", &well);
    field("cluster_slots_pfail", &suspected);
    field("cluster_slots_fail", &failed);
    field("cluster_known_nodes", &topology.nodes().len());
    field("cluster_size", &size);
    field("cluster_current_epoch", &topology.current_epoch());
    field("cluster_my_epoch", &mine);
    field("cluster_stats_messages_sent", &view.messages_sent);
    field("cluster_stats_messages_received", &view.messages_received);
    field("total_cluster_links_buffer_limit_exceeded", &0);
    let offline = topology.shards().iter().filter(|shard| shard.is_offline()).count();
    // Not Redis's: how many shards wait for an operator because their last copy is lost, who leads the metadata group, how many vote in it, and how far this node has applied its log.
    field("cluster_shards_offline", &offline);
    field("cluster_metadata_leader", &view.leader.map(|leader| leader.to_string()).unwrap_or_default());
    field("cluster_metadata_voters", &topology.nodes_in_role(Role::Voter).count());
    field("cluster_metadata_applied", &topology.applied());
    reply.verbatim("txt", text.as_bytes());
}
