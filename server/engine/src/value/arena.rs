//! The memory of a big collection: records in chunks of 32 KiB, written one after another.
//!
//! A record is a key and a value. It is addressed by its [`Place`], which stays good until the record is freed or its
//! chunk evacuated. A freed record is only marked; a chunk of which more than half is dead is evacuated: what lives
//! in it is written again at the tail, and its memory goes back. So no single call moves more than a chunk, freeing a
//! collection of a million elements is freeing a thousand chunks, and an element costs two bytes beside its own.
//! A record too large for a chunk has one for itself.
//!
//! ```text
//! record: key length and dead bit (varint: length << 1 | dead), value length (varint), key, value
//! ```
//!
//! Evacuation moves records, so whoever keeps places must be told: [`Arena::free`] names the chunk that deserves it,
//! [`Arena::evacuate`] copies, [`Arena::release`] gives the memory back once every place is put right.

/// Bytes per chunk.
const CHUNK: usize = 1 << OFFSET_BITS;
const OFFSET_BITS: u32 = 15;
/// How many bits a place has: 2^25 chunks, a tebibyte.
pub(super) const PLACE_BITS: u32 = 40;
/// A record of more bytes has a chunk for itself.
const LARGE: usize = CHUNK / 4;

/// Where a record lies: the chunk's number, then the offset in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(pub(super) u64);

impl Place {
    fn new(chunk: usize, offset: usize) -> Self {
        debug_assert!(offset < CHUNK && (chunk as u64) < 1 << (PLACE_BITS - OFFSET_BITS));
        Self((chunk as u64) << OFFSET_BITS | offset as u64)
    }

    fn chunk(self) -> usize {
        (self.0 >> OFFSET_BITS) as usize
    }

    fn offset(self) -> usize {
        self.0 as usize & (CHUNK - 1)
    }
}

/// A chunk, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChunkId(usize);

/// A record, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// The key: a hash's field, a set's or sorted set's member.
    pub(super) key: &'a [u8],
    /// The value: a hash's value, a sorted set's score, nothing in a set.
    pub(super) value: &'a [u8],
}

#[derive(Debug, Default, Clone)]
struct Chunk {
    bytes: Vec<u8>,
    dead: usize,
}

/// Records in chunks.
#[derive(Debug, Default, Clone)]
pub(super) struct Arena {
    chunks: Vec<Chunk>,
    /// Chunks that hold nothing and may be used again.
    empty: Vec<usize>,
    /// The chunk that is written to.
    tail: usize,
    /// Bytes of all chunks' buffers.
    allocated: usize,
}

impl Arena {
    /// The heap memory it holds.
    pub(super) fn memory_bytes(&self) -> usize {
        self.allocated
            + self.chunks.capacity() * size_of::<Chunk>()
            + self.empty.capacity() * size_of::<usize>()
    }

    /// How many chunks there are: what freeing it costs.
    pub(super) fn chunk_count(&self) -> usize {
        self.chunks.len() - self.empty.len()
    }

    /// Frees up to so many chunks, whose records are never read again; how many.
    pub(super) fn shed(&mut self, most: usize) -> usize {
        let before = self.chunks.len();
        self.chunks.truncate(before.saturating_sub(most));
        before - self.chunks.len()
    }

