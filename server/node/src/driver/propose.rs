//! Proposals: from any node to the leader, and back when they are applied.
//!
//! The proposer names its proposal once and repeats it under that name until it hears what became of it, from the
//! leader or from its own topology; the topology applies it once, however often it stands in the log. So a leader that
//! dies with the answer costs a repetition, not certainty.
//!
//! Invariants: [`Shared::propose`] ends within [`DEADLINE`]; after `Ok` the change is applied on this node; a proposal that
//! is waited for is never so far behind the newest that the topology could forget what became of it (`numbers`).

use std::sync::Arc;
use std::time::Duration;

use nuthatch_cluster::topology::{GroupId, Outcome, Proposal, ProposalId, Rejected, Role, TopologyChange};
use nuthatch_proto::ids::{LogIndex, NodeId};
use nuthatch_proto::rpc::{ProposeRequest, propose_response};
use nuthatch_proto::slot::Slot;
use tokio::time::{sleep, timeout};

use super::numbers::TooMany;
use super::shared::{Event, NotTaken, Shared, View};
use crate::clock;
use crate::rpc::peers::PeerAddress;

/// How long a proposal may take, elections included.
const DEADLINE: Duration = Duration::from_secs(5);

/// How long one leader may take to answer.
const ATTEMPT: Duration = Duration::from_millis(1500);

/// How long a node that leaves waits until the group can do without it: a few elections and changes of members.
const DISMISSAL: Duration = Duration::from_secs(10);

/// How long to wait between two attempts if nothing changes.
const PAUSE: Duration = Duration::from_millis(50);

/// Why a proposal did not become part of the topology. `Display` is the error for the client, its code first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// The topology's rules refuse it.
    #[error("{0}")]
    Rejected(String),
    /// It is not known to be committed, and may be later.
    #[error(
        "CLUSTERDOWN The metadata group has no leader or did not answer in time; the change may still be made"
    )]
    Unavailable,
    /// The node became a member of another group, or left this one, before the change was known to be committed.
    #[error("ERR This node has joined or left a cluster in the meantime; the change may not have been made")]
    OtherGroup,
    /// Too many changes wait to be proposed here.
    #[error("ERR Too many cluster changes wait at this node. Nothing was changed: try again")]
    Busy,
    /// The only voter would leave, and nobody could vote instead.
    #[error(
        "ERR This node is the only voter of its cluster and no other node answers: start another one, which takes over, \
         then repeat CLUSTER RESET"
    )]
    NoSuccessor,
    /// It has left, but the others have no majority without it.
    #[error(
        "CLUSTERDOWN The other nodes have no majority without the vote of this one yet: start those that are down, then \
         repeat CLUSTER RESET"
    )]
    StillVoter,
}

/// Why a slot was not given away. `Display` is the error for the client, its code first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GiveError {
    /// There are keys in it.
    #[error("ERR Can't assign hashslot {0} to a different node while I still hold keys for this hash slot.")]
    HasKeys(Slot),
    /// The group did not make the change.
    #[error(transparent)]
    Refused(#[from] ProposeError),
}

/// Why one attempt brought no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    /// This node does not know whom to ask.
    #[error("the leader is not known here")]
    NoLeader,
    /// The leader is here, and did not take it.
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
    /// The leader did not answer, or said that it is none.
    #[error("{0}")]
    Peer(String),
    /// It took too long.
    #[error("no answer in time")]
    Deadline,
}

impl Shared {
    /// Makes these changes, all or none, and waits until they are applied here.
    pub(crate) async fn propose(&self, changes: Vec<TopologyChange>) -> Result<LogIndex, ProposeError> {
        let applied = async {
            let outcome = self.decide_in_turn(changes).await?;
            self.await_applied(outcome.index()).await;
            verdict(outcome)
        };
        timeout(DEADLINE, applied).await.unwrap_or(Err(ProposeError::Unavailable))
    }

    /// Makes these changes and waits for the leader's word only: this node may never apply them.
    pub(crate) async fn propose_and_leave(
        &self,
        changes: Vec<TopologyChange>,
    ) -> Result<LogIndex, ProposeError> {
        let decided = async { verdict(self.decide_in_turn(changes).await?) };
        timeout(DEADLINE, decided).await.unwrap_or(Err(ProposeError::Unavailable))
    }

