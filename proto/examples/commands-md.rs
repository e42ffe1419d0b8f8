//! Prints docs/COMMANDS.md: `cargo run -p nuthatch-proto --example commands-md > docs/COMMANDS.md`.
//!
//! A test in `command_table::markdown` fails when the committed file is not what this prints.

use nuthatch_proto::command_table::markdown;
use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(markdown().as_bytes())
}
