//! Rows of the commands on functions.
//!
//! There are no functions yet, and so the two commands that ask for all of them or remove them all have nothing to do.
//! They exist because tools that reset a server between two uses call them and take an error for a broken server.

use super::row::{NOSCRIPT, WRITE, row};
use super::{Acl, CommandSpec, Group, Handler, NodeCommand};

const fn node(name: &'static str, command: NodeCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Node(command), arity, Group::Scripting)
}

pub(super) const ROWS: &[CommandSpec] = &[row("function", Handler::Container, -2, Group::Scripting)
    .since("7.0.0")
    .cost("Depends on the subcommand.")
    .about("Manages functions, of which there are none.")
    .subcommands(&[
        node("flush", NodeCommand::FunctionFlush, -2)
            .flags(&[WRITE, NOSCRIPT])
            .acl(Acl::SCRIPTING)
            .since("7.0.0")
            .cost("O(N), N the number of functions")
            .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
            .syntax("[ASYNC | SYNC]")
            .about("Deletes all functions."),
        node("help", NodeCommand::FunctionHelp, 2)
            .acl(Acl::SCRIPTING)
            .since("7.0.0")
            .cost("O(1)")
            .about("Lists the subcommands."),
        node("list", NodeCommand::FunctionList, -2)
            .flags(&[NOSCRIPT])
            .acl(Acl::SCRIPTING)
            .since("7.0.0")
            .cost("O(N), N the number of functions")
            .tips(&["nondeterministic_output_order"])
            .syntax("[LIBRARYNAME pattern] [WITHCODE]")
            .about("Lists the functions."),
    ])];
