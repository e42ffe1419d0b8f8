//! A seeded world of one shard: the replication machines of three nodes, the failover machine of a metadata leader, and
//! clients, on a network that delays, repeats, reorders and loses, with nodes that crash, stop and come back empty, and
//! whose clocks run at different rates.
//!
//! The machines are those of `nuthatch-cluster`; [`node`] stands for their driver and the engine, with effects that are
//! numbers. The metadata group is abstract here, one log that never fails but may be out of reach: that it keeps its
//! promises is what [`crate::sim`] shows. Every node learns of it late, and some things never.
//!
//! After each step the promises are checked by name ([`ledger`]); at the end the history that the clients saw is checked
//! as a whole ([`history`]). When the faults end the world must come to rest: a primary that serves, everybody in sync,
//! all copies equal. A shard whose in-sync lives are all over must be Offline instead, and stay so.
//!
//! A simulator that finds nothing proves nothing: each rule of [`Broken`] is taken away in turn, and must be missed.
//!
//! Rooms: [`world`] events and surroundings, [`node`] driver and data, [`metadata`] the log, [`clients`] who asks for what.

pub mod clients;
pub mod faults;
pub mod history;
pub mod ledger;
pub mod metadata;
pub mod node;
pub mod world;

use std::ops::AddAssign;

use nuthatch_cluster::replication::mutation::Mutation;

/// How many nodes there are; the metadata group has the place behind them.
pub const NODES: usize = 3;

/// A rule that is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// One of the machines' rules.
    Machine(Mutation),
    /// A process that comes back goes on under its old life, without registering.
    Resume,
    /// A read does not wait for what it shows to be committed.
    DirtyReads,
}

impl Broken {
    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 10] = [
        ("resume", Self::Resume),
        ("byname", Self::Machine(Mutation::ByName)),
        ("nomax", Self::Machine(Mutation::PendingNotRequired)),
        ("earlyack", Self::Machine(Mutation::EarlyShrink)),
        ("nolease", Self::Machine(Mutation::IgnorePromise)),
        ("leasebyisr", Self::Machine(Mutation::LeaseByIsr)),
        ("nobarrier", Self::Machine(Mutation::NoBarrier)),
        ("oldepoch", Self::Machine(Mutation::OldEpoch)),
        ("dirtyreads", Self::DirtyReads),
        ("copyinsync", Self::Machine(Mutation::CopyInSync)),
    ];

    /// Whether a process that comes back takes itself for the one that it was.
    pub(crate) fn keeps_life(broken: Option<Self>) -> bool {
        matches!(broken, Some(Self::Resume | Self::Machine(Mutation::ByName)))
    }

    /// What is taken from the machines.
    pub(crate) fn of_machine(broken: Option<Self>) -> Option<Mutation> {
        match broken {
            Some(Self::Machine(mutation)) => Some(mutation),
            Some(Self::Resume | Self::DirtyReads) | None => None,
        }
    }
}

/// What a run showed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Events that were processed.
    pub steps: u64,
    /// Changes of primary.
    pub epochs: u64,
    /// Changes of the in-sync set.
    pub isr_changes: u64,
    /// Committed effects.
    pub committed: u64,
    /// `insync` writes that were acknowledged.
    pub writes: u64,
    /// `async` writes that were acknowledged.
    pub async_writes: u64,
    /// And lost.
    pub async_lost: u64,
    /// Reads that were answered.
    pub reads: u64,
    /// Operations whose outcome is not known.
    pub unknown: u64,
    /// Crashes.
    pub crashes: u64,
    /// Copies of all slots, and of some.
    pub copies: (u64, u64),
    /// Planned switches.
    pub handovers: u64,
    /// Runs that ended with the shard offline.
    pub offline: u64,
    /// Virtual milliseconds from the end of the faults to rest, at most.
    pub healed_ms: u64,
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.epochs += other.epochs;
        self.isr_changes += other.isr_changes;
        self.committed += other.committed;
        self.writes += other.writes;
        self.async_writes += other.async_writes;
        self.async_lost += other.async_lost;
        self.reads += other.reads;
        self.unknown += other.unknown;
        self.crashes += other.crashes;
        self.copies = (self.copies.0 + other.copies.0, self.copies.1 + other.copies.1);
        self.handovers += other.handovers;
        self.offline += other.offline;
        self.healed_ms = self.healed_ms.max(other.healed_ms);
    }
}
