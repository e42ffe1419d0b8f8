//! Which cells hold all that a shape may hold: the one around its centre, and of the eight around that one those that
//! the shape reaches.
//!
//! The cells are as small as they can be while nine of them are enough: their size follows from the shape's, and is
//! doubled where the shape sticks out of the nine all the same. Near the poles meridians draw together, so that cells
//! are taken larger there. The order of the cells is that in which members are found, and replied if nothing sorts them.
//!
//! The cells are Redis', also where it takes too few: a shape that reaches across the 180th meridian or past the
//! cells of half the world is searched in what the nine cells hold of it.
//!
//! Source: `geohash_helper.c`, `geohashCalculateAreasByShapeWGS84`.

use super::geohash::{Area, Cell, STEPS};
use super::shape::Shape;

/// Half of what a Mercator map spans, in metres.
const HALF_MAP: f64 = 20_037_726.37;

/// The cells to search; what is left out is not needed.
pub(super) fn cells(shape: &Shape) -> [Option<Cell>; 9] {
    let bounds = shape.bounds();
    let mut steps = steps(shape.reach(), shape.center.latitude);
    let mut center = Cell::around(shape.center, steps);
    if steps > 1 && sticks_out(&bounds, center) {
        steps -= 1;
        center = Cell::around(shape.center, steps);
    }
    let area = center.area();
    // Cells of half the world have the same neighbour on either side.
    let leaves_out = steps >= 2;
    let no_south = leaves_out && area.south < bounds.south;
    let no_north = leaves_out && area.north > bounds.north;
    let no_west = leaves_out && area.west < bounds.west;
    let no_east = leaves_out && area.east > bounds.east;
    let (north, south) = (center.north(), center.south());
    [
        (false, center),
        (no_north, north),
        (no_south, south),
        (no_east, center.east()),
        (no_west, center.west()),
        (no_north || no_east, north.east()),
        (no_north || no_west, north.west()),
        (no_south || no_east, south.east()),
        (no_south || no_west, south.west()),
    ]
    .map(|(left_out, cell)| (!left_out).then_some(cell))
}

/// The steps of cells that are about as large as a shape of that reach.
fn steps(reach: f64, latitude: f64) -> u32 {
    if reach == 0.0 {
        return STEPS;
    }
    let (mut steps, mut doubled) = (1_i32, reach);
    // The smallest number there is takes a thousand rounds.
    while doubled < HALF_MAP {
        doubled *= 2.0;
        steps += 1;
    }
    steps -= 2;
    if latitude.abs() > 66.0 {
        steps -= 1;
    }
    if latitude.abs() > 80.0 {
        steps -= 1;
    }
    steps.clamp(1, STEPS.cast_signed()).cast_unsigned()
}

/// Whether a shape reaches beyond the neighbours of the cell it is centred in.
fn sticks_out(bounds: &Area, center: Cell) -> bool {
    center.north().area().north < bounds.north
        || center.south().area().south > bounds.south
        || center.east().area().east < bounds.east
        || center.west().area().west > bounds.west
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::geohash::Position;
    use super::super::shape::Extent;
    use super::*;

    fn circle(longitude: f64, latitude: f64, radius: f64) -> Shape {
        let center = Position { longitude, latitude };
        Shape { center, extent: Extent::Circle { radius }, unit: 1.0 }
    }

    #[test]
    fn cells_grow_with_the_shape() {
        for (reach, latitude, expected) in [
            (0.0, 0.0, 26),
            (1e-300, 0.0, 26),
            (0.5, 0.0, 25),
            (1_000.0, 0.0, 14),
            (1_000.0, 70.0, 13),
            (1_000.0, -85.0, 12),
            (1e9, 85.0, 1),
            (f64::INFINITY, 0.0, 1),
        ] {
            assert_eq!(steps(reach, latitude), expected, "{reach} {latitude}");
        }
    }

    #[test]
    fn cells_that_are_not_reached_are_left_out() {
        let count = |shape: &Shape| cells(shape).iter().flatten().count();
        // At a corner of four cells, in the middle of one, and over half the world.
        assert_eq!(count(&circle(0.0, 0.0, 1_000.0)), 4);
        assert_eq!(count(&circle(1.0, 1.0, 0.0)), 1);
        assert_eq!(count(&circle(0.0, 0.0, 1e8)), 9);
    }

    proptest! {
        /// Nine cells are enough, wherever meridians have not drawn together too far.
        #[test]
        fn all_of_a_shape_is_in_its_cells(
            longitude in -120.0..120.0,
            latitude in prop_oneof![-65.0..65.0, 60.0..65.0, -65.0..-60.0],
            power in 0.0..6.0,
        ) {
            let shape = circle(longitude, latitude, 10_f64.powf(power));
            let bounds = shape.bounds();
            let areas: Vec<Area> = cells(&shape).iter().flatten().map(|cell| cell.area()).collect();
            for longitude in [bounds.west, longitude, bounds.east] {
                for latitude in [bounds.south, latitude, bounds.north] {
                    let is_in = |area: &Area| {
                        (area.west..=area.east).contains(&longitude)
                            && (area.south..=area.north).contains(&latitude)
                    };
                    prop_assert!(areas.iter().any(is_in), "{} {}", longitude, latitude);
                }
            }
        }
    }
}
