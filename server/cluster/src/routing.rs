//! Where a command on a slot belongs: here, on another node, or nowhere at the moment.
//!
//! [`route`] stands on the path of every command. It reads the slot's owner from the topology and compares one grant; it
//! allocates nothing, and a redirection's text is made only when one is sent ([`Route::refusal`]). It may be stale: the
//! gate that the engine checks under the slot's lock is not, so the topology that a batch started with is good enough.
//!
//! A node serves by its grant, this life of this node, not by its name: after a restart it serves nothing before it has
//! registered. Losing contact with the metadata group does not stop a primary: nobody else is granted its slots meanwhile.
//! Which error a client sees when is Redis's choice: a slot that nobody can serve, because it has no owner or because its
//! shard is offline, is `Hash slot not served`, and while any slot is without an owner and full coverage is required,
//! every other command on keys hears `The cluster is down`. A shard that is offline takes no other down with it.
//!
//! Neighbours: the node's dispatch calls it with the topology it read once for the batch; `views` shows the same state.

use nuthatch_proto::ids::NodeId;
use nuthatch_proto::redirect::Redirect;
use nuthatch_proto::slot::{SLOT_COUNT, Slot};

use crate::topology::{Address, Grant, ProcessId, Topology};

/// Whether this node hears the metadata group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataContact {
    /// It follows what the group commits.
    Valid,
    /// It does not, so its topology may be an old one.
    Lost,
}

/// What a node is in a topology, worked out once for each topology it receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// This node.
    me: NodeId,
    /// This life of this node, once the topology knows it.
    grant: Option<Grant>,
    /// Whether keys are served at all.
    serves: bool,
}

impl Standing {
    /// What the process is in that topology. With `require_full_coverage` it serves no keys while a slot has no owner
    /// (`cluster-require-full-coverage yes`).
    pub fn new(topology: &Topology, me: NodeId, process: ProcessId, require_full_coverage: bool) -> Self {
        let registered = topology.node(me).filter(|node| node.process == process);
        let covered = topology.assigned() == usize::from(SLOT_COUNT);
        Self {
            me,
            grant: registered.map(|node| Grant { node: me, incarnation: node.incarnation }),
            serves: registered.is_some() && (covered || !require_full_coverage),
        }
    }

    /// This node.
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// This life of this node, once the topology knows it.
    pub fn grant(&self) -> Option<Grant> {
        self.grant
    }

    /// What CLUSTER INFO calls `cluster_state:ok`.
    pub fn is_ok(&self, contact: MetadataContact) -> bool {
        self.serves && contact == MetadataContact::Valid
    }

    /// Whether this node, in this life, is the primary of the slot's shard. The engine's gates follow this.
    pub fn owns(&self, topology: &Topology, slot: Slot) -> bool {
        self.grant.is_some_and(|grant| topology.owner(slot).is_some_and(|shard| shard.is_served_by(grant)))
    }
}

/// What a command asks of its slot, and what its connection has agreed to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The command may write.
    pub write: bool,
    /// The connection said READONLY: a replica may answer reads.
    pub readonly: bool,
    /// The connection said ASKING just before. A slot has one owner at any time, so this changes nothing.
    pub asking: bool,
}

/// Where a command belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'a> {
    /// Here.
    Serve,
    /// On another node.
    Moved {
        /// The slot.
        slot: Slot,
        /// Where its primary answers.
        to: &'a Address,
    },
    /// Nowhere: the slot has no owner, or its owner has lost its last copy.
    SlotNotServed,
    /// Nowhere: this node cannot serve keys now.
    ClusterDown,
}

impl Route<'_> {
    /// The reply for a command that is not served here.
    pub fn refusal(self) -> Option<Redirect> {
        match self {
            Self::Serve => None,
            Self::Moved { slot, to } => Some(Redirect::Moved { slot, endpoint: to.to_string() }),
            Self::SlotNotServed => Some(Redirect::SlotNotServed),
            Self::ClusterDown => Some(Redirect::ClusterDown),
        }
    }
}

