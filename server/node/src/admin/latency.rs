//! LATENCY: the moments at which something took long, and how long commands take.
//!
//! LATEST, HISTORY, RESET, GRAPH and DOCTOR speak of the samples of `telemetry/events`; HISTOGRAM of the distributions
//! that every command has (`telemetry/histogram`), in steps of powers of two, as Redis prints them.

use nuthatch_proto::command_table::{CommandSpec, Handler, commands, lookup};
use nuthatch_proto::resp::ReplyWriter;

use super::Call;
use crate::telemetry::events::{Event, Series};
use crate::telemetry::histogram::Distribution;

/// The first boundary of a histogram in nanoseconds; each further one is twice as far.
const FIRST_STEP: u64 = 1 << 10;

/// Redis's histograms divide a power of two into so many steps, which shows in the boundaries they print.
const REDIS_STEPS: u64 = 1 << 7;

/// How many columns a graph has, and how many rows.
const COLUMNS: usize = 80;
const ROWS: u64 = 4;

pub(super) fn latest(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let all = call.node.telemetry.events.all();
    reply.array(all.len());
    for (event, series) in all {
        let last = series.samples.back();
        reply.array(4);
        reply.bulk(event.name().as_bytes());
        for number in [last.map_or(0, |s| s.second), last.map_or(0, |s| s.milliseconds), series.worst] {
            reply.integer(i64::try_from(number).unwrap_or(i64::MAX));
        }
    }
}

pub(super) fn history(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let series = call.node.telemetry.events.of(call.args.at(2)).unwrap_or_default();
    reply.array(series.samples.len());
    for sample in series.samples {
        reply.array(2);
        reply.integer(i64::try_from(sample.second).unwrap_or(i64::MAX));
        reply.integer(i64::try_from(sample.milliseconds).unwrap_or(i64::MAX));
    }
}

pub(super) fn reset(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let (events, names) = (&call.node.telemetry.events, call.args.skip(2));
    let forgotten = if names.is_empty() {
        events.reset(None)
    } else {
        names.iter().map(|name| events.reset(Some(name))).sum()
    };
    reply.count(forgotten);
}

pub(super) fn graph(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let name = call.args.at(2);
    match call.node.telemetry.events.of(name) {
        Some(series) => {
            let name = super::text(name);
            reply.verbatim("txt", drawn(&name, &series, call.now.0 / 1000).as_bytes());
        }
        None => {
            reply.error_bytes(&[b"ERR No samples available for event '", name, b"'"].concat());
        }
    }
}

/// A column for each sample, as high as it took long; below each how long ago it was.
fn drawn(name: &str, series: &Series, now: u64) -> String {
    let shown: Vec<_> =
        series.samples.iter().skip(series.samples.len().saturating_sub(COLUMNS)).copied().collect();
    let took = || shown.iter().map(|sample| sample.milliseconds);
    let (high, low) = (took().max().unwrap_or(0), took().min().unwrap_or(0));
    let mut text = format!(
        "{name} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        series.worst,
        "-".repeat(COLUMNS)
    );
    let mut line = |marks: &mut dyn Iterator<Item = char>| {
        text.extend(marks);
        text.push('\n');
    };
    let range = (high - low).max(1);
    for row in (0..ROWS).rev() {
        // Each row has three heights of its own.
        let mark =
            |milliseconds: u64| match ((milliseconds - low) * (ROWS * 3 - 1) / range).checked_sub(row * 3) {
                None => ' ',
                Some(0) => '_',
                Some(1) => 'o',
                Some(2) => '#',
                Some(_) => '|',
            };
        line(&mut took().map(mark));
    }
    let ages: Vec<_> = shown.iter().map(|sample| age(now.saturating_sub(sample.second))).collect();
    line(&mut std::iter::empty());
    for row in 0..ages.iter().map(String::len).max().unwrap_or(0) {
        line(&mut ages.iter().map(|age| age.chars().nth(row).unwrap_or(' ')));
    }
    text
}

/// A time in its largest unit.
fn age(seconds: u64) -> String {
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    let unit = units.into_iter().find(|&(length, _)| seconds >= length);
    unit.map_or_else(|| format!("{seconds}s"), |(length, letter)| format!("{}{letter}", seconds / length))
}

pub(super) fn doctor(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let threshold = call.node.config.settings().latency.threshold;
    let report = diagnosis(&call.node.telemetry.events.all(), threshold);
    reply.verbatim("txt", report.as_bytes());
}

fn diagnosis(all: &[(Event, Series)], threshold: u64) -> String {
    if threshold == 0 {
        return "Latency monitoring is disabled. Use \"CONFIG SET latency-monitor-threshold <milliseconds>\" to enable \
                it.\n"
            .to_owned();
    }
    if all.is_empty() {
        return format!("Nothing took {threshold} ms or more.\n");
    }
    let mut text = format!("What took {threshold} ms or more:\n\n");
    for (number, (event, series)) in all.iter().enumerate() {
        let count = series.samples.len().max(1) as u64;
        let average = series.samples.iter().map(|sample| sample.milliseconds).sum::<u64>() / count;
        text.push_str(&format!(
            "{}. {}: in {count} seconds, {average} ms on average, {} ms at worst.\n",
            number + 1,
            event.name(),
            series.worst
        ));
    }
    text.push_str("\nWhat may help:\n\n");
    for (event, _) in all {
        text.push_str(match event {
            Event::Command => {
                "- Commands whose time grows with the data took long: SLOWLOG GET names them. Ask for less at once.\n"
            }
            Event::FastCommand => {
                "- Commands that are always short took long: look for memory that is swapped out, for too few \
                 processors, and for slow commands on the same keys.\n"
            }
            Event::ExpireCycle => {
                "- Much expired at once: spread the deadlines, and keep values that expire small.\n"
            }
        });
    }
    text
}

