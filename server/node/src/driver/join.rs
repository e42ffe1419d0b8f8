//! Becoming a member: meeting, joining, inviting, admitting.
//!
//! Every blank node is a group of its own. Two groups never merge: a node that is alone gives up its own and becomes a
//! member of the other, with the slots it was given while alone. `CLUSTER MEET` at a node that is alone joins the node
//! it names; at a member it invites that node, if it is alone, to come.
//!
//! A Join that was sent may have been committed although no answer came. So the intent is on disk before it is sent,
//! what the node agreed alone is frozen from then on, and the same Join is repeated, across restarts, until the answer
//! is definite. Joining is idempotent for one data directory.
//!
//! Two nodes that join each other at the same time refuse each other as busy; both withdraw, the one with the larger id
//! waits longer, and so becomes the member.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nuthatch_cluster::topology::{
    Address, GroupId, Joiner, Proposal, ProposalId, Role, Topology, TopologyChange,
};
use nuthatch_proto::ids::{LogIndex, NodeId};
use nuthatch_proto::rpc::{
    InviteRequest, JoinRequest, NodeAddress, ProbeRequest, ProbeResponse, invite_response, join_response,
};
use tokio::time::{sleep, timeout};

use super::propose::ProposeError;
use super::shared::{Event, NotTaken, Shared};
use crate::rpc::peers::{CallError, Client, PeerAddress};

/// How long CLUSTER MEET may take.
const MEET_DEADLINE: Duration = Duration::from_secs(8);

/// How long a node may take to say who it is.
const PROBE_DEADLINE: Duration = Duration::from_secs(2);

/// How long a group may take to admit a node: a little longer than its proposal.
const JOIN_DEADLINE: Duration = Duration::from_secs(6);

/// How long the invited node may take, its own Join included.
const INVITE_DEADLINE: Duration = Duration::from_secs(7);

/// How long to wait before a Join whose fate is unknown is repeated.
const RESUME_PAUSE: Duration = Duration::from_millis(500);

/// The reason of whoever ran out of time.
const LATE: &str = "no answer in time";

/// Why a node did not become a member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JoinError {
    /// It may not: the error for the client.
    #[error("{0}")]
    Refused(String),
    /// The other node is about to join a group itself.
    #[error("the node is about to join another one")]
    Busy,
    /// It may have, or may yet: why there was no answer, to be put behind a colon.
    #[error("{0}")]
    Unknown(String),
}

/// Why CLUSTER MEET failed. `Display` is the error for the client, its code first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeetError {
    /// Nobody is there; why.
    #[error("ERR No node answers at {0}: {1}")]
    Unreachable(String, String),
    /// It has another cluster secret.
    #[error("ERR The node at {0} has another cluster-secret")]
    OtherSecret(String),
    /// Both belong to groups with other members.
    #[error(
        "ERR The node at {0} is a member of another cluster of {1} nodes. Only a node that is alone can be added: \
         reset it first (CLUSTER RESET)"
    )]
    TwoClusters(String, u32),
    /// This node is still busy with an earlier one.
    #[error("ERR This node is about to join the cluster at another address. CLUSTER RESET makes it give up")]
    Joining,
    /// The group refuses the node.
    #[error("{0}")]
    Refused(String),
    /// This node is about to join the other's cluster; why it has not yet.
    #[error("CLUSTERDOWN This node has not joined the cluster at {0} yet and goes on trying: {1}")]
    NotYet(String, String),
    /// Whether it is done is not known; why.
    #[error("CLUSTERDOWN It is not known whether the node at {0} and this one have met: {1}")]
    Unknown(String, String),
}

impl MeetError {
    /// The sentence without the error's code, for the log.
    pub(crate) fn sentence(&self) -> String {
        without_code(&self.to_string()).to_owned()
    }
}

/// An error for a client without its code.
fn without_code(text: &str) -> &str {
    let is_code = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase());
    text.split_once(' ').filter(|(code, _)| is_code(code)).map_or(text, |(_, sentence)| sentence)
}

