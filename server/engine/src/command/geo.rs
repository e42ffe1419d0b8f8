//! Commands on positions: members of sorted sets whose scores are geohashes.
//!
//! There is no type of its own: GEOADD ([`add`]) is ZADD with scores made of positions, and whatever ZADD put into a set is
//! a position too. Here are the commands that read members by name; [`search`] finds those in an area, which [`query`]
//! reads from the arguments. Geohashes are [`geohash`]'s, areas and distances [`shape`]'s, and which cells to look at
//! [`cover`]'s business.

mod add;
mod cover;
mod geohash;
mod query;
mod search;
mod shape;

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::{CommandError, Handled, args};
use crate::context::Context;
use crate::store::locked::LockedSlots;
use crate::value::SortedSet;
use geohash::{Position, WORLD};

pub(super) use add::geoadd;
pub(super) use query::{Form, is_store};
pub(super) use search::search;

/// A longitude and a latitude.
fn position(longitude: &[u8], latitude: &[u8]) -> Result<Position, CommandError> {
    let (longitude, latitude) = (args::float(longitude)?, args::float(latitude)?);
    let is_in_world =
        (WORLD.west..=WORLD.east).contains(&longitude) && (WORLD.south..=WORLD.north).contains(&latitude);
    if !is_in_world {
        return Err(CommandError::NoPosition(format!("{longitude:.6},{latitude:.6}")));
    }
    Ok(Position { longitude, latitude })
}

/// How many metres a unit is.
fn unit(word: &[u8]) -> Result<f64, CommandError> {
    const UNITS: [(&str, f64); 4] = [("m", 1.0), ("km", 1_000.0), ("ft", 0.3048), ("mi", 1_609.34)];
    let found = UNITS.into_iter().find(|(name, _)| args::is(word, name));
    let unsupported = CommandError::Other("ERR unsupported unit provided. please use M, KM, FT, MI");
    found.map(|(_, metres)| metres).ok_or(unsupported)
}

/// Where a member of a set is, if it is one.
fn position_of(set: &SortedSet, member: &[u8]) -> Option<Position> {
    set.score(member).map(Position::of_score)
}

/// A distance, with four digits behind the point.
fn write_distance(reply: &mut ReplyWriter<'_>, distance: f64) {
    const FRACTION: i64 = 10_000;
    // No distance on the globe comes near what the integer holds.
    let scaled = (distance * FRACTION as f64).round_ties_even() as i64;
    reply.bulk(format!("{}.{:04}", scaled / FRACTION, scaled % FRACTION).as_bytes());
}

/// A position, as an array of its longitude and its latitude.
fn write_position(reply: &mut ReplyWriter<'_>, position: Position) {
    reply.array(2);
    for degrees in [position.longitude, position.latitude] {
        let text = format!("{degrees:.17}");
        reply.double_text(text.trim_end_matches('0').trim_end_matches('.'));
    }
}

pub(super) fn geopos(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (set, members) = (slots.read::<SortedSet>(cx, args.at(1))?, args.skip(2));
    reply.array(members.len());
    for member in members.iter() {
        match set.and_then(|set| position_of(set, member)) {
            Some(position) => write_position(reply, position),
            None => reply.null_array(),
        }
    }
    Ok(())
}

pub(super) fn geohash(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (set, members) = (slots.read::<SortedSet>(cx, args.at(1))?, args.skip(2));
    reply.array(members.len());
    for member in members.iter() {
        let position = set.and_then(|set| position_of(set, member));
        let text = position.map(Position::text);
        reply.bulk_or_null(text.as_ref().map(|text| &text[..]));
    }
    Ok(())
}

pub(super) fn geodist(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let metres = match args.get(4) {
        Some(word) if args.len() == 5 => unit(word)?,
        Some(_) => return Err(CommandError::Syntax),
        None => 1.0,
    };
    let set = slots.read::<SortedSet>(cx, args.at(1))?;
    let ends = set.and_then(|set| Some((position_of(set, args.at(2))?, position_of(set, args.at(3))?)));
    match ends {
        Some((from, to)) => write_distance(reply, shape::distance(from, to) / metres),
        None => reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::Protocol;

    use crate::testing::Bench;

    fn sicily() -> Bench {
        let mut bench = Bench::new();
        bench.check("GEOADD s 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", ":2");
        bench
    }

    #[test]
    fn members_are_told_by_name() {
        sicily().check_all(&[
            ("ZSCORE s Palermo", "3479099956230698"),
            ("GEOHASH s Palermo x Catania", "[sqc8b49rny0 nil sqdtr74hyu0]"),
            ("GEOHASH s", "[]"),
            ("GEOHASH none a b", "[nil nil]"),
            ("GEOPOS s x Catania", "[nil [15.08726745843887329 37.50266842333162032]]"),
            ("GEOPOS none a", "[nil]"),
            ("GEODIST s Palermo Catania", "166274.1516"),
            ("GEODIST s Palermo Catania KM", "166.2742"),
            ("GEODIST s Palermo Catania mi", "103.3182"),
            ("GEODIST s Catania Palermo ft", "545518.8700"),
            ("GEODIST s Palermo Palermo", "0.0000"),
            ("GEODIST s Palermo x", "nil"),
            ("GEODIST none Palermo Catania", "nil"),
        ]);
    }

    #[test]
    fn whatever_score_a_member_has_it_is_somewhere() {
        let mut bench = Bench::new();
        bench.check("ZADD z -1 low inf high 1.5 between", ":3");
        bench.check_all(&[
            ("GEOHASH z low high between", "[bp05b5048p0 00bh0hbj200 00bh0hbj210]"),
            ("GEOPOS z low", "[[180 85.0511287799999991]]"),
        ]);
    }

    #[test]
    fn what_is_null_depends_on_the_command() {
        let mut bench = sicily();
        assert_eq!(bench.run_raw(&["GEOPOS", "s", "x"]), b"*1\r\n*-1\r\n");
        assert_eq!(bench.run_raw(&["GEOHASH", "s", "x"]), b"*1\r\n$-1\r\n");
        assert_eq!(bench.run_raw(&["GEODIST", "s", "x", "y"]), b"$-1\r\n");
        bench.protocol = Protocol::Resp3;
        assert_eq!(bench.run_raw(&["GEOPOS", "s", "x"]), b"*1\r\n_\r\n");
        assert_eq!(bench.run_raw(&["GEODIST", "s", "Palermo", "Catania"]), b"$11\r\n166274.1516\r\n");
        let position = b"*1\r\n*2\r\n,13.36138933897018433\r\n,38.11555639549629859\r\n";
        assert_eq!(bench.run_raw(&["GEOPOS", "s", "Palermo"]), position);
    }

    #[test]
    fn wrong_arguments_are_told_apart() {
        let mut bench = sicily();
        bench.check("SET t v", "+OK");
        let wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        bench.check_all(&[
            ("GEODIST s a b yd", "-ERR unsupported unit provided. please use M, KM, FT, MI"),
            ("GEODIST s a b m m", "-ERR syntax error"),
            ("GEODIST t a b yd", "-ERR unsupported unit provided. please use M, KM, FT, MI"),
            ("GEODIST t a b", wrong_type),
            ("GEOPOS t", wrong_type),
            ("GEOHASH t a", wrong_type),
        ]);
    }
}
