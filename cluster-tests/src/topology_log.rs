//! A metadata log made of arbitrary bytes, applied to a topology: the body of the fuzz target `topology` and of the
//! property test that runs it in every test run.
//!
//! The bytes are cut into entries; an entry that decodes as a proposal is applied. Whatever they are, nothing may panic,
//! every invariant holds after each entry, a refusal changes nothing, and the topology survives being written and read.
//! What the entries mean is not looked at: that is what the transcripts are for.

use nuthatch_cluster::topology::{
    Address, GroupId, Joiner, Outcome, ProcessId, Proposal, StorageId, Topology,
};
use nuthatch_proto::ids::{LogIndex, NodeId, ShardId};

/// The lone node that the log begins with; its ids are all ones, so that mutated entries find it.
pub fn founder() -> Joiner {
    Joiner {
        id: NodeId([1; 20]),
        shard: ShardId([1; 20]),
        storage: StorageId([1; 16]),
        process: ProcessId([1; 16]),
        address: Address { host: "10.0.0.1".into(), port: 7001, bus_port: 17001, hostname: String::new() },
        slots: Vec::new(),
    }
}

/// Cuts the bytes into entries: two bytes of length, big-endian, then as many bytes as there are.
pub fn entries(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk()?;
        let (entry, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
        bytes = rest;
        Some(entry)
    })
}

/// Joins entries to bytes that [`entries`] cuts again.
pub fn log<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).expect("an entry is below 64 KiB");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    bytes
}

/// Applies what the bytes hold; panics if anything promised does not hold. Returns how many proposals were applied and
/// how many refused.
pub fn apply(bytes: &[u8]) -> (usize, usize) {
    let mut topology = Topology::singleton(GroupId([1; 16]), LogIndex(1), founder());
    let (mut applied, mut refused) = (0, 0);
    for (index, entry) in (2..).map(LogIndex).zip(entries(bytes)) {
        if let Ok(other) = Topology::decode(entry) {
            assert_eq!(other.broken_invariant(), None);
            assert_eq!(Topology::decode(&other.encode()).as_ref(), Ok(&other));
        }
        let Ok(proposal) = Proposal::decode(entry) else { continue };
        assert_eq!(Proposal::decode(&proposal.encode()).as_ref(), Ok(&proposal));
        let (next, outcome) = topology.apply_proposal(index, &proposal);
        match outcome {
            Outcome::Applied(_) => applied += 1,
            Outcome::Rejected { .. } => {
                refused += 1;
                assert_eq!(next.changed(), topology.changed(), "a refusal changes nothing");
                assert!(next.nodes().eq(topology.nodes()) && next.ranges() == topology.ranges());
            }
        }
        assert_eq!(next.broken_invariant(), None);
        topology = next;
    }
    assert_eq!(Topology::decode(&topology.encode()).as_ref(), Ok(&topology));
    (applied, refused)
}

#[cfg(test)]
mod tests {
    use nuthatch_cluster::topology::{Grant, ProposalId, Role, SlotRange, TopologyChange};
    use nuthatch_proto::ids::{Epoch, Incarnation};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    /// Entries that build a cluster of four and do something of everything to it.
    fn lively() -> Vec<Vec<u8>> {
        let me = founder().id;
        let join = |number: u8| TopologyChange::Join {
            joiner: Joiner { id: NodeId([number; 20]), shard: ShardId([number; 20]), ..founder() },
            role: Role::Watcher,
        };
        let range = |first, last| SlotRange::from_numbers(first, last).expect("a range");
        let restart = |number| TopologyChange::Register {
            node: NodeId([number; 20]),
            storage: StorageId([1; 16]),
            process: ProcessId([number + 8; 16]),
            address: founder().address,
        };
        let mut changes = vec![
            join(2),
            join(3),
            join(4),
            TopologyChange::Replicate { node: NodeId([4; 20]), primary: me },
            TopologyChange::AddSlots { node: me, ranges: vec![range(0, 99), range(200, 299)] },
            TopologyChange::AssignByRing,
            TopologyChange::DelSlots { node: me, ranges: vec![range(50, 60)] },
            TopologyChange::SetSlotNode {
                slot: range(50, 50).first(),
                node: NodeId([2; 20]),
                expected: None,
            },
            TopologyChange::SetRole { node: NodeId([2; 20]), role: Role::Voter },
        ];
        changes.extend(changes_of_copies());
        changes.extend([
            restart(1),
            restart(4),
            TopologyChange::ForceEmpty { shard: founder().shard, node: NodeId([4; 20]) },
            TopologyChange::Leave { node: NodeId([2; 20]) },
            TopologyChange::Config { key: "k".into(), value: Some("v".into()) },
            TopologyChange::FlushSlots { node: NodeId([4; 20]) },
        ]);
        let proposal =
            |(seq, change)| Proposal { id: ProposalId { node: me, seq }, changes: vec![change] }.encode();
        (0..).zip(changes).map(proposal).collect()
    }

    /// The fourth node, a replica of the first, comes into sync, goes, comes again, and serves for a while.
    fn changes_of_copies() -> [TopologyChange; 5] {
        let life = |node, life| Grant { node: NodeId([node; 20]), incarnation: Incarnation(life) };
        let (shard, by, other) = (founder().shard, life(1, 1), life(4, 4));
        let grow =
            |isr_version| TopologyChange::GrowIsr { shard, epoch: Epoch(1), isr_version, by, member: other };
        let promote = |epoch, primary, fenced| TopologyChange::Promote {
            shard,
            epoch: Epoch(epoch),
            primary,
            fenced: vec![fenced],
        };
        let shrink = TopologyChange::ShrinkIsr { shard, epoch: Epoch(1), isr_version: 3, by, out: other };
        [grow(2), shrink, grow(4), promote(1, other, by), promote(2, by, other)]
    }

    #[test]
    fn a_sound_log_is_applied_whole() {
        let entries = lively();
        assert_eq!(apply(&log(entries.iter().map(Vec::as_slice))), (entries.len(), 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Entries in any order and number, with bytes of them changed.
        #[test]
        fn damaged_logs_hold_what_is_promised(
            picks in vec(any::<Index>(), 0..25),
            damage in vec((any::<Index>(), any::<u8>()), 0..6),
        ) {
            let lively = lively();
            let mut bytes = log(picks.iter().map(|pick| pick.get(&lively).as_slice()));
            for (at, byte) in damage.iter().filter(|_| !picks.is_empty()) {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            apply(&bytes);
        }

        #[test]
        fn random_bytes_hold_what_is_promised(bytes in vec(any::<u8>(), 0..400)) {
            apply(&bytes);
        }
    }
}
