//! Redis' own Tcl suite, unit by unit, in its external mode.
//!
//! Each unit runs against a fresh server, alone. The suite prints a line per case; a unit that ends early, hangs or takes
//! the server with it counts its missing cases as failed, because they are looked up among those the other side ran.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::programs::{Printed, run_within};
use super::servers::{self, Reference};
use super::{Case, Outcome, Setup, Side, Trouble};

/// The units of the commands that exist here.
pub const UNITS: [&str; 36] = [
    "unit/dump",
    "unit/auth",
    "unit/protocol",
    "unit/keyspace",
    "unit/scan",
    "unit/info",
    "unit/info-command",
    "unit/type/string",
    "unit/type/incr",
    "unit/type/list",
    "unit/type/list-2",
    "unit/type/list-3",
    "unit/type/set",
    "unit/type/zset",
    "unit/type/hash",
    "unit/geo",
    "unit/sort",
    "unit/expire",
    "unit/other",
    "unit/multi",
    "unit/quit",
    "unit/latency-monitor",
    "unit/slowlog",
    "unit/introspection",
    "unit/introspection-2",
    "unit/limits",
    "unit/memefficiency",
    "unit/lazyfree",
    "unit/pubsub",
    "unit/pubsubshard",
    "unit/pause",
    "unit/querybuf",
    "unit/networking",
    "unit/obuf-limits",
    "unit/violations",
    "unit/replybufsize",
];

/// What this server is started with: the suite is that of Redis 7.0, and expects its names of encodings.
pub const OPTIONS: [&str; 2] = ["--compatibility-version", "7.0"];

/// Cases that this server is not asked, because what they need does not exist and they take those behind them with them.
/// They count as not passed.
const LEFT_OUT: [&str; 2] = [
    // The server does not start with the option: it would not keep anybody from the command.
    "CONFIG REWRITE handles rename-command properly",
    // It waits for good for a message of an eviction.
    "Keyspace notifications: evicted events",
];

/// How long a unit may take.
const UNIT_LIMIT: Duration = Duration::from_secs(300);

/// The suite's name, with one node that owns all slots or without a cluster.
pub fn suite(cluster: bool) -> &'static str {
    if cluster { "tcl-cluster" } else { "tcl" }
}

/// How a unit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Whole,
    Early,
    Hung,
    Crashed,
}

/// How many ports below its own first one the suite tries.
const OWN_PORTS: u16 = 32;

/// Runs one unit against one side.
pub fn run(
    setup: &Setup,
    source: &Path,
    unit: &str,
    side: Side,
    cluster: bool,
    port: u16,
) -> Result<Vec<Case>, Trouble> {
    let stem = format!("{}-{}-{}", suite(cluster), unit.replace('/', "_"), side.name());
    let logs = setup.work.join("logs");
    fs::create_dir_all(&logs).map_err(Trouble::when("making the folder of logs"))?;
    let mut server = Reference::start(setup, side, cluster, port, &logs.join(format!("{stem}.server")))?;
    let Printed { text: output, finished } = run_suite(source, unit, side, cluster, port)?;
    let ending = match (server.has_crashed(), finished) {
        (true, _) => Ending::Crashed,
        (false, false) => Ending::Hung,
        (false, true) if output.contains("The End") => Ending::Whole,
        (false, true) => Ending::Early,
    };
    let log = logs.join(stem);
    let _ = fs::write(&log, &output);
    let mut cases = parse(&output, suite(cluster), unit, side);
    if cases.is_empty() {
        return Err(Trouble(format!("{unit} ran no case at all: see {}", log.display())));
    }
    let detail = match ending {
        Ending::Whole => return Ok(cases),
        Ending::Early => "the unit ended early",
        Ending::Hung => "the unit did not end in time",
        Ending::Crashed => "the server ended",
    };
    cases.push(Case {
        suite: suite(cluster).to_owned(),
        unit: unit.to_owned(),
        name: "(the unit runs to its end)".to_owned(),
        side,
        outcome: Outcome::Failed,
        detail: detail.to_owned(),
    });
    Ok(cases)
}

