//! Arbitrary changes for property tests, drawn from a small world, so that they meet: seven nodes, few lives, and slots
//! that crowd at the edges. Changes that name epochs, versions and lives would hardly ever name the right ones: those are
//! sketches, filled in from the topology that they meet.

use nuthatch_proto::ids::{Epoch, Incarnation, LogIndex, NodeId, ShardId};
use nuthatch_proto::slot::{SLOT_COUNT, Slot};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// The node of that number.
pub(crate) fn node_id(number: u8) -> NodeId {
    NodeId([number; 20])
}

/// The shard that the node of that number brings.
pub(crate) fn shard_id(number: u8) -> ShardId {
    ShardId([number; 20])
}

/// The address of the node of that number.
pub(crate) fn address(number: u8) -> Address {
    Address {
        host: format!("10.0.0.{number}"),
        port: 7000 + u16::from(number),
        bus_port: 17000 + u16::from(number),
        hostname: String::new(),
    }
}

/// The node of that number as it joins, with those slots.
pub(crate) fn joiner(number: u8, slots: Vec<SlotRange>) -> Joiner {
    Joiner {
        id: node_id(number),
        shard: shard_id(number),
        storage: StorageId([number; 16]),
        process: ProcessId([number; 16]),
        address: address(number),
        slots,
    }
}

/// Node 1 alone, at index 1.
pub(crate) fn alone() -> Topology {
    Topology::singleton(GroupId([9; 16]), LogIndex(1), joiner(1, Vec::new()))
}

/// The life that a member is living.
pub(crate) fn life(topology: &Topology, node: NodeId) -> Grant {
    let incarnation = topology.node(node).expect("a member").incarnation;
    Grant { node, incarnation }
}

/// The topology after the change at the next index.
pub(crate) fn after(topology: &Topology, change: &TopologyChange) -> Result<Topology, Rejected> {
    topology.apply(LogIndex(topology.applied().0 + 1), change)
}

/// A member's next process.
pub(crate) fn restart(topology: &Topology, number: u8) -> Topology {
    let mut process = ProcessId([number; 16]);
    process.0[..8].copy_from_slice(&topology.applied().0.to_be_bytes());
    let (node, storage) = (node_id(number), StorageId([number; 16]));
    let register = TopologyChange::Register { node, storage, process, address: address(number) };
    after(topology, &register).expect("registers")
}

/// The primary of node 1's shard puts a replica into the in-sync set.
pub(crate) fn grow(topology: &Topology, number: u8) -> TopologyChange {
    let &Shard { id: shard, epoch, isr_version, primary: by, .. } =
        topology.shard(shard_id(1)).expect("it stays");
    TopologyChange::GrowIsr { shard, epoch, isr_version, by, member: life(topology, node_id(number)) }
}

/// Node 1 with all slots; node 2 copies it and is in sync, node 3 copies it and is not.
pub(crate) fn copied() -> Topology {
    let join = |number| TopologyChange::Join { joiner: joiner(number, Vec::new()), role: Role::Watcher };
    let replicate = |number| TopologyChange::Replicate { node: node_id(number), primary: node_id(1) };
    let slots = TopologyChange::AddSlots { node: node_id(1), ranges: vec![SlotRange::ALL] };
    let changes = [slots, join(2), join(3), replicate(2), replicate(3)];
    let topology =
        changes.iter().fold(alone(), |topology, change| after(&topology, change).expect("it is legal"));
    after(&topology, &grow(&topology, 2)).expect("it has caught up")
}

fn any_node() -> impl Strategy<Value = NodeId> {
    (1..8u8).prop_map(node_id)
}

fn any_role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Voter), Just(Role::Learner), Just(Role::Watcher)]
}

fn any_slot() -> impl Strategy<Value = Slot> {
    prop_oneof![0..40u16, SLOT_COUNT - 5..SLOT_COUNT].prop_map(|number| Slot::new(number).expect("a slot"))
}

