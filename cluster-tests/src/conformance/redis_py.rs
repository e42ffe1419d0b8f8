//! The tests of the client redis-py, standalone and against a cluster of three nodes.
//!
//! The sources with their tests come from the package registry, what they need goes into a virtual environment beside
//! them. Each file of tests is a unit, run alone against a fresh server or cluster, so that one that hangs or takes the
//! server with it costs only itself; pytest's report (JUnit's form) says what became of each case.
//!
//! **The selection**, all of it here: [`FILES`] are the files that talk to a server about commands that exist here;
//! [`LEFT_OUT`] are the beginnings of the names of cases about commands that do not. Not among the files: modules
//! (search, json, bloom, timeseries), vector sets, scripts and functions (and the locks made of them), sentinel, TLS, several databases at once
//! (`multidb`), client-side caching, credentials providers, and those that never ask a server anything. [`marks`] leaves
//! out what the suite itself marks as belonging to modules, TLS, replicas or fixed addresses.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::programs::{run, run_within};
use super::servers::{Cluster, NODES, Reference};
use super::{Case, Outcome, Setup, Side, Trouble};

/// The package whose tests run.
const PACKAGE: &str = "redis-8.1.0";

/// What the tests import.
const NEEDED: [&str; 10] = [
    "pytest==9.2.0",
    "pytest-asyncio==1.5.0",
    "pytest-timeout==2.4.0",
    "pytest-forked",
    "mock",
    "numpy",
    "packaging",
    "pybreaker",
    "aiohttp",
    "xxhash",
];

/// The files that talk to a server about commands that exist here.
pub const FILES: [&str; 32] = [
    "test_client.py",
    "test_cluster.py",
    "test_cluster_transaction.py",
    "test_command_parser.py",
    "test_command_policies.py",
    "test_commands.py",
    "test_connection.py",
    "test_connection_pool.py",
    "test_encoding.py",
    "test_hash.py",
    "test_keyspace_notifications.py",
    "test_legacy_responses_arg.py",
    "test_monitor.py",
    "test_multiprocessing.py",
    "test_parsers/test_errors.py",
    "test_pipeline.py",
    "test_pubsub.py",
    "test_retry.py",
    "test_asyncio/test_cluster.py",
    "test_asyncio/test_cluster_transaction.py",
    "test_asyncio/test_command_parser.py",
    "test_asyncio/test_command_policies.py",
    "test_asyncio/test_commands.py",
    "test_asyncio/test_connection.py",
    "test_asyncio/test_connection_pool.py",
    "test_asyncio/test_cwe_404.py",
    "test_asyncio/test_encoding.py",
    "test_asyncio/test_hash.py",
    "test_asyncio/test_keyspace_notifications.py",
    "test_asyncio/test_monitor.py",
    "test_asyncio/test_pipeline.py",
    "test_asyncio/test_pubsub.py",
];

/// How the names of cases begin that are about commands that do not exist here: access lists, arrays, bit operations,
/// sketches, streams, scripts, modules, replication, digests and the like of later versions.
const LEFT_OUT: [&str; 41] = [
    "test_acl",
    "test_array",
    "test_ar",
    "test_bit",
    "test_cluster_bitop",
    "test_get_set_bit",
    "test_pf",
    "test_cluster_pf",
    "test_spfmerge",
    "test_stralgo",
    "test_xa",
    "test_xc",
    "test_xd",
    "test_xg",
    "test_xi",
    "test_xl",
    "test_xn",
    "test_xp",
    "test_xr",
    "test_xt",
    "test_async_xread",
    "test_script",
    "test_lua_script",
    "test_pipeline_with_bitfield",
    "test_eval",
    "test_function",
    "test_module",
    "test_client_tracking",
    "test_hotkeys",
    "test_himport",
    "test_vset",
    "test_psync",
    "test_sync",
    "test_replicaof",
    "test_failover",
    "test_cluster_failover",
    "test_bgsave",
    "test_lastsave",
    "test_digest",
    "test_delex",
    "test_increx",
];

