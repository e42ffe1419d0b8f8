//! A shard under faults: fresh seeds with every run, and the proof that each rule of the machines counts.
//!
//! `NUTHATCH_SIM_SEED=1234 cargo test -p nuthatch-cluster-tests --test replication` replays a seed with its trace;
//! `NUTHATCH_SIM_SEEDS=10000` runs more of them.

use nuthatch_cluster_tests::shard_sim::world::{Options, run};
use nuthatch_cluster_tests::shard_sim::{Broken, Report};
use nuthatch_cluster_tests::sim::seeds::{Runs, variable};

/// How many seeds a test run tries.
const SEEDS: u64 = 300;
/// How many seeds a broken rule has to be noticed in.
const BROKEN_SEEDS: u64 = 5_000;

const RUNS: Runs<Options, Report> =
    Runs { test: "replication", run, traced: |options| Options { trace: true, ..options } };

#[test]
fn promises_hold_under_faults() {
    let total = RUNS.check_seeds(variable("NUTHATCH_SIM_SEEDS").unwrap_or(SEEDS), Options::default());
    let met = [total.epochs, total.crashes, total.copies.0, total.copies.1, total.handovers, total.offline];
    let is_one = variable("NUTHATCH_SIM_SEED").is_some();
    assert!(is_one || met.iter().all(|count| *count > 0), "something never happened: {total:?}");
}

#[test]
fn a_seed_is_a_run() {
    let run = |seed| RUNS.try_seed(seed, Options::default());
    assert_eq!(run(11), run(11));
    assert_ne!(run(11), run(12));
}

#[test]
fn every_rule_is_missed_when_it_is_taken_away() {
    for (name, broken) in Broken::ALL {
        let options = Options { broken: Some(broken), ..Options::default() };
        RUNS.check_noticed(BROKEN_SEEDS, name, options);
    }
}
