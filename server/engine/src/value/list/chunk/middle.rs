//! Changing a chunk anywhere but at its ends.
//!
//! An element is found from the nearer end; a gap is opened or closed by moving the shorter side, if there is room on it.
//! So the cost is that of half the chunk at most, and a chunk has a bound.

use smallvec::SmallVec;

use super::{Chunk, write_element};
use crate::effect::End;
use crate::value::item::Item;

impl Chunk {
    /// Where the element at an index begins; the end for an index past the last.
    pub(super) fn offset(&self, index: usize) -> usize {
        if index <= self.len() / 2 {
            (0..index).fold(self.start as usize, |at, _| self.after(at))
        } else {
            (index..self.len()).fold(self.end as usize, |at, _| self.before(at))
        }
    }

    /// Puts an element before the one at an index; `limit` is how large the buffer grows unless it must.
    pub(in crate::value::list) fn insert(&mut self, index: usize, item: Item<'_>, limit: usize) {
        let (cost, at) = (Self::cost(item), self.offset(index));
        let (start, end) = (self.start as usize, self.end as usize);
        let (before, after) = (start, self.buffer.len() - end);
        let at = if before >= cost && (at - start <= end - at || after < cost) {
            self.buffer.copy_within(start..at, start - cost);
            self.start -= cost as u32;
            at - cost
        } else if after >= cost {
            self.buffer.copy_within(at..end, at + cost);
            self.end += cost as u32;
            at
        } else {
            let mut buffer = Self::buffer(self.used() + cost, limit);
            buffer[..at - start].copy_from_slice(&self.buffer[start..at]);
            buffer[at - start + cost..end - start + cost].copy_from_slice(&self.buffer[at..end]);
            (self.start, self.end) = (0, (end - start + cost) as u32);
            self.buffer = buffer;
            at - start
        };
        write_element(item, &mut self.buffer[at..at + cost]);
        self.items += 1;
    }

    /// Puts another element in the place of the one at an index.
    pub(in crate::value::list) fn replace(&mut self, index: usize, item: Item<'_>, limit: usize) {
        let at = self.offset(index);
        let next = self.after(at);
        if next - at == Self::cost(item) {
            write_element(item, &mut self.buffer[at..next]);
        } else {
            self.close(at, next);
            self.items -= 1;
            self.insert(index, item, limit);
        }
    }

    /// How many bytes the element at an index takes.
    pub(in crate::value::list) fn cost_at(&self, index: usize) -> usize {
        let at = self.offset(index);
        self.after(at) - at
    }

    /// Takes elements away, so many from an index on.
    pub(in crate::value::list) fn remove(&mut self, index: usize, count: usize) {
        let from = self.offset(index);
        let to = self.offset(index + count);
        self.close(from, to);
        self.items -= count as u32;
    }

    /// Takes away the elements that are `wanted`, up to so many from that end on; how many those were.
    pub(in crate::value::list) fn remove_matching(
        &mut self,
        wanted: Item<'_>,
        from: End,
        count: usize,
    ) -> usize {
        let mut found: SmallVec<[(u32, u32); 16]> = SmallVec::new();
        let (mut at, end) = (self.start as usize, self.end as usize);
        while at < end && (found.len() < count || from == End::Right) {
            let next = self.after(at);
            if Item::unpack(&self.buffer[at..]).0 == wanted {
                found.push((at as u32, next as u32));
            }
            at = next;
        }
        if from == End::Right {
            found.drain(..found.len().saturating_sub(count));
        }
        let Some(&(first, _)) = found.first() else { return 0 };
        // What stays between two that go moves down once.
        let mut to = first as usize;
        for (number, &(_, kept)) in found.iter().enumerate() {
            let until = found.get(number + 1).map_or(end, |&(next, _)| next as usize);
            self.buffer.copy_within(kept as usize..until, to);
            to += until - kept as usize;
        }
        self.end = to as u32;
        self.items -= found.len() as u32;
        found.len()
    }

