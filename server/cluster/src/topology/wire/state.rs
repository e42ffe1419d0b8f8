//! The topology as a message: every member, shard, slot, tombstone, outcome and setting.
//!
//! Slots travel as ranges inside their shards; a slot that two shards claim makes the message no topology. After the
//! fields, the whole is checked against the topology's own invariants.

use std::collections::VecDeque;
use std::sync::Arc;

use nuthatch_proto::ids::{Epoch, Incarnation, LogIndex};
use nuthatch_proto::rpc;
use prost::Message;

use super::super::node::{Node, RaftId};
use super::super::proposal::{OUTCOMES_PER_NODE, Outcome, Outcomes};
use super::super::shard::{Shard, ShardState};
use super::super::slots::{NOBODY, ShardIndex, SlotRange, SlotTable};
use super::super::{MAX_NODES, Topology};
use super::DecodeError;

impl Topology {
    /// The topology as bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.to_message().encode_to_vec()
    }

    /// Reads what [`Topology::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::from_message(rpc::TopologyState::decode(bytes)?)
    }

    fn to_message(&self) -> rpc::TopologyState {
        let tombstone = |(id, index): (&nuthatch_proto::ids::NodeId, &LogIndex)| rpc::TopologyTombstone {
            node: id.0.to_vec().into(),
            index: index.0,
        };
        let setting = |(key, value): (&String, &String)| rpc::TopologySetting {
            key: key.clone(),
            value: value.clone(),
        };
        // One pass over the slots for all shards: this runs at each change.
        let mut slots = vec![Vec::new(); self.shards.len()];
        for (range, place) in self.slots.ranges() {
            slots[usize::from(place)].push(range);
        }
        rpc::TopologyState {
            group_id: self.group.0.to_vec().into(),
            applied: self.applied.0,
            changed: self.changed.0,
            last_raft_id: self.last_raft_id.0,
            nodes: self.nodes.values().map(node_message).collect(),
            shards: self
                .shards
                .iter()
                .zip(&slots)
                .map(|(shard, slots)| shard_message(shard, slots))
                .collect(),
            tombstones: self.tombstones.iter().map(tombstone).collect(),
            outcomes: outcome_messages(&self.outcomes),
            settings: self.settings.iter().map(setting).collect(),
        }
    }

    fn from_message(message: rpc::TopologyState) -> Result<Self, DecodeError> {
        if message.shards.len() > MAX_NODES {
            return Err(DecodeError::Inconsistent("shards are bounded"));
        }
        let nodes = message.nodes.into_iter().map(node).collect::<Result<Vec<_>, _>>()?;
        let members = nodes.len();
        let tombstone =
            |message: &rpc::TopologyTombstone| Ok((super::node_id(&message.node)?, LogIndex(message.index)));
        let topology = Self {
            group: super::group_id(&message.group_id)?,
            applied: LogIndex(message.applied),
            changed: LogIndex(message.changed),
            last_raft_id: RaftId(super::counter(message.last_raft_id, "a Raft id")?),
            nodes: nodes.into_iter().map(|node| (node.id, node)).collect(),
            shards: message.shards.iter().map(shard).collect::<Result<_, _>>()?,
            slots: Arc::new(slot_table(&message.shards)?),
            tombstones: message.tombstones.iter().map(tombstone).collect::<Result<_, DecodeError>>()?,
            outcomes: outcomes(message.outcomes)?,
            settings: message.settings.into_iter().map(|setting| (setting.key, setting.value)).collect(),
        };
        if topology.nodes.len() != members {
            return Err(DecodeError::Inconsistent("node ids are unique"));
        }
        topology.broken_invariant().map_or(Ok(topology), |broken| Err(DecodeError::Inconsistent(broken)))
    }
}

fn node_message(node: &Node) -> rpc::TopologyNode {
    rpc::TopologyNode {
        id: node.id.0.to_vec().into(),
        address: Some(super::address_message(&node.address)),
        incarnation: node.incarnation.0,
        storage: node.storage.0.to_vec().into(),
        process: node.process.0.to_vec().into(),
        raft_id: node.raft_id.0,
        role: super::role_number(node.role),
        shard: node.shard.0.to_vec().into(),
        state: super::state_number(node.state),
    }
}

