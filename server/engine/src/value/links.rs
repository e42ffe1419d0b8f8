//! The hash index of a [`Table`](super::table::Table): from a part of a key's hash to the place of its record.
//!
//! A bucket is one cache line: seven links, and a byte of hash for each of them, all seven looked at with one word.
//! So finding a record reads one line here and one in the arena. A link is a place and, in the bits above it, 24 bits of
//! hash; these bits alone decide where it stands, so growing reads no record.
//!
//! Buckets are searched from the home one on until one with an empty slot. A link removed from a full bucket leaves a
//! gravestone, since others may stand further on for its sake; a rebuild clears them.

use super::arena::{PLACE_BITS, Place};

/// Links in a bucket.
const LINKS: usize = 7;
/// Tags of slots without a link; others are at least [`FIRST_TAG`].
const EMPTY: u8 = 0;
const GRAVE: u8 = 1;
const FIRST_TAG: u8 = 2;
/// One bit per lane of a word of tags.
const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = ONES << 7;

/// A record's place, and above it a part of its key's hash.
#[derive(Debug, Clone, Copy)]
struct Link(u64);

/// A part of a key's hash: what a link has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PartHash(u32);

impl PartHash {
    /// The part of a hash that links keep.
    #[inline]
    pub(super) fn of(hash: u64) -> Self {
        Self((hash >> PLACE_BITS) as u32)
    }

    #[inline]
    fn tag(self) -> u8 {
        ((self.0 >> 16) as u8).max(FIRST_TAG)
    }
}

impl Link {
    fn new(hash: PartHash, place: Place) -> Self {
        Self(u64::from(hash.0) << PLACE_BITS | place.0)
    }

    #[inline]
    fn hash(self) -> PartHash {
        PartHash::of(self.0)
    }

    #[inline]
    fn place(self) -> Place {
        Place(self.0 & ((1 << PLACE_BITS) - 1))
    }
}

/// Seven links and their tags; the eighth tag is a gravestone for good, so that no search stops or matches there.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Bucket {
    tags: [u8; 8],
    links: [Link; LINKS],
}

const _: () = assert!(size_of::<Bucket>() == 64, "a bucket is one cache line");

impl Bucket {
    const EMPTY: Self =
        Self { tags: [EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, GRAVE], links: [Link(0); LINKS] };

    /// The lanes whose tag is this one, a bit set in each; perhaps a lane above one of them that is not.
    #[inline]
    fn lanes(&self, tag: u8) -> u64 {
        let differing = u64::from_le_bytes(self.tags) ^ (ONES * u64::from(tag));
        differing.wrapping_sub(ONES) & !differing & TOPS
    }

    #[inline]
    fn has_empty(&self) -> bool {
        self.lanes(EMPTY) != 0
    }
}

/// Where a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    bucket: usize,
    lane: usize,
}

/// Links in buckets.
#[derive(Debug, Clone)]
pub(super) struct Links {
    /// A power of two of them.
    buckets: Box<[Bucket]>,
    len: usize,
    graves: usize,
}

impl Links {
    /// An index with room for so many links.
    pub(super) fn new(capacity: usize) -> Self {
        let buckets = capacity.div_ceil(LINKS - 1).next_power_of_two();
        Self { buckets: vec![Bucket::EMPTY; buckets].into_boxed_slice(), len: 0, graves: 0 }
    }

