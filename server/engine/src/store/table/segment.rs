//! A run of buckets that together hold one range of hashes.
//!
//! An entry's home bucket is its mark, sixteen bits of its hash, scaled to the number of buckets. So any number of
//! buckets will do, hashes stay in their order, and laying the buckets out anew needs neither keys nor hashes: the marks
//! and tags are in the buckets. The number of buckets follows the allocator's size classes, a fifth to a quarter more
//! each time, and the buckets are at most [`LIMIT`] so that laying them out takes microseconds.

use super::super::entry::Entry;
use super::bucket::{Bucket, WIDTH};

/// How many buckets a segment has at most.
pub(crate) const LIMIT: usize = 512;

/// What a key's hash says within a segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fingerprint {
    /// Tells entries of one bucket apart; not 0.
    pub(crate) tag: u8,
    /// Says which bucket is home, and tells entries apart further.
    pub(crate) mark: u16,
}

/// Where an entry lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    bucket: u32,
    position: u32,
}

/// Buckets, and how many entries they hold.
#[derive(Default)]
pub(crate) struct Segment {
    buckets: Box<[Bucket]>,
    len: u32,
    /// How many leading bits of the hash its entries have in common.
    pub(crate) depth: u8,
}

/// How many entries are put into that many buckets: a little less than fit, so that few lie far from home.
fn capacity(buckets: usize) -> usize {
    match buckets {
        0 => 0,
        1 => WIDTH,
        _ => buckets * 13 / 2,
    }
}

/// The next larger number of buckets.
fn larger(buckets: usize) -> usize {
    if buckets < 8 { buckets + 1 } else { buckets + (1 << (buckets.ilog2() - 2)) }
}

/// The smallest number of buckets for that many entries.
fn fitting(len: usize) -> usize {
    std::iter::successors(Some(0), |&buckets| Some(larger(buckets)))
        .find(|&buckets| capacity(buckets) >= len)
        .unwrap_or(LIMIT)
}

impl Segment {
    pub(crate) fn new(depth: u8) -> Self {
        Self { buckets: Box::default(), len: 0, depth }
    }

    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    #[cfg(test)]
    pub(crate) fn buckets(&self) -> usize {
        self.buckets.len()
    }

    /// Whether another entry needs more buckets than there may be.
    pub(crate) fn is_full(&self) -> bool {
        self.len() >= capacity(LIMIT)
    }

    #[inline]
    fn home(&self, mark: u16) -> usize {
        (usize::from(mark) * self.buckets.len()) >> 16
    }

    /// The bucket after this one; behind the last comes the first.
    #[inline]
    fn after(&self, bucket: usize) -> usize {
        if bucket + 1 == self.buckets.len() { 0 } else { bucket + 1 }
    }

    /// The home bucket of a mark, to be prefetched.
    #[inline]
    pub(crate) fn home_address(&self, mark: u16) -> Option<*const u8> {
        self.buckets.get(self.home(mark)).map(|bucket| std::ptr::from_ref(bucket).cast())
    }

    /// The first entry in its home bucket that may be the one looked for.
    #[inline]
    pub(crate) fn likely(&self, at: Fingerprint) -> Option<&Entry> {
        let bucket = self.buckets.get(self.home(at.mark))?;
        bucket.tagged(at.tag).find_map(|position| bucket.get(position))
    }

    #[inline]
    pub(crate) fn locate(&self, at: Fingerprint, key: &[u8]) -> Option<Place> {
        let home = self.home(at.mark);
        let mut index = home;
        loop {
            let bucket = self.buckets.get(index)?;
            for position in bucket.tagged(at.tag) {
                let entry = bucket.get(position);
                if entry.is_some_and(|entry| entry.mark() == at.mark && entry.key() == key) {
                    return Some(Place { bucket: index as u32, position: position as u32 });
                }
            }
            if !bucket.was_passed() {
                return None;
            }
            index = self.after(index);
            if index == home {
                return None;
            }
        }
    }

    #[inline]
    pub(crate) fn get(&self, place: Place) -> Option<&Entry> {
        self.buckets.get(place.bucket as usize)?.get(place.position as usize)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, place: Place) -> Option<&mut Entry> {
        self.buckets.get_mut(place.bucket as usize)?.get_mut(place.position as usize)
    }

