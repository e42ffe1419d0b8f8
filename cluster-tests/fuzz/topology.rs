//! A metadata log of arbitrary bytes: decoding and applying it does not panic, and the topology's invariants hold after
//! each entry.
//!
//! The body is `nuthatch_cluster_tests::topology_log`, taken as a file because the crate itself would bring the server along.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../src/topology_log.rs"]
mod topology_log;

fuzz_target!(|data: &[u8]| {
    topology_log::apply(data);
});
