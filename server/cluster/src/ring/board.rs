//! The map while it is planned: owners by member, their loads, and the steps that put it in order.
//!
//! Members stand ascending by shard id, so the order in which the caller names them does not matter. Every choice ends in
//! a tie-breaker by position or id; nothing depends on an address or a hash seed.

use nuthatch_proto::ids::ShardId;
use nuthatch_proto::slot::{SLOT_COUNT, Slot};

use super::share::{Share, level};
use super::{MAX_WEIGHT, Member};

/// Points on the ring of a member of average weight.
const POINTS: u64 = 4;
/// From how many of the fullest a hungry member takes, unless more than those are too full.
const DONORS: usize = 8;

/// Who owns a slot on the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// Nobody: to be placed.
    Orphan,
    /// A shard that is no member.
    Stranger,
    /// The member at that place.
    Member(usize),
}

/// Slots from `start` up to, not including, `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    start: usize,
    end: usize,
}

impl Run {
    fn len(self) -> usize {
        self.end - self.start
    }

    /// Takes up to that many slots off its front or its back.
    fn cut_off(&mut self, count: usize, front: bool) -> Self {
        let count = count.min(self.len());
        if front {
            self.start += count;
            Self { start: self.start - count, end: self.start }
        } else {
            self.end -= count;
            Self { start: self.end, end: self.end + count }
        }
    }
}

#[derive(Clone)]
pub(super) struct Board {
    members: Vec<Member>,
    shares: Vec<Share>,
    loads: Vec<usize>,
    owners: Vec<Owner>,
    originals: Vec<Option<ShardId>>,
}

impl Board {
    pub(super) fn new(members: &[Member], current: impl Fn(Slot) -> Option<ShardId>) -> Self {
        let mut members: Vec<Member> =
            members.iter().map(|m| Member { weight: m.weight.min(MAX_WEIGHT), ..*m }).collect();
        members.sort_by_key(|member| member.shard);
        members.dedup_by_key(|member| member.shard);
        let total = members.iter().map(|member| u64::from(member.weight)).sum();
        let shares = members.iter().map(|member| Share::new(member.weight, total)).collect();
        let originals: Vec<_> = Slot::all().map(current).collect();
        let mut board =
            Self { loads: vec![0; members.len()], members, shares, owners: Vec::new(), originals };
        board.owners = board.originals.iter().map(|owner| board.seat(*owner)).collect();
        for owner in &board.owners {
            if let Owner::Member(member) = owner {
                board.loads[*member] += 1;
            }
        }
        board
    }

    fn seat(&self, owner: Option<ShardId>) -> Owner {
        let Some(shard) = owner else { return Owner::Orphan };
        self.members
            .binary_search_by_key(&shard, |member| member.shard)
            .map_or(Owner::Stranger, Owner::Member)
    }

    pub(super) fn has_no_shares(&self) -> bool {
        self.shares.iter().all(|share| share.ceil == 0)
    }

    /// Who owned the slot to begin with.
    pub(super) fn original(&self, slot: Slot) -> Option<ShardId> {
        self.originals[slot.index()]
    }

    /// The member that owns the slot now.
    pub(super) fn owner(&self, slot: Slot) -> Option<ShardId> {
        match self.owners[slot.index()] {
            Owner::Member(member) => Some(self.members[member].shard),
            Owner::Orphan | Owner::Stranger => None,
        }
    }

    /// Slots of shards that are no members, or of no weight, are to be placed.
    pub(super) fn release_strangers(&mut self) {
        for slot in 0..self.owners.len() {
            match self.owners[slot] {
                Owner::Stranger => self.owners[slot] = Owner::Orphan,
                Owner::Member(member) if self.shares[member].ceil == 0 => self.set(slot, Owner::Orphan),
                Owner::Member(_) | Owner::Orphan => {}
            }
        }
    }

