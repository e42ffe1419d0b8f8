//! A list: elements in order, quick at both ends.
//!
//! A small list is one [`Chunk`] (`listpack` to Redis, 8 KiB unless configured otherwise), a larger one a row of them
//! (`quicklist`). Pushing and popping touch the chunk at the end; an index is found by skipping whole chunks.
//!
//! As in Redis 7.2, a quicklist that shrinks to one chunk of half the limit is a listpack again.

mod chunk;

use std::collections::VecDeque;

use chunk::Chunk;

use super::item::Item;
use super::limits::Limits;
use crate::effect::End;

/// How large a chunk of a quicklist grows.
const CHUNK: usize = 4096;

/// The value of a list key.
#[derive(Debug, Clone)]
pub struct List(Form);

#[derive(Debug, Clone)]
enum Form {
    Packed(Chunk),
    Chunks(Box<Chunks>),
}

#[derive(Debug, Default, Clone)]
struct Chunks {
    /// None is empty.
    row: VecDeque<Chunk>,
    items: usize,
    memory: usize,
}

/// The bounds of a node: bytes, and elements if those are limited as well.
fn node_limit(list_size: i64) -> (usize, usize) {
    match list_size {
        1.. => (8 * 1024, usize::try_from(list_size).unwrap_or(usize::MAX)),
        0 => (8 * 1024, 1),
        -1 => (4 * 1024, usize::MAX),
        -2 => (8 * 1024, usize::MAX),
        -3 => (16 * 1024, usize::MAX),
        -4 => (32 * 1024, usize::MAX),
        _ => (64 * 1024, usize::MAX),
    }
}

impl Default for List {
    fn default() -> Self {
        Self(Form::Packed(Chunk::default()))
    }
}

impl List {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many elements there are.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Packed(chunk) => chunk.len(),
            Form::Chunks(chunks) => chunks.items,
        }
    }

    /// Whether there is none; such a key does not exist.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What `OBJECT ENCODING` says.
    pub fn encoding(&self) -> &'static str {
        match &self.0 {
            Form::Packed(_) => "listpack",
            Form::Chunks(_) => "quicklist",
        }
    }

    /// The heap memory it holds.
    pub fn memory_bytes(&self) -> usize {
        match &self.0 {
            Form::Packed(chunk) => chunk.memory_bytes(),
            Form::Chunks(chunks) => {
                size_of::<Chunks>() + chunks.memory + chunks.row.capacity() * size_of::<Chunk>()
            }
        }
    }

    /// How many allocations dropping it frees.
    pub fn free_effort(&self) -> usize {
        match &self.0 {
            Form::Packed(_) => 1,
            Form::Chunks(chunks) => chunks.row.len(),
        }
    }

    /// Adds an element at an end.
    #[inline]
    pub fn push(&mut self, end: End, text: &[u8], limits: &Limits) {
        let item = Item::new(text);
        let cost = Chunk::cost(item);
        match &mut self.0 {
            Form::Chunks(chunks) => chunks.push(end, item, cost),
            Form::Packed(chunk) => {
                let (bytes, items) = node_limit(limits.list_size);
                if chunk.used() + cost <= bytes && chunk.len() < items {
                    chunk.push(end, item, cost, bytes);
                } else {
                    let mut chunks = Chunks::from(std::mem::take(chunk));
                    chunks.push(end, item, cost);
                    self.0 = Form::Chunks(Box::new(chunks));
                }
            }
        }
    }

    /// The element at an end.
    #[inline]
    pub fn peek(&self, end: End) -> Option<Item<'_>> {
        match &self.0 {
            Form::Packed(chunk) => chunk.peek(end),
            Form::Chunks(chunks) => chunks.at(end)?.peek(end),
        }
    }

    /// Takes the element at an end away.
    #[inline]
    pub fn pop(&mut self, end: End, limits: &Limits) {
        match &mut self.0 {
            Form::Packed(chunk) => chunk.pop(end),
            Form::Chunks(chunks) => {
                chunks.pop(end);
                self.shrink(limits);
            }
        }
    }

    /// The elements from one on.
    pub fn iter_from(&self, index: usize) -> impl Iterator<Item = Item<'_>> + Clone {
        let (packed, chunks) = match &self.0 {
            Form::Packed(chunk) => (Some(chunk.iter_from(index.min(chunk.len()))), None),
            Form::Chunks(chunks) => (None, Some(chunks.iter_from(index))),
        };
        packed.into_iter().flatten().chain(chunks.into_iter().flatten())
    }

    /// The elements in order.
    pub fn iter(&self) -> impl Iterator<Item = Item<'_>> + Clone {
        self.iter_from(0)
    }

    /// Becomes a listpack again, if it is small enough by far.
    fn shrink(&mut self, limits: &Limits) {
        let Form::Chunks(chunks) = &mut self.0 else { return };
        let (bytes, items) = node_limit(limits.list_size);
        if chunks.row.len() <= 1 && chunks.items <= items / 2 {
            let small = chunks.row.front().is_none_or(|chunk| chunk.used() <= bytes / 2);
            if small {
                self.0 = Form::Packed(chunks.row.pop_front().unwrap_or_default());
            }
        }
    }
}

