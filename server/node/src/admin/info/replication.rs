//! The section that says whom the node follows and who follows it.
//!
//! Fields, names and order are Redis's, with one of our own: `master_link_error` says why the last attempt to follow
//! ended, where there is a reason.

use nuthatch_proto::ids::Timestamp;

use super::Page;
use crate::admin::Call;
use crate::role::{Phase, Primary};

pub(super) fn replication(page: &mut Page, call: &Call<'_>) {
    let (feed, role) = (&call.node.feed, &call.node.role);
    page.section("Replication");
    let primary = role.primary();
    match &primary {
        None => page.field("role", "master"),
        // It is a primary of its cluster all the same.
        Some(primary) if call.node.in_cluster() => {
            page.field("role", "master");
            imported(page, call, primary);
        }
        Some(primary) => followed(page, call, primary),
    }
    let followers = feed.followers();
    page.field("connected_slaves", followers.len());
    for (number, follower) in followers.iter().enumerate() {
        let state = if follower.is_online() { "online" } else { "send_bulk" };
        let (ip, port) = (follower.client.addr.ip().to_canonical(), follower.port());
        let lag = call.now.0.saturating_sub(follower.heard().0) / 1000;
        let offset = follower.acknowledged();
        page.field(
            &format!("slave{number}"),
            format_args!("ip={ip},port={port},state={state},offset={offset},lag={lag}"),
        );
    }
    let offset =
        if primary.is_some() && !call.node.in_cluster() { role.standing().applied } else { feed.offset() };
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
