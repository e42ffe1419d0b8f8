//! Rows of the list commands.
//!
//! Nearly all take one key, their first argument; those that move elements take two, LMPOP as many as it says.

use super::row::{
    DELETES, DENYOOM, EXAMINES, FAST, INSERTS, MOVABLEKEYS, READONLY, READS, TAKES, UPDATES, WRITE,
    counted_keys, key, row,
};
use super::{Acl, CommandSpec, DataCommand, Group, Handler};

const fn data(name: &'static str, command: DataCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Data(command), arity, Group::List)
}

pub(super) const ROWS: &[CommandSpec] = &[
    data("lindex", DataCommand::LIndex, 3)
        .flags(&[READONLY])
        .acl(Acl::LIST)
        .keys(&[key(1, READS)])
        .since("1.0.0")
        .cost("O(N), N the distance of the index from the nearer end, counted in chunks")
        .syntax("key index")
        .about("Returns the element at an index of a list."),
    data("linsert", DataCommand::LInsert, 5)
        .flags(&[WRITE, DENYOOM])
        .acl(Acl::LIST)
        .keys(&[key(1, INSERTS)])
        .since("2.2.0")
        .cost("O(N), N the number of elements before the pivot")
        .syntax("key <BEFORE | AFTER> pivot element")
        .about("Puts an element before or after another element of a list."),
    data("llen", DataCommand::LLen, 2)
        .flags(&[READONLY, FAST])
        .acl(Acl::LIST)
        .keys(&[key(1, EXAMINES)])
        .since("1.0.0")
        .cost("O(1)")
        .syntax("key")
        .about("Counts the elements of a list."),
    data("lmove", DataCommand::LMove, 5)
        .flags(&[WRITE, DENYOOM])
        .acl(Acl::LIST)
        .keys(&[key(1, TAKES), key(2, INSERTS)])
        .since("6.2.0")
        .cost("O(1)")
        .syntax("source destination <LEFT | RIGHT> <LEFT | RIGHT>")
        .about("Moves an element from an end of a list to an end of another and returns it."),
    data("lmpop", DataCommand::LMPop, -4)
        .flags(&[WRITE, MOVABLEKEYS])
        .acl(Acl::LIST)
        .keys(&[counted_keys(1, TAKES)])
        .since("7.0.0")
        .cost("O(N+M), N the number of keys, M the number of elements returned")
        .syntax("numkeys key [key ...] <LEFT | RIGHT> [COUNT count]")
        .about("Removes and returns elements from an end of the first list that is there."),
    data("lpop", DataCommand::LPop, -2)
        .flags(&[WRITE, FAST])
        .acl(Acl::LIST)
        .keys(&[key(1, TAKES)])
        .since("1.0.0")
        .cost("O(N), N the number of elements returned")
        .syntax("key [count]")
        .about("Removes and returns elements from the head of a list."),
    data("lpos", DataCommand::LPos, -3)
        .flags(&[READONLY])
        .acl(Acl::LIST)
        .keys(&[key(1, READS)])
        .since("6.0.6")
        .cost("O(N), N the number of elements looked at")
        .syntax("key element [RANK rank] [COUNT num-matches] [MAXLEN len]")
        .about("Returns the positions of an element in a list."),
    data("lpush", DataCommand::LPush, -3)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::LIST)
        .keys(&[key(1, INSERTS)])
        .since("1.0.0")
        .cost("O(N), N the number of elements")
        .syntax("key element [element ...]")
        .about("Puts elements before the head of a list; creates it if absent."),
    data("lpushx", DataCommand::LPushX, -3)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::LIST)
        .keys(&[key(1, INSERTS)])
        .since("2.2.0")
        .cost("O(N), N the number of elements")
        .syntax("key element [element ...]")
        .about("Puts elements before the head of a list that is there."),
    data("lrange", DataCommand::LRange, 4)
        .flags(&[READONLY])
        .acl(Acl::LIST)
        .keys(&[key(1, READS)])
        .since("1.0.0")
        .cost("O(S+N), S the distance of the start from the nearer end, N the number of elements returned")
        .syntax("key start stop")
        .about("Returns a range of a list's elements."),
    data("lrem", DataCommand::LRem, 4)
        .flags(&[WRITE])
        .acl(Acl::LIST)
        .keys(&[key(1, DELETES)])
        .since("1.0.0")
        .cost("O(N), N the length of the list")
        .syntax("key count element")
        .about("Removes elements that are equal to one from a list."),
    data("lset", DataCommand::LSet, 4)
        .flags(&[WRITE, DENYOOM])
        .acl(Acl::LIST)
        .keys(&[key(1, UPDATES)])
        .since("1.0.0")
        .cost("O(N), N the distance of the index from the nearer end, counted in chunks")
        .syntax("key index element")
        .about("Replaces the element at an index of a list."),
    data("ltrim", DataCommand::LTrim, 4)
        .flags(&[WRITE])
        .acl(Acl::LIST)
        .keys(&[key(1, DELETES)])
        .since("1.0.0")
        .cost("O(N), N the number of chunks removed")
        .syntax("key start stop")
        .about("Removes all elements of a list but a range."),
    data("rpop", DataCommand::RPop, -2)
        .flags(&[WRITE, FAST])
        .acl(Acl::LIST)
        .keys(&[key(1, TAKES)])
        .since("1.0.0")
        .cost("O(N), N the number of elements returned")
        .syntax("key [count]")
        .about("Removes and returns elements from the tail of a list."),
    data("rpoplpush", DataCommand::RPopLPush, 3)
        .flags(&[WRITE, DENYOOM])
        .acl(Acl::LIST)
        .keys(&[key(1, TAKES), key(2, INSERTS)])
        .since("1.2.0")
        .deprecated("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")
        .cost("O(1)")
        .syntax("source destination")
        .about("Moves the tail of a list to the head of another and returns it."),
    data("rpush", DataCommand::RPush, -3)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::LIST)
        .keys(&[key(1, INSERTS)])
        .since("1.0.0")
        .cost("O(N), N the number of elements")
        .syntax("key element [element ...]")
        .about("Puts elements after the tail of a list; creates it if absent."),
    data("rpushx", DataCommand::RPushX, -3)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::LIST)
        .keys(&[key(1, INSERTS)])
        .since("2.2.0")
        .cost("O(N), N the number of elements")
        .syntax("key element [element ...]")
        .about("Puts elements after the tail of a list that is there."),
];
