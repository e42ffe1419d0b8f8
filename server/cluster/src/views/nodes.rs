//! CLUSTER NODES and CLUSTER REPLICAS: one line of text for each member.
//!
//! `<id> <host>:<port>@<cluster port>[,<host name>] <flags> <primary or -> <ping> <pong> <epoch> <link> <ranges>`. The
//! cluster port is always there, because tools match it; the flag of a replica is `slave`, because they match that too.

use std::fmt::Write;

use nuthatch_proto::ids::{NodeId, Timestamp};
use nuthatch_proto::resp::ReplyWriter;

use super::{Health, LocalView};
use crate::topology::{Node, NodeState, Shard, SlotRange, Topology};

/// CLUSTER NODES: every member, each line ended by a line feed.
pub fn nodes(topology: &Topology, view: &LocalView, reply: &mut ReplyWriter<'_>) {
    let by_shard = super::ranges_by_shard(topology);
    let mut text = String::new();
    for node in topology.nodes() {
        let ranges = by_shard
            .binary_search_by_key(&node.shard, |(shard, _)| shard.id)
            .map(|place| &by_shard[place])
            .ok()
            .filter(|(shard, _)| shard.primary.node == node.id)
            .map_or(&[][..], |(_, ranges)| ranges);
        line(&mut text, topology, view, node, ranges);
        text.push('\n');
    }
    reply.verbatim("txt", text.as_bytes());
}

/// CLUSTER REPLICAS and CLUSTER SLAVES: the lines of those that copy a primary. `id` is as the client wrote it.
pub fn replicas(topology: &Topology, view: &LocalView, id: &[u8], reply: &mut ReplyWriter<'_>) {
    let text = String::from_utf8_lossy(id);
    let Some(node) = text.parse::<NodeId>().ok().and_then(|id| topology.node(id)) else {
        return reply.error(&format!("ERR Unknown node {text}"));
    };
    let Some(shard) = topology.shard(node.shard).filter(|shard| shard.primary.node == node.id) else {
        return reply.error("ERR The specified node is not a master");
    };
    let replicas: Vec<&Node> = super::members(topology, shard).filter(|other| other.id != node.id).collect();
    reply.array(replicas.len());
    for replica in replicas {
        let mut text = String::new();
        line(&mut text, topology, view, replica, &[]);
        reply.bulk(text.as_bytes());
    }
}

fn line(text: &mut String, topology: &Topology, view: &LocalView, node: &Node, ranges: &[SlotRange]) {
    // Writing to a string cannot fail.
    let _ = write!(text, "{} {}@{}", node.id, node.address, node.address.bus_port);
    if !node.address.hostname.is_empty() {
        let _ = write!(text, ",{}", node.address.hostname);
    }
    let shard = topology.shard(node.shard);
    let primary = shard.map(|shard| shard.primary.node).filter(|primary| *primary != node.id);
    text.push_str(if view.is_me(node) { " myself," } else { " " });
    text.push_str(if primary.is_some() { "slave" } else { "master" });
    text.push_str(match view.health(node) {
        Health::Well => "",
        Health::Suspected => ",fail?",
        Health::Failed => ",fail",
    });
    match primary {
        Some(primary) => {
            let _ = write!(text, " {primary}");
        }
        None => text.push_str(" -"),
    }
    let peer = view.peers.get(&node.id).filter(|_| !view.is_me(node));
    let (ping, pong) = peer.map_or((Timestamp(0), Timestamp(0)), |peer| (peer.ping_sent, peer.pong_received));
    let epoch = shard.map(Shard::shown_epoch).unwrap_or_default();
    // Not every pair of nodes is connected, and tools leave out whom one node calls disconnected: only what was seen counts.
    let linked = peer.map_or(node.state == NodeState::Active, |peer| peer.connected);
    let _ = write!(text, " {ping} {pong} {epoch} {}", if linked { "connected" } else { "disconnected" });
    for range in ranges {
        let _ = write!(text, " {range}");
    }
}
