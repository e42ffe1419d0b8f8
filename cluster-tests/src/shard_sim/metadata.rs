//! The metadata group as one log that never fails, and the failover machine of whoever leads it.
//!
//! What an entry makes of the shard is decided by the real [`Topology`]; that a group of nodes agrees on its log is what
//! [`crate::sim`] shows.

use std::collections::BTreeMap;

use nuthatch_cluster::replication::message::Proposed;
use nuthatch_cluster::replication::timing::Timings;
use nuthatch_cluster::replication::{Failover, Outcome};
use nuthatch_cluster::topology::{
    Address, Grant, GroupId, Joiner, ProcessId, Role, Shard, SlotRange, StorageId, Topology, TopologyChange,
};
use nuthatch_proto::ids::{Incarnation, LogIndex, NodeId, ShardId};
use nuthatch_proto::slot::{SLOT_COUNT, Slot};

use super::NODES;
use super::node::Clock;

/// The node at a place.
pub fn node_id(place: usize) -> NodeId {
    NodeId([number_of(place); 20])
}

/// The place of a node.
pub fn place_of(node: NodeId) -> usize {
    usize::from(node.0[0]) - 1
}

fn number_of(place: usize) -> u8 {
    u8::try_from(place + 1).expect("few places")
}

fn process_id(process: u64) -> ProcessId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&process.to_be_bytes());
    ProcessId(id)
}

fn address(place: usize) -> Address {
    let (host, hostname) = (format!("10.0.0.{}", number_of(place)), String::new());
    Address { host, port: 6379, bus_port: 16379, hostname }
}

fn joiner(place: usize, slots: Vec<SlotRange>) -> Joiner {
    let number = number_of(place);
    Joiner {
        id: node_id(place),
        shard: ShardId([number; 20]),
        storage: StorageId([number; 16]),
        process: process_id(place as u64 + 1),
        address: address(place),
        slots,
    }
}

/// A node's registered life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registered {
    /// The process.
    pub process: u64,
    /// Its incarnation.
    pub incarnation: Incarnation,
}

/// What every node learns sooner or later.
#[derive(Debug, Clone)]
pub struct View {
    /// The log's index.
    pub index: u64,
    /// The shard.
    pub shard: Shard,
    /// Each node's life.
    pub registered: [Registered; NODES],
}

impl View {
    /// The life that a node is registered with.
    pub fn grant(&self, place: usize) -> Grant {
        Grant { node: node_id(place), incarnation: self.registered[place].incarnation }
    }
}

/// The group.
#[derive(Debug)]
pub struct Metadata {
    topology: Topology,
    /// What was applied, as a node is told.
    pub now: View,
    /// The machine of the leader.
    pub failover: Failover,
    /// The leader's clock.
    pub clock: Clock,
    /// Whether a majority can be reached at all.
    pub up: bool,
    /// Proposals that were decided, by the process and its number.
    decided: BTreeMap<(u64, u64), Outcome>,
    /// Changes of the in-sync set.
    pub isr_changes: u64,
}

impl Metadata {
    /// All nodes are registered, the first serves, and nobody else is in sync.
    pub fn new(clock: Clock, timings: Timings) -> Self {
        let slot = |number: u16| Slot::new(number).expect("below the count");
        let all = SlotRange::new(slot(0), slot(SLOT_COUNT - 1)).expect("in order");
        let mut topology = Topology::singleton(GroupId([9; 16]), LogIndex(1), joiner(0, vec![all]));
        for place in 1..NODES {
            let join = TopologyChange::Join { joiner: joiner(place, Vec::new()), role: Role::Watcher };
            let replicate = TopologyChange::Replicate { node: node_id(place), primary: node_id(0) };
            for change in [join, replicate] {
                let index = LogIndex(topology.applied().0 + 1);
                topology = topology.apply(index, &change).expect("a cluster is set up");
            }
        }
        let shard = topology.shard_of(node_id(0)).expect("it serves").clone();
        let processes: [u64; NODES] = std::array::from_fn(|place| place as u64 + 1);
        let registered = processes.map(|process| Registered { process, incarnation: Incarnation(0) });
        let failover = Failover::new(clock.at(0), timings, shard.clone(), true);
        let now = View { index: 0, shard, registered };
        let decided = BTreeMap::new();
        let mut group = Self { topology, now, failover, clock, up: true, decided, isr_changes: 0 };
        group.note();
        group
    }

    /// Whether the primary's life is the one that its node is registered with.
    pub fn primary_lives(&self) -> bool {
        let primary = self.now.shard.primary;
        self.now.grant(place_of(primary.node)) == primary
    }

    /// A process begins a life; once.
    pub fn register(&mut self, place: usize, process: u64) -> bool {
        if self.now.registered[place].process >= process {
            return false;
        }
        let (node, storage) = (node_id(place), StorageId([number_of(place); 16]));
        let process_id = process_id(process);
        self.now.registered[place].process = process;
        self.apply(&TopologyChange::Register { node, storage, process: process_id, address: address(place) })
    }

    /// Decides a proposal; once.
    pub fn propose(&mut self, process: u64, proposed: &Proposed) -> Outcome {
        let id = (process, proposed.number);
        if let Some(outcome) = self.decided.get(&id) {
            return *outcome;
        }
        let change = proposed.change.clone().of_shard(self.now.shard.id);
        let outcome = match self.apply(&change) {
            true => Outcome::Applied,
            false => Outcome::Refused,
        };
        self.decided.insert(id, outcome);
        outcome
    }

    fn apply(&mut self, change: &TopologyChange) -> bool {
        let index = LogIndex(self.topology.applied().0 + 1);
        let applied = self.topology.apply(index, change);
        let done = applied.is_ok();
        self.topology = applied.unwrap_or_else(|_| self.topology.advanced(index));
        self.note();
        done
    }

    fn note(&mut self) {
        let shard = self.topology.shard_of(node_id(0)).expect("all nodes are of one shard").clone();
        self.isr_changes += u64::from(shard.isr != self.now.shard.isr);
        self.now.index = self.topology.applied().0;
        self.now.shard = shard;
        for (place, life) in self.now.registered.iter_mut().enumerate() {
            life.incarnation = self.topology.node(node_id(place)).expect("a member").incarnation;
        }
    }

    /// The first rule of the topology that does not hold.
    pub fn broken_invariant(&self) -> Option<&'static str> {
        self.topology.broken_invariant()
    }
}
