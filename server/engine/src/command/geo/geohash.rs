//! Geohashes: a position as one number, of which every shorter prefix names a larger cell around it.
//!
//! Longitude and latitude are each a fraction of their range, in so many steps of one bit, and the bits of the two take
//! turns, longitude first. All 26 steps make 52 bits, which a double holds exactly: that is the score of a member. A cell
//! of fewer steps is a prefix, so its members are a range of scores. What stands on the eastern or northern edge of the
//! world has the fraction 1 and with it one bit more; its neighbours come round to the other side.
//!
//! The arithmetic is Redis' operation by operation, so that scores and positions agree to the last bit. The strings of
//! GEOHASH are the same idea over the whole globe, where Mercator maps have no poles.
//!
//! Source: `geohash.c`; interleaving as in "Bit Twiddling Hacks".

use crate::value::{ScoreBound, ScoreRange};

/// How many steps a score has.
pub(super) const STEPS: u32 = 26;

/// Where the bits of longitudes stand in a geohash.
const LONGITUDE: u64 = 0xaaaa_aaaa_aaaa_aaaa;
/// Where the bits of latitudes stand.
const LATITUDE: u64 = 0x5555_5555_5555_5555;

/// How bits are moved apart, and which of them are meant after each move.
const MOVES: [(u32, u64); 5] = [
    (16, 0x0000_ffff_0000_ffff),
    (8, 0x00ff_00ff_00ff_00ff),
    (4, 0x0f0f_0f0f_0f0f_0f0f),
    (2, 0x3333_3333_3333_3333),
    (1, 0x5555_5555_5555_5555),
];

/// A position, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Position {
    pub(super) longitude: f64,
    pub(super) latitude: f64,
}

/// What lies between two longitudes and two latitudes, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) west: f64,
    pub(super) east: f64,
    pub(super) south: f64,
    pub(super) north: f64,
}

/// Where positions may be: a square of the web's Mercator projection.
pub(super) const WORLD: Area =
    Area { west: -180.0, east: 180.0, south: -85.051_128_78, north: 85.051_128_78 };

/// Where they may be in the strings of GEOHASH.
const GLOBE: Area = Area { west: -180.0, east: 180.0, south: -90.0, north: 90.0 };

/// A cell of the world: the geohash of so many steps that all positions in it begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    bits: u64,
    steps: u32,
}

impl Cell {
    /// The cell of so many steps, at least 1, that a position of the world is in.
    pub(super) fn around(position: Position, steps: u32) -> Self {
        Self::within(WORLD, position, steps)
    }

    fn within(world: Area, position: Position, steps: u32) -> Self {
        let cells = (1_u64 << steps) as f64;
        let north = (position.latitude - world.south) / (world.north - world.south) * cells;
        let east = (position.longitude - world.west) / (world.east - world.west) * cells;
        Self { bits: spread(north as u32) | spread(east as u32) << 1, steps }
    }

    /// The cell that a score names; any score does, for nothing keeps ZADD from a set of positions.
    fn of_score(score: f64) -> Self {
        Self { bits: bits_of(score), steps: STEPS }
    }

    /// Its extent.
    pub(super) fn area(self) -> Area {
        let cells = (1_u64 << self.steps) as f64;
        let latitude = |north: u32| WORLD.south + f64::from(north) / cells * (WORLD.north - WORLD.south);
        let longitude = |east: u32| WORLD.west + f64::from(east) / cells * (WORLD.east - WORLD.west);
        let (north, east) = (gather(self.bits), gather(self.bits >> 1));
        Area {
            west: longitude(east),
            east: longitude(east.wrapping_add(1)),
            south: latitude(north),
            north: latitude(north.wrapping_add(1)),
        }
    }

    /// The scores of the members in it.
    pub(super) fn scores(self) -> ScoreRange {
        let missing = 2 * (STEPS - self.steps);
        let score = |bits: u64| (bits << missing) as f64;
        ScoreRange {
            min: ScoreBound { score: score(self.bits), exclusive: false },
            max: ScoreBound { score: score(self.bits + 1), exclusive: true },
        }
    }

    pub(super) fn east(self) -> Self {
        self.forth(LONGITUDE)
    }

    pub(super) fn west(self) -> Self {
        self.back(LONGITUDE)
    }

    pub(super) fn north(self) -> Self {
        self.forth(LATITUDE)
    }

    pub(super) fn south(self) -> Self {
        self.back(LATITUDE)
    }

    /// The next cell along an axis. The other axis' bits are set in between, so that a carry runs through them.
    fn forth(self, axis: u64) -> Self {
        let others = self.mask() & !axis;
        self.with(axis, (self.bits & axis).wrapping_add(others + 1))
    }

    /// The cell before along an axis, in the same manner.
    fn back(self, axis: u64) -> Self {
        let others = self.mask() & !axis;
        self.with(axis, (self.bits & axis | others).wrapping_sub(others + 1))
    }

    fn with(self, axis: u64, bits: u64) -> Self {
        Self { bits: self.bits & !axis | bits & axis & self.mask(), ..self }
    }

    /// The bits that a cell of so many steps has.
    fn mask(self) -> u64 {
        u64::MAX >> (64 - 2 * self.steps)
    }
}

impl Position {
    /// The score of a member at this position of the world.
    pub(super) fn score(self) -> f64 {
        Cell::around(self, STEPS).bits as f64
    }

    /// Where a member of that score is: in the middle of its cell.
    pub(super) fn of_score(score: f64) -> Self {
        let area = Cell::of_score(score).area();
        Self {
            longitude: ((area.west + area.east) / 2.0).clamp(WORLD.west, WORLD.east),
            latitude: ((area.south + area.north) / 2.0).clamp(WORLD.south, WORLD.north),
        }
    }

