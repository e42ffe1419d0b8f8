//! Prints docs/COMMANDS.md: `cargo run -p nuthatch-proto --example commands-md > docs/COMMANDS.md`.

use nuthatch_proto::command_table::markdown;
use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(markdown().as_bytes())
}
