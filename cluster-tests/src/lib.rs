//! Anything with more than one node, and the rules of the house.
//!
//! Nobody depends on this crate. [`transcript`] replays readable files of commands and answers. [`tidy`] holds the rules
//! that `tests/tidy.rs` runs over the repository.

pub mod tidy;
pub mod transcript;
