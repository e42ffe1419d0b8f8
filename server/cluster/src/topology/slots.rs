//! The slot table: who owns each of the 16,384 slots, in 32 KiB, and ranges of slots.
//!
//! An owner is a place in the topology's list of shards, so looking one up is one read of an array. Places move when a
//! shard is added or removed before them, and the table is kept in step. Ranges are always given ascending and merged,
//! because redis-cli compares their text between nodes.

use std::fmt;

use nuthatch_proto::slot::{SLOT_COUNT, Slot};

/// A place in the topology's list of shards.
pub(crate) type ShardIndex = u16;

/// The place that no shard has: topologies hold far fewer shards.
pub(crate) const NOBODY: ShardIndex = ShardIndex::MAX;

/// Slots from one to another, both included; never empty.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotRange {
    first: Slot,
    last: Slot,
}

impl SlotRange {
    /// Every slot.
    pub const ALL: Self = match (Slot::new(0), Slot::new(SLOT_COUNT - 1)) {
        (Some(first), Some(last)) => Self { first, last },
        _ => panic!("both are slots"),
    };

    /// The range between two slots, if they stand in order.
    pub fn new(first: Slot, last: Slot) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// The range between two numbers, if both are slots and in order.
    pub fn from_numbers(first: u16, last: u16) -> Option<Self> {
        Self::new(Slot::new(first)?, Slot::new(last)?)
    }

    /// One slot.
    pub fn single(slot: Slot) -> Self {
        Self { first: slot, last: slot }
    }

    /// Its first slot.
    pub fn first(self) -> Slot {
        self.first
    }

    /// Its last slot.
    pub fn last(self) -> Slot {
        self.last
    }

    /// How many slots it has, at least one.
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub fn len(self) -> usize {
        self.last.index() - self.first.index() + 1
    }

    /// Its slots, ascending.
    pub fn slots(self) -> impl DoubleEndedIterator<Item = Slot> + Clone {
        (self.first.number()..=self.last.number()).filter_map(Slot::new)
    }

    /// Slots in the order given, runs of neighbours put into one range. Repeated slots stay repeated.
    pub fn collapse(slots: impl IntoIterator<Item = Slot>) -> Vec<Self> {
        let mut ranges: Vec<Self> = Vec::new();
        for slot in slots {
            match ranges.last_mut() {
                Some(range) if range.last.number() + 1 == slot.number() => range.last = slot,
                Some(_) | None => ranges.push(Self::single(slot)),
            }
        }
        ranges
    }
}

/// `5` or `5-9`, as CLUSTER NODES prints it.
impl fmt::Display for SlotRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl fmt::Debug for SlotRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlotRange({self})")
    }
}

/// The owner of each slot.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SlotTable {
    owners: [ShardIndex; SLOT_COUNT as usize],
    assigned: usize,
}

impl Default for SlotTable {
    fn default() -> Self {
        Self { owners: [NOBODY; SLOT_COUNT as usize], assigned: 0 }
    }
}

impl fmt::Debug for SlotTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.ranges()).finish()
    }
}

impl SlotTable {
    /// The place of the slot's owner, or [`NOBODY`].
    #[inline]
    pub(crate) fn owner(&self, slot: Slot) -> ShardIndex {
        self.owners[slot.index()]
    }

    /// How many slots have an owner.
    pub(crate) fn assigned(&self) -> usize {
        self.assigned
    }

    /// Gives the slot to a shard, or to [`NOBODY`].
    pub(crate) fn set(&mut self, slot: Slot, owner: ShardIndex) {
        let place = &mut self.owners[slot.index()];
        self.assigned -= usize::from(*place != NOBODY);
        self.assigned += usize::from(owner != NOBODY);
        *place = owner;
    }

    /// Makes room for a shard at that place: those from there on move up by one.
    pub(crate) fn insert_place(&mut self, place: ShardIndex) {
        for owner in self.owners.iter_mut().filter(|owner| **owner != NOBODY && **owner >= place) {
            *owner += 1;
        }
    }

    /// Takes a shard's place out: its slots have no owner any more, those behind it move down by one.
    pub(crate) fn remove_place(&mut self, place: ShardIndex) {
        for owner in self.owners.iter_mut().filter(|owner| **owner != NOBODY && **owner >= place) {
            if *owner == place {
                *owner = NOBODY;
                self.assigned -= 1;
            } else {
                *owner -= 1;
            }
        }
    }

    /// All owned slots as merged ascending ranges.
    pub(crate) fn ranges(&self) -> Vec<(SlotRange, ShardIndex)> {
        let mut ranges: Vec<(SlotRange, ShardIndex)> = Vec::new();
        for slot in Slot::all() {
            let owner = self.owner(slot);
            match ranges.last_mut() {
                _ if owner == NOBODY => {}
                Some((range, same)) if *same == owner && range.last.number() + 1 == slot.number() => {
                    range.last = slot;
                }
                Some(_) | None => ranges.push((SlotRange::single(slot), owner)),
            }
        }
        ranges
    }

    /// One shard's slots as merged ascending ranges.
    pub(crate) fn ranges_of(&self, place: ShardIndex) -> Vec<SlotRange> {
        SlotRange::collapse(Slot::all().filter(|&slot| self.owner(slot) == place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(number: u16) -> Slot {
        Slot::new(number).expect("a slot")
    }

    fn text(ranges: &[SlotRange]) -> String {
        ranges.iter().map(SlotRange::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn neighbours_collapse_and_order_stays() {
        let numbers = [5, 6, 7, 3, 4, 4, 5, 16383];
        assert_eq!(text(&SlotRange::collapse(numbers.map(slot))), "5-7 3-4 4-5 16383");
        assert_eq!((SlotRange::ALL.len(), SlotRange::ALL.slots().count()), (16384, 16384));
        assert_eq!(SlotRange::from_numbers(2, 1), None);
        assert_eq!(SlotRange::from_numbers(0, 16384), None);
    }

    #[test]
    fn places_move_with_the_shards() {
        let mut table = SlotTable::default();
        (0..10).for_each(|n| table.set(slot(n), 0));
        (10..20).for_each(|n| table.set(slot(n), 1));
        table.set(slot(30), 1);
        assert_eq!(table.assigned(), 21);
        table.insert_place(1);
        assert_eq!((text(&table.ranges_of(0)), text(&table.ranges_of(1))), ("0-9".into(), String::new()));
        assert_eq!(text(&table.ranges_of(2)), "10-19 30");
        table.remove_place(0);
        assert_eq!((table.assigned(), text(&table.ranges_of(1))), (11, "10-19 30".into()));
        assert_eq!(table.ranges().len(), 2);
    }
}
