//! Rows of the commands on positions, which are sorted sets whose scores are geohashes.
//!
//! GEORADIUS and GEORADIUSBYMEMBER write if they are told where to, so they count as writing; their `_RO` forms, and
//! GEOSEARCH which replaced them, never do.

use super::row::{DENYOOM, MOVABLEKEYS, OVERWRITES, READONLY, READS, UPDATES, WRITE, key, key_after, row};
use super::{Acl, CommandSpec, DataCommand, Group, Handler};

const fn data(name: &'static str, command: DataCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Data(command), arity, Group::Geo).acl(Acl::GEO)
}

const SEARCH_COST: &str =
    "O(N+log(M)), N the number of members in the cells around the area, M the size of the sorted set";

pub(super) const ROWS: &[CommandSpec] = &[
    data("geoadd", DataCommand::GeoAdd, -5)
        .flags(&[WRITE, DENYOOM])
        .keys(&[key(1, UPDATES)])
        .since("3.2.0")
        .cost("O(log(N)) per member, N the size of the sorted set")
        .syntax("key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]")
        .about("Adds members to a sorted set by their positions, or moves them."),
    data("geodist", DataCommand::GeoDist, -4)
        .flags(&[READONLY])
        .keys(&[key(1, READS)])
        .since("3.2.0")
        .cost("O(1)")
        .syntax("key member1 member2 [M | KM | FT | MI]")
        .about("Returns the distance between two members."),
    data("geohash", DataCommand::GeoHash, -2)
        .flags(&[READONLY])
        .keys(&[key(1, READS)])
        .since("3.2.0")
        .cost("O(N), N the number of members asked for")
        .syntax("key [member [member ...]]")
        .about("Returns members' positions as geohash strings."),
    data("geopos", DataCommand::GeoPos, -2)
        .flags(&[READONLY])
        .keys(&[key(1, READS)])
        .since("3.2.0")
        .cost("O(N), N the number of members asked for")
        .syntax("key [member [member ...]]")
        .about("Returns the longitude and latitude of members."),
    data("georadius", DataCommand::GeoRadius, -6)
        .flags(&[WRITE, DENYOOM, MOVABLEKEYS])
        .keys(&[key(1, READS), key_after("STORE", 6, OVERWRITES), key_after("STOREDIST", 6, OVERWRITES)])
        .since("3.2.0")
        .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument")
        .cost(SEARCH_COST)
        .syntax("key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE storekey | STOREDIST storedistkey]")
        .about("Returns or stores the members within a distance of a position."),
    data("georadius_ro", DataCommand::GeoRadiusRo, -6)
        .flags(&[READONLY])
        .keys(&[key(1, READS)])
        .since("3.2.10")
        .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument")
        .cost(SEARCH_COST)
        .syntax("key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]")
        .about("Returns the members within a distance of a position."),
    data("georadiusbymember", DataCommand::GeoRadiusByMember, -5)
        .flags(&[WRITE, DENYOOM, MOVABLEKEYS])
        .keys(&[key(1, READS), key_after("STORE", 5, OVERWRITES), key_after("STOREDIST", 5, OVERWRITES)])
        .since("3.2.0")
        .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments")
        .cost(SEARCH_COST)
        .syntax("key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE storekey | STOREDIST storedistkey]")
        .about("Returns or stores the members within a distance of another member."),
    data("georadiusbymember_ro", DataCommand::GeoRadiusByMemberRo, -5)
        .flags(&[READONLY])
        .keys(&[key(1, READS)])
        .since("3.2.10")
        .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments")
        .cost(SEARCH_COST)
        .syntax("key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]")
        .about("Returns the members within a distance of another member."),
    data("geosearch", DataCommand::GeoSearch, -7)
        .flags(&[READONLY])
        .keys(&[key(1, READS)])
        .since("6.2.0")
        .cost(SEARCH_COST)
        .syntax("key <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius <M | KM | FT | MI> | BYBOX width height <M | KM | FT | MI>> [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]")
        .about("Returns the members within a circle or a box."),
    data("geosearchstore", DataCommand::GeoSearchStore, -8)
        .flags(&[WRITE, DENYOOM])
        .keys(&[key(1, OVERWRITES), key(2, READS)])
        .since("6.2.0")
        .cost(SEARCH_COST)
        .syntax("destination source <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius <M | KM | FT | MI> | BYBOX width height <M | KM | FT | MI>> [ASC | DESC] [COUNT count [ANY]] [STOREDIST]")
        .about("Stores the members within a circle or a box."),
];
