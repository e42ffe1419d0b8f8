//! Every legal change of the topology, and the pure function that applies one.
//!
//! [`Topology::apply`] decides by the topology and the change alone: no clock, no observation of links, so each node
//! decides alike. A change checks its own preconditions at apply, because what its proposer saw may be gone by then.
//! The match over [`TopologyChange`] is closed; one file per kind does the work:
//! `membership` (register, join, forget, leave), `slots` (assignment), `replication` (replicas, in-sync sets, promotion),
//! `settings` (roles, health, configuration).
//!
//! What a change cannot see, its proposer vouches for: that a slot is empty, that a restart was real.

mod membership;
mod replication;
mod settings;
mod slots;

use nuthatch_proto::ids::{Epoch, Incarnation, LogIndex, NodeId, ShardId};
use nuthatch_proto::slot::Slot;

use super::node::{Address, Joiner, NodeState, ProcessId, Role, StorageId};
use super::shard::Grant;
use super::slots::SlotRange;
use super::{Rejected, Topology};
use replication::Seen;

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
    /// All slots without an owner are given to the shards that can be served, as the ring has it.
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
    /// A member gives up its own shard, or its place in another, and copies a primary's; not in sync yet (CLUSTER
    /// REPLICATE). The proposer vouches that it has no keys.
    Replicate {
        /// Who is to copy.
        node: NodeId,
        /// The primary of the shard that is to be copied.
        primary: NodeId,
    },
    /// A primary no longer waits for a member of its in-sync set.
    ShrinkIsr {
        /// The shard.
        shard: ShardId,
        /// The shard's epoch that the proposer went by.
        epoch: Epoch,
        /// The version of the in-sync set that the proposer went by.
        isr_version: u64,
        /// The primary, which alone may propose this.
        by: Grant,
        /// Who is in sync no more.
        out: Grant,
    },
    /// A replica has caught up with its primary, and is waited for from now on.
    GrowIsr {
        /// The shard.
        shard: ShardId,
        /// The shard's epoch that the proposer went by.
        epoch: Epoch,
        /// The version of the in-sync set that the proposer went by.
        isr_version: u64,
        /// The primary, which alone may propose this.
        by: Grant,
        /// Who is in sync from now on.
        member: Grant,
    },
    /// A member of the in-sync set becomes the primary, in the next epoch. The proposer vouches that all it names have
    /// been fenced: they take nothing from the former primary any more, and have promised it nothing.
    Promote {
        /// The shard.
        shard: ShardId,
        /// The epoch that ends.
        epoch: Epoch,
        /// Who becomes the primary.
        primary: Grant,
        /// Who stays in sync with it, besides itself.
        fenced: Vec<Grant>,
    },
    /// A shard whose last copy is lost begins from nothing: an operator's word, never a machine's.
    ForceEmpty {
        /// The shard.
        shard: ShardId,
        /// The member that becomes its primary.
        node: NodeId,
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
            TopologyChange::Replicate { node, primary } => self.replicate(index, *node, *primary),
            &TopologyChange::ShrinkIsr { shard, epoch, isr_version, by, out } => {
                self.shrink_isr(&Seen { shard, epoch, isr_version, by }, out)
            }
            &TopologyChange::GrowIsr { shard, epoch, isr_version, by, member } => {
                self.grow_isr(&Seen { shard, epoch, isr_version, by }, member)
            }
            TopologyChange::Promote { shard, epoch, primary, fenced } => {
                self.promote(index, *shard, *epoch, *primary, fenced)
            }
            TopologyChange::ForceEmpty { shard, node } => self.force_empty(index, *shard, *node),
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

    use super::super::arbitrary::{alone, any_change, any_step, any_topology};
    use super::super::proposal::{OUTCOMES_PER_NODE, Outcome};
    use super::super::shard::Shard;
    use super::*;

    /// What may never fall, node by node, while they stay.
    fn risen(before: &Topology, after: &Topology) -> bool {
        let lives = before.nodes().all(|old| {
            after
                .node(old.id)
                .is_none_or(|new| new.incarnation >= old.incarnation || new.raft_id != old.raft_id)
        });
        lives && before.applied() <= after.applied() && before.changed() <= after.changed()
    }

    /// How a shard may come out of one change: the first rule that is broken, in words.
    fn broken_rule(
        before: &Topology,
        old: &Shard,
        new: &Shard,
        change: &TopologyChange,
    ) -> Option<&'static str> {
        let is_forced = matches!(change, TopologyChange::ForceEmpty { .. });
        let nothing_to_lose = before.ranges_of(old.id).is_empty()
            || (old.replicas.is_empty() && old.primary.node == new.primary.node);
        let grown = |member: &Grant| matches!(change, TopologyChange::GrowIsr { member: grown, .. } if grown == member);
        let was_in_sync = |member: &Grant| old.is_in_sync(*member) || grown(member);
        let begins_anew = new.history != old.history;
        let same_copies = new.isr == old.isr && new.replicas == old.replicas;
        [
            (new.epoch >= old.epoch, "epochs rise"),
            (new.isr_version >= old.isr_version, "versions of in-sync sets rise"),
            (new.history >= old.history, "histories follow each other"),
            (same_copies || new.isr_version > old.isr_version, "what changes copies changes the version"),
            (new.primary == old.primary || new.epoch > old.epoch, "an epoch has one primary"),
            (begins_anew || new.isr.iter().all(was_in_sync), "nobody is in sync who has not caught up"),
            (
                !begins_anew || is_forced || nothing_to_lose,
                "what holds data begins from nothing by force only",
            ),
            (!begins_anew || new.isr == [new.primary], "nobody else is in sync with nothing"),
            (
                old.state == new.state || !new.is_offline() || !nothing_to_lose,
                "what has nothing to lose goes on",
            ),
        ]
        .into_iter()
        .find_map(|(holds, rule)| (!holds).then_some(rule))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_list_of_changes_keeps_the_rules_of_shards(steps in vec(any_step(), 0..80)) {
            let mut topology = alone();
            for step in &steps {
                for change in step.proposal(&topology).changes {
                    let index = LogIndex(topology.applied().0 + 1);
                    let Ok(next) = topology.apply(index, &change) else { continue };
                    prop_assert_eq!(next.broken_invariant(), None, "{:?}", change);
                    for old in topology.shards() {
                        let rule = next.shard(old.id).and_then(|new| broken_rule(&topology, old, new, &change));
                        prop_assert_eq!(rule, None, "{:?} did that to {:?}", change, old);
                    }
                    topology = next;
                }
            }
        }

        #[test]
        fn any_list_of_proposals_keeps_the_invariants(steps in vec(any_step(), 0..60)) {
            let mut topology = alone();
            for (index, step) in (2..).map(LogIndex).zip(&steps) {
                let proposal = &step.proposal(&topology);
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
