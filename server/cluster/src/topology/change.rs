//! Every legal change of the topology, and the pure function that applies one.
//!
//! [`Topology::apply`] decides by the topology and the change alone: no clock, no observation of links, so each node
//! decides alike. A change checks its own preconditions at apply, because what its proposer saw may be gone by then.
//! The match over [`TopologyChange`] is closed; one file per kind does the work:
//! `membership` (register, join, forget, leave), `slots` (assignment), `settings` (roles, health, configuration).
//!
//! What a change cannot see, its proposer vouches for: that a slot is empty, that a restart was real.

mod membership;
mod settings;
mod slots;

use nuthatch_proto::ids::{Incarnation, LogIndex, NodeId, ShardId};
use nuthatch_proto::slot::Slot;

use super::node::{Address, Joiner, NodeState, ProcessId, Role, StorageId};
use super::slots::SlotRange;
use super::{Rejected, Topology};

/// A change of the topology.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopologyChange {
    /// A member's process has started, or its address has changed. A new process is a new incarnation: the index of
    /// this entry.
    Register {
        /// The member.
        node: NodeId,
        /// Its data directory, which must be the one it is known with.
        storage: StorageId,
        /// The process.
        process: ProcessId,
        /// Where it answers now.
        address: Address,
    },
    /// A node becomes a member and brings its shard and slots. Repeated for a member, it updates its address.
    Join {
        /// The node.
        joiner: Joiner,
        /// Its part in the metadata group to begin with, as the leader decided.
        role: Role,
    },
    /// A member is removed and remembered as forgotten (CLUSTER FORGET).
    Forget {
        /// Who is removed.
        node: NodeId,
        /// The node that was asked.
        by: NodeId,
    },
    /// A member takes itself out, slots and all (CLUSTER RESET).
    Leave {
        /// The member.
        node: NodeId,
    },
    /// Slots without an owner are given to a member's shard (CLUSTER ADDSLOTS).
    AddSlots {
        /// The shard's primary.
        node: NodeId,
        /// As the client named them, in that order.
        ranges: Vec<SlotRange>,
    },
    /// A member's shard loses slots of its own (CLUSTER DELSLOTS).
    DelSlots {
        /// The shard's primary.
        node: NodeId,
        /// As the client named them, in that order.
        ranges: Vec<SlotRange>,
    },
    /// A member's shard loses all its slots (CLUSTER FLUSHSLOTS).
    FlushSlots {
        /// The shard's primary.
        node: NodeId,
    },
    /// A slot without keys gets another owner (CLUSTER SETSLOT NODE). The proposer vouches for the emptiness.
    SetSlotNode {
        /// The slot.
        slot: Slot,
        /// The primary of the shard that gets it.
        node: NodeId,
        /// The owner that the proposer went by.
        expected: Option<ShardId>,
    },
    /// All slots without an owner are given to the shards there are, as the ring has it.
    AssignByRing,
    /// The metadata group's configuration changed a member's part.
    SetRole {
        /// The member.
        node: NodeId,
        /// Its part from now on.
        role: Role,
    },
    /// A member is declared failed, or active again.
    SetState {
        /// The member.
        node: NodeId,
        /// The life that was observed.
        incarnation: Incarnation,
        /// Its health from now on.
        state: NodeState,
    },
    /// A cluster-wide setting is set, or removed.
    Config {
        /// Its name.
        key: String,
        /// Its value; `None` removes it.
        value: Option<String>,
    },
}

impl Topology {
    /// The topology after the change at that log index, or why it is refused.
    pub fn apply(&self, index: LogIndex, change: &TopologyChange) -> Result<Self, Rejected> {
        let mut draft = self.advanced(index);
        draft.perform(index, change)?;
        draft.note_changes(self, index);
        Ok(draft)
    }

