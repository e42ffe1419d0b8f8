//! The options that the engine follows: until which size a collection stays compact, how uses of keys are counted.
//!
//! Names, defaults and meanings are Redis's; [`nuthatch_engine::Tuning`] takes them over at the start and with
//! every change.

use super::{INT, Kind, OptionSpec, works};

const COUNT: Kind = Kind::Integer(0, i64::MAX as u64);
const SIZE: Kind = Kind::Memory(0);

/// The rows.
pub(super) static OPTIONS: [OptionSpec; 12] = [
    works("hash-max-listpack-entries", COUNT, "512", "How many fields a compact hash has at most.")
        .alias("hash-max-ziplist-entries"),
    works("hash-max-listpack-value", SIZE, "64", "How long a field or value of a compact hash is at most.")
        .alias("hash-max-ziplist-value"),
    works(
        "list-max-listpack-size",
        Kind::Integer(i32::MIN as i64, i32::MAX as u64),
        "-2",
        "How many items a node of a list has at most; -1 to -5: how many bytes, 4 kB to 64 kB.",
    )
    .alias("list-max-ziplist-size"),
    works("set-max-intset-entries", COUNT, "512", "How many members a set of integers alone has at most."),
    works("set-max-listpack-entries", COUNT, "128", "How many members a compact set has at most."),
    works("set-max-listpack-value", COUNT, "64", "How long a member of a compact set is at most."),
    works("zset-max-listpack-entries", COUNT, "128", "How many members a compact sorted set has at most.")
        .alias("zset-max-ziplist-entries"),
    works("zset-max-listpack-value", SIZE, "64", "How long a member of a compact sorted set is at most.")
        .alias("zset-max-ziplist-value"),
    works("hll-sparse-max-bytes", SIZE, "3000", "How long a sparse HyperLogLog is at most."),
    works(
        "compatibility-version",
        Kind::Word(&["7.2", "7.0"]),
        "7.2",
        "Which version of Redis OBJECT ENCODING takes its names from, for tools that know those of 7.0.",
    ),
    works("lfu-log-factor", INT, "10", "How much harder the count of a key's uses grows, the larger it is."),
    works("lfu-decay-time", INT, "1", "After how many minutes without use that count falls by one."),
];
