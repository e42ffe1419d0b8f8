//! The topology as clients and tools are shown it: CLUSTER NODES, SLOTS, SHARDS, INFO, REPLICAS, LINKS, MYID, MYSHARDID.
//!
//! Each view is a function of the [`Topology`] and of what this node observes itself ([`LocalView`]), written to a
//! [`ReplyWriter`] in the exact shape that redis-cli and the cluster clients parse. It decides nothing.
//!
//! What must hold: every node prints a shard's ranges merged and ascending, because redis-cli compares that text between
//! nodes; members come ascending by id; no host is ever empty, because clients skip or misread such nodes.
//!
//! Source: the Redis documentation of each command, and what redis-server 7.0.15 answers.

mod info;
mod nodes;
mod shards;
mod slots;

use std::collections::BTreeMap;

use nuthatch_proto::ids::{NodeId, ReplicationOffset, Timestamp};
use nuthatch_proto::resp::ReplyWriter;

use crate::routing::{MetadataContact, Standing};
use crate::topology::{Grant, Node, NodeState, Shard, SlotRange, Topology};

pub use info::info;
pub use nodes::{nodes, replicas};
pub use shards::shards;
pub use slots::slots;

/// What this node observes of the others and of itself.
#[derive(Debug, Clone)]
pub struct LocalView {
    /// Who this node is in the topology.
    pub standing: Standing,
    /// Whether it hears the metadata group.
    pub contact: MetadataContact,
    /// The metadata group's leader, as far as this node knows.
    pub leader: Option<NodeId>,
    /// The other members, as far as anything is known of them.
    pub peers: BTreeMap<NodeId, PeerView>,
    /// Messages sent to other nodes since the start.
    pub messages_sent: u64,
    /// Messages received from other nodes since the start.
    pub messages_received: u64,
    /// Where this node's shard stands in its effect log.
    pub replication_offset: ReplicationOffset,
}

impl LocalView {
    /// The view of a node that has observed nothing yet.
    pub fn new(standing: Standing, contact: MetadataContact) -> Self {
        Self {
            standing,
            contact,
            leader: None,
            peers: BTreeMap::new(),
            messages_sent: 0,
            messages_received: 0,
            replication_offset: ReplicationOffset(0),
        }
    }
}

/// What this node observes of another.
#[derive(Debug, Default, Clone)]
pub struct PeerView {
    /// Whether a connection to it stands.
    pub connected: bool,
    /// It has been silent for longer than it should.
    pub suspected: bool,
    /// When a message was sent that it has not answered yet; 0 if it owes no answer.
    pub ping_sent: Timestamp,
    /// When it was last heard.
    pub pong_received: Timestamp,
    /// How far it says it is in its shard's effect log.
    pub replication_offset: ReplicationOffset,
    /// The connections with it.
    pub links: Vec<Link>,
}

/// A connection with another node.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// This node opened it.
    pub outgoing: bool,
    /// When it was opened.
    pub created: Timestamp,
    /// Bytes reserved for what waits to be sent.
    pub send_buffer_allocated: usize,
    /// Bytes that wait to be sent.
    pub send_buffer_used: usize,
}

/// How a member is doing, from the topology and from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Well,
    Suspected,
    Failed,
}

impl LocalView {
    fn is_me(&self, node: &Node) -> bool {
        self.standing.me() == node.id
    }

    fn health(&self, node: &Node) -> Health {
        let suspected = !self.is_me(node) && self.peers.get(&node.id).is_some_and(|peer| peer.suspected);
        match node.state {
            NodeState::Failed => Health::Failed,
            NodeState::Active if suspected => Health::Suspected,
            NodeState::Active => Health::Well,
        }
    }
}

/// Whether the life that a node is living holds the shard's data.
fn is_in_sync(shard: &Shard, node: &Node) -> bool {
    shard.is_in_sync(Grant { node: node.id, incarnation: node.incarnation })
}

/// CLUSTER MYID.
pub fn my_id(view: &LocalView, reply: &mut ReplyWriter<'_>) {
    reply.bulk(view.standing.me().to_string().as_bytes());
}

/// CLUSTER MYSHARDID.
pub fn my_shard_id(topology: &Topology, view: &LocalView, reply: &mut ReplyWriter<'_>) {
    match topology.node(view.standing.me()) {
        Some(node) => reply.bulk(node.shard.to_string().as_bytes()),
        None => reply.error("ERR This node is not a member of the cluster any more"),
    }
}

