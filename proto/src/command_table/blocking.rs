//! Rows of the commands on lists and sorted sets that wait for an element if there is none.
//!
//! How long they wait is their last argument, or the first of those that count their keys. Inside a transaction they
//! do not wait.

use super::row::{
    BLOCKING, DENYOOM, FAST, INSERTS, MOVABLEKEYS, NOSCRIPT, TAKES, WRITE, counted_keys, key,
    keys_but_last_from, row,
};
use super::{Acl, CommandSpec, DataCommand, Group, Handler};

const fn list(name: &'static str, command: DataCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Data(command), arity, Group::List).acl(Acl::LIST)
}

const fn sorted_set(name: &'static str, command: DataCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Data(command), arity, Group::SortedSet).acl(Acl::SORTEDSET)
}

pub(super) const ROWS: &[CommandSpec] = &[
    list("blmove", DataCommand::BLMove, 6)
        .flags(&[WRITE, DENYOOM, NOSCRIPT, BLOCKING])
        .keys(&[key(1, TAKES), key(2, INSERTS)])
        .since("6.2.0")
        .cost("O(1)")
        .syntax("source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout")
        .about("Moves an element from an end of a list to an end of another, or waits for one."),
    list("blmpop", DataCommand::BLMPop, -5)
        .flags(&[WRITE, BLOCKING, MOVABLEKEYS])
        .keys(&[counted_keys(2, TAKES)])
        .since("7.0.0")
        .cost("O(N+M), N the number of keys, M the number of elements returned")
        .syntax("timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]")
        .about("Removes and returns elements from an end of the first list that is there, or waits for one."),
    list("blpop", DataCommand::BLPop, -3)
        .flags(&[WRITE, NOSCRIPT, BLOCKING])
        .keys(&[keys_but_last_from(1, TAKES)])
        .since("2.0.0")
        .cost("O(N), N the number of keys")
        .syntax("key [key ...] timeout")
        .about("Removes and returns the head of the first list that is there, or waits for one."),
    list("brpop", DataCommand::BRPop, -3)
        .flags(&[WRITE, NOSCRIPT, BLOCKING])
        .keys(&[keys_but_last_from(1, TAKES)])
        .since("2.0.0")
        .cost("O(N), N the number of keys")
        .syntax("key [key ...] timeout")
        .about("Removes and returns the tail of the first list that is there, or waits for one."),
    list("brpoplpush", DataCommand::BRPopLPush, 4)
        .flags(&[WRITE, DENYOOM, NOSCRIPT, BLOCKING])
        .keys(&[key(1, TAKES), key(2, INSERTS)])
        .since("2.2.0")
        .deprecated("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")
        .cost("O(1)")
        .syntax("source destination timeout")
        .about("Moves the tail of a list to the head of another, or waits for one."),
    sorted_set("bzmpop", DataCommand::BZMPop, -5)
        .flags(&[WRITE, BLOCKING, MOVABLEKEYS])
        .keys(&[counted_keys(2, TAKES)])
        .since("7.0.0")
        .cost("O(K+M*log(N)), K the number of keys, N the size of the sorted set, M the number of members returned")
        .syntax("timeout numkeys key [key ...] <MIN | MAX> [COUNT count]")
        .about("Removes and returns members at one end of the first sorted set that is there, or waits for one."),
    sorted_set("bzpopmax", DataCommand::BZPopMax, -3)
        .flags(&[WRITE, NOSCRIPT, FAST, BLOCKING])
        .keys(&[keys_but_last_from(1, TAKES)])
        .since("5.0.0")
        .cost("O(log(N)), N the size of the sorted set")
        .syntax("key [key ...] timeout")
        .about("Removes and returns the highest member of the first sorted set that is there, or waits for one."),
    sorted_set("bzpopmin", DataCommand::BZPopMin, -3)
        .flags(&[WRITE, NOSCRIPT, FAST, BLOCKING])
        .keys(&[keys_but_last_from(1, TAKES)])
        .since("5.0.0")
        .cost("O(log(N)), N the size of the sorted set")
        .syntax("key [key ...] timeout")
        .about("Removes and returns the lowest member of the first sorted set that is there, or waits for one."),
];
