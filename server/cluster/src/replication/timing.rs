//! Leases and promises: who may rely on what for how long, on clocks that are never compared.
//!
//! A primary may answer reads as long as nobody can have taken its place. Its replicas see to that: each time one takes
//! an append or a ping, it promises not to accept a fence for `G` on its own clock, from the moment it received it. The
//! primary counts on the promise for `L` on its own clock, from the moment it sent what the replica answers. Sending
//! comes before receiving, and `G` is as much longer than `L` as two clocks may differ in rate, so the primary stops
//! first. No clock's reading is ever compared with another's; a reading that comes back is only compared with itself.
//!
//! The rates of two clocks may differ by 1 %. If they differ by more the damage is a stale read, never a lost write.
//!
//! Times are milliseconds of the machine's lease clock (CLOCK_BOOTTIME, which goes on in a suspended machine), handed in
//! with every step.

use std::collections::VecDeque;

use nuthatch_proto::ids::{Epoch, ReplicationOffset};

/// A reading of one node's lease clock, in milliseconds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// Later than any reading.
    pub const NEVER: Self = Self(u64::MAX);

    /// That many milliseconds later.
    #[must_use]
    pub fn after(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// The milliseconds since an earlier reading; none if it is later.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// How long things take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// For how long a primary counts on a promise: `L`.
    pub lease_ms: u64,
    /// Between two pings.
    pub ping_ms: u64,
    /// After how much silence of a member a primary has it taken out of the in-sync set.
    pub shrink_ms: u64,
    /// After how much silence of the primary a replica reports it.
    pub suspect_ms: u64,
    /// Between two reports, greetings, fences or proposals that got no answer.
    pub retry_ms: u64,
    /// How long a suspicion must last if the metadata leader itself hears the primary well.
    pub insist_ms: u64,
    /// How long after the first fenced member the others are waited for.
    pub gather_ms: u64,
    /// After how long a planned switch that got nowhere is given up, and a round of fencing that nobody answered.
    pub give_up_ms: u64,
    /// How far behind a member may be, in bytes of effects.
    pub lag_bytes_max: u64,
}

impl Default for Timings {
    /// For a local network.
    fn default() -> Self {
        Self {
            lease_ms: 500,
            ping_ms: 50,
            shrink_ms: 300,
            suspect_ms: 400,
            retry_ms: 100,
            insist_ms: 300,
            gather_ms: 100,
            give_up_ms: 2_000,
            lag_bytes_max: 64 * 1024 * 1024,
        }
    }
}

impl Timings {
    /// For how long a replica keeps a promise: `G`, longer than the lease by what clocks may differ and a bit.
    pub fn promise_ms(&self) -> u64 {
        self.lease_ms.saturating_add(self.lease_ms / 50).saturating_add(10)
    }
}

/// What a replica owes the primaries that it followed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Promise {
    /// The last epoch whose primary was promised something.
    epoch: Epoch,
    /// The primary's time of the last message that counted.
    sent: Time,
    /// Until when no fence is accepted.
    until: Time,
}

impl Promise {
    /// Whether a fence has to wait, and for how many milliseconds.
    pub fn ends_in(&self, now: Time) -> Option<u64> {
        (now < self.until).then(|| self.until.since(now))
    }

    /// When it ends.
    pub fn until(&self) -> Time {
        self.until
    }

    /// Promises the primary of an epoch, in answer to what it sent at `sent`.
    pub fn give(&mut self, now: Time, epoch: Epoch, sent: Time, timings: &Timings) {
        if (self.epoch, self.sent) <= (epoch, sent) {
            (self.epoch, self.sent) = (epoch, sent);
        }
        self.until = self.until.max(now.after(timings.promise_ms()));
    }

    /// The primary of that epoch gives the promise back: it serves no more until it is promised something anew. A word
    /// that was overtaken by a later one of the same primary says nothing.
    pub fn release(&mut self, now: Time, epoch: Epoch, sent: Time) {
        if self.epoch == epoch && self.sent <= sent {
            self.sent = sent;
            self.until = now;
        }
    }
}

/// How many moments are remembered: more than there are pings in a lease.
const MARKS_MAX: usize = 32;

/// At what time a primary's log ended where, so that an acknowledged offset tells how old what is missing can be.
#[derive(Debug, Default, Clone)]
pub(super) struct Marks(VecDeque<(Time, ReplicationOffset)>);

impl Marks {
    /// All that was appended before `now` is below `end`.
    pub(super) fn set(&mut self, now: Time, end: ReplicationOffset) {
        if self.0.len() >= MARKS_MAX {
            self.0.pop_front();
        }
        self.0.push_back((now, end));
    }

    /// The last moment whose whole log is below `acked`.
    pub(super) fn covered(&self, acked: ReplicationOffset) -> Option<Time> {
        self.0.iter().rev().find(|(_, end)| *end <= acked).map(|(time, _)| *time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_outlasts_the_lease_on_clocks_one_percent_apart() {
        for lease_ms in [50, 500, 2_000] {
            let timings = Timings { lease_ms, ..Timings::default() };
            // The primary's clock is the slower one: it counts `L` in more real time than the replica counts `G`.
            assert!(timings.promise_ms() * 990 > lease_ms * 1_000, "{lease_ms}");
        }
        assert_eq!(Timings::default().promise_ms(), 520);
    }

    #[test]
    fn a_promise_is_renewed_and_given_back() {
        let timings = Timings::default();
        let mut promise = Promise::default();
        assert_eq!(promise.ends_in(Time(0)), None);
        promise.give(Time(100), Epoch(1), Time(9_000), &timings);
        assert_eq!(promise.ends_in(Time(100)), Some(520));
        assert_eq!(promise.ends_in(Time(620)), None);
        promise.release(Time(110), Epoch(1), Time(8_999));
        assert_eq!(promise.ends_in(Time(110)), Some(510), "a late word");
        promise.release(Time(110), Epoch(2), Time(9_999));
        assert_eq!(promise.ends_in(Time(110)), Some(510), "another's word");
        promise.release(Time(110), Epoch(1), Time(9_001));
        assert_eq!(promise.ends_in(Time(110)), None);
    }

    #[test]
    fn marks_tell_how_old_what_is_missing_can_be() {
        let mut marks = Marks::default();
        for tick in 0..100 {
            marks.set(Time(tick * 50), ReplicationOffset(tick * 7));
        }
        assert_eq!(marks.covered(ReplicationOffset(99 * 7)), Some(Time(4_950)));
        assert_eq!(marks.covered(ReplicationOffset(99 * 7 - 1)), Some(Time(4_900)));
        assert_eq!(marks.covered(ReplicationOffset(7)), None, "too long ago to be remembered");
        assert_eq!(marks.0.len(), MARKS_MAX);
    }

    #[test]
    fn times_do_not_overflow() {
        let mut promise = Promise::default();
        promise.give(Time(u64::MAX), Epoch(u64::MAX), Time(u64::MAX), &Timings::default());
        assert_eq!(promise.ends_in(Time(u64::MAX)), None);
        assert_eq!(Time(5).since(Time(9)), 0);
    }
}
