//! The sections that say what the node did and what it cost.
//!
//! Sums of what the threads counted for themselves, read when asked for; momentary rates come from samples. Fields of
//! features that are not here are shown as nought, because exporters read them without asking.

use super::Page;
use super::system;
use crate::admin::Call;
use crate::driver::MetadataHandle;
use crate::pubsub::Kind;

pub(super) fn stats(page: &mut Page, call: &Call<'_>) {
    let (telemetry, pubsub) = (&call.node.telemetry, &call.node.pubsub);
    let (sums, rates) = (telemetry.sums(), telemetry.rates());
    let (received, rejected) = telemetry.connections();
    let dropped = call.node.cluster.as_ref().map_or(0, MetadataHandle::publications_dropped);
    page.section("Stats");
    page.fields(&[
        ("total_connections_received", &received),
        ("total_commands_processed", &sums.commands),
        ("instantaneous_ops_per_sec", &rates.ops_per_sec),
        ("total_net_input_bytes", &sums.net_input),
        ("total_net_output_bytes", &sums.net_output),
        ("total_net_repl_input_bytes", &0),
        ("total_net_repl_output_bytes", &0),
        ("instantaneous_input_kbps", &format_args!("{:.2}", rates.input_kbps)),
        ("instantaneous_output_kbps", &format_args!("{:.2}", rates.output_kbps)),
        ("instantaneous_input_repl_kbps", &"0.00"),
        ("instantaneous_output_repl_kbps", &"0.00"),
        ("rejected_connections", &rejected),
        ("sync_full", &call.node.feed.syncs()),
        ("sync_partial_ok", &0),
        ("sync_partial_err", &0),
        ("expired_keys", &sums.expired_keys),
        ("expired_stale_perc", &"0.00"),
        ("expired_time_cap_reached_count", &0),
        ("expire_cycle_cpu_milliseconds", &0),
        ("evicted_keys", &0),
        ("evicted_clients", &0),
        ("total_eviction_exceeded_time", &0),
        ("current_eviction_exceeded_time", &0),
        ("keyspace_hits", &sums.keyspace_hits),
        ("keyspace_misses", &sums.keyspace_misses),
        ("pubsub_channels", &pubsub.count(Kind::Channel)),
        ("pubsub_patterns", &pubsub.count(Kind::Pattern)),
        ("pubsubshard_channels", &pubsub.count(Kind::ShardChannel)),
        ("pubsub_cluster_dropped", &dropped),
        ("latest_fork_usec", &0),
        ("total_forks", &0),
        ("migrate_cached_sockets", &0),
        ("slave_expires_tracked_keys", &0),
        ("active_defrag_hits", &0),
        ("active_defrag_misses", &0),
        ("active_defrag_key_hits", &0),
        ("active_defrag_key_misses", &0),
        ("total_active_defrag_time", &0),
        ("current_active_defrag_time", &0),
        ("tracking_total_keys", &0),
        ("tracking_total_items", &0),
        ("tracking_total_prefixes", &0),
        ("unexpected_error_replies", &0),
        ("total_error_replies", &sums.error_replies),
        ("dump_payload_sanitizations", &0),
        ("total_reads_processed", &sums.reads),
        ("total_writes_processed", &sums.writes),
        ("io_threaded_reads_processed", &0),
        ("io_threaded_writes_processed", &0),
        ("reply_buffer_shrinks", &0),
        ("reply_buffer_expands", &0),
        ("acl_access_denied_auth", &0),
    ]);
}

pub(super) fn cpu(page: &mut Page) {
    let times = system::cpu_times();
    page.section("CPU");
    page.fields(&[
        ("used_cpu_sys", &format_args!("{:.6}", times.system)),
        ("used_cpu_user", &format_args!("{:.6}", times.user)),
        ("used_cpu_sys_children", &format_args!("{:.6}", times.children_system)),
        ("used_cpu_user_children", &format_args!("{:.6}", times.children_user)),
    ]);
}