    /// Adds an entry whose key is not there. The segment is not full.
    pub(crate) fn insert(&mut self, at: Fingerprint, mut entry: Entry) -> Place {
        if self.len() >= capacity(self.buckets.len()) {
            self.lay_out(larger(self.buckets.len()));
        }
        entry.set_mark(at.mark);
        self.len += 1;
        self.put(at.tag, entry)
    }

    /// Puts an entry into the first bucket from its home on that has room; there is room.
    fn put(&mut self, tag: u8, entry: Entry) -> Place {
        let mut index = self.home(entry.mark());
        loop {
            let bucket = &mut self.buckets[index];
            if let Some(position) = bucket.free() {
                bucket.put(position, tag, entry);
                return Place { bucket: index as u32, position: position as u32 };
            }
            bucket.pass();
            index = self.after(index);
        }
    }

    /// Takes out the entry at a place, which must be one that [`Self::locate`] found since the last change.
    pub(crate) fn remove(&mut self, place: Place) -> Option<Entry> {
        let (_, entry) = self.buckets.get_mut(place.bucket as usize)?.take(place.position as usize)?;
        let mut index = self.home(entry.mark());
        while index != place.bucket as usize {
            self.buckets[index].unpass();
            index = self.after(index);
        }
        self.len -= 1;
        if self.len() < capacity(self.buckets.len()) * 2 / 5 {
            self.lay_out(fitting(self.len() + self.len() / 4));
        }
        Some(entry)
    }

    /// Moves all entries into that many buckets.
    fn lay_out(&mut self, buckets: usize) {
        let fresh = std::iter::repeat_with(Bucket::default).take(buckets).collect();
        for mut bucket in std::mem::replace(&mut self.buckets, fresh) {
            for (tag, entry) in (0..WIDTH).filter_map(|position| bucket.take(position)) {
                self.put(tag, entry);
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.buckets.iter().flat_map(Bucket::iter)
    }

    /// Takes all entries out.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Entry> + Send + use<> {
        self.len = 0;
        let buckets = std::mem::take(&mut self.buckets);
        buckets
            .into_iter()
            .flat_map(|mut bucket| (0..WIDTH).filter_map(move |p| bucket.take(p)).map(|(_, entry)| entry))
    }

    /// Shows every entry whose home is the bucket of that mark; the first mark of the next bucket, if there is one.
    pub(crate) fn scan<'a>(&'a self, mark: u16, mut visit: impl FnMut(&'a Entry)) -> Option<u16> {
        let home = self.home(mark);
        let mut index = home;
        while let Some(bucket) = self.buckets.get(index) {
            bucket.iter().filter(|entry| self.home(entry.mark()) == home).for_each(&mut visit);
            index = self.after(index);
            if !bucket.was_passed() || index == home {
                break;
            }
        }
        // The smallest mark that scales to the next bucket.
        let next = ((home + 1) << 16).checked_div(self.buckets.len())?
            + usize::from(!((home + 1) << 16).is_multiple_of(self.buckets.len()));
        u16::try_from(next).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_counts_follow_the_size_classes() {
        let counts: Vec<usize> = std::iter::successors(Some(0), |&n| Some(larger(n))).take(15).collect();
        assert_eq!(counts, [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24]);
        assert!(std::iter::successors(Some(1), |&n| Some(larger(n))).take(40).any(|n| n == LIMIT));
        for len in 0..1000 {
            assert!(capacity(fitting(len)) >= len && capacity(fitting(len)) <= len * 2 + WIDTH, "{len}");
        }
    }

    #[test]
    fn a_scan_passes_every_bucket_once() {
        for buckets in [1, 2, 3, 7, 10, 448, 512] {
            let mut segment = Segment::new(0);
            segment.lay_out(buckets);
            let mut mark = Some(0);
            let mut homes = Vec::new();
            while let Some(at) = mark {
                homes.push(segment.home(at));
                mark = segment.scan(at, |_| {});
            }
            assert_eq!(homes, (0..buckets).collect::<Vec<_>>());
        }
    }
}