fn any_ranges() -> impl Strategy<Value = Vec<SlotRange>> {
    let range = (any_slot(), 0..12u16).prop_map(|(first, len)| {
        let last = (first.number() + len).min(SLOT_COUNT - 1);
        SlotRange::from_numbers(first.number(), last).expect("a range")
    });
    vec(prop_oneof![9 => range, 1 => Just(SlotRange::ALL)], 0..4)
}

fn any_address() -> impl Strategy<Value = Address> {
    prop_oneof![8 => (1..9u8).prop_map(address), 1 => Just(Address { host: String::new(), ..address(1) })]
}

fn any_joiner() -> impl Strategy<Value = Joiner> {
    (1..8u8, 1..8u8, 0..8u8, 0..3u8, any_ranges()).prop_map(|(number, shard, storage, life, slots)| Joiner {
        // Mostly itself; now and then a wiped disk, or another's shard.
        storage: StorageId([if storage == 0 { 99 } else { number }; 16]),
        shard: shard_id(if storage == 1 { shard } else { number }),
        process: ProcessId([number + 16 * life; 16]),
        ..joiner(number, slots)
    })
}

/// Any change at all, legal or not.
pub(crate) fn any_change() -> impl Strategy<Value = TopologyChange> {
    let register = (any_joiner(), any_address()).prop_map(|(joiner, address)| TopologyChange::Register {
        node: joiner.id,
        storage: joiner.storage,
        process: joiner.process,
        address,
    });
    prop_oneof![
        2 => register,
        3 => (any_joiner(), any_role()).prop_map(|(joiner, role)| TopologyChange::Join { joiner, role }),
        1 => (any_node(), any_node()).prop_map(|(node, by)| TopologyChange::Forget { node, by }),
        1 => any_node().prop_map(|node| TopologyChange::Leave { node }),
        4 => (any_node(), any_ranges()).prop_map(|(node, ranges)| TopologyChange::AddSlots { node, ranges }),
        2 => (any_node(), any_ranges()).prop_map(|(node, ranges)| TopologyChange::DelSlots { node, ranges }),
        1 => any_node().prop_map(|node| TopologyChange::FlushSlots { node }),
        3 => (any_slot(), any_node(), proptest::option::of((1..8u8).prop_map(shard_id)))
            .prop_map(|(slot, node, expected)| TopologyChange::SetSlotNode { slot, node, expected }),
        1 => Just(TopologyChange::AssignByRing),
        2 => (any_node(), any_role()).prop_map(|(node, role)| TopologyChange::SetRole { node, role }),
        1 => (any_node(), 1..9u64, any::<bool>()).prop_map(|(node, incarnation, failed)| TopologyChange::SetState {
            node,
            incarnation: Incarnation(incarnation),
            state: if failed { NodeState::Failed } else { NodeState::Active },
        }),
        1 => ("[a-c]{0,2}", proptest::option::of("[x-z]{0,3}"))
            .prop_map(|(key, value)| TopologyChange::Config { key, value }),
        2 => (any_node(), any_node()).prop_map(|(node, primary)| TopologyChange::Replicate { node, primary }),
        2 => any_change_of_copies(),
    ]
}

fn any_grant() -> impl Strategy<Value = Grant> {
    (any_node(), 1..9u64).prop_map(|(node, life)| Grant { node, incarnation: Incarnation(life) })
}

/// Hardly ever legal: epochs, versions and lives are drawn.
fn any_change_of_copies() -> impl Strategy<Value = TopologyChange> {
    let lives = (any_grant(), any_grant(), vec(any_grant(), 0..3));
    (0..4u8, (1..8u8).prop_map(shard_id), 1..4u64, 1..4u64, lives).prop_map(
        |(kind, shard, epoch, isr_version, (by, other, fenced))| {
            let epoch = Epoch(epoch);
            match kind {
                0 => TopologyChange::ShrinkIsr { shard, epoch, isr_version, by, out: other },
                1 => TopologyChange::GrowIsr { shard, epoch, isr_version, by, member: other },
                2 => TopologyChange::Promote { shard, epoch, primary: by, fenced },
                _ => TopologyChange::ForceEmpty { shard, node: by.node },
            }
        },
    )
}

