//! Rows of the commands on keys of any type: deleting, renaming, expiry, and the walks over a database.
//!
//! KEYS, SCAN and RANDOMKEY take no key and belong to the whole database; the rest names its keys.

use super::row::{
    ASKING, CREATES, DENYOOM, EXAMINES, FAST, LOADING, MOVABLEKEYS, NOSCRIPT, OVERWRITES, READONLY, READS,
    READS_AND_UPDATES, REMOVES, STALE, TAKES, UPDATES, WRITE, key, key_after, keys_from, row, untold,
};
use super::{
    Acl, BeginSearch, CommandSpec, DataCommand, FindKeys, Group, Handler, KeyFlags, KeySpec, KeyspaceCommand,
    NodeCommand,
};

const fn data(name: &'static str, command: DataCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Data(command), arity, Group::Generic)
}

const fn keyspace(name: &'static str, command: KeyspaceCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Keyspace(command), arity, Group::Generic)
}

/// The keys behind the word KEYS.
const MIGRATED_KEYS: KeySpec = KeySpec {
    flags: TAKES.union(KeyFlags::INCOMPLETE),
    begin: BeginSearch::Keyword("KEYS", -2),
    find: FindKeys::Range { last: -1, step: 1, limit: 0 },
};

const SORTED: Acl = Acl::SET.union(Acl::SORTEDSET).union(Acl::LIST).union(Acl::DANGEROUS);