    /// Takes the elements from an index on away, into a chunk of their own.
    pub(in crate::value::list) fn split_off(&mut self, index: usize) -> Self {
        let at = self.offset(index);
        let bytes: Box<[u8]> = self.buffer[at..self.end as usize].into();
        let items = self.items - index as u32;
        let end = bytes.len() as u32;
        self.end = at as u32;
        self.items = index as u32;
        Self { buffer: bytes, start: 0, end, items }
    }

    /// Adds another chunk's elements at the end.
    pub(in crate::value::list) fn append(&mut self, other: &Self) {
        let (used, added) = (self.used(), other.used());
        if self.buffer.len() - (self.end as usize) < added {
            let mut buffer = vec![0; used + added].into_boxed_slice();
            buffer[..used].copy_from_slice(&self.buffer[self.start as usize..self.end as usize]);
            (self.buffer, self.start, self.end) = (buffer, 0, used as u32);
        }
        let end = self.end as usize;
        let bytes = &other.buffer[other.start as usize..other.end as usize];
        self.buffer[end..end + added].copy_from_slice(bytes);
        self.end += added as u32;
        self.items += other.items;
    }

    /// Gives room back, if more than half is free.
    pub(in crate::value::list) fn fit(&mut self) {
        if self.buffer.len() > 2 * self.used() + 64 {
            self.buffer = self.buffer[self.start as usize..self.end as usize].into();
            (self.start, self.end) = (0, self.buffer.len() as u32);
        }
    }

    /// Closes the gap between two offsets.
    fn close(&mut self, from: usize, to: usize) {
        let (start, end) = (self.start as usize, self.end as usize);
        if from - start <= end - to {
            self.buffer.copy_within(start..from, start + (to - from));
            self.start += (to - from) as u32;
        } else {
            self.buffer.copy_within(to..end, from);
            self.end -= (to - from) as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(chunk: &Chunk) -> Vec<String> {
        chunk
            .iter_from(0)
            .map(|item| String::from_utf8(item.to_vec()).expect("the test's elements are text"))
            .collect()
    }

    proptest! {
        #[test]
        fn agrees_with_a_vector(
            operations in prop::collection::vec(
                (0_u8..9, any::<prop::sample::Index>(), any::<prop::sample::Index>(), "[0-2]{1}|x{0,3}|y{200}"), 0..80)
        ) {
            let (mut chunk, mut model) = (Chunk::default(), Vec::<String>::new());
            for (kind, index, other, text) in operations {
                let item = Item::new(text.as_bytes());
                let at = index.index(model.len() + 1);
                match kind {
                    0..4 => {
                        chunk.insert(at, item, 4096);
                        model.insert(at, text.clone());
                    }
                    4 if at < model.len() => {
                        prop_assert_eq!(chunk.cost_at(at), Chunk::cost(Item::new(model[at].as_bytes())));
                        chunk.replace(at, item, 4096);
                        model[at] = text.clone();
                    }
                    5 => {
                        let count = other.index(model.len() - at + 1);
                        chunk.remove(at, count);
                        model.drain(at..at + count);
                    }
                    6 => {
                        let end = if at % 2 == 0 { End::Left } else { End::Right };
                        let wanted = other.index(4);
                        let mut found: Vec<usize> = (0..model.len()).filter(|&i| model[i] == text).collect();
                        if end == End::Right {
                            found.reverse();
                        }
                        found.truncate(wanted);
                        prop_assert_eq!(chunk.remove_matching(item, end, wanted), found.len());
                        found.sort_unstable();
                        found.into_iter().rev().for_each(|index| drop(model.remove(index)));
                    }
                    7 => {
                        let right = chunk.split_off(at);
                        prop_assert_eq!(texts(&chunk), &model[..at]);
                        prop_assert_eq!(texts(&right), &model[at..]);
                        chunk.append(&right);
                    }
                    _ => chunk.fit(),
                }
                prop_assert_eq!(chunk.len(), model.len());
                prop_assert_eq!(texts(&chunk), &model[..]);
                prop_assert_eq!(chunk.iter_back().count(), model.len());
            }
        }
    }
}
