//! A time wheel of hints: when to look for an expired key, and roughly where.
//!
//! A hint is eight bytes: a slot within the wheel's group of slots, a tick, and the leading bits of a key's hash. It
//! owns nothing and promises nothing. Whoever sets a deadline pushes a hint for it; nobody takes hints back. When its
//! tick has come, whoever polls looks into the slot at that place, and if there is no expired key the hint was stale.
//!
//! The wheel has six levels of 64 positions; a position of a level spans all of the level below. A hint lies on the
//! level of the highest bits in which its tick differs from the wheel's, and comes down as the wheel reaches its
//! position: at most five moves of eight bytes in its life. Ticks count from the wheel's first use, and six levels last
//! for 34 years; a deadline beyond gets no hint and is found when its key is next used.
//!
//! Hints lie in chunks of thirty, so that a wheel of few hints is small and one of many wastes little.

use nuthatch_proto::ids::Timestamp;

/// Milliseconds per tick: how late at most a hint comes due, besides the time between polls.
const TICK: u64 = 16;
const LEVELS: usize = 6;
/// Bits of a tick per level.
const BITS: u32 = 6;
const POSITIONS: usize = 1 << BITS;
/// Ticks at this distance or beyond get no hint.
const HORIZON: u64 = 1 << (BITS * LEVELS as u32);

/// How many slots share a wheel, in bits.
pub(crate) const GROUP_BITS: u32 = 8;
/// How many bits of the hash a hint keeps.
pub(crate) const PLACE_BITS: u32 = 26;
/// Low bits of the tick that a hint keeps: its position on the top level says the rest.
const DUE_BITS: u32 = 64 - GROUP_BITS - PLACE_BITS;
const _: () = assert!(DUE_BITS == BITS * (LEVELS as u32 - 1));

/// A slot of the group, and the leading bits of the order of a key's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hint {
    pub(crate) slot: u8,
    pub(crate) place: u32,
}

/// A hint with its tick, packed.
#[derive(Clone, Copy, Default)]
struct Packed(u64);

impl Packed {
    fn new(hint: Hint, due: u64) -> Self {
        let due = due & ((1 << DUE_BITS) - 1);
        Self(u64::from(hint.slot) << (64 - GROUP_BITS) | due << PLACE_BITS | u64::from(hint.place))
    }

    fn hint(self) -> Hint {
        let slot = (self.0 >> (64 - GROUP_BITS)) as u8;
        Hint { slot, place: (self.0 & ((1 << PLACE_BITS) - 1)) as u32 }
    }

    /// Its tick, which is not before `tick` and less than a position of the top level away.
    fn due_after(self, tick: u64) -> u64 {
        let mask = (1 << DUE_BITS) - 1;
        tick + ((self.0 >> PLACE_BITS).wrapping_sub(tick) & mask)
    }
}

const CHUNK: usize = 30;

/// Hints of one position; a list of chunks, the newest first.
struct Chunk {
    next: Option<Box<Self>>,
    len: usize,
    hints: [Packed; CHUNK],
}

const _: () = assert!(size_of::<Chunk>() == 256, "a chunk fills a size class");

impl Drop for Chunk {
    fn drop(&mut self) {
        // One after the other: dropping a long list recursively would exhaust the stack.
        let mut next = self.next.take();
        while let Some(mut chunk) = next {
            next = chunk.next.take();
        }
    }
}

/// One level: its positions, and which of them have hints.
struct Level {
    occupied: u64,
    positions: [Option<Box<Chunk>>; POSITIONS],
}

impl Default for Level {
    fn default() -> Self {
        Self { occupied: 0, positions: std::array::from_fn(|_| None) }
    }
}

impl Level {
    fn push(&mut self, position: usize, hint: Packed) {
        self.occupied |= 1 << position;
        let head = &mut self.positions[position];
        match head {
            Some(chunk) if chunk.len < CHUNK => {
                chunk.hints[chunk.len] = hint;
                chunk.len += 1;
            }
            _ => {
                let mut hints = [Packed::default(); CHUNK];
                hints[0] = hint;
                *head = Some(Box::new(Chunk { next: head.take(), len: 1, hints }));
            }
        }
    }

    fn pop(&mut self, position: usize) -> Option<Packed> {
        let head = &mut self.positions[position];
        let chunk = head.as_mut()?;
        // A chunk in the list has at least one hint.
        chunk.len -= 1;
        let hint = chunk.hints[chunk.len];
        if chunk.len == 0 {
            *head = chunk.next.take();
            if head.is_none() {
                self.occupied &= !(1 << position);
            }
        }
        Some(hint)
    }
}

/// The hints of one group of slots.
pub(crate) struct Wheel {
    /// The time of tick 0.
    start: Timestamp,
    /// Every hint before this tick was taken.
    tick: u64,
    len: usize,
    levels: [Level; LEVELS],
}

fn position(tick: u64, level: usize) -> usize {
    (tick >> (BITS * level as u32)) as usize % POSITIONS
}

impl Wheel {
    pub(crate) fn new(start: Timestamp) -> Self {
        Self { start, tick: 0, len: 0, levels: std::array::from_fn(|_| Level::default()) }
    }