    /// Proposes under a number of its own, which is given back when the outcome is known, or nobody waits for it.
    async fn decide_in_turn(&self, changes: Vec<TopologyChange>) -> Result<Outcome, ProposeError> {
        let turn = self.numbers.take().await.map_err(|TooMany| ProposeError::Busy)?;
        let id = ProposalId { node: self.view().me, seq: turn.number() };
        self.decide(&Proposal { id, changes }).await
    }

    /// Has a change of the in-sync set decided, however long that takes; in a group that this node has left, nothing is.
    pub(crate) async fn decide_change(&self, change: TopologyChange) -> Outcome {
        loop {
            match self.decide_in_turn(vec![change.clone()]).await {
                Ok(outcome) => return outcome,
                // It was not even proposed.
                Err(ProposeError::Busy) => sleep(PAUSE).await,
                Err(error) => {
                    return Outcome::Rejected { index: LogIndex(0), error: error.to_string() };
                }
            }
        }
    }

    /// Takes this node out of its group and lets it begin anew, alone; if `hard`, under a new id.
    pub(crate) async fn reset(&self, hard: bool) -> Result<(), ProposeError> {
        let _turn = self.membership.lock().await;
        let view = self.view();
        if !view.is_alone() {
            let left = match view.topology.node(view.me) {
                Some(_) => self.leave(&view).await?,
                // It was forgotten while it did not look.
                None => view.topology.applied(),
            };
            self.await_dismissal(view.topology.group(), left).await?;
        }
        self.ask(|done| Event::Reset(hard, done)).await.map_err(|_| ProposeError::Unavailable)
    }

    /// Takes this node out of the topology; the index at which it was out.
    async fn leave(&self, view: &View) -> Result<LogIndex, ProposeError> {
        if view.topology.nodes_in_role(Role::Voter).all(|voter| voter.id == view.me) {
            let others = view.topology.nodes().filter(|node| node.id != view.me);
            let seen = self.presence.peers(others, clock::now(), self.rules().node_timeout);
            if !seen.values().any(|peer| peer.connected) {
                return Err(ProposeError::NoSuccessor);
            }
        }
        match self.propose_and_leave(vec![TopologyChange::Leave { node: view.me }]).await {
            // It was forgotten in the meantime.
            Err(ProposeError::OtherGroup) => Ok(view.topology.applied()),
            Err(ProposeError::Rejected(text)) if text == Rejected::UnknownNode(view.me).to_string() => {
                Ok(view.topology.applied())
            }
            left => left,
        }
    }

    /// Waits until the group that this node has left counts on it no more: only then may its disk be cleared, because a
    /// majority could not be had, or not know what was agreed, without it.
    pub(crate) async fn await_dismissal(&self, group: GroupId, left: LogIndex) -> Result<(), ProposeError> {
        let dismissed = |view: &Arc<View>| view.topology.group() != group || view.is_dismissed(left);
        if timeout(DISMISSAL, self.subscribe().wait_for(dismissed)).await.is_ok() {
            return Ok(());
        }
        // A node that was removed while it was away hears of no leader any more, and a learner that none sends to may
        // have missed the last word. Neither is needed for anything.
        let view = self.view();
        match view.part {
            Role::Voter if view.leader.is_some() => Err(ProposeError::StillVoter),
            Role::Voter | Role::Learner | Role::Watcher => Ok(()),
        }
    }

    /// Gives a slot of this node that has no keys to another node's shard. No key can come in meanwhile.
    pub(crate) async fn give_slot(&self, slot: Slot, to: NodeId) -> Result<(), GiveError> {
        let empty =
            self.ask(|answer| Event::Hold(slot, answer)).await.map_err(|_| ProposeError::Unavailable)?;
        let expected = self.view().topology.owner(slot).map(|shard| shard.id);
        let given = if empty {
            let change = TopologyChange::SetSlotNode { slot, node: to, expected };
            self.propose(vec![change]).await.map(|_| ()).map_err(GiveError::Refused)
        } else {
            Err(GiveError::HasKeys(slot))
        };
        // The gate must not stay shut because the queue is full, and whoever is told that the slot stays may write to it at
        // once.
        while self.ask(|done| Event::Release(slot, done)).await == Err(NotTaken::Full) {
            sleep(PAUSE).await;
        }
        given
    }

