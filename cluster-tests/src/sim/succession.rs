//! Who serves a shard after whom, entry after entry of the committed log.
//!
//! The log is applied once more, one entry at a time, and each pair of neighbouring topologies is compared:
//!
//! - **epochs rise** (I-d): a shard's epoch, the version of its in-sync set and its history never fall, and an epoch has
//!   one primary;
//! - **a promoted node was in sync by incarnation** (I-c): the life that becomes primary was in the in-sync set before,
//!   and is the life that its node was living;
//! - **nobody slips in**: who is in sync was so before, or its primary said so;
//! - **no empty election**: data begins from nothing where there was none to lose, or by the operator's word after the
//!   last copy was lost.

use nuthatch_cluster::topology::{Grant, GroupId, Joiner, Proposal, Shard, Topology, TopologyChange};
use nuthatch_proto::ids::LogIndex;
use nuthatch_proto::rpc::{RaftEntry, raft_entry::Payload};
use prost::Message as _;

/// The topology that the committed log makes, as far as it is known.
#[derive(Debug)]
pub struct Succession {
    topology: Topology,
    promotions: u64,
}

impl Succession {
    /// Before the first entry.
    pub fn new(group: GroupId, founder: Joiner) -> Self {
        Self { topology: Topology::singleton(group, LogIndex(1), founder), promotions: 0 }
    }

    /// How often another became the primary of a shard that goes on with its data.
    pub fn promotions(&self) -> u64 {
        self.promotions
    }

    /// The next committed entry, as it is on disk.
    pub fn enter(&mut self, index: u64, record: &[u8]) -> Result<(), String> {
        let entry = RaftEntry::decode(record).map_err(|error| error.to_string())?;
        let Some(Payload::Proposal(bytes)) = entry.payload else { return Ok(()) };
        let proposal = Proposal::decode(&bytes).map_err(|error| error.to_string())?;
        let (next, _) = self.topology.apply_proposal(LogIndex(index), &proposal);
        if next.shards() != self.topology.shards() {
            let broken = next.broken_invariant().map(str::to_owned);
            let broken = broken.or_else(|| broken_rule(&self.topology, &next, &proposal.changes));
            broken.map_or(Ok(()), |rule| {
                Err(format!("succession: {rule} at {index}: {:?}", proposal.changes))
            })?;
            self.promotions += promotions(&self.topology, &next);
        }
        self.topology = next;
        Ok(())
    }
}

fn promotions(before: &Topology, after: &Topology) -> u64 {
    let promoted = |old: &&Shard| {
        after
            .shard(old.id)
            .is_some_and(|new| new.primary.node != old.primary.node && new.history == old.history)
    };
    before.shards().iter().filter(promoted).count() as u64
}

/// The first rule that the step breaks, in words.
fn broken_rule(before: &Topology, after: &Topology, changes: &[TopologyChange]) -> Option<String> {
    before.shards().iter().find_map(|old| {
        let new = after.shard(old.id)?;
        let rule = broken_rule_of(before, after, old, new, changes)?;
        Some(format!("{rule} (shard {}: {old:?} became {new:?})", old.id))
    })
}

fn broken_rule_of(
    before: &Topology,
    after: &Topology,
    old: &Shard,
    new: &Shard,
    changes: &[TopologyChange],
) -> Option<&'static str> {
    let lived =
        |grant: &Grant| before.node(grant.node).is_some_and(|node| node.incarnation == grant.incarnation);
    let grown = |member: &Grant| {
        changes.iter().any(|change| {
            matches!(change, TopologyChange::GrowIsr { shard, by, member: grown, .. }
                if *shard == old.id && *by == old.primary && grown == member)
        })
    };
    let forced = changes.iter().any(|change| {
        matches!(change, TopologyChange::ForceEmpty { shard, .. } if *shard == old.id && old.is_offline())
    });
    let had_nothing = || [before, after].iter().any(|topology| topology.ranges_of(old.id).is_empty());
    let never_copied = old.replicas.is_empty() && old.primary.node == new.primary.node && !old.is_offline();
    let goes_on = new.history == old.history;
    let promoted = goes_on && new.primary != old.primary;
    [
        (new.epoch >= old.epoch, "I-d: an epoch fell"),
        (new.isr_version >= old.isr_version, "I-d: the version of an in-sync set fell"),
        (new.history >= old.history, "I-d: a history fell"),
        (new.primary == old.primary || new.epoch > old.epoch, "I-d: an epoch has two primaries"),
        (!promoted || old.isr.contains(&new.primary), "I-c: a promoted node was not in sync"),
        (!promoted || lived(&new.primary), "I-c: a life was promoted that is over"),
        (
            !goes_on || new.isr.iter().all(|member| old.isr.contains(member) || grown(member)),
            "somebody is in sync without its primary's word",
        ),
        (!goes_on || !old.is_offline() || new.is_offline(), "a lost shard came back"),
        (goes_on || forced || never_copied || had_nothing(), "data began from nothing"),
    ]
    .into_iter()
    .find_map(|(holds, rule)| (!holds).then_some(rule))
}

