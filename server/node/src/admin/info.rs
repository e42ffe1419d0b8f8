//! INFO: the node in lines of `field:value`, by sections.
//!
//! Tools find fields by looking for a piece of text, so their order matters: `used_memory:` comes before any other
//! `used_memory...`, `loading:` before `async_loading:`. Fields of Redis whose matter does not exist here carry the
//! value that says so (no snapshot under way, no replicas), because tools expect the field.
//!
//! [`sections`](Section) write what they know; [`system`] reads what only the operating system knows.

mod activity;
mod commands;
mod memory;
mod replication;
mod state;
pub(super) mod system;

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::Call;

/// A part of INFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Server,
    Clients,
    Memory,
    Persistence,
    Stats,
    Replication,
    Cpu,
    Modules,
    CommandStats,
    ErrorStats,
    LatencyStats,
    Cluster,
    Keyspace,
}

/// All sections with their names, in the order they are printed, and whether INFO alone prints them.
const SECTIONS: [(Section, &str, bool); 13] = [
    (Section::Server, "server", true),
    (Section::Clients, "clients", true),
    (Section::Memory, "memory", true),
    (Section::Persistence, "persistence", true),
    (Section::Stats, "stats", true),
    (Section::Replication, "replication", true),
    (Section::Cpu, "cpu", true),
    (Section::Modules, "modules", true),
    (Section::CommandStats, "commandstats", false),
    (Section::ErrorStats, "errorstats", true),
    (Section::LatencyStats, "latencystats", false),
    (Section::Cluster, "cluster", true),
    (Section::Keyspace, "keyspace", true),
];

/// The sections that the arguments name, in the order of printing.
fn wanted(names: Args<'_>) -> Vec<Section> {
    let asked = |wanted: &str| names.iter().any(|name| name.eq_ignore_ascii_case(wanted.as_bytes()));
    let all = asked("all") || asked("everything");
    let usual = names.is_empty() || asked("default");
    let is_wanted =
        |&(_, name, by_default): &(Section, &str, bool)| all || (usual && by_default) || asked(name);
    SECTIONS.iter().filter(|row| is_wanted(row)).map(|&(section, ..)| section).collect()
}

pub(super) fn info(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let mut page = Page::default();
    for section in wanted(call.args.skip(1)) {
        match section {
            Section::Server => state::server(&mut page, &call),
            Section::Clients => state::clients(&mut page, &call),
            Section::Memory => memory::memory(&mut page, &call),
            Section::Persistence => state::persistence(&mut page, &call),
            Section::Stats => activity::stats(&mut page, &call),
            Section::Replication => replication::replication(&mut page, &call),
            Section::Cpu => activity::cpu(&mut page),
            Section::Modules => page.section("Modules"),
            Section::CommandStats => commands::command_stats(&mut page, &call),
            Section::ErrorStats => commands::error_stats(&mut page, &call),
            Section::LatencyStats => commands::latency_stats(&mut page, &call),
            Section::Cluster => state::cluster(&mut page, &call),
            Section::Keyspace => state::keyspace(&mut page, &call),
        }
    }
    reply.verbatim("txt", page.0.as_bytes());
}

/// The text so far.
#[derive(Default)]
struct Page(String);

impl Page {
    /// Begins a section.
    fn section(&mut self, title: &str) {
        let gap = if self.0.is_empty() { "" } else { "\r\n" };
        self.0.push_str(&format!("{gap}# {title}\r\n"));
    }

    /// A line.
    fn field(&mut self, name: &str, value: impl std::fmt::Display) {
        self.0.push_str(&format!("{name}:{value}\r\n"));
    }

    /// Several lines.
    fn fields(&mut self, lines: &[(&str, &dyn std::fmt::Display)]) {
        for (name, value) in lines {
            self.field(name, value);
        }
    }

    /// A number of bytes, and once more for people.
    fn bytes(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        self.field(&format!("{name}_human"), human(bytes));
    }
}

/// A number of bytes as people read it: `1.25M`.
fn human(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "T"), (1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, letter)) => format!("{:.2}{letter}", bytes as f64 / *unit as f64),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::args::OwnedArgs;

    use super::*;

    #[track_caller]
    fn check(names: &[&str], expected: &[Section]) {
        let names: OwnedArgs = names.iter().collect();
        assert_eq!(wanted(names.as_args()), expected);
    }

    #[test]
    fn sections_are_chosen_by_name() {
        check(&["keyspace", "SERVER", "nonsense"], &[Section::Server, Section::Keyspace]);
        check(&["nonsense"], &[]);
        let names = |names: &[&str]| wanted(names.iter().collect::<OwnedArgs>().as_args());
        assert_eq!(names(&[]).len(), 11);
        assert_eq!(names(&["default", "commandstats"]).len(), 12);
        assert_eq!(names(&["everything"]).len(), SECTIONS.len());
    }

    #[test]
    fn bytes_read_well() {
        for (bytes, text) in
            [(0, "0B"), (1023, "1023B"), (1024, "1.00K"), (1_313_872, "1.25M"), (3 << 40, "3.00T")]
        {
            assert_eq!(human(bytes), text);
        }
    }
}
