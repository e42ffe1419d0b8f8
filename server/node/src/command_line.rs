//! `nuthatch server` and `nuthatch dev`: from the command line to an exit code.
//!
//! `server` takes redis-server's arguments, which are not what an ordinary parser of flags expects (an option may have
//! several words, and a file may come first); the configuration reads them itself. `server` may be left out before an
//! option or a file, so that the binary can stand in for redis-server's.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::config::{Config, Request, reference};
use crate::dev;
use crate::node::{Prepared, REDIS_VERSION};

const USAGE: &str = "\
Nuthatch, a distributed cache server that speaks the protocol of Redis.

Usage: nuthatch <command>

Commands:
  server [file] [--option value ...]   run one node; `nuthatch server --help` lists the options
  dev                                  run a local cluster; `nuthatch dev --help`
  help, --help                         print this
  --version                            print the version
";

/// Runs the binary with these arguments (without the program's name).
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let arguments: Vec<String> = match arguments
        .into_iter()
        .map(OsString::into_string)
        .collect::<Result<_, OsString>>()
    {
        Ok(arguments) => arguments,
        // Another text in its place could be a password that nobody knows.
        Err(word) => {
            return fail(&format!("nuthatch: '{}' is no UTF-8: write it in that encoding\n", word.display()));
        }
    };
    match arguments.split_first() {
        Some((command, rest)) if command == "server" => server(rest),
        Some((command, rest)) if command == "dev" => dev(rest),
        Some((command, rest)) if command == "dev-node" => {
            dev::run_as_child(rest).map_or(ExitCode::FAILURE, server)
        }
        Some((command, _)) if ["-v", "-V", "--version"].contains(&command.as_str()) => say(&version()),
        None => fail(USAGE),
        Some((command, _)) if ["help", "-h", "--help"].contains(&command.as_str()) => say(USAGE),
        // Whoever starts a redis-server (a client's test suite) starts this binary with the same words.
        Some((first, _)) if first.starts_with("--") || first.ends_with(".conf") => server(&arguments),
        Some((command, _)) => {
            fail(&format!("nuthatch: there is no command '{command}': see `nuthatch --help`\n"))
        }
    }
}

/// The line that `-v` prints, in the form of redis-server's, which tools read.
fn version() -> String {
    format!(
        "Nuthatch server v={REDIS_VERSION} nuthatch={} malloc=mimalloc bits={}\n",
        env!("CARGO_PKG_VERSION"),
        usize::BITS
    )
}

fn server(arguments: &[String]) -> ExitCode {
    let config = match Config::from_arguments(arguments) {
        Ok(Request::Run(config)) => *config,
        Ok(Request::Version) => return say(&version()),
        Ok(Request::Help) => {
            let usage = "Usage: nuthatch server [file] [-] [--option value ...]\n\nOptions, also as lines `option value` of \
                         the file, or of the standard input (-):\n";
            return say(&format!("{usage}{}", reference::help()));
        }
        Err(error) => return fail(&format!("nuthatch: {error}\n")),
    };
    match Prepared::new(config).and_then(Prepared::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("nuthatch: {error}\n")),
    }
}

fn dev(arguments: &[String]) -> ExitCode {
    match dev::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err((text, true)) => fail(&text),
        Err((text, false)) => say(&text),
    }
}

#[expect(clippy::print_stdout, reason = "the command line's answer goes to the standard output")]
fn say(text: &str) -> ExitCode {
    print!("{text}");
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "there is no log yet when the start fails")]
fn fail(text: &str) -> ExitCode {
    eprint!("{text}");
    ExitCode::FAILURE
}