pub(super) const ROWS: &[CommandSpec] = &[
    data("copy", DataCommand::Copy, -3)
        .flags(&[WRITE, DENYOOM])
        .acl(Acl::KEYSPACE)
        .keys(&[key(1, READS), key(2, OVERWRITES)])
        .since("6.2.0")
        .cost("O(N), N the number of elements of a collection; O(1) for a string")
        .syntax("source destination [DB destination-db] [REPLACE]")
        .about("Copies a key's value to another key."),
    data("del", DataCommand::Del, -2)
        .flags(&[WRITE])
        .acl(Acl::KEYSPACE)
        .keys(&[keys_from(1, REMOVES)])
        .since("1.0.0")
        .cost("O(N), N the number of keys and of their elements")
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .syntax("key [key ...]")
        .about("Deletes keys."),
    data("dump", DataCommand::Dump, 2)
        .flags(&[READONLY])
        .acl(Acl::KEYSPACE)
        .keys(&[key(1, READS)])
        .since("2.6.0")
        .cost("O(1) to find the key, and O(N*M) to write it, N elements of M bytes")
        .tips(&["nondeterministic_output"])
        .syntax("key")
        .about("Returns a key's value as bytes that RESTORE reads."),
    data("exists", DataCommand::Exists, -2)
        .flags(&[READONLY, FAST])
        .acl(Acl::KEYSPACE)
        .keys(&[keys_from(1, EXAMINES)])
        .since("1.0.0")
        .cost("O(N), N the number of keys")
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .syntax("key [key ...]")
        .about("Counts how many of the keys exist."),
    data("expire", DataCommand::Expire, -3)
        .flags(&[WRITE, FAST])
        .acl(Acl::KEYSPACE)
        .keys(&[key(1, UPDATES)])
        .since("1.0.0")
        .cost("O(1)")
        .syntax("key seconds [NX | XX | GT | LT]")
        .about("Sets a key to expire so many seconds from now."),
    data("expireat", DataCommand::ExpireAt, -3)
        .flags(&[WRITE, FAST])
        .acl(Acl::KEYSPACE)
        .keys(&[key(1, UPDATES)])
        .since("1.2.0")
        .cost("O(1)")
        .syntax("key unix-time-seconds [NX | XX | GT | LT]")
        .about("Sets a key to expire at a Unix time in seconds."),
    data("expiretime", DataCommand::ExpireTime, 2)
        .flags(&[READONLY, FAST])
        .acl(Acl::KEYSPACE)
        .keys(&[key(1, READS)])
        .since("7.0.0")
        .cost("O(1)")
        .syntax("key")
        .about("Returns the Unix time in seconds at which a key expires."),
    keyspace("keys", KeyspaceCommand::Keys, 2)
        .flags(&[READONLY])
        .acl(Acl::DANGEROUS.union(Acl::KEYSPACE))
        .since("1.0.0")
        .cost("O(N), N the number of keys in the database")
        .tips(&["request_policy:all_shards", "nondeterministic_output_order"])
        .syntax("pattern")
        .about("Returns all keys that match a glob pattern."),
    row("migrate", Handler::Node(NodeCommand::Migrate), -6, Group::Generic)
        .flags(&[WRITE, MOVABLEKEYS])
        .acl(Acl::DANGEROUS.union(Acl::KEYSPACE))
        .keys(&[key(3, TAKES), MIGRATED_KEYS])
        .since("2.6.0")
        .cost("O(N), N the number of keys: DUMP and DEL here, RESTORE there")
        .tips(&["nondeterministic_output"])
        .syntax(
            "host port key destination-db timeout [COPY] [REPLACE] [AUTH password] [AUTH2 username password] \
             [KEYS key [key ...]]",
        )
        .about("Moves keys to another server."),
    data("move", DataCommand::Move, 3)
        .flags(&[WRITE, FAST])
        .acl(Acl::KEYSPACE)
        .keys(&[key(1, READS_AND_UPDATES)])
        .since("1.0.0")
        .cost("O(1)")
        .syntax("key db")
        .about("Moves a key to another database."),
    row("object", Handler::Container, -2, Group::Generic)
        .since("2.2.3")
        .cost("Depends on the subcommand.")
        .about("Shows how values are kept and used.")
        .subcommands(OBJECT_SUBCOMMANDS),
    data("pexpire", DataCommand::PExpire, -3)
        .flags(&[WRITE, FAST])
        .acl(Acl::KEYSPACE)
        .keys(&[key(1, UPDATES)])
        .since("2.6.0")
        .cost("O(1)")
        .syntax("key milliseconds [NX | XX | GT | LT]")
        .about("Sets a key to expire so many milliseconds from now."),
    data("pexpireat", DataCommand::PExpireAt, -3)
        .flags(&[WRITE, FAST])
        .acl(Acl::KEYSPACE)
        .keys(&[key(1, UPDATES)])
        .since("2.6.0")
        .cost("O(1)")
        .syntax("key unix-time-milliseconds [NX | XX | GT | LT]")
        .about("Sets a key to expire at a Unix time in milliseconds."),
    data("pexpiretime", DataCommand::PExpireTime, 2)
        .flags(&[READONLY, FAST])
        .acl(Acl::KEYSPACE)
        .keys(&[key(1, READS)])
        .since("7.0.0")
        .cost("O(1)")
        .syntax("key")
        .about("Returns the Unix time in milliseconds at which a key expires."),
    data("pttl", DataCommand::PTtl, 2)
        .flags(&[READONLY, FAST])
        .acl(Acl::KEYSPACE)
        .keys(&[key(1, READS)])
        .since("2.6.0")
        .cost("O(1)")
        .tips(&["nondeterministic_output"])
        .syntax("key")
        .about("Returns how many milliseconds a key has left."),
    data("persist", DataCommand::Persist, 2)
        .flags(&[WRITE, FAST])
        .acl(Acl::KEYSPACE)
        .keys(&[key(1, UPDATES)])
        .since("2.2.0")
        .cost("O(1)")
        .syntax("key")
        .about("Removes a key's expiry."),
    keyspace("randomkey", KeyspaceCommand::RandomKey, 1)
        .flags(&[READONLY])
        .acl(Acl::KEYSPACE)
        .since("1.0.0")
        .cost("O(1)")
        .tips(&["request_policy:all_shards", "response_policy:special", "nondeterministic_output"])
        .about("Returns a random key of the database."),
    data("rename", DataCommand::Rename, 3)
        .flags(&[WRITE])
        .acl(Acl::KEYSPACE)
        .keys(&[key(1, TAKES), key(2, OVERWRITES)])
        .since("1.0.0")
        .cost("O(1), and the cost of deleting what the new name held")
        .syntax("key newkey")
        .about("Renames a key, overwriting the new name."),
    data("renamenx", DataCommand::RenameNx, 3)
        .flags(&[WRITE, FAST])
        .acl(Acl::KEYSPACE)
        .keys(&[key(1, TAKES), key(2, CREATES)])
        .since("1.0.0")
        .cost("O(1)")
        .syntax("key newkey")
        .about("Renames a key, but only if the new name is absent."),
    data("restore", DataCommand::Restore, -4)
        .flags(&[WRITE, DENYOOM])
        .acl(Acl::DANGEROUS.union(Acl::KEYSPACE))
        .keys(&[key(1, OVERWRITES)])
        .since("2.6.0")
        .cost("O(1) to make the key, and O(N*M) to read it, N elements of M bytes; O(N*M*log(N)) for sorted sets")
        .syntax("key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]")
        .about("Creates a key from what DUMP returned."),
    data("restore-asking", DataCommand::RestoreAsking, -4)
        .flags(&[WRITE, DENYOOM, ASKING])
        .acl(Acl::DANGEROUS.union(Acl::KEYSPACE))
        .keys(&[key(1, OVERWRITES)])
        .since("3.0.0")
        .cost("O(1) to make the key, and O(N*M) to read it, N elements of M bytes; O(N*M*log(N)) for sorted sets")
        .syntax("key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]")
        .about("Creates a key in a slot that is still being imported; for MIGRATE."),
    keyspace("scan", KeyspaceCommand::Scan, -2)
        .flags(&[READONLY])
        .acl(Acl::KEYSPACE)
        .since("2.8.0")
        .cost("O(1) per call, O(N) for all N keys")
        .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"])
        .syntax("cursor [MATCH pattern] [COUNT count] [TYPE type]")
        .about("Iterates over the keys of the database with a cursor."),
    data("sort", DataCommand::Sort, -2)
        .flags(&[WRITE, DENYOOM, MOVABLEKEYS])
        .acl(SORTED)
        .keys(&[key(1, READS), untold(READS), key_after("STORE", -2, OVERWRITES)])
        .since("1.0.0")
        .cost("O(N+M*log(M)), N the number of elements, M the number returned; O(N) if they are not sorted")
        .syntax("key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA] [STORE destination]")
        .about("Sorts the elements of a list, set or sorted set, perhaps by other keys, and returns or stores them."),
    data("sort_ro", DataCommand::SortRo, -2)
        .flags(&[READONLY, MOVABLEKEYS])
        .acl(SORTED)
        .keys(&[key(1, READS), untold(READS)])
        .since("7.0.0")
        .cost("O(N+M*log(M)), N the number of elements, M the number returned; O(N) if they are not sorted")
        .syntax("key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]")
        .about("Sorts the elements of a list, set or sorted set and returns them; SORT without STORE."),
    data("touch", DataCommand::Touch, -2)
        .flags(&[READONLY, FAST])
        .acl(Acl::KEYSPACE)
        .keys(&[keys_from(1, EXAMINES)])
        .since("3.2.1")
        .cost("O(N), N the number of keys")
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .syntax("key [key ...]")
        .about("Marks keys as just used and counts those that exist."),
    data("ttl", DataCommand::Ttl, 2)
        .flags(&[READONLY, FAST])
        .acl(Acl::KEYSPACE)
        .keys(&[key(1, READS)])
        .since("1.0.0")
        .cost("O(1)")
        .tips(&["nondeterministic_output"])
        .syntax("key")
        .about("Returns how many seconds a key has left."),
    data("type", DataCommand::Type, 2)
        .flags(&[READONLY, FAST])
        .acl(Acl::KEYSPACE)
        .keys(&[key(1, EXAMINES)])
        .since("1.0.0")
        .cost("O(1)")
        .syntax("key")
        .about("Returns the type of a key's value."),
    data("unlink", DataCommand::Unlink, -2)
        .flags(&[WRITE, FAST])
        .acl(Acl::KEYSPACE)
        .keys(&[keys_from(1, REMOVES)])
        .since("4.0.0")
        .cost("O(N), N the number of keys; memory is freed afterwards")
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .syntax("key [key ...]")
        .about("Deletes keys and frees their memory later."),
    row("wait", Handler::Node(NodeCommand::Wait), 3, Group::Generic)
        .flags(&[NOSCRIPT])
        .acl(Acl::CONNECTION)
        .since("3.0.0")
        .cost("O(1)")
        .tips(&["request_policy:all_shards", "response_policy:agg_min"])
        .syntax("numreplicas timeout")
        .about("Waits until so many replicas have what the connection wrote, or for so many milliseconds."),
    row("waitaof", Handler::Node(NodeCommand::WaitAof), 4, Group::Generic)
        .flags(&[NOSCRIPT])
        .acl(Acl::CONNECTION)
        .since("7.2.0")
        .cost("O(1)")
        .tips(&["request_policy:all_shards", "response_policy:agg_min"])
        .syntax("numlocal numreplicas timeout")
        .about("Waits until append-only files here and on so many replicas have what the connection wrote."),
];

