//! A member of the cluster: who it is, where it answers, which life it is living, what part it has in the metadata group.
//!
//! Identity is the id on the node's disk; an address is only where it was last. A process registers each time it
//! starts, and the index of that entry is its incarnation: grants name (node, incarnation), so a process that came back
//! empty is never taken for the one that held the data. The storage id tells a restarted node from a wiped one that
//! kept its id.

use std::fmt;

use nuthatch_proto::ids::{Incarnation, NodeId, ShardId};

use super::Rejected;
use super::slots::SlotRange;

/// A metadata group's identity: 128 random bits drawn by its founder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupId(pub [u8; 16]);

/// The identity of a node's data directory: 128 random bits, drawn when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorageId(pub [u8; 16]);

/// One run of the server's process: 128 random bits drawn when it starts. A process that registers twice (its answer
/// was lost, its address changed) stays the same life; another process under the same node id is a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub [u8; 16]);

/// A member's number in the Raft group: the index of the entry that admitted it, so never used twice and never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RaftId(pub u64);

impl fmt::Display for RaftId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a member is in the metadata group, as the group's configuration has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Elects and commits.
    Voter,
    /// Receives the log and will be a voter when it has caught up.
    Learner,
    /// Follows the stream of topologies; not in the Raft group.
    Watcher,
}

/// What the metadata group holds of a member's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeState {
    /// Taken to be alive.
    Active,
    /// Declared dead; a new registration makes it active again.
    Failed,
}

/// Where a node answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The address announced to clients and peers: IPv4, IPv6 without brackets, or a name. Not empty.
    pub host: String,
    /// The port of clients.
    pub port: u16,
    /// The node-to-node port.
    pub bus_port: u16,
    /// The announced host name, or empty.
    pub hostname: String,
}

impl Address {
    /// The longest host or host name that is taken: what DNS allows.
    pub const MAX_HOST: usize = 255;

    /// Whether it can be shown to clients: a host of printable characters without spaces, commas and `@`, which
    /// separate the fields of CLUSTER NODES, and both ports.
    pub fn is_valid(&self) -> bool {
        let name = |text: &str| {
            text.len() <= Self::MAX_HOST
                && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b',' | b'@' | b'='))
        };
        !self.host.is_empty()
            && name(&self.host)
            && name(&self.hostname)
            && self.port != 0
            && self.bus_port != 0
    }
}

impl Address {
    /// The refusal of an address that is not valid; its text is bounded, whatever the address is.
    pub(super) fn refusal(&self) -> Rejected {
        Rejected::InvalidAddress(self.to_string().chars().take(Self::MAX_HOST).collect())
    }
}

/// `host:port`, as redirections and CLUSTER NODES have it (an IPv6 address without brackets, as Redis prints it).
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its identity.
    pub id: NodeId,
    /// Where it answers.
    pub address: Address,
    /// The life it is living.
    pub incarnation: Incarnation,
    /// Its data directory.
    pub storage: StorageId,
    /// The process that lives it.
    pub process: ProcessId,
    /// Its number in the Raft group, reserved for it even while it is a watcher.
    pub raft_id: RaftId,
    /// Its part in the metadata group.
    pub role: Role,
    /// The shard it serves.
    pub shard: ShardId,
    /// Its health, as agreed.
    pub state: NodeState,
}

/// A node that is about to become a member, with the slots it gathered while it was alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joiner {
    /// Its identity.
    pub id: NodeId,
    /// The shard it brings along: its own, drawn when the node was blank.
    pub shard: ShardId,
    /// Its data directory.
    pub storage: StorageId,
    /// The process that asks.
    pub process: ProcessId,
    /// Where it answers.
    pub address: Address,
    /// Its slots: all of them come with it, or it does not come.
    pub slots: Vec<SlotRange>,
}
