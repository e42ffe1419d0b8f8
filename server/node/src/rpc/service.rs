//! What this node answers to the other nodes: tonic in, on the cluster port.
//!
//! Each call becomes a question to the drivers ([`Shared`]); nothing is decided here. What arrives is checked for its
//! form only: an id of the wrong length or bytes that are no topology end the call with `invalid argument`, another
//! group's with `failed precondition`.
//!
//! Invariants: a message is at most [`MESSAGE_MAX`] long; connections are bounded in number, and so are the calls
//! under way on each; every call but Watch and Replicate ends within [`CALL_DEADLINE`]; a Watch ends when this node has had no leader for a while, so that a
//! follower does not stay with a node that is cut off itself.
//!
//! Neighbours: `driver` answers, `secret` stands before.

use std::sync::Arc;
use std::time::Duration;

use nuthatch_cluster::topology::{GroupId, Outcome, Proposal, TopologyChange};
use nuthatch_proto::ids::NodeId;
use nuthatch_proto::rpc::cluster_server::{Cluster, ClusterServer};
use nuthatch_proto::rpc::{
    BeatRequest, BeatResponse, FenceRequest, FenceResponse, InviteRequest, InviteResponse, JoinRequest,
    JoinResponse, PrimaryFrame, ProbeRequest, ProbeResponse, ProposeRequest, ProposeResponse, PublishRequest,
    PublishResponse, PublishedMessage, RaftRequest, RaftResponse, ReplicaFrame, SuspectRequest,
    SuspectResponse, WatchRequest, WatchResponse, invite_response, join_response, propose_response,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use super::callers::Caller;
use super::peers::{MESSAGE_MAX, PeerAddress};
use super::secret::{Demand, Secret};
use super::{incoming, replicate};
use crate::driver::follow;
use crate::driver::join::JoinError;
use crate::driver::shared::Shared;
use crate::replication::{self, wire};

/// How long a call may take that this node answers.
const CALL_DEADLINE: Duration = Duration::from_secs(10);

/// How many calls of one connection are under way at once; further ones wait.
const CALLS_PER_CONNECTION: u32 = 64;

/// How many Raft messages are read from one call.
const RAFT_MESSAGES_MAX: usize = 1024;

/// How often a proposal is forwarded: to the leader, and once more if that has just changed.
const HOPS_MAX: u32 = 2;

/// Serves on these sockets until the process ends.
pub(crate) async fn serve(sockets: Vec<TcpListener>, secret: Secret, shared: Arc<Shared>) {
    let incoming = incoming::accept(sockets, &shared.callers);
    let service = ClusterServer::new(Service { shared })
        .max_decoding_message_size(MESSAGE_MAX)
        .max_encoding_message_size(MESSAGE_MAX);
    let server = Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(5)))
        .http2_keepalive_timeout(Some(Duration::from_secs(5)))
        .max_concurrent_streams(CALLS_PER_CONNECTION)
        .add_service(InterceptedService::new(service, Demand::new(secret)));
    if let Err(error) = server.serve_with_incoming(incoming).await {
        tracing::error!("the cluster port is served no more: {error}");
    }
}

struct Service {
    shared: Arc<Shared>,
}

#[tonic::async_trait]
impl Cluster for Service {
    async fn probe(&self, request: Request<ProbeRequest>) -> Result<Response<ProbeResponse>, Status> {
        let caller = request.extensions().get::<Arc<Caller>>();
        if let (Some(caller), Ok(node)) = (caller, request.get_ref().node_id[..].try_into()) {
            caller.introduce(NodeId(node));
        }
        let view = self.shared.view();
        Ok(Response::new(ProbeResponse {
            node_id: view.me.0.to_vec().into(),
            group_id: view.topology.group().0.to_vec().into(),
            known_nodes: u32::try_from(view.topology.nodes().len()).unwrap_or(u32::MAX),
            will_join: self.shared.will_join(),
        }))
    }

    async fn raft(&self, request: Request<RaftRequest>) -> Result<Response<RaftResponse>, Status> {
        let RaftRequest { sender, messages } = request.into_inner();
        if messages.len() > RAFT_MESSAGES_MAX {
            return Err(Status::invalid_argument("too many messages"));
        }
        let sender = sender.and_then(|sender| {
            let port = u16::try_from(sender.cluster_port).ok().filter(|&port| port != 0)?;
            (!sender.host.is_empty()).then(|| PeerAddress::new(sender.host, port))
        });
        self.shared
            .receive_raft(sender, messages)
            .map_err(|full| Status::resource_exhausted(full.to_string()))?;
        Ok(Response::new(RaftResponse {}))
    }

