//! The configuration as the rest of the node reads it: typed, validated, immutable.
//!
//! A change (`CONFIG SET`) makes a new value and publishes it; who needs the settings for the length of a batch takes
//! a snapshot.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use nuthatch_engine::Tuning;

use nuthatch_engine::Classes;

/// What a slow reader's connection may hold before it is closed (`client-output-buffer-limit`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutputLimit {
    /// Closed at once beyond that many bytes; 0: never.
    pub hard: u64,
    /// Closed if it stays beyond that many bytes; 0: never.
    pub soft: u64,
    /// For how long it may stay, in seconds.
    pub soft_seconds: u64,
}

/// Which commands that can harm are allowed (`enable-debug-command`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Nobody.
    No,
    /// Everybody.
    Yes,
    /// Connections from the loopback interface.
    Local,
}

impl Permission {
    /// Whether a connection from there has it.
    pub(crate) fn is_given_to(self, peer: IpAddr) -> bool {
        match self {
            Self::No => false,
            Self::Yes => true,
            Self::Local => peer.to_canonical().is_loopback(),
        }
    }
}

/// How much is logged (`loglevel`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the level of its name")]
pub enum LogLevel {
    Debug,
    Verbose,
    Notice,
    Warning,
    Nothing,
}

/// What concerns the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSettings {
    /// Whether the node is one of a cluster (`cluster-enabled`).
    pub enabled: bool,
    /// The node-to-node port (`cluster-port`): the port for clients plus 10000 unless said otherwise.
    pub port: u16,
    /// What peers must know to be let in (`cluster-secret`).
    pub secret: Option<String>,
    /// Members to join through, as `host:port` of their ports for clients (`join`).
    pub join: Vec<String>,
    /// The address that others should use (`cluster-announce-ip`); empty: found out.
    pub announce_ip: String,
    /// The port for clients that others should use (`cluster-announce-port`).
    pub announce_port: u16,
    /// The node-to-node port that others should use (`cluster-announce-bus-port`).
    pub announce_bus_port: u16,
    /// The host name that others should use (`cluster-announce-hostname`); may be empty.
    pub announce_hostname: String,
    /// After how many milliseconds of silence a node counts as failed (`cluster-node-timeout`).
    pub node_timeout: u64,
    /// Whether nothing is served unless every slot is (`cluster-require-full-coverage`).
    pub require_full_coverage: bool,
    /// Whether channels of shards are served all the same (`cluster-allow-pubsubshard-when-down`).
    pub shard_channels_when_down: bool,
}

/// Which commands are kept by SLOWLOG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowlogSettings {
    /// Those that took at least so long (`slowlog-log-slower-than`); none: no command.
    pub slower_than: Option<Duration>,
    /// How many of them (`slowlog-max-len`).
    pub max_len: usize,
}

/// What is kept of latencies.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencySettings {
    /// From how many milliseconds on an event is kept (`latency-monitor-threshold`); 0: none is.
    pub threshold: u64,
    /// Whether each command's latencies are (`latency-tracking`).
    pub tracking: bool,
    /// The percentiles that INFO prints (`latency-tracking-info-percentiles`).
    pub percentiles: Vec<f64>,
}

/// What concerns the replicas that follow a standalone node, and the server that it follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplicationSettings {
    /// After how many seconds replicas are sent a PING (`repl-ping-replica-period`).
    pub ping_period: u64,
    /// After how many seconds of silence they are cut off (`repl-timeout`).
    pub timeout: u64,
    /// In how many seconds a replica must have been heard of to count (`min-replicas-max-lag`); 0: none need to be.
    pub max_lag: u64,
    /// Whether reads are answered without a link to the primary (`replica-serve-stale-data`).
    pub serve_stale: bool,
    /// Whether writes are refused while there is a primary (`replica-read-only`).
    pub read_only: bool,
    /// Whom to follow from the start (`replicaof`).
    pub primary: Option<(String, u16)>,
    /// The user to log in as there (`masteruser`); none: the default one.
    pub user: Option<String>,
    /// The password for that (`masterauth`).
    pub password: Option<String>,
    /// The address that the primary should show (`replica-announce-ip`); none: the one that it sees.
    pub announce_ip: Option<String>,
    /// The port that it should show (`replica-announce-port`); 0: `port`.
    pub announce_port: u16,
    /// What INFO says for tools that choose among replicas (`replica-priority`).
    pub priority: u32,
    /// Whether what does not exist here is left out of what the primary sends (`replica-skip-unsupported`).
    pub skip_unsupported: bool,
    /// How many bytes of changes are kept for replicas of this cluster (`repl-backlog-size`).
    pub backlog: u64,
    /// For how many milliseconds a replica of a cluster answers reads without hearing its primary (`replica-max-lag`).
    pub replica_max_lag: u64,
    /// Whether a primary of a cluster takes writes without hearing its replicas (`cluster-writes-when-cut-off`).
    pub writes_when_cut_off: bool,
}

