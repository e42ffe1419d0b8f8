//! Who copies a shard, which of the copies are in sync, and which of them serves.
//!
//! A primary alone proposes changes of its in-sync set, and each is a compare-and-set on the shard's epoch and on the set's
//! version: a proposal that was overtaken, by a promotion or by another change of the members, is refused. A promotion
//! names the life that is promoted and those that have been fenced with it, and all of them must be in sync. So whoever is
//! primary holds every committed write, at each index of the log.
//!
//! Two things let a shard begin from nothing: the operator's word ([`Topology::force_empty`]), and that there is nothing
//! to lose, because it owns no slots, or because nobody has ever been meant to copy it.
//!
//! What a change cannot see, its proposer vouches for: that the fenced members promised nothing to anybody any more, that
//! a member has caught up, that a node which is to copy another has no keys.

use std::sync::Arc;

use nuthatch_proto::ids::{Epoch, LogIndex, NodeId, ShardId};
use nuthatch_proto::slot::Slot;

use super::super::node::NodeState;
use super::super::shard::{Grant, Shard, ShardState};
use super::super::slots::{NOBODY, ShardIndex};
use super::super::{Rejected, Topology};

/// What a primary went by when it proposed to change its in-sync set.
pub(super) struct Seen {
    pub(super) shard: ShardId,
    pub(super) epoch: Epoch,
    pub(super) isr_version: u64,
    /// The primary itself.
    pub(super) by: Grant,
}

impl Topology {
    pub(super) fn replicate(
        &mut self,
        index: LogIndex,
        node: NodeId,
        primary: NodeId,
    ) -> Result<(), Rejected> {
        let target = self.shard_of(primary).ok_or(Rejected::UnknownNode(primary))?;
        let own = self.shard_of(node).ok_or(Rejected::UnknownNode(node))?;
        if node == primary {
            return Err(Rejected::ReplicateMyself);
        }
        if target.primary.node != primary {
            return Err(Rejected::ReplicateReplica);
        }
        let (target, own_id) = (target.id, own.id);
        if own_id == target {
            return Ok(());
        }
        if own.primary.node == node && self.owns_slots(own_id) {
            return Err(Rejected::ReplicateNotEmpty);
        }
        self.may_withdraw(node)?;
        self.withdraw(index, node);
        if let Some(member) = self.nodes.get_mut(&node) {
            member.shard = target;
        }
        self.shard_mut(target)?.take_in(node);
        Ok(())
    }

    pub(super) fn shrink_isr(&mut self, seen: &Seen, out: Grant) -> Result<(), Rejected> {
        let shard = self.shard_as_seen(seen)?;
        if out == shard.primary || !shard.is_in_sync(out) {
            return Err(Rejected::NotInSync(out.node));
        }
        shard.drop_from_isr(out.node);
        Ok(())
    }

    pub(super) fn grow_isr(&mut self, seen: &Seen, member: Grant) -> Result<(), Rejected> {
        let registered = self.registered(member.node).ok_or(Rejected::UnknownNode(member.node))?;
        let shard = self.shard_as_seen(seen)?;
        if !shard.has_replica(member.node) {
            return Err(Rejected::NotAReplica(member.node));
        }
        if registered != member {
            return Err(Rejected::OtherIncarnation(member.node));
        }
        if let Err(place) = shard.isr.binary_search(&member) {
            shard.isr.insert(place, member);
            shard.isr_version += 1;
        }
        Ok(())
    }

    pub(super) fn promote(
        &mut self,
        index: LogIndex,
        shard: ShardId,
        epoch: Epoch,
        primary: Grant,
        fenced: &[Grant],
    ) -> Result<(), Rejected> {
        let slot_epoch = self.next_epoch(index);
        let registered = self.registered(primary.node);
        let shard = self.active_shard(shard, epoch)?;
        if let Some(stranger) = fenced.iter().chain([&primary]).find(|member| !shard.is_in_sync(**member)) {
            return Err(Rejected::NotInSync(stranger.node));
        }
        if registered != Some(primary) {
            return Err(Rejected::OtherIncarnation(primary.node));
        }
        shard.grant(primary, fenced, slot_epoch);
        Ok(())
    }