/// A case that gives up a slot and takes it back through a client that still sees the slot at other nodes. Here a slot
/// that is given up is gone at every node at once, so the client never takes it back, and every later case of the file
/// meets a cluster with a hole in it. It runs on neither side.
const GIVES_UP_A_SLOT: &str = "tests/test_asyncio/test_cluster.py::TestRedisClusterObj::test_not_require_full_coverage_cluster_down_error";

/// How long a file of tests may take.
const FILE_LIMIT: Duration = Duration::from_secs(600);

/// The suite's name.
pub fn suite(cluster: bool) -> &'static str {
    if cluster { "redis-py-cluster" } else { "redis-py" }
}

/// The cases that the suite marks as fit for the kind of server.
fn marks(cluster: bool) -> &'static str {
    if cluster {
        "not onlynoncluster and not redismod and not ssl and not fixed_client and not replica and not cp_integration"
    } else {
        "not onlycluster and not redismod and not ssl and not fixed_client and not replica and not cp_integration"
    }
}

/// The folder of the package's sources, fetched with what its tests need if it is not there yet.
pub fn source(setup: &Setup) -> Result<PathBuf, Trouble> {
    let environment = setup.work.join("python");
    let home = setup.work.join(PACKAGE);
    if !environment.join("complete").exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        run(Command::new(environment.join("bin/pip")).args(["install", "-q"]).args(NEEDED))?;
        fs::write(environment.join("complete"), "")
            .map_err(Trouble::when("marking the environment as complete"))?;
    }
    if !home.join("tests/conftest.py").exists() {
        let mut download = Command::new(environment.join("bin/pip"));
        download.args(["download", "-q", "--no-binary", ":all:", "--no-deps", "--dest"]).arg(&setup.work);
        run(download.arg(PACKAGE.replacen('-', "==", 1)))?;
        let archive = setup.work.join(format!("{PACKAGE}.tar.gz"));
        run(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(&setup.work))?;
    }
    Ok(home)
}

/// Runs one file against one side.
pub fn run_file(
    setup: &Setup,
    source: &Path,
    file: &str,
    side: Side,
    cluster: bool,
    port: u16,
) -> Result<Vec<Case>, Trouble> {
    let stem = format!("{}-{}-{}", suite(cluster), file.replace('/', "_"), side.name());
    let logs = setup.work.join("logs");
    fs::create_dir_all(&logs).map_err(Trouble::when("making the folder of logs"))?;
    let server_log = logs.join(format!("{stem}.server"));
    let report = logs.join(format!("{stem}.xml"));
    let _ = fs::remove_file(&report);
    let printed = if cluster {
        let _nodes = Cluster::start(setup, side, port, &server_log)?;
        run_within(&mut pytest(setup, source, file, cluster, port, &report), FILE_LIMIT)?
    } else {
        let _server = Reference::start(setup, side, false, port, &server_log)?;
        run_within(&mut pytest(setup, source, file, cluster, port, &report), FILE_LIMIT)?
    };
    let _ = fs::write(logs.join(&stem), &printed.text);
    let report = fs::read_to_string(&report).unwrap_or_default();
    let mut cases = parse(&report, suite(cluster), file, side);
    // Without a report the file was cut short: its cases are missing, and so count as not passed.
    if cases.is_empty() {
        let detail = printed.text.lines().last().unwrap_or_default();
        cases.push(Case {
            suite: suite(cluster).to_owned(),
            unit: file.to_owned(),
            name: "(the file runs to its end)".to_owned(),
            side,
            outcome: if printed.finished { Outcome::Skipped } else { Outcome::Failed },
            detail: detail.chars().take(200).collect(),
        });
    }
    Ok(cases)
}