    /// Every orphan gets an owner, and no owner more than its share by that, or a little more where it is next to them.
    pub(super) fn place_orphans(&mut self) {
        let blank = self.loads.iter().all(|&load| load == 0);
        self.settle_free_arcs();
        self.extend_neighbours(|share| share.ceil);
        if !blank {
            self.extend_neighbours(|share| share.cap);
        }
        for run in self.runs_of(Owner::Orphan) {
            let mut rest = run;
            while rest.len() > 0 {
                let Some(member) = self.roomiest() else { return };
                let piece = rest.cut_off(self.room(member), true);
                self.give(piece, member);
            }
        }
    }

    /// An arc before a point that nobody owns any of goes to the point's member, as far as its share reaches.
    fn settle_free_arcs(&mut self) {
        let points = self.points();
        let mut start = 0;
        // The slots behind the last point belong to the first, around the ring.
        let wrapped = points.first().map(|&(_, member)| (usize::from(SLOT_COUNT) - 1, member));
        for (point, member) in points.into_iter().chain(wrapped) {
            let mut arc = Run { start, end: point + 1 };
            start = arc.end;
            if arc.start >= arc.end || self.owners[arc.start..arc.end].iter().any(|o| *o != Owner::Orphan) {
                continue;
            }
            let piece = arc.cut_off(self.room(member), false);
            self.give(piece, member);
        }
    }

    /// Orphans next to a member with room become its own; the emptier of two neighbours goes first.
    fn extend_neighbours(&mut self, bound: impl Fn(&Share) -> usize) {
        for run in self.runs_of(Owner::Orphan) {
            let mut rest = run;
            let room = |board: &Self, slot: Option<usize>| {
                let Owner::Member(member) = *board.owners.get(slot?)? else { return None };
                let room = bound(&board.shares[member]).saturating_sub(board.loads[member]);
                (room > 0).then(|| (board.shares[member].fullness(board.loads[member]), member, room))
            };
            while rest.len() > 0 {
                let left = room(self, rest.start.checked_sub(1));
                let right = room(self, Some(rest.end));
                match (left, right) {
                    (None, None) => break,
                    (Some((full, member, room)), other) if other.is_none_or(|(o, ..)| full <= o) => {
                        let piece = rest.cut_off(room, true);
                        self.give(piece, member);
                    }
                    (_, Some((_, member, room))) => {
                        let piece = rest.cut_off(room, false);
                        self.give(piece, member);
                    }
                    (Some(_), None) => break,
                }
            }
        }
    }

    /// Members with much less than their share, newcomers above all, take from the fullest.
    pub(super) fn feed_the_hungry(&mut self) {
        for member in 0..self.members.len() {
            if self.shares[member].is_hungry(self.loads[member]) {
                self.feed(member);
            }
        }
    }

    fn feed(&mut self, hungry: usize) {
        let mut donors: Vec<usize> =
            (0..self.members.len()).filter(|&m| !self.shares[m].is_hungry(self.loads[m])).collect();
        donors.sort_by_key(|&m| {
            let tie = mix(self.seed(m) ^ self.seed(hungry).rotate_left(17));
            (std::cmp::Reverse(self.shares[m].fullness(self.loads[m])), tie)
        });
        let surplus = |m: usize| self.loads[m].saturating_sub(self.shares[m].cap);
        let too_full = donors.iter().filter(|&&m| surplus(m) > 0).count();
        donors.truncate(too_full.max(DONORS));
        let share = self.shares[hungry];
        let wanted = donors.iter().map(|&m| surplus(m)).sum::<usize>().min(share.cap).max(share.floor);
        let shares: Vec<_> = donors.iter().map(|&m| (self.shares[m], self.loads[m])).collect();
        let gifts = level(&shares, wanted.saturating_sub(self.loads[hungry]));
        for (donor, gift) in donors.into_iter().zip(gifts) {
            self.hand_over(donor, hungry, gift);
        }
    }

    /// Whoever still owns too much gives to whoever has the most room.
    pub(super) fn relieve_the_full(&mut self) {
        for donor in 0..self.members.len() {
            while self.loads[donor] > self.shares[donor].cap {
                let Some(taker) = self.roomiest().filter(|&taker| taker != donor) else { return };
                let surplus = self.loads[donor] - self.shares[donor].cap;
                self.hand_over(donor, taker, surplus.min(self.room(taker)));
            }
        }
    }

