//! The rules of the house, checked like any other promise: `tests/tidy.rs` runs them over the whole repository.
//!
//! A rule is a pure function from sources, or from the dependency graph, to [`Finding`]s; each has a test on a small
//! text that it can fail. What a rule looks at is in [`source`]: code with its comments and strings blanked, so that
//! a word in a text is not taken for a call, and with the extents of test code known.
//!
//! Not here: what rustc and clippy check by themselves; the workspace's lints and the `clippy.toml` files say that.

pub mod bans;
pub mod edges;
pub mod length;
pub mod source;
pub mod text;

use std::fmt;

/// A place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, from the root of the repository, or the crate.
    pub place: String,
    /// The line, from 1; 0 if it is about the whole.
    pub line: usize,
    /// What is wrong, and what to do instead.
    pub message: String,
}

impl Finding {
    fn new(place: &str, line: usize, message: impl Into<String>) -> Self {
        Self { place: place.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.place, self.line, self.message)
    }
}
