//! The metadata group under faults: fresh seeds with every run, the seeds that once failed by name, and the proof that
//! the simulator notices what it is there to notice.
//!
//! `NUTHATCH_SIM_SEED=1234 cargo test -p nuthatch-cluster-tests --test sim` replays a seed with its trace;
//! `NUTHATCH_SIM_SEEDS=50000` runs more of them.

use nuthatch_cluster_tests::sim::seeds::{Runs, variable};
use nuthatch_cluster_tests::sim::world::{Options, run};
use nuthatch_cluster_tests::sim::{Mutation, Report};

/// How many seeds a test run tries.
const SEEDS: u64 = 300;
/// How many seeds a mutation has to be noticed in.
const MUTATION_SEEDS: u64 = 1_000;

const RUNS: Runs<Options, Report> =
    Runs { test: "sim", run, traced: |options| Options { trace: true, ..options } };

#[test]
fn promises_hold_under_faults() {
    let total = RUNS.check_seeds(variable("NUTHATCH_SIM_SEEDS").unwrap_or(SEEDS), Options::default());
    let is_one = variable("NUTHATCH_SIM_SEED").is_some();
    assert!(is_one || total.promotions > 0, "the rules of succession were never put to the test");
}

#[test]
fn promises_hold_from_election_to_election() {
    let seeds = variable("NUTHATCH_SIM_SEEDS").unwrap_or(SEEDS) / 10;
    let _ = RUNS.check_seeds(seeds, Options { harsh: true, ..Options::default() });
}

// Seeds that failed once. Each stands for its story only as long as the world stays as it is; the machine's own tests
// keep the stories themselves.

/// A node that did not know yet that it was a member was made the second of two voters, and nobody could be elected.
#[test]
fn seed_7_a_learner_that_has_confirmed_nothing() {
    RUNS.check(7, Options::default());
}

/// A copy of a request arrived when its outcome had been forgotten, and was made a second time.
#[test]
fn seed_4_a_request_that_outlives_its_outcome() {
    RUNS.check(4, Options::default());
}

/// A voter was elected while its removal was in the log; the library misses a leader that is no member.
#[test]
fn seed_331_a_leader_that_is_removed() {
    RUNS.check(331, Options::default());
}

#[test]
fn a_seed_is_a_run() {
    let run = |seed| RUNS.try_seed(seed, Options::default());
    assert_eq!(run(11), run(11));
    assert_ne!(run(11), run(12));
}

/// Some seed must show that the rule is broken.
fn check_noticed(mutation: Mutation, harsh: bool) {
    let options = Options { mutation: Some(mutation), harsh, ..Options::default() };
    RUNS.check_noticed(MUTATION_SEEDS, &format!("{mutation:?}"), options);
}

#[test]
fn sending_before_persisting_is_noticed() {
    check_noticed(Mutation::SendBeforePersist, true);
}

#[test]
fn forgetting_a_vote_is_noticed() {
    check_noticed(Mutation::ForgetVote, true);
}

#[test]
fn keeping_a_replaced_suffix_is_noticed() {
    check_noticed(Mutation::KeepSuffix, true);
}

#[test]
fn a_new_id_for_the_same_request_is_noticed() {
    check_noticed(Mutation::FreshProposalIds, false);
}

#[test]
fn a_wiped_voter_under_its_old_number_is_noticed() {
    check_noticed(Mutation::KeepRaftId, false);
}

#[test]
fn reads_without_a_majority_are_noticed() {
    check_noticed(Mutation::UnconfirmedReads, true);
}