/// CLUSTER LINKS: the connections with members, by node.
pub fn links(topology: &Topology, view: &LocalView, reply: &mut ReplyWriter<'_>) {
    let peers = view.peers.iter().filter(|(id, _)| topology.node(**id).is_some());
    let links: Vec<(NodeId, Link)> =
        peers.flat_map(|(id, peer)| peer.links.iter().map(|link| (*id, *link))).collect();
    reply.array(links.len());
    for (node, link) in links {
        reply.map(6);
        reply.bulk(b"direction");
        reply.bulk(if link.outgoing { b"to" } else { b"from" });
        reply.bulk(b"node");
        reply.bulk(node.to_string().as_bytes());
        reply.bulk(b"create-time");
        reply.integer(i64::try_from(link.created.0).unwrap_or(i64::MAX));
        reply.bulk(b"events");
        reply.bulk(if link.send_buffer_used > 0 { b"rw" } else { b"r" });
        reply.bulk(b"send-buffer-allocated");
        reply.count(link.send_buffer_allocated);
        reply.bulk(b"send-buffer-used");
        reply.count(link.send_buffer_used);
    }
}

/// Each shard with its merged ranges, in one pass over the slots.
fn ranges_by_shard(topology: &Topology) -> Vec<(&Shard, Vec<SlotRange>)> {
    let mut by_shard: Vec<(&Shard, Vec<SlotRange>)> =
        topology.shards().iter().map(|shard| (shard, Vec::new())).collect();
    for (range, owner) in topology.ranges() {
        if let Ok(place) = by_shard.binary_search_by_key(&owner.id, |(shard, _)| shard.id) {
            by_shard[place].1.push(range);
        }
    }
    by_shard
}

