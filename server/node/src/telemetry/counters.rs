//! One thread's counters: written by that thread alone, read by whoever reports them.
//!
//! Because there is one writer, counting is a load and a store, not a locked instruction. `CONFIG RESETSTAT` therefore
//! does not write here: it remembers what the sums were ([`super::Telemetry`]).
//!
//! Changes to the data are counted by who hears of them all (`feed/tap`).

use std::sync::atomic::{AtomicU64, Ordering};

use nuthatch_engine::Stats;
use nuthatch_proto::command_table::Handler;

use super::histogram::Histogram;

/// Room for every command of the table.
pub(crate) const COMMANDS_MAX: u16 = 640;

/// A counter with one writer.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds; only the thread that owns the counter may.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Sets; only the thread that owns the counter may.
    #[inline]
    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// Reads, from any thread.
    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What happened to one command.
#[derive(Debug, Default)]
pub(crate) struct CommandCounters {
    /// How often it ran.
    pub(crate) calls: Counter,
    /// How long that took in nanoseconds; commands of one batch share its time evenly.
    pub(crate) nanoseconds: Counter,
    /// How long each call took.
    pub(crate) durations: Histogram,
    /// How often it was refused before it ran.
    pub(crate) rejected: Counter,
    /// How often it answered with an error.
    pub(crate) failed: Counter,
}

/// One thread's counters.
#[derive(Debug)]
pub(crate) struct ThreadCounters {
    /// Commands that ran.
    pub(crate) commands: Counter,
    /// How often something was read from a client.
    pub(crate) reads: Counter,
    /// How often something was written to one.
    pub(crate) writes: Counter,
    /// Bytes read from clients.
    pub(crate) net_input: Counter,
    /// Bytes written to clients.
    pub(crate) net_output: Counter,
    /// Replies that were errors.
    pub(crate) error_replies: Counter,
    /// Changes to the data.
    effects: Counter,
    keyspace_hits: Counter,
    keyspace_misses: Counter,
    expired_keys: Counter,
    by_command: Box<[CommandCounters]>,
}

impl Default for ThreadCounters {
    fn default() -> Self {
        Self {
            commands: Counter::default(),
            reads: Counter::default(),
            writes: Counter::default(),
            net_input: Counter::default(),
            net_output: Counter::default(),
            error_replies: Counter::default(),
            effects: Counter::default(),
            keyspace_hits: Counter::default(),
            keyspace_misses: Counter::default(),
            expired_keys: Counter::default(),
            by_command: (0..COMMANDS_MAX).map(|_| CommandCounters::default()).collect(),
        }
    }
}

/// The place of a command among all commands' counters.
#[inline]
pub(crate) fn place(handler: Handler) -> u16 {
    let place = match handler {
        Handler::Data(command) => command as u16,
        Handler::Keyspace(command) => 320 + command as u16,
        Handler::Node(command) => 384 + command as u16,
        Handler::Transaction(command) => 352 + command as u16,
        Handler::Script(command) => 368 + command as u16,
        // A container never runs.
        Handler::Container => COMMANDS_MAX - 1,
    };
    place.min(COMMANDS_MAX - 1)
}

impl ThreadCounters {
    /// The counters of one command.
    #[inline]
    pub(crate) fn command(&self, handler: Handler) -> &CommandCounters {
        &self.by_command[usize::from(place(handler))]
    }

    /// The counters of the command at that place.
    pub(crate) fn at(&self, place: u16) -> &CommandCounters {
        &self.by_command[usize::from(place)]
    }

    /// Counts a change to the data.
    #[inline]
    pub(crate) fn count_effect(&self) {
        self.effects.add(1);
    }

    /// Takes over what the engine counted for this thread.
    #[inline]
    pub(crate) fn publish(&self, stats: &Stats) {
        self.keyspace_hits.set(stats.keyspace_hits);
        self.keyspace_misses.set(stats.keyspace_misses);
        self.expired_keys.set(stats.expired_keys);
    }

