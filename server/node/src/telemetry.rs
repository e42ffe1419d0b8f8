//! What the node counts, and the log.
//!
//! Threads count for themselves ([`counters`]); [`Telemetry`] knows all of them, adds them up when somebody asks, and
//! remembers since when (`CONFIG RESETSTAT`). What happens rarely is counted under a lock here.

pub(crate) mod counters;
pub(crate) mod events;
pub(crate) mod histogram;
pub(crate) mod log;
pub(crate) mod slowlog;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use nuthatch_proto::command_table::Handler;
use nuthatch_proto::ids::Timestamp;
use parking_lot::Mutex;

use counters::{COMMANDS_MAX, Sums, ThreadCounters};
use events::Events;
use histogram::Distribution;
use slowlog::Slowlog;

/// How many different error codes are counted apart; clients must not be able to fill the memory with new ones.
const ERROR_CODES_MAX: usize = 128;

/// After how many milliseconds the log says again that a client speaks HTTP.
const ATTACK_TOLD_EVERY: u64 = 60_000;

/// How many of the last samples the momentary rates are an average of.
const SAMPLES: usize = 16;

/// A sample of the growing sums.
#[derive(Debug, Default, Clone, Copy)]
struct Sample {
    milliseconds: u64,
    commands: u64,
    net_input: u64,
    net_output: u64,
}

/// Rates over the last second and a half.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Rates {
    pub(crate) ops_per_sec: u64,
    pub(crate) input_kbps: f64,
    pub(crate) output_kbps: f64,
}

/// The node's counters.
#[derive(Debug, Default)]
pub(crate) struct Telemetry {
    threads: Mutex<Vec<Arc<ThreadCounters>>>,
    baseline: Mutex<Sums>,
    /// What the distributions of commands were at the last reset, by place.
    durations_before: Mutex<HashMap<u16, Distribution>>,
    errors: Mutex<BTreeMap<String, u64>>,
    samples: Mutex<Vec<Sample>>,
    connections_received: AtomicU64,
    connections_rejected: AtomicU64,
    /// When a client was last said to speak HTTP.
    attack_told: AtomicU64,
    /// The commands that took long.
    pub(crate) slowlog: Slowlog,
    /// The moments at which something did.
    pub(crate) events: Events,
}

impl Telemetry {
    /// Counters for one more thread.
    pub(crate) fn thread(&self) -> Arc<ThreadCounters> {
        let counters = Arc::new(ThreadCounters::default());
        self.threads.lock().push(Arc::clone(&counters));
        counters
    }

