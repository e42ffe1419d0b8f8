//! The tests of the client redis-rs, which start the servers they need: alone, or as a cluster made by redis-cli.
//!
//! The published crate has its tests but not all that they depend on, so a copy gets a manifest of its own: with the
//! crate that starts servers from the registry, and the attribute `async_test` from `conformance/test-macros`. Each file
//! of tests is a unit; one test runs at a time, because they share what they do on a panic.
//!
//! **The selection**, all of it here: [`FILES`] are the files that talk to a server about what exists here, which leaves
//! out access lists, caching on the client's side, places on the globe, scripts, sentinel, streams, modules and TLS;
//! [`LEFT_OUT`] are parts of the names of cases about commands that do not exist, or that need replicas.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cargo_metadata::MetadataCommand;

use super::programs::{run, run_within};
use super::{Case, Outcome, Setup, Side, Trouble};

/// The suite's name.
pub const SUITE: &str = "redis-rs";

/// The files whose cases run.
pub const FILES: [&str; 6] =
    ["test_basic", "test_types", "test_geospatial", "test_async", "test_cluster", "test_cluster_async"];

/// Parts of the names of cases about access lists, caching on the client's side, bit operations, digests, modules,
/// scripts, streams and vector sets, and of those that read from replicas.
const LEFT_OUT: [&str; 20] = [
    "acl",
    "username_and_password",
    "client_tracking",
    "push_manager",
    "push_after_timeout",
    "resp3_pushes_connection_manager",
    "bit_operations",
    "setbit",
    "digest",
    "hotkeys",
    "module_json",
    "test_script",
    "basic_script",
    "cluster_script",
    "_eval",
    "stream_blocks",
    "vector_sets",
    "replica_read",
    "read_from_replicas",
    "dead_replica",
];

/// What of the crate the tests need.
const FEATURES: &str = "tokio-comp,cluster-async,connection-manager";

/// How long a file of tests may take.
const FILE_LIMIT: Duration = Duration::from_secs(1200);

/// The crate that the tests start their servers with: the newest there is for the version under test.
const STARTER: &str = "=2.0.0-rc.1";

/// A copy of the crate whose tests can be built, and are.
pub fn source(setup: &Setup, tests: &Path) -> Result<PathBuf, Trouble> {
    let home = setup.work.join("redis-rs");
    if !home.join("Cargo.toml").exists() {
        let smoke = tests.join("clients/redis-rs/Cargo.toml");
        let metadata = MetadataCommand::new().manifest_path(&smoke).exec();
        let metadata = metadata.map_err(Trouble::when("fetching redis-rs"))?;
        let package = metadata.packages.iter().find(|package| package.name.as_str() == "redis");
        let package = package.ok_or_else(|| Trouble("redis-rs is not among the packages".to_owned()))?;
        let published = package.manifest_path.parent();
        let published = published.ok_or_else(|| Trouble("redis-rs lies nowhere".to_owned()))?;
        let unfinished = setup.work.join("redis-rs.unfinished");
        let _ = fs::remove_dir_all(&unfinished);
        run(Command::new("cp").args(["-r", published.as_str()]).arg(&unfinished))?;
        let _ = fs::remove_file(unfinished.join("Cargo.lock"));
        let before = fs::read_to_string(unfinished.join("Cargo.toml"));
        let before = before.map_err(Trouble::when("reading redis-rs' manifest"))?;
        let after = manifest(&before, &tests.join("conformance/test-macros"));
        fs::write(unfinished.join("Cargo.toml"), after)
            .map_err(Trouble::when("writing redis-rs' manifest"))?;
        fs::rename(&unfinished, &home).map_err(Trouble::when("moving redis-rs"))?;
    }
    let mut build = cargo(setup, &home);
    build.arg("--no-run");
    for file in FILES {
        build.args(["--test", file]);
    }
    run(&mut build)?;
    Ok(home)
}

/// The published manifest, without what only measuring and examples need, and with what the tests need.
fn manifest(published: &str, macros: &Path) -> String {
    let dropped = ["bench]]", "example]]", "dev-dependencies.criterion]", "dev-dependencies.rustls]"];
    let mut text = String::new();
    for stanza in published.split_inclusive("\n\n") {
        let head = stanza.trim_start().trim_start_matches('[');
        if !dropped.iter().any(|name| head.starts_with(name)) {
            text.push_str(stanza);
        }
    }
    text.push_str(&format!(
        "\n\n[dev-dependencies.redis-test]\nversion = \"{STARTER}\"\nfeatures = [\"aio\"]\n\n\
         [dev-dependencies.test-macros]\npath = {macros:?}\n\n\
         [patch.crates-io]\nredis = {{ path = \".\" }}\n\n[workspace]\n"
    ));
    text
}