    /// The record at a place.
    #[inline]
    pub(super) fn record(&self, place: Place) -> Record<'_> {
        let bytes = &self.chunks[place.chunk()].bytes[place.offset()..];
        let header = Header::read(bytes);
        let (key, rest) = bytes[header.len..].split_at(header.key);
        Record { key, value: &rest[..header.value] }
    }

    /// The address of the record at a place, to be prefetched.
    #[inline]
    pub(super) fn address(&self, place: Place) -> *const u8 {
        self.chunks[place.chunk()].bytes.as_ptr().wrapping_add(place.offset())
    }

    /// The key of the record at a place.
    #[inline]
    pub(super) fn key(&self, place: Place) -> &[u8] {
        self.record(place).key
    }

    /// The value of the record at a place, to be changed without changing its length.
    #[inline]
    pub(super) fn value_mut(&mut self, place: Place) -> &mut [u8] {
        let bytes = &mut self.chunks[place.chunk()].bytes[place.offset()..];
        let header = Header::read(bytes);
        &mut bytes[header.len + header.key..][..header.value]
    }

    /// Writes a record.
    #[inline]
    pub(super) fn push(&mut self, key: &[u8], value: &[u8]) -> Place {
        let header = Header::of(key.len(), value.len());
        let total = header.len + key.len() + value.len();
        let chunk = self.chunk_with_room(total);
        let bytes = &mut self.chunks[chunk].bytes;
        let place = Place::new(chunk, bytes.len());
        header.write(bytes);
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(value);
        place
    }

    /// Marks the record dead; names its chunk if more than half of it is dead now.
    pub(super) fn free(&mut self, place: Place) -> Option<ChunkId> {
        let chunk = &mut self.chunks[place.chunk()];
        let bytes = &mut chunk.bytes[place.offset()..];
        let total = Header::read(bytes).total();
        bytes[0] |= 1;
        chunk.dead += total;
        (chunk.dead > chunk.bytes.len() / 2).then_some(ChunkId(place.chunk()))
    }

    /// Writes the chunk's living records again elsewhere and says from where to where. The old ones stay readable
    /// until [`Self::release`].
    pub(super) fn evacuate(&mut self, id: ChunkId) -> Vec<(Place, Place)> {
        if self.tail == id.0 {
            self.tail = self.add_chunk(0);
        }
        let bytes = std::mem::take(&mut self.chunks[id.0].bytes);
        let mut moves = Vec::new();
        for (offset, record) in Living::of(&bytes) {
            moves.push((Place::new(id.0, offset), self.push(record.key, record.value)));
        }
        self.chunks[id.0].bytes = bytes;
        moves
    }

    /// Gives back the memory of an evacuated chunk.
    pub(super) fn release(&mut self, id: ChunkId) {
        self.allocated -= self.chunks[id.0].bytes.capacity();
        self.chunks[id.0] = Chunk::default();
        self.empty.push(id.0);
    }

    /// The living records, in the order they were written but for reused chunks.
    pub(super) fn records(&self) -> impl Iterator<Item = Record<'_>> + Clone {
        self.chunks.iter().flat_map(|chunk| Living::of(&chunk.bytes)).map(|(_, record)| record)
    }

    #[inline]
    fn chunk_with_room(&mut self, total: usize) -> usize {
        if let Some(tail) = self.chunks.get(self.tail)
            && tail.bytes.capacity() - tail.bytes.len() >= total
        {
            return self.tail;
        }
        self.make_room(total)
    }

    #[cold]
    fn make_room(&mut self, total: usize) -> usize {
        if total > LARGE {
            return self.add_chunk(total);
        }
        let held = self.allocated;
        match self.chunks.get_mut(self.tail) {
            // The tail's buffer grows, so that a collection of a few KiB does not take a whole chunk.
            Some(tail) if tail.bytes.len() + total <= CHUNK => {
                let before = tail.bytes.capacity();
                let wanted = (before + before / 2).clamp(tail.bytes.len() + total, CHUNK);
                tail.bytes.reserve_exact(wanted - tail.bytes.len());
                self.allocated += tail.bytes.capacity() - before;
            }
            _ => self.tail = self.add_chunk((held / 4).clamp(total, CHUNK)),
        }
        self.tail
    }

    fn add_chunk(&mut self, capacity: usize) -> usize {
        let chunk = Chunk { bytes: Vec::with_capacity(capacity), dead: 0 };
        self.allocated += chunk.bytes.capacity();
        if let Some(number) = self.empty.pop() {
            self.chunks[number] = chunk;
            number
        } else {
            self.chunks.push(chunk);
            self.chunks.len() - 1
        }
    }
}

/// What stands before a record's key.
#[derive(Clone, Copy)]
struct Header {
    /// Its own length.
    len: usize,
    key: usize,
    value: usize,
    dead: bool,
}

