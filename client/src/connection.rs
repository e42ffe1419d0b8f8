//! A node as its callers see it: a queue that ends in a connection, which is made when it is needed.
//!
//! [`Node::call`] puts a request into the node's bounded queue and waits for the replies, both until the deadline. The
//! queue belongs to a task with one connection ([`session`]); when that ends, for whatever reason, the next call starts
//! another. A node is therefore never "down" for good, and none waits for another.
//!
//! A request's fate is decided by one atomic: the task marks it as taken before it puts its bytes into the output, the
//! caller marks it as given up when its deadline passes. Whoever comes first wins, so a request that was given up in
//! time is never sent.

pub(crate) mod session;

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use nuthatch_proto::resp::Frame;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use crate::client::builder::Options;
use crate::error::ErrorKind;

/// How a call failed on its way to or from a node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    /// No server can have run it.
    pub(crate) unsent: bool,
}

/// What came of a request: its replies, fewer than expected if there is a failure.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) frames: Vec<Frame>,
    pub(crate) failure: Option<Failure>,
}

impl Exchange {
    fn failed(kind: ErrorKind, unsent: bool) -> Self {
        Self { frames: Vec::new(), failure: Some(Failure { kind, unsent }) }
    }

    /// The last reply, or why it is missing.
    pub(crate) fn into_last(mut self) -> Result<Frame, Failure> {
        match self.failure {
            Some(failure) => Err(failure),
            // A session answers in full or says why not.
            None => self.frames.pop().ok_or(Failure { kind: ErrorKind::Unsolicited, unsent: false }),
        }
    }
}

/// Who owns a request in a queue.
#[derive(Debug, Default)]
struct Claim(AtomicU8);

impl Claim {
    const WAITING: u8 = 0;
    const TAKEN: u8 = 1;
    const GIVEN_UP: u8 = 2;

    /// Settles the claim; false if the other side was faster.
    fn settle(&self, to: u8) -> bool {
        self.0.compare_exchange(Self::WAITING, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// A request on its way to a session.
#[derive(Debug)]
pub(crate) struct Envelope {
    bytes: Bytes,
    expected: usize,
    claim: Arc<Claim>,
    answer: oneshot::Sender<Exchange>,
}

impl Envelope {
    /// Takes the request for sending; false if nobody waits for it any more.
    fn take(&self) -> bool {
        !self.answer.is_closed() && self.claim.settle(Claim::TAKEN)
    }

    fn refuse(self, kind: ErrorKind) {
        // Nobody may be waiting any more, which is as well.
        let _ = self.answer.send(Exchange::failed(kind, true));
    }
}

/// One node of the cluster.
#[derive(Debug)]
pub(crate) struct Node {
    address: Arc<str>,
    options: Arc<Options>,
    lane: ArcSwapOption<mpsc::Sender<Envelope>>,
    /// Held while a lane is opened, so that there is one at a time.
    opening: Mutex<()>,
}

impl Node {
    pub(crate) fn new(address: Arc<str>, options: Arc<Options>) -> Self {
        Self { address, options, lane: ArcSwapOption::empty(), opening: Mutex::new(()) }
    }

    pub(crate) fn address(&self) -> &Arc<str> {
        &self.address
    }

    /// Sends a request that has that many replies, and waits for them.
    pub(crate) async fn call(&self, bytes: Bytes, expected: usize, deadline: Instant) -> Exchange {
        let (answer, answered) = oneshot::channel();
        let claim = Arc::new(Claim::default());
        let envelope = Envelope { bytes, expected, claim: Arc::clone(&claim), answer };
        match timeout_at(deadline, self.lane().send(envelope)).await {
            Ok(Ok(())) => {}
            Ok(Err(_closed)) => return Exchange::failed(ErrorKind::Lost("it had just ended".into()), true),
            Err(_elapsed) => return Exchange::failed(ErrorKind::Deadline, true),
        }
        match timeout_at(deadline, answered).await {
            Ok(Ok(exchange)) => exchange,
            // The session's task was dropped with its runtime.
            Ok(Err(_)) => {
                let unsent = claim.settle(Claim::GIVEN_UP);
                Exchange::failed(ErrorKind::Lost("the runtime is shutting down".into()), unsent)
            }
            Err(_elapsed) => Exchange::failed(ErrorKind::Deadline, claim.settle(Claim::GIVEN_UP)),
        }
    }

    /// The queue of the connection there is, or of one that is being made.
    fn lane(&self) -> Arc<mpsc::Sender<Envelope>> {
        let open = || self.lane.load_full().filter(|lane| !lane.is_closed());
        if let Some(lane) = open() {
            return lane;
        }
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lane) = open() {
            return lane;
        }
        let (lane, queue) = mpsc::channel(self.options.queue);
        tokio::spawn(session::run(Arc::clone(&self.address), Arc::clone(&self.options), queue));
        let lane = Arc::new(lane);
        self.lane.store(Some(Arc::clone(&lane)));
        lane
    }
}
