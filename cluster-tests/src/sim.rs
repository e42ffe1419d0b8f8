//! A seeded world in which real metadata machines meet a network that loses and delays, disks that forget what was not
//! synced, and nodes that crash, stop and come back.
//!
//! One thread, virtual time, one random generator: a seed decides everything, so a failing seed fails again, with a
//! trace. Nothing of the product is replaced but its surroundings: the machine, its records and its wire messages are
//! those of `nuthatch-cluster`; [`node`] stands for the driver and does what a driver must, in the same order.
//!
//! After each step [`invariants`] are checked, by name. When the faults end, the world is healed and must come to rest:
//! a leader, the right members, every open request answered, everybody at the same topology.
//!
//! A simulator that finds nothing proves nothing. A [`Mutation`] makes the surroundings or the driver lie in one way
//! that a rule forbids; the tests demand that the world notices.
//!
//! Rooms: [`world`] runs the events, [`network`] and [`disk`] are the surroundings, [`workload`] the clients, [`copies`]
//! what they want with the copies of shards, [`succession`] who served a shard after whom, [`faults`] what goes wrong and
//! when, [`random`] the generator, [`seeds`] how tests run them.

pub mod copies;
pub mod disk;
pub mod faults;
pub mod invariants;
pub mod network;
pub mod node;
pub mod random;
pub mod seeds;
pub mod succession;
pub mod workload;
pub mod world;

use std::fmt;
use std::ops::AddAssign;

/// A rule that the driver or its surroundings break on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    /// Messages and answers that rely on a batch go out while the disk is still busy with it.
    SendBeforePersist,
    /// The disk never keeps whom this node voted for.
    ForgetVote,
    /// Appending does not cut off the suffix it replaces.
    KeepSuffix,
    /// A request that is tried again is a new proposal.
    FreshProposalIds,
    /// A wiped node comes back under its old number.
    KeepRaftId,
    /// Whoever believes to lead answers reads without asking a majority.
    UnconfirmedReads,
}

/// What a run showed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Events that were processed.
    pub steps: u64,
    /// Entries that were committed.
    pub committed: u64,
    /// Terms in which somebody led.
    pub terms: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Reads that were answered.
    pub reads: u64,
    /// Crashes of nodes.
    pub crashes: u64,
    /// Snapshots that were sent.
    pub snapshots: u64,
    /// Changes of the group's members.
    pub member_changes: u64,
    /// Promotions of one node after another in a shard that went on with its data.
    pub promotions: u64,
    /// Virtual milliseconds from the end of the faults until all was at rest.
    pub healed_ms: u64,
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.committed += other.committed;
        self.terms += other.terms;
        self.answered += other.answered;
        self.reads += other.reads;
        self.crashes += other.crashes;
        self.snapshots += other.snapshots;
        self.member_changes += other.member_changes;
        self.promotions += other.promotions;
        self.healed_ms = self.healed_ms.max(other.healed_ms);
    }
}

/// A run that broke a promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The run.
    pub seed: u64,
    /// The test that makes it.
    pub test: &'static str,
    /// Virtual milliseconds since its start.
    pub at_ms: u64,
    /// Which promise, and how.
    pub what: String,
    /// The last events, if the run was traced.
    pub trace: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {} at {} ms: {}", self.seed, self.at_ms, self.what)?;
        self.trace.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        let Self { seed, test, .. } = self;
        write!(f, "replay: NUTHATCH_SIM_SEED={seed} cargo test -p nuthatch-cluster-tests --test {test}")
    }
}
