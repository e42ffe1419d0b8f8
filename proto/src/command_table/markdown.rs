//! The table for people: docs/COMMANDS.md as text.
//!
//! The file in the repository is written by the example `commands-md`; a test here compares the two, so that a changed
//! row and a stale document do not pass together.

use super::{CommandSpec, Group, commands};
use std::fmt::Write;

/// The whole document.
pub fn markdown() -> String {
    let mut text = String::from(HEAD);
    let mut total = 0;
    for (group, title) in GROUPS {
        let rows: Vec<_> = commands().iter().filter(|spec| spec.group == group).collect();
        if rows.is_empty() {
            continue;
        }
        push(
            &mut text,
            format_args!(
                "\n## {title}\n\n| Command | What it does | Cost | Since |\n| --- | --- | --- | --- |\n"
            ),
        );
        for spec in rows {
            total += line(&mut text, spec, None);
            for sub in spec.subcommands {
                total += line(&mut text, sub, Some(spec.name));
            }
        }
    }
    push(&mut text, format_args!("\n{total} commands and subcommands.\n"));
    text
}

const HEAD: &str = "\
<!-- Generated from the command table: cargo run -p nuthatch-proto --example commands-md > docs/COMMANDS.md -->
# Commands

What Nuthatch understands today. Syntax, arity, flags, key positions and replies are those of Redis 7.2; \"since\" is the
version of Redis that brought the command. `COMMAND DOCS` answers the same from a running server.
";

const GROUPS: [(Group, &str); 15] = [
    (Group::String, "Strings"),
    (Group::Bitmap, "Bitmaps"),
    (Group::HyperLogLog, "HyperLogLogs"),
    (Group::Generic, "Keys"),
    (Group::Hash, "Hashes"),
    (Group::List, "Lists"),
    (Group::Set, "Sets"),
    (Group::SortedSet, "Sorted sets"),
    (Group::Geo, "Geography"),
    (Group::Connection, "Connection"),
    (Group::Server, "Server"),
    (Group::Cluster, "Cluster"),
    (Group::PubSub, "Pub/sub"),
    (Group::Transactions, "Transactions"),
    (Group::Scripting, "Scripting"),
];

/// One row; a container has none of its own. Returns how many it wrote.
fn line(text: &mut String, spec: &CommandSpec, container: Option<&str>) -> usize {
    if spec.handler == super::Handler::Container {
        return 0;
    }
    let container = container.map(|name| format!("{} ", name.to_ascii_uppercase())).unwrap_or_default();
    let usage = format!("{container}{} {}", spec.name.to_ascii_uppercase(), spec.syntax);
    // A bar would end the table's cell, even between backticks.
    let usage = usage.trim_end().replace('|', "\\|");
    let instead = spec.deprecated.map(|old| format!(" Deprecated: {}.", old.replaced_by)).unwrap_or_default();
    push(
        text,
        format_args!("| `{usage}` | {}{instead} | {} | {} |\n", spec.summary, spec.complexity, spec.since),
    );
    1
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/COMMANDS.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            committed == markdown(),
            "docs/COMMANDS.md is stale: cargo run -p nuthatch-proto --example commands-md > docs/COMMANDS.md"
        );
    }

    #[test]
    fn every_row_is_in_it() {
        let text = markdown();
        let mut rows = 0;
        for spec in commands() {
            rows += spec.subcommands.len() + usize::from(spec.handler != super::super::Handler::Container);
            assert!(text.contains(&format!("| `{}", spec.name.to_ascii_uppercase())), "{}", spec.name);
        }
        assert_eq!(text.lines().filter(|line| line.starts_with("| `")).count(), rows);
        assert!(text.contains("| `SET key value [NX \\| XX]"));
    }
}