fn cargo(setup: &Setup, home: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(home).env("CARGO_TARGET_DIR", setup.work.join("redis-rs-target"));
    command.env("CARGO_PROFILE_DEV_DEBUG", "0").args(["test", "--features", FEATURES]);
    command
}

/// Runs one file of tests against one side.
pub fn run_file(setup: &Setup, source: &Path, file: &str, side: Side) -> Result<Vec<Case>, Trouble> {
    let logs = setup.work.join("logs");
    fs::create_dir_all(&logs).map_err(Trouble::when("making the folder of logs"))?;
    let mut command = cargo(setup, source);
    match side {
        Side::Redis => command.env("REDISRS_SERVER_BIN", "redis-server"),
        Side::Nuthatch => command.env("REDISRS_SERVER_BIN", with_one_thread(setup)?),
    };
    command.args(["--test", file, "--", "--test-threads=1"]);
    for part in LEFT_OUT {
        command.args(["--skip", part]);
    }
    let printed = run_within(&mut command, FILE_LIMIT)?;
    let _ = fs::write(logs.join(format!("{SUITE}-{file}-{}", side.name())), &printed.text);
    let mut cases = parse(&printed.text, file, side);
    if !printed.text.contains("test result: ") {
        let detail = if printed.finished { "the file ended early" } else { "the file did not end in time" };
        cases.push(case(file, "(the file runs to its end)", side, Outcome::Failed, detail));
    }
    Ok(cases)
}

/// A program that starts this server with one thread for clients, since the tests choose the arguments themselves: some
/// count on requests of several connections running in the order in which they were sent.
fn with_one_thread(setup: &Setup) -> Result<PathBuf, Trouble> {
    let path = setup.work.join("nuthatch-with-one-thread");
    let program = setup.nuthatch.display();
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = -v ] && exec '{program}' -v\nexec '{program}' --io-threads 1 \"$@\"\n"
    );
    fs::write(&path, text).map_err(Trouble::when("writing the program that starts the server"))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
        .map_err(Trouble::when("making it a program"))?;
    Ok(path)
}

fn case(unit: &str, name: &str, side: Side, outcome: Outcome, detail: &str) -> Case {
    Case {
        suite: SUITE.to_owned(),
        unit: unit.to_owned(),
        name: name.to_owned(),
        side,
        outcome,
        detail: detail.chars().take(200).collect(),
    }
}

/// The cases among the lines: `test name ... ok`, `FAILED` or `ignored`; what a test said follows at the end, under
/// `---- name stdout ----`.
fn parse(output: &str, unit: &str, side: Side) -> Vec<Case> {
    let lines = output.lines().filter_map(|line| line.strip_prefix("test ")?.split_once(" ... "));
    lines
        .filter_map(|(name, end)| {
            let outcome = match end.split([',', ' ']).next()? {
                "ok" => Outcome::Passed,
                "ignored" => Outcome::Skipped,
                _ => Outcome::Failed,
            };
            let name = name.trim_end_matches(" - should panic");
            let said = output.split_once(&format!("---- {name} stdout ----")).map_or("", |(_, said)| said);
            let said = said.split("\n---- ").next().unwrap_or(said);
            let panic = said.lines().skip_while(|line| !line.contains("panicked at")).nth(1);
            let detail = if outcome == Outcome::Failed { panic.unwrap_or_default() } else { "" };
            Some(case(unit, name, side, outcome, detail))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_read_from_what_the_harness_prints() {
        let output = "running 4 tests\ntest basic::a ... ok\ntest basic::b ... FAILED\n\
                      test c - should panic ... ok\ntest d ... ignored, slow\n\nfailures:\n\n\
                      ---- basic::b stdout ----\nthread 'b' panicked at tests/x.rs:1:2:\nno reply\n\n\n\
                      test result: FAILED. 2 passed";
        let cases = parse(output, "test_basic", Side::Nuthatch);
        let short: Vec<_> = cases.iter().map(|c| (c.name.as_str(), c.outcome, c.detail.as_str())).collect();
        assert_eq!(
            short,
            [
                ("basic::a", Outcome::Passed, ""),
                ("basic::b", Outcome::Failed, "no reply"),
                ("c", Outcome::Passed, ""),
                ("d", Outcome::Skipped, ""),
            ]
        );
    }

    #[test]
    fn the_manifest_loses_what_only_measuring_needs() {
        let published = "[package]\nname = \"redis\"\n\n[[bench]]\nname = \"b\"\n\n[dev-dependencies.criterion]\nversion = \"1\"\n\n\
                         [[test]]\nname = \"t\"\n";
        let made = manifest(published, Path::new("macros"));
        assert!(!made.contains("bench") && !made.contains("criterion"), "{made}");
        assert!(made.contains("[[test]]") && made.contains("path = \"macros\""), "{made}");
    }
}
