//! The shell of Nuthatch: sockets, disk, time and tasks around the engine and the cluster crates.
//!
//! The engine knows no socket and the cluster crate no clock; both get them from here. [`node`] builds the parts and
//! stops them in order, `net` carries bytes, `dispatch` is the data path, `admin` answers what concerns the server
//! rather than its data. A decision that can be tested without a socket belongs further in.

mod clock;
pub mod driver;
mod net;
pub mod node;
pub mod raft_log;
pub mod rpc;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the binary with these arguments (without the program's name).
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let mut port = 6379;
    let mut words = arguments.iter().filter_map(|a| a.to_str());
    while let Some(word) = words.next() {
        if word == "--port" {
            port = words.next().and_then(|p| p.parse().ok()).unwrap_or(port);
        }
    }
    match node::serve(port) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