    /// Adds the thread's counters to sums.
    pub(crate) fn add_to(&self, sums: &mut Sums) {
        sums.commands += self.commands.get();
        sums.reads += self.reads.get();
        sums.writes += self.writes.get();
        sums.net_input += self.net_input.get();
        sums.net_output += self.net_output.get();
        sums.error_replies += self.error_replies.get();
        sums.effects += self.effects.get();
        sums.keyspace_hits += self.keyspace_hits.get();
        sums.keyspace_misses += self.keyspace_misses.get();
        sums.expired_keys += self.expired_keys.get();
        for (sum, own) in sums.by_command.iter_mut().zip(&self.by_command) {
            sum.calls += own.calls.get();
            sum.nanoseconds += own.nanoseconds.get();
            sum.rejected += own.rejected.get();
            sum.failed += own.failed.get();
        }
    }
}

/// One command's counters, summed over the threads.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CommandSums {
    pub(crate) calls: u64,
    pub(crate) nanoseconds: u64,
    pub(crate) rejected: u64,
    pub(crate) failed: u64,
}

/// All threads' counters together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) commands: u64,
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    pub(crate) net_input: u64,
    pub(crate) net_output: u64,
    pub(crate) error_replies: u64,
    pub(crate) effects: u64,
    pub(crate) keyspace_hits: u64,
    pub(crate) keyspace_misses: u64,
    pub(crate) expired_keys: u64,
    by_command: Vec<CommandSums>,
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            commands: 0,
            reads: 0,
            writes: 0,
            net_input: 0,
            net_output: 0,
            error_replies: 0,
            effects: 0,
            keyspace_hits: 0,
            keyspace_misses: 0,
            expired_keys: 0,
            by_command: vec![CommandSums::default(); usize::from(COMMANDS_MAX)],
        }
    }
}

impl Sums {
    /// One command's sums.
    pub(crate) fn command(&self, handler: Handler) -> CommandSums {
        self.by_command[usize::from(place(handler))]
    }

    /// What was counted since `earlier`.
    pub(crate) fn since(mut self, earlier: &Self) -> Self {
        let less = |now: &mut u64, then: u64| *now = now.saturating_sub(then);
        less(&mut self.commands, earlier.commands);
        less(&mut self.reads, earlier.reads);
        less(&mut self.writes, earlier.writes);
        less(&mut self.net_input, earlier.net_input);
        less(&mut self.net_output, earlier.net_output);
        less(&mut self.error_replies, earlier.error_replies);
        less(&mut self.effects, earlier.effects);
        less(&mut self.keyspace_hits, earlier.keyspace_hits);
        less(&mut self.keyspace_misses, earlier.keyspace_misses);
        less(&mut self.expired_keys, earlier.expired_keys);
        for (now, then) in self.by_command.iter_mut().zip(&earlier.by_command) {
            less(&mut now.calls, then.calls);
            less(&mut now.nanoseconds, then.nanoseconds);
            less(&mut now.rejected, then.rejected);
            less(&mut now.failed, then.failed);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use nuthatch_proto::command_table::{CommandSpec, commands};

    use super::*;

    #[test]
    fn every_command_has_a_place_of_its_own() {
        let mut taken = HashMap::new();
        let all = commands().iter().flat_map(|spec: &CommandSpec| [spec].into_iter().chain(spec.subcommands));
        for spec in all.filter(|spec| spec.handler != Handler::Container) {
            let place = place(spec.handler);
            assert!(place < COMMANDS_MAX - 1, "{}", spec.name);
            if let Some(other) = taken.insert(place, spec.handler) {
                assert_eq!(other, spec.handler, "{}", spec.name);
            }
        }
    }

    #[test]
    fn sums_start_again_from_a_baseline() {
        let counters = ThreadCounters::default();
        counters.commands.add(3);
        let mut then = Sums::default();
        counters.add_to(&mut then);
        counters.commands.add(2);
        let mut now = Sums::default();
        counters.add_to(&mut now);
        assert_eq!(now.since(&then).commands, 2);
    }
}
