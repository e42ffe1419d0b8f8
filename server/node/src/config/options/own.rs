//! The options that do something.
//!
//! Names, defaults and forms are Redis's where Redis has the option. The text of each row is what `--help` prints. A new one
//! is a row here and a field of `Settings`, which the compiler then asks for.

use super::{INT, Kind, OptionSpec, PORT, works};

/// The rows.
pub(super) static OPTIONS: [OptionSpec; 44] = [
    works("port", PORT, "6379", "The port for clients. 0: any that is free at all addresses, which the log and `CONFIG GET` name.").only_restart(),
    works("bind", Kind::Addresses, "* -::*", "The addresses to listen on. One with the prefix `-` is passed over if the machine does not have it.").only_restart(),
    works("tcp-backlog", INT, "511", "How many connections may wait to be accepted.").fixed(),
    works("tcp-keepalive", INT, "300", "After how many idle seconds the kernel probes whether a new connection's client is still there. 0: never."),
    works("timeout", INT, "0", "After how many idle seconds a client is disconnected. 0: never."),
    works("maxclients", Kind::Integer(1, u32::MAX as u64), "10000", "How many clients may be connected."),
    works("protected-mode", Kind::Bool, "yes", "Whether only clients of the same machine are let in as long as there is no password."),
    works("requirepass", Kind::Text, "", "The password that clients give with AUTH. Empty: none."),
    works("databases", Kind::Integer(1, 10_000), "16", "How many databases there are; one in cluster mode.").fixed(),
    works("io-threads", Kind::Integer(0, 1024), "0", "How many threads serve clients. 0: as many as the machine has cores for this process.").fixed(),
    works("dir", Kind::Directory, ".", "The directory of the node's files.").protected(),
    works("logfile", Kind::Text, "", "The file to log to. Empty: the standard output.").fixed(),
    works("loglevel", Kind::Word(&["debug", "verbose", "notice", "warning", "nothing"]), "notice", "How much is logged."),
    works("pidfile", Kind::Text, "", "The file to write the process id to. Empty: none.").fixed(),
    works("proto-max-bulk-len", Kind::Memory(1 << 20), "536870912", "The longest argument of a request."),
    works("notify-keyspace-events", Kind::NoticeClasses, "", "Which events on keys are published: `K` to the channel of the key, `E` to that of the event, and letters of classes of events (`A`: all but `m` and `n`)."),
    works("client-query-buffer-limit", Kind::Memory(1 << 20), "1073741824", "How long an incomplete request may grow before its client is disconnected."),
    works("client-output-buffer-limit", Kind::OutputLimits, "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60", "What a client that does not take its replies may hold, by class of client: at most, and for how long."),
    works("enable-debug-command", Kind::Word(&["no", "yes", "local"]), "no", "Who may use DEBUG: nobody, everybody, or clients of the same machine.").fixed(),
    works("enable-protected-configs", Kind::Word(&["no", "yes", "local"]), "no", "Who may change protected options: nobody, everybody, or clients of the same machine.").fixed(),
    works("maxmemory", Kind::Memory(0), "0", "The memory that may be used: beyond it, commands that need more are refused if `maxmemory-policy` is `noeviction`. 0: no limit."),
    works("maxmemory-policy", Kind::Word(&[
            "volatile-lru",
            "volatile-lfu",
            "volatile-random",
            "volatile-ttl",
            "allkeys-lru",
            "allkeys-lfu",
            "allkeys-random",
            "noeviction",
        ]), "noeviction", "What is evicted when more than `maxmemory` is used. Nothing is evicted yet; only `noeviction` has an effect."),
    works("min-replicas-to-write", INT, "0", "How many replicas there must be for writes to be taken.")
        .alias("min-slaves-to-write"),
    works("disable-thp", Kind::Bool, "yes", "Whether the process goes without transparent huge pages: the kernel clears 2 MB at the first touch of each, which stalls requests for milliseconds.").fixed(),
    works("lazyfree-lazy-user-flush", Kind::Bool, "no", "Whether FLUSHALL and FLUSHDB are answered before the memory is given back, unless they say SYNC or ASYNC themselves."),
    works("daemonize", Kind::Bool, "no", "Must be `no`: run the node under a service manager.").fixed(),
    works("supervised", Kind::Word(&["upstart", "systemd", "auto", "no"]), "no", "Taken; the node needs no telling.").fixed(),
    works("appendonly", Kind::Bool, "no", "Whether writes are logged. Shown; nothing is logged yet."),
    works("proc-title-template", Kind::Title, "{title} {listen-addr} {server-mode}", "Taken; the title stays."),
    works("cluster-enabled", Kind::Bool, "no", "Whether the node is one of a cluster.").fixed(),
    works("cluster-port", PORT, "0", "The port for the other nodes, on the same addresses. 0: the port for clients plus 10000.").fixed(),
    works("cluster-secret", Kind::Text, "", "What the other nodes must know to be let in at the port for nodes; the same on all. Empty: nothing.").only_restart(),
    works("join", Kind::Addresses, "", "Members of the cluster to join at the first start, as `host:port` of their ports for clients.").only_restart(),
    works("cluster-announce-ip", Kind::Text, "", "The address that others should use. Empty: found out.").only_restart(),
    works("cluster-announce-port", PORT, "0", "The port for clients that others should use. 0: `port`.").only_restart(),
    works("cluster-announce-bus-port", PORT, "0", "The port for nodes that others should use. 0: `cluster-port`.").only_restart(),
    works("cluster-announce-tls-port", PORT, "0", "Taken; there is no TLS yet.").only_restart(),
    works("cluster-announce-hostname", Kind::Text, "", "The host name that others should use. Empty: none.").only_restart(),
    works("cluster-require-full-coverage", Kind::Bool, "yes", "Whether nothing is served unless every slot has an owner."),
    works("cluster-allow-pubsubshard-when-down", Kind::Bool, "yes", "Whether channels of shards are served here also while the cluster as a whole serves nothing."),
    works("cluster-node-timeout", Kind::Integer(0, i64::MAX as u64), "15000", "After how many milliseconds of silence a node counts as failed."),
    works("cluster-config-file", Kind::Text, "nodes.conf", "Taken; the node keeps what it knows of the cluster in its own file in `dir`.").fixed(),
    works("set-proc-title", Kind::Bool, "yes", "Taken; the title stays.").fixed(),
    works("always-show-logo", Kind::Bool, "no", "Taken; there is no logo.").fixed(),
];
