//! The hash table of one slot.
//!
//! While it is small, as nearly all are, the table is one [`Segment`]; beyond some thousand keys it is a directory of
//! segments, each for the hashes that begin with the same bits, and a segment that is full is split in two. So the
//! table grows in steps that take microseconds however many keys it has, and shrinks as it empties.
//!
//! ```text
//! hash     tag 8 | order 56
//! order    directory bits | mark 16 | ...
//! ```
//!
//! Segments, and buckets within one, are in the order of their hashes. A SCAN cursor is therefore a point in that order:
//! everything below it was returned, whatever became of the table in between. It is the leading 40 bits of the order.

mod bucket;
mod segment;

use segment::{Fingerprint, Segment};

use super::entry::Entry;
use crate::context::Rng;
use crate::engine::KeyHash;

/// How many bits of a hash a cursor has.
const CURSOR_BITS: u32 = 40;
/// How many bits the directory may take, so that a cursor can tell the buckets of any segment apart.
const DEPTH_MAX: u8 = 24;
/// A directory of fewer entries than this becomes one segment again.
const SMALL: usize = 1024;

/// A slot's entries by the hash of their keys.
pub(crate) struct Table(Form);

enum Form {
    One(Segment),
    Many(Box<Directory>),
}

/// Where an entry lies, until the table changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    segment: u32,
    within: segment::Place,
}

/// Segments by the leading bits of their hashes.
struct Directory {
    /// How many bits that are.
    depth: u8,
    /// Which segment each value of those bits belongs to; a segment of less depth stands several times.
    index: Vec<u32>,
    segments: Vec<Segment>,
    len: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self(Form::One(Segment::default()))
    }
}

/// The hash without its tag, its first bit highest.
#[inline]
fn order(hash: u64) -> u64 {
    hash << 8
}

