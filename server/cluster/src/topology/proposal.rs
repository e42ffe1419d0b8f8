//! A proposal: changes that are applied together or not at all, once.
//!
//! A proposer that hears nothing proposes again under the same id; the entry may then stand in the log twice. The
//! topology therefore remembers the outcome of each member's last [`OUTCOMES_PER_NODE`] proposals, as long as they are
//! among the last [`OUTCOME_ENTRIES`] entries of the log, and answers a repetition with the first outcome. A process
//! draws its first number at random and counts from there, so that no two of its lives use the same; and it keeps fewer
//! than that many in flight, counted from the oldest. So a number that lies that far behind a remembered one was decided
//! long ago: an entry that comes so late (it waited in a stopped process, or in a network) is refused, not applied again.
//!
//! Invariants: outcomes are kept for members and remembered former members only; there are never more than
//! [`OUTCOME_ENTRIES`], so neither the memory nor what followers are sent grows with the cluster's age or size.

use std::collections::{BTreeMap, VecDeque};

use nuthatch_proto::ids::{LogIndex, NodeId};

use super::{Rejected, Topology, TopologyChange};

/// How many outcomes are remembered for each node.
pub const OUTCOMES_PER_NODE: usize = 64;
/// For how many entries of the log an outcome is remembered.
pub const OUTCOME_ENTRIES: u64 = 4096;
/// Numbers closer than this belong to the same life of a process: nobody counts so far, and two random first numbers are
/// farther apart.
const NUMBERS_PER_LIFE: u64 = 1 << 32;
/// How many changes one proposal may hold.
pub const MAX_CHANGES: usize = 1024;

/// What tells a proposal from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProposalId {
    /// Who proposes.
    pub node: NodeId,
    /// Never used twice by that node.
    pub seq: u64,
}

/// Changes to be applied together or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Its identity: proposed again, it is applied once.
    pub id: ProposalId,
    /// The changes, each seeing those before it.
    pub changes: Vec<TopologyChange>,
}

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All changes were applied, at that index.
    Applied(LogIndex),
    /// None was.
    Rejected {
        /// The index at which that was decided.
        index: LogIndex,
        /// The error's text for the client, its code first.
        error: String,
    },
}

impl Outcome {
    /// The log index at which it was decided.
    pub fn index(&self) -> LogIndex {
        match self {
            Self::Applied(index) | Self::Rejected { index, .. } => *index,
        }
    }
}

/// The last outcomes of each node, oldest first.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Outcomes(pub(crate) BTreeMap<NodeId, VecDeque<(u64, Outcome)>>);

impl Outcomes {
    fn get(&self, id: ProposalId) -> Option<&Outcome> {
        self.0.get(&id.node)?.iter().find_map(|(seq, outcome)| (*seq == id.seq).then_some(outcome))
    }

    /// Whether the node has gone on so far that this number cannot be in flight any more.
    fn is_over(&self, id: ProposalId) -> bool {
        let behind = |(seq, _): &(u64, Outcome)| {
            (OUTCOMES_PER_NODE as u64..NUMBERS_PER_LIFE).contains(&seq.wrapping_sub(id.seq))
        };
        self.0.get(&id.node).is_some_and(|outcomes| outcomes.iter().any(behind))
    }

    fn remember(&mut self, id: ProposalId, outcome: Outcome) {
        let outcomes = self.0.entry(id.node).or_default();
        if outcomes.len() >= OUTCOMES_PER_NODE {
            // Those of an earlier life first, then the lowest number: proposals are not applied in the order of their
            // numbers, and what is forgotten must be what `is_over` refuses.
            let behind = |seq: u64| id.seq.wrapping_sub(seq);
            let earlier_life = |seq: u64| behind(seq).min(seq.wrapping_sub(id.seq)) >= NUMBERS_PER_LIFE;
            let lowest = outcomes.iter().enumerate().max_by_key(|(_, (seq, _))| {
                (earlier_life(*seq), behind(*seq).wrapping_add(NUMBERS_PER_LIFE))
            });
            let place = lowest.map_or(0, |(place, _)| place);
            outcomes.remove(place);
        }
        let horizon = outcome.index().0.saturating_sub(OUTCOME_ENTRIES);
        outcomes.push_back((id.seq, outcome));
        self.0.retain(|_, outcomes| {
            let old = outcomes.partition_point(|(_, outcome)| outcome.index().0 <= horizon);
            outcomes.drain(..old);
            !outcomes.is_empty()
        });
    }
}

