//! The log of this node's shard: the newest records of effects, by their offsets.
//!
//! A record is appended under the lock of its slot, so the records of one slot are in the order of its changes. The log is
//! bounded (`repl-backlog-size`): what is appended pushes the oldest out, and whoever still needed that takes slots anew.
//! A primary's log grows by what its clients change ([`EffectLog::append`]), a replica's by what it was sent
//! ([`EffectLog::extend`]); so a replica that is promoted can go on with those who followed the same primary.
//!
//! Records lie in chunks and never across two, so what a reader is given is whole records. For each slot it is known where
//! its last record ends: from that a copy that has strayed learns which slots it must take anew.
//!
//! Invariants: the newest record is always there, however long it is; offsets never fall but by [`EffectLog::restart`] and
//! [`EffectLog::cut`], which only a replica calls; who waits for the log to grow is woken once, until it looks again.
//!
//! Neighbours: `feed/tap` appends, `serve` reads, `link` extends.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use nuthatch_engine::Effect;
use nuthatch_engine::effect::record::{self, Record};
use nuthatch_proto::ids::ReplicationOffset;
use nuthatch_proto::slot::{SLOT_COUNT, Slot};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// A chunk is full when it has so many bytes.
const CHUNK: usize = 64 * 1024;

/// Records that stand one behind the other.
#[derive(Debug)]
struct Chunk {
    start: u64,
    bytes: Vec<u8>,
}

impl Chunk {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

#[derive(Debug)]
struct Ring {
    chunks: VecDeque<Chunk>,
    /// The bytes in the chunks.
    held: usize,
    capacity: usize,
    end: u64,
    /// Where each slot's last record ends, or later; 0 if there was none.
    written: Box<[u64]>,
    /// A chunk that was pushed out, to be filled again.
    spare: Vec<u8>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct EffectLog {
    ring: Mutex<Ring>,
    /// Somebody has been told that the log has grown, and has not looked since.
    told: AtomicBool,
    grown: Notify,
}

/// What a reader finds at an offset.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Whole records from there on.
    Records(Vec<u8>),
    /// The log ends there.
    End,
    /// Nothing: it was pushed out, or never was.
    Gone,
}

impl Default for EffectLog {
    fn default() -> Self {
        let ring = Ring {
            chunks: VecDeque::new(),
            held: 0,
            capacity: CHUNK,
            end: 0,
            written: vec![0; usize::from(SLOT_COUNT)].into(),
            spare: Vec::new(),
        };
        Self { ring: Mutex::new(ring), told: AtomicBool::new(false), grown: Notify::new() }
    }
}

impl EffectLog {
    /// Keeps so many bytes from now on.
    pub(crate) fn set_capacity(&self, bytes: usize) {
        let mut ring = self.ring.lock();
        ring.capacity = bytes.max(CHUNK);
        ring.trim();
    }

    /// How many bytes are kept.
    pub(crate) fn capacity(&self) -> usize {
        self.ring.lock().capacity
    }

    /// Appends a change. Called under the lock of its slot.
    pub(crate) fn append(&self, db: usize, slot: Slot, effect: Effect<'_>) {
        let mut ring = self.ring.lock();
        let bytes = ring.room();
        let before = bytes.len();
        match record::append(bytes, db, slot, effect) {
            Ok(()) => {
                let added = bytes.len() - before;
                ring.added(added);
            }
            // It cannot be told: whoever follows takes the slots anew.
            Err(record::TooLong(_)) => {
                let end = ring.end + 1;
                ring.clear(end);
            }
        }
        ring.written[slot.index()] = ring.end;
        drop(ring);
        self.tell();
    }

    /// Appends records that were sent here, which stand one behind the other and are whole.
    pub(crate) fn extend(&self, records: &[u8]) {
        let mut ring = self.ring.lock();
        let (mut at, end) = (0, ring.end);
        while let Ok(Some((record, taken))) = Record::read(&records[at..]) {
            ring.room().extend_from_slice(&records[at..at + taken]);
            ring.added(taken);
            at += taken;
            ring.written[record.slot.index()] = end + at as u64;
        }
    }

