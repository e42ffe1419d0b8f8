//! Who belongs to the cluster: registering, joining, forgetting, leaving.
//!
//! A node is admitted with a shard of its own, so a fresh member is an empty primary. What a new life or a departure means
//! for the node's shard is `replication`'s to say.
//!
//! Forgetting answers OK for whom it has forgotten before, because tools tell every node in turn. It takes slots from
//! nobody; leaving does, unless others copy them.

use nuthatch_proto::ids::{Incarnation, LogIndex, NodeId};

use super::super::node::{Address, Joiner, Node, NodeState, ProcessId, RaftId, Role, StorageId};
use super::super::shard::{Grant, Shard};
use super::super::{MAX_NODES, MAX_TOMBSTONES, Rejected, Topology};

impl Topology {
    pub(super) fn register(
        &mut self,
        index: LogIndex,
        id: NodeId,
        storage: StorageId,
        process: ProcessId,
        address: &Address,
    ) -> Result<(), Rejected> {
        if !address.is_valid() {
            return Err(address.refusal());
        }
        let node = self.nodes.get_mut(&id).ok_or(Rejected::UnknownNode(id))?;
        if node.storage != storage {
            return Err(Rejected::OtherStorage(id));
        }
        node.address.clone_from(address);
        node.state = NodeState::Active;
        if node.process == process {
            return Ok(());
        }
        node.process = process;
        // The index, unless one entry registers several: no two lives of a node are the same.
        let incarnation = Incarnation(index.0.max(node.incarnation.0 + 1));
        node.incarnation = incarnation;
        self.note_new_life(index, Grant { node: id, incarnation });
        Ok(())
    }

    pub(super) fn join(&mut self, index: LogIndex, joiner: &Joiner, role: Role) -> Result<(), Rejected> {
        if !joiner.address.is_valid() {
            return Err(joiner.address.refusal());
        }
        if let Some(member) = self.nodes.get_mut(&joiner.id) {
            if member.storage != joiner.storage {
                return Err(Rejected::OtherStorage(joiner.id));
            }
            member.address.clone_from(&joiner.address);
            return Ok(());
        }
        if self.nodes.len() >= MAX_NODES {
            return Err(Rejected::TooManyNodes(MAX_NODES));
        }
        if self.shard(joiner.shard).is_some() {
            return Err(Rejected::ShardExists(joiner.shard));
        }
        self.check_named(&joiner.slots, |owner, slot| match owner {
            None => Ok(()),
            Some(shard) => Err(Rejected::JoinClash { slot, joiner: joiner.id, owner: shard.primary.node }),
        })?;
        self.admit(index, joiner.clone(), role);
        Ok(())
    }

    /// Makes a node a member that is none, with its shard and slots, none of which may be here yet.
    pub(in crate::topology) fn admit(&mut self, index: LogIndex, joiner: Joiner, role: Role) {
        let Joiner { id, shard, storage, process, address, slots } = joiner;
        let incarnation = Incarnation(index.0);
        self.tombstones.remove(&id);
        // The index, unless one entry admits several: what counts is that no number is ever used twice.
        let raft_id = RaftId(index.0.max(self.last_raft_id.0 + 1));
        self.last_raft_id = raft_id;
        let node = Node {
            id,
            address,
            incarnation,
            storage,
            process,
            raft_id,
            role,
            shard,
            state: NodeState::Active,
        };
        self.nodes.insert(id, node);
        let primary = Grant { node: id, incarnation };
        let slot_epoch = self.next_epoch(index);
        self.insert_shard(Shard::found(shard, primary, index, slot_epoch));
        self.give(slots.iter().flat_map(|range| range.slots()), shard);
    }

    pub(super) fn forget(&mut self, index: LogIndex, id: NodeId, by: NodeId) -> Result<(), Rejected> {
        let Some(node) = self.nodes.get(&id) else {
            return if self.is_forgotten(id) { Ok(()) } else { Err(Rejected::UnknownNode(id)) };
        };
        if id == by {
            return Err(Rejected::ForgetMyself);
        }
        let shard = self.shard(node.shard).filter(|shard| shard.primary.node == id);
        if shard.is_some_and(|shard| shard.has_replica(by)) {
            return Err(Rejected::ForgetMyPrimary);
        }
        if shard.is_some_and(|shard| self.owns_slots(shard.id)) {
            return Err(Rejected::OwnsSlots(id));
        }
        self.may_go(node)?;
        self.remove(index, id);
        Ok(())
    }

