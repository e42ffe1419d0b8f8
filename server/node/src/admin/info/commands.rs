//! The sections with a line for every command that was sent and every error that was answered.
//!
//! A line appears when the command or the error first does. Subcommands are named `container|name`, as in Redis. The sums
//! are those of all threads, since the start or the last CONFIG RESETSTAT.

use nuthatch_proto::command_table::{CommandSpec, Handler, commands};

use super::Page;
use crate::admin::Call;
use crate::admin::latency::with_subcommands;
use crate::telemetry::counters::CommandSums;
use crate::telemetry::histogram::Distribution;

/// All commands that can run, with the names they are counted by.
fn all() -> impl Iterator<Item = (String, &'static CommandSpec)> {
    commands().iter().flat_map(with_subcommands).filter(|(_, spec)| spec.handler != Handler::Container)
}

pub(super) fn command_stats(page: &mut Page, call: &Call<'_>) {
    let sums = call.node.telemetry.sums();
    page.section("Commandstats");
    for (name, spec) in all() {
        let counted = sums.command(spec.handler);
        if counted.calls > 0 || counted.rejected > 0 || counted.failed > 0 {
            page.field(&format!("cmdstat_{name}"), line(counted));
        }
    }
}

pub(super) fn latency_stats(page: &mut Page, call: &Call<'_>) {
    let percentiles = &call.node.config.settings().latency.percentiles;
    page.section("Latencystats");
    for (name, spec) in all() {
        let distribution = call.node.telemetry.distribution(spec.handler);
        if distribution.calls() > 0 {
            page.field(&format!("latency_percentiles_usec_{name}"), latencies(&distribution, percentiles));
        }
    }
}

/// `p50=1.003,p99=5.023`: percentiles in microseconds.
fn latencies(distribution: &Distribution, percentiles: &[f64]) -> String {
    let text = |&percent: &f64| format!("p{percent}={:.3}", distribution.percentile(percent) as f64 / 1000.0);
    percentiles.iter().map(text).collect::<Vec<_>>().join(",")
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
    use crate::telemetry::histogram::Histogram;

    #[test]
    fn percentiles_are_named_as_they_were_asked_for() {
        let histogram = Histogram::default();
        (0..1000).for_each(|_| histogram.record(1024));
        let mut distribution = Distribution::default();
        histogram.add_to(&mut distribution);
        assert_eq!(latencies(&distribution, &[50.0, 99.9]), "p50=1.087,p99.9=1.087");
        assert_eq!(latencies(&distribution, &[]), "");
    }

    #[test]
    fn a_line_has_the_time_per_call() {
        let counted = CommandSums { calls: 4, nanoseconds: 10_000, rejected: 1, failed: 2 };
        assert_eq!(line(counted), "calls=4,usec=10,usec_per_call=2.50,rejected_calls=1,failed_calls=2");
    }
}
