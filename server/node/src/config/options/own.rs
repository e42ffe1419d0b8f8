//! The options that do something.
//!
//! Names, defaults and forms are Redis's where Redis has the option. The text of each row is what `--help` prints. A new one
//! is a row here and a field of `Settings`, which the compiler then asks for.

use super::Change::{Anytime, AtStart};
use super::{Change, Effect, Kind, OptionSpec};

const fn option(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    change: Change,
    doc: &'static str,
) -> OptionSpec {
    OptionSpec { name, alias: None, kind, default, change, effect: Effect::Works, doc }
}

const PORT: Kind = Kind::Integer(0, 65535);

/// The rows.
pub(super) static OPTIONS: [OptionSpec; 39] = [
    option("port", PORT, "6379", AtStart, "The port for clients. 0: any that is free."),
    option(
        "bind",
        Kind::Addresses,
        "* -::*",
        AtStart,
        "The addresses to listen on. One with the prefix `-` is passed over if the machine does not have it.",
    ),
    option(
        "tcp-backlog",
        Kind::Integer(0, i32::MAX as u64),
        "511",
        AtStart,
        "How many connections may wait to be accepted.",
    ),
    option(
        "tcp-keepalive",
        Kind::Integer(0, i32::MAX as u64),
        "300",
        Anytime,
        "After how many idle seconds the kernel probes whether a new connection's client is still there. 0: never.",
    ),
    option(
        "timeout",
        Kind::Integer(0, i32::MAX as u64),
        "0",
        Anytime,
        "After how many idle seconds a client is disconnected. 0: never.",
    ),
    option(
        "maxclients",
        Kind::Integer(1, u32::MAX as u64),
        "10000",
        Anytime,
        "How many clients may be connected.",
    ),
    option(
        "protected-mode",
        Kind::Bool,
        "yes",
        Anytime,
        "Whether only clients of the same machine are let in as long as there is no password.",
    ),
    option("requirepass", Kind::Text, "", Anytime, "The password that clients give with AUTH. Empty: none."),
    option(
        "databases",
        Kind::Integer(1, 10_000),
        "16",
        AtStart,
        "How many databases there are; one in cluster mode.",
    ),
    option(
        "io-threads",
        Kind::Integer(0, 1024),
        "0",
        AtStart,
        "How many threads serve clients. 0: as many as the machine has cores for this process.",
    ),
    option("dir", Kind::Text, ".", AtStart, "The directory of the node's files."),
    option("logfile", Kind::Text, "", AtStart, "The file to log to. Empty: the standard output."),
    option(
        "loglevel",
        Kind::Word(&["debug", "verbose", "notice", "warning", "nothing"]),
        "notice",
        Anytime,
        "How much is logged.",
    ),
    option("pidfile", Kind::Text, "", AtStart, "The file to write the process id to. Empty: none."),
    option(
        "proto-max-bulk-len",
        Kind::Memory(1 << 20),
        "536870912",
        Anytime,
        "The longest argument of a request.",
    ),
    option(
        "client-query-buffer-limit",
        Kind::Memory(1 << 20),
        "1073741824",
        Anytime,
        "How long an incomplete request may grow before its client is disconnected.",
    ),
    option(
        "client-output-buffer-limit",
        Kind::OutputLimits,
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        Anytime,
        "What a client that does not take its replies may hold, by class of client: at most, and for how long.",
    ),
    option(
        "enable-debug-command",
        Kind::Word(&["no", "yes", "local"]),
        "no",
        AtStart,
        "Who may use DEBUG: nobody, everybody, or clients of the same machine.",
    ),
    option(
        "maxmemory",
        Kind::Memory(0),
        "0",
        Anytime,
        "The memory that data may take. Shown, and not enforced yet.",
    ),
    option(
        "maxmemory-policy",
        Kind::Word(&[
            "volatile-lru",
            "volatile-lfu",
            "volatile-random",
            "volatile-ttl",
            "allkeys-lru",
            "allkeys-lfu",
            "allkeys-random",
            "noeviction",
        ]),
        "noeviction",
        Anytime,
        "What is evicted when there is too much data. Shown, and nothing is evicted yet.",
    ),
    option("daemonize", Kind::Bool, "no", AtStart, "Must be `no`: run the node under a service manager."),
    option(
        "supervised",
        Kind::Word(&["upstart", "systemd", "auto", "no"]),
        "no",
        AtStart,
        "Taken; the node needs no telling.",
    ),
    option("save", Kind::Save, "", Anytime, "When to write a snapshot. Shown; nothing is written yet."),
    option(
        "appendonly",
        Kind::Bool,
        "no",
        Anytime,
        "Whether writes are logged. Shown; nothing is logged yet.",
    ),
    option(
        "proc-title-template",
        Kind::Text,
        "{title} {listen-addr} {server-mode}",
        Anytime,
        "Taken; the title stays.",
    ),
    option("cluster-enabled", Kind::Bool, "no", AtStart, "Whether the node is one of a cluster."),
    option(
        "cluster-port",
        PORT,
        "0",
        AtStart,
        "The port for the other nodes, on the same addresses. 0: the port for clients plus 10000.",
    ),
    option(
        "cluster-secret",
        Kind::Text,
        "",
        AtStart,
        "What the other nodes must know to be let in at the port for nodes; the same on all. Empty: nothing.",
    ),
    option(
        "join",
        Kind::Addresses,
        "",
        AtStart,
        "Members of the cluster to join at the first start, as `host:port` of their ports for clients.",
    ),
    option(
        "cluster-announce-ip",
        Kind::Text,
        "",
        AtStart,
        "The address that others should use. Empty: found out.",
    ),
    option(
        "cluster-announce-port",
        PORT,
        "0",
        AtStart,
        "The port for clients that others should use. 0: `port`.",
    ),
    option(
        "cluster-announce-bus-port",
        PORT,
        "0",
        AtStart,
        "The port for nodes that others should use. 0: `cluster-port`.",
    ),
    option("cluster-announce-tls-port", PORT, "0", AtStart, "Taken; there is no TLS yet."),
    option(
        "cluster-announce-hostname",
        Kind::Text,
        "",
        AtStart,
        "The host name that others should use. Empty: none.",
    ),
    option(
        "cluster-require-full-coverage",
        Kind::Bool,
        "yes",
        Anytime,
        "Whether nothing is served unless every slot has an owner.",
    ),
    option(
        "cluster-node-timeout",
        Kind::Integer(0, i64::MAX as u64),
        "15000",
        Anytime,
        "After how many milliseconds of silence a node counts as failed.",
    ),
    option(
        "cluster-config-file",
        Kind::Text,
        "nodes.conf",
        AtStart,
        "Taken; the node keeps what it knows of the cluster in its own file in `dir`.",
    ),
    option("set-proc-title", Kind::Bool, "yes", AtStart, "Taken; the title stays."),
    option("always-show-logo", Kind::Bool, "no", AtStart, "Taken; there is no logo."),
];