#[inline]
fn fingerprint(hash: u64, depth: u8) -> Fingerprint {
    let mark = (order(hash) << depth >> 48) as u16;
    Fingerprint { tag: ((hash >> 56) as u8).max(1), mark }
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        match &self.0 {
            Form::One(segment) => segment.len(),
            Form::Many(directory) => directory.len,
        }
    }

    #[inline]
    fn segment_of(&self, hash: u64) -> (u32, &Segment) {
        match &self.0 {
            Form::One(segment) => (0, segment),
            Form::Many(directory) => directory.of(order(hash)),
        }
    }

    #[inline]
    fn segment_mut(&mut self, index: u32) -> Option<&mut Segment> {
        match &mut self.0 {
            Form::One(segment) => Some(segment),
            Form::Many(directory) => directory.segments.get_mut(index as usize),
        }
    }

    fn segments(&self) -> &[Segment] {
        match &self.0 {
            Form::One(segment) => std::slice::from_ref(segment),
            Form::Many(directory) => &directory.segments,
        }
    }

    #[inline]
    pub(crate) fn locate(&self, hash: u64, key: &[u8]) -> Option<Place> {
        let (index, segment) = self.segment_of(hash);
        let within = segment.locate(fingerprint(hash, segment.depth), key)?;
        Some(Place { segment: index, within })
    }

    #[inline]
    pub(crate) fn get(&self, place: Place) -> Option<&Entry> {
        self.segments().get(place.segment as usize)?.get(place.within)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, place: Place) -> Option<&mut Entry> {
        self.segment_mut(place.segment)?.get_mut(place.within)
    }

    /// The address of the bucket a key would be in.
    #[inline]
    pub(crate) fn bucket_address(&self, hash: u64) -> Option<*const u8> {
        let (_, segment) = self.segment_of(hash);
        segment.home_address(fingerprint(hash, segment.depth).mark)
    }

    /// The address of the entry a key probably has, told without touching it.
    #[inline]
    pub(crate) fn entry_address(&self, hash: u64) -> Option<*const u8> {
        let (_, segment) = self.segment_of(hash);
        segment.likely(fingerprint(hash, segment.depth)).map(Entry::address)
    }

    /// Adds an entry whose key is not in the table.
    pub(crate) fn insert(&mut self, hasher: &KeyHash, hash: u64, entry: Entry) -> Place {
        while self.segment_of(hash).1.is_full() {
            if !self.split(hasher, hash) {
                break;
            }
        }
        match &mut self.0 {
            Form::One(segment) => Place { segment: 0, within: segment.insert(fingerprint(hash, 0), entry) },
            Form::Many(directory) => {
                directory.len += 1;
                directory.insert(hash, entry)
            }
        }
    }

    /// Splits the segment of that hash in two; whether that could be done.
    #[cold]
    fn split(&mut self, hasher: &KeyHash, hash: u64) -> bool {
        if let Form::One(segment) = &mut self.0 {
            let len = segment.len();
            let segments = vec![std::mem::take(segment)];
            self.0 = Form::Many(Box::new(Directory { depth: 0, index: vec![0], segments, len }));
        }
        match &mut self.0 {
            Form::One(_) => false,
            Form::Many(directory) => directory.split(hasher, hash),
        }
    }

    /// Takes out the entry at a place that was located since the last change.
    pub(crate) fn remove(&mut self, hasher: &KeyHash, place: Place) -> Option<Entry> {
        let entry = self.segment_mut(place.segment)?.remove(place.within)?;
        if let Form::Many(directory) = &mut self.0 {
            directory.len -= 1;
            if directory.len < SMALL {
                let mut small = Segment::default();
                for entry in directory.segments.iter_mut().flat_map(Segment::drain) {
                    small.insert(fingerprint(hasher.of(entry.key()), 0), entry);
                }
                self.0 = Form::One(small);
            }
        }
        Some(entry)
    }

    /// All entries, taken out one by one.
    pub(crate) fn into_entries(self) -> impl Iterator<Item = Entry> + Send {
        let segments = match self.0 {
            Form::One(segment) => vec![segment],
            Form::Many(directory) => directory.segments,
        };
        segments.into_iter().flat_map(|mut segment| segment.drain())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.segments().iter().flat_map(Segment::iter)
    }

    /// Shows the entries of the bucket at a cursor; the next cursor, 0 after the last bucket.
    pub(crate) fn scan<'a>(&'a self, cursor: u64, visit: impl FnMut(&'a Entry)) -> u64 {
        // Whatever a client sends as a cursor is some point of the order.
        let from = cursor << (64 - CURSOR_BITS);
        let segment = match &self.0 {
            Form::One(segment) => segment,
            Form::Many(directory) => directory.of(from).1,
        };
        let depth = u32::from(segment.depth);
        let mark = (from << depth >> 48) as u16;
        // The bits that all of the segment have in common, and the point behind its last.
        let prefix = if depth == 0 { 0 } else { from >> (64 - depth) };
        let next = match segment.scan(mark, visit) {
            Some(mark) => (u128::from(prefix) << 16 | u128::from(mark)) << (48 - depth),
            None => u128::from(prefix + 1) << (64 - depth),
        };
        u64::try_from(next).map_or(0, |next| next >> (64 - CURSOR_BITS))
    }

    /// The leading bits of a hash's order.
    pub(crate) fn leading(hash: u64, bits: u32) -> u64 {
        order(hash) >> (64 - bits)
    }

    /// Shows the entries whose hashes begin with these bits in their order, and perhaps some of their neighbours.
    pub(crate) fn near<'a>(&'a self, leading: u64, bits: u32, mut visit: impl FnMut(&'a Entry)) {
        match &self.0 {
            Form::One(segment) => {
                let mark = (leading << (64 - bits) >> 48) as u16;
                segment.scan(mark, |entry| {
                    if entry.mark() == mark {
                        visit(entry);
                    }
                });
            }
            Form::Many(_) => {
                let end = (leading + 1) << (CURSOR_BITS - bits);
                let mut cursor = leading << (CURSOR_BITS - bits);
                loop {
                    cursor = self.scan(cursor, &mut visit);
                    if cursor == 0 || cursor >= end {
                        break;
                    }
                }
            }
        }
    }

    /// An entry that is `wanted`, if there is one: from a bucket the dice choose, or else from the next that has one.
    pub(crate) fn random(&self, dice: u64, wanted: impl Fn(&Entry) -> bool) -> Option<&Entry> {
        let start = dice >> (64 - CURSOR_BITS);
        let mut rng = Rng::new(dice);
        let mut cursor = start;
        let mut wrapped = false;
        loop {
            let mut seen = 0;
            let mut chosen = None;
            cursor = self.scan(cursor, |entry| {
                if wanted(entry) {
                    seen += 1;
                    // Each of a bucket's entries has the same chance.
                    if rng.below(seen) == 0 {
                        chosen = Some(entry);
                    }
                }
            });
            if chosen.is_some() || (wrapped && cursor > start) {
                return chosen;
            }
            if cursor == 0 {
                if wrapped {
                    return None;
                }
                wrapped = true;
            }
        }
    }
}

