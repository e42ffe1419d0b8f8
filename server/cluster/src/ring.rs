//! Which shard should own which slot: the consistent-hash ring with bounded load.
//!
//! A pure function of the shards, their weights and the current map, so every node works out the same. Each shard has
//! virtual nodes, points on the ring of 16,384 slots in number by its weight. On a blank ring a slot belongs to the next
//! point; but no shard takes more than its share, and what it leaves goes to its neighbours on the ring. From then on
//! owners stay as long as they can. A shard that joins takes its share from the fullest shards, off the ends of their
//! ranges nearest to its own points, so nobody is cut into more pieces; slots of a shard that leaves go to neighbours.
//!
//! The promises, for equal weights and up to 64 shards (tested for every size):
//! - going from N to N + 1 shards moves at most 1.15 x 16,384 / (N + 1) slots;
//! - no shard owns more than 1.05 times the mean;
//! - no shard owns more than 32 ranges.
//!
//! It only plans: moving slots that hold keys is a migration's work. `ring/board.rs` is the map while it is planned,
//! `ring/share.rs` the arithmetic of shares.

mod board;
mod share;

use nuthatch_proto::ids::ShardId;
use nuthatch_proto::slot::Slot;

use crate::topology::SlotRange;
use board::Board;

/// A shard that takes part, and how much of the whole it should own in proportion to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The shard.
    pub shard: ShardId,
    /// Its weight, at most [`MAX_WEIGHT`]; 0 takes all its slots away.
    pub weight: u32,
}

/// The heaviest a member can be; what is above counts as this.
pub const MAX_WEIGHT: u32 = 1000;

impl Member {
    /// A shard of the usual weight.
    pub fn new(shard: ShardId) -> Self {
        Self { shard, weight: 100 }
    }
}

/// Neighbouring slots that go from one owner to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// The slots.
    pub slots: SlotRange,
    /// Who owns them now.
    pub from: Option<ShardId>,
    /// Who should.
    pub to: ShardId,
}

/// What the ring asks for: the moves from the current map, ascending by slot.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The moves; every slot that is in none stays where it is.
    pub moves: Vec<Move>,
}

impl Plan {
    /// How many slots change their owner.
    pub fn moved(&self) -> usize {
        self.moves.iter().map(|step| step.slots.len()).sum()
    }

    fn between(before: &Board, after: &Board) -> Self {
        let mut moves: Vec<Move> = Vec::new();
        for slot in Slot::all() {
            let (from, Some(to)) = (before.original(slot), after.owner(slot)) else { continue };
            if from == Some(to) {
                continue;
            }
            match moves.last_mut() {
                Some(step)
                    if (step.from, step.to) == (from, to)
                        && step.slots.last().number() + 1 == slot.number() =>
                {
                    step.slots = SlotRange::new(step.slots.first(), slot).unwrap_or(step.slots);
                }
                Some(_) | None => moves.push(Move { slots: SlotRange::single(slot), from, to }),
            }
        }
        Self { moves }
    }
}

/// The whole map as it should be: every slot owned by one of the members, balanced, with few moves. Without a member of
/// any weight nothing moves.
pub fn assign(members: &[Member], current: impl Fn(Slot) -> Option<ShardId>) -> Plan {
    let before = Board::new(members, &current);
    if before.has_no_shares() {
        return Plan::default();
    }
    let mut board = before.clone();
    board.release_strangers();
    board.place_orphans();
    board.feed_the_hungry();
    board.relieve_the_full();
    Plan::between(&before, &board)
}

