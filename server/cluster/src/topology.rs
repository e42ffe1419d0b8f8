//! What the cluster looks like: one immutable value that every node holds, and the metadata group changes.
//!
//! A [`Topology`] names the members, the shards they serve and who owns each of the 16,384 slots. It is the state
//! machine of the metadata group: entry after entry of the log goes through [`Topology::apply_proposal`], a pure
//! function, so nodes that applied the same entries hold equal values. Readers share it behind an `Arc`, and the next
//! one replaces it whole. It performs nothing, keeps no links and no liveness: who is reachable is each node's own
//! observation (`views::LocalView`).
//!
//! Invariants, kept by [`change`] and checked by [`Topology::broken_invariant`]:
//! - a slot has at most one owner, and an owner is a shard of this topology;
//! - each member belongs to one shard, as its primary or as a replica; node ids, shard ids and Raft ids are unique;
//! - who is primary was in sync by incarnation, and a shard whose last copy is lost is served by nobody (`shard`);
//! - incarnations, epochs, versions of in-sync sets and the applied index never fall;
//! - tombstones, remembered outcomes, settings and members are bounded in number.
//!
//! Neighbours: the metadata machine applies and persists it, `routing` reads one slot of it per command, `views` draws it.

#[cfg(test)]
pub(crate) mod arbitrary;
pub mod change;
pub mod node;
pub mod proposal;
pub mod rejected;
pub mod shard;
pub mod slots;
pub mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nuthatch_proto::ids::{Epoch, LogIndex, NodeId, ShardId};
use nuthatch_proto::slot::Slot;

pub use change::TopologyChange;
pub use node::{Address, GroupId, Joiner, Node, NodeState, ProcessId, RaftId, Role, StorageId};
pub use proposal::{Outcome, Proposal, ProposalId};
pub use rejected::Rejected;
pub use shard::{Grant, Shard, ShardState};
pub use slots::SlotRange;
pub use wire::DecodeError;

use proposal::Outcomes;
use slots::{NOBODY, ShardIndex, SlotTable};

/// How many members a cluster may have.
pub const MAX_NODES: usize = 1024;
/// How many forgotten nodes are remembered, so that forgetting one again is no error.
pub const MAX_TOMBSTONES: usize = 1024;
/// How many cluster-wide settings there may be.
pub const MAX_SETTINGS: usize = 256;

/// The cluster as agreed at one index of the metadata log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    group: GroupId,
    applied: LogIndex,
    changed: LogIndex,
    last_raft_id: RaftId,
    nodes: BTreeMap<NodeId, Node>,
    /// Ascending by id; a slot names its owner by the place here.
    shards: Vec<Shard>,
    slots: Arc<SlotTable>,
    /// Forgotten nodes, with the index that forgot them.
    tombstones: BTreeMap<NodeId, LogIndex>,
    outcomes: Outcomes,
    settings: BTreeMap<String, String>,
}

impl Topology {
    /// A group of one: what a blank node is before it meets others. It is the state that `index` stands for, so the
    /// node's incarnation and Raft id are that index.
    pub fn singleton(group: GroupId, index: LogIndex, founder: Joiner) -> Self {
        let mut topology = Self {
            group,
            applied: index,
            changed: index,
            last_raft_id: RaftId(0),
            nodes: BTreeMap::new(),
            shards: Vec::new(),
            slots: Arc::new(SlotTable::default()),
            tombstones: BTreeMap::new(),
            outcomes: Outcomes::default(),
            settings: BTreeMap::new(),
        };
        topology.admit(index, founder, Role::Voter);
        topology
    }

    /// The metadata group's identity, drawn when its founder was blank.
    pub fn group(&self) -> GroupId {
        self.group
    }

    /// The last index of the metadata log that this value includes, whether or not that entry changed anything.
    pub fn applied(&self) -> LogIndex {
        self.applied
    }

    /// The last index that changed something a reader can see.
    pub fn changed(&self) -> LogIndex {
        self.changed
    }

    /// The highest epoch shown to clients: that of the shard that changed last.
    pub fn current_epoch(&self) -> Epoch {
        self.shards.iter().map(Shard::shown_epoch).max().unwrap_or_default()
    }