#[cfg(test)]
mod tests {
    use nuthatch_cluster::topology::{Address, ProcessId, Role, SlotRange, StorageId};
    use nuthatch_proto::ids::{NodeId, ShardId};

    use super::*;

    fn joiner(number: u8, slots: Vec<SlotRange>) -> Joiner {
        Joiner {
            id: NodeId([number; 20]),
            shard: ShardId([number; 20]),
            storage: StorageId([number; 16]),
            process: ProcessId([number; 16]),
            address: Address { host: "h".to_owned(), port: 1, bus_port: 2, hostname: String::new() },
            slots,
        }
    }

    fn after(topology: &Topology, change: &TopologyChange) -> Topology {
        topology.apply(LogIndex(topology.applied().0 + 1), change).expect("it is legal")
    }

    /// Node 1 with all slots, and node 2 that copies it and is not in sync.
    fn copied() -> Topology {
        let founder = joiner(1, vec![SlotRange::ALL]);
        let alone = Topology::singleton(GroupId([1; 16]), LogIndex(1), founder);
        let join = TopologyChange::Join { joiner: joiner(2, Vec::new()), role: Role::Watcher };
        let replicate = TopologyChange::Replicate { node: NodeId([2; 20]), primary: NodeId([1; 20]) };
        after(&after(&alone, &join), &replicate)
    }

    fn grow(topology: &Topology) -> TopologyChange {
        let &Shard { id: shard, epoch, isr_version, primary: by, .. } = &topology.shards()[0];
        let node = topology.node(NodeId([2; 20])).expect("a member");
        let member = Grant { node: node.id, incarnation: node.incarnation };
        TopologyChange::GrowIsr { shard, epoch, isr_version, by, member }
    }

    fn promote(topology: &Topology) -> TopologyChange {
        let shard = &topology.shards()[0];
        let primary = *shard.isr.last().expect("somebody is in sync");
        TopologyChange::Promote { shard: shard.id, epoch: shard.epoch, primary, fenced: Vec::new() }
    }

    fn restart(topology: &Topology, number: u8) -> Topology {
        let Joiner { id: node, storage, address, .. } = joiner(number, Vec::new());
        let process = ProcessId([number + 100; 16]);
        after(topology, &TopologyChange::Register { node, storage, process, address })
    }

    /// Steps that are two or more in truth: seen as one, they break what the missing step made legal.
    #[test]
    fn what_the_rules_forbid_is_noticed() {
        let copied = copied();
        let grown = after(&copied, &grow(&copied));
        let promoted = after(&grown, &promote(&grown));
        let check = |before, after, changes: &[TopologyChange], expected: Option<&str>| {
            let rule = broken_rule(before, after, changes);
            let named = rule.as_deref().and_then(|rule| rule.split(" (").next());
            assert_eq!(named, expected, "{changes:?}");
        };
        check(&copied, &grown, &[grow(&copied)], None);
        check(&copied, &grown, &[], Some("somebody is in sync without its primary's word"));
        check(&grown, &promoted, &[promote(&grown)], None);
        check(&copied, &promoted, &[promote(&grown)], Some("I-c: a promoted node was not in sync"));
        check(&promoted, &grown, &[], Some("I-d: an epoch fell"));
        check(&grown, &copied, &[], Some("I-d: the version of an in-sync set fell"));

        let reborn = restart(&grown, 2);
        check(&grown, &reborn, &[], None);
        let other_life = restart(&copied, 2);
        check(&other_life, &promoted, &[grow(&copied)], Some("I-c: a promoted node was not in sync"));
        let lost = restart(&copied, 1);
        let shard = lost.shards()[0].id;
        let force = TopologyChange::ForceEmpty { shard, node: NodeId([1; 20]) };
        let forced = after(&lost, &force);
        check(&lost, &forced, std::slice::from_ref(&force), None);
        check(&lost, &forced, &[], Some("data began from nothing"));
        check(&copied, &forced, &[force], Some("data began from nothing"));
    }
}
