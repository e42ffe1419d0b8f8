//! One value for every option, each in its checked form, and the [`Settings`] they amount to.
//!
//! Values are texts that their option's kind has checked and brought into one form: what CONFIG GET answers and CONFIG REWRITE
//! writes. What depends on several options is checked when the typed settings are made, and an error there names them.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::classes;
use super::error::ConfigError;
use super::kind::{Kind, output_limits};
use super::options::{self, Effect, OptionId};
use super::reference::values as expected;
use super::settings::{
    ClusterSettings, LatencySettings, LogLevel, Permission, ReplicationSettings, Settings, SlowlogSettings,
};
use super::source::Line;

/// How far the port for nodes is from the port for clients.
const CLUSTER_PORT_OFFSET: u16 = 10_000;

/// A value for every option.
#[derive(Debug, Clone)]
pub(crate) struct Values(Vec<String>);

impl Default for Values {
    fn default() -> Self {
        Self(options::all().map(|id| id.spec().default.to_owned()).collect())
    }
}

impl Values {
    /// An option's value.
    pub(crate) fn get(&self, id: OptionId) -> &str {
        &self.0[id.index()]
    }

    /// Sets an option; the error says what is wrong with the value.
    pub(crate) fn set(&mut self, id: OptionId, value: &str) -> Result<(), String> {
        let value = id.spec().kind.normalize(value, self.get(id))?;
        if let Effect::Withheld(mend) = id.spec().effect
            && value != id.spec().default
            && !is_as_without(id.spec().name, &value)
        {
            return Err(format!("it would protect nothing here: {mend}"));
        }
        self.0[id.index()] = value;
        Ok(())
    }

    /// Writes directories from the root on, as Redis does: nobody who asks needs to know where the process was started.
    pub(crate) fn make_paths_absolute(&mut self) {
        for id in options::all().filter(|id| id.spec().kind == Kind::Directory) {
            let path = fs::canonicalize(self.get(id)).ok();
            // One that is no text stays as it was given.
            if let Some(path) = path.and_then(|path| path.into_os_string().into_string().ok()) {
                self.0[id.index()] = path;
            }
        }
    }

    /// Applies one line of configuration.
    pub(crate) fn apply(&mut self, line: &Line) -> Result<(), ConfigError> {
        let Line { name, words, place } = line;
        let id = options::find(name)
            .ok_or_else(|| ConfigError::Unknown { name: name.clone(), place: place.clone() })?;
        let kind = id.spec().kind;
        let value = match &words[..] {
            // Several lines of `save` add up.
            words if kind == Kind::Save => save_line(self.get(id), words),
            words if kind.has_words() => words.join(" "),
            [value] => value.clone(),
            _ => return Err(ConfigError::Words { name: name.clone(), place: place.clone() }),
        };
        let (name, place) = (name.clone(), place.clone());
        self.set(id, &value).map_err(|reason| match id.spec().effect {
            // Without the value, which may hold a password.
            Effect::Withheld(mend) => ConfigError::Withheld { name, mend, place },
            Effect::Works | Effect::Kept => {
                let reason = format!("{reason}; it takes {}", expected(kind).replace('`', "'"));
                ConfigError::Invalid { name, value, reason, place }
            }
        })
    }

    pub(super) fn text(&self, name: &'static str) -> &str {
        options::find(name).map_or("", |id| self.get(id))
    }

    pub(super) fn number<T: TryFrom<i128> + Default>(&self, name: &'static str) -> T {
        self.text(name).parse::<i128>().ok().and_then(|n| n.try_into().ok()).unwrap_or_default()
    }

    fn yes(&self, name: &'static str) -> bool {
        self.text(name) == "yes"
    }

    fn optional<T: for<'a> From<&'a str>>(&self, name: &'static str) -> Option<T> {
        Some(self.text(name)).filter(|text| !text.is_empty()).map(T::from)
    }

