//! Rows of the set commands.
//!
//! Most take one key, their first argument, and members after it; those that combine sets take keys alone, the key of the
//! result first if they store it.

use super::row::{
    DELETES, DENYOOM, EXAMINES, FAST, INSERTS, MOVABLEKEYS, OVERWRITES, READONLY, READS, TAKES, UPDATES,
    WRITE, counted_keys, key, keys_from, row,
};
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
    data("sdiff", DataCommand::SDiff, -2)
        .flags(&[READONLY])
        .acl(Acl::SET)
        .keys(&[keys_from(1, READS)])
        .since("1.0.0")
        .cost("O(N), N the number of members of all the sets")
        .tips(&["nondeterministic_output_order"])
        .syntax("key [key ...]")
        .about("Returns the members of a set that no other of the sets has."),
    data("sdiffstore", DataCommand::SDiffStore, -3)
        .flags(&[WRITE, DENYOOM])
        .acl(Acl::SET)
        .keys(&[key(1, OVERWRITES), keys_from(2, READS)])
        .since("1.0.0")
        .cost("O(N), N the number of members of all the sets")
        .syntax("destination key [key ...]")
        .about("Stores the members of a set that no other of the sets has, and counts them."),
    data("sinter", DataCommand::SInter, -2)
        .flags(&[READONLY])
        .acl(Acl::SET)
        .keys(&[keys_from(1, READS)])
        .since("1.0.0")
        .cost("O(N*M), N the size of the smallest set, M the number of sets")
        .tips(&["nondeterministic_output_order"])
        .syntax("key [key ...]")
        .about("Returns the members that all of the sets have."),
    data("sintercard", DataCommand::SInterCard, -3)
        .flags(&[READONLY, MOVABLEKEYS])
        .acl(Acl::SET)
        .keys(&[counted_keys(1, READS)])
        .since("7.0.0")
        .cost("O(N*M), N the size of the smallest set, M the number of sets")
        .syntax("numkeys key [key ...] [LIMIT limit]")
        .about("Counts the members that all of the sets have."),
    data("sinterstore", DataCommand::SInterStore, -3)
        .flags(&[WRITE, DENYOOM])
        .acl(Acl::SET)
        .keys(&[key(1, UPDATES), keys_from(2, READS)])
        .since("1.0.0")
        .cost("O(N*M), N the size of the smallest set, M the number of sets")
        .syntax("destination key [key ...]")
        .about("Stores the members that all of the sets have, and counts them."),
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
    data("smismember", DataCommand::SMIsMember, -3)
        .flags(&[READONLY, FAST])
        .acl(Acl::SET)
        .keys(&[key(1, READS)])
        .since("6.2.0")
        .cost("O(N), N the number of members asked for")
        .syntax("key member [member ...]")
        .about("Says of several members whether a set has them."),
    data("smove", DataCommand::SMove, 4)
        .flags(&[WRITE, FAST])
        .acl(Acl::SET)
        .keys(&[key(1, TAKES), key(2, INSERTS)])
        .since("1.0.0")
        .cost("O(1)")
        .syntax("source destination member")
        .about("Moves a member from one set to another."),
    data("spop", DataCommand::SPop, -2)
        .flags(&[WRITE, FAST])
        .acl(Acl::SET)
        .keys(&[key(1, TAKES)])
        .since("1.0.0")
        .cost("O(N), N the number of members returned")
        .tips(&["nondeterministic_output"])
        .syntax("key [count]")
        .about("Removes and returns members chosen at random."),
    data("srandmember", DataCommand::SRandMember, -2)
        .flags(&[READONLY])
        .acl(Acl::SET)
        .keys(&[key(1, READS)])
        .since("1.0.0")
        .cost("O(N), N the number of members returned")
        .tips(&["nondeterministic_output"])
        .syntax("key [count]")
        .about("Returns members chosen at random."),
    data("srem", DataCommand::SRem, -3)
        .flags(&[WRITE, FAST])
        .acl(Acl::SET)
        .keys(&[key(1, DELETES)])
        .since("1.0.0")
        .cost("O(N), N the number of members")
        .syntax("key member [member ...]")
        .about("Removes members from a set; deletes the set with its last member."),
    data("sscan", DataCommand::SScan, -3)
        .flags(&[READONLY])
        .acl(Acl::SET)
        .keys(&[key(1, READS)])
        .since("2.8.0")
        .cost("O(1) per call, O(N) for the whole set")
        .tips(&["nondeterministic_output"])
        .syntax("key cursor [MATCH pattern] [COUNT count]")
        .about("Walks the members of a set, some with each call."),
    data("sunion", DataCommand::SUnion, -2)
        .flags(&[READONLY])
        .acl(Acl::SET)
        .keys(&[keys_from(1, READS)])
        .since("1.0.0")
        .cost("O(N), N the number of members of all the sets")
        .tips(&["nondeterministic_output_order"])
        .syntax("key [key ...]")
        .about("Returns the members that any of the sets has."),
    data("sunionstore", DataCommand::SUnionStore, -3)
        .flags(&[WRITE, DENYOOM])
        .acl(Acl::SET)
        .keys(&[key(1, OVERWRITES), keys_from(2, READS)])
        .since("1.0.0")
        .cost("O(N), N the number of members of all the sets")
        .syntax("destination key [key ...]")
        .about("Stores the members that any of the sets has, and counts them."),
];