pub(super) fn histogram(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let names = call.args.skip(2);
    let asked: Vec<_> = if names.is_empty() {
        commands().iter().flat_map(with_subcommands).collect()
    } else {
        names.iter().flat_map(named).collect()
    };
    let found: Vec<_> = asked
        .into_iter()
        .filter(|(_, spec)| spec.handler != Handler::Container)
        .map(|(name, spec)| (name, call.node.telemetry.distribution(spec.handler)))
        .filter(|(_, distribution)| distribution.calls() > 0)
        .collect();
    reply.map(found.len());
    for (name, distribution) in found {
        reply.bulk(name.as_bytes());
        print(&distribution, reply);
    }
}

/// A command and its subcommands, each under the name it is counted by.
pub(super) fn with_subcommands(
    spec: &'static CommandSpec,
) -> impl Iterator<Item = (String, &'static CommandSpec)> {
    let subcommands = spec.subcommands.iter().map(move |sub| (format!("{}|{}", spec.name, sub.name), sub));
    std::iter::once((spec.name.to_owned(), spec)).chain(subcommands)
}

/// What a word of the request means: a command with its subcommands, or one subcommand (`client|list`).
fn named(word: &[u8]) -> Vec<(String, &'static CommandSpec)> {
    let mut parts = word.splitn(2, |&byte| byte == b'|');
    let Some(spec) = parts.next().and_then(lookup) else { return Vec::new() };
    match parts.next() {
        None => with_subcommands(spec).collect(),
        Some(name) => {
            let subcommand = spec.subcommand(name);
            subcommand.map(|sub| (format!("{}|{}", spec.name, sub.name), sub)).into_iter().collect()
        }
    }
}

fn print(distribution: &Distribution, reply: &mut ReplyWriter<'_>) {
    let calls = distribution.calls();
    let mut steps = Vec::new();
    let (mut step, mut seen) = (FIRST_STEP, 0);
    while seen < calls && step != 0 {
        let below = distribution.below(step);
        // Beyond what is told apart everything is below the last step.
        let below = if step >= 1 << 36 { calls } else { below };
        if below > seen {
            steps.push((step, below));
            seen = below;
        }
        step <<= 1;
    }
    reply.map(2);
    reply.bulk(b"calls");
    reply.integer(i64::try_from(calls).unwrap_or(i64::MAX));
    reply.bulk(b"histogram_usec");
    reply.map(steps.len());
    for (step, below) in steps {
        let boundary = (step + step / REDIS_STEPS - 1) / 1000;
        reply.integer(i64::try_from(boundary).unwrap_or(i64::MAX));
        reply.integer(i64::try_from(below).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::Protocol;

    use super::*;
    use crate::telemetry::events::Sample;
    use crate::telemetry::histogram::Histogram;

    fn series(samples: &[(u64, u64)]) -> Series {
        let samples: std::collections::VecDeque<_> =
            samples.iter().map(|&(second, milliseconds)| Sample { second, milliseconds }).collect();
        let worst = samples.iter().map(|sample| sample.milliseconds).max().unwrap_or(0);
        Series { samples, worst }
    }

    #[test]
    fn a_graph_has_a_column_for_each_sample() {
        let text = drawn("command", &series(&[(10, 100), (100, 300), (130, 200)]), 140);
        let dashes = "-".repeat(80);
        let title = format!("command - high 300 ms, low 100 ms (all time high 300 ms)\n{dashes}\n # \n");
        assert!(text.starts_with(&title), "{text}");
        assert!(text.ends_with("\n241\nm00\n ss\n"), "{text}");
    }

    #[test]
    fn a_diagnosis_names_the_events() {
        assert!(diagnosis(&[], 0).contains("disabled") && diagnosis(&[], 5).contains("5 ms"));
        let text = diagnosis(&[(Event::Command, series(&[(1, 10), (2, 20)]))], 5);
        assert!(text.contains("1. command: in 2 seconds, 15 ms on average, 20 ms at worst."), "{text}");
    }

    #[test]
    fn a_histogram_prints_the_boundaries_of_redis() {
        let histogram = Histogram::default();
        [500, 900, 40_000, u64::MAX].into_iter().for_each(|nanoseconds| histogram.record(nanoseconds));
        let mut distribution = Distribution::default();
        histogram.add_to(&mut distribution);
        let mut out = Vec::new();
        print(&distribution, &mut ReplyWriter::new(&mut out, Protocol::Resp3));
        let text = String::from_utf8(out).expect("text");
        let expected = "%2\r\n$5\r\ncalls\r\n:4\r\n$14\r\nhistogram_usec\r\n%3\r\n:1\r\n:2\r\n:66\r\n:3\r\n:69256347\r\n:4\r\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn words_name_commands_or_subcommands() {
        let names = |word: &str| named(word.as_bytes()).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names("GET"), ["get"]);
        assert_eq!(names("client|ID"), ["client|id"]);
        assert!(names("client").contains(&"client|list".to_owned()));
        assert!(names("nonsense").is_empty() && names("get|x").is_empty());
    }
}
