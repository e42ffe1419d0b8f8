//! Rows of the string commands.
//!
//! Not here: the commands on keys of any type, which are in the generic family. MSETNX carries no tips, for a client
//! that followed them would split it over shards and lose its all or nothing.

use super::row::{
    CREATES, DENYOOM, EXAMINES, FAST, INSERTS, OVERWRITES, READONLY, READS, READS_AND_UPDATES, SETS, TAKES,
    UPDATES, WRITE, every_second_from, key, keys_from, row,
};
use super::{Acl, CommandSpec, DataCommand, Group, Handler};

const fn data(name: &'static str, command: DataCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Data(command), arity, Group::String)
}

pub(super) const ROWS: &[CommandSpec] = &[
    data("append", DataCommand::Append, 3)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::STRING)
        .keys(&[key(1, INSERTS)])
        .since("2.0.0")
        .cost("O(1) amortized")
        .syntax("key value")
        .about("Appends to a string; creates it if absent."),
    data("decr", DataCommand::Decr, 2)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::STRING)
        .keys(&[key(1, READS_AND_UPDATES)])
        .since("1.0.0")
        .cost("O(1)")
        .syntax("key")
        .about("Subtracts one from the integer a string holds; an absent key counts as 0."),
    data("decrby", DataCommand::DecrBy, 3)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::STRING)
        .keys(&[key(1, READS_AND_UPDATES)])
        .since("1.0.0")
        .cost("O(1)")
        .syntax("key decrement")
        .about("Subtracts a number from the integer a string holds; an absent key counts as 0."),
    data("get", DataCommand::Get, 2)
        .flags(&[READONLY, FAST])
        .acl(Acl::STRING)
        .keys(&[key(1, READS)])
        .since("1.0.0")
        .cost("O(1)")
        .syntax("key")
        .about("Returns a key's string."),
    data("getdel", DataCommand::GetDel, 2)
        .flags(&[WRITE, FAST])
        .acl(Acl::STRING)
        .keys(&[key(1, TAKES)])
        .since("6.2.0")
        .cost("O(1)")
        .syntax("key")
        .about("Returns a key's string and deletes the key."),
    data("getex", DataCommand::GetEx, -2)
        .flags(&[WRITE, FAST])
        .acl(Acl::STRING)
        .keys(&[key(1, READS_AND_UPDATES)])
        .since("6.2.0")
        .cost("O(1)")
        .syntax("key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | PERSIST]")
        .about("Returns a key's string after setting or removing its expiry."),
    data("getrange", DataCommand::GetRange, 4)
        .flags(&[READONLY])
        .acl(Acl::STRING)
        .keys(&[key(1, READS)])
        .since("2.4.0")
        .cost("O(N), N the length of the part returned")
        .syntax("key start end")
        .about("Returns part of a string, named by its first and last byte."),
    data("getset", DataCommand::GetSet, 3)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::STRING)
        .keys(&[key(1, READS_AND_UPDATES)])
        .since("1.0.0")
        .deprecated("6.2.0", "`SET` with the `GET` argument")
        .cost("O(1)")
        .syntax("key value")
        .about("Sets a key's string and returns the one it had."),
    data("incr", DataCommand::Incr, 2)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::STRING)
        .keys(&[key(1, READS_AND_UPDATES)])
        .since("1.0.0")
        .cost("O(1)")
        .syntax("key")
        .about("Adds one to the integer a string holds; an absent key counts as 0."),
    data("incrby", DataCommand::IncrBy, 3)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::STRING)
        .keys(&[key(1, READS_AND_UPDATES)])
        .since("1.0.0")
        .cost("O(1)")
        .syntax("key increment")
        .about("Adds a number to the integer a string holds; an absent key counts as 0."),
    data("incrbyfloat", DataCommand::IncrByFloat, 3)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::STRING)
        .keys(&[key(1, READS_AND_UPDATES)])
        .since("2.6.0")
        .cost("O(1)")
        .syntax("key increment")
        .about("Adds a number to the floating-point number a string holds; an absent key counts as 0."),
    data("mget", DataCommand::MGet, -2)
        .flags(&[READONLY, FAST])
        .acl(Acl::STRING)
        .keys(&[keys_from(1, READS)])
        .since("1.0.0")
        .cost("O(N), N the number of keys")
        .tips(&["request_policy:multi_shard"])
        .syntax("key [key ...]")
        .about("Returns the strings of several keys in one step."),
    data("mset", DataCommand::MSet, -3)
        .flags(&[WRITE, DENYOOM])
        .acl(Acl::STRING)
        .keys(&[every_second_from(1, OVERWRITES)])
        .since("1.0.1")
        .cost("O(N), N the number of keys")
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"])
        .syntax("key value [key value ...]")
        .about("Sets the strings of several keys in one step."),
    data("msetnx", DataCommand::MSetNx, -3)
        .flags(&[WRITE, DENYOOM])
        .acl(Acl::STRING)
        .keys(&[every_second_from(1, CREATES)])
        .since("1.0.1")
        .cost("O(N), N the number of keys")
        .syntax("key value [key value ...]")
        .about("Sets the strings of several keys, but only if none of them exists."),
    data("psetex", DataCommand::PSetEx, 4)
        .flags(&[WRITE, DENYOOM])
        .acl(Acl::STRING)
        .keys(&[key(1, OVERWRITES)])
        .since("2.6.0")
        .cost("O(1)")
        .syntax("key milliseconds value")
        .about("Sets a key's string and an expiry in milliseconds."),
    data("set", DataCommand::Set, -3)
        .flags(&[WRITE, DENYOOM])
        .acl(Acl::STRING)
        .keys(&[key(1, SETS)])
        .since("1.0.0")
        .cost("O(1)")
        .syntax("key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]")
        .about("Sets a key's string, whatever type it had; conditions and expiry are options."),
    data("setex", DataCommand::SetEx, 4)
        .flags(&[WRITE, DENYOOM])
        .acl(Acl::STRING)
        .keys(&[key(1, OVERWRITES)])
        .since("2.0.0")
        .cost("O(1)")
        .syntax("key seconds value")
        .about("Sets a key's string and an expiry in seconds."),
    data("setnx", DataCommand::SetNx, 3)
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(Acl::STRING)
        .keys(&[key(1, CREATES)])
        .since("1.0.0")
        .cost("O(1)")
        .syntax("key value")
        .about("Sets a key's string, but only if the key is absent."),
    data("setrange", DataCommand::SetRange, 4)
        .flags(&[WRITE, DENYOOM])
        .acl(Acl::STRING)
        .keys(&[key(1, UPDATES)])
        .since("2.2.0")
        .cost("O(N), N the length of the value")
        .syntax("key offset value")
        .about("Overwrites part of a string from an offset on; gaps become zero bytes."),
    data("strlen", DataCommand::StrLen, 2)
        .flags(&[READONLY, FAST])
        .acl(Acl::STRING)
        .keys(&[key(1, EXAMINES)])
        .since("2.2.0")
        .cost("O(1)")
        .syntax("key")
        .about("Returns the length of a string in bytes."),
    data("substr", DataCommand::SubStr, 4)
        .flags(&[READONLY])
        .acl(Acl::STRING)
        .keys(&[key(1, READS)])
        .since("1.0.0")
        .deprecated("2.0.0", "`GETRANGE`")
        .cost("O(N), N the length of the part returned")
        .syntax("key start end")
        .about("Returns part of a string; the old name of GETRANGE."),
];