    /// Has a shard whose copies are lost begin from nothing, at a member of the operator's choice.
    pub(super) fn force_empty(
        &mut self,
        index: LogIndex,
        shard: ShardId,
        node: NodeId,
    ) -> Result<(), Rejected> {
        let slot_epoch = self.next_epoch(index);
        let found = self.shard(shard).ok_or(Rejected::UnknownShard(shard))?;
        let failed =
            |member: &Grant| self.node(member.node).is_some_and(|node| node.state == NodeState::Failed);
        if !found.is_offline() && !found.isr.iter().all(failed) {
            return Err(Rejected::NotOffline(shard));
        }
        let primary = self.registered(node).ok_or(Rejected::UnknownNode(node))?;
        if !found.members().any(|member| member == node) {
            return Err(Rejected::NotAReplica(node));
        }
        self.shard_mut(shard)?.begin_anew(index, primary, slot_epoch);
        Ok(())
    }

    /// A new life of a node begins with nothing. It is in sync with nobody, and it serves only what nobody could lose.
    pub(super) fn note_new_life(&mut self, index: LogIndex, life: Grant) {
        let slot_epoch = self.next_epoch(index);
        let Some(shard) = self.shard_of(life.node) else { return };
        let never_copied = shard.replicas.is_empty() && !shard.is_offline();
        let nothing_to_lose = never_copied || !self.owns_slots(shard.id);
        let primary = self.registered(shard.primary.node).filter(|_| nothing_to_lose);
        let id = shard.id;
        let Ok(shard) = self.shard_mut(id) else { return };
        match primary {
            _ if !shard.is_only_on(life.node) => shard.drop_from_isr(life.node),
            Some(primary) => shard.begin_anew(index, primary, slot_epoch),
            None => shard.state = ShardState::Offline,
        }
    }

    /// Whether a member can be taken out of its shard without losing what the shard holds.
    pub(super) fn may_withdraw(&self, id: NodeId) -> Result<(), Rejected> {
        let shard = self.shard_of(id).ok_or(Rejected::UnknownNode(id))?;
        let is_primary = shard.primary.node == id;
        if !self.owns_slots(shard.id) {
            return Ok(());
        }
        if is_primary && !shard.replicas.is_empty() {
            return Err(Rejected::HasReplicas(id));
        }
        if !is_primary && shard.is_only_on(id) {
            return Err(Rejected::LastInSync(id));
        }
        Ok(())
    }

    /// Takes a member out of its shard, as [`Topology::may_withdraw`] allows. What a primary leaves behind without slots
    /// goes on under a replica; without a replica the shard ends, and its slots have no owner any more.
    pub(super) fn withdraw(&mut self, index: LogIndex, id: NodeId) {
        let slot_epoch = self.next_epoch(index);
        let Some(shard) = self.shard_of(id) else { return };
        let (shard_id, is_primary) = (shard.id, shard.primary.node == id);
        // One that has been in sync, if there is one: it is the likeliest to be well.
        let in_sync = shard.isr.iter().map(|member| member.node).find(|node| *node != id);
        let heir =
            if is_primary { in_sync.or(shard.replicas.first().copied()) } else { Some(shard.primary.node) };
        let Some(heir) = heir.and_then(|node| self.registered(node)) else {
            return self.remove_shard(shard_id);
        };
        let Ok(shard) = self.shard_mut(shard_id) else { return };
        if is_primary || shard.is_only_on(id) {
            shard.begin_anew(index, heir, slot_epoch);
        }
        shard.dismiss(id);
    }

    fn remove_shard(&mut self, id: ShardId) {
        if let Some(place) = self.place(id) {
            self.shards.remove(usize::from(place));
            Arc::make_mut(&mut self.slots).remove_place(place);
        }
    }

    pub(super) fn insert_shard(&mut self, shard: Shard) {
        let place = self.shards.partition_point(|other| other.id < shard.id);
        self.shards.insert(place, shard);
        if let Ok(place) = ShardIndex::try_from(place) {
            Arc::make_mut(&mut self.slots).insert_place(place);
        }
    }

    pub(super) fn owns_slots(&self, shard: ShardId) -> bool {
        let place = self.place(shard).unwrap_or(NOBODY);
        place != NOBODY && Slot::all().any(|slot| self.slots.owner(slot) == place)
    }

