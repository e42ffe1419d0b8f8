//! Arbitrary changes for property tests, drawn from a small world, so that they meet: seven nodes, few lives, and slots
//! that crowd at the edges.

use nuthatch_proto::ids::{Incarnation, LogIndex, NodeId, ShardId};
use nuthatch_proto::slot::{SLOT_COUNT, Slot};
use proptest::collection::vec;
use proptest::prelude::*;

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
    ]
}

/// Any proposal at all; ids repeat now and then.
pub(crate) fn any_proposal() -> impl Strategy<Value = Proposal> {
    (any_node(), 0..200u64, vec(any_change(), 0..4))
        .prop_map(|(node, seq, changes)| Proposal { id: ProposalId { node, seq }, changes })
}

/// A topology that came about by proposals.
pub(crate) fn any_topology() -> impl Strategy<Value = Topology> {
    vec(any_proposal(), 0..30).prop_map(|proposals| {
        (2..)
            .zip(&proposals)
            .fold(alone(), |topology, (index, proposal)| topology.apply_proposal(LogIndex(index), proposal).0)
    })
}
