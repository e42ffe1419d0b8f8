//! The metadata group under faults: fresh seeds with every run, the seeds that once failed by name, and the proof that
//! the simulator notices what it is there to notice.
//!
//! `NUTHATCH_SIM_SEED=1234 cargo test -p nuthatch-cluster-tests --test sim` replays a seed with its trace;
//! `NUTHATCH_SIM_SEEDS=50000` runs more of them.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use nuthatch_cluster_tests::sim::world::{Options, run};
use nuthatch_cluster_tests::sim::{Mutation, Report, Violation};

/// How many seeds a test run tries.
const SEEDS: u64 = 300;
/// How many seeds a mutation has to be noticed in.
const MUTATION_SEEDS: u64 = 1_000;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

/// A panic of the machine is a violation like any other.
fn try_seed(seed: u64, options: Options) -> Result<Report, Box<Violation>> {
    let caught = catch_unwind(AssertUnwindSafe(|| run(seed, options)));
    caught.map_or_else(
        |panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let what = format!("panic: {}", text.unwrap_or_default());
            Err(Box::new(Violation { seed, at_ms: 0, what, trace: Vec::new() }))
        },
        |result| result.map_err(Box::new),
    )
}

/// Runs a seed, and on failure runs it again with a trace to show.
fn check(seed: u64, options: Options) -> Report {
    try_seed(seed, options).unwrap_or_else(|_| {
        let violation = try_seed(seed, Options { trace: true, ..options });
        panic!("{}", violation.expect_err("a seed fails again"))
    })
}

/// Tests say what they did; the harness shows it when asked.
#[expect(clippy::print_stdout, reason = "what a run covered is for whoever runs it")]
fn say(text: &str) {
    println!("{text}");
}

/// Runs so many seeds, or the one that the environment names; what all of them did together.
fn check_seeds(seeds: u64, options: Options) -> Report {
    if let Some(seed) = variable("NUTHATCH_SIM_SEED") {
        let report = check(seed, options);
        say(&format!("{report:?}"));
        return report;
    }
    let (next, total) = (AtomicU64::new(0), Mutex::new(Report::default()));
    let work = || {
        while let seed @ 0.. = next.fetch_add(1, Ordering::Relaxed)
            && seed < seeds
        {
            let report = check(seed, options);
            let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
            *total = sum(*total, report);
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
        (0..threads).for_each(|_| _ = scope.spawn(work));
    });
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    say(&format!("{seeds} seeds: {total:?}"));
    total
}

#[test]
fn promises_hold_under_faults() {
    let total = check_seeds(variable("NUTHATCH_SIM_SEEDS").unwrap_or(SEEDS), Options::default());
    let is_one = variable("NUTHATCH_SIM_SEED").is_some();
    assert!(is_one || total.promotions > 0, "the rules of succession were never put to the test");
}

#[test]
fn promises_hold_from_election_to_election() {
    let seeds = variable("NUTHATCH_SIM_SEEDS").unwrap_or(SEEDS) / 10;
    let _ = check_seeds(seeds, Options { harsh: true, ..Options::default() });
}

fn sum(a: Report, b: Report) -> Report {
    Report {
        steps: a.steps + b.steps,
        committed: a.committed + b.committed,
        terms: a.terms + b.terms,
        answered: a.answered + b.answered,
        reads: a.reads + b.reads,
        crashes: a.crashes + b.crashes,
        snapshots: a.snapshots + b.snapshots,
        member_changes: a.member_changes + b.member_changes,
        promotions: a.promotions + b.promotions,
        healed_ms: a.healed_ms.max(b.healed_ms),
    }
}

// Seeds that failed once. Each stands for its story only as long as the world stays as it is; the machine's own tests
// keep the stories themselves.

/// A node that did not know yet that it was a member was made the second of two voters, and nobody could be elected.
#[test]
fn seed_7_a_learner_that_has_confirmed_nothing() {
    check(7, Options::default());
}

/// A copy of a request arrived when its outcome had been forgotten, and was made a second time.
#[test]
fn seed_4_a_request_that_outlives_its_outcome() {
    check(4, Options::default());
}

/// A voter was elected while its removal was in the log; the library misses a leader that is no member.
#[test]
fn seed_331_a_leader_that_is_removed() {
    check(331, Options::default());
}

#[test]
fn a_seed_is_a_run() {
    let run = |seed| try_seed(seed, Options::default());
    assert_eq!(run(11), run(11));
    assert_ne!(run(11), run(12));
}

/// Some seed must show that the rule is broken.
fn check_noticed(mutation: Mutation, harsh: bool) {
    let options = Options { mutation: Some(mutation), harsh, ..Options::default() };
    let found = (0..MUTATION_SEEDS).find_map(|seed| try_seed(seed, options).err());
    let violation = found.unwrap_or_else(|| panic!("{MUTATION_SEEDS} seeds did not notice {mutation:?}"));
    say(&format!("{mutation:?}: {violation}"));
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
