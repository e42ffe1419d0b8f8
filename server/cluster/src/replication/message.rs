//! What the members of a shard say to each other, and to the leader of the metadata group.
//!
//! Everything here may be late, repeated or lost, and may come from a life that is over. So each message says which epoch
//! it is of, each life which one it is, and what belongs to one conversation of a replica with its primary bears the
//! conversation's number: the replica counts them, and what bears another number is dropped on either side.
//!
//! Effects are not here: the driver sends them after an [`Append`] that names their range, and a driver of a stream of
//! bytes may leave out what the stream makes plain.

use nuthatch_proto::ids::{Epoch, ReplicationOffset, ShardId};

use super::position::{Log, Position};
use super::timing::Time;
use crate::topology::{Grant, TopologyChange};

/// A replica's life, counting its conversations.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session(pub u64);

/// From a replica to its primary: send me what I lack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Who asks.
    pub member: Grant,
    /// The conversation that it begins.
    pub session: Session,
    /// The epoch of the primary that it wants to follow.
    pub epoch: Epoch,
    /// What it holds.
    pub log: Log,
}

/// How a replica comes to hold what its primary holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncKind {
    /// Its log is a prefix of the primary's: the rest follows.
    Partial,
    /// Beyond `after` it wrote something else: it gets the slots anew that it wrote to since, then the rest from there.
    Slots {
        /// The divergence point.
        after: ReplicationOffset,
    },
    /// It gets all slots anew.
    Full,
}

/// From a primary to a replica: this is how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sync {
    /// The primary's epoch.
    pub epoch: Epoch,
    /// The conversation.
    pub session: Session,
    /// The primary's log.
    pub log: Log,
    /// How.
    pub kind: SyncKind,
}

/// From a primary to a replica: the effects from `start` to `end`, or a ping if there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Append {
    /// The primary's epoch.
    pub epoch: Epoch,
    /// The conversation.
    pub session: Session,
    /// Where the effects begin.
    pub start: ReplicationOffset,
    /// Where they end.
    pub end: ReplicationOffset,
    /// Up to where the log is on every member of the in-sync set.
    pub commit: ReplicationOffset,
    /// The primary's time; the answer repeats it.
    pub sent: Time,
    /// The replica's own time in the last answer that the primary heard.
    pub heard: Option<Time>,
    /// The primary serves nothing any more, and frees the replica of its promise.
    pub resigned: bool,
}

/// What an acknowledgement promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pledge {
    /// To accept no fence for a while, in answer to what was sent at that time of the primary.
    Promise(Time),
    /// Nothing any more: the primary has resigned in what it sent at that time.
    Release(Time),
    /// Nothing that it had not promised before.
    Nothing,
    /// Nothing ever: the replica is fenced against this epoch.
    Refusal,
}

/// From a replica to its primary: I hold this, and I promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// Who answers.
    pub member: Grant,
    /// The conversation.
    pub session: Session,
    /// The epoch of what is answered.
    pub epoch: Epoch,
    /// Up to where it holds the primary's log; none as long as it is no prefix of it.
    pub offset: Option<ReplicationOffset>,
    /// The promise.
    pub pledge: Pledge,
    /// The replica's time.
    pub sent: Time,
}

/// Between a replica and its primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// To the primary.
    Hello(Hello),
    /// To the replica.
    Sync(Sync),
    /// To the replica.
    Append(Append),
    /// To the primary.
    Ack(Ack),
}

/// From the metadata leader to a member of the in-sync set: follow nobody before this epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// The life that is meant.
    pub member: Grant,
    /// The epoch that is to come.
    pub epoch: Epoch,
    /// The version of the in-sync set that the leader went by.
    pub isr_version: u64,
}

/// What a member answers to a fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FenceAnswer {
    /// It follows nobody before that epoch any more.
    Fenced(Position),
    /// It has promised its primary not to, for that many milliseconds still.
    Promised {
        /// How long.
        ends_in_ms: u64,
    },
}

/// From a member to the metadata leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fenced {
    /// Who answers.
    pub member: Grant,
    /// The epoch of the fence.
    pub epoch: Epoch,
    /// The answer.
    pub answer: FenceAnswer,
}

/// From a replica to the metadata leader: I do not hear my primary, or it does not hear me.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspect {
    /// Who says so.
    pub member: Grant,
    /// The epoch of the primary that is meant.
    pub epoch: Epoch,
    /// For how long.
    pub silence_ms: u64,
}

/// A change of the shard that only the metadata group can make. It is refused unless the shard is still at that epoch,
/// and a change of the in-sync set unless that is at that version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A member leaves the in-sync set.
    Shrink {
        /// The shard's epoch.
        epoch: Epoch,
        /// The in-sync set's version.
        isr_version: u64,
        /// The primary that asks.
        by: Grant,
        /// Who leaves.
        out: Grant,
    },
    /// A member joins the in-sync set.
    Grow {
        /// The shard's epoch.
        epoch: Epoch,
        /// The in-sync set's version.
        isr_version: u64,
        /// The primary that asks.
        by: Grant,
        /// Who joins.
        member: Grant,
    },
    /// Another member becomes the primary, under the next epoch.
    Promote {
        /// The shard's epoch so far.
        epoch: Epoch,
        /// The new primary.
        primary: Grant,
        /// Who, with it, is the new in-sync set.
        fenced: Vec<Grant>,
    },
}

impl Change {
    /// The change of that shard.
    pub fn of_shard(self, shard: ShardId) -> TopologyChange {
        match self {
            Self::Shrink { epoch, isr_version, by, out } => {
                TopologyChange::ShrinkIsr { shard, epoch, isr_version, by, out }
            }
            Self::Grow { epoch, isr_version, by, member } => {
                TopologyChange::GrowIsr { shard, epoch, isr_version, by, member }
            }
            Self::Promote { epoch, primary, fenced } => {
                TopologyChange::Promote { shard, epoch, primary, fenced }
            }
        }
    }
}

/// A change that was asked for, to be carried to a definite outcome under one proposal id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// Names the outcome; counted by the machine that asks.
    pub number: u64,
    /// The change.
    pub change: Change,
}