/// Any proposal at all; ids repeat now and then.
pub(crate) fn any_proposal() -> impl Strategy<Value = Proposal> {
    (any_node(), 0..200u64, vec(any_change(), 0..4))
        .prop_map(|(node, seq, changes)| Proposal { id: ProposalId { node, seq }, changes })
}

/// A change about copies: what it has to name is looked up in the topology that it meets.
#[derive(Debug, Clone)]
pub(crate) struct Sketch {
    kind: u8,
    shard: Index,
    one: Index,
    some: u8,
    /// It goes by what was so before.
    is_stale: bool,
}

impl Sketch {
    fn change(&self, topology: &Topology) -> TopologyChange {
        let shard = self.shard.get(topology.shards());
        let epoch = Epoch(shard.epoch.0 - u64::from(self.is_stale && self.some.is_multiple_of(2)));
        let isr_version = shard.isr_version - u64::from(self.is_stale && !self.some.is_multiple_of(2));
        let members: Vec<NodeId> = shard.members().collect();
        let member = *self.one.get(&members);
        let in_sync = *self.one.get(&shard.isr);
        let (id, by) = (shard.id, shard.primary);
        match self.kind {
            0 => {
                let nodes: Vec<NodeId> = topology.nodes().map(|node| node.id).collect();
                TopologyChange::Replicate { node: *self.one.get(&nodes), primary: shard.primary.node }
            }
            1 => {
                let mut member = life(topology, member);
                if self.some.is_multiple_of(5) {
                    member.incarnation = Incarnation(topology.node(member.node).expect("a member").raft_id.0);
                }
                TopologyChange::GrowIsr { shard: id, epoch, isr_version, by, member }
            }
            2 => TopologyChange::ShrinkIsr { shard: id, epoch, isr_version, by, out: in_sync },
            3 => {
                let picked = |place: &usize| (self.some >> place) & 1 == 1;
                let places = (0..shard.isr.len().min(8)).filter(picked);
                let fenced = places.map(|place| shard.isr[place]).collect();
                // Now and then it is somebody who may not be in sync.
                let primary = if self.some.is_multiple_of(4) { life(topology, member) } else { in_sync };
                TopologyChange::Promote { shard: id, epoch, primary, fenced }
            }
            4 => TopologyChange::ForceEmpty { shard: id, node: member },
            _ => {
                let node = topology.node(member).expect("a member");
                let (storage, address) = (node.storage, node.address.clone());
                let process = ProcessId([self.some | 0x80; 16]);
                TopologyChange::Register { node: node.id, storage, process, address }
            }
        }
    }
}

/// A proposal, or a sketch of one.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Any(Proposal),
    Fitting(ProposalId, Sketch),
}

impl Step {
    /// What is proposed to that topology.
    pub(crate) fn proposal(&self, topology: &Topology) -> Proposal {
        match self {
            Self::Any(proposal) => proposal.clone(),
            Self::Fitting(id, sketch) => Proposal { id: *id, changes: vec![sketch.change(topology)] },
        }
    }
}

/// Any proposal, or one about copies that may well be legal.
pub(crate) fn any_step() -> impl Strategy<Value = Step> {
    let sketch = (0..7u8, any::<Index>(), any::<Index>(), any::<u8>(), proptest::bool::weighted(0.1))
        .prop_map(|(kind, shard, one, some, is_stale)| Sketch { kind, shard, one, some, is_stale });
    let id = (any_node(), 200..100_000u64).prop_map(|(node, seq)| ProposalId { node, seq });
    prop_oneof![
        1 => any_proposal().prop_map(Step::Any),
        2 => (id, sketch).prop_map(|(id, sketch)| Step::Fitting(id, sketch)),
    ]
}

/// A topology that came about by proposals.
pub(crate) fn any_topology() -> impl Strategy<Value = Topology> {
    vec(any_step(), 0..40).prop_map(|steps| {
        (2..).map(LogIndex).zip(&steps).fold(alone(), |topology, (index, step)| {
            topology.apply_proposal(index, &step.proposal(&topology)).0
        })
    })
}