    pub(super) fn leave(&mut self, index: LogIndex, id: NodeId) -> Result<(), Rejected> {
        let Some(node) = self.nodes.get(&id) else {
            return if self.is_forgotten(id) { Ok(()) } else { Err(Rejected::UnknownNode(id)) };
        };
        self.may_go(node)?;
        self.remove(index, id);
        Ok(())
    }

    fn may_go(&self, node: &Node) -> Result<(), Rejected> {
        self.may_withdraw(node.id)?;
        // The only voter may go: it votes until the metadata group has made another node one in its place.
        if self.nodes.len() == 1 {
            return Err(Rejected::LastVoter(node.id));
        }
        Ok(())
    }

    fn remove(&mut self, index: LogIndex, id: NodeId) {
        self.withdraw(index, id);
        self.nodes.remove(&id);
        self.tombstones.insert(id, index);
        if self.tombstones.len() > MAX_TOMBSTONES {
            let oldest = self.tombstones.iter().min_by_key(|(id, index)| (**index, **id)).map(|(id, _)| *id);
            oldest.inspect(|id| {
                self.tombstones.remove(id);
            });
        }
        let Self { nodes, tombstones, outcomes, .. } = self;
        outcomes.0.retain(|id, _| nodes.contains_key(id) || tombstones.contains_key(id));
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::arbitrary::{alone, joiner, node_id};
    use super::super::TopologyChange;
    use super::*;

    fn numbered(number: usize) -> NodeId {
        let mut id = [0xee; 20];
        id[..8].copy_from_slice(&(number as u64).to_be_bytes());
        NodeId(id)
    }

    fn join(topology: &Topology, number: usize) -> Result<Topology, Rejected> {
        let id = numbered(number);
        let joiner = Joiner { id, shard: nuthatch_proto::ids::ShardId(id.0), ..joiner(2, Vec::new()) };
        let index = LogIndex(topology.applied().0 + 1);
        topology.apply(index, &TopologyChange::Join { joiner, role: Role::Watcher })
    }

    fn forget(topology: &Topology, id: NodeId) -> Result<Topology, Rejected> {
        let index = LogIndex(topology.applied().0 + 1);
        topology.apply(index, &TopologyChange::Forget { node: id, by: node_id(1) })
    }

    #[test]
    fn members_are_bounded() {
        let full = (1..MAX_NODES).fold(alone(), |topology, number| join(&topology, number).expect("joins"));
        assert_eq!(join(&full, MAX_NODES), Err(Rejected::TooManyNodes(MAX_NODES)));
        assert!(forget(&full, numbered(7)).and_then(|fewer| join(&fewer, MAX_NODES)).is_ok());
        assert_eq!(full.broken_invariant(), None);
    }

    #[test]
    fn the_oldest_tombstone_goes_first() {
        let mut topology = alone();
        for number in 0..=MAX_TOMBSTONES {
            topology =
                join(&topology, number).and_then(|t| forget(&t, numbered(number))).expect("comes and goes");
        }
        assert_eq!(forget(&topology, numbered(0)), Err(Rejected::UnknownNode(numbered(0))));
        assert!(forget(&topology, numbered(1)).is_ok());
        assert_eq!(topology.broken_invariant(), None);
    }

    #[test]
    fn raft_ids_are_never_used_twice() {
        let once = join(&alone(), 5).expect("joins");
        let twice = forget(&once, numbered(5)).and_then(|t| join(&t, 5)).expect("joins again");
        let raft_id = |topology: &Topology| topology.node(numbered(5)).map(|node| node.raft_id);
        assert_eq!((raft_id(&once), raft_id(&twice)), (Some(RaftId(2)), Some(RaftId(4))));
    }
}
