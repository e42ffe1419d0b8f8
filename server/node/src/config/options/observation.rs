//! The options of what the node writes down about its own work: slow commands, latencies, events.
//!
//! Names, defaults and ranges are Redis's. They are read once per batch, so a change holds from the next batch on.

use super::{Kind, OptionSpec, works};

const COUNT: Kind = Kind::Integer(0, i64::MAX as u64);

/// The rows.
pub(super) static OPTIONS: [OptionSpec; 6] = [
    works(
        "busy-reply-threshold",
        COUNT,
        "5000",
        "For how many milliseconds a script runs before other clients are told that the server is busy.",
    )
    .alias("lua-time-limit"),
    works(
        "slowlog-log-slower-than",
        Kind::Integer(-1, i64::MAX as u64),
        "10000",
        "From how many microseconds on a command is kept by SLOWLOG. 0: every command; -1: none.",
    ),
    works("slowlog-max-len", COUNT, "128", "How many commands SLOWLOG keeps."),
    works(
        "latency-monitor-threshold",
        COUNT,
        "0",
        "From how many milliseconds on an event is kept by LATENCY. 0: none.",
    ),
    works("latency-tracking", Kind::Bool, "yes", "Whether the latencies of each command are kept."),
    works(
        "latency-tracking-info-percentiles",
        Kind::Percentiles,
        "50 99 99.9",
        "Which percentiles of them INFO prints.",
    ),
];