    /// A slot was copied at the log's end.
    pub(crate) fn note_copied(&self, slot: Slot) {
        let mut ring = self.ring.lock();
        ring.written[slot.index()] = ring.end;
    }

    /// Begins anew at that offset, without records: any slot may have been written to before.
    pub(crate) fn restart(&self, end: ReplicationOffset) {
        let mut ring = self.ring.lock();
        ring.clear(end.0);
        ring.written.fill(end.0);
    }

    /// Forgets what comes after that offset; the slots that were written to since.
    pub(crate) fn cut(&self, end: ReplicationOffset) -> Vec<Slot> {
        let mut ring = self.ring.lock();
        while ring.chunks.back().is_some_and(|chunk| chunk.start >= end.0) {
            let chunk = ring.chunks.pop_back();
            ring.held -= chunk.map_or(0, |chunk| chunk.bytes.len());
        }
        if let Some(last) = ring.chunks.back_mut() {
            let kept = usize::try_from(end.0 - last.start).unwrap_or(usize::MAX);
            let lost = last.bytes.len().saturating_sub(kept);
            last.bytes.truncate(kept);
            ring.held -= lost;
        }
        ring.end = end.0;
        let strayed: Vec<Slot> = Slot::all().filter(|slot| ring.written[slot.index()] > end.0).collect();
        for slot in &strayed {
            ring.written[slot.index()] = end.0;
        }
        strayed
    }

    /// Where it ends.
    pub(crate) fn end(&self) -> ReplicationOffset {
        ReplicationOffset(self.ring.lock().end)
    }

    /// Where its oldest record begins, and where it ends.
    pub(crate) fn span(&self) -> (ReplicationOffset, ReplicationOffset) {
        let ring = self.ring.lock();
        (ReplicationOffset(ring.start()), ReplicationOffset(ring.end))
    }

    /// Where a slot's last record ends.
    pub(crate) fn written(&self, slot: Slot) -> ReplicationOffset {
        ReplicationOffset(self.ring.lock().written[slot.index()])
    }

    /// The records from there on, as far as one chunk has them.
    pub(crate) fn read(&self, from: ReplicationOffset) -> Found {
        let ring = self.ring.lock();
        if from.0 == ring.end {
            return Found::End;
        }
        let after = ring.chunks.partition_point(|chunk| chunk.end() <= from.0);
        match ring.chunks.get(after) {
            Some(chunk) if chunk.start <= from.0 => {
                let at = usize::try_from(from.0 - chunk.start).unwrap_or(usize::MAX);
                Found::Records(chunk.bytes[at..].to_vec())
            }
            Some(_) | None => Found::Gone,
        }
    }

    fn tell(&self) {
        if !self.told.load(Ordering::Relaxed) && !self.told.swap(true, Ordering::AcqRel) {
            self.grown.notify_one();
        }
    }

    /// Waits until something was appended since it was last waited for.
    pub(crate) async fn grown(&self) {
        self.grown.notified().await;
        self.told.store(false, Ordering::Release);
    }
}

impl Ring {
    fn start(&self) -> u64 {
        self.chunks.front().map_or(self.end, |chunk| chunk.start)
    }

    /// The chunk that the next record goes to.
    fn room(&mut self) -> &mut Vec<u8> {
        if self.chunks.back().is_none_or(|chunk| chunk.bytes.len() >= CHUNK) {
            let bytes = std::mem::take(&mut self.spare);
            self.chunks.push_back(Chunk { start: self.end, bytes });
        }
        let last = self.chunks.len() - 1;
        &mut self.chunks[last].bytes
    }

    fn added(&mut self, count: usize) {
        self.held += count;
        self.end += count as u64;
        self.trim();
    }