    /// What each change would come to if those before it that can be applied were. Nothing is changed: this is how a
    /// transaction learns which of its commands fail, as Redis lets commands of EXEC fail one by one.
    pub fn rehearse<'a>(
        &self,
        changes: impl IntoIterator<Item = &'a TopologyChange>,
    ) -> Vec<Result<(), Rejected>> {
        let mut draft = self.clone();
        let mut outcome = |change| {
            draft = draft.apply(draft.applied, change)?;
            Ok(())
        };
        changes.into_iter().map(&mut outcome).collect()
    }

    /// Whether the change is already as good as made: applying it succeeds and alters nothing.
    pub fn satisfies(&self, change: &TopologyChange) -> bool {
        let mut draft = self.clone();
        draft.perform(self.applied, change).is_ok() && draft.looks_like(self)
    }

    /// Makes the change to a draft, which is thrown away if this fails half-way.
    pub(super) fn perform(&mut self, index: LogIndex, change: &TopologyChange) -> Result<(), Rejected> {
        match change {
            TopologyChange::Register { node, storage, process, address } => {
                self.register(index, *node, *storage, *process, address)
            }
            TopologyChange::Join { joiner, role } => self.join(index, joiner, *role),
            TopologyChange::Forget { node, by } => self.forget(index, *node, *by),
            TopologyChange::Leave { node } => self.leave(index, *node),
            TopologyChange::AddSlots { node, ranges } => self.add_slots(index, *node, ranges),
            TopologyChange::DelSlots { node, ranges } => self.del_slots(index, *node, ranges),
            TopologyChange::FlushSlots { node } => self.flush_slots(index, *node),
            TopologyChange::SetSlotNode { slot, node, expected } => {
                self.set_slot_node(index, *slot, *node, *expected)
            }
            TopologyChange::AssignByRing => self.assign_by_ring(index),
            TopologyChange::SetRole { node, role } => self.set_role(*node, *role),
            TopologyChange::SetState { node, incarnation, state } => {
                self.set_state(*node, *incarnation, *state)
            }
            TopologyChange::Config { key, value } => self.set_config(key, value.as_deref()),
        }
    }

    /// Notes the index as one that changed something, if it did.
    pub(super) fn note_changes(&mut self, before: &Self, index: LogIndex) {
        if !self.looks_like(before) {
            self.changed = index.max(self.changed);
        }
    }

    fn looks_like(&self, other: &Self) -> bool {
        self.nodes == other.nodes
            && self.shards == other.shards
            && self.slots == other.slots
            && self.settings == other.settings
            && self.tombstones == other.tombstones
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::arbitrary::{alone, any_change, any_proposal, any_topology};
    use super::super::proposal::{OUTCOMES_PER_NODE, Outcome};
    use super::super::shard::Shard;
    use super::*;

    /// What may never fall, node by node and shard by shard, while they stay.
    fn risen(before: &Topology, after: &Topology) -> bool {
        let lives = before.nodes().all(|old| {
            after
                .node(old.id)
                .is_none_or(|new| new.incarnation >= old.incarnation || new.raft_id != old.raft_id)
        });
        let same_primary = |old: &super::super::Shard, new: &super::super::Shard| old.primary == new.primary;
        let epochs = before.shards().iter().all(|old| {
            after.shard(old.id).is_none_or(|new| {
                let founded_anew = before.node(old.primary.node).map(|node| node.raft_id)
                    != after.node(new.primary.node).map(|node| node.raft_id);
                founded_anew || (new.epoch > old.epoch || (new.epoch == old.epoch && same_primary(old, new)))
            })
        });
        lives && epochs && before.applied() <= after.applied() && before.changed() <= after.changed()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_list_of_proposals_keeps_the_invariants(proposals in vec(any_proposal(), 0..60)) {
            let mut topology = alone();
            for (index, proposal) in (2..).map(LogIndex).zip(&proposals) {
                let (next, outcome) = topology.apply_proposal(index, proposal);
                prop_assert_eq!(next.broken_invariant(), None);
                prop_assert!(risen(&topology, &next), "{:?}", proposal);
                prop_assert_eq!(next.applied(), index);
                let epochs: BTreeSet<_> = next.shards().iter().map(Shard::shown_epoch).collect();
                prop_assert_eq!(epochs.len(), next.shards().len(), "two shards show one epoch");
                prop_assert!(next.outcomes.0.values().all(|remembered| remembered.len() <= OUTCOMES_PER_NODE));
                if let Outcome::Rejected { error, .. } = &outcome {
                    prop_assert!(next.looks_like(&topology), "a refusal changes nothing");
                    prop_assert!(error.starts_with("ERR "), "{}", error);
                }
                // The same entry gives the same value on every node, and once more in the log it changes nothing.
                prop_assert_eq!((&next, &outcome), {
                    let (again, outcome) = topology.apply_proposal(index, proposal);
                    (&again.clone(), &outcome.clone())
                });
                if next.outcome(proposal.id).is_some() {
                    let (repeated, second) = next.apply_proposal(LogIndex(index.0 + 1), proposal);
                    prop_assert_eq!(&second, &outcome);
                    prop_assert!(repeated.looks_like(&next));
                }
                topology = next;
            }
        }

        #[test]
        fn what_satisfies_a_change_is_what_it_does_not_alter(topology in any_topology(), change in any_change()) {
            let index = LogIndex(topology.applied().0 + 1);
            let applied = topology.apply(index, &change);
            if topology.satisfies(&change) {
                prop_assert_eq!(applied.map(|next| next.changed()), Ok(topology.changed()));
            } else if let Ok(next) = applied {
                prop_assert_eq!(next.changed(), index);
            }
        }

        #[test]
        fn a_rehearsal_tells_each_command_apart(topology in any_topology(), changes in vec(any_change(), 0..5)) {
            let verdicts = topology.rehearse(&changes);
            let legal: Vec<_> =
                changes.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_ok()).map(|(c, _)| c.clone()).collect();
            let index = LogIndex(topology.applied().0 + 1);
            prop_assert!(topology.apply_all(index, &legal).is_ok());
        }
    }
}
