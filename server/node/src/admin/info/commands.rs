//! The sections with a line for every command that was sent and every error that was answered.
//!
//! A line appears when the command or the error first does. Subcommands are named `container|name`, as in Redis. The sums
//! are those of all threads, since the start or the last CONFIG RESETSTAT.

use nuthatch_proto::command_table::{CommandSpec, Handler, commands};

use super::Page;
use crate::admin::Call;
use crate::telemetry::counters::CommandSums;

pub(super) fn command_stats(page: &mut Page, call: &Call<'_>) {
    let sums = call.node.telemetry.sums();
    page.section("Commandstats");
    let all = commands().iter().flat_map(|spec| {
        let subcommands = spec.subcommands.iter().map(move |subcommand| (Some(spec), subcommand));
        std::iter::once((None, spec)).chain(subcommands)
    });
    for (container, spec) in all.filter(|(_, spec)| spec.handler != Handler::Container) {
        let counted = sums.command(spec.handler);
        if counted != CommandSums::default() {
            page.field(&name(container, spec), line(counted));
        }
    }
}

fn name(container: Option<&CommandSpec>, spec: &CommandSpec) -> String {
    match container {
        Some(container) => format!("cmdstat_{}|{}", container.name, spec.name),
        None => format!("cmdstat_{}", spec.name),
    }
}

fn line(counted: CommandSums) -> String {
    let CommandSums { calls, nanoseconds, rejected, failed } = counted;
    let per_call = nanoseconds as f64 / 1000.0 / calls.max(1) as f64;
    format!(
        "calls={calls},usec={},usec_per_call={per_call:.2},rejected_calls={rejected},failed_calls={failed}",
        nanoseconds / 1000
    )
}

pub(super) fn error_stats(page: &mut Page, call: &Call<'_>) {
    page.section("Errorstats");
    for (code, count) in call.node.telemetry.errors() {
        page.field(&format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_time_per_call() {
        let counted = CommandSums { calls: 4, nanoseconds: 10_000, rejected: 1, failed: 2 };
        assert_eq!(line(counted), "calls=4,usec=10,usec_per_call=2.50,rejected_calls=1,failed_calls=2");
    }
}
