//! What a command is given beside its arguments: the time, the receiver of effects, counters and randomness.
//!
//! The engine reads no clock and rolls no dice. Each data thread owns one set of counters and one generator and lends
//! them for the length of a batch, so that no counter is shared on the way of a command.

use nuthatch_proto::ids::Timestamp;

use crate::effect::EffectSink;
use crate::notice::{Classes, NoNotices, NoticeSink};
use crate::touched::{HeldBack, Touched};

/// One thread's surroundings for one batch of commands.
pub struct Context<'a> {
    /// The time at which the batch runs; it does not move within it.
    pub now: Timestamp,
    /// Who hears of every change, under the lock of its slot.
    pub effects: &'a dyn EffectSink,
    /// The thread's counters.
    pub stats: &'a mut Stats,
    /// The thread's randomness.
    pub rng: &'a mut Rng,
    /// Who hears of keyspace notices, under the lock of the key's slot.
    pub notices: &'a dyn NoticeSink,
    /// The classes of notices that are wanted.
    pub classes: Classes,
    /// Whether keys keep the look of not being used (CLIENT NO-TOUCH).
    pub no_touch: bool,
    /// Whether a key whose time has come is only passed over, and stays. Only for commands that write nothing.
    pub keep_expired: bool,
    /// Whether a script asks: what has no order is then given in one, so that the script does the same every time.
    pub for_script: bool,
    /// Whether a key is there for as long as it was not deleted, whatever its deadline: the command comes from the server
    /// that is followed, for which it was there.
    pub sees_expired: bool,
    /// What the running command changed, while somebody attends to it.
    pub(crate) touched: Touched,
    /// Where that goes until all commands of a transaction are done, instead of being worked off.
    pub(crate) held_back: Option<&'a HeldBack>,
}

impl<'a> Context<'a> {
    /// Surroundings in which nobody asks for keyspace notices.
    #[inline]
    pub fn new(now: Timestamp, effects: &'a dyn EffectSink, stats: &'a mut Stats, rng: &'a mut Rng) -> Self {
        Self {
            now,
            effects,
            stats,
            rng,
            notices: &NoNotices,
            classes: Classes::empty(),
            no_touch: false,
            keep_expired: false,
            for_script: false,
            sees_expired: false,
            touched: Touched::default(),
            held_back: None,
        }
    }

    /// The same, with somebody who asks for notices of these classes.
    #[inline]
    #[must_use]
    pub fn with_notices(self, notices: &'a dyn NoticeSink, classes: Classes) -> Self {
        Self { notices, classes, ..self }
    }

    /// Has what commands change kept for the end of the transaction they belong to, whose commands run one by one while
    /// all other threads stand still.
    pub fn hold_back(&mut self, held: Option<&'a HeldBack>) {
        self.held_back = held;
    }

    /// Whether anybody hears of that class of events.
    #[inline]
    pub(crate) fn wants(&self, class: Classes) -> bool {
        self.classes.intersects(class)
    }

    /// Tells of an event on a key, if its class is wanted.
    #[inline]
    pub(crate) fn notify(&self, db: usize, class: Classes, event: &'static str, key: &[u8]) {
        if self.wants(class) {
            self.notices.notify(db, class, event, key);
        }
    }
}

/// What a thread's commands did; summed over the threads by whoever reports it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Reads that found their key.
    pub keyspace_hits: u64,
    /// Reads that did not.
    pub keyspace_misses: u64,
    /// Keys removed because their deadline had passed.
    pub expired_keys: u64,
    /// Fields of hashes removed because their deadline had passed.
    pub expired_fields: u64,
}

/// A small generator (SplitMix64): for sampling, never for secrets.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// A generator whose whole sequence follows from the seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 if that is 0.
    #[inline]
    pub fn below(&mut self, bound: usize) -> usize {
        // Widening multiplication maps the bits evenly enough: the bias is below bound / 2^64.
        ((u128::from(self.next_u64()) * bound as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_below_the_bound_and_reach_all_of_it() {
        let mut rng = Rng::new(7);
        let mut seen = [false; 10];
        for _ in 0..1000 {
            seen[rng.below(10)] = true;
        }
        assert_eq!(seen, [true; 10]);
        assert_eq!(rng.below(0), 0);
    }
}