impl Shared {
    /// What `CLUSTER MEET` does: afterwards both nodes are members of one group, and this node has applied it.
    pub(crate) async fn meet(self: &Arc<Self>, target: &PeerAddress) -> Result<(), MeetError> {
        let unknown = |reason: String| match self.view().joining {
            true => MeetError::NotYet(target.to_string(), reason),
            false => MeetError::Unknown(target.to_string(), reason),
        };
        let met = async {
            let _turn = self.membership.lock().await;
            loop {
                match self.meet_once(target).await {
                    Err(JoinError::Busy) => {}
                    Ok(outcome) => return outcome,
                    Err(JoinError::Refused(text)) => return Err(MeetError::Refused(text)),
                    Err(JoinError::Unknown(reason)) => return Err(unknown(reason)),
                }
            }
        };
        timeout(MEET_DEADLINE, met).await.unwrap_or_else(|_| Err(unknown(LATE.to_owned())))
    }

    async fn meet_once(self: &Arc<Self>, target: &PeerAddress) -> Result<Result<(), MeetError>, JoinError> {
        let probe = match self.probe(target).await {
            Ok(probe) => probe,
            Err(error) if error.is_unauthenticated() => {
                return Ok(Err(MeetError::OtherSecret(target.to_string())));
            }
            Err(error) => return Ok(Err(MeetError::Unreachable(target.to_string(), error.cause()))),
        };
        let view = self.view();
        if view.joining {
            return Ok(Err(MeetError::Joining));
        }
        if probe.node_id[..] == view.me.0 || probe.group_id[..] == view.topology.group().0 {
            return Ok(Ok(()));
        }
        if view.is_alone() {
            let joined = self.join(target).await;
            if joined == Err(JoinError::Busy) {
                sleep(patience(view.me, &probe.node_id)).await;
            }
            return joined.map(Ok);
        }
        if probe.known_nodes > 1 {
            return Ok(Err(MeetError::TwoClusters(target.to_string(), probe.known_nodes)));
        }
        self.invite(target).await.map(Ok)
    }

    /// Asks who is at that address.
    pub(crate) async fn probe(&self, target: &PeerAddress) -> Result<ProbeResponse, CallError> {
        let request = ProbeRequest { node_id: self.view().me.0.to_vec().into() };
        let call = |mut client: Client| async move { client.probe(request).await };
        self.peers.call(target, PROBE_DEADLINE, call).await
    }

    /// Joins the group of the node at that address, if this node is alone. A Join whose fate is unknown is carried on
    /// with in the background.
    pub(crate) async fn join(self: &Arc<Self>, target: &PeerAddress) -> Result<(), JoinError> {
        let joined = self.join_once(target).await;
        if matches!(joined, Err(JoinError::Unknown(_))) {
            self.resume_join(target.clone());
        }
        joined
    }

    /// Repeats a Join until its fate is known.
    pub(crate) fn resume_join(self: &Arc<Self>, target: PeerAddress) {
        let shared = Arc::clone(self);
        self.runtime.spawn(async move {
            while shared.view().joining {
                sleep(RESUME_PAUSE).await;
                match shared.join_once(&target).await {
                    Ok(()) => tracing::info!("joined the cluster at {target}"),
                    Err(JoinError::Refused(text)) => {
                        tracing::warn!("not joined at {target}: {}", without_code(&text));
                    }
                    Err(JoinError::Busy) => {}
                    Err(JoinError::Unknown(reason)) => tracing::warn!("not yet joined at {target}: {reason}"),
                }
            }
        });
    }

