//! A shard: the unit that owns slots, who may serve them, and who holds a copy of them.
//!
//! The right to serve is a [`Grant`], to one life of one node. The shard's epoch rises with every new grant of the
//! primary, so a message from an earlier primary is known by its epoch alone. Membership of the in-sync set is a grant
//! too: whoever is in it holds every committed write, and a process that came back empty is in none. Only its members may
//! be promoted. So the set is never empty: when its last member is lost, the entry stays, by the life that is over, and
//! the shard is [`ShardState::Offline`] until an operator says that it shall begin from nothing.
//!
//! What it is not: the rules by which it changes are in `change/replication.rs`, the data path is elsewhere.
//!
//! Invariants, checked by [`Shard::broken_invariant`]: the in-sync set has one life of a member at most and holds the
//! primary unless that life is over; while the shard is Active its members are registered lives; epoch and version of the
//! in-sync set never fall.

use std::collections::{BTreeMap, BTreeSet};

use nuthatch_proto::ids::{Epoch, Incarnation, LogIndex, NodeId, ShardId};

use super::node::Node;

/// One life of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    /// The node.
    pub node: NodeId,
    /// Which of its lives.
    pub incarnation: Incarnation,
}

/// Whether a shard can be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ShardState {
    /// Its primary serves it, or a member of the in-sync set can be made its primary.
    Active,
    /// The last life that held all of its data is over: nobody serves it, and nobody is elected.
    Offline,
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
    /// Who holds every committed write, the primary included; ascending, never empty.
    pub isr: Vec<Grant>,
    /// Rises with every change of the in-sync set, and of the members besides: what a proposer of the next one goes by.
    pub isr_version: u64,
    /// The members besides the primary's node, in sync or not; ascending.
    pub replicas: Vec<NodeId>,
    /// Whether it can be served.
    pub state: ShardState,
    /// The log index at which its data last began from nothing: when it was founded, when a primary without replicas
    /// came back, or when an operator had it begin anew.
    pub history: LogIndex,
    /// The log index at which it last won slots or its primary changed, or a little more: higher than that of any
    /// other shard at that time, so that no two shards have the same.
    pub slot_epoch: LogIndex,
}

impl Shard {
    /// A shard that begins with one member.
    pub(super) fn found(id: ShardId, primary: Grant, index: LogIndex, slot_epoch: LogIndex) -> Self {
        Self {
            id,
            epoch: Epoch(1),
            primary,
            isr: vec![primary],
            isr_version: 1,
            replicas: Vec::new(),
            state: ShardState::Active,
            history: index,
            slot_epoch,
        }
    }

    /// The epoch that clients are shown (the config epoch of CLUSTER NODES).
    pub fn shown_epoch(&self) -> Epoch {
        Epoch(self.slot_epoch.0)
    }

    /// Whether that life of that node is the one that serves.
    #[inline]
    pub fn is_served_by(&self, grant: Grant) -> bool {
        self.primary == grant
    }

    /// Whether nobody can serve it until an operator has it begin from nothing.
    pub fn is_offline(&self) -> bool {
        self.state == ShardState::Offline
    }

    /// Whether that life of that node holds every committed write.
    pub fn is_in_sync(&self, grant: Grant) -> bool {
        self.isr.binary_search(&grant).is_ok()
    }

    /// Whether that node copies the shard, in sync or not.
    pub fn has_replica(&self, node: NodeId) -> bool {
        self.replicas.binary_search(&node).is_ok()
    }

    /// The nodes that belong to it, the primary's first.
    pub fn members(&self) -> impl Iterator<Item = NodeId> + Clone {
        std::iter::once(self.primary.node).chain(self.replicas.iter().copied())
    }

    /// Whether the in-sync set is that node alone, in whatever life.
    pub(super) fn is_only_on(&self, node: NodeId) -> bool {
        self.isr.iter().all(|member| member.node == node)
    }

    /// Makes a member the primary, in a new epoch; the former primary's node stays a member. The others that are named
    /// are in sync with it.
    pub(super) fn grant(&mut self, primary: Grant, in_sync: &[Grant], slot_epoch: LogIndex) {
        let former = std::mem::replace(&mut self.primary, primary);
        self.replicas.retain(|replica| *replica != primary.node);
        if former.node != primary.node {
            self.take_in(former.node);
        }
        let in_sync: BTreeSet<Grant> = in_sync.iter().copied().chain([primary]).collect();
        self.isr = in_sync.into_iter().collect();
        self.isr_version += 1;
        self.epoch = Epoch(self.epoch.0 + 1);
        self.state = ShardState::Active;
        self.slot_epoch = slot_epoch;
    }

    /// Makes a member the primary of a shard without data.
    pub(super) fn begin_anew(&mut self, index: LogIndex, primary: Grant, slot_epoch: LogIndex) {
        self.grant(primary, &[], slot_epoch);
        self.history = index;
    }

    /// The node becomes a replica that is not in sync yet.
    pub(super) fn take_in(&mut self, node: NodeId) {
        if let Err(place) = self.replicas.binary_search(&node) {
            self.replicas.insert(place, node);
            self.isr_version += 1;
        }
    }

    /// The node, which is not the primary's, is a member no more.
    pub(super) fn dismiss(&mut self, node: NodeId) {
        self.replicas.retain(|replica| *replica != node);
        self.isr.retain(|member| member.node != node);
        self.isr_version += 1;
    }

    /// The member that goes is in sync no more; it stays a member.
    pub(super) fn drop_from_isr(&mut self, node: NodeId) {
        let before = self.isr.len();
        self.isr.retain(|member| member.node != node);
        self.isr_version += u64::from(self.isr.len() != before);
    }

    /// The first of its invariants that does not hold, given the members of the cluster.
    pub(super) fn broken_invariant(&self, nodes: &BTreeMap<NodeId, Node>) -> Option<&'static str> {
        let belongs = |id: NodeId| nodes.get(&id).is_some_and(|node| node.shard == self.id);
        let lives =
            |grant: &Grant| nodes.get(&grant.node).is_some_and(|node| node.incarnation == grant.incarnation);
        let is_member = |grant: &Grant| *grant == self.primary || self.has_replica(grant.node);
        let one_life = |a: &Grant, b: &Grant| a.node < b.node;
        let active = self.state == ShardState::Active;
        [
            (belongs(self.primary.node), "a primary is a member of its shard"),
            (self.replicas.is_sorted_by(|a, b| a < b), "replicas ascend"),
            (self.replicas.iter().all(|id| belongs(*id)), "replicas are members of their shard"),
            (!self.has_replica(self.primary.node), "a primary is no replica"),
            (!self.isr.is_empty(), "somebody is in sync"),
            (self.isr.is_sorted_by(one_life), "the in-sync set ascends and has one life of a node"),
            (self.isr.iter().all(is_member), "the in-sync set consists of members"),
            (
                !active || self.is_in_sync(self.primary) || !lives(&self.primary),
                "a primary that lives is in sync",
            ),
            (!active || self.isr.iter().all(lives), "the in-sync set of an active shard lives"),
            (
                active || (self.isr.len() == 1 && !self.isr.iter().any(lives)),
                "an offline shard has lost its last copy",
            ),
            (active || !lives(&self.primary), "an offline shard has no primary that lives"),
        ]
        .into_iter()
        .find_map(|(holds, invariant)| (!holds).then_some(invariant))
    }
}
