//! Who should be in the Raft group: from what there is, the next single step towards what there should be.
//!
//! One voter while the cluster has fewer than 3 nodes, 3 voters from 3 nodes on, 5 from 5 on; all other nodes are
//! watchers, which follow the stream of topologies outside the group. Pure: the leader asks now and then, proposes the
//! step as a change of one member, and asks again once that is applied. So a change of leader half-way loses nothing.
//!
//! Rules, each a property test below:
//! - a step changes one member; there is never a joint configuration, and two steps are never in flight;
//! - a voter was a learner that had caught up; only then is the voter it replaces removed;
//! - a voter that is to be a watcher is a learner first, so that it hears that it is no voter any more and stands for
//!   no election;
//! - a forgotten node is removed as soon as the rest can do without it, be it the only voter there was;
//! - no voter goes while another that is alive still counts by the members before the last change: a voter that lags
//!   could otherwise make a majority of the old group with those that were removed one after the other, and a node
//!   that is told of its removal may clear its disk, which nobody must need any more;
//! - no step leaves the group without a majority of live voters, and none removes the leader: it hands over first;
//! - a dead voter is replaced if a live node is there to do it, and stays a voter if not.
//!
//! Neighbours: `machine` is the only caller; who is alive it knows from `peers`.

use std::collections::BTreeSet;

use crate::topology::RaftId;

/// What the planner decides by.
#[derive(Debug, Clone)]
pub struct Group {
    /// Who asks.
    pub leader: RaftId,
    /// The voters.
    pub voters: BTreeSet<RaftId>,
    /// The learners.
    pub learners: BTreeSet<RaftId>,
    /// All members of the cluster, as the topology has them.
    pub nodes: BTreeSet<RaftId>,
    /// Members of the cluster or the group that were heard from, the leader among them.
    pub alive: BTreeSet<RaftId>,
    /// Learners whose log is as good as the leader's.
    pub caught_up: BTreeSet<RaftId>,
    /// Voters that have applied the last change of members.
    pub informed: BTreeSet<RaftId>,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A node begins to receive the log.
    AddLearner(RaftId),
    /// A learner becomes a voter.
    Promote(RaftId),
    /// A voter becomes a learner, to be removed.
    Demote(RaftId),
    /// A learner, or a voter that cannot be told, leaves the group.
    Remove(RaftId),
    /// The leader has to go, and makes that voter leader first.
    HandOver(RaftId),
}

/// How many voters a cluster of that many nodes has.
pub fn voters_for(nodes: usize) -> usize {
    match nodes {
        0..=2 => 1,
        3..=4 => 3,
        _ => 5,
    }
}

/// The next step, if the group is not as it should be and something can be done about it now.
pub fn next_step(group: &Group) -> Option<Step> {
    let wanted = group.wanted();
    remove_forgotten(group)
        .or_else(|| bring_in(group, &wanted))
        .or_else(|| send_away(group, &wanted))
        .or_else(|| remove_learners(group, &wanted))
}

impl Group {
    /// The nodes that should be voters. Who is one already stays one, so that nothing moves without need.
    fn wanted(&self) -> BTreeSet<RaftId> {
        let rank = |id: &RaftId| {
            let part = match () {
                () if *id == self.leader => 0,
                () if self.voters.contains(id) => 1,
                () if self.learners.contains(id) => 2,
                () => 3,
            };
            (!self.alive.contains(id), part, *id)
        };
        let worth = |id: &&RaftId| self.alive.contains(id) || self.voters.contains(id);
        let mut nodes: Vec<_> = self.nodes.iter().filter(worth).copied().collect();
        nodes.sort_by_key(rank);
        nodes.truncate(voters_for(self.nodes.len()));
        nodes.into_iter().collect()
    }

    /// Whether those voters could commit, as far as is known.
    fn live_majority(&self, voters: &BTreeSet<RaftId>) -> bool {
        voters.intersection(&self.alive).count() > voters.len() / 2
    }

