//! The section that says whom the node follows and who follows it.
//!
//! Fields, names and order are Redis's, with one of our own: `master_link_error` says why the last attempt to follow
//! ended, where there is a reason.

use std::sync::Arc;

use nuthatch_cluster::replication::Role;
use nuthatch_proto::ids::Timestamp;

use super::Page;
use crate::admin::Call;
use crate::clock;
use crate::driver::MetadataHandle;
use crate::feed::Follower;
use crate::role::{Phase, Primary};

pub(super) fn replication(page: &mut Page, call: &Call<'_>) {
    let (feed, role) = (&call.node.feed, &call.node.role);
    page.section("Replication");
    if let Some(cluster) = &call.node.cluster {
        return in_shard(page, call, cluster);
    }
    let primary = role.primary();
    match &primary {
        None => page.field("role", "master"),
        Some(primary) => followed(page, call, primary),
    }
    let followers = feed.followers();
    page.field("connected_slaves", followers.len());
    list(page, call, &followers, 0);
    let offset = if primary.is_some() { role.standing().applied } else { feed.offset() };
    let history = role.history().clone();
    let (former, end) =
        history.former().map_or(("", -1), |(replid, end)| (replid, i64::try_from(end).unwrap_or(i64::MAX)));
    page.fields(&[
        ("master_failover_state", &"no-failover"),
        ("master_replid", &history.replid()),
        ("master_replid2", &format_args!("{former:0<40}")),
        ("master_repl_offset", &offset),
        ("second_repl_offset", &end),
        ("repl_backlog_active", &0),
        ("repl_backlog_size", &0),
        ("repl_backlog_first_byte_offset", &0),
        ("repl_backlog_histlen", &0),
    ]);
}

/// What a node of a cluster says of the Redis that it takes the keys of its slots from.
fn imported(page: &mut Page, call: &Call<'_>, from: &Primary) {
    let standing = call.node.role.standing().clone();
    page.fields(&[
        ("import_host", &from.host),
        ("import_port", &from.port),
        ("import_link_status", &if standing.phase == Phase::Connected { "up" } else { "down" }),
        ("import_sync_in_progress", &u8::from(standing.phase == Phase::Transfer)),
        ("import_offset", &standing.applied),
        ("import_passed_over", &standing.passed_over),
    ]);
    if let Some(trouble) = &standing.trouble {
        page.field("import_link_error", trouble);
    }
}

/// The replicas of Redis, numbered from there on.
fn list(page: &mut Page, call: &Call<'_>, followers: &[Arc<Follower>], first: usize) {
    for (number, follower) in (first..).zip(followers) {
        let state = if follower.is_online() { "online" } else { "send_bulk" };
        let (ip, port) = (follower.client.addr.ip().to_canonical(), follower.port());
        let lag = call.now.0.saturating_sub(follower.heard().0) / 1000;
        let offset = follower.acknowledged();
        page.field(
            &format!("slave{number}"),
            format_args!("ip={ip},port={port},state={state},offset={offset},lag={lag}"),
        );
    }
}

