//! The options of what follows a standalone node, of what it follows, and of the file that its data is written to.
//!
//! Names, defaults and ranges are Redis's, but that nothing is saved by itself unless it is asked for. All but `replicaof` may
//! change at any time and are read when they are needed.

use super::{INT, Kind, OptionSpec, PORT, works};

const SECONDS: Kind = Kind::Integer(1, i32::MAX as u64);

/// The rows.
pub(super) static OPTIONS: [OptionSpec; 17] = [
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
        "After how many seconds without a word from a replica, or from the server that is followed, the connection is ended.",
    ),
    works(
        "repl-backlog-size",
        Kind::Memory(1),
        "67108864",
        "How many bytes of changes are kept, at least 64 kB, for replicas of the same cluster that come back or take them slowly.",
    ),
    works(
        "replica-max-lag",
        INT,
        "10000",
        "For how many milliseconds a replica in a cluster answers reads (READONLY) without hearing its primary; then it sends them there. 0: for ever.",
    ),
    works(
        "cluster-writes-when-cut-off",
        Kind::Bool,
        "no",
        "Whether a primary in a cluster goes on taking writes when it and its replicas in sync have not heard each other for half a second. They are lost if a replica has taken over.",
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
    works(
        "replicaof",
        Kind::Words,
        "",
        "The server to follow from the start, as `host port`. REPLICAOF changes it.",
    )
    .alias("slaveof")
    .fixed(),
    works("masterauth", Kind::Text, "", "The password for the server to follow."),
    works(
        "masteruser",
        Kind::Text,
        "",
        "The user to log in as at the server to follow. Empty: the default one.",
    ),
    works(
        "replica-announce-ip",
        Kind::Text,
        "",
        "The address that the server which is followed should show. Empty: the one that it sees.",
    )
    .alias("slave-announce-ip"),
    works(
        "replica-announce-port",
        PORT,
        "0",
        "The port that the server which is followed should show. 0: `port`.",
    )
    .alias("slave-announce-port"),
    works("replica-priority", INT, "100", "What INFO says for tools that choose among replicas.")
        .alias("slave-priority"),
    works(
        "replica-skip-unsupported",
        Kind::Bool,
        "no",
        "Whether what this server has not (streams, functions, data of modules), and commands that fail here, are left out of \
         what the server which is followed sends. Otherwise they end the link.",
    ),
];
