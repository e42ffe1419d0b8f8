//! What is searched: a circle or a box around a position, and distances on the globe.
//!
//! The globe is a sphere here, as in Redis; distances are great circles. A box is as wide as it says at each member's own
//! latitude, not at its centre's. The arithmetic is Redis' operation by operation, for distances are replied to four
//! digits and decide what is in; its order is not to be tidied up.
//!
//! Source: `geohash_helper.c`.

use std::f64::consts::PI;

use super::geohash::{Area, Position};

/// The earth's radius in metres: its quadratic mean.
const RADIUS: f64 = 6_372_797.560_856;
/// One degree.
const DEGREE: f64 = PI / 180.0;

/// A circle or a box.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape {
    pub(super) center: Position,
    pub(super) extent: Extent,
    /// How many metres one of its measures is.
    pub(super) unit: f64,
}

/// How large a shape is, in its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Extent {
    /// All that is not farther away.
    Circle { radius: f64 },
    /// So much from west to east, and from north to south.
    Box { width: f64, height: f64 },
}

impl Shape {
    /// How far a position is from the centre, in metres, if it is in the shape.
    pub(super) fn distance_within(&self, position: Position) -> Option<f64> {
        let center = self.center;
        match self.extent {
            Extent::Circle { radius } => {
                let away = distance(center, position);
                (!exceeds(away, radius * self.unit)).then_some(away)
            }
            Extent::Box { width, height } => {
                // Along a meridian is the cheaper way to find out.
                if exceeds(latitude_distance(position, center), height * self.unit / 2.0) {
                    return None;
                }
                let level = Position { longitude: center.longitude, ..position };
                if exceeds(distance(position, level), width * self.unit / 2.0) {
                    return None;
                }
                Some(distance(center, position))
            }
        }
    }

    /// The farthest that a position of it is from the centre, in metres.
    pub(super) fn reach(&self) -> f64 {
        let reach = match self.extent {
            Extent::Circle { radius } => radius,
            Extent::Box { width, height } => {
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt()
            }
        };
        reach * self.unit
    }

    /// The meridians and parallels it lies between; beyond the world, or no numbers at all, if it is huge.
    pub(super) fn bounds(&self) -> Area {
        let (width, height) = match self.extent {
            Extent::Circle { radius } => (radius, radius),
            Extent::Box { width, height } => (width / 2.0, height / 2.0),
        };
        let Position { longitude, latitude } = self.center;
        let to_north = self.unit * height / RADIUS / DEGREE;
        // The side that is nearer to a pole spans more meridians.
        let far = if latitude < 0.0 { latitude - to_north } else { latitude + to_north };
        let to_east = self.unit * width / RADIUS / (far * DEGREE).cos() / DEGREE;
        Area {
            west: longitude - to_east,
            east: longitude + to_east,
            south: latitude - to_north,
            north: latitude + to_north,
        }
    }
}

/// Whether the one is greater. What is no number is not.
fn exceeds(one: f64, other: f64) -> bool {
    one > other
}

/// The distance between two positions, in metres, by haversines.
pub(super) fn distance(from: Position, to: Position) -> f64 {
    let across = ((to.longitude * DEGREE - from.longitude * DEGREE) / 2.0).sin();
    if across == 0.0 {
        return latitude_distance(from, to);
    }
    let (from, to) = (from.latitude * DEGREE, to.latitude * DEGREE);
    let along = ((to - from) / 2.0).sin();
    let square = along * along + from.cos() * to.cos() * across * across;
    // Of positions on opposite sides it may round to more than 1, which is no sine.
    2.0 * RADIUS * square.sqrt().min(1.0).asin()
}

/// The distance between the parallels of two positions, in metres.
fn latitude_distance(from: Position, to: Position) -> f64 {
    RADIUS * (to.latitude * DEGREE - from.latitude * DEGREE).abs()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::geohash::WORLD;
    use super::*;

    fn at(longitude: f64, latitude: f64) -> Position {
        Position { longitude, latitude }
    }

    #[test]
    fn distances_are_great_circles() {
        let (palermo, catania) = (at(13.361389, 38.115556), at(15.087269, 37.502669));
        assert!((distance(palermo, catania) - 166_274.0).abs() < 1.0);
        let quarter = RADIUS * PI / 2.0;
        assert!((distance(at(0.0, 0.0), at(90.0, 0.0)) - quarter).abs() < 1e-6);
        assert!((distance(at(-180.0, 0.0), at(0.0, 0.0)) - 2.0 * quarter).abs() < 1e-6);
        assert_eq!(distance(at(7.0, 3.0), at(7.0, 3.0)), 0.0);
        // The same meridian by its two names.
        assert!(distance(at(-180.0, 10.0), at(180.0, 10.0)) < 1e-6);
    }

    #[test]
    fn a_box_is_as_wide_at_every_latitude() {
        let extent = Extent::Box { width: 200.0, height: 400.0 };
        let shape = Shape { center: at(0.0, 60.0), extent, unit: 1_000.0 };
        // A degree of longitude is some 55.6 km there, and some 52.8 km where it is 1.7 degrees farther north.
        assert!(shape.distance_within(at(1.79, 60.0)).is_some());
        assert!(shape.distance_within(at(1.81, 60.0)).is_none());
        assert!(shape.distance_within(at(1.81, 61.7)).is_some());
        assert!(shape.distance_within(at(0.0, 61.81)).is_none());
    }

    #[test]
    fn what_is_no_number_leaves_nothing_out() {
        let shape =
            Shape { center: at(0.0, 0.0), extent: Extent::Circle { radius: f64::INFINITY }, unit: 1_000.0 };
        assert!(shape.distance_within(at(-180.0, 85.0)).is_some());
        assert!(shape.bounds().west.is_nan() && shape.bounds().north.is_infinite());
    }

    proptest! {
        #[test]
        fn distances_are_finite_symmetric_and_at_most_half_way_round(
            longitudes in (-180.0..=180.0, -180.0..=180.0),
            latitudes in (WORLD.south..=WORLD.north, WORLD.south..=WORLD.north),
        ) {
            let (from, to) = (at(longitudes.0, latitudes.0), at(longitudes.1, latitudes.1));
            let there = distance(from, to);
            prop_assert!((0.0..=RADIUS * PI + 1e-6).contains(&there));
            prop_assert!((there - distance(to, from)).abs() < 1e-6);
        }
    }
}
