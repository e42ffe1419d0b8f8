//! Other people's test suites, pointed at this server and at redis-server on the same machine.
//!
//! A suite is run against both; what each case came to is kept as a line ([`results`]), and the report sets the two
//! beside each other ([`report`]). What redis-server itself fails or skips says nothing about us, so the measure is the
//! share of *its* passed cases that pass here. Every case that it passes and we do not needs a reason, written down in
//! `conformance/reasons.txt`; one without is shown as unexplained, and the run fails.
//!
//! Not here: the checks of our own that CI always runs (`.ci/conformance`, the process tests).

pub mod debian;
pub mod programs;
pub mod redis_py;
pub mod redis_rs;
pub mod report;
pub mod results;
pub mod servers;
pub mod tcl;

use std::path::PathBuf;

/// Whom a suite was pointed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// redis-server.
    Redis,
    /// This server.
    Nuthatch,
}

impl Side {
    /// Both, the reference first.
    pub const ALL: [Self; 2] = [Self::Redis, Self::Nuthatch];

    /// Its name in files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::Nuthatch => "nuthatch",
        }
    }
}

/// What became of one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It failed, or its unit ended before it.
    Failed,
    /// The suite did not run it.
    Skipped,
}

impl Outcome {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Passed, Self::Failed, Self::Skipped];

    /// Its name in files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One case of a suite, run against one side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Case {
    /// The suite: `tcl`, `tcl-cluster`, `redis-py` and so on.
    pub suite: String,
    /// The suite's unit: a file, or a module.
    pub unit: String,
    /// The case's name within it.
    pub name: String,
    /// Against whom it ran.
    pub side: Side,
    /// What became of it.
    pub outcome: Outcome,
    /// What the suite printed about it: the first line.
    pub detail: String,
}

/// What a run needs to know.
#[derive(Debug, Clone)]
pub struct Setup {
    /// This server's binary.
    pub nuthatch: PathBuf,
    /// Where fetched suites, logs and results lie.
    pub work: PathBuf,
    /// What this server is told when it starts, besides what both are told.
    pub options: &'static [&'static str],
}

/// Why a run could not be done.
#[derive(Debug)]
pub struct Trouble(pub String);

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Trouble {}

impl Trouble {
    /// Says what was being done when an error came.
    pub fn when<E: std::fmt::Display>(doing: impl Into<String>) -> impl FnOnce(E) -> Self {
        let doing = doing.into();
        move |error| Self(format!("{doing}: {error}"))
    }
}
