//! The arithmetic of shares: how many slots a weight is worth, and who gives how much to whom.
//!
//! It uses whole numbers only, so that every machine rounds alike; it knows no slots, only how many.

use nuthatch_proto::slot::SLOT_COUNT;

/// A member's share of the slots, from which it may stray by so much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    weight: u64,
    /// The share, rounded down.
    pub(super) floor: usize,
    /// The share, rounded up.
    pub(super) ceil: usize,
    /// What a member may own: 1.05 times the share, but never less than the share rounded up.
    pub(super) cap: usize,
}

impl Share {
    /// The share of a member of that weight among members that weigh `total` together.
    pub(super) fn new(weight: u32, total: u64) -> Self {
        let weight = u64::from(weight);
        let slots = u64::from(SLOT_COUNT) * weight;
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let (floor, ceil) = (slots / total.max(1), slots.div_ceil(total.max(1)));
        let cap = ceil.max(slots * 21 / (20 * total.max(1)));
        Self { weight, floor: number(floor), ceil: number(ceil), cap: number(cap) }
    }

    /// Whether a member with that load should be given more at others' cost: it has less than four fifths of its share.
    pub(super) fn is_hungry(&self, load: usize) -> bool {
        load * 5 < self.floor * 4
    }

    /// How full that load makes the member, comparable between members; bigger is fuller.
    pub(super) fn fullness(&self, load: usize) -> u64 {
        u64::try_from(load).unwrap_or(u64::MAX).saturating_mul(SCALE) / self.weight.max(1)
    }

    /// The load that makes the member that full, rounded up.
    fn load_at(&self, fullness: u64) -> usize {
        usize::try_from((fullness * self.weight).div_ceil(SCALE)).unwrap_or(usize::MAX)
    }
}

/// Fine enough that one step of fullness is less than one slot for the heaviest member.
const SCALE: u64 = 1 << 20;

/// How many slots each donor gives so that together they give `total` and are equally full afterwards. Gives less where
/// there is less.
pub(super) fn level(donors: &[(Share, usize)], total: usize) -> Vec<usize> {
    let given = |fullness: u64| -> Vec<usize> {
        donors.iter().map(|(share, load)| load.saturating_sub(share.load_at(fullness))).collect()
    };
    // The lowest level that does not take too much.
    let (mut low, mut high) =
        (0, donors.iter().map(|(share, load)| share.fullness(*load)).max().unwrap_or(0) + 1);
    while low < high {
        let middle = (low + high) / 2;
        if given(middle).iter().sum::<usize>() <= total {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    let mut gifts = given(low);
    let mut missing = total.saturating_sub(gifts.iter().sum());
    for (gift, (_, load)) in gifts.iter_mut().zip(donors) {
        let more = missing.min(1).min(*load - *gift);
        *gift += more;
        missing -= more;
    }
    gifts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_round_and_are_capped() {
        let third = Share::new(100, 300);
        assert_eq!((third.floor, third.ceil, third.cap), (5461, 5462, 5734));
        let none = Share::new(0, 300);
        assert_eq!((none.floor, none.ceil, none.cap), (0, 0, 0));
        let tiny = Share::new(1, 1000);
        assert_eq!((tiny.floor, tiny.ceil, tiny.cap), (16, 17, 17));
        assert!(third.is_hungry(4000) && !third.is_hungry(5000));
    }

    #[test]
    fn the_fullest_give_until_all_are_level() {
        let share = Share::new(100, 400);
        let donors = [(share, 5000), (share, 4500), (share, 3000)];
        assert_eq!(level(&donors, 700), [600, 100, 0]);
        assert_eq!(level(&donors, 701).iter().sum::<usize>(), 701);
        assert_eq!(level(&[], 5), Vec::<usize>::new());
        let heavier = Share::new(200, 400);
        assert_eq!(level(&[(share, 4000), (heavier, 8000)], 3000), [1000, 2000]);
    }
}
