//! The world's only source of chance: SplitMix64, so that a run is its seed and nothing else.
//!
//! The algorithm is fixed here on purpose: a generator from a library may change with its version, and every seed that was
//! ever written down would mean another run.

use std::ops::Range;

/// A generator.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The generator of a seed. Neighbouring seeds give unrelated numbers.
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed ^ 0x6a09_e667_f3bc_c908);
        random.bits();
        random
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in the range, which must not be empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.bits() % (range.end - range.start)
    }

    /// An index below `length`.
    pub fn below(&mut self, length: usize) -> usize {
        usize::try_from(self.within(0..length as u64)).expect("below a usize")
    }

    /// True with that chance in a thousand.
    pub fn chance(&mut self, permille: u64) -> bool {
        self.within(0..1000) < permille
    }

    /// One of them; none of none.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        (!from.is_empty()).then(|| from[self.below(from.len())])
    }
}
