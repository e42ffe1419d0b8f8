//! Rows of the commands by which a replica follows a server, and of those that write the data to a file.
//!
//! SYNC and PSYNC turn a connection into something else: what follows on it is no reply. REPLCONF is said by replicas only,
//! and not always answered.
//!
//! Source: Redis' documentation of its replication and its commands.

use super::row::{ADMIN, ALLOW_BUSY, FAST, LOADING, NO_ASYNC_LOADING, NO_MULTI, NOSCRIPT, STALE, row};
use super::{Acl, CommandSpec, Group, Handler, NodeCommand};

const fn node(name: &'static str, command: NodeCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Node(command), arity, Group::Server)
}

pub(super) const ROWS: &[CommandSpec] = &[
    node("bgsave", NodeCommand::BgSave, -1)
        .flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING])
        .since("1.0.0")
        .cost("O(1)")
        .syntax("[SCHEDULE]")
        .about("Begins to write the data to a file and does not wait for it."),
    node("lastsave", NodeCommand::LastSave, 1)
        .flags(&[LOADING, STALE, FAST])
        .acl(Acl::ADMIN.union(Acl::DANGEROUS))
        .since("1.0.0")
        .cost("O(1)")
        .tips(&["nondeterministic_output"])
        .about("Says when the data was last written to a file."),
    node("psync", NodeCommand::PSync, -3)
        .flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING, NO_MULTI])
        .since("2.8.0")
        .cost("O(N), N the number of keys")
        .syntax("replicationid offset")
        .about("Makes the client a replica: it is sent the data, and then every change."),
    node("replconf", NodeCommand::ReplConf, -1)
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, ALLOW_BUSY])
        .since("3.0.0")
        .cost("O(1)")
        .about("Says what a replica is, can do, and has received."),
    node("replicaof", NodeCommand::ReplicaOf, 3)
        .flags(&[ADMIN, NOSCRIPT, STALE, NO_ASYNC_LOADING])
        .since("5.0.0")
        .cost("O(1)")
        .syntax("<host port | NO ONE>")
        .about("Makes the server a replica of another one, or a primary."),
    node("role", NodeCommand::Role, 1)
        .flags(&[NOSCRIPT, LOADING, STALE, FAST])
        .acl(Acl::ADMIN.union(Acl::DANGEROUS))
        .since("2.8.12")
        .cost("O(1)")
        .about("Says whether the server is a primary or a replica, and of whom."),
    node("save", NodeCommand::Save, 1)
        .flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING, NO_MULTI])
        .since("1.0.0")
        .cost("O(N), N the number of keys in all databases")
        .about("Writes the data to a file and waits for it."),
    node("slaveof", NodeCommand::SlaveOf, 3)
        .flags(&[ADMIN, NOSCRIPT, STALE, NO_ASYNC_LOADING])
        .since("1.0.0")
        .deprecated("5.0.0", "`REPLICAOF`")
        .cost("O(1)")
        .syntax("<host port | NO ONE>")
        .about("Makes the server a replica of another one, or a primary."),
    node("sync", NodeCommand::Sync, 1)
        .flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING, NO_MULTI])
        .since("1.0.0")
        .cost("O(N), N the number of keys")
        .about("Makes the client a replica, in the way of Redis before 2.8."),
];
