//! Rows of the commands that watch the server at work: LATENCY, MEMORY, SLOWLOG and their subcommands.
//!
//! All are containers. MEMORY USAGE alone takes a key, so that the engine runs it.

use super::key_spec::KeyFlags;
use super::row::{ADMIN, LOADING, NOSCRIPT, READONLY, STALE, key, row};
use super::{CommandSpec, DataCommand, Group, Handler, NodeCommand};

const fn node(name: &'static str, command: NodeCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Node(command), arity, Group::Server)
}

const fn container(
    name: &'static str,
    since: &'static str,
    subcommands: &'static [CommandSpec],
) -> CommandSpec {
    row(name, Handler::Container, -2, Group::Server)
        .since(since)
        .cost("Depends on the subcommand.")
        .subcommands(subcommands)
}

const fn help(command: NodeCommand, since: &'static str) -> CommandSpec {
    node("help", command, 2)
        .flags(&[LOADING, STALE])
        .since(since)
        .cost("O(1)")
        .about("Returns help on the subcommands.")
}

const fn latency(name: &'static str, command: NodeCommand, arity: i8) -> CommandSpec {
    node(name, command, arity).flags(&[ADMIN, NOSCRIPT, LOADING, STALE]).since("2.8.13").cost("O(1)").tips(&[
        "nondeterministic_output",
        "request_policy:all_nodes",
        "response_policy:special",
    ])
}

const fn memory(name: &'static str, command: NodeCommand) -> CommandSpec {
    node(name, command, 2).since("4.0.0").cost("O(1)").tips(&[
        "nondeterministic_output",
        "request_policy:all_shards",
        "response_policy:special",
    ])
}

const fn slowlog(name: &'static str, command: NodeCommand, arity: i8) -> CommandSpec {
    node(name, command, arity).flags(&[ADMIN, LOADING, STALE]).since("2.2.12")
}

pub(super) const ROWS: &[CommandSpec] = &[
    container("latency", "2.8.13", LATENCY_SUBCOMMANDS).about("Shows when something took long."),
    container("memory", "4.0.0", MEMORY_SUBCOMMANDS).about("Shows what takes how much memory."),
    container("slowlog", "2.2.12", SLOWLOG_SUBCOMMANDS).about("Shows the commands that took long."),
];

const LATENCY_SUBCOMMANDS: &[CommandSpec] = &[
    latency("doctor", NodeCommand::LatencyDoctor, 2).about("Says what took long and what may help."),
    latency("graph", NodeCommand::LatencyGraph, 3).syntax("event").about("Draws the samples of an event."),
    help(NodeCommand::LatencyHelp, "2.8.13"),
    latency("histogram", NodeCommand::LatencyHistogram, -2)
        .since("7.0.0")
        .cost("O(N), N the number of commands asked for")
        .syntax("[command [command ...]]")
        .about("Returns how long the calls of commands took."),
    latency("history", NodeCommand::LatencyHistory, 3)
        .syntax("event")
        .about("Returns the samples of an event."),
    latency("latest", NodeCommand::LatencyLatest, 2).about("Returns the last sample of each event."),
    latency("reset", NodeCommand::LatencyReset, -2)
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum"])
        .syntax("[event [event ...]]")
        .about("Forgets the samples of some events, or of all."),
];

const MEMORY_SUBCOMMANDS: &[CommandSpec] = &[
    memory("doctor", NodeCommand::MemoryDoctor).about("Says what is odd about the server's memory."),
    help(NodeCommand::MemoryHelp, "4.0.0"),
    memory("malloc-stats", NodeCommand::MemoryMallocStats)
        .about("Returns what the allocator says of itself."),
    memory("purge", NodeCommand::MemoryPurge)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .about("Gives unused memory back to the system."),
    memory("stats", NodeCommand::MemoryStats).about("Returns figures of the server's memory."),
    row("usage", Handler::Data(DataCommand::MemoryUsage), -3, Group::Server)
        .flags(&[READONLY])
        .since("4.0.0")
        .cost("O(N), N the number of chunks of the value")
        .keys(&[key(2, KeyFlags::RO)])
        .syntax("key [SAMPLES count]")
        .about("Returns how many bytes a key and its value take."),
];

const SLOWLOG_SUBCOMMANDS: &[CommandSpec] = &[
    slowlog("get", NodeCommand::SlowlogGet, -2)
        .cost("O(N), N the number of entries returned")
        .tips(&["request_policy:all_nodes", "nondeterministic_output"])
        .syntax("[count]")
        .about("Returns the newest entries."),
    help(NodeCommand::SlowlogHelp, "6.2.0"),
    slowlog("len", NodeCommand::SlowlogLen, 2)
        .cost("O(1)")
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"])
        .about("Counts the entries."),
    slowlog("reset", NodeCommand::SlowlogReset, 2)
        .cost("O(N), N the number of entries")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .about("Forgets the entries."),
];
