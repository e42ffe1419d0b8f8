//! What a blocked connection has: its wait in the engine, and the letterbox that the end of the wait is put into.
//!
//! The letterbox is filled once, by whichever thread ends the wait, under the locks of slots: so it only keeps the
//! outcome and wakes the connection's task.

use std::sync::Arc;

use nuthatch_engine::{Mailbox, Outcome, Wait};
use parking_lot::Mutex;

use super::clients::Client;

/// What a client is told whose wait was ended by CLIENT UNBLOCK with ERROR.
pub(crate) const UNBLOCKED: &str = "UNBLOCKED client unblocked via CLIENT UNBLOCK";

/// A wait that has begun.
#[derive(Debug)]
pub(crate) struct Blocked {
    /// The engine's side of it.
    pub(crate) wait: Wait,
    /// Where its end is heard of.
    pub(crate) letterbox: Arc<Letterbox>,
    /// How many nanoseconds the command took to find that it must wait.
    pub(crate) took: u64,
}

/// Where one wait's end is heard of.
#[derive(Debug)]
pub(crate) struct Letterbox {
    client: Arc<Client>,
    outcome: Mutex<Option<Outcome>>,
}

impl Letterbox {
    /// An empty one.
    pub(crate) fn new(client: Arc<Client>) -> Self {
        Self { client, outcome: Mutex::new(None) }
    }

    /// The outcome, once.
    pub(crate) fn take(&self) -> Option<Outcome> {
        self.outcome.lock().take()
    }
}

impl Mailbox for Letterbox {
    fn deliver(&self, outcome: Outcome) {
        *self.outcome.lock() = Some(outcome);
        self.client.wake();
    }

    fn is_open(&self) -> bool {
        !self.client.is_killed()
    }
}