const OBJECT_TIPS: &[&str] = &["nondeterministic_output"];
const OBJECT_KEY: &[KeySpec] = &[key(2, EXAMINES)];

const fn object(name: &'static str, command: DataCommand) -> CommandSpec {
    data(name, command, 3)
        .flags(&[READONLY])
        .acl(Acl::KEYSPACE)
        .keys(OBJECT_KEY)
        .cost("O(1)")
        .tips(OBJECT_TIPS)
        .syntax("key")
}

const OBJECT_SUBCOMMANDS: &[CommandSpec] = &[
    object("encoding", DataCommand::ObjectEncoding)
        .since("2.2.3")
        .about("Returns how a key's value is represented."),
    object("freq", DataCommand::ObjectFreq)
        .since("4.0.0")
        .about("Returns how often a key was used, on a logarithmic scale."),
    row("help", Handler::Node(NodeCommand::ObjectHelp), 2, Group::Generic)
        .flags(&[LOADING, STALE])
        .acl(Acl::KEYSPACE)
        .since("6.2.0")
        .cost("O(1)")
        .about("Returns help on the subcommands."),
    object("idletime", DataCommand::ObjectIdleTime)
        .since("2.2.3")
        .about("Returns for how many seconds a key was not used."),
    object("refcount", DataCommand::ObjectRefCount)
        .since("2.2.3")
        .about("Returns how many references there are to a key's value."),
];