    /// The life that a member is living.
    fn registered(&self, node: NodeId) -> Option<Grant> {
        self.node(node).map(|node| Grant { node: node.id, incarnation: node.incarnation })
    }

    fn shard_mut(&mut self, id: ShardId) -> Result<&mut Shard, Rejected> {
        let place = self.place(id).ok_or(Rejected::UnknownShard(id))?;
        Ok(&mut self.shards[usize::from(place)])
    }

    fn active_shard(&mut self, id: ShardId, epoch: Epoch) -> Result<&mut Shard, Rejected> {
        let shard = self.shard_mut(id)?;
        if shard.epoch != epoch {
            return Err(Rejected::OtherEpoch { shard: id, epoch: shard.epoch });
        }
        if shard.is_offline() {
            return Err(Rejected::ShardOffline(id));
        }
        Ok(shard)
    }

    /// The shard, if it still is as the primary that proposes saw it, and if that is still its primary.
    fn shard_as_seen(&mut self, seen: &Seen) -> Result<&mut Shard, Rejected> {
        let shard = self.active_shard(seen.shard, seen.epoch)?;
        if shard.primary != seen.by || !shard.is_in_sync(seen.by) {
            return Err(Rejected::NotItsPrimary { shard: shard.id, node: seen.by.node });
        }
        if shard.isr_version != seen.isr_version {
            return Err(Rejected::OtherInSyncSet(shard.id));
        }
        Ok(shard)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::arbitrary::{after, copied, grow, joiner, life, node_id, restart, shard_id};
    use super::super::super::node::Role;
    use super::super::TopologyChange;
    use super::*;

    fn shard(topology: &Topology) -> &Shard {
        topology.shard(shard_id(1)).expect("it stays")
    }

    fn promote(topology: &Topology, number: u8, fenced: &[u8]) -> Result<Topology, Rejected> {
        let of = |number: &u8| life(topology, node_id(*number));
        let change = TopologyChange::Promote {
            shard: shard_id(1),
            epoch: shard(topology).epoch,
            primary: of(&number),
            fenced: fenced.iter().map(of).collect(),
        };
        after(topology, &change)
    }

    fn force_empty(topology: &Topology, number: u8) -> Result<Topology, Rejected> {
        after(topology, &TopologyChange::ForceEmpty { shard: shard_id(1), node: node_id(number) })
    }

    #[track_caller]
    fn check(topology: &Topology, primary: u8, in_sync: &[u8], state: ShardState) {
        let shard = shard(topology);
        let nodes: Vec<NodeId> = shard.isr.iter().map(|member| member.node).collect();
        let expected: Vec<NodeId> = in_sync.iter().map(|number| node_id(*number)).collect();
        assert_eq!((shard.primary.node, nodes, shard.state), (node_id(primary), expected, state));
        assert_eq!(topology.broken_invariant(), None);
    }

    #[test]
    fn a_proposal_that_was_overtaken_is_refused() {
        let topology = copied();
        let grow_three = grow(&topology, 3);
        let grown = after(&topology, &grow_three).expect("it has caught up");
        check(&grown, 1, &[1, 2, 3], ShardState::Active);
        assert_eq!(after(&grown, &grow_three), Err(Rejected::OtherInSyncSet(shard_id(1))));

        // The version is the same, as its former life was not in sync.
        let reborn = restart(&topology, 3);
        assert_eq!(after(&reborn, &grow_three), Err(Rejected::OtherIncarnation(node_id(3))));

        let promoted = promote(&topology, 2, &[]).expect("it is in sync");
        check(&promoted, 2, &[2], ShardState::Active);
        let at_two = Rejected::OtherEpoch { shard: shard_id(1), epoch: Epoch(2) };
        assert_eq!(after(&promoted, &grow_three), Err(at_two));

        // A replica that goes and comes back has another copy than the one that was found to have caught up.
        let join = TopologyChange::Join { joiner: joiner(3, Vec::new()), role: Role::Watcher };
        let replicate = TopologyChange::Replicate { node: node_id(3), primary: node_id(1) };
        let changes = [TopologyChange::Leave { node: node_id(3) }, join, replicate];
        let back = changes.iter().try_fold(topology, |topology, change| after(&topology, change));
        let back = back.expect("it goes and comes back");
        assert_eq!(after(&back, &grow_three), Err(Rejected::OtherInSyncSet(shard_id(1))));
        assert_eq!(after(&back, &grow(&back, 3)).map(|grown| shard(&grown).isr.len()), Ok(3));
    }

    #[test]
    fn a_new_life_is_in_sync_with_nobody() {
        let restarted = restart(&copied(), 2);
        check(&restarted, 1, &[1], ShardState::Active);
        assert_eq!(promote(&restarted, 2, &[]), Err(Rejected::NotInSync(node_id(2))));
        assert_eq!(shard(&restarted).replicas, [node_id(2), node_id(3)]);

        // The primary's own next life: the other serves when it has been fenced, and until then nobody does.
        let primary = restart(&copied(), 1);
        check(&primary, 1, &[2], ShardState::Active);
        assert_eq!(promote(&primary, 1, &[]), Err(Rejected::NotInSync(node_id(1))));
        let promoted = promote(&primary, 2, &[]).expect("it is in sync");
        check(&promoted, 2, &[2], ShardState::Active);
        assert_eq!(shard(&promoted).replicas, [node_id(1), node_id(3)]);
    }

    #[test]
    fn a_shard_that_lost_its_last_copy_waits_for_the_operator() {
        let lost = restart(&restart(&copied(), 2), 1);
        check(&lost, 1, &[1], ShardState::Offline);
        for node in [1, 2, 3] {
            assert!(promote(&lost, node, &[]).is_err(), "nobody is elected");
            check(&restart(&lost, node), 1, &[1], ShardState::Offline);
        }
        let history = shard(&lost).history;
        let forced = force_empty(&lost, 3).expect("it is offline");
        check(&forced, 3, &[3], ShardState::Active);
        assert!(shard(&forced).history > history && shard(&forced).epoch > shard(&lost).epoch);
        assert_eq!(shard(&forced).replicas, [node_id(1), node_id(2)]);
        assert_eq!(force_empty(&forced, 3), Err(Rejected::NotOffline(shard_id(1))));
    }

    #[test]
    fn the_last_copy_goes_nowhere() {
        let join = TopologyChange::Join { joiner: joiner(4, Vec::new()), role: Role::Watcher };
        let waiting = after(&restart(&copied(), 1), &join).expect("it is new");
        check(&waiting, 1, &[2], ShardState::Active);
        let node = node_id(2);
        for change in [
            TopologyChange::Forget { node, by: node_id(4) },
            TopologyChange::Leave { node },
            TopologyChange::Replicate { node, primary: node_id(4) },
        ] {
            assert_eq!(after(&waiting, &change), Err(Rejected::LastInSync(node)));
        }
        assert_eq!(
            after(&waiting, &TopologyChange::Leave { node: node_id(1) }),
            Err(Rejected::HasReplicas(node_id(1)))
        );
    }

    #[test]
    fn a_last_copy_that_is_declared_dead_may_be_given_up() {
        let declared = |topology: &Topology, number| {
            let Grant { node, incarnation } = life(topology, node_id(number));
            let change = TopologyChange::SetState { node, incarnation, state: NodeState::Failed };
            after(topology, &change).expect("it is its life")
        };
        let one_dead = declared(&copied(), 1);
        assert_eq!(force_empty(&one_dead, 3), Err(Rejected::NotOffline(shard_id(1))));
        let forced = force_empty(&declared(&one_dead, 2), 3).expect("nobody is left");
        check(&forced, 3, &[3], ShardState::Active);
    }

    #[test]
    fn what_owns_no_slots_has_nothing_to_lose() {
        let topology =
            after(&copied(), &TopologyChange::FlushSlots { node: node_id(1) }).expect("it owns them");
        check(&restart(&restart(&topology, 1), 2), 1, &[1], ShardState::Active);
        let forgotten = after(&topology, &TopologyChange::Forget { node: node_id(1), by: node_id(9) });
        let forgotten = forgotten.expect("it owns nothing");
        check(&forgotten, 2, &[2], ShardState::Active);
        assert_eq!(shard(&forgotten).replicas, [node_id(3)]);
    }
}