    /// Its geohash as everybody else writes it. The eleventh character has no bits left and is always the first one.
    pub(super) fn text(self) -> [u8; 11] {
        const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits = Cell::within(GLOBE, self, STEPS).bits;
        std::array::from_fn(|index| {
            let digit = if index < 10 { bits >> (47 - 5 * index) & 0x1f } else { 0 };
            ALPHABET[digit as usize]
        })
    }
}

/// Puts a place between every two bits.
fn spread(bits: u32) -> u64 {
    MOVES.iter().fold(u64::from(bits), |bits, &(by, mask)| (bits | bits << by) & mask)
}

/// Takes every second bit, the lowest among them.
fn gather(bits: u64) -> u32 {
    let gathered = MOVES.iter().rev().fold(bits, |bits, &(by, mask)| {
        let meant = bits & mask;
        meant | meant >> by
    });
    gathered as u32
}

/// A score without its fraction. What no 64 bits hold C leaves open; this is what Redis has of it on x86-64.
fn bits_of(score: f64) -> u64 {
    const SIGN: f64 = (1_u64 << 63) as f64;
    if score < SIGN {
        (score as i64).cast_unsigned()
    } else if score < 2.0 * SIGN {
        score as u64
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn positions() -> impl Strategy<Value = Position> {
        (WORLD.west..WORLD.east, WORLD.south..WORLD.north)
            .prop_map(|(longitude, latitude)| Position { longitude, latitude })
    }

    #[test]
    fn scores_are_those_of_redis() {
        for (longitude, latitude, score) in [
            (13.361389, 38.115556, 3_479_099_956_230_698.0),
            (15.087269, 37.502669, 3_479_447_370_796_909.0),
            (0.0, 0.0, 3_377_699_720_527_872.0),
            (-180.0, WORLD.south, 0.0),
            (180.0, WORLD.south, 9_007_199_254_740_992.0),
            (-180.0, WORLD.north, 4_503_599_627_370_496.0),
            (180.0, WORLD.north, 13_510_798_882_111_488.0),
        ] {
            assert_eq!(Position { longitude, latitude }.score(), score, "{longitude} {latitude}");
        }
    }

    #[test]
    fn scores_that_are_no_geohashes_are_positions_too() {
        let corner = Position { longitude: 180.0, latitude: WORLD.north };
        let origin = Position::of_score(0.0);
        assert_eq!(Position::of_score(2_f64.powi(60) - 256.0), corner);
        assert_eq!(Position::of_score(f64::INFINITY), origin);
        assert_eq!(Position::of_score(0.75), origin);
        assert_eq!(Position::of_score(f64::NEG_INFINITY), Position { longitude: 180.0, ..origin });
        // All bits are set, and one more cell is none.
        assert_eq!(Position::of_score(-1.0), corner);
    }

    #[test]
    fn texts_are_the_ones_on_the_wall() {
        let text = |longitude, latitude| {
            let position = Position::of_score(Position { longitude, latitude }.score());
            String::from_utf8(position.text().to_vec()).expect("an alphabet of letters")
        };
        assert_eq!(text(13.361389, 38.115556), "sqc8b49rny0");
        assert_eq!(text(15.087269, 37.502669), "sqdtr74hyu0");
        assert_eq!(text(-5.6, 42.6), "ezs42e44yx0");
    }

    #[test]
    fn neighbours_come_round() {
        let corner = Cell { bits: 0, steps: 3 };
        assert_eq!(corner.west(), Cell { bits: 0b10_1010, steps: 3 });
        assert_eq!(corner.south(), Cell { bits: 0b01_0101, steps: 3 });
        assert_eq!(corner.west().south().north().east(), corner);
        let edge = Cell::around(Position { longitude: 180.0, latitude: 0.0 }, 3);
        assert_eq!(edge.west().area().east, 180.0);
    }

    proptest! {
        #[test]
        fn bits_take_turns_and_come_back(low in any::<u32>(), high in any::<u32>()) {
            let bits = spread(low) | spread(high) << 1;
            prop_assert_eq!((gather(bits), gather(bits >> 1)), (low, high));
            for bit in 0..32 {
                prop_assert_eq!(bits >> (2 * bit) & 1, u64::from(low >> bit & 1));
            }
        }

        /// A position is in each of its cells, its score in each cell's scores, and what is read back is near.
        #[test]
        fn positions_are_in_their_cells(position in positions(), steps in 1..=STEPS) {
            let cell = Cell::around(position, steps);
            let (area, scores) = (cell.area(), cell.scores());
            // A cell's borders are rounded, and so are fractions.
            let near = 1e-12;
            prop_assert!(area.west - near <= position.longitude && position.longitude <= area.east + near);
            prop_assert!(area.south - near <= position.latitude && position.latitude <= area.north + near);
            let score = position.score();
            prop_assert!(scores.min.score <= score && score < scores.max.score);
            let read = Position::of_score(score);
            prop_assert!((read.longitude - position.longitude).abs() <= 360.0 / 2_f64.powi(26));
            prop_assert!((read.latitude - position.latitude).abs() <= 180.0 / 2_f64.powi(26));
            prop_assert_eq!(read.score(), score);
        }

        /// The way to a neighbour and back leads home.
        #[test]
        fn neighbours_are_mutual(position in positions(), steps in 1..=STEPS) {
            let cell = Cell::around(position, steps);
            prop_assert_eq!(cell.east().west(), cell);
            prop_assert_eq!(cell.north().south(), cell);
            prop_assert_eq!(cell.north().east(), cell.east().north());
        }
    }
}