/// Only the slots that nobody owns are given out; no owned slot moves.
pub fn fill(members: &[Member], current: impl Fn(Slot) -> Option<ShardId>) -> Plan {
    let before = Board::new(members, &current);
    if before.has_no_shares() {
        return Plan::default();
    }
    let mut board = before.clone();
    board.place_orphans();
    Plan::between(&before, &board)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::iter::{repeat, repeat_n};

    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    /// A map and the shards in it, changed as the ring says.
    struct World {
        members: Vec<Member>,
        owners: Vec<Option<ShardId>>,
    }

    impl World {
        fn new() -> Self {
            Self { members: Vec::new(), owners: vec![None; 16384] }
        }

        /// Follows the ring; says how many slots moved.
        fn follow(&mut self) -> usize {
            let plan = assign(&self.members, |slot| self.owners[slot.index()]);
            for step in &plan.moves {
                for slot in step.slots.slots() {
                    assert_eq!(self.owners[slot.index()], step.from);
                    self.owners[slot.index()] = Some(step.to);
                }
            }
            plan.moved()
        }

        /// Each shard's load and number of ranges.
        fn census(&self) -> BTreeMap<ShardId, (usize, usize)> {
            let mut census = BTreeMap::new();
            for run in self.owners.chunk_by(|a, b| a == b) {
                let (load, ranges) = census.entry(run[0].expect("all are owned")).or_insert((0, 0));
                *load += run.len();
                *ranges += 1;
            }
            census
        }

        #[track_caller]
        fn check(&self) {
            let mean = 16384.0 / self.members.len() as f64;
            let census = self.census();
            assert!(census.keys().copied().eq(self.members.iter().map(|m| m.shard).collect::<BTreeSet<_>>()));
            for (load, ranges) in census.into_values() {
                assert!(load as f64 <= mean * 1.05, "{load} slots where the mean is {mean}");
                assert!(load as f64 >= mean * 0.75, "{load} slots where the mean is {mean}");
                assert!(ranges <= 32, "{ranges} ranges with {} shards", self.members.len());
            }
        }
    }

    fn shard(seed: u64, number: u64) -> ShardId {
        let text = format!("{:020}", seed.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(number * 0x9e37));
        let mut id = [0; 20];
        id.copy_from_slice(text.as_bytes());
        ShardId(id)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]

        /// One shard after the other, up to 64 and back to one.
        #[test]
        fn growth_and_shrinkage_keep_the_three_promises(seed in any::<u64>(), leavers in any::<u64>()) {
            let mut world = World::new();
            for n in 1..=64u64 {
                world.members.push(Member::new(shard(seed, n)));
                let (moved, allowed) = (world.follow(), 1.15 * 16384.0 / n as f64);
                prop_assert!(moved as f64 <= allowed, "{moved} slots moved, {allowed} allowed, to {n} shards");
                world.check();
            }
            prop_assert_eq!(world.follow(), 0, "what is in order stays");
            for n in (1..64u32).rev() {
                let gone = leavers.rotate_left(n) % u64::from(n + 1);
                world.members.swap_remove(usize::try_from(gone).expect("below 64"));
                world.follow();
                world.check();
            }
        }

        #[test]
        fn a_blank_map_is_shared_out_whole(seed in any::<u64>(), n in 1..65u64) {
            let mut world = World::new();
            world.members = (0..n).map(|number| Member::new(shard(seed, number))).collect();
            prop_assert_eq!(world.follow(), 16384);
            world.check();
        }

        /// Any map, any weights: every slot ends with a member, within what its weight allows.
        #[test]
        fn any_map_can_be_put_in_order(
            seed in any::<u64>(),
            owners in vec((option::of(0..9u64), 1..3000usize), 1..30),
            weights in vec(0..300u32, 1..8),
        ) {
            let mut world = World::new();
            let runs = owners.iter().flat_map(|(owner, len)| repeat_n(owner.map(|n| shard(seed, n)), *len));
            world.owners = runs.chain(repeat(None)).take(16384).collect();
            let before = world.owners.clone();
            let numbered = (0..).zip(&weights);
            world.members = numbered.map(|(n, &weight)| Member { shard: shard(seed, n), weight }).collect();
            world.follow();
            let total: u32 = weights.iter().sum();
            if total == 0 {
                prop_assert_eq!(world.owners, before);
                return Ok(());
            }
            let census = world.census();
            prop_assert_eq!(census.values().map(|(load, _)| load).sum::<usize>(), 16384);
            for member in &world.members {
                let load = census.get(&member.shard).map_or(0, |(load, _)| *load) as f64;
                let fair = 16384.0 * f64::from(member.weight) / f64::from(total);
                prop_assert!(load <= (fair * 1.05).max(fair.ceil()), "{load} where {fair} is fair");
            }
            prop_assert_eq!(world.follow(), 0, "what is in order stays");
        }

        #[test]
        fn filling_moves_no_owned_slot(
            seed in any::<u64>(),
            owners in vec((option::of(0..9u64), 1..3000usize), 1..30),
        ) {
            let runs = owners.iter().flat_map(|(owner, len)| repeat_n(owner.map(|n| shard(seed, n)), *len));
            let owners: Vec<_> = runs.chain(repeat(None)).take(16384).collect();
            let members: Vec<_> = (0..4).map(|n| Member::new(shard(seed, n))).collect();
            let plan = fill(&members, |slot| owners[slot.index()]);
            prop_assert!(plan.moves.iter().all(|step| step.from.is_none()));
            prop_assert_eq!(plan.moved(), owners.iter().filter(|owner| owner.is_none()).count());
            let mut reversed = members;
            reversed.reverse();
            prop_assert_eq!(fill(&reversed, |slot| owners[slot.index()]), plan);
        }
    }
}
