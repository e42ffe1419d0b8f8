//! Rows of the hash commands.
//!
//! All take one key, their first argument, and fields after it.

use super::row::{
    DELETES, DENYOOM, EXAMINES, FAST, INSERTS, READONLY, READS, READS_AND_UPDATES, UPDATES, WRITE, key, row,
};
use super::{Acl, CommandSpec, DataCommand, Group, Handler};

const fn data(name: &'static str, command: DataCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Data(command), arity, Group::Hash)
}

pub(super) const ROWS: &[CommandSpec] = &[
    data("hdel", DataCommand::HDel, -3)
        .flags(&[WRITE, FAST])
        .acl(Acl::HASH)
        .keys(&[key(1, DELETES)])
        .since("2.0.0")
        .cost("O(N), N the number of fields")
        .syntax("key field [field ...]")
        .about("Deletes fields of a hash; deletes the hash with its last field."),
    data("hexists", DataCommand::HExists, 3)
        .flags(&[READONLY, FAST])
        .acl(Acl::HASH)
        .keys(&[key(1, EXAMINES)])
        .since("2.0.0")
        .cost("O(1)")
        .syntax("key field")
        .about("Says whether a hash has a field."),
    data("hget", DataCommand::HGet, 3)
        .flags(&[READONLY, FAST])
        .acl(Acl::HASH)
        .keys(&[key(1, READS)])
        .since("2.0.0")
        .cost("O(1)")
        .syntax("key field")
        .about("Returns the value of a hash's field."),
    data("hgetall", DataCommand::HGetAll, 2)
        .flags(&[READONLY])
        .acl(Acl::HASH)
        .keys(&[key(1, READS)])
        .since("2.0.0")
        .cost("O(N), N the number of fields")
        .tips(&["nondeterministic_output_order"])
        .syntax("key")
        .about("Returns all fields and values of a hash."),
    data("hincrby", DataCommand::HIncrBy, 4)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::HASH)
        .keys(&[key(1, READS_AND_UPDATES)])
        .since("2.0.0")
        .cost("O(1)")
        .syntax("key field increment")
        .about("Adds a number to the integer a field holds; an absent field counts as 0."),
    data("hincrbyfloat", DataCommand::HIncrByFloat, 4)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::HASH)
        .keys(&[key(1, READS_AND_UPDATES)])
        .since("2.6.0")
        .cost("O(1)")
        .syntax("key field increment")
        .about("Adds a number to the floating-point number a field holds; an absent field counts as 0."),
    data("hkeys", DataCommand::HKeys, 2)
        .flags(&[READONLY])
        .acl(Acl::HASH)
        .keys(&[key(1, READS)])
        .since("2.0.0")
        .cost("O(N), N the number of fields")
        .tips(&["nondeterministic_output_order"])
        .syntax("key")
        .about("Returns all fields of a hash."),
    data("hlen", DataCommand::HLen, 2)
        .flags(&[READONLY, FAST])
        .acl(Acl::HASH)
        .keys(&[key(1, EXAMINES)])
        .since("2.0.0")
        .cost("O(1)")
        .syntax("key")
        .about("Counts the fields of a hash."),
    data("hmget", DataCommand::HMGet, -3)
        .flags(&[READONLY, FAST])
        .acl(Acl::HASH)
        .keys(&[key(1, READS)])
        .since("2.0.0")
        .cost("O(N), N the number of fields asked for")
        .syntax("key field [field ...]")
        .about("Returns the values of several fields of a hash."),
    data("hmset", DataCommand::HMSet, -4)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::HASH)
        .keys(&[key(1, UPDATES)])
        .since("2.0.0")
        .deprecated("4.0.0", "`HSET` with multiple field-value pairs")
        .cost("O(N), N the number of fields")
        .syntax("key field value [field value ...]")
        .about("Sets fields of a hash; the old form of HSET."),
    data("hrandfield", DataCommand::HRandField, -2)
        .flags(&[READONLY])
        .acl(Acl::HASH)
        .keys(&[key(1, READS)])
        .since("6.2.0")
        .cost("O(N), N the number of fields returned")
        .tips(&["nondeterministic_output"])
        .syntax("key [count [WITHVALUES]]")
        .about("Returns fields of a hash by chance."),
    data("hscan", DataCommand::HScan, -3)
        .flags(&[READONLY])
        .acl(Acl::HASH)
        .keys(&[key(1, READS)])
        .since("2.8.0")
        .cost("O(1) for every call, O(N) for a whole walk, N the number of fields")
        .tips(&["nondeterministic_output"])
        .syntax("key cursor [MATCH pattern] [COUNT count] [NOVALUES]")
        .about("Walks the fields and values of a hash, a few per call."),
    data("hset", DataCommand::HSet, -4)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::HASH)
        .keys(&[key(1, UPDATES)])
        .since("2.0.0")
        .cost("O(N), N the number of fields")
        .syntax("key field value [field value ...]")
        .about("Sets fields of a hash and counts those that are new."),
    data("hsetnx", DataCommand::HSetNx, 4)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::HASH)
        .keys(&[key(1, INSERTS)])
        .since("2.0.0")
        .cost("O(1)")
        .syntax("key field value")
        .about("Sets a field of a hash, but only if the field is absent."),
    data("hstrlen", DataCommand::HStrLen, 3)
        .flags(&[READONLY, FAST])
        .acl(Acl::HASH)
        .keys(&[key(1, EXAMINES)])
        .since("3.2.0")
        .cost("O(1)")
        .syntax("key field")
        .about("Returns the length of a field's value."),
    data("hvals", DataCommand::HVals, 2)
        .flags(&[READONLY])
        .acl(Acl::HASH)
        .keys(&[key(1, READS)])
        .since("2.0.0")
        .cost("O(N), N the number of fields")
        .tips(&["nondeterministic_output_order"])
        .syntax("key")
        .about("Returns all values of a hash."),
];