/// The configuration, typed.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Whether FLUSHALL and FLUSHDB that say nothing of it wait for no memory (`lazyfree-lazy-user-flush`).
    pub lazy_user_flush: bool,
    /// The port for clients (`port`).
    pub port: u16,
    /// The addresses to listen on (`bind`), each perhaps with the prefix `-`.
    pub bind: Vec<String>,
    /// How many connections may wait to be accepted (`tcp-backlog`).
    pub tcp_backlog: u32,
    /// After how many idle seconds the kernel probes a connection (`tcp-keepalive`); 0: never.
    pub tcp_keepalive: u32,
    /// After how many idle seconds a connection is closed (`timeout`); 0: never.
    pub timeout: u64,
    /// How many connections there may be (`maxclients`).
    pub maxclients: usize,
    /// Whether strangers are kept out as long as there is no password (`protected-mode`).
    pub protected_mode: bool,
    /// The password (`requirepass`).
    pub requirepass: Option<String>,
    /// How many databases there are (`databases`); one in cluster mode.
    pub databases: usize,
    /// How many threads serve connections (`io-threads`).
    pub io_threads: usize,
    /// Where the node keeps its files (`dir`).
    pub dir: PathBuf,
    /// Where the log goes (`logfile`); none: to the standard output.
    pub logfile: Option<PathBuf>,
    /// How much is logged (`loglevel`).
    pub loglevel: LogLevel,
    /// Where the process id is written (`pidfile`).
    pub pidfile: Option<PathBuf>,
    /// The longest argument (`proto-max-bulk-len`).
    pub max_bulk_len: u64,
    /// The longest request that is not complete (`client-query-buffer-limit`).
    pub query_buffer_limit: u64,
    /// `client-output-buffer-limit` of ordinary clients, of replicas and of subscribers.
    pub output_limits: [OutputLimit; 3],
    /// The classes of keyspace notices that are wanted (`notify-keyspace-events`).
    pub notice_classes: Classes,
    /// Who may use DEBUG (`enable-debug-command`).
    pub debug_command: Permission,
    /// Who may change protected options (`enable-protected-configs`).
    pub protected_configs: Permission,
    /// The memory that may be used (`maxmemory`); 0: all there is.
    pub maxmemory: u64,
    /// `maxmemory-policy`; only to evict nothing is there yet.
    pub maxmemory_policy: String,
    /// How many replicas there must be for writes to be taken (`min-replicas-to-write`).
    pub min_replicas: u32,
    /// Whether the state of the server may forbid a command: one of the limits above is set.
    pub is_guarded: bool,
    /// Whether the process goes without transparent huge pages (`disable-thp`).
    pub disable_thp: bool,
    /// What is tuned in the engine.
    pub tuning: Tuning,
    /// For how many milliseconds a script runs before other clients are told (`busy-reply-threshold`).
    pub busy_reply_threshold: u64,
    /// Which commands are kept by SLOWLOG.
    pub slowlog: SlowlogSettings,
    /// What is kept of latencies.
    pub latency: LatencySettings,
    /// From how many nanoseconds on a command is noted by SLOWLOG or LATENCY.
    pub noteworthy: u64,
    /// What concerns replicas.
    pub replication: ReplicationSettings,
    /// The file in `dir` that the data is written to (`dbfilename`).
    pub dbfilename: String,
    /// After how many seconds it is written if there were so many changes (`save`).
    pub save_points: Vec<(u64, u64)>,
    /// What concerns the cluster.
    pub cluster: ClusterSettings,
}
