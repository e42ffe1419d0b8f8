//! Rows of the set commands.
//!
//! All take one key, their first argument, and members after it.

use super::row::{DELETES, DENYOOM, EXAMINES, FAST, INSERTS, READONLY, READS, WRITE, key, row};
use super::{Acl, CommandSpec, DataCommand, Group, Handler};

const fn data(name: &'static str, command: DataCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Data(command), arity, Group::Set)
}

pub(super) const ROWS: &[CommandSpec] = &[
    data("sadd", DataCommand::SAdd, -3)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::SET)
        .keys(&[key(1, INSERTS)])
        .since("1.0.0")
        .cost("O(N), N the number of members")
        .syntax("key member [member ...]")
        .about("Adds members to a set and counts those that are new."),
    data("scard", DataCommand::SCard, 2)
        .flags(&[READONLY, FAST])
        .acl(Acl::SET)
        .keys(&[key(1, EXAMINES)])
        .since("1.0.0")
        .cost("O(1)")
        .syntax("key")
        .about("Counts the members of a set."),
    data("sismember", DataCommand::SIsMember, 3)
        .flags(&[READONLY, FAST])
        .acl(Acl::SET)
        .keys(&[key(1, EXAMINES)])
        .since("1.0.0")
        .cost("O(1)")
        .syntax("key member")
        .about("Says whether a set has a member."),
    data("smembers", DataCommand::SMembers, 2)
        .flags(&[READONLY])
        .acl(Acl::SET)
        .keys(&[key(1, READS)])
        .since("1.0.0")
        .cost("O(N), N the number of members")
        .tips(&["nondeterministic_output_order"])
        .syntax("key")
        .about("Returns all members of a set."),
    data("srem", DataCommand::SRem, -3)
        .flags(&[WRITE, FAST])
        .acl(Acl::SET)
        .keys(&[key(1, DELETES)])
        .since("1.0.0")
        .cost("O(N), N the number of members")
        .syntax("key member [member ...]")
        .about("Removes members from a set; deletes the set with its last member."),
];
