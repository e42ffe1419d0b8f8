//! The `nuthatch` binary: the allocator and the exit code; everything else is the library's.
//!
//! Nothing is decided here, so that tests and benches of the library see all there is.

use std::process::ExitCode;

/// Small allocations from many threads, freed on others: what mimalloc is made for.
#[global_allocator]
static ALLOCATOR: nuthatch_node::Allocator = nuthatch_node::Allocator;

fn main() -> ExitCode {
    nuthatch_node::run(std::env::args_os().skip(1).collect())
}