/// Where a command on that slot belongs.
#[inline]
pub fn route<'a>(topology: &'a Topology, standing: &Standing, slot: Slot, access: Access) -> Route<'a> {
    let Some(shard) = topology.owner(slot) else { return Route::SlotNotServed };
    let (true, Some(grant)) = (standing.serves, standing.grant) else { return Route::ClusterDown };
    if shard.is_served_by(grant) {
        return Route::Serve;
    }
    if shard.is_offline() {
        return Route::SlotNotServed;
    }
    if access.readonly && !access.write && shard.has_replica(grant.node) {
        return Route::Serve;
    }
    match topology.node(shard.primary.node) {
        // Granted to an earlier life of this node: there is nobody to send the client to.
        Some(node) if node.id != standing.me => Route::Moved { slot, to: &node.address },
        Some(_) | None => Route::ClusterDown,
    }
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::ids::LogIndex;

    use super::*;
    use crate::topology::arbitrary::{address, after, alone, copied, joiner, node_id, restart, shard_id};
    use crate::topology::{Role, SlotRange, TopologyChange};

    fn ranges(first: u16, last: u16) -> Vec<SlotRange> {
        vec![SlotRange::from_numbers(first, last).expect("a range")]
    }

    fn join(topology: &Topology, number: u8, slots: Vec<SlotRange>) -> Topology {
        let change = TopologyChange::Join { joiner: joiner(number, slots), role: Role::Watcher };
        topology.apply(LogIndex(topology.applied().0 + 1), &change).expect("joins")
    }

    #[track_caller]
    fn check(topology: &Topology, me: u8, full_coverage: bool, expected: &[(u16, &str)]) {
        let standing = Standing::new(topology, node_id(me), ProcessId([me; 16]), full_coverage);
        for &(number, answer) in expected {
            let slot = Slot::new(number).expect("a slot");
            let route = route(topology, &standing, slot, Access::default());
            assert_eq!(route.refusal().map_or("here".into(), |redirect| redirect.to_string()), answer);
            assert_eq!(standing.owns(topology, slot), topology.owner(slot).is_some() && answer == "here");
        }
    }

    #[test]
    fn each_slot_has_one_place() {
        let whole = join(&join(&alone(), 2, ranges(0, 99)), 3, ranges(100, 16383));
        check(&whole, 2, true, &[(0, "here"), (99, "here"), (100, "MOVED 100 10.0.0.3:7003")]);
        check(&whole, 3, true, &[(99, "MOVED 99 10.0.0.2:7002"), (16383, "here")]);
        check(&whole, 1, true, &[(5, "MOVED 5 10.0.0.2:7002")]);
    }

    #[test]
    fn holes_are_the_clusters_or_the_slots_matter() {
        let holed = join(&join(&alone(), 2, ranges(0, 99)), 3, ranges(101, 16383));
        let (down, unserved) = ("CLUSTERDOWN The cluster is down", "CLUSTERDOWN Hash slot not served");
        check(&holed, 3, true, &[(100, unserved), (99, down)]);
        check(&holed, 2, false, &[(100, unserved), (99, "here"), (101, "MOVED 101 10.0.0.3:7003")]);
    }

    #[test]
    fn a_replica_sends_to_its_primary_and_answers_readers_who_said_so() {
        let topology = copied();
        let slot = Slot::new(7).expect("a slot");
        let reading = Access { readonly: true, ..Access::default() };
        let writing = Access { write: true, ..reading };
        let at = |node: u8, access| {
            let standing = Standing::new(&topology, node_id(node), ProcessId([node; 16]), true);
            route(&topology, &standing, slot, access).refusal().map(|redirect| redirect.to_string())
        };
        let moved = || Some("MOVED 7 10.0.0.1:7001".to_owned());
        assert_eq!([at(2, Access::default()), at(2, reading), at(2, writing)], [moved(), None, moved()]);
        check(&topology, 1, true, &[(7, "here")]);
    }

    #[test]
    fn a_shard_that_lost_its_last_copy_is_served_nowhere_and_takes_no_other_down() {
        let give = TopologyChange::SetSlotNode {
            slot: Slot::new(9).expect("a slot"),
            node: node_id(4),
            expected: Some(shard_id(1)),
        };
        let joined = join(&copied(), 4, Vec::new());
        let lost = restart(&restart(&after(&joined, &give).expect("it is empty"), 2), 1);
        let unserved = "CLUSTERDOWN Hash slot not served";
        check(&lost, 4, true, &[(7, unserved), (9, "here")]);
        check(&lost, 3, true, &[(7, unserved), (9, "MOVED 9 10.0.0.4:7004")]);
        let standing =
            Standing::new(&lost, node_id(1), lost.node(node_id(1)).expect("a member").process, true);
        let slot = Slot::new(7).expect("a slot");
        assert_eq!(route(&lost, &standing, slot, Access::default()), Route::SlotNotServed);
        let reading = Access { readonly: true, ..Access::default() };
        assert_eq!(route(&lost, &standing, slot, reading), Route::SlotNotServed);
    }

    #[test]
    fn another_life_serves_nothing_and_redirects_to_nobody() {
        let whole = join(&join(&alone(), 2, ranges(0, 99)), 3, ranges(100, 16383));
        let restarted = Standing::new(&whole, node_id(2), ProcessId([77; 16]), true);
        for number in [0, 100] {
            let slot = Slot::new(number).expect("a slot");
            assert_eq!(route(&whole, &restarted, slot, Access::default()), Route::ClusterDown);
        }
        assert!(!restarted.is_ok(MetadataContact::Valid));
        let register = TopologyChange::Register {
            node: node_id(2),
            storage: crate::topology::StorageId([2; 16]),
            process: ProcessId([77; 16]),
            address: address(8),
        };
        let known = whole.apply(LogIndex(50), &register).expect("registers");
        let standing = Standing::new(&known, node_id(2), ProcessId([77; 16]), true);
        assert_eq!(route(&known, &standing, Slot::new(0).expect("a slot"), Access::default()), Route::Serve);
        check(&known, 3, true, &[(0, "MOVED 0 10.0.0.8:7008")]);
        assert!(standing.is_ok(MetadataContact::Valid) && !standing.is_ok(MetadataContact::Lost));
    }
}
