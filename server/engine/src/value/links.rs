//! The hash index of a [`Table`](super::table::Table): from a part of a key's hash to the place of its record.
//!
//! A bucket is one cache line: seven links, and a byte of hash for each of them, all seven looked at with one word.
//! So finding a record reads one line here and one in the arena. A link is a place and, in the bits above it, 24 bits of
//! hash; these bits alone decide where it stands, so growing reads no record.
//!
//! Buckets are searched from the home one on until one with an empty slot. A link removed from a full bucket leaves a
//! gravestone, since others may stand further on for its sake; a rebuild clears them.

use super::arena::{PLACE_BITS, Place};
use crate::context::Rng;

/// Links in a bucket.
const LINKS: usize = 7;
/// Tags of slots without a link; others are at least [`FIRST_TAG`].
const EMPTY: u8 = 0;
const GRAVE: u8 = 1;
const FIRST_TAG: u8 = 2;
/// One bit per lane of a word of tags.
const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = ONES << 7;
/// How many slots are drawn at random before the next used one is looked for.
const DRAWS: usize = 128;

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

    /// The address of the bucket where the search for a hash begins.
    #[inline]
    pub(super) fn home_address(&self, hash: PartHash) -> *const u8 {
        (&raw const self.buckets[self.home(hash)]).cast()
    }

    /// The place of the first link in the home bucket that may be of that hash.
    #[inline]
    pub(super) fn likely(&self, hash: PartHash) -> Option<Place> {
        let bucket = &self.buckets[self.home(hash)];
        let lanes = bucket.lanes(hash.tag());
        let link = bucket.links.get(lanes.trailing_zeros() as usize / 8)?;
        Some(link.place())
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

    /// Shows the places of all links whose home is the cursor's bucket; the next cursor, 0 after the last.
    ///
    /// Cursors count homes with their bits in reverse, so that one goes on meaning "these homes are done" when the
    /// index has doubled or halved in between: the homes that a home splits into, or joins, are those with the same low
    /// bits, and they are done or not done together. Joining may show some links twice.
    pub(super) fn scan(&self, cursor: u64, mut visit: impl FnMut(Place)) -> u64 {
        let mask = self.buckets.len() - 1;
        let home = cursor as usize & mask;
        let mut number = home;
        // Links of this home stand in it and, if it was full, beyond it.
        loop {
            let bucket = &self.buckets[number];
            for (&tag, &link) in bucket.tags.iter().zip(&bucket.links) {
                if tag >= FIRST_TAG && self.home(link.hash()) == home {
                    visit(link.place());
                }
            }
            if bucket.has_empty() {
                break;
            }
            number = (number + 1) & mask;
        }
        (cursor | !(mask as u64)).reverse_bits().wrapping_add(1).reverse_bits()
    }

    /// The place of a link that the dice choose, each with the same chance.
    pub(super) fn random(&self, rng: &mut Rng) -> Option<Place> {
        if self.len == 0 {
            return None;
        }
        let slots = self.buckets.len() * LINKS;
        // At least one slot in eight is used, but for an index that was made for more: then the walk below, whose
        // chances are not quite equal, ends the search.
        for _ in 0..DRAWS {
            if let Some(place) = self.used(rng.below(slots)) {
                return Some(place);
            }
        }
        let start = rng.below(slots);
        (start..slots).chain(0..start).find_map(|slot| self.used(slot))
    }

    /// The place in a slot, counted through all buckets, if it is used.
    fn used(&self, slot: usize) -> Option<Place> {
        let bucket = &self.buckets[slot / LINKS];
        let lane = slot % LINKS;
        (bucket.tags[lane] >= FIRST_TAG).then(|| bucket.links[lane].place())
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
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::context::Rng;

    /// A hash of few values, so that buckets overflow and hashes tie.
    fn hash(key: u64) -> PartHash {
        PartHash::of((key % 37) << 45 | (key % 11) << 60)
    }

    proptest! {
        #[test]
        fn agrees_with_a_set(operations in prop::collection::vec((0_u8..5, 0_u64..400), 0..1_500)) {
            let (mut links, mut model) = (Links::new(0), BTreeSet::new());
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

    fn spread(key: u64) -> PartHash {
        PartHash::of(key.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    proptest! {
        /// However the index grows, shrinks and fills with graves between the calls of a scan, a link that is there
        /// throughout is shown.
        #[test]
        fn a_scan_shows_what_stays(
            clustered: bool,
            start in 0_u64..3_000,
            changes in prop::collection::vec((any::<bool>(), 0_u64..3_000, 1_u64..600, 1_usize..40), 0..12),
        ) {
            let hash = |key| if clustered { hash(key) } else { spread(key) };
            let mut links = Links::new(0);
            let mut model: BTreeSet<u64> = (0..start).collect();
            model.iter().for_each(|&key| links.insert(hash(key), Place(key)));
            let mut stayed = model.clone();
            let (mut seen, mut cursor) = (BTreeSet::new(), 0);
            let mut pages = changes.into_iter();
            loop {
                let page = pages.next();
                for _ in 0..page.map_or(usize::MAX, |(.., steps)| steps) {
                    cursor = links.scan(cursor, |place| {
                        seen.insert(place.0);
                    });
                    if cursor == 0 {
                        break;
                    }
                }
                let Some((add, first, count, _)) = page.filter(|_| cursor != 0) else { break };
                for key in first..first + count {
                    if add && model.insert(key) {
                        links.insert(hash(key), Place(key));
                    } else if !add && model.remove(&key) {
                        let position = links.find(hash(key), |place| place.0 == key).expect("it was put there");
                        links.remove(position);
                        stayed.remove(&key);
                    }
                }
            }
            prop_assert!(seen.is_superset(&stayed));
        }
    }

    #[test]
    fn an_undisturbed_scan_shows_everything_once() {
        let mut links = Links::new(0);
        (0..5_000).for_each(|key| links.insert(spread(key), Place(key)));
        let (mut seen, mut cursor) = (Vec::new(), 0);
        loop {
            cursor = links.scan(cursor, |place| seen.push(place.0));
            if cursor == 0 {
                break;
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..5_000).collect::<Vec<_>>());
    }

    #[test]
    fn every_link_is_drawn_about_equally_often() {
        let mut links = Links::new(0);
        assert_eq!(links.random(&mut Rng::new(1)), None);
        (0..20).for_each(|key| links.insert(spread(key), Place(key)));
        let (mut rng, mut drawn) = (Rng::new(1), [0; 20]);
        for _ in 0..20_000 {
            drawn[links.random(&mut rng).expect("there are links").0 as usize] += 1;
        }
        assert!(drawn.iter().all(|count| (850..1_150).contains(count)), "{drawn:?}");
        // An index made for many more is no endless search.
        let mut wide = Links::new(100_000);
        wide.insert(spread(3), Place(3));
        assert_eq!(wide.random(&mut rng), Some(Place(3)));
    }

    #[test]
    fn a_queue_of_links_does_not_grow_the_index() {
        let mut links = Links::new(1_000);
        let held = links.memory_bytes();
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