/// What the suite printed, and whether it ended in time.
fn run_suite(source: &Path, unit: &str, side: Side, cluster: bool, port: u16) -> Result<Printed, Trouble> {
    let mut command = Command::new("./runtest");
    command.args(["--host", "127.0.0.1", "--port", &port.to_string(), "--tags", "-slow", "--verbose"]);
    // A case that raises an error ends alone, instead of ending its unit.
    command.args(["--single", unit, "--clients", "1", "--durable"]);
    // The suite's own processes meet on a port below this one.
    command.args(["--baseport", &servers::free_range(OWN_PORTS)?.to_string()]);
    if side == Side::Nuthatch {
        command.args(LEFT_OUT.iter().flat_map(|case| ["--skiptest", case]));
    }
    if cluster {
        command.arg("--cluster-mode");
    }
    let printed = run_within(command.current_dir(source), UNIT_LIMIT)?;
    Ok(Printed { text: without_colours(&printed.text), ..printed })
}

fn without_colours(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut parts = text.split('\u{1b}');
    clean.push_str(parts.next().unwrap_or_default());
    for part in parts {
        clean.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    clean
}

/// The cases among the lines: `[ok]: name (3 ms)`, `[err]: name in file`, `[ignore]: name: reason`. What the suite says
/// while it waits may stand before one on its line. A name that comes again gets its number, so that two runs can be
/// compared name by name.
fn parse(output: &str, suite: &str, unit: &str, side: Side) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut lines = output.lines().peekable();
    while let Some(line) = lines.next() {
        let line = match line.split_once("... ") {
            Some((waiting, rest)) if waiting.starts_with("Waiting for ") => rest,
            _ => line,
        };
        let Some((kind, rest)) = line.strip_prefix('[').and_then(|line| line.split_once("]: ")) else {
            continue;
        };
        let (outcome, name, detail) = match kind {
            "ok" => (Outcome::Passed, rest.rsplit_once(" (").map_or(rest, |(name, _)| name), ""),
            "err" | "exception" | "timeout" => {
                let name = rest.rsplit_once(" in tests/").map_or(rest, |(name, _)| name);
                (Outcome::Failed, name, lines.peek().copied().unwrap_or_default())
            }
            "ignore" => (Outcome::Skipped, rest, ""),
            _ => continue,
        };
        let before =
            cases.iter().filter(|case| case.name == name || case.name.starts_with(&format!("{name} #")));
        let name = match before.count() {
            0 => name.to_owned(),
            count => format!("{name} #{}", count + 1),
        };
        cases.push(Case {
            suite: suite.to_owned(),
            unit: unit.to_owned(),
            name,
            side,
            outcome,
            detail: detail.chars().take(200).collect(),
        });
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_read_from_what_the_suite_prints() {
        let output = "Testing unit/x\n\u{1b}[0;32m[ok]\u{1b}[0m: SET (1) works (3 ms)\n[ok]: twice (0 ms)\n[ok]: twice (0 ms)\n\
                      Waiting for background save to finish... [ok]: SAVE (4 ms)\n\
                      [err]: GET fails in tests/unit/x.tcl\nExpected 1 to be 2\n[ignore]: big: large-memory flag not provided\n";
        let cases = parse(&without_colours(output), "tcl", "unit/x", Side::Redis);
        let short: Vec<_> = cases.iter().map(|c| (c.name.as_str(), c.outcome, c.detail.as_str())).collect();
        assert_eq!(
            short,
            [
                ("SET (1) works", Outcome::Passed, ""),
                ("twice", Outcome::Passed, ""),
                ("twice #2", Outcome::Passed, ""),
                ("SAVE", Outcome::Passed, ""),
                ("GET fails", Outcome::Failed, "Expected 1 to be 2"),
                ("big: large-memory flag not provided", Outcome::Skipped, ""),
            ]
        );
    }
}
