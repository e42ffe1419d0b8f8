//! Why a change is refused: the text is what the client is answered, Redis's own where Redis has one.
//!
//! A refusal is decided by the pure apply function, so every node decides it alike; it changes nothing.

use nuthatch_proto::ids::{NodeId, ShardId};
use nuthatch_proto::slot::Slot;

/// Why a [`TopologyChange`](super::TopologyChange) cannot be applied. `Display` is the error's text, its code first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// ADDSLOTS of a slot with an owner.
    #[error("ERR Slot {0} is already busy")]
    SlotBusy(Slot),
    /// DELSLOTS of a slot without an owner.
    #[error("ERR Slot {0} is already unassigned")]
    SlotUnassigned(Slot),
    /// DELSLOTS at another node than the slot's owner.
    #[error("ERR Slot {slot} is served by node {owner}: only that node can give it up, send this to it")]
    SlotOfOther {
        /// The first such slot.
        slot: Slot,
        /// The primary of the shard that has it.
        owner: NodeId,
    },
    /// One command names a slot twice.
    #[error("ERR Slot {0} specified multiple times")]
    SlotRepeated(Slot),
    /// The slot's owner is not the one the proposer went by.
    #[error("ERR Slot {0} changed hands in the meantime")]
    SlotMoved(Slot),
    /// A joining node brings a slot that has an owner.
    #[error("ERR Slot {slot} of the joining node {joiner} is already owned by node {owner}")]
    JoinClash {
        /// The first such slot.
        slot: Slot,
        /// Who would join.
        joiner: NodeId,
        /// The primary of the shard that has it.
        owner: NodeId,
    },
    /// No member has that id.
    #[error("ERR Unknown node {0}")]
    UnknownNode(NodeId),
    /// Slots are given to primaries only.
    #[error("ERR Target node is not a master")]
    NotAPrimary(NodeId),
    /// A known id comes with another data directory: it was wiped, or two nodes share an id.
    #[error("ERR Node {0} is known with another data directory. Forget it first, or reset it to a new id")]
    OtherStorage(NodeId),
    /// The proposer went by an earlier life of the node.
    #[error("ERR Node {0} has been restarted in the meantime")]
    OtherIncarnation(NodeId),
    /// A joining node brings a shard id that another node's shard has.
    #[error("ERR Shard {0} exists already")]
    ShardExists(ShardId),
    /// The address cannot be shown to clients.
    #[error("ERR Invalid node address specified: {0}")]
    InvalidAddress(String),
    /// CLUSTER FORGET of the node that was asked.
    #[error("ERR I tried hard but I can't forget myself...")]
    ForgetMyself,
    /// The node still owns slots.
    #[error("ERR Node {0} owns slots. Move them to other nodes before it is forgotten")]
    OwnsSlots(NodeId),
    /// Others copy what the node serves.
    #[error("ERR Node {0} has replicas. Move them to another primary first")]
    HasReplicas(NodeId),
    /// Without it nobody could elect a leader: it is alone, or its part is being changed before another's.
    #[error("ERR Node {0} is the last voter of the metadata group")]
    LastVoter(NodeId),
    /// There is room for no more members.
    #[error("ERR The cluster has as many nodes as it may have ({0})")]
    TooManyNodes(usize),
    /// There is room for no more settings.
    #[error("ERR The cluster has as many settings as it may have ({0})")]
    TooManySettings(usize),
    /// A setting's name or value is empty or too long.
    #[error("ERR Invalid cluster setting")]
    InvalidSetting,
    /// A proposal comes so late that its outcome is forgotten.
    #[error("ERR The proposal was decided before and is forgotten")]
    Outdated,
    /// One proposal holds more changes than it may.
    #[error("ERR Too many cluster changes in one transaction (at most {0})")]
    TooManyChanges(usize),
}
