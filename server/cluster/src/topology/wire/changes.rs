//! Proposals and changes as messages.
//!
//! A change read from bytes is well-formed, not legal: whether it may be made is decided when it is applied.

use nuthatch_proto::ids::Incarnation;
use nuthatch_proto::rpc;
use nuthatch_proto::rpc::topology_change as kinds;
use prost::Message;

use super::super::TopologyChange;
use super::super::node::{Joiner, Role};
use super::super::proposal::{Proposal, ProposalId};
use super::{DecodeError, replication};

impl Proposal {
    /// The proposal as bytes: the data of a log entry.
    pub fn encode(&self) -> Vec<u8> {
        let changes = self.changes.iter().map(|change| rpc::TopologyChange { kind: Some(to_kind(change)) });
        let node = self.id.node.0.to_vec().into();
        rpc::TopologyProposal { node, seq: self.id.seq, changes: changes.collect() }.encode_to_vec()
    }

    /// Reads what [`Proposal::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let message = rpc::TopologyProposal::decode(bytes)?;
        let id = ProposalId { node: super::node_id(&message.node)?, seq: message.seq };
        let change = |message: rpc::TopologyChange| {
            from_kind(message.kind.ok_or(DecodeError::Missing("a change's kind"))?)
        };
        Ok(Self { id, changes: message.changes.into_iter().map(change).collect::<Result<_, _>>()? })
    }
}

fn to_kind(change: &TopologyChange) -> kinds::Kind {
    match change {
        TopologyChange::Register { node, storage, process, address } => {
            kinds::Kind::Register(kinds::Register {
                node: node.0.to_vec().into(),
                storage: storage.0.to_vec().into(),
                process: process.0.to_vec().into(),
                address: Some(super::address_message(address)),
            })
        }
        TopologyChange::Join { joiner, role } => kinds::Kind::Join(to_join(joiner, *role)),
        TopologyChange::Forget { node, by } => {
            kinds::Kind::Forget(kinds::Forget { node: node.0.to_vec().into(), by: by.0.to_vec().into() })
        }
        TopologyChange::Leave { node } => kinds::Kind::Leave(kinds::Leave { node: node.0.to_vec().into() }),
        TopologyChange::AddSlots { node, ranges } => kinds::Kind::AddSlots(kinds::AddSlots {
            node: node.0.to_vec().into(),
            slots: super::spans(ranges),
        }),
        TopologyChange::DelSlots { node, ranges } => kinds::Kind::DelSlots(kinds::DelSlots {
            slots: super::spans(ranges),
            node: node.0.to_vec().into(),
        }),
        TopologyChange::FlushSlots { node } => {
            kinds::Kind::FlushSlots(kinds::FlushSlots { node: node.0.to_vec().into() })
        }
        TopologyChange::SetSlotNode { slot, node, expected } => {
            kinds::Kind::SetSlotNode(kinds::SetSlotNode {
                slot: slot.number().into(),
                node: node.0.to_vec().into(),
                expected: expected.map(|shard| shard.0.to_vec()).unwrap_or_default().into(),
            })
        }
        TopologyChange::AssignByRing => kinds::Kind::AssignByRing(kinds::AssignByRing {}),
        TopologyChange::SetRole { node, role } => kinds::Kind::SetRole(kinds::SetRole {
            node: node.0.to_vec().into(),
            role: super::role_number(*role),
        }),
        TopologyChange::SetState { node, incarnation, state } => kinds::Kind::SetState(kinds::SetState {
            node: node.0.to_vec().into(),
            incarnation: incarnation.0,
            state: super::state_number(*state),
        }),
        TopologyChange::Config { key, value } => {
            kinds::Kind::Config(kinds::Config { key: key.clone(), value: value.clone() })
        }
        TopologyChange::Replicate { node, primary } => replication::to_replicate(*node, *primary),
        &TopologyChange::ShrinkIsr { shard, epoch, isr_version, by, out } => {
            replication::to_shrink((shard, epoch, isr_version, by), out)
        }
        &TopologyChange::GrowIsr { shard, epoch, isr_version, by, member } => {
            replication::to_grow((shard, epoch, isr_version, by), member)
        }
        TopologyChange::Promote { shard, epoch, primary, fenced } => {
            replication::to_promote(*shard, *epoch, *primary, fenced)
        }
        TopologyChange::ForceEmpty { shard, node } => replication::to_force_empty(*shard, *node),
    }
}

