//! The network: per directed link a delay, and chances of loss and of a second copy. Messages overtake each other.
//!
//! Cutting a link is one-way, so that half-open partitions are as common as clean ones.

use std::collections::BTreeSet;
use std::ops::Range;

use super::random::Random;

/// A node's place in the world.
pub type Place = usize;

/// How links behave.
#[derive(Debug, Clone)]
pub struct Network {
    /// Usual delay, in milliseconds.
    pub delay_ms: Range<u64>,
    /// Chance in a thousand that a message takes far longer.
    pub slow_permille: u64,
    /// Chance in a thousand that a message is lost.
    pub loss_permille: u64,
    /// Chance in a thousand that a message arrives twice.
    pub copy_permille: u64,
    cut: BTreeSet<(Place, Place)>,
}

impl Network {
    /// A network as a seed has it: mostly good, sometimes bad.
    pub fn draw(random: &mut Random) -> Self {
        let most_ms = [3, 10, 50][random.below(3)];
        Self {
            delay_ms: 1..most_ms,
            slow_permille: [0, 5, 30][random.below(3)],
            loss_permille: [0, 10, 100][random.below(3)],
            copy_permille: [0, 10, 50][random.below(3)],
            cut: BTreeSet::new(),
        }
    }

    /// After how many milliseconds a message arrives: never, once or twice.
    pub fn arrivals(&self, random: &mut Random, from: Place, to: Place) -> Vec<u64> {
        if self.is_cut(from, to) || random.chance(self.loss_permille) {
            return Vec::new();
        }
        let copies = 1 + usize::from(random.chance(self.copy_permille));
        (0..copies).map(|_| self.delay(random)).collect()
    }

    fn delay(&self, random: &mut Random) -> u64 {
        match random.chance(self.slow_permille) {
            true => random.within(100..2_000),
            false => random.within(self.delay_ms.clone()),
        }
    }

    /// Whether nothing gets through that way.
    pub fn is_cut(&self, from: Place, to: Place) -> bool {
        self.cut.contains(&(from, to))
    }

    /// Cuts one direction.
    pub fn cut(&mut self, from: Place, to: Place) {
        self.cut.insert((from, to));
    }

    /// Cuts all links between the two sides, both ways.
    pub fn split(&mut self, sides: impl Fn(Place) -> bool, places: usize) {
        for from in 0..places {
            for to in (0..places).filter(|to| sides(*to) != sides(from)) {
                self.cut(from, to);
            }
        }
    }

    /// Mends all cuts.
    pub fn mend(&mut self) {
        self.cut.clear();
    }

    /// A network without faults.
    pub fn heal(&mut self) {
        self.mend();
        (self.slow_permille, self.loss_permille, self.copy_permille) = (0, 0, 0);
        self.delay_ms = 1..5;
    }
}
