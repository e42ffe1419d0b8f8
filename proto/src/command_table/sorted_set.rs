//! Rows of the sorted set commands.
//!
//! Most take one key, their first argument; those on several say how many keys follow. ZRANGE has the options that
//! replaced a family of older commands.

use super::row::{
    DELETES, DENYOOM, EXAMINES, FAST, MOVABLEKEYS, READONLY, READS, TAKES, UPDATES, WRITE, counted_keys, key,
    row,
};
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
    data("zmpop", DataCommand::ZMPop, -4)
        .flags(&[WRITE, MOVABLEKEYS])
        .acl(Acl::SORTEDSET)
        .keys(&[counted_keys(1, TAKES)])
        .since("7.0.0")
        .cost("O(K+M*log(N)), K the number of keys, N the size of the sorted set, M the number of members returned")
        .syntax("numkeys key [key ...] <MIN | MAX> [COUNT count]")
        .about("Removes and returns members at one end of the first of some sorted sets that has any."),
    data("zpopmax", DataCommand::ZPopMax, -2)
        .flags(&[WRITE, FAST])
        .acl(Acl::SORTEDSET)
        .keys(&[key(1, TAKES)])
        .since("5.0.0")
        .cost("O(M*log(N)), N the size of the sorted set, M the number of members returned")
        .syntax("key [count]")
        .about("Removes and returns the members of the highest scores."),
    data("zpopmin", DataCommand::ZPopMin, -2)
        .flags(&[WRITE, FAST])
        .acl(Acl::SORTEDSET)
        .keys(&[key(1, TAKES)])
        .since("5.0.0")
        .cost("O(M*log(N)), N the size of the sorted set, M the number of members returned")
        .syntax("key [count]")
        .about("Removes and returns the members of the lowest scores."),
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