    /// The members, ascending by id.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &Node> + Clone {
        self.nodes.values()
    }

    /// A member by its id.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// A member by its Raft id.
    pub fn node_by_raft_id(&self, id: RaftId) -> Option<&Node> {
        self.nodes.values().find(|node| node.raft_id == id)
    }

    /// The members of that role.
    pub fn nodes_in_role(&self, role: Role) -> impl Iterator<Item = &Node> + Clone {
        self.nodes.values().filter(move |node| node.role == role)
    }

    /// The shards, ascending by id.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// A shard by its id.
    pub fn shard(&self, id: ShardId) -> Option<&Shard> {
        self.place(id).map(|place| &self.shards[usize::from(place)])
    }

    /// The shard that a member belongs to.
    pub fn shard_of(&self, node: NodeId) -> Option<&Shard> {
        self.shard(self.node(node)?.shard)
    }

    /// Who owns the slot. Two array reads: this stands on the path of every command.
    #[inline]
    pub fn owner(&self, slot: Slot) -> Option<&Shard> {
        self.shards.get(usize::from(self.slots.owner(slot)))
    }

    /// How many slots have an owner.
    #[inline]
    pub fn assigned(&self) -> usize {
        self.slots.assigned()
    }

    /// A shard's slots as merged ascending ranges: the same text on every node.
    pub fn ranges_of(&self, shard: ShardId) -> Vec<SlotRange> {
        self.place(shard).map(|place| self.slots.ranges_of(place)).unwrap_or_default()
    }

    /// All ownership as ascending ranges, merged where neighbours have the same owner; unowned slots are left out.
    pub fn ranges(&self) -> Vec<(SlotRange, &Shard)> {
        let owned =
            |(range, place): (SlotRange, ShardIndex)| Some((range, self.shards.get(usize::from(place))?));
        self.slots.ranges().into_iter().filter_map(owned).collect()
    }

    /// Whether the node was a member once and was forgotten (or left), as far as that is remembered.
    pub fn is_forgotten(&self, node: NodeId) -> bool {
        self.tombstones.contains_key(&node)
    }

    /// A cluster-wide setting.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(String::as_str)
    }

    /// All cluster-wide settings, ascending by key.
    pub fn settings(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.settings.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The first invariant that does not hold, in words; `None` for every topology that came about by changes.
    pub fn broken_invariant(&self) -> Option<&'static str> {
        let raft_ids: BTreeSet<RaftId> = self.nodes.values().map(|node| node.raft_id).collect();
        let highest = ShardIndex::try_from(self.shards.len()).ok();
        let owners = || Slot::all().map(|slot| self.slots.owner(slot)).filter(|&owner| owner != NOBODY);
        let has_part = |node: &Node| {
            self.shard(node.shard).is_some_and(|shard| shard.members().any(|member| member == node.id))
        };
        let of_shards = self.shards.iter().find_map(|shard| shard.broken_invariant(&self.nodes));
        let of_all = [
            (self.nodes.iter().all(|(id, node)| *id == node.id), "a node stands under its id"),
            (raft_ids.len() == self.nodes.len(), "Raft ids are unique"),
            (raft_ids.last().is_none_or(|id| *id <= self.last_raft_id), "a Raft id is never used twice"),
            (self.shards.is_sorted_by(|a, b| a.id < b.id), "shard ids are unique and ascend"),
            (self.nodes.values().all(has_part), "a node belongs to its shard"),
            (owners().all(|owner| Some(owner) < highest), "an owner is a shard"),
            (owners().count() == self.slots.assigned(), "owned slots are counted"),
            (!self.nodes.is_empty(), "somebody is a member"),
            (self.nodes.len() <= MAX_NODES, "members are bounded"),
            (self.tombstones.len() <= MAX_TOMBSTONES, "tombstones are bounded"),
            (self.settings.len() <= MAX_SETTINGS, "settings are bounded"),
            (self.tombstones.keys().all(|id| !self.nodes.contains_key(id)), "the forgotten are no members"),
            (self.changed <= self.applied, "what changed was applied"),
        ]
        .into_iter()
        .find_map(|(holds, invariant)| (!holds).then_some(invariant));
        of_shards.or(of_all)
    }

    fn give(&mut self, slots: impl IntoIterator<Item = Slot>, shard: ShardId) {
        let Some(place) = self.place(shard) else { return };
        let table = Arc::make_mut(&mut self.slots);
        slots.into_iter().for_each(|slot| table.set(slot, place));
    }

    fn place(&self, shard: ShardId) -> Option<ShardIndex> {
        let place = self.shards.binary_search_by_key(&shard, |shard| shard.id).ok()?;
        ShardIndex::try_from(place).ok()
    }
}
