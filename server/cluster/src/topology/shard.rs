//! A shard: the unit that owns slots, and who may serve them.
//!
//! The right to serve is a [`Grant`], to one life of one node. The shard's epoch rises with every new grant of the
//! primary, so a message from an earlier primary is known by its epoch alone.

use nuthatch_proto::ids::{Epoch, Incarnation, LogIndex, NodeId, ShardId};

/// One life of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    /// The node.
    pub node: NodeId,
    /// Which of its lives.
    pub incarnation: Incarnation,
}

/// A shard. Which slots it owns stands in the topology's slot table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Its identity, kept over changes of primary.
    pub id: ShardId,
    /// Rises with every new grant of the primary.
    pub epoch: Epoch,
    /// Who serves it.
    pub primary: Grant,
    /// Who copies it, ascending.
    pub replicas: Vec<Grant>,
    /// The log index at which it last won slots or its primary changed, or a little more: higher than that of any
    /// other shard at that time, so that no two shards have the same.
    pub slot_epoch: LogIndex,
}

impl Shard {
    /// The epoch that clients are shown (the config epoch of CLUSTER NODES).
    pub fn shown_epoch(&self) -> Epoch {
        Epoch(self.slot_epoch.0)
    }

    /// Whether that life of that node is the one that serves.
    #[inline]
    pub fn is_served_by(&self, grant: Grant) -> bool {
        self.primary == grant
    }
}