    fn can_spare(&self, voter: RaftId) -> bool {
        let mut rest = self.voters.clone();
        rest.remove(&voter);
        self.live_majority(&rest) && self.agrees()
    }

    /// Whether all voters that are there count the same members.
    fn agrees(&self) -> bool {
        self.voters.intersection(&self.alive).all(|voter| self.informed.contains(voter))
    }

    /// How a voter goes: it is told first, if it is there.
    fn dismissal(&self, voter: RaftId) -> Step {
        if self.alive.contains(&voter) { Step::Demote(voter) } else { Step::Remove(voter) }
    }

    /// Whether a learner that is to go knows that it is no voter, or cannot be told.
    fn may_leave(&self, learner: RaftId) -> bool {
        self.agrees() && (self.caught_up.contains(&learner) || !self.alive.contains(&learner))
    }

    /// A live voter that may lead instead.
    fn successor(&self, wanted: &BTreeSet<RaftId>) -> Option<RaftId> {
        let fit = |id: &&RaftId| self.alive.contains(id) && self.nodes.contains(id) && **id != self.leader;
        let voters: Vec<_> = self.voters.iter().filter(fit).copied().collect();
        voters.iter().find(|id| wanted.contains(id)).or(voters.first()).copied()
    }
}

fn remove_forgotten(group: &Group) -> Option<Step> {
    let forgotten = |id: &&RaftId| !group.nodes.contains(id);
    if let Some(learner) = group.learners.iter().filter(forgotten).find(|id| group.may_leave(**id)) {
        return Some(Step::Remove(*learner));
    }
    let voter = *group.voters.iter().filter(forgotten).find(|id| group.can_spare(**id))?;
    match voter == group.leader {
        true => group.successor(&group.nodes).map(Step::HandOver),
        false => Some(group.dismissal(voter)),
    }
}

fn bring_in(group: &Group, wanted: &BTreeSet<RaftId>) -> Option<Step> {
    let missing = wanted.difference(&group.voters).copied();
    // One learner at a time: the first that is on its way is waited for, and given up only once it is not wanted.
    match missing.clone().find(|id| group.learners.contains(id)) {
        Some(learner) => {
            let mut voters = group.voters.clone();
            voters.insert(learner);
            let ready = group.caught_up.contains(&learner) && group.live_majority(&voters);
            ready.then_some(Step::Promote(learner))
        }
        None => missing.min().map(Step::AddLearner),
    }
}

fn send_away(group: &Group, wanted: &BTreeSet<RaftId>) -> Option<Step> {
    if !wanted.is_subset(&group.voters) {
        return None;
    }
    let surplus = |id: &&RaftId| !wanted.contains(id) && group.can_spare(**id);
    let mut surplus: Vec<_> = group.voters.iter().filter(surplus).collect();
    // The dead first: they may be missed least.
    surplus.sort_by_key(|id| group.alive.contains(id));
    match **surplus.first()? {
        id if id == group.leader => group.successor(wanted).map(Step::HandOver),
        id => Some(group.dismissal(id)),
    }
}