/// The members that serve a shard, the primary first.
fn members<'a>(topology: &'a Topology, shard: &'a Shard) -> impl Iterator<Item = &'a Node> + Clone {
    shard.members().filter_map(|id| topology.node(id))
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::ids::LogIndex;
    use nuthatch_proto::resp::Protocol;

    use super::*;
    use crate::topology::arbitrary::{address, alone, copied, joiner, node_id};
    use crate::topology::{Address, Joiner, ProcessId, Role, TopologyChange};

    /// Node 1 with slots 5-7 and 9, node 2 with a host name, the rest, and a link.
    fn world() -> (Topology, LocalView) {
        let range = |first, last| SlotRange::from_numbers(first, last).expect("a range");
        let add = TopologyChange::AddSlots {
            node: node_id(1),
            ranges: vec![range(9, 9), range(5, 6), range(7, 7)],
        };
        let two = Joiner {
            address: Address { host: "::1".into(), hostname: "two.example".into(), ..address(2) },
            ..joiner(2, vec![range(10, 16383)])
        };
        let topology = alone().apply(LogIndex(2), &add).expect("adds");
        let join = TopologyChange::Join { joiner: two, role: Role::Watcher };
        let topology = topology.apply(LogIndex(3), &join).expect("joins");
        let standing = Standing::new(&topology, node_id(1), ProcessId([1; 16]), true);
        let link =
            Link { outgoing: true, created: Timestamp(5), send_buffer_allocated: 9, send_buffer_used: 0 };
        let peer = PeerView { connected: true, links: vec![link], ..PeerView::default() };
        let mut view = LocalView::new(standing, MetadataContact::Valid);
        view.peers.insert(node_id(2), peer);
        (topology, view)
    }

    /// The reply, ids shortened to their first two digits and line ends to spaces.
    fn shown(protocol: Protocol, write: impl Fn(&mut ReplyWriter<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut ReplyWriter::new(&mut out, protocol));
        let text = String::from_utf8(out).expect("text");
        let (one, two) = (node_id(1).to_string(), node_id(2).to_string());
        text.replace("\r\n", " ").replace(&one, "ONE").replace(&two, "TWO")
    }

    #[track_caller]
    fn check(write: impl Fn(&mut ReplyWriter<'_>), resp2: &str, resp3: &str) {
        assert_eq!(shown(Protocol::Resp2, &write), resp2);
        assert_eq!(shown(Protocol::Resp3, &write), resp3);
    }

    #[test]
    fn nodes_are_lines_of_text() {
        let (topology, view) = world();
        let lines = "ONE 10.0.0.1:7001@17001 myself,master - 0 0 2 connected 5-7 9\n\
                     TWO ::1:7002@17002,two.example master - 0 0 3 connected 10-16383\n";
        let write = |reply: &mut ReplyWriter<'_>| nodes(&topology, &view, reply);
        check(write, &format!("$201 {lines} "), &format!("=205 txt:{lines} "));
    }

    #[test]
    fn slots_hold_endpoint_id_and_metadata() {
        let (topology, _) = world();
        check(
            |reply| slots(&topology, reply),
            "*3 *3 :5 :7 *4 $8 10.0.0.1 :7001 $40 ONE *0 *3 :9 :9 *4 $8 10.0.0.1 :7001 $40 ONE *0 \
             *3 :10 :16383 *4 $3 ::1 :7002 $40 TWO *2 $8 hostname $11 two.example ",
            "*3 *3 :5 :7 *4 $8 10.0.0.1 :7001 $40 ONE %0 *3 :9 :9 *4 $8 10.0.0.1 :7001 $40 ONE %0 \
             *3 :10 :16383 *4 $3 ::1 :7002 $40 TWO %1 $8 hostname $11 two.example ",
        );
    }

    #[test]
    fn shards_are_maps_of_pairs_and_nodes() {
        let (topology, view) = world();
        let one = "$2 id $40 ONE $4 port :7001 $2 ip $8 10.0.0.1 $8 endpoint $8 10.0.0.1 $4 role $6 master \
                   $18 replication-offset :0 $6 health $6 online";
        let two = "$2 id $40 TWO $4 port :7002 $2 ip $3 ::1 $8 endpoint $3 ::1 $8 hostname $11 two.example \
                   $4 role $6 master $18 replication-offset :0 $6 health $6 online";
        let (slots, nodes) = ("$5 slots", "$5 nodes *1");
        check(
            |reply| shards(&topology, &view, reply),
            &format!(
                "*2 *4 {slots} *4 :5 :7 :9 :9 {nodes} *14 {one} *4 {slots} *2 :10 :16383 {nodes} *16 {two} "
            ),
            &format!(
                "*2 %2 {slots} *4 :5 :7 :9 :9 {nodes} %7 {one} %2 {slots} *2 :10 :16383 {nodes} %8 {two} "
            ),
        );
    }

    #[test]
    fn links_are_maps() {
        let (topology, view) = world();
        let link = "$9 direction $2 to $4 node $40 TWO $11 create-time :5 $6 events $1 r \
                    $21 send-buffer-allocated :9 $16 send-buffer-used :0 ";
        let write = |reply: &mut ReplyWriter<'_>| links(&topology, &view, reply);
        check(write, &format!("*1 *12 {link}"), &format!("*1 %6 {link}"));
    }

    /// Node 2 copies node 1 and is in sync, node 3 copies it and is not.
    #[test]
    fn replicas_are_shown_with_their_primary() {
        let topology = copied();
        let standing = Standing::new(&topology, node_id(2), ProcessId([2; 16]), true);
        let mut view = LocalView::new(standing, MetadataContact::Valid);
        view.replication_offset = ReplicationOffset(77);
        let three = format!("{} 10.0.0.3:7003@17003 slave ONE 0 0 2 connected", node_id(3));
        let two = "TWO 10.0.0.2:7002@17002 myself,slave ONE 0 0 2 connected";
        let lines = format!("ONE 10.0.0.1:7001@17001 master - 0 0 2 connected 0-16383\n{two}\n{three}\n");
        let shown = |write: &dyn Fn(&mut ReplyWriter<'_>)| shown(Protocol::Resp2, write);
        let text = shown(&|reply| nodes(&topology, &view, reply));
        assert_eq!(text.split_once(' ').map(|(_, text)| text), Some(&*format!("{lines} ")));
        let text = shown(&|reply| replicas(&topology, &view, node_id(1).to_string().as_bytes(), reply));
        assert_eq!(text, format!("*2 $130 {two} $123 {three} "));
        let error = "-ERR The specified node is not a master ";
        let of_replica = node_id(2).to_string();
        assert_eq!(shown(&|reply| replicas(&topology, &view, of_replica.as_bytes(), reply)), error);

        let text = shown(&|reply| shards(&topology, &view, reply));
        let fields = ["role $6 master", "role $7 replica", "role $7 replica"].into_iter();
        let health = [":0 $6 health $6 online", ":77 $6 health $6 online", ":0 $6 health $7 loading"];
        for (role, health) in fields.zip(health) {
            assert!(text.contains(&format!("$4 {role} $18 replication-offset {health}")), "{role} in {text}");
        }
        let text = shown(&|reply| slots(&topology, reply));
        assert_eq!((text.matches("TWO").count(), text.contains("10.0.0.3")), (1, false), "{text}");
    }

    #[test]
    fn a_node_without_replicas_has_an_empty_list() {
        let (topology, view) = world();
        let id = node_id(2).to_string();
        check(|reply| replicas(&topology, &view, id.as_bytes(), reply), "*0 ", "*0 ");
        let error = "-ERR Unknown node x ";
        check(|reply| replicas(&topology, &view, b"x", reply), error, error);
    }
}
