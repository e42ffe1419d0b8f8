//! One cache line of a table: seven entries and what is needed to find one of them without touching it.
//!
//! ```text
//! head 8   seven tags of one byte, 0 where nothing is; above them, how many entries went past this bucket
//! words    seven entries: an address of 48 bits and 16 bits of the key's hash each
//! ```
//!
//! An entry that found its bucket full lies in one of the next ones, and every bucket it passed counts it. A search goes
//! on only past a bucket whose count is not 0, and removing the entry takes it off the counts, so that no tombstones are
//! left. A count that has reached 255 stays there until the buckets are laid out anew.

use super::super::entry::Entry;

/// How many entries a bucket holds.
pub(crate) const WIDTH: usize = 7;

const ONES: u64 = 0x0001_0101_0101_0101;
const HIGHS: u64 = 0x0080_8080_8080_8080;
const PASSED: u32 = 56;

/// Seven entries.
#[derive(Default)]
#[repr(C, align(64))]
pub(crate) struct Bucket {
    head: u64,
    words: [Option<Entry>; WIDTH],
}

const _: () = assert!(size_of::<Bucket>() == 64, "a bucket is a cache line");

/// Positions in a bucket, as the high bits of the bytes of a head.
pub(crate) struct Positions(u64);

impl Iterator for Positions {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        (self.0 != 0).then(|| {
            let position = self.0.trailing_zeros() as usize / 8;
            self.0 &= self.0 - 1;
            position
        })
    }
}

impl Bucket {
    /// The positions whose tag this is, and rarely one more: the lowest is always right.
    #[inline]
    pub(crate) fn tagged(&self, tag: u8) -> Positions {
        let differences = self.head ^ (ONES * u64::from(tag));
        Positions(differences.wrapping_sub(ONES) & !differences & HIGHS)
    }

    /// A position where nothing is.
    #[inline]
    pub(crate) fn free(&self) -> Option<usize> {
        self.tagged(0).next()
    }

    /// Whether an entry that belongs here may lie further on.
    #[inline]
    pub(crate) fn was_passed(&self) -> bool {
        self.head >> PASSED != 0
    }

    /// Counts an entry that goes past.
    pub(crate) fn pass(&mut self) {
        if self.head >> PASSED < 255 {
            self.head += 1 << PASSED;
        }
    }

    /// Takes an entry that went past off the count.
    pub(crate) fn unpass(&mut self) {
        if (1..255).contains(&(self.head >> PASSED)) {
            self.head -= 1 << PASSED;
        }
    }

    #[inline]
    pub(crate) fn get(&self, position: usize) -> Option<&Entry> {
        self.words[position].as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, position: usize) -> Option<&mut Entry> {
        self.words[position].as_mut()
    }

    /// Puts an entry where nothing is. The tag is not 0.
    #[inline]
    pub(crate) fn put(&mut self, position: usize, tag: u8, entry: Entry) {
        self.head |= u64::from(tag) << (8 * position);
        self.words[position] = Some(entry);
    }

    /// Takes an entry and its tag out.
    pub(crate) fn take(&mut self, position: usize) -> Option<(u8, Entry)> {
        let entry = self.words[position].take()?;
        let tag = (self.head >> (8 * position)) as u8;
        self.head &= !(0xff << (8 * position));
        Some((tag, entry))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.words.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_by_their_tags() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.free(), Some(0));
        for position in 0..WIDTH {
            let tag = u8::try_from(position % 2 + 1).expect("small");
            bucket.put(position, tag, Entry::string(b"k", b"v", None));
        }
        assert_eq!(bucket.free(), None);
        assert!([0, 2, 4, 6].iter().all(|&p| bucket.tagged(1).any(|q| q == p)));
        assert_eq!(bucket.tagged(9).next(), None);
        assert_eq!(bucket.take(3).map(|(tag, _)| tag), Some(2));
        assert_eq!((bucket.free(), bucket.iter().count()), (Some(3), 6));
    }

    #[test]
    fn the_count_of_passing_entries_saturates() {
        let mut bucket = Bucket::default();
        bucket.pass();
        bucket.unpass();
        assert!(!bucket.was_passed());
        (0..300).for_each(|_| bucket.pass());
        (0..300).for_each(|_| bucket.unpass());
        assert!(bucket.was_passed());
    }
}
