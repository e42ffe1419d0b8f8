//! Drawing the identities that must never be drawn twice: 128 or 160 bits of the system's randomness each.
//!
//! They come from the system and never from a seeded generator: two nodes that started from one image must still differ. An
//! identity is drawn once and then kept on disk, except that of the process, which is new with each start.

use std::io;

use nuthatch_cluster::topology::{GroupId, ProcessId, StorageId};
use nuthatch_proto::ids::{NodeId, ShardId};

use crate::clock;

fn draw<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    clock::entropy(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn node_id() -> io::Result<NodeId> {
    draw().map(NodeId)
}

pub(crate) fn shard_id() -> io::Result<ShardId> {
    draw().map(ShardId)
}

pub(crate) fn storage_id() -> io::Result<StorageId> {
    draw().map(StorageId)
}

pub(crate) fn process_id() -> io::Result<ProcessId> {
    draw().map(ProcessId)
}

pub(crate) fn group_id() -> io::Result<GroupId> {
    draw().map(GroupId)
}
