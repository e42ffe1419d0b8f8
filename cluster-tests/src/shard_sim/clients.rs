//! Clients: each has one operation at a time, on a key of its choice, at whom it takes for the primary.
//!
//! A client is attached to all nodes, whatever the network between nodes is; some keep to one node whatever they are told,
//! which is the client that a primary cut off from its peers must not lie to. An operation that is not answered in time
//! has an unknown outcome; what is tried again is a new operation.

use super::NODES;
use super::history::Value;
use crate::sim::random::Random;

/// How many keys there are; the last is written to with `async`, the others with `insync`.
pub const KEYS: usize = 4;
/// The key of `async` writes.
pub const ASYNC_KEY: usize = KEYS - 1;
/// After how long an operation counts as unknown.
pub const TIMEOUT_MS: u64 = 700;

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Set the key to a value.
    Write(Value),
    /// What is the key's value?
    Read,
}

/// Who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asker {
    /// The client.
    pub client: usize,
    /// Its operation.
    pub attempt: u64,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The write is done.
    Done,
    /// The value that was read, and the place of its write in the log.
    Value(Value, u64),
    /// Not here, not now: nothing has happened, or will.
    Refused,
    /// `-UNCERTAIN`: perhaps it is done.
    Uncertain,
}

/// An operation that is under way.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// On which key.
    pub key: usize,
    /// What.
    pub ask: Ask,
    /// The event with which it began.
    pub began: u64,
    /// Where the key's last committed write was in the log at that time.
    pub floor: u64,
}

/// A client.
#[derive(Debug)]
pub struct Client {
    /// Whom it asks.
    pub target: usize,
    /// It never asks anybody else.
    pub pinned: bool,
    /// Its operation.
    pub operation: Option<Operation>,
    /// Counts its operations.
    pub attempt: u64,
    /// Chance in a thousand that it writes to or reads the key of `async` writes. These wait for nobody, so with many of
    /// them a replica falls behind.
    pub async_permille: u64,
    think_ms: u64,
}

impl Client {
    /// A client without an operation.
    pub fn draw(random: &mut Random) -> Self {
        let think_ms = [3, 10, 40][random.below(3)];
        let pinned = random.chance(200);
        let async_permille = [250, 250, 900][random.below(3)];
        Self { target: random.below(NODES), pinned, operation: None, attempt: 0, async_permille, think_ms }
    }

    /// How long it thinks before the next operation.
    pub fn pause_ms(&self, random: &mut Random) -> u64 {
        1 + random.within(0..2 * self.think_ms)
    }

    /// It was refused: it asks somebody else.
    pub fn turn(&mut self, random: &mut Random) {
        if !self.pinned {
            self.target = random.below(NODES);
        }
    }
}