impl Directory {
    #[inline]
    fn of(&self, order: u64) -> (u32, &Segment) {
        let leading = if self.depth == 0 { 0 } else { order >> (64 - u32::from(self.depth)) };
        let index = self.index[leading as usize];
        (index, &self.segments[index as usize])
    }

    fn insert(&mut self, hash: u64, entry: Entry) -> Place {
        let (index, _) = self.of(order(hash));
        let segment = &mut self.segments[index as usize];
        Place { segment: index, within: segment.insert(fingerprint(hash, segment.depth), entry) }
    }

    fn split(&mut self, hasher: &KeyHash, hash: u64) -> bool {
        let (old, segment) = self.of(order(hash));
        let depth = segment.depth;
        if depth == DEPTH_MAX {
            return false;
        }
        if depth == self.depth {
            self.index = self.index.iter().flat_map(|&segment| [segment, segment]).collect();
            self.depth += 1;
        }
        let Ok(new) = u32::try_from(self.segments.len()) else { return false };
        let entries: Vec<Entry> = self.segments[old as usize].drain().collect();
        self.segments[old as usize] = Segment::new(depth + 1);
        self.segments.push(Segment::new(depth + 1));
        // Of the run of index entries that the segment had, the second half is the new one's.
        let run = self.index.iter().filter(|&&segment| segment == old).count();
        let half = self.index.iter_mut().filter(|segment| **segment == old).skip(run / 2);
        half.for_each(|segment| *segment = new);
        for entry in entries {
            let hash = hasher.of(entry.key());
            self.insert(hash, entry);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn key(number: u32) -> Vec<u8> {
        format!("key:{number}").into_bytes()
    }

    /// A table, and the keys that should be in it.
    struct Checked {
        table: Table,
        hasher: KeyHash,
        keys: BTreeSet<u32>,
    }

    impl Checked {
        fn new() -> Self {
            Self { table: Table::default(), hasher: KeyHash::new(3), keys: BTreeSet::new() }
        }

        fn insert(&mut self, number: u32) {
            let (key, hash) = (key(number), self.hasher.of(&key(number)));
            if self.table.locate(hash, &key).is_none() {
                let place = self.table.insert(&self.hasher, hash, Entry::string(&key, b"", None));
                assert_eq!(self.table.get(place).map(Entry::key), Some(&key[..]));
                assert!(self.keys.insert(number));
            }
        }

        fn remove(&mut self, number: u32) {
            let key = key(number);
            let place = self.table.locate(self.hasher.of(&key), &key);
            assert_eq!(place.is_some(), self.keys.remove(&number));
            if let Some(place) = place {
                let entry = self.table.remove(&self.hasher, place);
                assert_eq!(entry.as_ref().map(Entry::key), Some(&key[..]));
            }
        }

        fn check(&self) {
            assert_eq!(self.table.len(), self.keys.len());
            assert_eq!(self.table.iter().count(), self.keys.len());
            for &number in &self.keys {
                let key = key(number);
                assert!(self.table.locate(self.hasher.of(&key), &key).is_some(), "{number}");
            }
        }

        /// Goes on with a scan until `steps` buckets were shown or all were.
        fn scan(&self, cursor: u64, steps: usize, seen: &mut BTreeSet<Vec<u8>>) -> u64 {
            let mut cursor = cursor;
            for _ in 0..steps {
                cursor = self.table.scan(cursor, |entry| {
                    seen.insert(entry.key().to_vec());
                });
                if cursor == 0 {
                    break;
                }
            }
            cursor
        }
    }

    #[test]
    fn a_table_grows_into_a_directory_and_back() {
        let mut checked = Checked::new();
        (0..20_000).for_each(|number| checked.insert(number));
        checked.check();
        assert!(matches!(checked.table.0, Form::Many(_)));
        let mut seen = BTreeSet::new();
        assert_eq!(checked.scan(0, usize::MAX, &mut seen), 0);
        assert_eq!(seen.len(), 20_000);
        (0..19_990).for_each(|number| checked.remove(number));
        checked.check();
        assert!(matches!(checked.table.0, Form::One(_)));
        (19_990..20_000).for_each(|number| checked.remove(number));
        assert_eq!(checked.table.iter().count(), 0);
    }

    #[test]
    fn memory_per_entry_stays_near_a_bucket_s_share() {
        // At the sizes slots have with one and with ten million keys.
        for keys in [61, 610] {
            let mut checked = Checked::new();
            (0..keys).for_each(|number| checked.insert(number));
            let Form::One(segment) = &checked.table.0 else { panic!("a small table is one segment") };
            let bytes = segment.buckets() * 64 / keys as usize;
            assert!(bytes <= 13, "{bytes} bytes per entry for {keys}");
        }
    }

    #[test]
    fn random_entries_reach_everything_wanted() {
        let mut checked = Checked::new();
        (0..50).for_each(|number| checked.insert(number));
        let mut rng = crate::Rng::new(5);
        let mut seen = BTreeSet::new();
        for _ in 0..5000 {
            let entry = checked.table.random(rng.next_u64(), |entry| entry.key() != b"key:7");
            seen.insert(entry.expect("the table is not empty").key().to_vec());
        }
        assert_eq!(seen.len(), 49);
        assert!(checked.table.random(rng.next_u64(), |_| false).is_none());
        assert!(Table::default().random(1, |_| true).is_none());
    }

    #[derive(Debug, Clone)]
    enum Step {
        Insert(u32, u32),
        Remove(u32, u32),
        Scan(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (100..6000u32, 1..900u32).prop_map(|(from, count)| Step::Insert(from, count)),
            2 => (100..6000u32, 1..2000u32).prop_map(|(from, count)| Step::Remove(from, count)),
            2 => (1..40usize).prop_map(Step::Scan),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// The keys below 100 are there all the time: every scan that begins and ends sees all of them.
        #[test]
        fn a_table_behaves_like_a_set_and_scans_what_stays(
            steps in proptest::collection::vec(step(), 1..40)
        ) {
            let mut checked = Checked::new();
            (0..100).for_each(|number| checked.insert(number));
            let (mut cursor, mut seen) = (0, BTreeSet::new());
            for step in steps {
                match step {
                    Step::Insert(from, count) => {
                        (from..from + count).for_each(|number| checked.insert(number));
                    }
                    Step::Remove(from, count) => {
                        (from..from + count).for_each(|number| checked.remove(number));
                    }
                    Step::Scan(steps) => cursor = checked.scan(cursor, steps, &mut seen),
                }
            }
            checked.check();
            checked.scan(cursor, usize::MAX, &mut seen);
            for number in 0..100 {
                prop_assert!(seen.contains(&key(number)), "{}", number);
            }
        }
    }
}
