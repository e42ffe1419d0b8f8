//! The words of the transcripts about copies of shards: who replicates, who is in sync, who is promoted.
//!
//! A shard is called by the node that founded it. A proposal goes by what is so, or, with `as seen`, by what was so at the
//! last `look`: the epoch, the version of the in-sync set, the primary and everybody's life.

use nuthatch_cluster::topology::{Grant, Shard, ShardState, Topology, TopologyChange};
use nuthatch_proto::ids::{NodeId, ShardId};

use super::{Said, id};

/// Whether these words are a change of copies.
pub(super) fn is_change(words: &[&str]) -> bool {
    matches!(words, ["replicate" | "grow" | "shrink" | "promote" | "force-empty", ..])
}

/// The change that these words are, going by that topology.
pub(super) fn change(topology: &Topology, words: &[&str]) -> Said<TopologyChange> {
    Ok(match words {
        // `replicate n4 of n1`
        ["replicate", node, "of", primary] => {
            TopologyChange::Replicate { node: id(node)?, primary: id(primary)? }
        }
        // `grow n1 with n4`, as its primary would propose it; `grow n1 by n5 with n4`, as another.
        ["grow", of, "with", member] => grow(topology, of, None, member)?,
        ["grow", of, "by", by, "with", member] => grow(topology, of, Some(by), member)?,
        // `shrink n1 without n4`
        ["shrink", of, "without", out] => {
            let &Shard { id: shard, epoch, isr_version, primary: by, .. } = shard(topology, of)?;
            TopologyChange::ShrinkIsr { shard, epoch, isr_version, by, out: life(topology, out)? }
        }
        // `promote n1 to n4 with n5 n6`: those who were fenced with it.
        ["promote", of, "to", primary, "with", fenced @ ..] => {
            let &Shard { id: shard, epoch, .. } = shard(topology, of)?;
            let fenced = fenced.iter().map(|node| life(topology, node)).collect::<Said<_>>()?;
            TopologyChange::Promote { shard, epoch, primary: life(topology, primary)?, fenced }
        }
        // `force-empty n1 at n4`
        ["force-empty", of, "at", node] => {
            TopologyChange::ForceEmpty { shard: shard(topology, of)?.id, node: id(node)? }
        }
        _ => return Err(format!("no such command: {}", words.join(" "))),
    })
}

fn grow(topology: &Topology, of: &str, by: Option<&str>, member: &str) -> Said<TopologyChange> {
    let &Shard { id: shard, epoch, isr_version, primary, .. } = shard(topology, of)?;
    let by = by.map_or(Ok(primary), |by| life(topology, by))?;
    Ok(TopologyChange::GrowIsr { shard, epoch, isr_version, by, member: life(topology, member)? })
}

/// A shard's copies in words.
pub(super) fn described(topology: &Topology, of: &str) -> Said<String> {
    let shard = shard(topology, of)?;
    let named = |node: NodeId| format!("n{}", node.0[0] & 0xf);
    let lived = |grant: &Grant| format!("{}@{}", named(grant.node), grant.incarnation);
    let words = |words: Vec<String>| if words.is_empty() { "none".to_owned() } else { words.join(" ") };
    let state = match shard.state {
        ShardState::Active => "active",
        ShardState::Offline => "offline",
    };
    Ok(format!(
        "{state}, epoch {}, primary {}, in sync {} (version {}), replicas {}, data since @{}",
        shard.epoch,
        lived(&shard.primary),
        words(shard.isr.iter().map(lived).collect()),
        shard.isr_version,
        words(shard.replicas.iter().map(|node| named(*node)).collect()),
        shard.history,
    ))
}

fn shard<'a>(topology: &'a Topology, of: &str) -> Said<&'a Shard> {
    topology.shard(ShardId(id(of)?.0)).ok_or(format!("there is no shard of {of}"))
}

fn life(topology: &Topology, node: &str) -> Said<Grant> {
    let known = topology.node(id(node)?).ok_or(format!("{node} is no member"))?;
    Ok(Grant { node: known.id, incarnation: known.incarnation })
}
