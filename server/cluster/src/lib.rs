//! The control plane of Nuthatch, as values and deterministic machines: what the cluster looks like, how that may
//! change, and where a command belongs.
//!
//! Nothing here reads a clock, rolls dice, opens a socket or touches a disk. [`topology`] is the value that the
//! metadata group agrees on, and the pure function that changes it; [`ring`] decides which shard should own which slot;
//! [`replication`] says who may serve a shard and what of it is committed; [`routing`] answers a command's question;
//! [`views`] draws the topology as Redis's CLUSTER commands show it.

pub mod metadata;
pub mod replication;
pub mod ring;
pub mod routing;
pub mod topology;
pub mod views;
