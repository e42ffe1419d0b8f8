//! Rows of the commands on scripts and functions.
//!
//! A script's keys are counted by its second argument. What it does to them nobody can tell beforehand, so that the rows
//! assume the worst. There are no functions yet, and so the two commands that ask for all of them or remove them all have
//! nothing to do; they exist because tools that reset a server between two uses call them and take an error for a broken
//! server.

use super::row::{
    ALLOW_BUSY, LOADING, MAY_REPLICATE, MOVABLEKEYS, NO_MANDATORY_KEYS, NOSCRIPT, READONLY, READS,
    READS_AND_UPDATES, SKIP_MONITOR, STALE, WRITE, counted_keys, row,
};
use super::{Acl, CommandSpec, Flags, Group, Handler, NodeCommand, ScriptCommand};

const fn node(name: &'static str, command: NodeCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Node(command), arity, Group::Scripting).acl(Acl::SCRIPTING)
}

const fn script(name: &'static str, command: ScriptCommand) -> CommandSpec {
    row(name, Handler::Script(command), -3, Group::Scripting)
        .acl(Acl::SCRIPTING)
        .cost("Depends on the script that is executed.")
}

/// What all commands that run scripts have in common.
const RUNS: Flags = NOSCRIPT.union(SKIP_MONITOR).union(NO_MANDATORY_KEYS).union(STALE).union(MOVABLEKEYS);

const BY_TEXT: &str = "script numkeys [key [key ...]] [arg [arg ...]]";
const BY_SHA1: &str = "sha1 numkeys [key [key ...]] [arg [arg ...]]";

pub(super) const ROWS: &[CommandSpec] = &[
    script("eval", ScriptCommand::Eval)
        .flags(&[RUNS, MAY_REPLICATE])
        .keys(&[counted_keys(2, READS_AND_UPDATES)])
        .since("2.6.0")
        .syntax(BY_TEXT)
        .about("Runs a Lua script."),
    script("eval_ro", ScriptCommand::EvalRo)
        .flags(&[RUNS, READONLY])
        .keys(&[counted_keys(2, READS)])
        .since("7.0.0")
        .syntax(BY_TEXT)
        .about("Runs a Lua script that may not write."),
    script("evalsha", ScriptCommand::EvalSha)
        .flags(&[RUNS, MAY_REPLICATE])
        .keys(&[counted_keys(2, READS_AND_UPDATES)])
        .since("2.6.0")
        .syntax(BY_SHA1)
        .about("Runs a Lua script that the server knows."),
    script("evalsha_ro", ScriptCommand::EvalShaRo)
        .flags(&[RUNS, READONLY])
        .keys(&[counted_keys(2, READS)])
        .since("7.0.0")
        .syntax(BY_SHA1)
        .about("Runs a Lua script that the server knows and that may not write."),
    row("function", Handler::Container, -2, Group::Scripting)
        .since("7.0.0")
        .cost("Depends on the subcommand.")
        .about("Manages functions, of which there are none.")
        .subcommands(&[
            node("flush", NodeCommand::FunctionFlush, -2)
                .flags(&[WRITE, NOSCRIPT])
                .since("7.0.0")
                .cost("O(N), N the number of functions")
                .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
                .syntax("[ASYNC | SYNC]")
                .about("Deletes all functions."),
            node("help", NodeCommand::FunctionHelp, 2)
                .since("7.0.0")
                .cost("O(1)")
                .about("Lists the subcommands."),
            node("list", NodeCommand::FunctionList, -2)
                .flags(&[NOSCRIPT])
                .since("7.0.0")
                .cost("O(N), N the number of functions")
                .tips(&["nondeterministic_output_order"])
                .syntax("[LIBRARYNAME pattern] [WITHCODE]")
                .about("Lists the functions."),
        ]),
    row("script", Handler::Container, -2, Group::Scripting)
        .since("2.6.0")
        .cost("Depends on the subcommand.")
        .about("Manages the scripts that the server knows.")
        .subcommands(&[
            node("debug", NodeCommand::ScriptDebug, 3)
                .flags(&[NOSCRIPT])
                .since("3.2.0")
                .cost("O(1)")
                .syntax("<YES | SYNC | NO>")
                .about("Asks for the debugger, of which there is none."),
            node("exists", NodeCommand::ScriptExists, -3)
                .flags(&[NOSCRIPT])
                .since("2.6.0")
                .cost("O(N), N the number of scripts asked for")
                .tips(&["request_policy:all_shards", "response_policy:agg_logical_and"])
                .syntax("sha1 [sha1 ...]")
                .about("Says which scripts the server knows."),
            node("flush", NodeCommand::ScriptFlush, -2)
                .flags(&[NOSCRIPT])
                .since("2.6.0")
                .cost("O(N), N the number of scripts")
                .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
                .syntax("[ASYNC | SYNC]")
                .about("Forgets all scripts."),
            node("help", NodeCommand::ScriptHelp, 2)
                .flags(&[LOADING, STALE])
                .since("5.0.0")
                .cost("O(1)")
                .about("Lists the subcommands."),
            node("kill", NodeCommand::ScriptKill, 2)
                .flags(&[NOSCRIPT, ALLOW_BUSY])
                .since("2.6.0")
                .cost("O(1)")
                .tips(&["request_policy:all_shards", "response_policy:one_succeeded"])
                .about("Ends the script that runs, if it has written nothing."),
            row("load", Handler::Script(ScriptCommand::Load), 3, Group::Scripting)
                .acl(Acl::SCRIPTING)
                .flags(&[NOSCRIPT, STALE])
                .since("2.6.0")
                .cost("O(N), N the length of the script")
                .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
                .syntax("script")
                .about("Keeps a script to be run by its SHA1."),
        ]),
];
