//! The shell of Nuthatch: sockets, disk, time and tasks around the engine and the cluster crates.
//!
//! The engine knows no socket and the cluster crate no clock; both get them from here. [`node`] builds the parts and
//! stops them in order, `net` carries bytes, `dispatch` is the data path, `admin` answers what concerns the server
//! rather than its data, [`driver`] performs what the machines of the cluster crate decide, and [`rpc`] connects the
//! nodes. A decision that can be tested without a socket belongs further in.

mod admin;
mod allocator;
mod before_main;
mod clock;
pub mod command_line;
pub mod config;
mod dev;
mod dispatch;
pub mod driver;
mod feed;
mod memory;
mod monitors;
mod net;
pub mod node;
mod persistence;
mod pubsub;
pub mod raft_log;
mod replica_link;
mod replication;
mod role;
pub mod rpc;
mod script;
mod snapshot;
mod telemetry;

pub use allocator::Allocator;
pub use command_line::run;
