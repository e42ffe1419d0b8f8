//! Finding the members in an area, and replying with them or storing them.
//!
//! The members of each cell that the area reaches ([`super::cover`]) are a range of scores, and each of them is asked how
//! far it is from the centre. Their order is that of the cells unless they are sorted; those of equal distance keep it. A
//! count wants the nearest, so all are found before it is taken; with ANY the search ends as soon as there are so many.

use std::cmp::Ordering;

use nuthatch_proto::resp::{Args, ReplyWriter};
use nuthatch_proto::slot::Slot;

use super::super::elements::bulk;
use super::super::sorted_set::collect;
use super::super::{CommandError, Handled};
use super::cover;
use super::geohash::Position;
use super::query::{Form, Order, Query};
use super::shape::Shape;
use super::{write_distance, write_position};
use crate::context::Context;
use crate::notice::Classes;
use crate::store::locked::LockedSlots;
use crate::value::{Item, SortedSet};

/// A member of the area.
#[derive(Debug, Clone, Copy)]
struct Found<'a> {
    member: Item<'a>,
    score: f64,
    /// From the centre, in metres.
    distance: f64,
    /// How many were found before it.
    before: usize,
}

impl Found<'_> {
    fn compare(&self, other: &Self, order: Order) -> Ordering {
        let nearer = self.distance.total_cmp(&other.distance);
        let by_distance = match order {
            Order::Ascending => nearer,
            Order::Descending => nearer.reverse(),
        };
        by_distance.then(self.before.cmp(&other.before))
    }
}

/// The members of a set that are in a shape, at most so many.
fn members_within<'a>(set: &'a SortedSet, shape: &Shape, limit: usize) -> Vec<Found<'a>> {
    let (mut found, mut last) = (Vec::new(), None);
    let cells = cover::cells(shape).into_iter().enumerate();
    for (index, cell) in cells.filter_map(|(index, cell)| Some((index, cell?))) {
        // Around half the world the same cell comes from either side.
        if last == Some(cell) {
            continue;
        }
        if index > 0 {
            last = Some(cell);
        }
        for (member, score) in set.range(set.ranks_by_score(&cell.scores())) {
            if found.len() >= limit {
                return found;
            }
            if let Some(distance) = shape.distance_within(Position::of_score(score)) {
                found.push(Found { member, score, distance, before: found.len() });
            }
        }
    }
    found
}

impl Query<'_> {
    /// The members of a set that are asked for, in their order.
    fn find<'a>(&self, set: &'a SortedSet) -> Vec<Found<'a>> {
        let count = self.count.unwrap_or(usize::MAX);
        let limit = if self.any { count } else { usize::MAX };
        let mut found = members_within(set, &self.shape, limit);
        let nearest = (self.count.is_some() && !self.any).then_some(Order::Ascending);
        if let Some(order) = self.order.or(nearest) {
            if count < found.len() {
                found.select_nth_unstable_by(count, |one, other| one.compare(other, order));
                found.truncate(count);
            }
            found.sort_unstable_by(|one, other| one.compare(other, order));
        }
        found
    }

    fn write(&self, found: &[Found<'_>], reply: &mut ReplyWriter<'_>) {
        let with = self.with;
        let beside = usize::from(with.distance) + usize::from(with.hash) + usize::from(with.position);
        reply.array(found.len());
        for &Found { member, score, distance, .. } in found {
            if beside > 0 {
                reply.array(1 + beside);
            }
            bulk(reply, member);
            if with.distance {
                write_distance(reply, distance / self.shape.unit);
            }
            if with.hash {
                reply.integer(score as i64);
            }
            if with.position {
                write_position(reply, Position::of_score(score));
            }
        }
    }
}

