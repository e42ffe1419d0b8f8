//! Rows of the list commands.
//!
//! All take one key, their first argument. Those that block are not among them yet.

use super::row::{DENYOOM, EXAMINES, FAST, INSERTS, READONLY, READS, TAKES, WRITE, key, row};
use super::{Acl, CommandSpec, DataCommand, Group, Handler};

const fn data(name: &'static str, command: DataCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Data(command), arity, Group::List)
}

pub(super) const ROWS: &[CommandSpec] = &[
    data("llen", DataCommand::LLen, 2)
        .flags(&[READONLY, FAST])
        .acl(Acl::LIST)
        .keys(&[key(1, EXAMINES)])
        .since("1.0.0")
        .cost("O(1)")
        .syntax("key")
        .about("Counts the elements of a list."),
    data("lpop", DataCommand::LPop, -2)
        .flags(&[WRITE, FAST])
        .acl(Acl::LIST)
        .keys(&[key(1, TAKES)])
        .since("1.0.0")
        .cost("O(N), N the number of elements returned")
        .syntax("key [count]")
        .about("Removes and returns elements from the head of a list."),
    data("lpush", DataCommand::LPush, -3)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::LIST)
        .keys(&[key(1, INSERTS)])
        .since("1.0.0")
        .cost("O(N), N the number of elements")
        .syntax("key element [element ...]")
        .about("Puts elements before the head of a list; creates it if absent."),
    data("lrange", DataCommand::LRange, 4)
        .flags(&[READONLY])
        .acl(Acl::LIST)
        .keys(&[key(1, READS)])
        .since("1.0.0")
        .cost("O(S+N), S the distance of the start from the nearer end, N the number of elements returned")
        .syntax("key start stop")
        .about("Returns a range of a list's elements."),
    data("rpop", DataCommand::RPop, -2)
        .flags(&[WRITE, FAST])
        .acl(Acl::LIST)
        .keys(&[key(1, TAKES)])
        .since("1.0.0")
        .cost("O(N), N the number of elements returned")
        .syntax("key [count]")
        .about("Removes and returns elements from the tail of a list."),
    data("rpush", DataCommand::RPush, -3)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::LIST)
        .keys(&[key(1, INSERTS)])
        .since("1.0.0")
        .cost("O(N), N the number of elements")
        .syntax("key element [element ...]")
        .about("Puts elements after the tail of a list; creates it if absent."),
];
