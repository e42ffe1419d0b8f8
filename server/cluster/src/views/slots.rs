//! CLUSTER SLOTS: each range with the nodes that serve it, the primary first.
//!
//! Clients read from the replicas that they find here, so those that are not in sync, or are declared dead, are left out.
//!
//! A node is `[host, port, id, metadata]`. The metadata is a map that holds the host name where one is announced, and is
//! empty otherwise: an empty map in RESP3, an empty array in RESP2.

use nuthatch_proto::resp::ReplyWriter;

use crate::topology::{Node, NodeState, Shard, Topology};

/// CLUSTER SLOTS.
pub fn slots(topology: &Topology, reply: &mut ReplyWriter<'_>) {
    let ranges = topology.ranges();
    reply.array(ranges.len());
    for (range, shard) in ranges {
        let members = super::members(topology, shard).filter(|node| is_shown(shard, node));
        reply.array(2 + members.clone().count());
        reply.integer(range.first().number().into());
        reply.integer(range.last().number().into());
        members.for_each(|node| endpoint(node, reply));
    }
}

fn is_shown(shard: &Shard, node: &Node) -> bool {
    shard.primary.node == node.id || (node.state == NodeState::Active && super::is_in_sync(shard, node))
}

fn endpoint(node: &Node, reply: &mut ReplyWriter<'_>) {
    let address = &node.address;
    reply.array(4);
    reply.bulk(address.host.as_bytes());
    reply.integer(address.port.into());
    reply.bulk(node.id.to_string().as_bytes());
    if address.hostname.is_empty() {
        reply.map(0);
    } else {
        reply.map(1);
        reply.bulk(b"hostname");
        reply.bulk(address.hostname.as_bytes());
    }
}
