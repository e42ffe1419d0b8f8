//! Rows of the commands on the cluster, with CLUSTER and its subcommands.
//!
//! CLUSTER KEYSLOT names a key but has no key specification: it looks at the name alone and is never redirected.
//! Some commands are there for the sake of the tools that send them: epochs, for example, are not an administrator's to
//! choose here.

use super::row::{ADMIN, FAST, LOADING, NO_ASYNC_LOADING, NO_MULTI, NOSCRIPT, STALE, row};
use super::{Acl, CommandSpec, Group, Handler, NodeCommand};

const fn node(name: &'static str, command: NodeCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Node(command), arity, Group::Cluster)
}

const fn container(name: &'static str) -> CommandSpec {
    row(name, Handler::Container, -2, Group::Cluster)
}

pub(super) const ROWS: &[CommandSpec] = &[
    node("asking", NodeCommand::Asking, 1)
        .flags(&[FAST])
        .acl(Acl::CONNECTION)
        .since("3.0.0")
        .cost("O(1)")
        .about("Lets the next command in to a slot that is being imported."),
    container("cluster")
        .since("3.0.0")
        .cost("Depends on the subcommand.")
        .about("Inspects and changes the cluster.")
        .subcommands(CLUSTER_SUBCOMMANDS),
    node("readonly", NodeCommand::ReadOnly, 1)
        .flags(&[LOADING, STALE, FAST])
        .acl(Acl::CONNECTION)
        .since("3.0.0")
        .cost("O(1)")
        .about("Lets replicas answer this connection's reads."),
    node("readwrite", NodeCommand::ReadWrite, 1)
        .flags(&[LOADING, STALE, FAST])
        .acl(Acl::CONNECTION)
        .since("3.0.0")
        .cost("O(1)")
        .about("Ends what READONLY began."),
];