fn node(message: rpc::TopologyNode) -> Result<Node, DecodeError> {
    let node = Node {
        id: super::node_id(&message.id)?,
        address: super::address(message.address)?,
        incarnation: Incarnation(super::counter(message.incarnation, "an incarnation")?),
        storage: super::storage_id(&message.storage)?,
        process: super::process_id(&message.process)?,
        raft_id: RaftId(message.raft_id),
        role: super::role(message.role)?,
        shard: super::shard_id(&message.shard)?,
        state: super::state(message.state)?,
    };
    if node.address.is_valid() { Ok(node) } else { Err(DecodeError::Impossible("an address")) }
}

fn shard_message(shard: &Shard, slots: &[SlotRange]) -> rpc::TopologyShard {
    rpc::TopologyShard {
        id: shard.id.0.to_vec().into(),
        epoch: shard.epoch.0,
        primary: Some(super::grant_message(shard.primary)),
        slot_epoch: shard.slot_epoch.0,
        slots: super::spans(slots),
        isr: shard.isr.iter().copied().map(super::grant_message).collect(),
        isr_version: shard.isr_version,
        replicas: shard.replicas.iter().map(|node| node.0.to_vec().into()).collect(),
        state: super::shard_state_number(shard.state),
        history: shard.history.0,
    }
}

fn shard(message: &rpc::TopologyShard) -> Result<Shard, DecodeError> {
    let primary = super::required_grant(message.primary.as_ref(), "a shard's primary")?;
    let before_replicas =
        message.isr.is_empty() && message.state == i32::from(rpc::TopologyShardState::Unspecified);
    let (isr, state) = match before_replicas {
        true => (vec![primary], ShardState::Active),
        false => (super::grants(&message.isr)?, super::shard_state(message.state)?),
    };
    Ok(Shard {
        id: super::shard_id(&message.id)?,
        epoch: Epoch(super::counter(message.epoch, "an epoch")?),
        primary,
        isr,
        isr_version: super::counter(message.isr_version, "a version of an in-sync set")?,
        replicas: message.replicas.iter().map(|id| super::node_id(id)).collect::<Result<_, _>>()?,
        state,
        history: LogIndex(message.history),
        slot_epoch: LogIndex(super::counter(message.slot_epoch, "an epoch of slots")?),
    })
}

fn slot_table(shards: &[rpc::TopologyShard]) -> Result<SlotTable, DecodeError> {
    let mut table = SlotTable::default();
    for (place, shard) in shards.iter().enumerate() {
        let place = ShardIndex::try_from(place).map_err(|_| DecodeError::Impossible("a number of shards"))?;
        for slot in super::ranges(&shard.slots)?.into_iter().flat_map(|range| range.slots()) {
            if table.owner(slot) != NOBODY {
                return Err(DecodeError::Inconsistent("a slot has one owner"));
            }
            table.set(slot, place);
        }
    }
    Ok(table)
}

fn outcome_messages(outcomes: &Outcomes) -> Vec<rpc::TopologyOutcome> {
    let mut messages = Vec::new();
    for (node, remembered) in &outcomes.0 {
        messages.extend(remembered.iter().map(|(seq, outcome)| {
            let (index, rejected) = match outcome {
                Outcome::Applied(index) => (index.0, None),
                Outcome::Rejected { index, error } => (index.0, Some(error.clone())),
            };
            rpc::TopologyOutcome { node: node.0.to_vec().into(), seq: *seq, index, rejected }
        }));
    }
    messages
}

fn outcomes(messages: Vec<rpc::TopologyOutcome>) -> Result<Outcomes, DecodeError> {
    let mut outcomes = Outcomes::default();
    for message in messages {
        let index = LogIndex(message.index);
        let outcome = match message.rejected {
            None => Outcome::Applied(index),
            Some(error) => Outcome::Rejected { index, error },
        };
        let remembered: &mut VecDeque<_> = outcomes.0.entry(super::node_id(&message.node)?).or_default();
        if remembered.len() >= OUTCOMES_PER_NODE {
            return Err(DecodeError::Inconsistent("remembered outcomes are bounded"));
        }
        remembered.push_back((message.seq, outcome));
    }
    Ok(outcomes)
}
