//! What the benches share. Numbers come from the benches and programs beside this library; see README.md.
//!
//! [`workload`] draws keys, values and requests; [`local`] runs requests on an engine in this process; [`server`]
//! starts, watches and ends servers; [`load`] drives them with redis-benchmark.

pub mod load;
pub mod local;
pub mod server;
pub mod workload;
