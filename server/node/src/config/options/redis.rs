//! The options of Redis 7.2 that have no meaning here, or none yet: taken, kept, shown.
//!
//! A configuration made for Redis must start here, and a tool that sets one of these must not fail. So each is checked as
//! its kind says, remembered and returned; the log names those that were given a value which has no effect.
//!
//! Names, ranges and defaults are those of Redis's own table. An option that begins to work moves from here to the file
//! of what it concerns.

use super::{INT, Kind, OptionSpec, PORT, kept};

const BOOL: Kind = Kind::Bool;
const COUNT: Kind = Kind::Integer(0, i64::MAX as u64);
const MEMORY: Kind = Kind::Memory(0);
const TEXT: Kind = Kind::Text;
const WORDS: Kind = Kind::Words;

/// How a signal shuts the server down.
const SIGNAL: &[&str] = &["default", "save", "nosave", "now", "force"];

/// What to do without TLS.
const NO_TLS: &str =
    "there is no TLS yet: leave the option out, and put a proxy or a tunnel that speaks TLS before the node";

/// What to do without users.
const NO_USERS: &str =
    "there are no users and access lists yet: leave the option out, and let clients in by requirepass";

/// The rows.
pub(super) static OPTIONS: [OptionSpec; 113] = [
    kept("acl-pubsub-default", Kind::Word(&["allchannels", "resetchannels"]), "resetchannels"),
    kept("aclfile", TEXT, "").fixed().withheld(NO_USERS),
    kept("acllog-max-len", COUNT, "128"),
    kept("active-defrag-cycle-max", Kind::Integer(1, 99), "25"),
    kept("active-defrag-cycle-min", Kind::Integer(1, 99), "1"),
    kept("active-defrag-ignore-bytes", Kind::Memory(1), "104857600"),
    kept("active-defrag-max-scan-fields", Kind::Integer(1, i64::MAX as u64), "1000"),
    kept("active-defrag-threshold-lower", Kind::Integer(0, 1000), "10"),
    kept("active-defrag-threshold-upper", Kind::Integer(0, 1000), "100"),
    kept("active-expire-effort", Kind::Integer(1, 10), "1"),
    kept("activedefrag", BOOL, "no"),
    kept("activerehashing", BOOL, "yes"),
    kept("aof-disable-auto-gc", BOOL, "no"),
    kept("aof-load-truncated", BOOL, "yes"),
    kept("aof-rewrite-incremental-fsync", BOOL, "yes"),
    kept("aof-timestamp-enabled", BOOL, "no"),
    kept("aof-use-rdb-preamble", BOOL, "yes"),
    kept("aof_rewrite_cpulist", TEXT, "").fixed(),
    kept("appenddirname", TEXT, "appendonlydir").fixed(),
    kept("appendfilename", TEXT, "appendonly.aof").fixed(),
    kept("appendfsync", Kind::Word(&["everysec", "always", "no"]), "everysec"),
    kept("auto-aof-rewrite-min-size", MEMORY, "67108864"),
    kept("auto-aof-rewrite-percentage", INT, "100"),
    kept("bgsave_cpulist", TEXT, "").fixed(),
    kept("bind-source-addr", WORDS, ""),
    kept("bio_cpulist", TEXT, "").fixed(),
    kept("cluster-allow-reads-when-down", BOOL, "no"),
    kept("cluster-allow-replica-migration", BOOL, "yes"),
    kept("cluster-announce-human-nodename", TEXT, ""),
    kept("cluster-link-sendbuf-limit", MEMORY, "0"),
    kept("cluster-migration-barrier", INT, "1"),
    kept("cluster-preferred-endpoint-type", Kind::Word(&["ip", "hostname", "unknown-endpoint"]), "ip"),
    kept("cluster-replica-no-failover", BOOL, "no").alias("cluster-slave-no-failover"),
    kept("cluster-replica-validity-factor", INT, "10").alias("cluster-slave-validity-factor"),
    kept("crash-log-enabled", BOOL, "yes"),
    kept("crash-memcheck-enabled", BOOL, "yes"),
    kept("dynamic-hz", BOOL, "yes"),
    kept("enable-module-command", Kind::Word(&["no", "yes", "local"]), "no").fixed(),
    kept("hz", INT, "10"),
    kept("ignore-warnings", TEXT, ""),
    kept("io-threads-do-reads", BOOL, "no").fixed(),
    kept("jemalloc-bg-thread", BOOL, "yes"),
    kept("lazyfree-lazy-eviction", BOOL, "no"),
    kept("lazyfree-lazy-expire", BOOL, "no"),
    kept("lazyfree-lazy-server-del", BOOL, "no"),
    kept("lazyfree-lazy-user-del", BOOL, "no"),
    kept("list-compress-depth", INT, "0"),
    kept("loadmodule", WORDS, "").fixed().only_in_files(),
    kept("locale-collate", TEXT, ""),
    kept("maxmemory-clients", Kind::MemoryOrPercent, "0"),
    kept("maxmemory-eviction-tenacity", Kind::Integer(0, 100), "10"),
    kept("maxmemory-samples", Kind::Integer(1, i32::MAX as u64), "5"),
    kept("no-appendfsync-on-rewrite", BOOL, "no"),
    kept("oom-score-adj-values", Kind::OomScores, "0 200 800"),
    kept("oom-score-adj", Kind::Word(&["no", "yes", "relative", "absolute"]), "no"),
    kept("propagation-error-behavior", Kind::Word(&["ignore", "panic", "panic-on-replicas"]), "ignore"),
    kept("rdb-del-sync-files", BOOL, "no"),
    kept("rdb-key-save-delay", Kind::Integer(i32::MIN as i64, i32::MAX as u64), "0").hidden(),
    kept("rdb-save-incremental-fsync", BOOL, "yes"),
    kept("rdbchecksum", BOOL, "yes").fixed(),
    kept("rdbcompression", BOOL, "yes"),
    kept("rename-command", WORDS, "").fixed().only_in_files().withheld(
        "commands keep their names here, and none can be taken away: leave the option out, and let in only clients that may use all",
    ),
    kept("repl-backlog-ttl", COUNT, "3600"),
    kept("repl-disable-tcp-nodelay", BOOL, "no"),
    kept("repl-diskless-load", Kind::Word(&["disabled", "on-empty-db", "swapdb"]), "disabled"),
    kept("repl-diskless-sync-delay", INT, "5"),
    kept("repl-diskless-sync-max-replicas", INT, "0"),
    kept("repl-diskless-sync", BOOL, "yes"),
    kept("replica-announced", BOOL, "yes"),
    kept("replica-ignore-disk-write-errors", BOOL, "no"),
    kept("replica-ignore-maxmemory", BOOL, "yes").alias("slave-ignore-maxmemory"),
    kept("replica-lazy-flush", BOOL, "no").alias("slave-lazy-flush"),
    kept("sanitize-dump-payload", Kind::Word(&["no", "yes", "clients"]), "no"),
    kept("server_cpulist", TEXT, "").fixed(),
    kept("shutdown-on-sigint", Kind::Flags(SIGNAL), "default"),
    kept("shutdown-on-sigterm", Kind::Flags(SIGNAL), "default"),
    kept("shutdown-timeout", INT, "10"),
    kept("socket-mark-id", Kind::Integer(0, 4294967295), "0").fixed(),
    kept("stop-writes-on-bgsave-error", BOOL, "yes"),
    kept("stream-node-max-bytes", MEMORY, "4096"),
    kept("stream-node-max-entries", COUNT, "100"),
    kept("syslog-enabled", BOOL, "no").fixed(),
    kept(
        "syslog-facility",
        Kind::Word(&["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"]),
        "local0",
    )
    .fixed(),
    kept("syslog-ident", TEXT, "redis").fixed(),
    kept("tls-auth-clients", Kind::Word(&["no", "yes", "optional"]), "yes"),
    kept("tls-ca-cert-dir", TEXT, ""),
    kept("tls-ca-cert-file", TEXT, ""),
    kept("tls-cert-file", TEXT, ""),
    kept("tls-ciphersuites", TEXT, ""),
    kept("tls-ciphers", TEXT, ""),
    kept("tls-client-cert-file", TEXT, ""),
    kept("tls-client-key-file-pass", TEXT, ""),
    kept("tls-client-key-file", TEXT, ""),
    kept("tls-cluster", BOOL, "no").withheld(NO_TLS),
    kept("tls-dh-params-file", TEXT, ""),
    kept("tls-key-file-pass", TEXT, ""),
    kept("tls-key-file", TEXT, ""),
    kept("tls-port", PORT, "0").withheld(NO_TLS),
    kept("tls-prefer-server-ciphers", BOOL, "no"),
    kept("tls-protocols", WORDS, ""),
    kept("tls-replication", BOOL, "no").withheld(NO_TLS),
    kept("tls-session-cache-size", INT, "20480"),
    kept("tls-session-cache-timeout", INT, "300"),
    kept("tls-session-caching", BOOL, "yes"),
    kept("tracking-table-max-keys", COUNT, "1000000"),
    kept("unixsocketperm", TEXT, "0").fixed(),
    kept("unixsocket", TEXT, "").fixed(),
    kept("user", WORDS, "").fixed().only_in_files().withheld(NO_USERS),
    kept("use-exit-on-panic", BOOL, "no").hidden(),
    kept("key-load-delay", Kind::Integer(i32::MIN as i64, i32::MAX as u64), "0").hidden(),
    kept("watchdog-period", INT, "0").hidden(),
    kept("loading-process-events-interval-bytes", Kind::Integer(1024, i32::MAX as u64), "2097152").hidden(),
    kept("lua-enable-deprecated-api", BOOL, "no").hidden().fixed(),
];
