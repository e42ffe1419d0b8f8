//! Rows of the sorted set commands.
//!
//! All take one key, their first argument. ZRANGE has the options that replaced a family of older commands.

use super::row::{DELETES, DENYOOM, EXAMINES, FAST, READONLY, READS, UPDATES, WRITE, key, row};
use super::{Acl, CommandSpec, DataCommand, Group, Handler};

const fn data(name: &'static str, command: DataCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Data(command), arity, Group::SortedSet)
}

pub(super) const ROWS: &[CommandSpec] = &[
    data("zadd", DataCommand::ZAdd, -4)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::SORTEDSET)
        .keys(&[key(1, UPDATES)])
        .since("1.2.0")
        .cost("O(log(N)) per member, N the size of the sorted set")
        .syntax("key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]")
        .about("Adds members to a sorted set or changes their scores."),
    data("zcard", DataCommand::ZCard, 2)
        .flags(&[READONLY, FAST])
        .acl(Acl::SORTEDSET)
        .keys(&[key(1, EXAMINES)])
        .since("1.2.0")
        .cost("O(1)")
        .syntax("key")
        .about("Counts the members of a sorted set."),
    data("zrange", DataCommand::ZRange, -4)
        .flags(&[READONLY])
        .acl(Acl::SORTEDSET)
        .keys(&[key(1, READS)])
        .since("1.2.0")
        .cost("O(log(N)+M), N the size of the sorted set, M the number of members returned")
        .syntax("key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]")
        .about("Returns a range of a sorted set's members, by rank, score or name."),
    data("zrem", DataCommand::ZRem, -3)
        .flags(&[WRITE, FAST])
        .acl(Acl::SORTEDSET)
        .keys(&[key(1, DELETES)])
        .since("1.2.0")
        .cost("O(M*log(N)), N the size of the sorted set, M the number of members removed")
        .syntax("key member [member ...]")
        .about("Removes members from a sorted set; deletes it with its last member."),
    data("zscore", DataCommand::ZScore, 3)
        .flags(&[READONLY, FAST])
        .acl(Acl::SORTEDSET)
        .keys(&[key(1, READS)])
        .since("1.2.0")
        .cost("O(1)")
        .syntax("key member")
        .about("Returns the score of a sorted set's member."),
];
