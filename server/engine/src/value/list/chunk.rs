//! A stretch of a list: elements packed so that both ends can be pushed to and popped from.
//!
//! Each element is followed by its own length, written so that it is read backwards. Free room may lie at either
//! end; an end that runs out of it gets some by moving the elements or by a larger buffer.
//!
//! ```text
//! room | element length | element length | ... | room
//!      ^ start                                 ^ end
//! ```

mod middle;

use super::super::item::Item;
use crate::effect::End;

/// Elements packed in one allocation.
#[derive(Debug, Default, Clone)]
pub(super) struct Chunk {
    buffer: Box<[u8]>,
    start: u32,
    end: u32,
    items: u32,
}

impl Chunk {
    /// An empty chunk with a buffer of so many bytes, to be pushed to at that end.
    pub(super) fn new(end: End, capacity: usize) -> Self {
        let start = match end {
            End::Left => capacity as u32,
            End::Right => 0,
        };
        Self { buffer: vec![0; capacity].into_boxed_slice(), start, end: start, items: 0 }
    }

    /// How many elements there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.items as usize
    }

    /// How many bytes they take.
    #[inline]
    pub(super) fn used(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// The heap memory it holds.
    pub(super) fn memory_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// How many bytes an element would take.
    #[inline]
    pub(super) fn cost(item: Item<'_>) -> usize {
        let packed = item.packed_len();
        packed + back_len(packed)
    }

    /// Adds an element at an end; `limit` is how large the buffer grows unless this element alone needs more.
    #[inline]
    pub(super) fn push(&mut self, end: End, item: Item<'_>, cost: usize, limit: usize) {
        let room = match end {
            End::Left => self.start as usize,
            End::Right => self.buffer.len() - self.end as usize,
        };
        if room < cost {
            self.make_room(end, cost, limit);
        }
        let at = match end {
            End::Left => {
                self.start -= cost as u32;
                self.start as usize
            }
            End::Right => {
                self.end += cost as u32;
                self.end as usize - cost
            }
        };
        write_element(item, &mut self.buffer[at..at + cost]);
        self.items += 1;
    }

    /// Takes the element at an end away.
    #[inline]
    pub(super) fn pop(&mut self, end: End) {
        if self.items == 0 {
            return;
        }
        match end {
            End::Left => {
                let packed = Item::unpack(&self.buffer[self.start as usize..]).1;
                self.start += (packed + back_len(packed)) as u32;
            }
            End::Right => self.end = self.before(self.end as usize) as u32,
        }
        self.items -= 1;
    }

    /// The element at an end.
    #[inline]
    pub(super) fn peek(&self, end: End) -> Option<Item<'_>> {
        if self.items == 0 {
            return None;
        }
        let at = match end {
            End::Left => self.start as usize,
            End::Right => self.before(self.end as usize),
        };
        Some(Item::unpack(&self.buffer[at..]).0)
    }

    /// The elements from one on, found from the nearer end.
    pub(super) fn iter_from(&self, index: usize) -> Items<'_> {
        Items { chunk: self, at: self.offset(index) }
    }

    /// The elements from the last to the first.
    pub(super) fn iter_back(&self) -> impl Iterator<Item = Item<'_>> {
        let mut at = self.end as usize;
        std::iter::from_fn(move || {
            (at > self.start as usize).then(|| {
                at = self.before(at);
                Item::unpack(&self.buffer[at..]).0
            })
        })
    }

    /// The offset of the element after the one at an offset.
    #[inline]
    fn after(&self, at: usize) -> usize {
        let packed = Item::unpack(&self.buffer[at..]).1;
        at + packed + back_len(packed)
    }

    /// The offset of the element that ends before an offset.
    #[inline]
    fn before(&self, at: usize) -> usize {
        let (packed, len) = read_back_len(&self.buffer[..at]);
        at - len - packed
    }

    /// Makes room at an end: a larger buffer, with all that is free at that end.
    #[cold]
    fn make_room(&mut self, end: End, cost: usize, limit: usize) {
        let used = self.used();
        let mut buffer = Self::buffer(used + cost, limit);
        let start = match end {
            End::Left => buffer.len() - used,
            End::Right => 0,
        };
        buffer[start..start + used].copy_from_slice(&self.buffer[self.start as usize..self.end as usize]);
        self.buffer = buffer;
        self.start = start as u32;
        self.end = (start + used) as u32;
    }

    /// A buffer for so many bytes and some more, up to a limit.
    fn buffer(needed: usize, limit: usize) -> Box<[u8]> {
        // By an eighth: there may be millions of short lists.
        let wanted = (needed + needed / 8).next_multiple_of(16).min(limit.max(needed));
        vec![0; wanted].into_boxed_slice()
    }
}

