//! Who owns which slot: assigning, unassigning, reassigning.
//!
//! Slots are checked in the order in which the client named them, and the first fault is the one reported, as Redis
//! does. A shard that wins or gives up slots gets an epoch above all others, so who asks several nodes can tell the newest
//! owner, as in Redis; one that loses a slot to another keeps its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use nuthatch_proto::ids::{LogIndex, NodeId, ShardId};
use nuthatch_proto::slot::Slot;

use super::super::shard::Shard;
use super::super::slots::{NOBODY, SlotRange};
use super::super::{Rejected, Topology};
use crate::ring;

impl Topology {
    pub(super) fn add_slots(
        &mut self,
        index: LogIndex,
        node: NodeId,
        ranges: &[SlotRange],
    ) -> Result<(), Rejected> {
        let shard = self.shard_served_by(node)?;
        self.check_named(ranges, |owner, slot| owner.map_or(Ok(()), |_| Err(Rejected::SlotBusy(slot))))?;
        self.give(ranges.iter().flat_map(|range| range.slots()), shard);
        self.stamp(index, [shard]);
        Ok(())
    }

    pub(super) fn del_slots(
        &mut self,
        index: LogIndex,
        node: NodeId,
        ranges: &[SlotRange],
    ) -> Result<(), Rejected> {
        let shard = self.shard_served_by(node)?;
        self.check_named(ranges, |owner, slot| match owner {
            None => Err(Rejected::SlotUnassigned(slot)),
            Some(owner) if owner.id != shard => {
                Err(Rejected::SlotOfOther { slot, owner: owner.primary.node })
            }
            Some(_) => Ok(()),
        })?;
        self.take(index, ranges.iter().flat_map(|range| range.slots()));
        Ok(())
    }

    pub(super) fn flush_slots(&mut self, index: LogIndex, node: NodeId) -> Result<(), Rejected> {
        let shard = self.shard_served_by(node)?;
        let ranges = self.ranges_of(shard);
        self.take(index, ranges.iter().flat_map(|range| range.slots()));
        Ok(())
    }

    pub(super) fn set_slot_node(
        &mut self,
        index: LogIndex,
        slot: Slot,
        node: NodeId,
        expected: Option<ShardId>,
    ) -> Result<(), Rejected> {
        let shard = self.shard_served_by(node)?;
        let owner = self.owner(slot).map(|shard| shard.id);
        if owner == Some(shard) {
            return Ok(());
        }
        if owner != expected {
            return Err(Rejected::SlotMoved(slot));
        }
        self.give([slot], shard);
        self.stamp(index, [shard]);
        Ok(())
    }

    pub(super) fn assign_by_ring(&mut self, index: LogIndex) -> Result<(), Rejected> {
        let served = self.shards.iter().filter(|shard| !shard.is_offline());
        let members: Vec<ring::Member> = served.map(|shard| ring::Member::new(shard.id)).collect();
        let plan = ring::fill(&members, |slot| self.owner(slot).map(|shard| shard.id));
        let mut winners = BTreeSet::new();
        for step in plan.moves {
            self.give(step.slots.slots(), step.to);
            winners.insert(step.to);
        }
        self.stamp(index, winners);
        Ok(())
    }

    /// The shard whose primary that member is.
    fn shard_served_by(&self, node: NodeId) -> Result<ShardId, Rejected> {
        let shard = self.shard_of(node).ok_or(Rejected::UnknownNode(node))?;
        if shard.primary.node == node { Ok(shard.id) } else { Err(Rejected::NotAPrimary(node)) }
    }

    /// Looks at each named slot in turn: `judge` hears its owner, and no slot may come twice.
    pub(super) fn check_named(
        &self,
        ranges: &[SlotRange],
        judge: impl Fn(Option<&Shard>, Slot) -> Result<(), Rejected>,
    ) -> Result<(), Rejected> {
        let mut named = BTreeSet::new();
        for slot in ranges.iter().flat_map(|range| range.slots()) {
            judge(self.owner(slot), slot)?;
            if !named.insert(slot) {
                return Err(Rejected::SlotRepeated(slot));
            }
        }
        Ok(())
    }

    fn take(&mut self, index: LogIndex, slots: impl Iterator<Item = Slot>) {
        let mut losers = BTreeSet::new();
        for slot in slots {
            losers.extend(self.owner(slot).map(|shard| shard.id));
            Arc::make_mut(&mut self.slots).set(slot, NOBODY);
        }
        self.stamp(index, losers);
    }

    fn stamp(&mut self, index: LogIndex, shards: impl IntoIterator<Item = ShardId>) {
        for shard in shards {
            if let Some(place) = self.place(shard) {
                self.shards[usize::from(place)].slot_epoch = self.next_epoch(index);
            }
        }
    }

    /// An epoch that no shard has or had: the index, unless one entry gives several.
    pub(super) fn next_epoch(&self, index: LogIndex) -> LogIndex {
        LogIndex(index.0.max(self.current_epoch().0 + 1))
    }
}