impl Topology {
    /// Applies the log entry at `index`: all of the proposal's changes or none, and what came of it. The entry counts as
    /// applied either way.
    pub fn apply_proposal(&self, index: LogIndex, proposal: &Proposal) -> (Self, Outcome) {
        if let Some(outcome) = self.outcomes.get(proposal.id) {
            return (self.advanced(index), outcome.clone());
        }
        if self.outcomes.is_over(proposal.id) {
            let error = Rejected::Outdated.to_string();
            return (self.advanced(index), Outcome::Rejected { index, error });
        }
        let (mut next, outcome) = match self.apply_all(index, &proposal.changes) {
            Ok(next) => (next, Outcome::Applied(index)),
            Err(rejected) => (self.advanced(index), Outcome::Rejected { index, error: rejected.to_string() }),
        };
        if next.nodes.contains_key(&proposal.id.node) || next.is_forgotten(proposal.id.node) {
            next.outcomes.remember(proposal.id, outcome.clone());
        }
        (next, outcome)
    }

    /// The same topology after a log entry that holds no proposal.
    pub fn advanced(&self, index: LogIndex) -> Self {
        Self { applied: index.max(self.applied), ..self.clone() }
    }

    /// What became of a proposal, if it was applied and is still remembered.
    pub fn outcome(&self, id: ProposalId) -> Option<&Outcome> {
        self.outcomes.get(id)
    }

    pub(super) fn apply_all(&self, index: LogIndex, changes: &[TopologyChange]) -> Result<Self, Rejected> {
        if changes.len() > MAX_CHANGES {
            return Err(Rejected::TooManyChanges(MAX_CHANGES));
        }
        let mut draft = self.advanced(index);
        changes.iter().try_for_each(|change| draft.perform(index, change))?;
        draft.note_changes(self, index);
        Ok(draft)
    }
}

#[cfg(test)]
mod tests {
    use super::super::arbitrary::{alone, node_id};
    use super::*;

    fn nothing(seq: u64) -> Proposal {
        Proposal { id: ProposalId { node: node_id(1), seq }, changes: Vec::new() }
    }

    #[test]
    fn a_late_copy_of_a_forgotten_proposal_is_refused_in_whatever_order_the_others_came() {
        let mut topology = alone();
        let last = OUTCOMES_PER_NODE as u64 + 20;
        // Two by two in the wrong order, and across the end of the numbers.
        let first = u64::MAX - 10;
        let numbers: Vec<_> = (0..=last).map(|number| first.wrapping_add(number ^ 1)).collect();
        for (seq, index) in numbers.iter().zip(2..) {
            topology = topology.apply_proposal(LogIndex(index), &nothing(*seq)).0;
        }
        for (seq, index) in numbers.iter().zip(2..) {
            let first_outcome = Outcome::Applied(LogIndex(index));
            let refused = Outcome::Rejected { index: LogIndex(500), error: Rejected::Outdated.to_string() };
            let (_, again) = topology.apply_proposal(LogIndex(500), &nothing(*seq));
            assert!(again == first_outcome || again == refused, "{seq} was applied again: {again:?}");
        }
        let (_, other_life) = topology.apply_proposal(LogIndex(500), &nothing(1 << 60));
        assert_eq!(other_life, Outcome::Applied(LogIndex(500)));
    }

    #[test]
    fn the_oldest_outcome_goes_first() {
        let count = OUTCOMES_PER_NODE as u64;
        let topology = (0..=count)
            .fold(alone(), |topology, seq| topology.apply_proposal(LogIndex(2 + seq), &nothing(seq)).0);
        assert_eq!(topology.outcome(nothing(0).id), None);
        assert_eq!(topology.outcome(nothing(1).id), Some(&Outcome::Applied(LogIndex(3))));
        assert_eq!(topology.outcome(nothing(count).id), Some(&Outcome::Applied(LogIndex(2 + count))));
    }

    #[test]
    fn old_outcomes_of_all_nodes_go() {
        let mut topology = alone().apply_proposal(LogIndex(2), &nothing(1)).0;
        topology = topology.apply_proposal(LogIndex(1 + OUTCOME_ENTRIES), &nothing(2)).0;
        assert!(topology.outcome(nothing(1).id).is_some());
        topology = topology.apply_proposal(LogIndex(2 + OUTCOME_ENTRIES), &nothing(3)).0;
        assert!(topology.outcome(nothing(1).id).is_none() && topology.outcome(nothing(2).id).is_some());
    }

    #[test]
    fn a_strangers_outcome_is_not_kept() {
        let proposal = Proposal { id: ProposalId { node: node_id(6), seq: 1 }, changes: Vec::new() };
        let (topology, outcome) = alone().apply_proposal(LogIndex(2), &proposal);
        assert_eq!((outcome, topology.outcome(proposal.id)), (Outcome::Applied(LogIndex(2)), None));
    }

    #[test]
    fn a_proposal_holds_only_so_many_changes() {
        let changes = vec![TopologyChange::AssignByRing; MAX_CHANGES + 1];
        let (topology, outcome) = alone().apply_proposal(LogIndex(2), &Proposal { changes, ..nothing(1) });
        let error = Rejected::TooManyChanges(MAX_CHANGES).to_string();
        assert_eq!(outcome, Outcome::Rejected { index: LogIndex(2), error });
        assert_eq!((topology.applied(), topology.changed()), (LogIndex(2), LogIndex(1)));
    }
}
