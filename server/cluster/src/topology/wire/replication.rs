//! Changes of replicas, in-sync sets and primaries as messages.
//!
//! Whatever a proposer went by (epoch, version, lives) travels with its proposal, because it is compared when the change
//! is applied. Numbers are taken as they come: one that no shard has is refused there, not here. A life without a node, or
//! a change without its lives, is no change.

use nuthatch_proto::ids::{Epoch, NodeId, ShardId};
use nuthatch_proto::rpc::topology_change as kinds;

use super::super::TopologyChange;
use super::super::shard::Grant;
use super::{DecodeError, grant_message};

/// What a primary went by, and itself.
type Seen = (ShardId, Epoch, u64, Grant);

pub(super) fn to_replicate(node: NodeId, primary: NodeId) -> kinds::Kind {
    kinds::Kind::Replicate(kinds::Replicate {
        node: node.0.to_vec().into(),
        primary: primary.0.to_vec().into(),
    })
}

pub(super) fn from_replicate(message: &kinds::Replicate) -> Result<TopologyChange, DecodeError> {
    let (node, primary) = (super::node_id(&message.node)?, super::node_id(&message.primary)?);
    Ok(TopologyChange::Replicate { node, primary })
}

pub(super) fn to_shrink((shard, epoch, isr_version, by): Seen, out: Grant) -> kinds::Kind {
    kinds::Kind::ShrinkIsr(kinds::ShrinkIsr {
        shard: shard.0.to_vec().into(),
        epoch: epoch.0,
        isr_version,
        by: Some(grant_message(by)),
        out: Some(grant_message(out)),
    })
}

pub(super) fn from_shrink(message: &kinds::ShrinkIsr) -> Result<TopologyChange, DecodeError> {
    Ok(TopologyChange::ShrinkIsr {
        shard: super::shard_id(&message.shard)?,
        epoch: Epoch(message.epoch),
        isr_version: message.isr_version,
        by: super::required_grant(message.by.as_ref(), "the primary that proposes")?,
        out: super::required_grant(message.out.as_ref(), "who is in sync no more")?,
    })
}

pub(super) fn to_grow((shard, epoch, isr_version, by): Seen, member: Grant) -> kinds::Kind {
    kinds::Kind::GrowIsr(kinds::GrowIsr {
        shard: shard.0.to_vec().into(),
        epoch: epoch.0,
        isr_version,
        by: Some(grant_message(by)),
        member: Some(grant_message(member)),
    })
}

pub(super) fn from_grow(message: &kinds::GrowIsr) -> Result<TopologyChange, DecodeError> {
    Ok(TopologyChange::GrowIsr {
        shard: super::shard_id(&message.shard)?,
        epoch: Epoch(message.epoch),
        isr_version: message.isr_version,
        by: super::required_grant(message.by.as_ref(), "the primary that proposes")?,
        member: super::required_grant(message.member.as_ref(), "who is in sync")?,
    })
}

pub(super) fn to_promote(shard: ShardId, epoch: Epoch, primary: Grant, fenced: &[Grant]) -> kinds::Kind {
    kinds::Kind::Promote(kinds::Promote {
        shard: shard.0.to_vec().into(),
        epoch: epoch.0,
        primary: Some(grant_message(primary)),
        fenced: fenced.iter().copied().map(grant_message).collect(),
    })
}

pub(super) fn from_promote(message: &kinds::Promote) -> Result<TopologyChange, DecodeError> {
    Ok(TopologyChange::Promote {
        shard: super::shard_id(&message.shard)?,
        epoch: Epoch(message.epoch),
        primary: super::required_grant(message.primary.as_ref(), "who becomes the primary")?,
        fenced: super::grants(&message.fenced)?,
    })
}

pub(super) fn to_force_empty(shard: ShardId, node: NodeId) -> kinds::Kind {
    kinds::Kind::ForceEmpty(kinds::ForceEmpty {
        shard: shard.0.to_vec().into(),
        node: node.0.to_vec().into(),
    })
}

pub(super) fn from_force_empty(message: &kinds::ForceEmpty) -> Result<TopologyChange, DecodeError> {
    let (shard, node) = (super::shard_id(&message.shard)?, super::node_id(&message.node)?);
    Ok(TopologyChange::ForceEmpty { shard, node })
}
