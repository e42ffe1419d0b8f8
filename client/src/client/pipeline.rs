//! Commands that are sent together: to each node its own in one piece, all nodes at once.
//!
//! The first round goes out in groups; whatever comes back without being an answer (a redirection, a lost connection)
//! is then followed command by command, in order, exactly as a single call would be. So a pipeline over a cluster that
//! changes is slower, but never wrong about which reply belongs to which command, or about what may have run.

use bytes::Bytes;
use nuthatch_proto::resp::Frame;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Client;
use crate::connection::{Exchange, Failure, Node};
use crate::error::{Error, ErrorKind};
use crate::request::Request;

/// Commands that are sent together; see [`Client::pipeline`].
///
/// The results stand in the order of the commands. Commands on the same slot run in that order, unless the slot is
/// moving to another node just then; commands on different slots run in any order.
#[derive(Debug)]
#[must_use = "a pipeline does nothing until it is run"]
pub struct Pipeline {
    client: Client,
    requests: Vec<Result<Request, Error>>,
}

/// The commands for one node.
struct Group {
    node: Arc<Node>,
    /// Which commands they are.
    members: Vec<usize>,
    bytes: Vec<u8>,
}

impl Pipeline {
    pub(super) fn new(client: Client) -> Self {
        Self { client, requests: Vec::new() }
    }

    /// Adds a command, its name first. One that cannot be sent gets its error in the results.
    pub fn command(&mut self, arguments: &[impl AsRef<[u8]>]) -> &mut Self {
        self.requests.push(Request::new(arguments));
        self
    }

    /// Sends all commands and collects their results, in order, before one common deadline.
    pub async fn run(self) -> Vec<Result<Frame, Error>> {
        let Self { client, requests } = self;
        let deadline = client.deadline();
        let groups = grouped(&client, &requests);
        let mut outcomes = exchange(&groups, requests.len(), deadline).await;
        let mut results = Vec::with_capacity(requests.len());
        for (index, request) in requests.into_iter().enumerate() {
            // What was answered is settled at once; only what was not needs time.
            let result = match (request, outcomes[index].take()) {
                (Err(error), _) => Err(error),
                (Ok(request), Some((node, outcome))) => {
                    client.settle(&request, node, outcome, deadline).await
                }
                (Ok(request), None) => {
                    let node = client.cluster.target(request.slot);
                    client.settle(&request, node, Err(lost()), deadline).await
                }
            };
            results.push(result);
        }
        results
    }
}

fn grouped(client: &Client, requests: &[Result<Request, Error>]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, request) in requests.iter().enumerate() {
        let Ok(request) = request else { continue };
        let node = client.cluster.target(request.slot);
        let found = groups.iter().position(|group| Arc::ptr_eq(&group.node, &node));
        let at = found.unwrap_or_else(|| {
            groups.push(Group { node, members: Vec::new(), bytes: Vec::new() });
            groups.len() - 1
        });
        groups[at].members.push(index);
        groups[at].bytes.extend_from_slice(&request.bytes);
    }
    groups
}

type Outcome = (Arc<Node>, Result<Frame, Failure>);

/// Sends all groups at once; what came of each command.
async fn exchange(groups: &[Group], count: usize, deadline: Instant) -> Vec<Option<Outcome>> {
    let mut calls = JoinSet::new();
    for (number, group) in groups.iter().enumerate() {
        let (node, bytes) = (Arc::clone(&group.node), Bytes::copy_from_slice(&group.bytes));
        let expected = group.members.len();
        calls.spawn(async move { (number, node.call(bytes, expected, deadline).await) });
    }
    let mut outcomes: Vec<Option<Outcome>> = (0..count).map(|_| None).collect();
    while let Some(done) = calls.join_next().await {
        let Ok((number, Exchange { frames, failure })) = done else { continue };
        let group = &groups[number];
        let mut frames = frames.into_iter();
        for &member in &group.members {
            let outcome = frames.next().ok_or_else(|| failure.clone().unwrap_or_else(lost));
            outcomes[member] = Some((Arc::clone(&group.node), outcome));
        }
    }
    outcomes
}

/// What can only be said of a call whose task was dropped with its runtime.
fn lost() -> Failure {
    Failure { kind: ErrorKind::Lost("the runtime is shutting down".into()), unsent: false }
}
