//! Rows of the commands on the server, with COMMAND, CONFIG and their subcommands.
//!
//! COMMAND is both a command and a container. DEBUG is a command alone, as in Redis: its subcommands are no commands.

use super::row::{ADMIN, ALLOW_BUSY, FAST, LOADING, NO_MULTI, NOSCRIPT, READONLY, STALE, WRITE, row};
use super::{Acl, CommandSpec, Group, Handler, KeyspaceCommand, NodeCommand};

const fn keyspace(name: &'static str, command: KeyspaceCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Keyspace(command), arity, Group::Server)
}

const fn node(name: &'static str, command: NodeCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Node(command), arity, Group::Server)
}

const fn container(name: &'static str) -> CommandSpec {
    row(name, Handler::Container, -2, Group::Server)
}

pub(super) const ROWS: &[CommandSpec] = &[
    node("command", NodeCommand::Command, -1)
        .flags(&[LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("2.8.13")
        .cost("O(N), N the number of commands")
        .tips(&["nondeterministic_output_order"])
        .about("Describes all commands.")
        .subcommands(COMMAND_SUBCOMMANDS),
    container("config")
        .since("2.0.0")
        .cost("Depends on the subcommand.")
        .about("Reads and changes the configuration.")
        .subcommands(CONFIG_SUBCOMMANDS),
    keyspace("dbsize", KeyspaceCommand::DbSize, 1)
        .flags(&[READONLY, FAST])
        .acl(Acl::KEYSPACE)
        .since("1.0.0")
        .cost("O(1)")
        .tips(&["request_policy:all_shards", "response_policy:agg_sum"])
        .about("Counts the keys of the database."),
    node("debug", NodeCommand::Debug, -2)
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .since("1.0.0")
        .cost("Depends on the subcommand.")
        .syntax("subcommand [argument [argument ...]]")
        .about("Helps to test the server."),
    keyspace("flushall", KeyspaceCommand::FlushAll, -1)
        .flags(&[WRITE])
        .acl(Acl::DANGEROUS.union(Acl::KEYSPACE))
        .since("1.0.0")
        .cost("O(N), N the number of keys in all databases")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .syntax("[ASYNC | SYNC]")
        .about("Deletes the keys of all databases."),
    keyspace("flushdb", KeyspaceCommand::FlushDb, -1)
        .flags(&[WRITE])
        .acl(Acl::DANGEROUS.union(Acl::KEYSPACE))
        .since("1.0.0")
        .cost("O(N), N the number of keys in the database")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .syntax("[ASYNC | SYNC]")
        .about("Deletes the keys of the database."),
    node("info", NodeCommand::Info, -1)
        .flags(&[LOADING, STALE])
        .acl(Acl::DANGEROUS)
        .since("1.0.0")
        .cost("O(1)")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .syntax("[section [section ...]]")
        .about("Returns facts and statistics about the server."),
    node("lolwut", NodeCommand::Lolwut, -1)
        .flags(&[READONLY, FAST])
        .since("5.0.0")
        .cost("O(1)")
        .syntax("[VERSION version]")
        .about("Draws a picture and names the version."),
    node("monitor", NodeCommand::Monitor, 1)
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .since("1.0.0")
        .cost("O(1), and a little with every command of any client")
        .about("Shows the client every command that the node runs."),
    node("shutdown", NodeCommand::Shutdown, -1)
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, NO_MULTI, ALLOW_BUSY])
        .since("1.0.0")
        .cost("O(1)")
        .syntax("[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]")
        .about("Stops the server."),
    keyspace("swapdb", KeyspaceCommand::SwapDb, 3)
        .flags(&[WRITE, FAST])
        .acl(Acl::DANGEROUS.union(Acl::KEYSPACE))
        .since("4.0.0")
        .cost("O(1), and the number of clients that watch or wait for keys of the two")
        .syntax("index1 index2")
        .about("Exchanges two databases, for all clients at once."),
    node("time", NodeCommand::Time, 1)
        .flags(&[LOADING, STALE, FAST])
        .since("2.6.0")
        .cost("O(1)")
        .tips(&["nondeterministic_output"])
        .about("Returns the server's clock: Unix seconds and microseconds."),
];

const COMMAND_SUBCOMMANDS: &[CommandSpec] = &[
    node("count", NodeCommand::CommandCount, 2)
        .flags(&[LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("2.8.13")
        .cost("O(1)")
        .about("Counts the commands."),
    node("docs", NodeCommand::CommandDocs, -2)
        .flags(&[LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("7.0.0")
        .cost("O(N), N the number of commands asked for")
        .tips(&["nondeterministic_output_order"])
        .syntax("[command-name [command-name ...]]")
        .about("Returns documentation of commands."),
    node("getkeys", NodeCommand::CommandGetKeys, -3)
        .flags(&[LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("2.8.13")
        .cost("O(N), N the number of arguments")
        .syntax("command [arg [arg ...]]")
        .about("Returns the keys among a command's arguments."),
    node("getkeysandflags", NodeCommand::CommandGetKeysAndFlags, -3)
        .flags(&[LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("7.0.0")
        .cost("O(N), N the number of arguments")
        .syntax("command [arg [arg ...]]")
        .about("Returns the keys among a command's arguments and what it does with them."),
    node("help", NodeCommand::CommandHelp, 2)
        .flags(&[LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("5.0.0")
        .cost("O(1)")
        .about("Returns help on the subcommands."),
    node("info", NodeCommand::CommandInfo, -2)
        .flags(&[LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("2.8.13")
        .cost("O(N), N the number of commands asked for")
        .tips(&["nondeterministic_output_order"])
        .syntax("[command-name [command-name ...]]")
        .about("Describes the named commands, or all."),
    node("list", NodeCommand::CommandList, -2)
        .flags(&[LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("7.0.0")
        .cost("O(N), N the number of commands")
        .tips(&["nondeterministic_output_order"])
        .syntax("[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]")
        .about("Returns the names of commands."),
];

const CONFIG_SUBCOMMANDS: &[CommandSpec] = &[
    node("get", NodeCommand::ConfigGet, -3)
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .since("2.0.0")
        .cost("O(N), N the number of parameters")
        .syntax("parameter [parameter ...]")
        .about("Returns configuration parameters by name or glob pattern."),
    node("help", NodeCommand::ConfigHelp, 2)
        .flags(&[LOADING, STALE])
        .since("5.0.0")
        .cost("O(1)")
        .about("Returns help on the subcommands."),
    node("resetstat", NodeCommand::ConfigResetStat, 2)
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .since("2.0.0")
        .cost("O(1)")
        .about("Sets the statistics of INFO to zero."),
    node("rewrite", NodeCommand::ConfigRewrite, 2)
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .since("2.8.0")
        .cost("O(1)")
        .about("Writes the configuration in force to the configuration file."),
    node("set", NodeCommand::ConfigSet, -4)
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .since("2.0.0")
        .cost("O(N), N the number of parameters")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .syntax("parameter value [parameter value ...]")
        .about("Changes configuration parameters while the server runs."),
];