    /// Waits until this node has applied the log up to that index.
    pub(crate) async fn await_applied(&self, index: LogIndex) {
        // An error means that the metadata thread is gone, and the process with it.
        let _ = self.subscribe().wait_for(|view| view.topology.applied() >= index).await;
    }

    /// Repeats the proposal until its outcome is known, in the group in which it was made.
    async fn decide(&self, proposal: &Proposal) -> Result<Outcome, ProposeError> {
        let mut views = self.subscribe();
        let group = views.borrow().topology.group();
        for attempt in 0.. {
            let view = Arc::clone(&views.borrow_and_update());
            if view.topology.group() != group {
                return Err(ProposeError::OtherGroup);
            }
            if let Some(outcome) = view.topology.outcome(proposal.id) {
                return Ok(outcome.clone());
            }
            let leader = view.leader;
            let answer = async { timeout(ATTEMPT, self.attempt(&view, proposal, 0, attempt)).await };
            let changed = |view: &Arc<View>| {
                (view.leader != leader && view.leader.is_some()) || view.topology.group() != group
            };
            tokio::select! {
                answer = answer => match answer {
                    Ok(Ok(outcome)) => return Ok(outcome),
                    Ok(Err(unanswered)) => tracing::debug!("proposal {:?}: {unanswered}", proposal.id),
                    Err(_elapsed) => tracing::debug!("proposal {:?}: no answer in time", proposal.id),
                },
                _ = views.wait_for(changed) => continue,
            }
            let _ = timeout(PAUSE, views.changed()).await;
        }
        unreachable!("the attempts have no end")
    }

    /// Hands the proposal to the leader once; `hops` nodes have forwarded it before.
    pub(crate) async fn submit(&self, proposal: &Proposal, hops: u32) -> Result<Outcome, Unanswered> {
        let view = self.view();
        timeout(ATTEMPT, self.attempt(&view, proposal, hops, 0)).await.unwrap_or(Err(Unanswered::Deadline))
    }

    async fn attempt(
        &self,
        view: &View,
        proposal: &Proposal,
        hops: u32,
        attempt: usize,
    ) -> Result<Outcome, Unanswered> {
        let group = view.topology.group();
        if view.leads {
            let outcome = self.ask(|answer| Event::Propose(group, proposal.clone(), answer)).await??;
            return Ok(outcome);
        }
        let address = self.whom_to_ask(view, attempt).ok_or(Unanswered::NoLeader)?;
        let request = ProposeRequest {
            group_id: group.0.to_vec().into(),
            proposal: proposal.encode().into(),
            hops: hops + 1,
        };
        let call = |mut client: crate::rpc::peers::Client| async move { client.propose(request).await };
        let response = self.peers.call(&address, ATTEMPT, call).await;
        let response = response.map_err(|error| Unanswered::Peer(error.to_string()))?;
        match response.outcome {
            Some(propose_response::Outcome::Applied(index)) => Ok(Outcome::Applied(LogIndex(index))),
            Some(propose_response::Outcome::Rejected(rejection)) => {
                Ok(Outcome::Rejected { index: LogIndex(rejection.index), error: rejection.error })
            }
            Some(propose_response::Outcome::Unavailable(reason)) => Err(Unanswered::Peer(reason)),
            None => Err(Unanswered::Peer("an empty answer".to_owned())),
        }
    }

    /// The leader; or, for a node that hears no leader, each voter in turn.
    fn whom_to_ask(&self, view: &View, attempt: usize) -> Option<PeerAddress> {
        if let Some(leader) = view.other_leader() {
            return Some(self.address_of(leader));
        }
        let voters = view.topology.nodes_in_role(Role::Voter).filter(|node| node.id != view.me);
        let count = voters.clone().count().max(1);
        voters.map(|node| self.address_of(node)).nth(attempt % count)
    }
}

fn verdict(outcome: Outcome) -> Result<LogIndex, ProposeError> {
    match outcome {
        Outcome::Applied(index) => Ok(index),
        Outcome::Rejected { error, .. } => Err(ProposeError::Rejected(error)),
    }
}
