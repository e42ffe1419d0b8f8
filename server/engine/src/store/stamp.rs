//! When a key was last used, or how often: the 24 bits that an entry has for it.
//!
//! Under most policies of `maxmemory` they are a time, in units of 1,024 ms, which comes round after 198 days. Under an
//! LFU policy they are a logarithmic counter of 8 bits and, above it, the minute in which the counter last faded. Which
//! of the two they are is not written beside them: after a change of policy it takes a while until they are right.
//!
//! A time costs a comparison per use and a store per second of use, because the unit is so coarse. A counter costs a
//! roll of the dice per use.
//!
//! Source: Redis documentation, "Key eviction", for the counter's laws.

use nuthatch_proto::ids::Timestamp;

use crate::context::Rng;

/// The bits. Only the lower 24 are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp(pub(crate) u32);

/// How a counter grows and fades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counting {
    /// `lfu-log-factor`: the larger, the more uses a counter can tell apart.
    pub log_factor: u32,
    /// `lfu-decay-time`: after how many minutes without a use a counter falls by one. 0: never.
    pub decay_minutes: u32,
}

/// How a key was used before it came here.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Used {
    /// How many milliseconds ago it was used last.
    pub(crate) idle: Option<u64>,
    /// How often, as a counter.
    pub(crate) count: Option<u8>,
}

impl Used {
    /// What of it is kept: the counter or the time.
    pub(crate) fn stamp(self, now: Timestamp, counts: bool) -> Option<Stamp> {
        if counts {
            self.count.map(|count| Stamp::counting_from(u32::from(count), now))
        } else {
            self.idle.map(|idle| Stamp::idle_since(now, idle))
        }
    }
}

const UNIT_BITS: u32 = 10;
const BITS: u32 = 24;
const MASK: u32 = (1 << BITS) - 1;
const MINUTE: u64 = 60_000;
const COUNTER_MAX: u32 = 255;

impl Stamp {
    /// What a new key's counter begins with, so that it is not the first to go.
    const COUNTER_START: u32 = 5;

    /// That time.
    #[inline]
    pub(crate) fn time(now: Timestamp) -> Self {
        Self((now.0 >> UNIT_BITS) as u32 & MASK)
    }

    /// The time so many milliseconds ago, or up to a unit longer: nobody is told of less than he said himself.
    fn idle_since(now: Timestamp, idle: u64) -> Self {
        let units = idle.div_ceil(1 << UNIT_BITS).min(u64::from(MASK)) as u32;
        Self(Self::time(now).0.wrapping_sub(units) & MASK)
    }

    /// How many milliseconds ago the time was, about.
    pub(crate) fn idle(self, now: Timestamp) -> u64 {
        let units = Self::time(now).0.wrapping_sub(self.0) & MASK;
        u64::from(units) << UNIT_BITS
    }

    fn minute(now: Timestamp) -> u32 {
        (now.0 / MINUTE) as u32 & 0xFFFF
    }

    fn counting_from(counter: u32, now: Timestamp) -> Self {
        Self(Self::minute(now) << 8 | counter)
    }

    /// The counter of a new key.
    pub(crate) fn first(now: Timestamp) -> Self {
        Self::counting_from(Self::COUNTER_START, now)
    }

    /// The counter, faded by the time since it last was.
    pub(crate) fn count(self, now: Timestamp, law: Counting) -> u32 {
        let passed = Self::minute(now).wrapping_sub(self.0 >> 8) & 0xFFFF;
        let faded = passed.checked_div(law.decay_minutes).unwrap_or(0);
        (self.0 & COUNTER_MAX).saturating_sub(faded)
    }

    /// The counter after another use, which raises it the less likely the higher it is.
    pub(crate) fn counted(self, now: Timestamp, law: Counting, rng: &mut Rng) -> Self {
        let count = self.count(now, law);
        let above = u64::from(count.saturating_sub(Self::COUNTER_START));
        let odds = (above * u64::from(law.log_factor)).saturating_add(1);
        let raised = count < COUNTER_MAX && rng.below(usize::try_from(odds).unwrap_or(usize::MAX)) == 0;
        Self::counting_from(count + u32::from(raised), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_times_are_right_to_a_unit_and_across_the_end_of_the_clock() {
        for now in [0, 5_000, (1 << 34) - 1, 1_700_000_000_000] {
            let stamp = Stamp::time(Timestamp(now));
            for later in [0, 999, 3_000, 10_000_000] {
                let idle = stamp.idle(Timestamp(now + later));
                assert!(idle.abs_diff(later) <= 1 << UNIT_BITS, "{now} {later} {idle}");
            }
        }
    }

    #[test]
    fn an_idle_time_that_is_set_is_read_again_and_never_a_shorter_one() {
        let now = Timestamp(1_700_000_000_000);
        for now in (0..1024).step_by(31).map(|offset| Timestamp(now.0 + offset)) {
            for seconds in [0, 1, 10, 1000, 1_000_000] {
                let used = Used { idle: Some(seconds * 1000), count: None };
                let idle = used.stamp(now, false).map(|stamp| stamp.idle(now) / 1000);
                assert!(
                    idle.is_some_and(|idle| (seconds..=seconds + 1).contains(&idle)),
                    "{seconds} {idle:?}"
                );
            }
        }
        let ages = Used { idle: Some(u64::MAX), count: None };
        assert!(ages.stamp(now, false).is_some_and(|stamp| stamp.idle(now) > 190 * 24 * 60 * MINUTE));
    }

    #[test]
    fn counters_rise_ever_more_slowly_and_fade() {
        let law = Counting { log_factor: 10, decay_minutes: 1 };
        let (mut rng, now) = (Rng::new(1), Timestamp(600_000));
        let mut stamp = Stamp::first(now);
        assert_eq!(stamp.count(now, law), 5);
        (0..100).for_each(|_| stamp = stamp.counted(now, law, &mut rng));
        let hundred = stamp.count(now, law);
        (0..10_000).for_each(|_| stamp = stamp.counted(now, law, &mut rng));
        let many = stamp.count(now, law);
        assert!(hundred > 6 && hundred < 20 && many > hundred && many < 100, "{hundred} {many}");
        assert_eq!(stamp.count(Timestamp(600_000 + 3 * 60_000), law), many - 3);
        assert_eq!(stamp.count(Timestamp(600_000 + 300 * 60_000), law), 0);
        assert_eq!(stamp.count(Timestamp(60_000_000), Counting { decay_minutes: 0, ..law }), many);
    }

    #[test]
    fn without_a_factor_every_use_counts_up_to_the_most() {
        let law = Counting { log_factor: 0, decay_minutes: 1 };
        let (mut rng, now) = (Rng::new(1), Timestamp(0));
        let mut stamp = Stamp::first(now);
        (0..300).for_each(|_| stamp = stamp.counted(now, law, &mut rng));
        assert_eq!(stamp.count(now, law), COUNTER_MAX);
    }
}
