//! What is proposed about copies of shards: by primaries, by those who detect failures, by operators.
//!
//! Each proposal goes by one node's topology, which may be old: the rules of the topology have to bear that. No data moves
//! here, so nobody is really in sync; what is watched is whose word counts, and when (`succession`).

use nuthatch_cluster::topology::{Address, Grant, ProcessId, Shard, Topology, TopologyChange};
use nuthatch_proto::ids::{Incarnation, NodeId};

use super::random::Random;

/// Something about the copies of a shard, as that topology has it.
pub fn change(topology: &Topology, random: &mut Random) -> Option<TopologyChange> {
    let shard = &topology.shards()[random.below(topology.shards().len())];
    let members: Vec<NodeId> = shard.members().collect();
    let all: Vec<NodeId> = topology.nodes().map(|node| node.id).collect();
    let (member, anybody) = (random.pick(&members)?, random.pick(&all)?);
    let in_sync = random.pick(&shard.isr)?;
    let &Shard { id, epoch, isr_version, primary: by, .. } = shard;
    Some(match random.below(12) {
        0..3 => TopologyChange::Replicate { node: anybody, primary: by.node },
        3..7 => {
            let replica = random.pick(&shard.replicas).unwrap_or(anybody);
            // Now and then it is a life that is over, which somebody saw before the node registered anew.
            let first = Incarnation(topology.node(replica)?.raft_id.0);
            let latest = life(topology, replica)?;
            let member = if random.chance(200) { Grant { incarnation: first, ..latest } } else { latest };
            TopologyChange::GrowIsr { shard: id, epoch, isr_version, by, member }
        }
        7 => TopologyChange::ShrinkIsr { shard: id, epoch, isr_version, by, out: in_sync },
        8 | 9 => {
            let fenced = shard.isr.iter().copied().filter(|_| random.chance(500)).collect();
            // Now and then it is somebody who may not be in sync.
            let primary = if random.chance(250) { life(topology, member)? } else { in_sync };
            TopologyChange::Promote { shard: id, epoch, primary, fenced }
        }
        10 => restart(topology, member, random)?,
        _ => TopologyChange::ForceEmpty { shard: id, node: member },
    })
}

/// What an operator does to be rid of a node that may hold slots, and even their last copy.
pub fn farewell(topology: &Topology, node: NodeId, by: NodeId) -> Vec<TopologyChange> {
    let flush = TopologyChange::FlushSlots { node };
    let forget = TopologyChange::Forget { node, by };
    let Some(shard) = topology.shard_of(node) else { return vec![flush, forget] };
    // A replica does not forget its primary: then that goes by itself.
    let asks_replica = shard.members().any(|member| member == by);
    let go = if asks_replica { TopologyChange::Leave { node } } else { forget.clone() };
    let only = shard.isr.iter().all(|member| member.node == node);
    let &Shard { id, epoch, primary, .. } = shard;
    match life(topology, node) {
        _ if primary.node == node => vec![flush, go],
        Some(_) if only && shard.is_offline() => {
            vec![TopologyChange::ForceEmpty { shard: id, node: primary.node }, forget]
        }
        Some(last) if only => {
            let promote = TopologyChange::Promote { shard: id, epoch, primary: last, fenced: Vec::new() };
            vec![promote, flush, go]
        }
        Some(_) | None => vec![forget],
    }
}

fn life(topology: &Topology, node: NodeId) -> Option<Grant> {
    let incarnation = topology.node(node)?.incarnation;
    Some(Grant { node, incarnation })
}

/// A member's process says that it is another one.
fn restart(topology: &Topology, node: NodeId, random: &mut Random) -> Option<TopologyChange> {
    let known = topology.node(node)?;
    let mut process = ProcessId([node.0[0]; 16]);
    process.0[..8].copy_from_slice(&random.bits().to_be_bytes());
    let address: Address = known.address.clone();
    Some(TopologyChange::Register { node, storage: known.storage, process, address })
}