    fn trim(&mut self) {
        while self.held > self.capacity && self.chunks.len() > 1 {
            let Some(Chunk { mut bytes, .. }) = self.chunks.pop_front() else { return };
            self.held -= bytes.len();
            if bytes.capacity() <= 2 * CHUNK {
                bytes.clear();
                self.spare = bytes;
            }
        }
    }

    fn clear(&mut self, end: u64) {
        self.chunks.clear();
        (self.held, self.end) = (0, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(log: &EffectLog, key: &[u8], value: &[u8]) {
        log.append(0, Slot::of_key(key), Effect::Set { key, value, deadline: None });
    }

    /// All that a reader gets from there on, and where it ends; `None` if it is gone.
    fn read_on(log: &EffectLog, mut from: ReplicationOffset) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            match log.read(from) {
                Found::Records(records) => {
                    from.0 += records.len() as u64;
                    all.extend(records);
                }
                Found::End => return Some(all),
                Found::Gone => return None,
            }
        }
    }

    #[test]
    fn what_is_appended_is_read_in_order_from_any_record_on() {
        let log = EffectLog::default();
        log.set_capacity(1 << 20);
        let mut ends = vec![log.end()];
        let mut copy = EffectLog::default();
        for number in 0..3_000u32 {
            set(&log, &number.to_be_bytes(), &[7; 40]);
            ends.push(log.end());
        }
        let all = read_on(&log, ends[0]).expect("all of it");
        for (index, end) in ends.iter().enumerate().step_by(97) {
            let rest = read_on(&log, *end).expect("all of it");
            assert_eq!(rest, all[usize::try_from(end.0).expect("small")..], "from record {index}");
        }
        copy.set_capacity(1 << 20);
        copy.extend(&all);
        assert_eq!((copy.span(), read_on(&copy, ends[0])), (log.span(), Some(all)));
        let slot = Slot::of_key(&7u32.to_be_bytes());
        assert_eq!(copy.written(slot), log.written(slot));
        copy = EffectLog::default();
        assert_eq!(copy.read(ends[1]), Found::Gone, "it never was there");
    }

    #[test]
    fn the_oldest_goes_and_the_newest_stays_however_long() {
        let log = EffectLog::default();
        log.set_capacity(2 * CHUNK);
        for _ in 0..100 {
            set(&log, b"a", &[1; CHUNK / 4]);
        }
        let (start, end) = log.span();
        assert!(end.0 - start.0 <= 3 * CHUNK as u64, "{start} to {end}");
        assert_eq!(log.read(ReplicationOffset(0)), Found::Gone);
        assert!(read_on(&log, start).is_some());
        set(&log, b"a", &vec![2; 8 * CHUNK]);
        let Found::Records(records) = log.read(end) else { panic!("the newest is gone") };
        assert!(records.len() > 8 * CHUNK);
        assert_eq!(log.span().0, end);
    }

    #[test]
    fn a_copy_that_has_strayed_learns_which_slots_it_wrote_to_since() {
        let log = EffectLog::default();
        log.set_capacity(1 << 20);
        set(&log, b"a", b"1");
        let point = log.end();
        set(&log, b"b", b"2");
        for _ in 0..1_000 {
            set(&log, b"c", &[3; 100]);
        }
        let mut strayed = log.cut(point);
        strayed.sort_unstable();
        let mut expected = vec![Slot::of_key(b"b"), Slot::of_key(b"c")];
        expected.sort_unstable();
        assert_eq!((strayed, log.end()), (expected, point));
        assert_eq!(log.cut(point), []);
        set(&log, b"d", b"4");
        assert!(read_on(&log, point).is_some_and(|records| !records.is_empty()));
        log.restart(ReplicationOffset(9));
        assert_eq!((log.span().0, log.end()), (ReplicationOffset(9), ReplicationOffset(9)));
        assert_eq!(log.written(Slot::of_key(b"x")), ReplicationOffset(9));
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_the_first_of_many() {
        let log = EffectLog::default();
        (0..100).for_each(|_| set(&log, b"a", b"1"));
        log.grown().await;
        set(&log, b"a", b"1");
        log.grown().await;
    }
}