const CLUSTER_SUBCOMMANDS: &[CommandSpec] = &[
    node("addslots", NodeCommand::ClusterAddSlots, -3)
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .since("3.0.0")
        .cost("O(N), N the number of slots")
        .syntax("slot [slot ...]")
        .about("Gives free slots to this node."),
    node("addslotsrange", NodeCommand::ClusterAddSlotsRange, -4)
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .since("7.0.0")
        .cost("O(N), N the number of slots in the ranges")
        .syntax("start-slot end-slot [start-slot end-slot ...]")
        .about("Gives ranges of free slots to this node."),
    node("bumpepoch", NodeCommand::ClusterBumpEpoch, 2)
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .since("3.0.0")
        .cost("O(1)")
        .tips(&["nondeterministic_output"])
        .about("Answers with this node's epoch; epochs rise by themselves with every change."),
    node("count-failure-reports", NodeCommand::ClusterCountFailureReports, 3)
        .flags(&[ADMIN, STALE])
        .since("3.0.0")
        .cost("O(N), N the number of reports")
        .tips(&["nondeterministic_output"])
        .syntax("node-id")
        .about("Counts the nodes that report a node as failing."),
    node("countkeysinslot", NodeCommand::ClusterCountKeysInSlot, 3)
        .flags(&[STALE])
        .since("3.0.0")
        .cost("O(1)")
        .syntax("slot")
        .about("Counts this node's keys in a slot."),
    node("delslots", NodeCommand::ClusterDelSlots, -3)
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .since("3.0.0")
        .cost("O(N), N the number of slots")
        .syntax("slot [slot ...]")
        .about("Takes slots from their owner, leaving them free."),
    node("delslotsrange", NodeCommand::ClusterDelSlotsRange, -4)
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .since("7.0.0")
        .cost("O(N), N the number of slots in the ranges")
        .syntax("start-slot end-slot [start-slot end-slot ...]")
        .about("Takes ranges of slots from their owners, leaving them free."),
    node("flushslots", NodeCommand::ClusterFlushSlots, 2)
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .since("3.0.0")
        .cost("O(1)")
        .about("Takes all slots from this node."),
    node("forget", NodeCommand::ClusterForget, 3)
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .since("3.0.0")
        .cost("O(1)")
        .syntax("node-id")
        .about("Removes a node from the cluster."),
    node("getkeysinslot", NodeCommand::ClusterGetKeysInSlot, 4)
        .flags(&[STALE])
        .since("3.0.0")
        .cost("O(N), N the number of keys asked for")
        .tips(&["nondeterministic_output"])
        .syntax("slot count")
        .about("Returns some of this node's keys in a slot."),
    node("help", NodeCommand::ClusterHelp, 2)
        .flags(&[LOADING, STALE])
        .since("5.0.0")
        .cost("O(1)")
        .about("Returns help on the subcommands."),
    node("import", NodeCommand::ClusterImport, -3)
        .flags(&[ADMIN, NOSCRIPT, STALE, NO_ASYNC_LOADING, NO_MULTI])
        .since("7.2.0")
        .cost("O(1)")
        .syntax("<FROM host port | STOP>")
        .about("Takes the keys of this node's slots from a running Redis, or ends that; not in Redis."),
    node("info", NodeCommand::ClusterInfo, 2)
        .flags(&[STALE])
        .since("3.0.0")
        .cost("O(1)")
        .tips(&["nondeterministic_output"])
        .about("Returns the state of the cluster as this node sees it."),
    node("keyslot", NodeCommand::ClusterKeySlot, 3)
        .flags(&[STALE])
        .since("3.0.0")
        .cost("O(N), N the length of the key")
        .syntax("key")
        .about("Returns the slot of a key."),
    node("links", NodeCommand::ClusterLinks, 2)
        .flags(&[STALE])
        .since("7.0.0")
        .cost("O(N), N the number of nodes")
        .tips(&["nondeterministic_output"])
        .about("Describes the connections to and from other nodes."),
    node("meet", NodeCommand::ClusterMeet, -4)
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .since("3.0.0")
        .cost("O(1)")
        .syntax("ip port [cluster-bus-port]")
        .about("Joins this node and another into one cluster."),
    node("myid", NodeCommand::ClusterMyId, 2)
        .flags(&[STALE])
        .since("3.0.0")
        .cost("O(1)")
        .about("Returns this node's id."),
    node("myshardid", NodeCommand::ClusterMyShardId, 2)
        .flags(&[STALE])
        .since("7.2.0")
        .cost("O(1)")
        .tips(&["nondeterministic_output"])
        .about("Returns the id of this node's shard."),
    node("nodes", NodeCommand::ClusterNodes, 2)
        .flags(&[STALE])
        .since("3.0.0")
        .cost("O(N), N the number of nodes")
        .tips(&["nondeterministic_output"])
        .about("Describes all nodes, one line each."),
    node("replicas", NodeCommand::ClusterReplicas, 3)
        .flags(&[ADMIN, STALE])
        .since("5.0.0")
        .cost("O(N), N the number of nodes")
        .tips(&["nondeterministic_output"])
        .syntax("node-id")
        .about("Describes the replicas of a primary."),
    node("replicate", NodeCommand::ClusterReplicate, 3)
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .since("3.0.0")
        .cost("O(1)")
        .syntax("node-id")
        .about("Makes this node a replica of a primary; refused until there is replication."),
    node("reset", NodeCommand::ClusterReset, -2)
        .flags(&[ADMIN, NOSCRIPT, STALE])
        .since("3.0.0")
        .cost("O(N), N the number of nodes")
        .syntax("[HARD | SOFT]")
        .about("Makes this node leave the cluster and forget it."),
    node("saveconfig", NodeCommand::ClusterSaveConfig, 2)
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .since("3.0.0")
        .cost("O(1)")
        .about("Makes sure that the cluster's state is on disk."),
    node("set-config-epoch", NodeCommand::ClusterSetConfigEpoch, 3)
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .since("3.0.0")
        .cost("O(1)")
        .syntax("config-epoch")
        .about("Accepts an epoch from tools that form a cluster; epochs are given by the cluster itself."),
    node("setslot", NodeCommand::ClusterSetSlot, -4)
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .since("3.0.0")
        .cost("O(1)")
        .syntax("slot <IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE>")
        .about("Gives a slot to a node, or marks it as being moved."),
    node("shards", NodeCommand::ClusterShards, 2)
        .flags(&[STALE])
        .since("7.0.0")
        .cost("O(N), N the number of nodes")
        .tips(&["nondeterministic_output"])
        .about("Describes the shards: their slots and nodes."),
    node("slaves", NodeCommand::ClusterSlaves, 3)
        .flags(&[ADMIN, STALE])
        .since("3.0.0")
        .deprecated("5.0.0", "`CLUSTER REPLICAS`")
        .cost("O(N), N the number of nodes")
        .tips(&["nondeterministic_output"])
        .syntax("node-id")
        .about("Describes the replicas of a primary; the old name of CLUSTER REPLICAS."),
    node("slots", NodeCommand::ClusterSlots, 2)
        .flags(&[STALE])
        .since("3.0.0")
        .deprecated("7.0.0", "`CLUSTER SHARDS`")
        .cost("O(N), N the number of nodes")
        .tips(&["nondeterministic_output"])
        .about("Returns ranges of slots with the nodes that serve them."),
];
