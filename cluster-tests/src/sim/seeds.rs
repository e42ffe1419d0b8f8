//! How tests run seeds: so many of them over all cores, or the one that the environment names, and a failing one again
//! with a trace.
//!
//! `NUTHATCH_SIM_SEED=1234` replays a seed; `NUTHATCH_SIM_SEEDS=50000` runs more of them.

use std::fmt::Debug;
use std::num::NonZero;
use std::ops::AddAssign;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Violation;

/// A world, and how it is made.
#[derive(Debug, Clone, Copy)]
pub struct Runs<O, R> {
    /// The test that runs it.
    pub test: &'static str,
    /// Runs a seed.
    pub run: fn(u64, O) -> Result<R, Violation>,
    /// The same options, with a trace.
    pub traced: fn(O) -> O,
}

/// A number in the environment.
pub fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// Tests say what they did; the harness shows it when asked.
#[expect(clippy::print_stdout, reason = "what a run covered is for whoever runs it")]
pub fn say(text: &str) {
    println!("{text}");
}

impl<O: Copy + Sync, R: Default + Copy + Debug + AddAssign + Send> Runs<O, R> {
    /// Runs a seed. A panic of a machine is a violation like any other.
    pub fn try_seed(&self, seed: u64, options: O) -> Result<R, Box<Violation>> {
        let caught = catch_unwind(AssertUnwindSafe(|| (self.run)(seed, options)));
        caught.map_or_else(
            |panic| {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                let what = format!("panic: {}", text.unwrap_or_default());
                Err(Box::new(Violation { seed, test: self.test, at_ms: 0, what, trace: Vec::new() }))
            },
            |result| result.map_err(Box::new),
        )
    }

    /// Runs a seed, and on failure runs it again with a trace to show.
    pub fn check(&self, seed: u64, options: O) -> R {
        self.try_seed(seed, options).unwrap_or_else(|first| {
            match self.try_seed(seed, (self.traced)(options)) {
                Err(violation) => panic!("{violation}"),
                Ok(_) => panic!("a seed fails once and not again: {first}"),
            }
        })
    }

    /// Runs so many seeds, or the one that the environment names; what all of them did together.
    pub fn check_seeds(&self, seeds: u64, options: O) -> R {
        if let Some(seed) = variable("NUTHATCH_SIM_SEED") {
            let report = self.check(seed, options);
            say(&format!("{report:?}"));
            return report;
        }
        let (next, total) = (AtomicU64::new(0), Mutex::new(R::default()));
        let work = || {
            while let seed @ 0.. = next.fetch_add(1, Ordering::Relaxed)
                && seed < seeds
            {
                let report = self.check(seed, options);
                *total.lock().unwrap_or_else(PoisonError::into_inner) += report;
            }
        };
        std::thread::scope(|scope| {
            let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
            (0..threads).for_each(|_| _ = scope.spawn(work));
        });
        let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
        say(&format!("{seeds} seeds: {total:?}"));
        total
    }

    /// Some of so many seeds must show that a rule is broken.
    pub fn check_noticed(&self, seeds: u64, name: &str, options: O) {
        let found = (0..seeds).find_map(|seed| self.try_seed(seed, options).err());
        let violation = found.unwrap_or_else(|| panic!("{seeds} seeds did not notice {name}"));
        say(&format!("{name}: {violation}"));
    }
}
