//! The sections that say what the node is and holds.
//!
//! Fields, names and order are those that tools look for: redis-cli finds some by the first text that matches. A field whose
//! thing does not exist here is shown with the value of a server that does not use it.

use super::Page;
use super::system;
use crate::admin::Call;
use crate::clock;
use crate::node::REDIS_VERSION;

const SECONDS_PER_DAY: u64 = 24 * 60 * 60;

/// Minutes, as Redis's clock for eviction counts them, come round after 24 bits of seconds.
const LRU_CLOCK_MASK: u64 = (1 << 24) - 1;

pub(super) fn server(page: &mut Page, call: &Call<'_>) {
    let settings = call.node.config.settings();
    let now = clock::since_epoch();
    let uptime = call.now.0.saturating_sub(call.node.started.0) / 1000;
    let executable = std::env::current_exe().unwrap_or_default();
    let file = call.node.config.file().map(|path| path.display().to_string()).unwrap_or_default();
    page.section("Server");
    page.fields(&[
        ("redis_version", &REDIS_VERSION),
        ("nuthatch_version", &env!("CARGO_PKG_VERSION")),
        ("redis_git_sha1", &"00000000"),
        ("redis_git_dirty", &0),
        ("redis_build_id", &"0"),
        ("redis_mode", &if call.node.in_cluster() { "cluster" } else { "standalone" }),
        ("os", &system::os()),
        ("arch_bits", &usize::BITS),
        ("atomicvar_api", &"rust"),
        ("gcc_version", &"0.0.0"),
        ("monotonic_clock", &"POSIX clock_gettime"),
        ("multiplexing_api", &"epoll"),
        ("process_id", &std::process::id()),
        ("process_supervised", &"no"),
        ("run_id", &call.node.run_id),
        ("tcp_port", &settings.port),
        ("server_time_usec", &now.as_micros()),
        ("uptime_in_seconds", &uptime),
        ("uptime_in_days", &(uptime / SECONDS_PER_DAY)),
        ("hz", &10),
        ("configured_hz", &10),
        ("lru_clock", &(now.as_secs() & LRU_CLOCK_MASK)),
        ("executable", &executable.display()),
        ("config_file", &file),
        ("io_threads_active", &u8::from(settings.io_threads > 1)),
    ]);
}

pub(super) fn clients(page: &mut Page, call: &Call<'_>) {
    let (input, output) = call
        .node
        .clients
        .all()
        .iter()
        .map(|client| client.held())
        .fold((0, 0), |(input, output), held| (input.max(held.input), output.max(held.output)));
    page.section("Clients");
    page.fields(&[
        ("connected_clients", &(call.node.clients.len().saturating_sub(call.node.feed.followers().len()))),
        ("cluster_connections", &0),
        ("maxclients", &call.node.config.settings().maxclients),
        ("client_recent_max_input_buffer", &input),
        ("client_recent_max_output_buffer", &output),
        ("blocked_clients", &(call.node.clients.blocked() + call.node.pause.waiting())),
        ("tracking_clients", &0),
        ("clients_in_timeout_table", &0),
    ]);
}

pub(super) fn persistence(page: &mut Page, call: &Call<'_>) {
    let record = call.node.persistence.record();
    let seconds =
        |time: Option<std::time::Duration>| time.map_or(-1, |t| i64::try_from(t.as_secs()).unwrap_or(-1));
    let changes = call.node.telemetry.sums().effects.saturating_sub(record.changes);
    page.section("Persistence");
    page.fields(&[
        ("loading", &u8::from(call.node.role.is_loading())),
        ("async_loading", &0),
        ("current_cow_peak", &0),
        ("current_cow_size", &0),
        ("current_cow_size_age", &0),
        ("current_fork_perc", &"0.00"),
        ("current_save_keys_processed", &0),
        ("current_save_keys_total", &0),
        ("rdb_changes_since_last_save", &changes),
        ("rdb_bgsave_in_progress", &u8::from(record.began.is_some())),
        ("rdb_last_save_time", &record.last_save),
        ("rdb_last_bgsave_status", &if record.ok { "ok" } else { "err" }),
        ("rdb_last_bgsave_time_sec", &seconds(record.took)),
        ("rdb_current_bgsave_time_sec", &seconds(record.began.map(|began| began.elapsed()))),
        ("rdb_saves", &record.saves),
        ("rdb_last_cow_size", &0),
        ("rdb_last_load_keys_expired", &record.loaded.expired),
        ("rdb_last_load_keys_loaded", &record.loaded.keys),
        ("aof_enabled", &0),
        ("aof_rewrite_in_progress", &0),
        ("aof_rewrite_scheduled", &0),
        ("aof_last_rewrite_time_sec", &-1),
        ("aof_current_rewrite_time_sec", &-1),
        ("aof_last_bgrewrite_status", &"ok"),
        ("aof_rewrites", &0),
        ("aof_rewrites_consecutive_failures", &0),
        ("aof_last_write_status", &"ok"),
        ("aof_last_cow_size", &0),
        ("module_fork_in_progress", &0),
        ("module_fork_last_cow_size", &0),
    ]);
}

pub(super) fn cluster(page: &mut Page, call: &Call<'_>) {
    page.section("Cluster");
    page.field("cluster_enabled", u8::from(call.node.in_cluster()));
}

pub(super) fn keyspace(page: &mut Page, call: &Call<'_>) {
    page.section("Keyspace");
    for db in 0..call.node.engine.databases() {
        let stats = call.node.engine.database_stats(db, call.now);
        if stats.keys > 0 {
            let (keys, expires, ttl) = (stats.keys, stats.expires, stats.avg_ttl);
            page.field(&format!("db{db}"), format_args!("keys={keys},expires={expires},avg_ttl={ttl}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::info::human;

    #[test]
    fn the_plain_number_comes_before_the_one_for_people() {
        let mut page = Page::default();
        page.bytes("used_memory", 2048);
        assert_eq!(page.0, format!("used_memory:2048\r\nused_memory_human:{}\r\n", human(2048)));
    }
}