/// What a node of a cluster says.
fn in_shard(page: &mut Page, call: &Call<'_>, cluster: &MetadataHandle) {
    let (view, report, now) = (cluster.view(), cluster.replication().report(), clock::lease());
    let address = |node| view.topology.node(node).map(|node| (node.address.host.as_str(), node.address.port));
    let seconds = |then: u64| now.saturating_sub(then) / 1000;
    let shard = view.topology.shard_of(view.me);
    if report.role == Some(Role::Replica) {
        let (host, port) = shard.and_then(|shard| address(shard.primary.node)).unwrap_or(("", 0));
        let heard = if report.heard == 0 { -1 } else { i64::try_from(seconds(report.heard)).unwrap_or(-1) };
        page.fields(&[
            ("role", &"slave"),
            ("master_host", &host),
            ("master_port", &port),
            ("master_link_status", &if report.linked { "up" } else { "down" }),
            ("master_last_io_seconds_ago", &heard),
            ("master_sync_in_progress", &u8::from(report.copying)),
            ("slave_read_repl_offset", &report.offset),
            ("slave_repl_offset", &report.offset),
        ]);
        if !report.linked {
            page.field("master_link_down_since_seconds", heard);
        }
        page.fields(&[
            ("slave_priority", &call.node.config.settings().replication.priority),
            ("slave_read_only", &1),
            ("replica_announced", &1),
        ]);
    } else {
        page.field("role", "master");
    }
    if let Some(from) = call.node.role.primary() {
        imported(page, call, &from);
    }
    let followers = call.node.feed.followers();
    page.field("connected_slaves", report.replicas.len() + followers.len());
    for (number, replica) in report.replicas.iter().enumerate() {
        let (ip, port) = address(replica.node).unwrap_or(("", 0));
        let (state, offset) = (if replica.online { "online" } else { "send_bulk" }, replica.acked);
        let lag = seconds(replica.heard);
        page.field(
            &format!("slave{number}"),
            format_args!("ip={ip},port={port},state={state},offset={offset},lag={lag}"),
        );
    }
    list(page, call, &followers, report.replicas.len());
    let log = &call.node.feed.log;
    let (first, end) = log.span();
    page.fields(&[
        ("master_failover_state", &"no-failover"),
        ("master_replid", &call.node.role.history().replid()),
        ("master_replid2", &"0".repeat(40)),
        ("master_repl_offset", &report.offset),
        ("second_repl_offset", &-1),
        ("repl_backlog_active", &u8::from(call.node.feed.is_logged())),
        ("repl_backlog_size", &log.capacity()),
        ("repl_backlog_first_byte_offset", &first),
        ("repl_backlog_histlen", &end.0.saturating_sub(first.0)),
    ]);
}

/// What a replica says of its primary.
fn followed(page: &mut Page, call: &Call<'_>, primary: &Primary) {
    let standing = call.node.role.standing().clone();
    let settings = &call.node.config.settings().replication;
    let seconds =
        |then: Timestamp| i64::try_from(call.now.0.saturating_sub(then.0) / 1000).unwrap_or(i64::MAX);
    let is_up = standing.phase == Phase::Connected;
    let transfers = standing.phase == Phase::Transfer;
    page.fields(&[
        ("role", &"slave"),
        ("master_host", &primary.host),
        ("master_port", &primary.port),
        ("master_link_status", &if is_up { "up" } else { "down" }),
        ("master_last_io_seconds_ago", &standing.heard.map_or(-1, seconds)),
        ("master_sync_in_progress", &u8::from(transfers)),
        ("slave_read_repl_offset", &standing.read),
        ("slave_repl_offset", &standing.applied),
    ]);
    if transfers {
        let (total, read) = (standing.transfer.total, standing.transfer.read);
        let percent =
            total.filter(|&total| total > 0).map_or(0.0, |total| read as f64 / total as f64 * 100.0);
        page.fields(&[
            ("master_sync_total_bytes", &total.unwrap_or(0)),
            ("master_sync_read_bytes", &read),
            ("master_sync_left_bytes", &total.map_or(0, |total| total.saturating_sub(read))),
            ("master_sync_perc", &format_args!("{percent:.2}")),
            ("master_sync_last_io_seconds_ago", &seconds(standing.transfer.heard)),
        ]);
    }
    if !is_up {
        page.field("master_link_down_since_seconds", standing.down_since.map_or(-1, seconds));
    }
    if let Some(trouble) = &standing.trouble {
        page.field("master_link_error", trouble);
    }
    page.fields(&[
        ("slave_priority", &settings.priority),
        ("slave_read_only", &u8::from(settings.read_only)),
        ("replica_announced", &1),
        ("replica_passed_over", &standing.passed_over),
    ]);
}
