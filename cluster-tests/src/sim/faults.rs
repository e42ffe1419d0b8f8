//! What goes wrong, how often and for how long: drawn from the seed, so that seeds differ in character.
//!
//! A seed has a character: some have many crashes, some a bad network, some restless members. Faults that were drawn evenly
//! would seldom meet each other in the ways that matter. What a fault does is the world's business.

use super::network::Place;
use super::random::Random;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A process dies, and is back after so many milliseconds.
    Crash(Place, u64),
    /// The power fails.
    CrashAll(u64),
    /// A process is stopped for so many milliseconds, and goes on as if nothing was.
    Stop(Place, u64),
    /// The network falls into two halves; the bits say who is where.
    Split(u64),
    /// Nobody hears the leader, or the leader hears nobody, or both.
    CutLeader {
        /// What it says is lost.
        mute: bool,
        /// What it is told is lost.
        deaf: bool,
    },
    /// The leader dies for so many milliseconds, and the others cannot hear each other: all of them want its vote.
    Rivals(u64),
    /// One link fails in one direction.
    CutLink(Place, Place),
    /// All links work again.
    Mend,
    /// Leadership is handed over.
    Transfer(Place),
    /// A node loses its directory.
    Wipe(Place),
    /// A node is forgotten, starts anew and joins again.
    Forget(Place),
}

/// How a seed's faults are.
#[derive(Debug, Clone)]
pub struct Character {
    /// Milliseconds between two faults, at most.
    pause_ms_max: u64,
    /// Weights of crashes, stops, network faults, and changes of members.
    weights: [u64; 4],
}

impl Character {
    /// The character of a seed.
    pub fn draw(random: &mut Random) -> Self {
        let weights = [(); 4].map(|()| [0, 1, 4][random.below(3)]);
        Self { pause_ms_max: [300, 1_000, 3_000][random.below(3)], weights }
    }

    /// Crashes and network faults without a pause.
    pub fn harsh() -> Self {
        Self { pause_ms_max: 600, weights: [1, 0, 4, 0] }
    }

    /// When the next fault comes.
    pub fn pause_ms(&self, random: &mut Random) -> u64 {
        random.within(20..self.pause_ms_max)
    }

    /// The next fault.
    pub fn next(&self, random: &mut Random, places: usize) -> Fault {
        let total: u64 = self.weights.iter().sum();
        let mut drawn = random.within(0..total + 1);
        for (kind, weight) in self.weights.iter().enumerate() {
            match drawn.checked_sub(*weight) {
                Some(rest) => drawn = rest,
                None => return draw(kind, random, places),
            }
        }
        Fault::Mend
    }
}

fn draw(kind: usize, random: &mut Random, places: usize) -> Fault {
    let place = random.below(places);
    let most_ms = [100, 1_000, 4_000][random.below(3)];
    let time = random.within(20..most_ms);
    match kind {
        0 if random.chance(100) => Fault::CrashAll(time),
        0 => Fault::Crash(place, time),
        1 => Fault::Stop(place, time),
        2 => match random.below(10) {
            0 => Fault::Split(random.bits()),
            1 | 2 => Fault::CutLeader { mute: random.chance(700), deaf: random.chance(700) },
            3 => Fault::Rivals(time),
            4 => Fault::CutLink(place, random.below(places)),
            _ => Fault::Mend,
        },
        _ => match random.below(6) {
            0 => Fault::Wipe(place),
            1 => Fault::Forget(place),
            _ => Fault::Transfer(place),
        },
    }
}