fn pytest(setup: &Setup, source: &Path, file: &str, cluster: bool, port: u16, report: &Path) -> Command {
    let mut command = Command::new(setup.work.join("python/bin/python"));
    command.current_dir(source).args(["-m", "pytest", "-o", "addopts=", "-p", "no:cacheprovider", "-v"]);
    command.args(["--tb=short", "--timeout=30", "-m", marks(cluster), "-k", &names()]);
    command.args(["--deselect", GIVES_UP_A_SLOT]);
    command.arg(format!("--redis-url=redis://127.0.0.1:{port}/0"));
    command.arg(format!("--redis-cluster-nodes={NODES}")).arg(format!("--junit-xml={}", report.display()));
    command.arg(format!("tests/{file}"));
    command
}

/// What leaves out the cases of [`LEFT_OUT`].
fn names() -> String {
    LEFT_OUT.map(|start| format!("not {start}")).join(" and ")
}

/// The cases of a report: `<testcase classname="tests.test_x.TestY" name="test_z[a]">`, with a `failure`, an `error` or a
/// `skipped` inside if it did not pass.
fn parse(report: &str, suite: &str, unit: &str, side: Side) -> Vec<Case> {
    let module = format!("tests.{}", unit.trim_end_matches(".py").replace('/', "."));
    let mut cases: Vec<Case> = Vec::new();
    for part in report.split("<testcase ").skip(1) {
        let (head, body) = part.split_once('>').unwrap_or((part, ""));
        let class = attribute(head, "classname").unwrap_or_default();
        let class = class.strip_prefix(&module).unwrap_or(&class).trim_start_matches('.');
        let name = attribute(head, "name").unwrap_or_default();
        let name = if class.is_empty() { name } else { format!("{class}::{name}") };
        let inner = ["failure", "error", "skipped"]
            .into_iter()
            .find_map(|kind| body.trim_start().strip_prefix(&format!("<{kind}")).map(|rest| (kind, rest)));
        let (outcome, detail) = match inner {
            None => (Outcome::Passed, String::new()),
            Some((kind, rest)) => {
                let message =
                    attribute(rest.split('>').next().unwrap_or(rest), "message").unwrap_or_default();
                let outcome = if kind == "skipped" { Outcome::Skipped } else { Outcome::Failed };
                (outcome, message.chars().take(200).collect())
            }
        };
        // A case whose end went wrong comes twice.
        cases.retain(|case| case.name != name);
        let (suite, unit) = (suite.to_owned(), unit.to_owned());
        cases.push(Case { suite, unit, name, side, outcome, detail });
    }
    cases
}

/// An attribute of an element's head.
fn attribute(head: &str, name: &str) -> Option<String> {
    let (_, rest) = head
        .split_once(&format!(" {name}=\""))
        .or_else(|| head.strip_prefix(&format!("{name}=\"")).map(|rest| ("", rest)))?;
    let (value, _) = rest.split_once('"')?;
    let named = [("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&#10;", " "), ("&amp;", "&")];
    Some(named.iter().fold(value.to_owned(), |text, (from, to)| text.replace(from, to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_read_from_the_report() {
        let report = r#"<?xml version="1.0"?><testsuites><testsuite name="pytest" tests="4"><testcase
 classname="x" name="broken"/><testcase classname="tests.test_asyncio.test_x.TestA" name="test_a[&quot;k&quot;]" time="0.1" /><testcase classname="tests.test_asyncio.test_x" name="test_b" time="0.2"><failure message="assert 1 &lt; 0&#10;more">trace</failure></testcase><testcase classname="tests.test_asyncio.test_x.TestA" name="test_c" time="0"><skipped type="pytest.skip" message="Redis version required &gt;= 8.0">where</skipped></testcase></testsuite></testsuites>"#;
        let cases = parse(report, "redis-py", "test_asyncio/test_x.py", Side::Nuthatch);
        let short: Vec<_> = cases.iter().map(|c| (c.name.as_str(), c.outcome, c.detail.as_str())).collect();
        assert_eq!(
            short,
            [
                ("TestA::test_a[\"k\"]", Outcome::Passed, ""),
                ("test_b", Outcome::Failed, "assert 1 < 0 more"),
                ("TestA::test_c", Outcome::Skipped, "Redis version required >= 8.0"),
            ]
        );
    }
}
