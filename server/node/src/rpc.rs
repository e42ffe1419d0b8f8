//! Node to node: tonic in and out, on the cluster port.
//!
//! [`incoming`] accepts, [`callers`] remembers whom, [`service`] turns what arrives into events for the drivers, [`peers`] keeps the connections to the other nodes,
//! [`outbox`] the bounded queues of Raft messages, [`broadcast`] those of published messages, [`secret`] what keeps strangers out. Nothing here decides anything
//! about the cluster; and whatever a peer sends is bounded in size, in number and in time.

pub(crate) mod broadcast;
pub(crate) mod callers;
mod incoming;
pub(crate) mod outbox;
pub(crate) mod peers;
mod replicate;
pub mod secret;
pub(crate) mod service;