    /// The typed form; an error if options do not go together.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        if self.yes("daemonize") {
            let reason =
                "the node stays in front: leave the option out and use a service manager, or `&`".to_owned();
            return Err(ConfigError::Conflict { name: "daemonize", reason });
        }
        if self.number::<u16>("port") == 0 && !self.text("unixsocket").is_empty() {
            let reason = "0 is any port that is free here, not none, and there are no Unix sockets: leave unixsocket out, and \
                          say on which port and which addresses (bind) to listen"
                .to_owned();
            return Err(ConfigError::Conflict { name: "port", reason });
        }
        let cluster = self.cluster()?;
        let replication = self.replication()?;
        if cluster.enabled && replication.primary.is_some() {
            let reason = "replicaof directive not allowed in cluster mode".to_owned();
            return Err(ConfigError::Conflict { name: "replicaof", reason });
        }
        let io_threads = match self.number("io-threads") {
            0 => thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let min_replicas: u32 = self.number("min-replicas-to-write");
        Ok(Settings {
            lazy_user_flush: self.yes("lazyfree-lazy-user-flush"),
            port: self.number("port"),
            bind: self.text("bind").split(' ').map(str::to_owned).filter(|word| !word.is_empty()).collect(),
            tcp_backlog: self.number("tcp-backlog"),
            tcp_keepalive: self.number("tcp-keepalive"),
            timeout: self.number("timeout"),
            maxclients: self.number("maxclients"),
            protected_mode: self.yes("protected-mode"),
            requirepass: self.optional("requirepass"),
            databases: if cluster.enabled { 1 } else { self.number("databases") },
            io_threads,
            dir: PathBuf::from(self.text("dir")),
            logfile: self.optional::<String>("logfile").map(PathBuf::from),
            loglevel: self.loglevel(),
            pidfile: self.optional::<String>("pidfile").map(PathBuf::from),
            max_bulk_len: self.number("proto-max-bulk-len"),
            query_buffer_limit: self.number("client-query-buffer-limit"),
            output_limits: output_limits(self.text("client-output-buffer-limit")),
            debug_command: self.permission("enable-debug-command"),
            protected_configs: self.permission("enable-protected-configs"),
            notice_classes: classes::parse(self.text("notify-keyspace-events")).unwrap_or_default(),
            maxmemory: self.number("maxmemory"),
            maxmemory_policy: self.text("maxmemory-policy").to_owned(),
            min_replicas,
            is_guarded: min_replicas > 0 || self.number::<u64>("maxmemory") > 0,
            disable_thp: self.yes("disable-thp"),
            tuning: self.tuning(),
            busy_reply_threshold: self.number("busy-reply-threshold"),
            noteworthy: noteworthy(&self.slowlog(), &self.latency()),
            slowlog: self.slowlog(),
            latency: self.latency(),
            replication,
            dbfilename: self.text("dbfilename").to_owned(),
            save_points: save_points(self.text("save")),
            cluster,
        })
    }

    fn replication(&self) -> Result<ReplicationSettings, ConfigError> {
        Ok(ReplicationSettings {
            ping_period: self.number("repl-ping-replica-period"),
            timeout: self.number("repl-timeout"),
            max_lag: self.number("min-replicas-max-lag"),
            serve_stale: self.yes("replica-serve-stale-data"),
            read_only: self.yes("replica-read-only"),
            backlog: self.number("repl-backlog-size"),
            replica_max_lag: self.number("replica-max-lag"),
            writes_when_cut_off: self.yes("cluster-writes-when-cut-off"),
            primary: self.primary()?,
            user: self.optional("masteruser"),
            password: self.optional("masterauth"),
            announce_ip: self.optional("replica-announce-ip"),
            announce_port: self.number("replica-announce-port"),
            priority: self.number("replica-priority"),
            skip_unsupported: self.yes("replica-skip-unsupported"),
        })
    }

    /// Whom to follow; nobody if nothing is said, or `no one`.
    fn primary(&self) -> Result<Option<(String, u16)>, ConfigError> {
        let text = self.text("replicaof");
        if text.is_empty() || text.eq_ignore_ascii_case("no one") {
            return Ok(None);
        }
        let conflict = |reason: &str| ConfigError::Conflict { name: "replicaof", reason: reason.to_owned() };
        let [host, port] = text.split(' ').collect::<Vec<_>>()[..] else {
            return Err(conflict("wrong number of arguments: it takes a host and a port"));
        };
        let port = port
            .parse()
            .ok()
            .filter(|&port: &u16| port > 0)
            .ok_or_else(|| conflict("Invalid master port"))?;
        Ok(Some((host.to_owned(), port)))
    }

    fn permission(&self, name: &'static str) -> Permission {
        match self.text(name) {
            "yes" => Permission::Yes,
            "local" => Permission::Local,
            _ => Permission::No,
        }
    }

    fn slowlog(&self) -> SlowlogSettings {
        SlowlogSettings {
            // -1, none, is no number of this type.
            slower_than: self.text("slowlog-log-slower-than").parse().ok().map(Duration::from_micros),
            max_len: self.number("slowlog-max-len"),
        }
    }

    fn latency(&self) -> LatencySettings {
        let percentiles = self.text("latency-tracking-info-percentiles").split_whitespace();
        LatencySettings {
            threshold: self.number("latency-monitor-threshold"),
            tracking: self.yes("latency-tracking"),
            percentiles: percentiles.filter_map(|word| word.parse().ok()).collect(),
        }
    }

    fn loglevel(&self) -> LogLevel {
        match self.text("loglevel") {
            "debug" => LogLevel::Debug,
            "verbose" => LogLevel::Verbose,
            "warning" => LogLevel::Warning,
            "nothing" => LogLevel::Nothing,
            _ => LogLevel::Notice,
        }
    }

    fn cluster(&self) -> Result<ClusterSettings, ConfigError> {
        let enabled = self.yes("cluster-enabled");
        let clients: u16 = self.number("port");
        if enabled && clients == 0 {
            let reason = "a node of a cluster needs one that stays: choose it".to_owned();
            return Err(ConfigError::Conflict { name: "port", reason });
        }
        let port = match (self.number("cluster-port"), clients.checked_add(CLUSTER_PORT_OFFSET)) {
            (0, Some(port)) => port,
            (0, None) if enabled => {
                let reason = format!(
                    "the port for nodes would be {clients} + {CLUSTER_PORT_OFFSET}, which is no port: set cluster-port"
                );
                return Err(ConfigError::Conflict { name: "port", reason });
            }
            (port, _) => port,
        };
        let join: Vec<_> =
            self.text("join").split([' ', ',']).map(str::to_owned).filter(|w| !w.is_empty()).collect();
        if !enabled && !join.is_empty() {
            let reason = "only a node of a cluster can join one: set cluster-enabled yes".to_owned();
            return Err(ConfigError::Conflict { name: "join", reason });
        }
        if let Some(wrong) = join.iter().find(|member| !is_host_and_port(member)) {
            let reason = format!("'{wrong}' is no address: write host:port");
            return Err(ConfigError::Conflict { name: "join", reason });
        }
        Ok(ClusterSettings {
            enabled,
            port,
            secret: self.optional("cluster-secret"),
            join,
            announce_ip: self.text("cluster-announce-ip").to_owned(),
            announce_port: self.number("cluster-announce-port"),
            announce_bus_port: self.number("cluster-announce-bus-port"),
            announce_hostname: self.text("cluster-announce-hostname").to_owned(),
            node_timeout: self.number("cluster-node-timeout"),
            require_full_coverage: self.yes("cluster-require-full-coverage"),
            shard_channels_when_down: self.yes("cluster-allow-pubsubshard-when-down"),
        })
    }
}

