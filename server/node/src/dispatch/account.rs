//! How long commands took, and who is told.
//!
//! The clock is read once for all commands of a window that always take the same time; they share the time between two
//! readings evenly. A command whose time grows with the data has a reading before it and one behind it, so that a slow
//! one is found however the requests were sent. What took long is noted by name ([`note`]); the rest is counted. A command
//! that waited for an element is told of when it has one, without its wait.

use nuthatch_proto::command_table::{CommandSpec, Flags, Handler, TransactionCommand, lookup};
use nuthatch_proto::resp::Args;

use super::{Batch, Window, refuse};
use crate::admin::redact::is_secret;
use crate::clock;
use crate::config::Settings;
use crate::net::clients::Client;
use crate::net::io_thread::Thread;
use crate::telemetry::Telemetry;
use crate::telemetry::events::{Event, Sample};
use crate::telemetry::slowlog::{SlowCommand, abridged};

/// Requests of a window that ran since the clock was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// The first of them.
    pub(super) first: usize,
    /// A bit for each one that a command was counted for: not for those that were refused or queued.
    pub(super) counted: u32,
}

/// Whether the command takes the same time however much data there is.
#[inline]
pub(super) fn is_quick(spec: &CommandSpec) -> bool {
    spec.flags.contains(Flags::FAST) || spec.complexity == "O(1)"
}

impl Batch<'_> {
    /// Shares the time since the clock was read last among the commands of the span.
    #[inline]
    pub(super) fn account(&mut self, span: Span, window: &Window, buffer: &[u8]) {
        let count = u64::from(span.counted.count_ones());
        let now = clock::since_epoch();
        let elapsed = u64::try_from(now.saturating_sub(self.started).as_nanos()).unwrap_or(u64::MAX);
        self.started = now;
        let Some(share) = elapsed.checked_div(count) else { return };
        for (place, request) in window.requests()[span.first..].iter().enumerate() {
            match span.counted.checked_shr(u32::try_from(place).unwrap_or(u32::MAX)) {
                None | Some(0) => break,
                Some(bits) if bits & 1 == 0 => continue,
                Some(_) => {}
            }
            let args = window.args(buffer, request);
            if let Ok(spec) = refuse::resolve(request.spec, args) {
                self.took(spec, args, share);
            }
        }
    }

    /// Counts how long a command took.
    #[inline]
    pub(super) fn took(&self, spec: &CommandSpec, args: Args<'_>, nanoseconds: u64) {
        count(self.thread, &self.engine.settings, &self.session.client, spec, args, nanoseconds);
    }
}

/// Counts how long a command took that did not end among those of its window.
pub(crate) fn ended_apart(thread: &Thread, client: &Client, args: Args<'_>, nanoseconds: u64) {
    if let Some(spec) = args.get(0).and_then(lookup) {
        count(thread, &thread.node.config.settings(), client, spec, args, nanoseconds);
    }
}

#[inline]
fn count(
    thread: &Thread,
    settings: &Settings,
    client: &Client,
    spec: &CommandSpec,
    args: Args<'_>,
    nanoseconds: u64,
) {
    let counted = thread.counters.command(spec.handler);
    counted.nanoseconds.add(nanoseconds);
    if settings.latency.tracking {
        counted.durations.record(nanoseconds);
    }
    if nanoseconds >= settings.noteworthy {
        note(&thread.node.telemetry, settings, client, spec, args, nanoseconds);
    }
}

/// Tells SLOWLOG and LATENCY of a command that took long enough for one of them.
#[cold]
fn note(
    telemetry: &Telemetry,
    settings: &Settings,
    client: &Client,
    spec: &CommandSpec,
    args: Args<'_>,
    nanoseconds: u64,
) {
    let now = clock::since_epoch().as_secs();
    // EXEC is as long as the commands in it, which are noted themselves.
    let is_exec = spec.handler == Handler::Transaction(TransactionCommand::Exec);
    let is_slow =
        settings.slowlog.slower_than.is_some_and(|limit| u128::from(nanoseconds) >= limit.as_nanos());
    if is_slow && !is_exec {
        let entry = SlowCommand {
            id: 0,
            time: now,
            microseconds: nanoseconds / 1000,
            words: abridged(args, |index| is_secret(args, index)),
            address: client.addr.to_string(),
            name: client.labels().name,
        };
        telemetry.slowlog.add(entry, settings.slowlog.max_len);
    }
    let (milliseconds, threshold) = (nanoseconds / 1_000_000, settings.latency.threshold);
    if threshold > 0 && milliseconds >= threshold {
        let event = if spec.flags.contains(Flags::FAST) { Event::FastCommand } else { Event::Command };
        telemetry.events.add(event, Sample { second: now, milliseconds });
    }
}
