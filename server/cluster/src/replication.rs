//! Replication of one shard, as deterministic machines: who may serve it, up to where it is committed, and who follows.
//!
//! The protocol is of PacificA's kind. The metadata group names the primary and the in-sync set, each by one life of one
//! node, under an epoch that rises with every primary. A write is committed when every member of the in-sync set holds
//! it; so any member may become the next primary, and none that is not one. Clocks protect reads only (`timing`).
//!
//! [`Member`] is a node's part in a shard: told of time, views of the metadata, messages and the log's end, it says what
//! to send, what to apply and what to propose. [`Failover`] is the metadata leader's part. Both deal in positions and
//! never see an effect; commit advances in one pass over the members, however many effects a batch had. Effects, sockets
//! and replies are the node's.
//!
//! ```text
//!   client -> engine -> log end --> Member (primary) --Append--> Member (replica) -> engine
//!                 ^                    |        ^                    |   |
//!     replies <---+---- Committed -----+        +-------- Ack -------+   +--Suspect--> Failover
//!                                      +-- Shrink, Grow --> metadata <---- Promote -------+
//! ```
//!
//! Invariants: at most one life commits in an epoch; every committed write is on every member of the in-sync set; a
//! new primary was a member of it, by its life; epochs rise; a read that is served reflects all writes that were
//! committed before it began. `cluster-tests/tests/replication.rs` checks them under faults, and that each rule counts.
//!
//! Every list is bounded by the shard's members, and what no member could have sent is dropped.
//!
//! Rooms: [`position`] what a copy holds, [`timing`] leases and promises, [`message`] what is said, [`mutation`] rules that
//! tests break. What the metadata says is a [`Shard`](crate::topology::Shard).

mod failover;
mod member;
pub mod message;
pub mod mutation;
pub mod position;
mod primary;
mod replica;
#[cfg(test)]
mod tests;
pub mod timing;

pub use failover::{Failover, FailoverInput, FailoverOutput};
pub use member::{Input, Member, Outcome, Output, Role, Settings};
pub use primary::Standing;
