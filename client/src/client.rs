//! The client itself: a handle to share, one call that follows redirections, and typed commands on top of it.
//!
//! Here the pieces meet, and only here: a request is made ready (`request.rs`), its node is looked up (`topology.rs`), it
//! goes through that node's queue (`connection.rs`), and what comes back decides what is next (`router.rs`) until it is
//! an answer or the deadline is near. All of it runs on the caller's own task; nothing is handed to a central one.

pub(crate) mod builder;
mod commands;
pub(crate) mod pipeline;

use std::sync::Arc;

use nuthatch_proto::resp::Frame;
use tokio::time::{Instant, sleep_until};

use crate::connection::{Failure, Node};
use crate::error::{Effect, Error, ErrorKind};
use crate::request::Request;
use crate::router::{Course, Step};
use crate::topology::{Cluster, address_from};
use builder::Builder;
use pipeline::Pipeline;

/// A handle to a cluster, or to a single server. Clones share everything; calls need no `&mut`.
///
/// A call that is dropped before its request was written is not sent; later it may run all the same.
#[derive(Clone)]
pub struct Client {
    cluster: Arc<Cluster>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("nodes", &self.nodes()).finish_non_exhaustive()
    }
}

impl Client {
    /// Sets up a client that learns the cluster from any of these nodes (`host:port`).
    pub fn builder<S: AsRef<str>>(seeds: impl IntoIterator<Item = S>) -> Builder {
        Builder::new(seeds.into_iter().map(|seed| seed.as_ref().into()).collect())
    }

    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster }
    }

    /// Runs any command, its name first, at the owner of its first key, or at any node if it has none. An error reply
    /// is an [`Error`].
    ///
    /// Commands that change the connection (`SELECT`, `MULTI`, `SUBSCRIBE`...) are refused: others use it too.
    pub async fn command(&self, arguments: &[impl AsRef<[u8]>]) -> Result<Frame, Error> {
        let request = Request::new(arguments)?;
        let deadline = self.deadline();
        let node = self.cluster.target(request.slot);
        let outcome = node.call(request.bytes.clone(), 1, deadline).await.into_last();
        self.settle(&request, node, outcome, deadline).await
    }

    /// Runs a command at that node, known or not, and follows no redirection.
    pub async fn command_at(&self, address: &str, arguments: &[impl AsRef<[u8]>]) -> Result<Frame, Error> {
        let request = Request::new(arguments)?;
        let node = self.cluster.node(address);
        let outcome = node.call(request.bytes.clone(), 1, self.deadline()).await.into_last();
        conclude(&request, &node, outcome)
    }

    /// The addresses of the nodes that own slots, as far as is known.
    pub fn nodes(&self) -> Vec<String> {
        self.cluster.nodes().iter().map(|node| node.address().to_string()).collect()
    }

    /// Collects commands that are sent together; see [`Pipeline`].
    pub fn pipeline(&self) -> Pipeline {
        Pipeline::new(self.clone())
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.cluster.options.deadline
    }

    /// Follows a request from its first outcome, which `node` gave, to its end.
    async fn settle(
        &self,
        request: &Request,
        mut node: Arc<Node>,
        mut outcome: Result<Frame, Failure>,
        deadline: Instant,
    ) -> Result<Frame, Error> {
        let mut course = Course::default();
        loop {
            let step = match &outcome {
                Ok(reply) => course.after_reply(reply),
                Err(failure) if failure.kind.is_final() => Step::Done,
                Err(failure) => course.after_failure(failure.unsent, request.repeatable),
            };
            (node, outcome) = match step {
                Step::Done => return conclude(request, &node, outcome),
                Step::GiveUp => return Err(led_nowhere(request, &node, &outcome)),
                Step::Follow { endpoint, moved } => {
                    let address = address_from(&endpoint, &node);
                    let next = self.cluster.node(&address);
                    let exchange = match moved {
                        Some(slot) => {
                            self.cluster.moved(slot, &address);
                            next.call(request.bytes.clone(), 1, deadline).await
                        }
                        None => next.call(request.asking(), 2, deadline).await,
                    };
                    (next, exchange.into_last())
                }
                Step::Again { pause } => {
                    self.cluster.suspect();
                    let resume = Instant::now() + pause;
                    if resume >= deadline {
                        return conclude(request, &node, outcome);
                    }
                    if !pause.is_zero() {
                        sleep_until(resume).await;
                    }
                    let next = self.cluster.target(request.slot);
                    let exchange = next.call(request.bytes.clone(), 1, deadline).await;
                    (next, exchange.into_last())
                }
            };
        }
    }
}

/// The end of a request: its reply, or an error that says what became of it.
fn conclude(request: &Request, node: &Node, outcome: Result<Frame, Failure>) -> Result<Frame, Error> {
    let (kind, effect) = match outcome {
        Ok(Frame::Error(text)) => (ErrorKind::Server(text), Effect::Rejected),
        Ok(reply) => return Ok(reply),
        Err(Failure { kind, unsent: true }) => (kind, Effect::NotSent),
        Err(Failure { kind, unsent: false }) => (kind, Effect::Unknown),
    };
    Err(Error::new(kind, effect).at(node.address(), request.slot))
}

fn led_nowhere(request: &Request, node: &Node, outcome: &Result<Frame, Failure>) -> Error {
    let last = outcome.as_ref().ok().and_then(Frame::as_error).unwrap_or_default();
    let kind = ErrorKind::TooManyRedirections(last.to_owned());
    Error::new(kind, Effect::Rejected).at(node.address(), request.slot)
}
