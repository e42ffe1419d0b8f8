//! What goes wrong with a shard, drawn from the seed: each seed has a character, so that some have many crashes, some a
//! bad network, some restless operators.

use super::NODES;
use crate::sim::random::Random;

/// Something that goes wrong. Who it meets is often the primary: the world fills that in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A process dies, and is back, empty, after so many milliseconds.
    Crash(Option<usize>, u64),
    /// A process is stopped for so many milliseconds, and goes on as if nothing was.
    Stop(Option<usize>, u64),
    /// A node and the other nodes do not reach each other; the metadata group reaches all.
    Island(Option<usize>),
    /// A node and the metadata group do not reach each other.
    Unled(Option<usize>),
    /// What a node says is lost, or what it is told.
    OneWay {
        /// The node.
        place: Option<usize>,
        /// Whether it is what it says.
        mute: bool,
    },
    /// A node is cut off from everybody but the clients.
    Isolate(Option<usize>),
    /// One link fails in one direction.
    CutLink(usize, usize),
    /// All links work again.
    Mend,
    /// The metadata group has no majority for so many milliseconds.
    NoQuorum(u64),
    /// Another node leads the metadata group.
    NewLeader,
    /// The primary is asked to make way.
    HandOver(Option<usize>),
    /// An operator wants another primary, whether this one agrees or not.
    Order(Option<usize>),
}

/// How a seed's faults are.
#[derive(Debug, Clone)]
pub struct Character {
    pause_ms_max: u64,
    /// Weights of crashes, stops, cuts, mending, metadata, operators.
    weights: [u64; 6],
    /// Whether the last in-sync life may be lost.
    pub reckless: bool,
}

impl Character {
    /// The character of a seed.
    pub fn draw(random: &mut Random) -> Self {
        let mut weights = [(); 6].map(|()| [0, 1, 1, 4][random.below(4)]);
        weights[3] = weights[3].max(1);
        let pause_ms_max = [150, 400, 1_000, 2_500][random.below(4)];
        Self { pause_ms_max, weights, reckless: random.chance(100) }
    }

    /// When the next fault comes.
    pub fn pause_ms(&self, random: &mut Random) -> u64 {
        random.within(10..self.pause_ms_max)
    }

    /// The next fault.
    pub fn next(&self, random: &mut Random) -> Fault {
        let total: u64 = self.weights.iter().sum();
        let mut drawn = random.within(0..total);
        let kind = self.weights.iter().position(|weight| match drawn.checked_sub(*weight) {
            Some(rest) => {
                drawn = rest;
                false
            }
            None => true,
        });
        // Half of the time whoever is the primary.
        let place = random.chance(500).then(|| random.below(NODES));
        match kind.unwrap_or(3) {
            0 => Fault::Crash(place, [30, 100, 700, 2_000][random.below(4)] + random.within(0..50)),
            1 => Fault::Stop(place, [50, 250, 450, 600, 1_500][random.below(5)] + random.within(0..100)),
            2 => match random.below(6) {
                0 => Fault::Island(place),
                1 => Fault::Unled(place),
                2 => Fault::OneWay { place, mute: random.chance(500) },
                3 => Fault::Isolate(place),
                _ => Fault::CutLink(random.below(NODES + 1), random.below(NODES + 1)),
            },
            4 => match random.chance(500) {
                true => Fault::NoQuorum(random.within(50..1_500)),
                false => Fault::NewLeader,
            },
            5 => match random.chance(800) {
                true => Fault::HandOver(place),
                false => Fault::Order(place),
            },
            _ => Fault::Mend,
        }
    }
}