    /// Moves that many slots, off the ends of the donor's ranges: where they touch the taker's own, else nearest to one
    /// of its points, else the longest range whole.
    fn hand_over(&mut self, donor: usize, taker: usize, mut count: usize) {
        let points: Vec<usize> = self.points_of(taker).collect();
        let far = |slot: usize| points.iter().map(|&point| distance(point, slot)).min().unwrap_or(0);
        let mut runs = self.runs_of(Owner::Member(donor));
        while count > 0 {
            let touches = |slot: Option<usize>| {
                slot.and_then(|slot| self.owners.get(slot)) == Some(&Owner::Member(taker))
            };
            let ends = runs.iter().enumerate().flat_map(|(place, run)| {
                let front = (touches(run.start.checked_sub(1)), far(run.start), place, true);
                let back = (touches(Some(run.end)), far(run.end - 1), place, false);
                [front, back]
            });
            let best = ends.min_by_key(|&(touching, far, place, front)| {
                let len = runs[place].len();
                let missing = if len < count { usize::from(SLOT_COUNT) - len } else { 0 };
                (!touching, missing, far, place, !front)
            });
            let Some((_, _, place, front)) = best else { return };
            let piece = runs[place].cut_off(count, front);
            if runs[place].len() == 0 {
                runs.remove(place);
            }
            self.give(piece, taker);
            count -= piece.len();
        }
    }

    fn give(&mut self, run: Run, member: usize) {
        (run.start..run.end).for_each(|slot| self.set(slot, Owner::Member(member)));
    }

    fn set(&mut self, slot: usize, owner: Owner) {
        if let Owner::Member(member) = self.owners[slot] {
            self.loads[member] -= 1;
        }
        if let Owner::Member(member) = owner {
            self.loads[member] += 1;
        }
        self.owners[slot] = owner;
    }

    fn room(&self, member: usize) -> usize {
        self.shares[member].ceil.saturating_sub(self.loads[member])
    }

    /// The member that is farthest below its share, if any is below.
    fn roomiest(&self) -> Option<usize> {
        (0..self.members.len())
            .filter(|&m| self.room(m) > 0)
            .min_by_key(|&m| (self.shares[m].fullness(self.loads[m]), self.members[m].shard))
    }

    fn runs_of(&self, owner: Owner) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (slot, _) in self.owners.iter().enumerate().filter(|(_, o)| **o == owner) {
            match runs.last_mut() {
                Some(run) if run.end == slot => run.end += 1,
                Some(_) | None => runs.push(Run { start: slot, end: slot + 1 }),
            }
        }
        runs
    }

    /// All points, ascending; of several on one slot the lowest shard's counts.
    fn points(&self) -> Vec<(usize, usize)> {
        let mut points: Vec<(usize, usize)> = (0..self.members.len())
            .flat_map(|member| self.points_of(member).map(move |point| (point, member)))
            .collect();
        points.sort_unstable();
        points.dedup_by_key(|(point, _)| *point);
        points
    }

    fn points_of(&self, member: usize) -> impl Iterator<Item = usize> + use<> {
        let total: u64 = self.members.iter().map(|member| u64::from(member.weight)).sum();
        let weighed = POINTS * u64::from(self.members[member].weight) * self.members.len() as u64;
        let count = weighed.checked_div(total).unwrap_or(0).clamp(1, 16);
        let seed = self.seed(member);
        (0..count)
            .map(move |n| usize::try_from(mix(seed.wrapping_add(n)) % u64::from(SLOT_COUNT)).unwrap_or(0))
    }

    fn seed(&self, member: usize) -> u64 {
        self.members[member].shard.0.iter().fold(0, |seed, byte| mix(seed ^ u64::from(*byte)))
    }
}

/// How far apart two slots are on the ring.
fn distance(a: usize, b: usize) -> usize {
    let apart = a.abs_diff(b);
    apart.min(usize::from(SLOT_COUNT) - apart)
}

/// Scatters a number over all numbers: the finaliser of SplitMix64, the same on every machine.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