/// The lower one of the two thresholds, in nanoseconds.
fn noteworthy(slowlog: &SlowlogSettings, latency: &LatencySettings) -> u64 {
    let slow =
        slowlog.slower_than.map_or(u64::MAX, |limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
    let event = if latency.threshold == 0 { u64::MAX } else { latency.threshold.saturating_mul(1_000_000) };
    slow.min(event)
}

/// Pairs of seconds and changes.
fn save_points(text: &str) -> Vec<(u64, u64)> {
    let numbers: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p != 0))
}

/// Whether a value of an option that has no effect asks for nothing else than what is the case: the user whom a Redis without
/// a password has, which its CONFIG REWRITE writes into the file.
fn is_as_without(name: &str, value: &str) -> bool {
    let words: Vec<_> = value.split(' ').collect();
    let [user, rules @ ..] = &words[..] else { return false };
    let has = |names: &[&str]| rules.iter().any(|rule| names.contains(rule));
    let open =
        ["on", "nopass", "sanitize-payload", "~*", "allkeys", "&*", "allchannels", "+@all", "allcommands"];
    name == "user"
        && *user == "default"
        && rules.iter().all(|rule| open.contains(rule))
        && has(&["on"])
        && has(&["nopass"])
        && has(&["~*", "allkeys"])
        && has(&["&*", "allchannels"])
        && has(&["+@all", "allcommands"])
}