impl Header {
    fn of(key: usize, value: usize) -> Self {
        Self { len: varint_len(key << 1) + varint_len(value), key, value, dead: false }
    }

    fn total(self) -> usize {
        self.len + self.key + self.value
    }

    #[inline]
    fn read(bytes: &[u8]) -> Self {
        let (first, first_len) = read_varint(bytes);
        let (value, value_len) = read_varint(&bytes[first_len..]);
        Self { len: first_len + value_len, key: first >> 1, value, dead: first & 1 == 1 }
    }

    #[inline]
    fn write(self, out: &mut Vec<u8>) {
        write_varint(self.key << 1, out);
        write_varint(self.value, out);
    }
}

/// The living records of a chunk with their offsets.
#[derive(Clone)]
struct Living<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Living<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }
}

impl<'a> Iterator for Living<'a> {
    type Item = (usize, Record<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        while self.offset < self.bytes.len() {
            let at = self.offset;
            let header = Header::read(&self.bytes[at..]);
            self.offset += header.total();
            if !header.dead {
                let (key, rest) = self.bytes[at + header.len..].split_at(header.key);
                return Some((at, Record { key, value: &rest[..header.value] }));
            }
        }
        None
    }
}

fn varint_len(number: usize) -> usize {
    (usize::BITS - (number | 1).leading_zeros()).div_ceil(7) as usize
}

#[inline]
fn read_varint(bytes: &[u8]) -> (usize, usize) {
    let first = bytes[0] as usize;
    if first < 0x80 { (first, 1) } else { read_long_varint(bytes) }
}

// The first byte holds the low bits, so that a record's first bit is its dead bit.
fn read_long_varint(bytes: &[u8]) -> (usize, usize) {
    let (mut number, mut len) = (0, 0);
    loop {
        let byte = bytes[len];
        number |= usize::from(byte & 0x7F) << (7 * len);
        len += 1;
        if byte < 0x80 {
            return (number, len);
        }
    }
}

#[inline]
fn write_varint(mut number: usize, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_of_every_size_are_read_back() {
        let mut arena = Arena::default();
        let mut places = Vec::new();
        for size in [0, 1, 63, 64, 127, 128, 8_000, 8_192, 8_193, 40_000, 300_000, 3] {
            let (key, value) = (vec![b'k'; size], vec![b'v'; 300_000 - size]);
            places.push((arena.push(&key, &value), key, value));
        }
        for (place, key, value) in places {
            assert_eq!(arena.record(place), Record { key: &key, value: &value });
        }
    }

    #[test]
    fn a_chunk_mostly_dead_is_evacuated_and_its_memory_returns() {
        let mut arena = Arena::default();
        let mut places: Vec<Place> =
            (0..10_000_u32).map(|n| arena.push(&n.to_le_bytes(), &[0; 96])).collect();
        let full = arena.memory_bytes();
        for index in 0..places.len() {
            if index % 10 == 0 {
                continue;
            }
            if let Some(chunk) = arena.free(places[index]) {
                for (old, new) in arena.evacuate(chunk) {
                    let number = u32::from_le_bytes(arena.key(new).try_into().expect("four bytes"));
                    assert_eq!(places[number as usize], old);
                    places[number as usize] = new;
                }
                arena.release(chunk);
            }
        }
        assert_eq!(arena.records().count(), 1_000);
        assert!(arena.memory_bytes() < full / 4, "{} of {full}", arena.memory_bytes());
        for (number, place) in (0_u32..).zip(places).step_by(10) {
            assert_eq!(arena.key(place), number.to_le_bytes());
        }
    }

    proptest! {
        #[test]
        fn varints_are_read_back(number in 0_usize..1 << 40) {
            let mut bytes = Vec::new();
            write_varint(number, &mut bytes);
            prop_assert_eq!(bytes.len(), varint_len(number));
            prop_assert_eq!(read_varint(&bytes), (number, bytes.len()));
        }
    }
}
