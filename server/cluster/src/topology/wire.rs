//! Topologies and proposals as bytes: what stands in log entries and snapshots, and what members are sent.
//!
//! The messages are those of `cluster.proto`; each is converted once, here, into a type that cannot be wrong. Bytes come
//! from disks and peers, so decoding checks every length, number and cross-reference, and answers [`DecodeError`] instead
//! of panicking. Encoding is canonical: equal values give equal bytes.
//!
//! `wire/state.rs` converts the topology, `wire/changes.rs` the changes (those about copies with `wire/replication.rs`);
//! the parts they share are below.

mod changes;
mod replication;
mod state;

use nuthatch_proto::ids::{Incarnation, NodeId, ShardId};
use nuthatch_proto::rpc;
use nuthatch_proto::slot::Slot;

use super::node::{Address, GroupId, NodeState, ProcessId, Role, StorageId};
use super::shard::{Grant, ShardState};
use super::slots::SlotRange;

/// Why bytes are no topology or no proposal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// They are no message at all.
    #[error("not a protobuf message: {0}")]
    Message(#[from] prost::DecodeError),
    /// A field that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field has a value that it cannot have.
    #[error("{0} has an impossible value")]
    Impossible(&'static str),
    /// The parts do not fit each other.
    #[error("not a topology: it must hold that {0}")]
    Inconsistent(&'static str),
}

fn fixed<const N: usize>(bytes: &[u8], field: &'static str) -> Result<[u8; N], DecodeError> {
    bytes.try_into().map_err(|_| DecodeError::Impossible(field))
}

fn node_id(bytes: &[u8]) -> Result<NodeId, DecodeError> {
    fixed(bytes, "a node id").map(NodeId)
}

fn shard_id(bytes: &[u8]) -> Result<ShardId, DecodeError> {
    fixed(bytes, "a shard id").map(ShardId)
}

fn group_id(bytes: &[u8]) -> Result<GroupId, DecodeError> {
    fixed(bytes, "a group id").map(GroupId)
}

fn storage_id(bytes: &[u8]) -> Result<StorageId, DecodeError> {
    fixed(bytes, "a storage id").map(StorageId)
}

fn process_id(bytes: &[u8]) -> Result<ProcessId, DecodeError> {
    fixed(bytes, "a process id").map(ProcessId)
}

fn port(number: u32) -> Result<u16, DecodeError> {
    u16::try_from(number).map_err(|_| DecodeError::Impossible("a port"))
}

fn slot(number: u32) -> Result<Slot, DecodeError> {
    u16::try_from(number).ok().and_then(Slot::new).ok_or(DecodeError::Impossible("a slot"))
}

fn range(span: &rpc::SlotSpan) -> Result<SlotRange, DecodeError> {
    SlotRange::new(slot(span.first)?, slot(span.last)?).ok_or(DecodeError::Impossible("a range of slots"))
}

fn ranges(spans: &[rpc::SlotSpan]) -> Result<Vec<SlotRange>, DecodeError> {
    spans.iter().map(range).collect()
}

fn spans(ranges: &[SlotRange]) -> Vec<rpc::SlotSpan> {
    let number = |slot: Slot| u32::from(slot.number());
    ranges.iter().map(|r| rpc::SlotSpan { first: number(r.first()), last: number(r.last()) }).collect()
}

fn address(message: Option<rpc::TopologyAddress>) -> Result<Address, DecodeError> {
    let rpc::TopologyAddress { host, port: client, bus_port, hostname } =
        message.ok_or(DecodeError::Missing("an address"))?;
    Ok(Address { host, port: port(client)?, bus_port: port(bus_port)?, hostname })
}

fn address_message(address: &Address) -> rpc::TopologyAddress {
    rpc::TopologyAddress {
        host: address.host.clone(),
        port: address.port.into(),
        bus_port: address.bus_port.into(),
        hostname: address.hostname.clone(),
    }
}

fn role(number: i32) -> Result<Role, DecodeError> {
    match rpc::TopologyRole::try_from(number) {
        Ok(rpc::TopologyRole::Voter) => Ok(Role::Voter),
        Ok(rpc::TopologyRole::Learner) => Ok(Role::Learner),
        Ok(rpc::TopologyRole::Watcher) => Ok(Role::Watcher),
        Ok(rpc::TopologyRole::Unspecified) | Err(_) => Err(DecodeError::Impossible("a role")),
    }
}

fn role_number(role: Role) -> i32 {
    let role = match role {
        Role::Voter => rpc::TopologyRole::Voter,
        Role::Learner => rpc::TopologyRole::Learner,
        Role::Watcher => rpc::TopologyRole::Watcher,
    };
    role.into()
}

fn state(number: i32) -> Result<NodeState, DecodeError> {
    match rpc::TopologyNodeState::try_from(number) {
        Ok(rpc::TopologyNodeState::Active) => Ok(NodeState::Active),
        Ok(rpc::TopologyNodeState::Failed) => Ok(NodeState::Failed),
        Ok(rpc::TopologyNodeState::Unspecified) | Err(_) => Err(DecodeError::Impossible("a node's state")),
    }
}

fn state_number(state: NodeState) -> i32 {
    let state = match state {
        NodeState::Active => rpc::TopologyNodeState::Active,
        NodeState::Failed => rpc::TopologyNodeState::Failed,
    };
    state.into()
}

fn shard_state(number: i32) -> Result<ShardState, DecodeError> {
    match rpc::TopologyShardState::try_from(number) {
        Ok(rpc::TopologyShardState::Active) => Ok(ShardState::Active),
        Ok(rpc::TopologyShardState::Offline) => Ok(ShardState::Offline),
        Ok(rpc::TopologyShardState::Unspecified) | Err(_) => Err(DecodeError::Impossible("a shard's state")),
    }
}

fn shard_state_number(state: ShardState) -> i32 {
    let state = match state {
        ShardState::Active => rpc::TopologyShardState::Active,
        ShardState::Offline => rpc::TopologyShardState::Offline,
    };
    state.into()
}

/// A number that rises by one at a time: it cannot have come near the end of its type.
fn counter(number: u64, field: &'static str) -> Result<u64, DecodeError> {
    if number <= u64::MAX / 2 { Ok(number) } else { Err(DecodeError::Impossible(field)) }
}

fn grant(message: &rpc::TopologyGrant) -> Result<Grant, DecodeError> {
    Ok(Grant { node: node_id(&message.node)?, incarnation: Incarnation(message.incarnation) })
}

fn required_grant(message: Option<&rpc::TopologyGrant>, field: &'static str) -> Result<Grant, DecodeError> {
    grant(message.ok_or(DecodeError::Missing(field))?)
}

fn grants(messages: &[rpc::TopologyGrant]) -> Result<Vec<Grant>, DecodeError> {
    messages.iter().map(grant).collect()
}

fn grant_message(grant: Grant) -> rpc::TopologyGrant {
    rpc::TopologyGrant { node: grant.node.0.to_vec().into(), incarnation: grant.incarnation.0 }
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::rpc;
    use proptest::prelude::*;
    use prost::Message as _;

    use super::super::arbitrary::{alone, any_proposal, any_topology};
    use super::super::{Proposal, ShardState, Topology};
    use super::DecodeError;

    proptest! {
        #[test]
        fn topologies_round_trip(topology in any_topology()) {
            let bytes = topology.encode();
            let back = Topology::decode(&bytes);
            prop_assert_eq!(back.as_ref(), Ok(&topology));
            prop_assert_eq!(back.map(|back| back.encode()), Ok(bytes));
        }

        #[test]
        fn proposals_round_trip(proposal in any_proposal()) {
            prop_assert_eq!(Proposal::decode(&proposal.encode()), Ok(proposal));
        }

        /// Damaged bytes are refused or are another topology, in which everything still holds.
        #[test]
        fn damaged_bytes_never_panic(
            topology in any_topology(),
            proposal in any_proposal(),
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            for mut bytes in [topology.encode(), proposal.encode()] {
                for (at, byte) in &damage {
                    let at = at.index(bytes.len());
                    bytes[at] = *byte;
                }
                for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
                    let _ = Proposal::decode(bytes);
                    if let Ok(topology) = Topology::decode(bytes) {
                        prop_assert_eq!(topology.broken_invariant(), None);
                    }
                }
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (Topology::decode(&bytes), Proposal::decode(&bytes));
        }
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        assert_eq!(Topology::decode(&[]), Err(DecodeError::Impossible("a group id")));
        let mut torn = alone();
        torn.nodes.clear();
        assert_eq!(
            Topology::decode(&torn.encode()),
            Err(DecodeError::Inconsistent("a primary is a member of its shard"))
        );
        let mut doubled = alone();
        doubled.shards.push(doubled.shards[0].clone());
        assert_eq!(
            Topology::decode(&doubled.encode()),
            Err(DecodeError::Inconsistent("shard ids are unique and ascend"))
        );
        let mut nobody = alone();
        nobody.shards[0].state = ShardState::Offline;
        assert_eq!(
            Topology::decode(&nobody.encode()),
            Err(DecodeError::Inconsistent("an offline shard has lost its last copy"))
        );
        let mut late = alone();
        late.shards[0].epoch.0 = u64::MAX;
        assert_eq!(Topology::decode(&late.encode()), Err(DecodeError::Impossible("an epoch")));
    }

    /// What was written when a shard was its primary alone, and said nothing of an in-sync set.
    #[test]
    fn shards_of_the_time_before_replicas_are_read() {
        let mut message = rpc::TopologyState::decode(&alone().encode()[..]).expect("a message");
        let shard = &mut message.shards[0];
        (shard.isr, shard.isr_version, shard.state, shard.history) = (Vec::new(), 0, 0, 0);
        let read = Topology::decode(&message.encode_to_vec()).expect("a topology");
        let shard = &read.shards()[0];
        assert_eq!((&shard.isr[..], shard.state), (&[shard.primary][..], ShardState::Active));
    }
}