fn remove_learners(group: &Group, wanted: &BTreeSet<RaftId>) -> Option<Step> {
    let surplus = |id: &&RaftId| !wanted.contains(id) && group.may_leave(**id);
    group.learners.iter().find(surplus).map(|id| Step::Remove(*id))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids(range: impl IntoIterator<Item = u64>) -> BTreeSet<RaftId> {
        range.into_iter().map(RaftId).collect()
    }

    /// A group in which all are alive and have caught up.
    fn healthy(voters: impl IntoIterator<Item = u64>, nodes: impl IntoIterator<Item = u64>) -> Group {
        let (voters, nodes) = (ids(voters), ids(nodes));
        let alive: BTreeSet<_> = nodes.union(&voters).copied().collect();
        let leader = *voters.first().expect("a group has voters");
        let (caught_up, informed) = (alive.clone(), alive.clone());
        Group { leader, voters, learners: BTreeSet::new(), caught_up, informed, alive, nodes }
    }

    fn perform(group: &mut Group, step: Step) {
        match step {
            Step::AddLearner(id) => assert!(group.learners.insert(id) && !group.voters.contains(&id)),
            Step::Promote(id) => assert!(group.learners.remove(&id) && group.voters.insert(id)),
            Step::Demote(id) => assert!(group.voters.remove(&id) && group.learners.insert(id)),
            Step::Remove(id) => assert!(group.voters.remove(&id) || group.learners.remove(&id)),
            Step::HandOver(id) => {
                assert!(group.voters.contains(&id) && id != group.leader);
                group.leader = id;
            }
        }
    }

    /// Takes all steps there are and returns them.
    fn settle(group: &mut Group) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some(step) = next_step(group) {
            perform(group, step);
            steps.push(step);
            assert!(steps.len() < 100, "the planner goes round in circles: {steps:?}");
        }
        steps
    }

    #[test]
    fn grows_to_three_and_five_voters_one_at_a_time() {
        for (nodes, voters) in [(1, 1), (2, 1), (3, 3), (4, 3), (5, 5), (9, 5)] {
            let mut group = healthy([1], 1..=nodes);
            let steps = settle(&mut group);
            assert_eq!(group.voters, ids(1..=voters));
            assert_eq!(steps.len() as u64, 2 * (voters - 1), "each new voter was a learner first");
        }
    }

    #[test]
    fn a_forgotten_voter_is_replaced_and_a_forgotten_leader_hands_over() {
        let mut group = healthy([1, 2, 3], [1, 3, 4]);
        assert_eq!(
            settle(&mut group),
            [
                Step::Demote(RaftId(2)),
                Step::Remove(RaftId(2)),
                Step::AddLearner(RaftId(4)),
                Step::Promote(RaftId(4))
            ]
        );
        let mut group = healthy([1, 2, 3], [2, 3, 4]);
        let steps = settle(&mut group);
        assert_eq!(steps[..3], [Step::HandOver(RaftId(2)), Step::Demote(RaftId(1)), Step::Remove(RaftId(1))]);
        assert_eq!(group.voters, ids([2, 3, 4]));
    }

    #[test]
    fn a_surplus_voter_is_told_that_it_is_none_before_it_leaves() {
        let mut group = healthy([1, 2, 3], [1, 2]);
        let steps = settle(&mut group);
        assert_eq!(
            steps,
            [
                Step::Demote(RaftId(3)),
                Step::Remove(RaftId(3)),
                Step::Demote(RaftId(2)),
                Step::Remove(RaftId(2))
            ],
            "3 was forgotten; 2 is surplus in a cluster of two"
        );
    }

    #[test]
    fn the_only_voter_goes_when_the_other_node_has_taken_over() {
        let mut group = healthy([1], [2]);
        let steps = settle(&mut group);
        assert_eq!(
            steps,
            [
                Step::AddLearner(RaftId(2)),
                Step::Promote(RaftId(2)),
                Step::HandOver(RaftId(2)),
                Step::Demote(RaftId(1)),
                Step::Remove(RaftId(1))
            ]
        );
        let mut group = healthy([1], [2]);
        group.alive = ids([1]);
        assert_eq!(next_step(&group), None, "nobody is there to take over");
    }

    #[test]
    fn no_voter_goes_while_another_that_is_there_counts_the_one_before() {
        let mut group = healthy([1, 2, 3, 4, 5], [1, 2, 3]);
        group.nodes.extend(ids([6]));
        group.alive.remove(&RaftId(6));
        perform(&mut group, Step::Demote(RaftId(5)));
        group.informed = ids([1, 2, 4]);
        assert_eq!(next_step(&group), None, "3 does not know yet that 5 does not vote");
        group.alive.remove(&RaftId(3));
        assert_eq!(next_step(&group), Some(Step::Remove(RaftId(5))), "who is gone is not waited for");
        group.alive.insert(RaftId(3));
        group.informed.insert(RaftId(3));
        assert_eq!(settle(&mut group)[..2], [Step::Remove(RaftId(5)), Step::Demote(RaftId(4))]);
    }

    #[test]
    fn a_dead_voter_is_replaced_only_by_a_live_node() {
        let mut group = healthy([1, 2, 3], 1..=3);
        group.alive = ids([1, 2]);
        assert_eq!(next_step(&group), None, "nobody is there to do it");
        group.nodes = ids(1..=4);
        assert_eq!(next_step(&group), None, "4 is dead as well");
        group.alive = ids([1, 2, 4]);
        group.caught_up = ids([4]);
        group.informed = group.alive.clone();
        let expected = [Step::AddLearner(RaftId(4)), Step::Promote(RaftId(4)), Step::Remove(RaftId(3))];
        assert_eq!(settle(&mut group), expected);
    }

    #[test]
    fn a_learner_that_lags_is_waited_for_and_one_that_died_is_given_up() {
        let mut group = healthy([1], 1..=4);
        perform(&mut group, Step::AddLearner(RaftId(2)));
        group.caught_up.remove(&RaftId(2));
        assert_eq!(next_step(&group), None);
        group.alive.remove(&RaftId(2));
        assert_eq!(next_step(&group), Some(Step::AddLearner(RaftId(3))));
        settle(&mut group);
        assert_eq!((group.voters.len(), group.learners.len()), (3, 0));
    }

    fn groups() -> impl Strategy<Value = Group> {
        let members = prop::collection::btree_set(1..12u64, 1..8);
        let some = || prop::collection::btree_set(1..12u64, 0..12);
        let parts = (members, some(), some(), some(), some(), some());
        parts.prop_map(|(voters, learners, nodes, alive, caught_up, informed)| {
            let voters = ids(voters);
            let leader = *voters.first().expect("not empty");
            let learners = ids(learners).difference(&voters).copied().collect();
            let mut alive = ids(alive);
            alive.insert(leader);
            let (nodes, caught_up, informed) = (ids(nodes), ids(caught_up), ids(informed));
            Group { leader, voters, learners, nodes, alive, caught_up, informed }
        })
    }

    proptest! {
        #[test]
        fn every_step_is_safe_and_the_steps_end(mut group in groups()) {
            // Whatever the past left behind: forgotten leaders, dead voters, strange learners.
            for _ in 0..100 {
                let Some(step) = next_step(&group) else { return Ok(()) };
                let before = group.clone();
                perform(&mut group, step);
                prop_assert!(group.voters.symmetric_difference(&before.voters).count() <= 1);
                prop_assert!(group.voters.contains(&group.leader), "{step:?} removed the leader");
                prop_assert!(
                    group.voters == before.voters || group.live_majority(&group.voters),
                    "{step:?} left no live majority in {group:?}"
                );
                prop_assert!(
                    group.voters.is_superset(&before.voters) || before.agrees(),
                    "{step:?} although not all voters know of the step before in {before:?}"
                );
            }
            prop_assert!(false, "the planner goes round in circles in {group:?}");
        }

        #[test]
        fn a_group_that_is_alive_ends_as_it_should(mut group in groups()) {
            if group.nodes.is_empty() {
                group.nodes.insert(group.leader);
            }
            group.alive = group.nodes.union(&group.voters).copied().chain(group.learners.iter().copied()).collect();
            group.caught_up = group.alive.clone();
            group.informed = group.alive.clone();
            settle(&mut group);
            prop_assert_eq!(group.voters.len(), voters_for(group.nodes.len()).min(group.nodes.len()));
            prop_assert!(group.voters.is_subset(&group.nodes) && group.learners.is_empty());
        }
    }
}
