//! How long a command took, as counts by duration: written by one thread, read by whoever reports.
//!
//! Durations are in nanoseconds. Each power of two is divided into [`PARTS`] buckets, so that a percentile is off by a
//! sixteenth at most, and a boundary of LATENCY HISTOGRAM, a power of two, is met exactly. Beyond a minute everything is
//! one bucket. A command that never ran has no buckets.
//!
//! The counters are never set back: CONFIG RESETSTAT remembers what they were ([`Distribution::since`]).

use std::sync::OnceLock;

use super::counters::Counter;

/// Into how many buckets a power of two is divided.
const PARTS: u64 = 16;
const PART_BITS: u32 = PARTS.trailing_zeros();

/// The power of two from which on all durations are one: 2^36 ns are 69 s.
const OCTAVES: u32 = 36;

const BUCKETS: usize = (OCTAVES - PART_BITS + 1) as usize * PARTS as usize + 1;

/// The bucket of a duration.
#[inline]
fn bucket(nanoseconds: u64) -> usize {
    let octave = nanoseconds.max(1).ilog2();
    if octave < PART_BITS {
        return nanoseconds as usize;
    }
    let shift = octave - PART_BITS;
    let place = (u64::from(shift) + 1) * PARTS + ((nanoseconds >> shift) & (PARTS - 1));
    (place as usize).min(BUCKETS - 1)
}

/// The shortest duration of a bucket.
fn beginning(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    match bucket.checked_sub(PARTS) {
        None => bucket,
        Some(above) => (PARTS + above % PARTS) << (above / PARTS),
    }
}

/// One thread's counts for one command.
#[derive(Debug, Default)]
pub(crate) struct Histogram(OnceLock<Box<[Counter]>>);

impl Histogram {
    /// Counts a call; only the thread that owns the histogram may.
    #[inline]
    pub(crate) fn record(&self, nanoseconds: u64) {
        let buckets = self.0.get_or_init(|| (0..BUCKETS).map(|_| Counter::default()).collect());
        buckets[bucket(nanoseconds)].add(1);
    }

    /// Adds the counts to a distribution.
    pub(crate) fn add_to(&self, distribution: &mut Distribution) {
        let Some(buckets) = self.0.get() else { return };
        distribution.0.resize(BUCKETS, 0);
        for (sum, own) in distribution.0.iter_mut().zip(buckets) {
            *sum += own.get();
        }
    }
}

/// Counts by duration, summed over the threads.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Distribution(Vec<u64>);

impl Distribution {
    /// How many calls there were.
    pub(crate) fn calls(&self) -> u64 {
        self.0.iter().sum()
    }

    /// What was counted since `earlier`.
    pub(crate) fn since(mut self, earlier: &Self) -> Self {
        for (now, then) in self.0.iter_mut().zip(&earlier.0) {
            *now = now.saturating_sub(*then);
        }
        self
    }

    /// How many calls took less than that; exact for powers of two.
    pub(crate) fn below(&self, nanoseconds: u64) -> u64 {
        self.0.iter().take(bucket(nanoseconds)).sum()
    }

    /// The duration that so many percent of the calls did not exceed, in nanoseconds.
    pub(crate) fn percentile(&self, percent: f64) -> u64 {
        let wanted = ((self.calls() as f64 * percent / 100.0).ceil() as u64).max(1);
        let mut seen = 0;
        for (place, count) in self.0.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return beginning(place + 1) - 1;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_and_hold_what_belongs_to_them() {
        for place in 0..BUCKETS - 1 {
            let (first, next) = (beginning(place), beginning(place + 1));
            assert!(first < next, "{place}");
            assert_eq!((bucket(first), bucket(next - 1)), (place, place));
        }
        assert_eq!((bucket(1 << OCTAVES), bucket(u64::MAX)), (BUCKETS - 1, BUCKETS - 1));
    }

    #[test]
    fn percentiles_are_off_by_a_sixteenth_at_most() {
        let histogram = Histogram::default();
        (1..=1000).for_each(|n| histogram.record(n * 1000));
        let mut all = Distribution::default();
        histogram.add_to(&mut all);
        assert_eq!(all.calls(), 1000);
        for (percent, exact) in [(50.0, 500_000), (99.0, 990_000), (100.0, 1_000_000), (0.0, 1000)] {
            let found = all.percentile(percent);
            assert!(found >= exact && found <= exact + exact / 16, "{percent}: {found}");
        }
        assert_eq!((all.below(1 << 10), all.below(1 << 17)), (1, 131));
        let before = all.clone();
        histogram.record(5);
        histogram.add_to(&mut Distribution::default());
        let mut after = Distribution::default();
        histogram.add_to(&mut after);
        assert_eq!(after.since(&before).calls(), 1);
    }
}
