//! Anything with more than one node, and the rules of the house.
//!
//! Nobody depends on this crate. [`sim`] is a seeded world for the metadata group, [`shard_sim`] one for
//! a replicated shard. [`transcript`] replays readable files
//! of commands and answers, [`topology_log`] puts arbitrary bytes through the topology's rules, [`process`] starts real
//! servers on loopback ports. [`tidy`] holds the rules that `tests/tidy.rs` runs over the repository.

pub mod conformance;
pub mod process;
pub mod shard_sim;
pub mod sim;
pub mod tidy;
pub mod topology_log;
pub mod transcript;