    async fn join_once(&self, target: &PeerAddress) -> Result<(), JoinError> {
        let address = self.own_address(resolve(target).await);
        let begun = self.ask(|answer| Event::BeginJoin(target.to_string(), address, answer)).await;
        let joiner = match begun.and_then(|begun| begun) {
            Ok(joiner) => joiner,
            Err(
                NotTaken::NotAlone
                | NotTaken::Full
                | NotTaken::Joining
                | NotTaken::NotLeader
                | NotTaken::TooLong,
            ) => {
                return Err(JoinError::Busy);
            }
            Err(NotTaken::Stopped) => return Err(JoinError::Unknown(NotTaken::Stopped.to_string())),
        };
        let outcome = self.ask_to_join(target, joiner).await;
        match outcome {
            Ok(topology) => {
                // The answer is as good as the first topology of a stream.
                self.follows.store(true, Ordering::Relaxed);
                let taken = self.ask(|done| Event::Joined(Box::new(topology), done)).await;
                taken.map_err(|error| JoinError::Unknown(error.to_string()))
            }
            Err(error @ JoinError::Unknown(_)) => Err(error),
            Err(error @ (JoinError::Refused(_) | JoinError::Busy)) => {
                let _ = self.ask(Event::AbandonJoin).await;
                Err(error)
            }
        }
    }

    async fn ask_to_join(&self, target: &PeerAddress, joiner: Joiner) -> Result<Topology, JoinError> {
        let (me, storage) = (joiner.id, joiner.storage);
        let changes = vec![TopologyChange::Join { joiner, role: Role::Watcher }];
        // Only the change is read: the member that admits the node proposes it under a number of its own.
        let proposal = Proposal { id: ProposalId { node: me, seq: 0 }, changes };
        let request = JoinRequest { proposal: proposal.encode().into() };
        let call = |mut client: Client| async move { client.join(request).await };
        let response = match self.peers.call(target, JOIN_DEADLINE, call).await {
            Ok(response) => response,
            Err(error) if error.is_unauthenticated() => {
                return Err(JoinError::Refused(MeetError::OtherSecret(target.to_string()).to_string()));
            }
            Err(error) => return Err(JoinError::Unknown(error.cause())),
        };
        match response.outcome {
            Some(join_response::Outcome::Topology(bytes)) => {
                let unusable = |what: String| JoinError::Unknown(format!("it answered with {what}"));
                let topology = Topology::decode(&bytes).map_err(|error| unusable(error.to_string()))?;
                match topology.node(me) {
                    Some(node) if node.storage == storage => Ok(topology),
                    Some(_) | None => Err(unusable("a topology without this node".to_owned())),
                }
            }
            Some(join_response::Outcome::Refused(text)) => Err(JoinError::Refused(text)),
            Some(join_response::Outcome::Busy(_)) => Err(JoinError::Busy),
            Some(join_response::Outcome::Unavailable(reason)) => Err(JoinError::Unknown(reason)),
            None => Err(JoinError::Unknown("an empty answer".to_owned())),
        }
    }

    /// Invites the node at that address, which is alone, to join this node's group.
    async fn invite(&self, target: &PeerAddress) -> Result<(), JoinError> {
        let address = self.own_address(resolve(target).await);
        let request = InviteRequest {
            group_id: self.view().topology.group().0.to_vec().into(),
            address: Some(NodeAddress { host: address.host, cluster_port: address.bus_port.into() }),
        };
        let call = |mut client: Client| async move { client.invite(request).await };
        let response = self.peers.call(target, INVITE_DEADLINE, call).await;
        match response.map_err(|error| JoinError::Unknown(error.cause()))?.outcome {
            Some(invite_response::Outcome::Joined(index)) => {
                self.await_applied(LogIndex(index)).await;
                Ok(())
            }
            Some(invite_response::Outcome::Refused(text)) => Err(JoinError::Refused(text)),
            Some(invite_response::Outcome::Unavailable(reason)) => Err(JoinError::Unknown(reason)),
            None => Err(JoinError::Unknown("an empty answer".to_owned())),
        }
    }

