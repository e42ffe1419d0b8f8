//! The options of what follows a standalone node, and of the file that its data is written to.
//!
//! Names, defaults and ranges are Redis's, but that nothing is saved by itself unless it is asked for. All of them may change
//! at any time and are read when they are needed.

use super::{INT, Kind, OptionSpec, works};

const SECONDS: Kind = Kind::Integer(1, i32::MAX as u64);

/// The rows.
pub(super) static OPTIONS: [OptionSpec; 7] = [
    works(
        "dbfilename",
        Kind::FileName,
        "dump.rdb",
        "The file in `dir` that SAVE writes and a standalone node loads at its start.",
    )
    .protected(),
    works(
        "save",
        Kind::Save,
        "",
        "After how many seconds a standalone node writes the data to `dbfilename` by itself if so many changes were made, as pairs. Empty: never.",
    ),
    works("repl-ping-replica-period", SECONDS, "10", "After how many seconds replicas are sent a PING.")
        .alias("repl-ping-slave-period"),
    works(
        "repl-timeout",
        SECONDS,
        "60",
        "After how many seconds without a word from a replica it is cut off.",
    ),
    works(
        "min-replicas-max-lag",
        INT,
        "10",
        "A replica counts for that if it was heard of in so many seconds. 0: none does.",
    )
    .alias("min-slaves-max-lag"),
    works(
        "replica-serve-stale-data",
        Kind::Bool,
        "yes",
        "Whether a node that was told to follow another one, and cannot, answers reads.",
    )
    .alias("slave-serve-stale-data"),
    works(
        "replica-read-only",
        Kind::Bool,
        "yes",
        "Whether a node that was told to follow another one refuses writes.",
    )
    .alias("slave-read-only"),
];