    async fn propose(&self, request: Request<ProposeRequest>) -> Result<Response<ProposeResponse>, Status> {
        let request = request.into_inner();
        self.same_group(&request.group_id)?;
        let proposal = decode_proposal(&request.proposal)?;
        if request.hops > HOPS_MAX {
            return Err(Status::unavailable("the leader is not known here"));
        }
        let submitted = self.shared.submit(&proposal, request.hops);
        let outcome = match tokio::time::timeout(CALL_DEADLINE, submitted).await {
            Ok(Ok(Outcome::Applied(index))) => propose_response::Outcome::Applied(index.0),
            Ok(Ok(Outcome::Rejected { index, error })) => {
                propose_response::Outcome::Rejected(nuthatch_proto::rpc::Rejection { index: index.0, error })
            }
            Ok(Err(unavailable)) => propose_response::Outcome::Unavailable(unavailable.to_string()),
            Err(_elapsed) => propose_response::Outcome::Unavailable("no answer in time".to_owned()),
        };
        Ok(Response::new(ProposeResponse { outcome: Some(outcome) }))
    }

    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        let met_at = request.extensions().get::<Arc<Caller>>().and_then(|caller| caller.local);
        let proposal = decode_proposal(&request.into_inner().proposal)?;
        let [TopologyChange::Join { joiner, .. }] = &proposal.changes[..] else {
            return Err(Status::invalid_argument("not the proposal of one Join"));
        };
        let outcome = match self.shared.admit(joiner, met_at.map(|address| address.ip())).await {
            Ok(topology) => join_response::Outcome::Topology(topology.encode().into()),
            Err(JoinError::Refused(text)) => join_response::Outcome::Refused(text),
            Err(JoinError::Busy) => join_response::Outcome::Busy("about to join another group".to_owned()),
            Err(JoinError::Unknown(reason)) => join_response::Outcome::Unavailable(reason),
        };
        Ok(Response::new(JoinResponse { outcome: Some(outcome) }))
    }

    async fn invite(&self, request: Request<InviteRequest>) -> Result<Response<InviteResponse>, Status> {
        let InviteRequest { group_id, address } = request.into_inner();
        let group = decode_group(&group_id)?;
        let port =
            address.as_ref().and_then(|a| u16::try_from(a.cluster_port).ok()).filter(|&port| port != 0);
        let (Some(address), Some(port)) = (address, port) else {
            return Err(Status::invalid_argument("an invitation without an address"));
        };
        let outcome = match self.shared.accept_invitation(group, PeerAddress::new(address.host, port)).await {
            Ok(index) => invite_response::Outcome::Joined(index.0),
            Err(JoinError::Refused(text)) => invite_response::Outcome::Refused(text),
            Err(JoinError::Busy) => {
                invite_response::Outcome::Unavailable("both are about to join".to_owned())
            }
            Err(JoinError::Unknown(reason)) => invite_response::Outcome::Unavailable(reason),
        };
        Ok(Response::new(InviteResponse { outcome: Some(outcome) }))
    }

    async fn publish(&self, request: Request<PublishRequest>) -> Result<Response<PublishResponse>, Status> {
        let PublishRequest { group_id, messages } = request.into_inner();
        self.same_group(&group_id)?;
        for PublishedMessage { channel, message } in messages {
            self.shared.pubsub.publish(&channel, &message);
        }
        Ok(Response::new(PublishResponse {}))
    }

    type ReplicateStream = ReceiverStream<Result<PrimaryFrame, Status>>;

    async fn replicate(
        &self,
        request: Request<Streaming<ReplicaFrame>>,
    ) -> Result<Response<Self::ReplicateStream>, Status> {
        Ok(Response::new(replicate::answer(&self.shared, request.into_inner()).await?))
    }

    async fn beat(&self, request: Request<BeatRequest>) -> Result<Response<BeatResponse>, Status> {
        let BeatRequest { group_id, node } = request.into_inner();
        self.same_group(&group_id)?;
        let node = wire::node(&node).map_err(unsound)?;
        self.shared.replication.tell(replication::Event::Heard(node)).await;
        Ok(Response::new(BeatResponse {}))
    }

    async fn suspect(&self, request: Request<SuspectRequest>) -> Result<Response<SuspectResponse>, Status> {
        let request = request.into_inner();
        self.same_group(&request.group_id)?;
        let (shard, suspect) = wire::suspect(request).map_err(unsound)?;
        self.shared.replication.tell(replication::Event::Suspected(shard, suspect)).await;
        Ok(Response::new(SuspectResponse {}))
    }

    async fn fence(&self, request: Request<FenceRequest>) -> Result<Response<FenceResponse>, Status> {
        let request = request.into_inner();
        self.same_group(&request.group_id)?;
        let (shard, fence) = wire::fence(request).map_err(unsound)?;
        let answer = self.shared.replication.fence(shard, fence).await;
        Ok(Response::new(FenceResponse { answer: answer.map(wire::fence_answer_out) }))
    }

    type WatchStream = ReceiverStream<Result<WatchResponse, Status>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let WatchRequest { group_id, after } = request.into_inner();
        self.same_group(&group_id)?;
        Ok(Response::new(follow::lead(&self.shared, after)))
    }
}

impl Service {
    fn same_group(&self, group_id: &[u8]) -> Result<(), Status> {
        if decode_group(group_id)? == self.shared.view().topology.group() {
            return Ok(());
        }
        Err(Status::failed_precondition("this node belongs to another metadata group"))
    }
}

fn unsound(error: wire::Unsound) -> Status {
    Status::invalid_argument(error.to_string())
}

fn decode_group(bytes: &[u8]) -> Result<GroupId, Status> {
    bytes.try_into().map(GroupId).map_err(|_| Status::invalid_argument("a group id has 16 bytes"))
}

fn decode_proposal(bytes: &[u8]) -> Result<Proposal, Status> {
    Proposal::decode(bytes).map_err(|error| Status::invalid_argument(error.to_string()))
}