    /// How many hints there are, stale ones too.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Forgets all hints.
    pub(crate) fn clear(&mut self) {
        self.levels = std::array::from_fn(|_| Level::default());
        self.len = 0;
    }

    /// Adds a hint that comes due at the deadline, or up to a tick later.
    pub(crate) fn push(&mut self, hint: Hint, deadline: Timestamp) {
        let due = deadline.0.saturating_sub(self.start.0).div_ceil(TICK).max(self.tick);
        if (due ^ self.tick) < HORIZON {
            self.len += 1;
            self.put(Packed::new(hint, due), due);
        }
    }

    fn put(&mut self, hint: Packed, due: u64) {
        let differing = (due ^ self.tick) | 1;
        let level = (differing.ilog2() / BITS) as usize;
        self.levels[level].push(position(due, level), hint);
    }

    /// Takes one hint that is due, if there is one.
    pub(crate) fn poll(&mut self, now: Timestamp) -> Option<Hint> {
        let target = now.0.saturating_sub(self.start.0) / TICK;
        while self.tick <= target {
            if let Some(hint) = self.levels[0].pop(position(self.tick, 0)) {
                self.len -= 1;
                return Some(hint.hint());
            }
            self.advance(target + 1);
        }
        None
    }

    /// Goes on to the next tick that may have hints, but not beyond `limit`.
    fn advance(&mut self, limit: u64) {
        if self.len == 0 {
            self.tick = limit;
            return;
        }
        // Later positions of the current round, on the lowest level that has any.
        let mut next = limit;
        for (level, at) in self.levels.iter().enumerate() {
            let here = position(self.tick, level);
            let later = at.occupied & (!1 << here);
            if later != 0 {
                let round = self.tick >> (BITS * (level as u32 + 1)) << (BITS * (level as u32 + 1));
                next = round + (u64::from(later.trailing_zeros()) << (BITS * level as u32));
                break;
            }
        }
        self.tick = next.min(limit);
        self.come_down();
    }

    /// Brings the hints of the positions just reached down to the levels they now belong on.
    fn come_down(&mut self) {
        for level in (1..LEVELS).rev() {
            let here = position(self.tick, level);
            while let Some(hint) = self.levels[level].pop(here) {
                let due = hint.due_after(self.tick);
                self.put(hint, due);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hints_keep_what_they_are_given() {
        let hint = Hint { slot: 255, place: (1 << PLACE_BITS) - 1 };
        let packed = Packed::new(hint, 0x1234_5678);
        assert_eq!((packed.hint(), packed.due_after(0x1234_0000)), (hint, 0x1234_5678));
        assert_eq!(packed.due_after((1 << DUE_BITS) + 0x1234_5678), (1 << DUE_BITS) + 0x1234_5678);
    }

    #[test]
    fn a_long_list_is_dropped_without_recursion() {
        let mut wheel = Wheel::new(Timestamp(0));
        (0..1_000_000).for_each(|place| wheel.push(Hint { slot: 0, place }, Timestamp(1_000_000)));
        assert_eq!(wheel.len(), 1_000_000);
        wheel.clear();
        assert_eq!(wheel.poll(Timestamp(u64::MAX / 2)), None);
    }

    #[test]
    fn what_lies_beyond_the_horizon_gets_no_hint() {
        let mut wheel = Wheel::new(Timestamp(5));
        wheel.push(Hint { slot: 0, place: 0 }, Timestamp(u64::MAX));
        assert_eq!(wheel.len(), 0);
        wheel.push(Hint { slot: 0, place: 1 }, Timestamp(0));
        assert_eq!(wheel.poll(Timestamp(5)), Some(Hint { slot: 0, place: 1 }));
    }

    proptest! {
        /// Every hint comes once, not before its deadline and at most a tick after the first poll that could give it.
        #[test]
        fn hints_come_on_time(
            start in 0..2_000_000_000_000u64,
            steps in proptest::collection::vec((0..40u32, 0..3u8, 0..5_000u64), 1..120),
        ) {
            let mut wheel = Wheel::new(Timestamp(start));
            let mut now = start;
            let mut waiting: Vec<(u64, u32)> = Vec::new();
            for (number, (magnitude, what, amount)) in (0u32..).zip(steps) {
                if what < 2 {
                    // Deadlines from milliseconds to decades away, and some past.
                    let deadline = (now + (amount << magnitude)).saturating_sub(20);
                    if (deadline.saturating_sub(start) / TICK + 1) ^ wheel.tick < HORIZON {
                        wheel.push(Hint { slot: 7, place: number }, Timestamp(deadline));
                        waiting.push((deadline, number));
                    }
                } else {
                    now += amount << (magnitude / 2);
                    while let Some(hint) = wheel.poll(Timestamp(now)) {
                        let found = waiting.iter().position(|&(_, number)| number == hint.place);
                        let (deadline, _) = waiting.swap_remove(found.expect("a hint comes once"));
                        prop_assert!(deadline <= now);
                    }
                    prop_assert!(waiting.iter().all(|&(deadline, _)| deadline + TICK > now));
                    prop_assert_eq!(wheel.len(), waiting.len());
                }
            }
        }
    }
}
