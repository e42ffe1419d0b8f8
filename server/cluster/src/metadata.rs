//! The metadata group: the Raft group in which the nodes agree on the topology, as one deterministic machine per node.
//!
//! [`Machine`] wraps the `raft` library. It is told what happened (a tick of the clock, a message, a wish) and says what
//! to do: send these messages, make this batch durable, then send those and hand out these events. It reads no clock,
//! draws nothing, opens nothing: the node's driver runs it on a thread of its own, and the simulator of the cluster
//! tests runs dozens of it in one.
//!
//! One round, in the only order that compiles:
//!
//! ```text
//!   input -> ready() -> Ready { messages, persist, after }
//!                         |         |        |
//!                     send now   one txn,    v
//!                                synced   persisted(after) -> Persisted { messages, events } -> send, hand out
//! ```
//!
//! What must not happen before something is durable is not reachable before it: a follower's promises, answers to
//! proposals and reads, new topologies come out of [`Machine::persisted`], whose argument comes only with the batch.
//!
//! Invariants: an applied topology is that of the same log on every node; what was answered is never lost while a
//! majority of disks lives; a proposal id is applied once; a read sees all that was answered before it; one change of
//! members at a time. `cluster-tests/tests/sim.rs` checks them under faults.
//!
//! The library panics when its own invariants break (its `fatal!`). That is a bug or a lying disk, and going on would
//! spread it: the driver aborts the process, and a restart begins from the disk. What a peer could do to that end,
//! `guard` refuses first.
//!
//! Rooms: [`record`] what is on disk, [`wire`] what crosses the network, [`membership`] who should be in the group,
//! `log` the library's view of the disk, `ready` the round, `reads` and `peers` what a leader keeps in mind.

mod election;
mod guard;
mod log;
mod machine;
pub mod membership;
mod peers;
mod reads;
mod ready;
pub mod record;
pub mod wire;

pub use guard::Implausible;
pub use machine::{
    Leadership, Machine, ProposeError, ReadError, StartError, Status, StepError, TransferError,
};
pub use reads::ReadId;
pub use ready::{AfterPersist, Event, Persisted, Ready};
pub use record::{PersistBatch, RecoverError, Restored, ValueKey};

use crate::topology::RaftId;

/// How long a tick is meant to last, in milliseconds. With it, an election begins 0.5 to 1 s after a leader is gone.
pub const TICK_MS: u64 = 50;
/// Ticks between a leader's heartbeats.
pub const HEARTBEAT_TICKS: usize = 2;
/// Ticks without a leader after which a follower may stand for election, and for which a leader goes on without hearing
/// from a majority. Each waits up to twice as long, see `election`.
pub const ELECTION_TICKS: usize = 10;
/// How many ticks a driver may make up for at once after it was stopped (SIGSTOP, a suspended machine). Time that passed
/// unseen must not look like a leader that was silent for all of it.
pub const CATCH_UP_TICKS_MAX: u64 = ELECTION_TICKS as u64;
/// The longest proposal, encoded. A transaction of the largest number of changes is below it.
pub const PROPOSAL_BYTES_MAX: usize = 1024 * 1024;

/// What a machine is told about its surroundings.
#[derive(Debug, Clone, Copy)]
pub struct MetadataConfig {
    /// Decides election timeouts: different on each node, the same for the same run of a simulation.
    pub seed: u64,
    /// Ticks of silence after which a member counts as dead and may be replaced as a voter by another node. Long: a
    /// restart is no reason to move a voter.
    pub dead_after_ticks: u64,
}

impl MetadataConfig {
    /// Thirty seconds until a silent voter may be replaced.
    pub fn with_seed(seed: u64) -> Self {
        Self { seed, dead_after_ticks: 30_000 / TICK_MS }
    }
}