    /// Counts a connection that was accepted.
    pub(crate) fn connection_received(&self) {
        self.connections_received.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection that was turned away.
    pub(crate) fn connection_rejected(&self) {
        self.connections_rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// How many connections were accepted and how many turned away.
    pub(crate) fn connections(&self) -> (u64, u64) {
        (self.connections_received.load(Ordering::Relaxed), self.connections_rejected.load(Ordering::Relaxed))
    }

    /// Whether the log is to say that a client speaks HTTP: once in a while, because whoever does can do so often.
    pub(crate) fn tells_of_attack(&self, now: Timestamp) -> bool {
        let told = self.attack_told.load(Ordering::Relaxed);
        let is_due = told == 0 || now.0.saturating_sub(told) > ATTACK_TOLD_EVERY;
        // Of several threads one tells.
        is_due
            && self
                .attack_told
                .compare_exchange(told, now.0.max(1), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// Counts an error reply by its code, the reply's first word.
    pub(crate) fn error(&self, reply: &[u8]) {
        let code = reply.split(|b| b.is_ascii_whitespace()).next().unwrap_or_default();
        let code = String::from_utf8_lossy(code.strip_prefix(b"-").unwrap_or(code));
        let mut errors = self.errors.lock();
        if let Some(count) = errors.get_mut(&*code) {
            *count += 1;
        } else if errors.len() < ERROR_CODES_MAX {
            errors.insert(code.into_owned(), 1);
        }
    }

    /// The error codes and how often each was sent.
    pub(crate) fn errors(&self) -> Vec<(String, u64)> {
        self.errors.lock().iter().map(|(code, &count)| (code.clone(), count)).collect()
    }

    fn total(&self) -> Sums {
        let mut sums = Sums::default();
        self.threads.lock().iter().for_each(|thread| thread.add_to(&mut sums));
        sums
    }

    /// All threads' counters since the last reset.
    pub(crate) fn sums(&self) -> Sums {
        self.total().since(&self.baseline.lock())
    }

    fn distribution_at(&self, place: u16) -> Distribution {
        let mut distribution = Distribution::default();
        self.threads.lock().iter().for_each(|thread| thread.at(place).durations.add_to(&mut distribution));
        distribution
    }

    /// How long the calls of a command took since the last reset.
    pub(crate) fn distribution(&self, handler: Handler) -> Distribution {
        let place = counters::place(handler);
        let now = self.distribution_at(place);
        match self.durations_before.lock().get(&place) {
            Some(before) => now.since(before),
            None => now,
        }
    }

    /// Begins to count from zero (`CONFIG RESETSTAT`).
    pub(crate) fn reset(&self) {
        *self.baseline.lock() = self.total();
        *self.durations_before.lock() = (0..COMMANDS_MAX)
            .map(|place| (place, self.distribution_at(place)))
            .filter(|(_, distribution)| distribution.calls() > 0)
            .collect();
        self.errors.lock().clear();
        self.connections_received.store(0, Ordering::Relaxed);
        self.connections_rejected.store(0, Ordering::Relaxed);
    }

    /// Takes a sample for the momentary rates; called about ten times a second.
    pub(crate) fn sample(&self, milliseconds: u64) {
        let sums = self.total();
        let mut samples = self.samples.lock();
        if samples.len() == SAMPLES {
            samples.remove(0);
        }
        samples.push(Sample {
            milliseconds,
            commands: sums.commands,
            net_input: sums.net_input,
            net_output: sums.net_output,
        });
    }

    /// The momentary rates.
    pub(crate) fn rates(&self) -> Rates {
        let samples = self.samples.lock();
        let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Rates::default() };
        let Some(elapsed @ 1..) = last.milliseconds.checked_sub(first.milliseconds) else {
            return Rates::default();
        };
        let kilobytes = |bytes: u64| bytes as f64 / 1024.0 / (elapsed as f64 / 1000.0);
        Rates {
            ops_per_sec: (last.commands - first.commands) * 1000 / elapsed,
            input_kbps: kilobytes(last.net_input - first.net_input),
            output_kbps: kilobytes(last.net_output - first.net_output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_is_told_of_at_once_and_then_once_a_minute() {
        let telemetry = Telemetry::default();
        let told = [5000, 5000, 65_000, 65_001, 65_002, 125_002]
            .map(|now| telemetry.tells_of_attack(Timestamp(now)));
        assert_eq!(told, [true, false, false, true, false, true]);
    }

    #[test]
    fn errors_are_counted_by_their_code_up_to_a_bound() {
        let telemetry = Telemetry::default();
        telemetry.error(b"-ERR no\r\n");
        telemetry.error(b"-ERR other\r\n");
        telemetry.error(b"-WRONGPASS x\r\n");
        assert_eq!(telemetry.errors(), [("ERR".to_owned(), 2), ("WRONGPASS".to_owned(), 1)]);
        (0..1000).for_each(|n| telemetry.error(format!("-E{n} x").as_bytes()));
        assert_eq!(telemetry.errors().len(), ERROR_CODES_MAX);
    }

    #[test]
    fn rates_are_what_happened_between_the_samples() {
        let telemetry = Telemetry::default();
        let thread = telemetry.thread();
        telemetry.sample(1000);
        thread.commands.add(500);
        thread.net_input.add(1024);
        telemetry.sample(1500);
        let rates = telemetry.rates();
        assert_eq!((rates.ops_per_sec, rates.input_kbps), (1000, 2.0));
    }
}
