//! A row of chunks: a list too large for one.
//!
//! Every chunk but those that one element fills stays within [`CHUNK`] bytes, so that whatever happens in the middle of a
//! list moves a few KiB at most. An index is looked for from the nearer end, chunk by chunk: their counts stand in a
//! row, and a million elements are some thousands of them. Chunks that removals have thinned out are joined with their
//! neighbours.

use std::collections::VecDeque;
use std::ops::Range;

use super::chunk::Chunk;
use crate::effect::End;
use crate::value::item::Item;

/// How large a chunk of a row grows.
pub(super) const CHUNK: usize = 4096;

/// Neighbours are joined if they take no more than this, half a chunk, so that the next insertion does not part them.
const JOINED: usize = CHUNK / 2;

/// Chunks in order; none is empty.
#[derive(Debug, Default, Clone)]
pub(super) struct Row {
    chunks: VecDeque<Chunk>,
    items: usize,
    memory: usize,
}

impl From<Chunk> for Row {
    fn from(chunk: Chunk) -> Self {
        let mut row = Self::default();
        if chunk.len() > 0 {
            row.items = chunk.len();
            row.memory = chunk.memory_bytes();
            row.chunks.push_back(chunk);
        }
        row
    }
}

impl Row {
    /// How many elements there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.items
    }

    /// How many chunks there are.
    #[inline]
    pub(super) fn chunk_count(&self) -> usize {
        self.chunks.len()
    }

    /// The heap memory it holds.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory + self.chunks.capacity() * size_of::<Chunk>()
    }

    /// How many bytes the elements take.
    pub(super) fn used(&self) -> usize {
        self.chunks.iter().map(Chunk::used).sum()
    }

    /// All elements in one chunk.
    pub(super) fn into_chunk(mut self) -> Chunk {
        let mut first = self.chunks.pop_front().unwrap_or_default();
        self.chunks.iter().for_each(|chunk| first.append(chunk));
        first
    }

    /// The element at an end.
    #[inline]
    pub(super) fn peek(&self, end: End) -> Option<Item<'_>> {
        match end {
            End::Left => self.chunks.front()?.peek(end),
            End::Right => self.chunks.back()?.peek(end),
        }
    }

    #[inline]
    fn at_mut(&mut self, end: End) -> Option<&mut Chunk> {
        match end {
            End::Left => self.chunks.front_mut(),
            End::Right => self.chunks.back_mut(),
        }
    }

    /// Adds an element at an end.
    #[inline]
    pub(super) fn push(&mut self, end: End, item: Item<'_>, cost: usize) {
        self.items += 1;
        if let Some(chunk) = self.at_mut(end)
            && chunk.used() + cost <= CHUNK
        {
            let before = chunk.memory_bytes();
            chunk.push(end, item, cost, CHUNK);
            let after = chunk.memory_bytes();
            self.memory = self.memory + after - before;
            return;
        }
        let mut chunk = Chunk::new(end, cost.max(CHUNK));
        chunk.push(end, item, cost, CHUNK);
        self.memory += chunk.memory_bytes();
        match end {
            End::Left => self.chunks.push_front(chunk),
            End::Right => self.chunks.push_back(chunk),
        }
    }

    /// Takes the element at an end away.
    #[inline]
    pub(super) fn pop(&mut self, end: End) {
        let Some(chunk) = self.at_mut(end) else { return };
        chunk.pop(end);
        let (left, held) = (chunk.len(), chunk.memory_bytes());
        self.items -= 1;
        if left == 0 {
            self.memory -= held;
            match end {
                End::Left => self.chunks.pop_front(),
                End::Right => self.chunks.pop_back(),
            };
            self.fit();
        }
    }

    /// Puts an element before the one at an index, which is there.
    pub(super) fn insert(&mut self, index: usize, item: Item<'_>) {
        let cost = Chunk::cost(item);
        let (number, within) = self.locate(index);
        let has_room = |chunk: &Chunk| chunk.used() + cost <= CHUNK;
        self.items += 1;
        if self.chunks.get(number).is_some_and(has_room) {
            self.edit(number, |chunk| chunk.insert(within, item, CHUNK));
        } else if within > 0 {
            // The halves are thinner, so that one of them has room unless the element is a chunk by itself.
            let right = self.edit(number, |chunk| {
                let right = chunk.split_off(within);
                chunk.fit();
                right
            });
            self.add(number + 1, right);
            if self.chunks.get(number).is_some_and(has_room) {
                self.edit(number, |chunk| chunk.insert(within, item, CHUNK));
            } else {
                self.insert_between(number + 1, item, cost);
            }
        } else {
            self.insert_between(number, item, cost);
        }
    }

    /// Puts an element before all those of a chunk: into the one before if it has room, or into that one, or between.
    fn insert_between(&mut self, number: usize, item: Item<'_>, cost: usize) {
        let has_room = |chunk: &Chunk| chunk.used() + cost <= CHUNK;
        if number > 0 && self.chunks.get(number - 1).is_some_and(has_room) {
            self.edit(number - 1, |chunk| chunk.push(End::Right, item, cost, CHUNK));
        } else if self.chunks.get(number).is_some_and(has_room) {
            self.edit(number, |chunk| chunk.push(End::Left, item, cost, CHUNK));
        } else {
            let mut chunk = Chunk::default();
            chunk.push(End::Right, item, cost, CHUNK);
            self.add(number, chunk);
        }
    }

    /// Puts another element in the place of the one at an index, which is there.
    pub(super) fn replace(&mut self, index: usize, item: Item<'_>) {
        let (number, within) = self.locate(index);
        let cost = Chunk::cost(item);
        let fits = self
            .chunks
            .get(number)
            .is_some_and(|chunk| chunk.len() == 1 || chunk.used() - chunk.cost_at(within) + cost <= CHUNK);
        if fits {
            self.edit(number, |chunk| {
                chunk.replace(within, item, CHUNK);
                chunk.fit();
            });
        } else if index + 1 == self.items {
            self.remove(index..index + 1);
            self.push(End::Right, item, cost);
        } else {
            self.remove(index..index + 1);
            self.insert(index, item);
        }
    }

    /// Takes the elements of a range away, which are there.
    pub(super) fn remove(&mut self, range: Range<usize>) {
        let (mut number, mut within) = self.locate(range.start);
        let first = number;
        let (mut left, mut whole) = (range.len(), 0..0);
        self.items -= left;
        while left > 0 {
            let len = self.chunks[number].len();
            let count = left.min(len - within);
            if count == len {
                whole = if whole.is_empty() { number..number + 1 } else { whole.start..number + 1 };
            } else {
                self.edit(number, |chunk| {
                    chunk.remove(within, count);
                    chunk.fit();
                });
            }
            (number, within, left) = (number + 1, 0, left - count);
        }
        self.memory -= self.chunks.range(whole.clone()).map(Chunk::memory_bytes).sum::<usize>();
        drop(self.chunks.drain(whole));
        self.join(first);
        self.join(first.wrapping_sub(1));
        self.fit();
    }

    /// Takes away the elements that are `wanted`, up to so many from that end on; how many those were.
    pub(super) fn remove_matching(&mut self, wanted: Item<'_>, from: End, count: usize) -> usize {
        let mut removed = 0;
        for step in 0..self.chunks.len() {
            if removed == count {
                break;
            }
            let number = match from {
                End::Left => step,
                End::Right => self.chunks.len() - 1 - step,
            };
            removed += self.edit(number, |chunk| {
                let removed = chunk.remove_matching(wanted, from, count - removed);
                if removed > 0 {
                    chunk.fit();
                }
                removed
            });
        }
        self.items -= removed;
        if removed > 0 {
            self.join_all();
        }
        removed
    }

    /// The elements from one on.
    pub(super) fn iter_from(&self, index: usize) -> impl Iterator<Item = Item<'_>> + Clone {
        let (first, within) = self.locate(index);
        let rest = self.chunks.range((first + 1).min(self.chunks.len())..);
        let first = self.chunks.get(first).map(|chunk| chunk.iter_from(within));
        first.into_iter().flatten().chain(rest.flat_map(|chunk| chunk.iter_from(0)))
    }

    /// The elements from the last to the first.
    pub(super) fn iter_back(&self) -> impl Iterator<Item = Item<'_>> {
        self.chunks.iter().rev().flat_map(Chunk::iter_back)
    }

    /// Frees up to so many chunks of a row that is not used any more; how many.
    pub(super) fn shed(&mut self, most: usize) -> usize {
        let before = self.chunks.len();
        self.chunks.truncate(before.saturating_sub(most));
        before - self.chunks.len()
    }

    /// Changes a chunk and keeps the count of memory.
    fn edit<R>(&mut self, number: usize, change: impl FnOnce(&mut Chunk) -> R) -> R {
        let chunk = &mut self.chunks[number];
        let before = chunk.memory_bytes();
        let result = change(chunk);
        self.memory = self.memory + chunk.memory_bytes() - before;
        result
    }

    fn add(&mut self, number: usize, chunk: Chunk) {
        self.memory += chunk.memory_bytes();
        self.chunks.insert(number, chunk);
    }

    /// Joins a chunk and the next, if both are there and thin enough.
    fn join(&mut self, number: usize) {
        let (Some(this), Some(next)) = (self.chunks.get(number), self.chunks.get(number.wrapping_add(1)))
        else {
            return;
        };
        if this.used() + next.used() <= JOINED
            && let Some(next) = self.chunks.remove(number + 1)
        {
            self.memory -= next.memory_bytes();
            self.edit(number, |chunk| chunk.append(&next));
        }
    }

    /// Joins all neighbours that are thin enough, and drops chunks that are empty.
    fn join_all(&mut self) {
        let mut joined = VecDeque::<Chunk>::with_capacity(self.chunks.len());
        for chunk in self.chunks.drain(..) {
            match joined.back_mut() {
                _ if chunk.len() == 0 => {}
                Some(last) if last.used() + chunk.used() <= JOINED => last.append(&chunk),
                _ => joined.push_back(chunk),
            }
        }
        self.memory = joined.iter().map(Chunk::memory_bytes).sum();
        self.chunks = joined;
        self.fit();
    }

    /// Gives the row's own room back when most of it is free.
    fn fit(&mut self) {
        if self.chunks.capacity() > 4 * self.chunks.len() + 64 {
            self.chunks.shrink_to(2 * self.chunks.len());
        }
    }

    /// The chunk that holds an index, and the index within it; looked for from the nearer end.
    fn locate(&self, index: usize) -> (usize, usize) {
        if index >= self.items {
            return (self.chunks.len(), 0);
        }
        if index <= self.items / 2 {
            let mut before = 0;
            for (number, chunk) in self.chunks.iter().enumerate() {
                if index < before + chunk.len() {
                    return (number, index - before);
                }
                before += chunk.len();
            }
        } else {
            let mut before = self.items;
            for (number, chunk) in self.chunks.iter().enumerate().rev() {
                before -= chunk.len();
                if index >= before {
                    return (number, index - before);
                }
            }
        }
        (self.chunks.len(), 0)
    }

    /// What must hold between two calls.
    #[cfg(test)]
    pub(super) fn check(&self) {
        assert_eq!(self.items, self.chunks.iter().map(Chunk::len).sum::<usize>());
        assert_eq!(self.memory, self.chunks.iter().map(Chunk::memory_bytes).sum::<usize>());
        assert!(self.chunks.iter().all(|chunk| chunk.len() > 0));
    }
}