impl From<Chunk> for Chunks {
    fn from(chunk: Chunk) -> Self {
        let mut chunks = Self::default();
        if chunk.len() > 0 {
            chunks.items = chunk.len();
            chunks.memory = chunk.memory_bytes();
            chunks.row.push_back(chunk);
        }
        chunks
    }
}

impl Chunks {
    #[inline]
    fn at(&self, end: End) -> Option<&Chunk> {
        match end {
            End::Left => self.row.front(),
            End::Right => self.row.back(),
        }
    }

    #[inline]
    fn at_mut(&mut self, end: End) -> Option<&mut Chunk> {
        match end {
            End::Left => self.row.front_mut(),
            End::Right => self.row.back_mut(),
        }
    }

    #[inline]
    fn push(&mut self, end: End, item: Item<'_>, cost: usize) {
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
            End::Left => self.row.push_front(chunk),
            End::Right => self.row.push_back(chunk),
        }
    }

    #[inline]
    fn pop(&mut self, end: End) {
        let Some(chunk) = self.at_mut(end) else { return };
        chunk.pop(end);
        let (left, held) = (chunk.len(), chunk.memory_bytes());
        self.items -= 1;
        if left == 0 {
            self.memory -= held;
            match end {
                End::Left => self.row.pop_front(),
                End::Right => self.row.pop_back(),
            };
            if self.row.capacity() > 4 * self.row.len() + 64 {
                self.row.shrink_to(2 * self.row.len());
            }
        }
    }

    fn iter_from(&self, index: usize) -> impl Iterator<Item = Item<'_>> + Clone {
        let (first, within) = self.locate(index);
        self.row
            .range(first..)
            .enumerate()
            .flat_map(move |(nth, chunk)| chunk.iter_from(if nth == 0 { within } else { 0 }))
    }

    /// The chunk that holds an index, and the index within it; looked for from the nearer end.
    fn locate(&self, index: usize) -> (usize, usize) {
        if index >= self.items {
            return (self.row.len(), 0);
        }
        if index <= self.items / 2 {
            let mut before = 0;
            for (number, chunk) in self.row.iter().enumerate() {
                if index < before + chunk.len() {
                    return (number, index - before);
                }
                before += chunk.len();
            }
        } else {
            let mut before = self.items;
            for (number, chunk) in self.row.iter().enumerate().rev() {
                before -= chunk.len();
                if index >= before {
                    return (number, index - before);
                }
            }
        }
        (self.row.len(), 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts<'a>(items: impl Iterator<Item = Item<'a>>) -> Vec<Vec<u8>> {
        items.map(Item::to_vec).collect()
    }

    proptest! {
        #[test]
        fn agrees_with_a_deque(
            operations in prop::collection::vec((0_u8..5, any::<bool>(), 0_usize..4, 1_usize..40), 0..60),
            list_size in prop::sample::select(vec![-2_i64, -1, 4]),
        ) {
            let limits = Limits { list_size, ..Limits::default() };
            let (mut list, mut model) = (List::new(), VecDeque::new());
            for (step, (kind, front, size, times)) in operations.into_iter().enumerate() {
                let end = if front { End::Left } else { End::Right };
                for time in 0..times {
                    if kind < 3 {
                        let mut text = format!("{step}{time}").into_bytes();
                        text.resize(text.len() + [0, 1, 90, 5_000][size], b'x');
                        list.push(end, &text, &limits);
                        if front { model.push_front(text) } else { model.push_back(text) }
                    } else {
                        let popped = if front { model.pop_front() } else { model.pop_back() };
                        prop_assert_eq!(list.peek(end).map(Item::to_vec), popped);
                        list.pop(end, &limits);
                    }
                }
                prop_assert_eq!(list.len(), model.len());
                let index = (step * 7) % (model.len() + 2);
                let expected: Vec<_> = model.iter().skip(index).cloned().collect();
                prop_assert_eq!(texts(list.iter_from(index)), expected);
            }
            prop_assert_eq!(texts(list.iter()), Vec::from(model));
        }
    }

    #[test]
    fn encodings_follow_the_size() {
        let (mut list, limits) = (List::new(), Limits::default());
        let mut grown = 0;
        while list.encoding() == "listpack" {
            list.push(End::Right, &[b'x'; 98], &limits);
            grown += 1;
        }
        assert_eq!(grown, 82, "the first beyond 8 KiB in hundred bytes each");
        while list.encoding() == "quicklist" {
            list.pop(End::Right, &limits);
            grown -= 1;
        }
        assert!((30..=41).contains(&grown), "{grown}: one chunk, at most 4 KiB");
    }

    #[test]
    fn a_queue_does_not_grow() {
        let (mut list, limits) = (List::new(), Limits::default());
        for _ in 0..20_000 {
            list.push(End::Left, b"some job to be done", &limits);
            if list.len() > 1_000 {
                list.pop(End::Right, &limits);
            }
        }
        assert!(list.memory_bytes() < 2 * 1_000 * 21, "{}", list.memory_bytes());
    }
}