    /// How many links there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The heap memory it holds.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.buckets)
    }

    /// Six in seven slots are used at most.
    fn capacity(&self) -> usize {
        self.buckets.len() * (LINKS - 1)
    }

    #[inline]
    fn home(&self, hash: PartHash) -> usize {
        hash.0 as usize & (self.buckets.len() - 1)
    }

    /// Finds the link of that hash whose place `is` accepts.
    #[inline]
    pub(super) fn find(&self, hash: PartHash, is: impl Fn(Place) -> bool) -> Option<Position> {
        let (mask, tag) = (self.buckets.len() - 1, hash.tag());
        let mut number = self.home(hash);
        // Never all slots are used, so an empty one ends the search.
        loop {
            let bucket = &self.buckets[number];
            let mut lanes = bucket.lanes(tag);
            while lanes != 0 {
                let lane = lanes.trailing_zeros() as usize / 8;
                if let Some(&link) = bucket.links.get(lane)
                    && bucket.tags[lane] == tag
                    && link.hash() == hash
                    && is(link.place())
                {
                    return Some(Position { bucket: number, lane });
                }
                lanes &= lanes - 1;
            }
            if bucket.has_empty() {
                return None;
            }
            number = (number + 1) & mask;
        }
    }

    /// The place that the link at a position names.
    #[inline]
    pub(super) fn place(&self, position: Position) -> Place {
        self.buckets[position.bucket].links[position.lane].place()
    }

    /// Lets the link at a position name another place.
    pub(super) fn set_place(&mut self, position: Position, place: Place) {
        let link = &mut self.buckets[position.bucket].links[position.lane];
        *link = Link::new(link.hash(), place);
    }

    /// Adds a link.
    pub(super) fn insert(&mut self, hash: PartHash, place: Place) {
        if self.len + self.graves >= self.capacity() {
            self.rebuild(self.len * 2);
        }
        self.put(Link::new(hash, place));
        self.len += 1;
    }

    /// Puts a link into the first free slot from its home on.
    #[inline]
    fn put(&mut self, link: Link) {
        let (mask, hash) = (self.buckets.len() - 1, link.hash());
        let mut number = self.home(hash);
        loop {
            let bucket = &mut self.buckets[number];
            let free = bucket.tags[..LINKS].iter().position(|&tag| tag < FIRST_TAG);
            if let Some(lane) = free {
                self.graves -= usize::from(bucket.tags[lane] == GRAVE);
                bucket.tags[lane] = hash.tag();
                bucket.links[lane] = link;
                return;
            }
            number = (number + 1) & mask;
        }
    }

    /// Takes the link at a position away. Positions found before are good no longer.
    pub(super) fn remove(&mut self, position: Position) {
        let bucket = &mut self.buckets[position.bucket];
        let leaves_grave = !bucket.has_empty();
        bucket.tags[position.lane] = if leaves_grave { GRAVE } else { EMPTY };
        self.graves += usize::from(leaves_grave);
        self.len -= 1;
        if self.buckets.len() > 16 && self.len < self.capacity() / 8 {
            self.rebuild(self.len * 2);
        }
    }

    /// Builds the index anew, without graves and with room for so many links.
    #[cold]
    fn rebuild(&mut self, capacity: usize) {
        let old = std::mem::replace(self, Self::new(capacity));
        for bucket in &*old.buckets {
            for (lane, &link) in bucket.links.iter().enumerate() {
                if bucket.tags[lane] >= FIRST_TAG {
                    self.put(link);
                }
            }
        }
        self.len = old.len;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A hash of few values, so that buckets overflow and hashes tie.
    fn hash(key: u64) -> PartHash {
        PartHash::of((key % 37) << 45 | (key % 11) << 60)
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(operations in prop::collection::vec((0_u8..5, 0_u64..400), 0..1_500)) {
            let (mut links, mut model) = (Links::new(0), std::collections::BTreeSet::new());
            for (kind, key) in operations {
                let found = links.find(hash(key), |place| place.0 == key);
                prop_assert_eq!(found.is_some(), model.contains(&key));
                match (kind, found) {
                    (0..3, None) => {
                        links.insert(hash(key), Place(key));
                        model.insert(key);
                    }
                    (3..5, Some(position)) => {
                        prop_assert_eq!(links.place(position), Place(key));
                        links.remove(position);
                        model.remove(&key);
                    }
                    _ => {}
                }
                prop_assert_eq!(links.len(), model.len());
            }
            for key in 0..400 {
                prop_assert_eq!(links.find(hash(key), |place| place.0 == key).is_some(), model.contains(&key));
            }
        }
    }

    #[test]
    fn a_queue_of_links_does_not_grow_the_index() {
        let mut links = Links::new(1_000);
        let held = links.memory_bytes();
        let spread = |key: u64| PartHash::of(key.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        for key in 0..50_000 {
            links.insert(spread(key), Place(key));
            if let Some(old) = key.checked_sub(500) {
                let position = links.find(spread(old), |place| place.0 == old).expect("it was put there");
                links.remove(position);
            }
        }
        assert!(links.memory_bytes() <= held, "{} of {held}", links.memory_bytes());
    }

    #[test]
    fn a_link_follows_its_record() {
        let mut links = Links::new(0);
        links.insert(hash(5), Place(5));
        let position = links.find(hash(5), |_| true).expect("it was put there");
        links.set_place(position, Place(77));
        assert!(links.find(hash(5), |place| place == Place(77)).is_some());
        assert!(links.find(hash(5), |place| place == Place(5)).is_none());
    }
}