/// Writes an element and its length into the bytes that they take.
#[inline]
fn write_element(item: Item<'_>, out: &mut [u8]) {
    let packed = item.pack(out);
    write_back_len(packed, &mut out[packed..]);
}

/// A chunk's elements in order.
#[derive(Debug, Clone)]
pub(super) struct Items<'a> {
    chunk: &'a Chunk,
    at: usize,
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if self.at == self.chunk.end as usize {
            return None;
        }
        let (item, packed) = Item::unpack(&self.chunk.buffer[self.at..]);
        self.at += packed + back_len(packed);
        Some(item)
    }
}

/// How many bytes a length takes: seven bits in each.
#[inline]
fn back_len(packed: usize) -> usize {
    if packed < 0x80 { 1 } else { (usize::BITS - packed.leading_zeros()).div_ceil(7) as usize }
}

/// Writes a length, its lowest bits last; all bytes but the first say that another stands before them.
#[inline]
fn write_back_len(mut packed: usize, out: &mut [u8]) {
    let (first, rest) = out.split_first_mut().expect("a length takes a byte at least");
    for byte in rest.iter_mut().rev() {
        *byte = packed as u8 | 0x80;
        packed >>= 7;
    }
    *first = packed as u8;
}

/// Reads the length that ends `bytes`, and how many bytes it takes.
#[inline]
fn read_back_len(bytes: &[u8]) -> (usize, usize) {
    let (mut packed, mut len) = (0, 0);
    loop {
        let byte = bytes[bytes.len() - 1 - len];
        packed |= usize::from(byte & 0x7F) << (7 * len);
        len += 1;
        if byte < 0x80 {
            return (packed, len);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_are_read_backwards() {
        for packed in [1, 127, 128, 16_383, 16_384, 2_097_152, 600_000_000] {
            let mut bytes = vec![0; 3 + back_len(packed)];
            write_back_len(packed, &mut bytes[3..]);
            assert_eq!(read_back_len(&bytes), (packed, back_len(packed)), "{packed}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_deque(
            operations in prop::collection::vec((0_u8..5, any::<bool>(), "[0-9]{1,4}|x{0,3}|y{200}"), 0..80)
        ) {
            let (mut chunk, mut model) = (Chunk::default(), VecDeque::new());
            for (kind, front, text) in operations {
                let end = if front { End::Left } else { End::Right };
                if kind < 3 {
                    let item = Item::new(text.as_bytes());
                    chunk.push(end, item, Chunk::cost(item), 4096);
                    if front { model.push_front(text.clone()) } else { model.push_back(text.clone()) }
                } else {
                    chunk.pop(end);
                    if front { model.pop_front() } else { model.pop_back() };
                }
                prop_assert_eq!(chunk.len(), model.len());
                let ends = (chunk.peek(End::Left).map(Item::to_vec), chunk.peek(End::Right).map(Item::to_vec));
                let expected = |text: Option<&String>| text.map(|t| t.clone().into_bytes());
                prop_assert_eq!(ends, (expected(model.front()), expected(model.back())));
                for index in 0..=model.len() {
                    let tail: Vec<_> = chunk.iter_from(index).map(Item::to_vec).collect();
                    prop_assert_eq!(tail, model.iter().skip(index).map(|t| t.clone().into_bytes()).collect::<Vec<_>>());
                }
            }
        }
    }
}
