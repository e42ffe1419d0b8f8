//! Why a change is refused: the text is what the client is answered, Redis's own where Redis has one.
//!
//! A refusal is decided by the pure apply function, so every node decides it alike; it changes nothing.

use nuthatch_proto::ids::{Epoch, NodeId, ShardId};
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
    #[error("ERR Node {0} has replicas of the slots it owns. Move them to another primary first")]
    HasReplicas(NodeId),
    /// CLUSTER FORGET at a replica, of its primary.
    #[error("ERR Can't forget my master!")]
    ForgetMyPrimary,
    /// CLUSTER REPLICATE of the node that was asked.
    #[error("ERR Can't replicate myself")]
    ReplicateMyself,
    /// CLUSTER REPLICATE of a replica.
    #[error("ERR I can only replicate a master, not a replica.")]
    ReplicateReplica,
    /// CLUSTER REPLICATE at a primary that owns slots or has keys.
    #[error("ERR To set a master the node must be empty and without assigned slots.")]
    ReplicateNotEmpty,
    /// What the shard holds would be lost with that node.
    #[error("ERR Node {0} holds the only copy of its shard that is in sync")]
    LastInSync(NodeId),
    /// No shard has that id.
    #[error("ERR Unknown shard {0}")]
    UnknownShard(ShardId),
    /// The proposer went by another epoch of the shard.
    #[error("ERR Shard {shard} is at epoch {epoch} by now")]
    OtherEpoch {
        /// The shard.
        shard: ShardId,
        /// Its epoch.
        epoch: Epoch,
    },
    /// The proposer went by another state of the shard's in-sync set.
    #[error("ERR The in-sync set of shard {0} changed in the meantime")]
    OtherInSyncSet(ShardId),
    /// Only the primary changes the in-sync set.
    #[error("ERR Node {node} is not the primary of shard {shard}")]
    NotItsPrimary {
        /// The shard.
        shard: ShardId,
        /// Who proposed.
        node: NodeId,
    },
    /// Who is to leave the in-sync set, or to be promoted, is not in it in that life.
    #[error("ERR Node {0} is not in sync with its shard")]
    NotInSync(NodeId),
    /// Who is to be in sync, or to begin anew, does not belong to the shard.
    #[error("ERR Node {0} is not a replica of that shard")]
    NotAReplica(NodeId),
    /// Nobody is elected for a shard whose last copy is lost.
    #[error("ERR Shard {0} is offline: no copy of it is left")]
    ShardOffline(ShardId),
    /// A shard whose data may be there still does not begin from nothing.
    #[error("ERR Shard {0} is not offline: a copy of it is left")]
    NotOffline(ShardId),
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