fn save_line(current: &str, words: &[String]) -> String {
    let added = words.join(" ");
    if added.trim().is_empty() || current.is_empty() { added } else { format!("{current} {added}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::error::Place;

    fn values(lines: &[&str]) -> Result<Values, String> {
        let mut values = Values::default();
        for line in lines {
            let mut words = line.split(' ').map(str::to_owned);
            let name = words.next().unwrap_or_default();
            let line = Line { name, words: words.collect(), place: Place::Arguments };
            values.apply(&line).map_err(|error| error.to_string())?;
        }
        values.settings().map_err(|error| error.to_string())?;
        Ok(values)
    }

    #[track_caller]
    fn check(lines: &[&str], name: &'static str, expected: &str) {
        assert_eq!(values(lines).expect("valid").text(name), expected);
    }

    #[track_caller]
    fn refused(lines: &[&str], expected: &str) {
        assert_eq!(values(lines).expect_err("invalid"), expected);
    }

    #[test]
    fn lines_set_values() {
        check(&["port 7001"], "port", "7001");
        check(&["save 900 1", "save 60 5"], "save", "900 1 60 5");
        check(&["save 900 1", "save "], "save", "");
        check(
            &["client-output-buffer-limit normal 1kb 0 0"],
            "client-output-buffer-limit",
            "normal 1024 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        );
        let open = "user default on nopass sanitize-payload ~* &* +@all";
        check(&[open], "user", "default on nopass sanitize-payload ~* &* +@all");
        check(&["slaveof no one"], "replicaof", "no one");
    }

    #[test]
    fn a_wrong_line_is_refused_with_the_mend() {
        refused(
            &["prot 1"],
            "the command line: there is no option 'prot': see `nuthatch server --help` for those there are",
        );
        refused(
            &["port 70000"],
            "the command line: option 'port' does not take '70000': argument must be between 0 and 65535 inclusive; \
             it takes a number, 0 to 65535",
        );
        refused(
            &["port"],
            "the command line: option 'port' takes one value: put it in quotes if it has spaces, or \"\" if it is empty",
        );
        refused(
            &["daemonize yes"],
            "option 'daemonize': the node stays in front: leave the option out and use a service manager, or `&`",
        );
        refused(
            &["join a:1"],
            "option 'join': only a node of a cluster can join one: set cluster-enabled yes",
        );
        refused(&["cluster-enabled yes", "join a"], "option 'join': 'a' is no address: write host:port");
        refused(
            &["cluster-enabled yes", "port 60000"],
            "option 'port': the port for nodes would be 60000 + 10000, which is no port: set cluster-port",
        );
    }

    #[test]
    fn what_would_leave_the_node_open_is_refused() {
        for (line, mend) in [
            ("user default off", "requirepass"),
            ("user default on nopass", "requirepass"),
            ("user default on #1234 ~* &* +@all", "requirepass"),
            ("user alice on nopass ~* &* +@all", "requirepass"),
            ("aclfile /etc/users.acl", "requirepass"),
            ("rename-command CONFIG ", "leave the option out"),
            ("tls-port 6380", "tunnel"),
            ("tls-cluster yes", "tunnel"),
            ("tls-replication yes", "tunnel"),
        ] {
            let name = line.split(' ').next().expect("a name");
            let error = values(&[line]).expect_err("refused");
            let begin = format!("the command line: option '{name}' would protect nothing here: ");
            assert!(error.starts_with(&begin) && error.contains(mend), "{error}");
        }
        for line in ["tls-port 0", "tls-cluster no", "aclfile ", "tls-cert-file x", "unixsocket x"] {
            assert!(values(&[line]).is_ok(), "{line}");
        }
    }

    #[test]
    fn port_0_is_no_door_that_is_shut() {
        assert!(values(&["port 0"]).is_ok());
        refused(
            &["port 0", "unixsocket /run/redis.sock"],
            "option 'port': 0 is any port that is free here, not none, and there are no Unix sockets: leave unixsocket out, and \
             say on which port and which addresses (bind) to listen",
        );
        refused(
            &["port 0", "cluster-enabled yes"],
            "option 'port': a node of a cluster needs one that stays: choose it",
        );
    }

    #[test]
    fn a_cluster_has_one_database() {
        let settings =
            values(&["cluster-enabled yes", "join a:1,b:2"]).expect("valid").settings().expect("valid");
        assert_eq!(
            (settings.databases, settings.cluster.join),
            (1, vec!["a:1".to_owned(), "b:2".to_owned()])
        );
    }
}
