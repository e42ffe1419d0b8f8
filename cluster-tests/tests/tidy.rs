//! The rules of the house over the whole repository. See `nuthatch_cluster_tests::tidy`.
//!
//! Each test prints every place that breaks its rule, and what to do instead.

use nuthatch_cluster_tests::tidy::{Finding, bans, edges, length, source, text};

#[track_caller]
fn assert_tidy(findings: &[Finding]) {
    let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{} places to mend:\n{}", lines.len(), lines.join("\n"));
}

fn sources() -> Vec<source::Source> {
    let sources = source::load().expect("the repository's files are readable");
    assert!(sources.len() > 20, "the walk found only {} files", sources.len());
    sources
}

#[test]
fn crates_depend_inward() {
    let edges = edges::load().expect("cargo describes the workspace");
    assert!(edges.iter().any(|edge| edge.to == "nuthatch-proto"), "the workspace's edges were not found");
    assert_tidy(&edges::check(&edges));
}

#[test]
fn inner_crates_call_nothing_of_the_world() {
    assert_tidy(&bans::check(&sources()));
}

#[test]
fn files_and_functions_are_short() {
    assert_tidy(&length::check(&sources()));
}

#[test]
fn words_are_in_order() {
    assert_tidy(&text::check(&sources()));
}

#[test]
fn generated_documents_are_fresh() {
    let path = source::root().join("docs/COMMANDS.md");
    assert_tidy(&text::commands_document(&std::fs::read_to_string(path).unwrap_or_default()));
}
