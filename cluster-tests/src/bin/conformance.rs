//! Runs other people's suites against this server and redis-server, and writes docs/COMPATIBILITY.md.
//!
//! ```text
//! cargo build --release
//! cargo run --release -p nuthatch-cluster-tests --bin conformance -- all      everything, and the report
//! ... -- tcl [unit ...]            Redis' Tcl suite, standalone
//! ... -- tcl-cluster [unit ...]    the same against one node that owns all slots
//! ... -- redis-py [file ...]      redis-py's tests, standalone
//! ... -- redis-py-cluster [file ...]   the same against three nodes
//! ... -- redis-rs [file ...]      redis-rs' tests, which start servers and clusters themselves
//! ... -- report                    the report again, from kept results
//! ```
//!
//! What it fetches, logs and keeps lies in `target/conformance`. It fails if a suite's share is below its target or a
//! missing case has no reason.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nuthatch_cluster_tests::conformance::report::{self, Reason};
use nuthatch_cluster_tests::conformance::{
    Case, Outcome, Setup, Side, Trouble, debian, redis_py, redis_rs, results, servers, tcl,
};

/// The share of what redis-server passes that must pass here, in percent, by the beginning of the suite's name.
const TARGETS: [(&str, f64); 2] = [("tcl", 98.0), ("redis-", 95.0)];

const PREAMBLE: &str = "\
# Compatibility

Other people's test suites, run against Nuthatch and against redis-server 7.0.15 (Debian) on the same machine, one after the
other. The measure is the share of the cases that redis-server passes. Made by

```text
cargo build --release && cargo run --release -p nuthatch-cluster-tests --bin conformance -- all
```

For the Tcl suites, which are those of 7.0.15, Nuthatch runs with `compatibility-version 7.0`: they expect OBJECT ENCODING's names of
7.0, where every list is a `quicklist` and a set of a few strings a `hashtable`.
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(trouble) => {
            say(&format!("conformance: {trouble}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "a command's output")]
fn say(text: &str) {
    println!("{text}");
}

fn run(words: &[String]) -> Result<bool, Trouble> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let target = std::path::absolute(target).map_err(Trouble::when("finding the target folder"))?;
    let binary = std::env::var_os("NUTHATCH_BINARY").map(PathBuf::from);
    let setup = Setup {
        nuthatch: binary.unwrap_or_else(|| target.join("release/nuthatch")),
        work: target.join("conformance"),
        options: &[],
    };
    std::fs::create_dir_all(&setup.work).map_err(Trouble::when("making the work folder"))?;
    let (what, rest) = words.split_first().map_or(("help", words), |(what, rest)| (what.as_str(), rest));
    match what {
        "all" => {
            run_tcl(&setup, false, rest)?;
            run_tcl(&setup, true, rest)?;
            run_redis_py(&setup, false, rest)?;
            run_redis_py(&setup, true, rest)?;
            run_redis_rs(&setup, &root, rest)?;
        }
        "tcl" => run_tcl(&setup, false, rest)?,
        "tcl-cluster" => run_tcl(&setup, true, rest)?,
        "redis-py" => run_redis_py(&setup, false, rest)?,
        "redis-py-cluster" => run_redis_py(&setup, true, rest)?,
        "redis-rs" => run_redis_rs(&setup, &root, rest)?,
        "report" => {}
        other => {
            let known = "all, tcl, tcl-cluster, redis-py, redis-py-cluster, redis-rs, report";
            return Err(Trouble(format!("what is '{other}'? One of: {known}")));
        }
    }
    write_report(&setup, &root)
}

fn run_tcl(setup: &Setup, cluster: bool, chosen: &[String]) -> Result<(), Trouble> {
    let source = debian::redis_source(setup)?;
    let setup = &Setup { options: &tcl::OPTIONS, ..setup.clone() };
    run_units(setup, tcl::suite(cluster), &tcl::UNITS, chosen, |unit, side| {
        tcl::run(setup, &source, unit, side, cluster, servers::free_ports()?)
    })
}

fn run_redis_py(setup: &Setup, cluster: bool, chosen: &[String]) -> Result<(), Trouble> {
    let source = redis_py::source(setup)?;
    run_units(setup, redis_py::suite(cluster), &redis_py::FILES, chosen, |file, side| {
        redis_py::run_file(setup, &source, file, side, cluster, servers::free_ports()?)
    })
}

fn run_redis_rs(setup: &Setup, root: &Path, chosen: &[String]) -> Result<(), Trouble> {
    let source = redis_rs::source(setup, &root.join("cluster-tests"))?;
    run_units(setup, redis_rs::SUITE, &redis_rs::FILES, chosen, |file, side| {
        redis_rs::run_file(setup, &source, file, side)
    })
}

/// Runs a suite's units, all or those chosen, against both sides, and keeps what the cases came to.
fn run_units(
    setup: &Setup,
    suite: &str,
    units: &[&str],
    chosen: &[String],
    run: impl Fn(&str, Side) -> Result<Vec<Case>, Trouble>,
) -> Result<(), Trouble> {
    if !setup.nuthatch.is_file() {
        return Err(Trouble(format!("{} is absent: cargo build --release", setup.nuthatch.display())));
    }
    for unit in units {
        if !chosen.is_empty() && !chosen.iter().any(|name| name == unit) {
            continue;
        }
        for side in Side::ALL {
            let cases = run(unit, side)?;
            let count = |outcome| cases.iter().filter(|case| case.outcome == outcome).count();
            let [passed, failed, skipped] = Outcome::ALL.map(count);
            let side = side.name();
            say(&format!(
                "{suite} {unit:26} {side:13} passed {passed:4} failed {failed:3} skipped {skipped:3}"
            ));
            results::store(&setup.work.join("results.tsv"), cases)?;
        }
    }
    Ok(())
}

fn write_report(setup: &Setup, root: &Path) -> Result<bool, Trouble> {
    let reasons = root.join("cluster-tests/conformance/reasons.txt");
    let reasons = std::fs::read_to_string(reasons).map_err(Trouble::when("reading the reasons"))?;
    let cases = results::load(&setup.work.join("results.tsv"));
    let (text, shares) = report::write(&cases, &Reason::parse(&reasons), PREAMBLE);
    let file = root.join("docs/COMPATIBILITY.md");
    std::fs::write(&file, text).map_err(Trouble::when("writing docs/COMPATIBILITY.md"))?;
    let mut good = true;
    for (suite, share) in shares {
        let target =
            TARGETS.iter().find(|(start, _)| suite.starts_with(start)).map_or(100.0, |(_, target)| *target);
        let met = share.percent() >= target && share.unexplained == 0;
        good &= met;
        say(&format!(
            "{suite}: {} of {} ({:.1} %, target {target} %), {} unexplained{}",
            share.ours,
            share.reference,
            share.percent(),
            share.unexplained,
            if met { "" } else { ": NOT MET" }
        ));
    }
    Ok(good)
}
