//! Rows of the commands on HyperLogLogs: strings that estimate how many different elements they were given.
//!
//! PFCOUNT only reads as far as its reply goes; it may put the estimate down in the string, which replicas are told.

use super::row::{ADMIN, DENYOOM, FAST, INSERTS, MAY_REPLICATE, READONLY, READS, WRITE, key, keys_from, row};
use super::{Acl, CommandSpec, DataCommand, Group, Handler, KeyFlags, NodeCommand};

const fn data(name: &'static str, command: DataCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Data(command), arity, Group::HyperLogLog).acl(Acl::HYPERLOGLOG)
}

/// Returns data, and may change how it is kept.
const COUNTS: KeyFlags = KeyFlags::RW.union(KeyFlags::ACCESS);

pub(super) const ROWS: &[CommandSpec] = &[
    data("pfadd", DataCommand::PfAdd, -2)
        .flags(&[WRITE, DENYOOM, FAST])
        .keys(&[key(1, INSERTS)])
        .since("2.8.9")
        .cost("O(1) per element")
        .syntax("key [element [element ...]]")
        .about("Adds elements to a HyperLogLog; creates it if absent."),
    data("pfcount", DataCommand::PfCount, -2)
        .flags(&[READONLY, MAY_REPLICATE])
        .keys(&[keys_from(1, COUNTS)])
        .since("2.8.9")
        .cost("O(1) with one key; O(N) with N keys, each of them dearer")
        .syntax("key [key ...]")
        .about("Estimates how many different elements HyperLogLogs have together."),
    data("pfdebug", DataCommand::PfDebug, 3)
        .flags(&[WRITE, DENYOOM, ADMIN])
        .keys(&[key(2, COUNTS)])
        .since("2.8.9")
        .cost("O(1)")
        .syntax("subcommand key")
        .about("Shows the insides of a HyperLogLog (GETREG, DECODE, ENCODING), or makes it dense (TODENSE)."),
    data("pfmerge", DataCommand::PfMerge, -2)
        .flags(&[WRITE, DENYOOM])
        .keys(&[key(1, COUNTS.union(KeyFlags::INSERT)), keys_from(2, READS)])
        .since("2.8.9")
        .cost("O(N), N the number of keys, each of them dear")
        .syntax("destkey [sourcekey [sourcekey ...]]")
        .about("Adds the elements of HyperLogLogs to one of them."),
    row("pfselftest", Handler::Node(NodeCommand::PfSelfTest), 1, Group::HyperLogLog)
        .acl(Acl::HYPERLOGLOG)
        .flags(&[ADMIN])
        .since("2.8.9")
        .cost("O(1)")
        .about("Tests the estimates and both representations of HyperLogLogs."),
];