    /// Follows the invitation of a member of that group.
    pub(crate) async fn accept_invitation(
        self: &Arc<Self>,
        group: GroupId,
        inviter: PeerAddress,
    ) -> Result<LogIndex, JoinError> {
        let _turn = self.membership.lock().await;
        let view = self.view();
        if view.topology.group() != group {
            if !view.is_alone() {
                let count = u32::try_from(view.topology.nodes().len()).unwrap_or(u32::MAX);
                // Who invites is reached from here, so it may know this node by the address on that side.
                let here = PeerAddress::from(&self.own_address(resolve(&inviter).await));
                let refusal = MeetError::TwoClusters(here.to_string(), count);
                return Err(JoinError::Refused(refusal.to_string()));
            }
            self.join(&inviter).await?;
        }
        Ok(self.view().topology.applied())
    }

    /// Makes that node a member of this node's group. `met_at`: the local address that the node reached us at.
    pub(crate) async fn admit(
        &self,
        joiner: &Joiner,
        met_at: Option<IpAddr>,
    ) -> Result<Arc<Topology>, JoinError> {
        let view = self.view();
        if view.joining {
            return Err(JoinError::Busy);
        }
        let mut changes = Vec::new();
        if let Some(address) = met_at.and_then(|ip| self.better_address(ip)) {
            let (node, storage, process) = (view.me, view.storage, view.process);
            changes.push(TopologyChange::Register { node, storage, process, address });
        }
        changes.push(TopologyChange::Join { joiner: joiner.clone(), role: Role::Watcher });
        match self.propose(changes).await {
            Ok(_) => Ok(Arc::clone(&self.view().topology)),
            Err(ProposeError::Rejected(text)) => Err(JoinError::Refused(text)),
            Err(
                error @ (ProposeError::Unavailable
                | ProposeError::OtherGroup
                | ProposeError::Busy
                | ProposeError::NoSuccessor
                | ProposeError::StillVoter),
            ) => Err(JoinError::Unknown(without_code(&error.to_string()).to_owned())),
        }
    }

    /// The address of this node, if it did not know a better one than the loopback until somebody met it elsewhere.
    fn better_address(&self, met_at: IpAddr) -> Option<Address> {
        let view = self.view();
        let known = &view.topology.node(view.me)?.address;
        let is_loopback = known.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let better = self.announce.host.is_none() && is_loopback && !met_at.is_loopback();
        better.then(|| self.announce.address(|| met_at.to_canonical().to_string()))
    }
}

/// How long to wait before meeting a busy node again.
fn patience(me: NodeId, other: &[u8]) -> Duration {
    Duration::from_millis(if me.0[..] < *other { 300 } else { 20 })
}

async fn resolve(peer: &PeerAddress) -> Option<IpAddr> {
    if let Ok(ip) = peer.host.parse() {
        return Some(ip);
    }
    let found = tokio::net::lookup_host((peer.host.as_str(), peer.port)).await;
    found.ok()?.next().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: MeetError, expected: &str) {
        assert_eq!(error.to_string(), expected);
        let (_, sentence) = expected.split_once(' ').expect("a code and a sentence");
        assert_eq!(error.sentence(), sentence);
        assert_eq!(without_code(sentence), sentence, "there is one code");
    }

    #[test]
    fn each_error_is_a_code_and_one_sentence() {
        let at = || "10.0.0.9:17001".to_owned();
        let late = || LATE.to_owned();
        check(
            MeetError::Unreachable(at(), late()),
            "ERR No node answers at 10.0.0.9:17001: no answer in time",
        );
        check(MeetError::OtherSecret(at()), "ERR The node at 10.0.0.9:17001 has another cluster-secret");
        check(
            MeetError::TwoClusters(at(), 3),
            "ERR The node at 10.0.0.9:17001 is a member of another cluster of 3 nodes. Only a node that is alone can be \
             added: reset it first (CLUSTER RESET)",
        );
        check(
            MeetError::NotYet(at(), late()),
            "CLUSTERDOWN This node has not joined the cluster at 10.0.0.9:17001 yet and goes on trying: no answer in time",
        );
        check(
            MeetError::Unknown(at(), late()),
            "CLUSTERDOWN It is not known whether the node at 10.0.0.9:17001 and this one have met: no answer in time",
        );
        check(MeetError::Refused("ERR Slot 5 is already busy".to_owned()), "ERR Slot 5 is already busy");
    }
}
