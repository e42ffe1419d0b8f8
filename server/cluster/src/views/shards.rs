//! CLUSTER SHARDS: each shard with its slots, as pairs of first and last, and its nodes.
//!
//! Shards without slots are shown too, as Redis shows them. A node's health there is about the shard's data: who does not
//! have it, or not all of it, is `loading`, whether it catches up or waits for somebody to catch up with.

use nuthatch_proto::ids::ReplicationOffset;
use nuthatch_proto::resp::ReplyWriter;

use super::{Health, LocalView};
use crate::topology::{Node, Shard, Topology};

/// CLUSTER SHARDS.
pub fn shards(topology: &Topology, view: &LocalView, reply: &mut ReplyWriter<'_>) {
    let by_shard = super::ranges_by_shard(topology);
    reply.array(by_shard.len());
    for (shard, ranges) in by_shard {
        reply.map(2);
        reply.bulk(b"slots");
        reply.array(ranges.len() * 2);
        for range in ranges {
            reply.integer(range.first().number().into());
            reply.integer(range.last().number().into());
        }
        reply.bulk(b"nodes");
        let members = super::members(topology, shard);
        reply.array(members.clone().count());
        members.for_each(|node| member(view, shard, node, reply));
    }
}

fn member(view: &LocalView, shard: &Shard, node: &Node, reply: &mut ReplyWriter<'_>) {
    let address = &node.address;
    reply.map(if address.hostname.is_empty() { 7 } else { 8 });
    reply.bulk(b"id");
    reply.bulk(node.id.to_string().as_bytes());
    reply.bulk(b"port");
    reply.integer(address.port.into());
    for field in ["ip", "endpoint"] {
        reply.bulk(field.as_bytes());
        reply.bulk(address.host.as_bytes());
    }
    if !address.hostname.is_empty() {
        reply.bulk(b"hostname");
        reply.bulk(address.hostname.as_bytes());
    }
    reply.bulk(b"role");
    reply.bulk(if shard.primary.node == node.id { b"master" } else { b"replica" });
    reply.bulk(b"replication-offset");
    let observed = view.peers.get(&node.id).map_or(ReplicationOffset(0), |peer| peer.replication_offset);
    let offset = if view.is_me(node) { view.replication_offset } else { observed };
    reply.integer(i64::try_from(offset.0).unwrap_or(i64::MAX));
    reply.bulk(b"health");
    reply.bulk(match view.health(node) {
        Health::Failed => b"fail",
        Health::Well | Health::Suspected if super::is_in_sync(shard, node) => b"online",
        Health::Well | Health::Suspected => b"loading",
    });
}