/// GEORADIUS, GEORADIUSBYMEMBER, GEOSEARCH, and the other forms of them.
pub(in super::super) fn search(
    form: Form,
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let (limits, in_cluster) = (slots.limits(), slots.in_cluster());
    let source = args.at(form.source());
    let set = slots.read::<SortedSet>(cx, source)?;
    let query = Query::parse(form, args, set)?;
    // Of an option that is given twice the command table sees the first, and the last one counts.
    let is_elsewhere = |key: &[u8]| Slot::of_key(key) != Slot::of_key(source);
    if in_cluster && query.destination.is_some_and(is_elsewhere) {
        return Err(CommandError::Other("CROSSSLOT Keys in request don't hash to the same slot"));
    }
    let found = set.map_or_else(Vec::new, |set| query.find(set));
    let Some(destination) = query.destination else {
        query.write(&found, reply);
        return Ok(());
    };
    let score = |found: &Found<'_>| {
        if query.stores_distances { found.distance / query.shape.unit } else { found.score }
    };
    let members: Vec<_> = found.iter().map(|found| (found.member, score(found))).collect();
    let stored = collect(&members, &limits);
    reply.count(stored.len());
    slots.store(cx, destination, stored, Classes::SORTED_SET, form.event());
    Ok(())
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::Protocol;
    use proptest::prelude::*;

    use super::super::geohash::WORLD;
    use super::super::shape::Extent;
    use super::*;
    use crate::testing::Bench;
    use crate::value::Limits;
    use crate::{Engine, EngineOptions};

    fn sicily() -> Bench {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("GEOADD s 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", ":2"),
            ("GEOADD s 12.758489 38.788135 edge1 17.241510 38.788135 edge2", ":2"),
        ]);
        bench
    }

    #[test]
    fn circles_and_boxes_hold_what_is_in_them() {
        sicily().check_all(&[
            ("GEORADIUS s 15 37 200 km ASC", "[Catania Palermo]"),
            ("GEORADIUS_RO s 15 37 200 km DESC", "[Palermo Catania]"),
            ("GEORADIUS s 15 37 200 km WITHDIST ASC", "[[Catania 56.4413] [Palermo 190.4424]]"),
            (
                "GEORADIUSBYMEMBER s Palermo 170 km ASC WITHDIST",
                "[[Palermo 0.0000] [edge1 91.4007] [Catania 166.2742]]",
            ),
            ("GEORADIUSBYMEMBER_RO s Palermo 1 m", "[Palermo]"),
            ("GEOSEARCH s FROMLONLAT 15 37 BYBOX 400 400 km ASC", "[Catania Palermo edge2 edge1]"),
            ("GEOSEARCH s FROMLONLAT 15 37 BYBOX 400 100 km", "[]"),
            ("GEOSEARCH s FROMMEMBER Catania BYRADIUS 0 m", "[Catania]"),
            ("GEOSEARCH s FROMLONLAT 0 0 BYRADIUS inf m DESC COUNT 1", "[edge2]"),
            ("GEOSEARCH none FROMLONLAT 0 0 BYRADIUS 1 m", "[]"),
        ]);
    }

    #[test]
    fn counts_want_the_nearest_unless_any_will_do() {
        let mut bench = sicily();
        bench.check_all(&[
            ("GEORADIUS s 15 37 500 km COUNT 1", "[Catania]"),
            ("GEORADIUS s 15 37 500 km COUNT 3", "[Catania Palermo edge2]"),
            ("GEORADIUS s 15 37 500 km COUNT 2 DESC", "[edge1 edge2]"),
            ("GEORADIUS s 15 37 500 km COUNT 99 ANY DESC", "[edge1 edge2 Palermo Catania]"),
        ]);
        // Whichever is found first, it is one alone and of the nearest cell.
        let any = bench.run("GEORADIUS s 15 37 500 km COUNT 1 ANY");
        assert!(["[Palermo]", "[Catania]", "[edge1]", "[edge2]"].contains(&any.as_str()), "{any}");
    }

    #[test]
    fn what_is_asked_for_stands_beside_the_member() {
        let mut bench = sicily();
        bench.check_all(&[
            (
                "GEOSEARCH s FROMMEMBER Palermo BYRADIUS 1 m WITHCOORD WITHHASH WITHDIST",
                "[[Palermo 0.0000 :3479099956230698 [13.36138933897018433 38.11555639549629859]]]",
            ),
            ("GEOSEARCH s FROMMEMBER Palermo BYRADIUS 1 m WITHHASH", "[[Palermo :3479099956230698]]"),
        ]);
        bench.protocol = Protocol::Resp3;
        let words =
            ["GEOSEARCH", "s", "FROMMEMBER", "Palermo", "BYRADIUS", "1", "m", "WITHCOORD", "WITHDIST"];
        let expected = b"*1\r\n*3\r\n$7\r\nPalermo\r\n$6\r\n0.0000\r\n*2\r\n,13.36138933897018433\r\n,38.11555639549629859\r\n";
        assert_eq!(bench.run_raw(&words), expected);
    }

    #[test]
    fn what_is_found_can_be_stored() {
        let mut bench = sicily();
        bench.classes = Classes::all();
        bench.check("SET d old PX 500", "+OK");
        bench.effects();
        bench.notices();
        bench.check_all(&[
            ("GEOSEARCHSTORE d s FROMLONLAT 15 37 BYRADIUS 200 km", ":2"),
            ("ZRANGE d 0 -1 WITHSCORES", "[Palermo 3479099956230698 Catania 3479447370796909]"),
            ("PTTL d", ":-1"),
            ("GEORADIUS s 15 37 200 km COUNT 1 STORE e STOREDIST d", ":1"),
            ("ZRANGE d 0 -1 WITHSCORES", "[Catania 56.4412578701582]"),
            ("EXISTS e", ":0"),
            ("GEORADIUSBYMEMBER s Palermo 1 m STOREDIST s", ":1"),
            ("ZRANGE s 0 -1 WITHSCORES", "[Palermo 0]"),
            ("GEOSEARCHSTORE d none FROMMEMBER x BYRADIUS 1 m", ":0"),
            ("GEORADIUS s 0 80 1 m STORE d", ":0"),
        ]);
        assert_eq!(bench.effects(), ["put d zset", "put d zset", "put s zset", "delete d"]);
        let notices = bench.notices();
        let stores: Vec<_> = notices.iter().filter(|notice| !notice.starts_with("keymiss")).collect();
        assert_eq!(stores, ["geosearchstore d@0", "georadiusstore d@0", "georadiusstore s@0", "del d@0"]);
    }

    #[test]
    fn in_a_cluster_nothing_is_stored_in_another_slot() {
        let mut bench = Bench::new();
        bench.engine = Engine::new(EngineOptions { databases: 1, in_cluster: true, hash_seed: 1 });
        bench.check_all(&[
            ("GEOADD {s}a 0 0 m", ":1"),
            ("GEORADIUS {s}a 0 0 1 m STORE {s}b", ":1"),
            (
                "GEORADIUS {s}a 0 0 1 m STORE {s}b STORE elsewhere",
                "-CROSSSLOT Keys in request don't hash to the same slot",
            ),
            ("ZCARD {s}b", ":1"),
            ("EXISTS elsewhere", ":0"),
        ]);
    }

    fn shapes() -> impl Strategy<Value = Shape> {
        // Where the cells are exact: away from the poles and from the 180th meridian. The sides of a very wide box bulge
        // beyond the meridians that are taken for them.
        let center = (-120.0..120.0, -60.0..60.0);
        let side = || prop_oneof![0.0..100.0, 0.0..100_000.0];
        let extent = prop_oneof![
            (0.0..1_500_000.0).prop_map(|radius| Extent::Circle { radius }),
            side().prop_map(|radius| Extent::Circle { radius }),
            (side(), side()).prop_map(|(width, height)| Extent::Box { width, height }),
        ];
        (center, extent).prop_map(|((longitude, latitude), extent)| Shape {
            center: Position { longitude, latitude },
            extent,
            unit: 1.0,
        })
    }

    proptest! {
        /// The cells leave out nothing: what they find is what a look at every member finds.
        #[test]
        fn the_search_finds_what_a_scan_finds(
            shape in shapes(),
            near in prop::collection::vec((-1.2..1.2, -1.2..1.2), 0..60),
            far in prop::collection::vec((WORLD.west..WORLD.east, WORLD.south..WORLD.north), 0..60),
            limit in 1..60_usize,
        ) {
            let degrees = shape.reach() / 111_000.0;
            let center = shape.center;
            let near = near.into_iter().map(|(east, north): (f64, f64)| Position {
                longitude: (center.longitude + east * degrees).clamp(WORLD.west, WORLD.east),
                latitude: (center.latitude + north * degrees).clamp(WORLD.south, WORLD.north),
            });
            let far = far.into_iter().map(|(longitude, latitude)| Position { longitude, latitude });
            let (mut set, limits) = (SortedSet::new(), Limits::default());
            for (number, position) in near.chain(far).enumerate() {
                set.upsert(format!("m{number}").as_bytes(), &limits, |_| Some(position.score()));
            }
            let is_in = |score: f64| shape.distance_within(Position::of_score(score)).is_some();
            let scanned: Vec<_> = set.iter().filter(|&(_, score)| is_in(score)).map(|(member, _)| member).collect();
            let mut found: Vec<_> =
                members_within(&set, &shape, usize::MAX).into_iter().map(|found| found.member).collect();
            let some = members_within(&set, &shape, limit);
            prop_assert_eq!(some.len(), limit.min(found.len()));
            prop_assert!(some.iter().zip(&found).all(|(one, other)| one.member == *other));
            let in_order = |one: &Item<'_>, other: &Item<'_>| one.cmp_bytes(*other);
            let mut scanned = scanned;
            scanned.sort_by(in_order);
            found.sort_by(in_order);
            prop_assert_eq!(found, scanned);
        }
    }
}