fn to_join(joiner: &Joiner, role: Role) -> kinds::Join {
    kinds::Join {
        node: joiner.id.0.to_vec().into(),
        shard: joiner.shard.0.to_vec().into(),
        storage: joiner.storage.0.to_vec().into(),
        process: joiner.process.0.to_vec().into(),
        address: Some(super::address_message(&joiner.address)),
        slots: super::spans(&joiner.slots),
        role: super::role_number(role),
    }
}

fn from_kind(kind: kinds::Kind) -> Result<TopologyChange, DecodeError> {
    Ok(match kind {
        kinds::Kind::Register(message) => TopologyChange::Register {
            node: super::node_id(&message.node)?,
            storage: super::storage_id(&message.storage)?,
            process: super::process_id(&message.process)?,
            address: super::address(message.address)?,
        },
        kinds::Kind::Join(message) => from_join(message)?,
        kinds::Kind::Forget(message) => {
            TopologyChange::Forget { node: super::node_id(&message.node)?, by: super::node_id(&message.by)? }
        }
        kinds::Kind::Leave(message) => TopologyChange::Leave { node: super::node_id(&message.node)? },
        kinds::Kind::AddSlots(message) => TopologyChange::AddSlots {
            node: super::node_id(&message.node)?,
            ranges: super::ranges(&message.slots)?,
        },
        kinds::Kind::DelSlots(message) => TopologyChange::DelSlots {
            node: super::node_id(&message.node)?,
            ranges: super::ranges(&message.slots)?,
        },
        kinds::Kind::FlushSlots(message) => {
            TopologyChange::FlushSlots { node: super::node_id(&message.node)? }
        }
        kinds::Kind::SetSlotNode(message) => TopologyChange::SetSlotNode {
            slot: super::slot(message.slot)?,
            node: super::node_id(&message.node)?,
            expected: match message.expected.is_empty() {
                true => None,
                false => Some(super::shard_id(&message.expected)?),
            },
        },
        kinds::Kind::AssignByRing(kinds::AssignByRing {}) => TopologyChange::AssignByRing,
        kinds::Kind::SetRole(message) => {
            TopologyChange::SetRole { node: super::node_id(&message.node)?, role: super::role(message.role)? }
        }
        kinds::Kind::SetState(message) => TopologyChange::SetState {
            node: super::node_id(&message.node)?,
            incarnation: Incarnation(message.incarnation),
            state: super::state(message.state)?,
        },
        kinds::Kind::Config(message) => TopologyChange::Config { key: message.key, value: message.value },
        kinds::Kind::Replicate(message) => replication::from_replicate(&message)?,
        kinds::Kind::ShrinkIsr(message) => replication::from_shrink(&message)?,
        kinds::Kind::GrowIsr(message) => replication::from_grow(&message)?,
        kinds::Kind::Promote(message) => replication::from_promote(&message)?,
        kinds::Kind::ForceEmpty(message) => replication::from_force_empty(&message)?,
    })
}

fn from_join(message: kinds::Join) -> Result<TopologyChange, DecodeError> {
    let role = super::role(message.role)?;
    let joiner = Joiner {
        id: super::node_id(&message.node)?,
        shard: super::shard_id(&message.shard)?,
        storage: super::storage_id(&message.storage)?,
        process: super::process_id(&message.process)?,
        address: super::address(message.address)?,
        slots: super::ranges(&message.slots)?,
    };
    Ok(TopologyChange::Join { joiner, role })
}
