//! A list: elements in order, quick at both ends.
//!
//! A small list is one [`Chunk`] (`listpack` to Redis, 8 KiB unless configured otherwise), a larger one a row of them
//! (`quicklist`). Pushing and popping touch the chunk at the end; an index is found by skipping whole chunks.
//!
//! As in Redis 7.2, a quicklist that shrinks to one chunk of half the limit is a listpack again.

mod chunk;
mod row;

use std::ops::Range;

use chunk::Chunk;
use row::{CHUNK, Row};

use super::item::Item;
use super::limits::Limits;
use crate::effect::End;

/// The value of a list key.
#[derive(Debug, Clone)]
pub struct List(Form);

#[derive(Debug, Clone)]
enum Form {
    Packed(Chunk),
    Row(Box<Row>),
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
            Form::Row(row) => row.len(),
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
            Form::Row(_) => "quicklist",
        }
    }

    /// The heap memory it holds.
    pub fn memory_bytes(&self) -> usize {
        match &self.0 {
            Form::Packed(chunk) => chunk.memory_bytes(),
            Form::Row(row) => size_of::<Row>() + row.memory_bytes(),
        }
    }

    /// How many allocations dropping it frees.
    pub fn free_effort(&self) -> usize {
        match &self.0 {
            Form::Packed(_) => 1,
            Form::Row(row) => row.chunk_count(),
        }
    }

    /// See [`super::Object::shed`].
    pub(super) fn shed(&mut self, most: usize) -> usize {
        match &mut self.0 {
            Form::Packed(_) => 0,
            Form::Row(row) => row.shed(most),
        }
    }

    /// Adds an element at an end.
    #[inline]
    pub fn push(&mut self, end: End, text: &[u8], limits: &Limits) {
        let item = Item::new(text);
        let cost = Chunk::cost(item);
        match &mut self.0 {
            Form::Row(row) => row.push(end, item, cost),
            Form::Packed(chunk) => {
                let (bytes, items) = node_limit(limits.list_size);
                if fits(chunk, text, (bytes, items)) {
                    chunk.push(end, item, cost, bytes);
                } else {
                    self.become_row().push(end, item, cost);
                }
            }
        }
    }

    /// The element at an end.
    #[inline]
    pub fn peek(&self, end: End) -> Option<Item<'_>> {
        match &self.0 {
            Form::Packed(chunk) => chunk.peek(end),
            Form::Row(row) => row.peek(end),
        }
    }

    /// Takes the element at an end away.
    #[inline]
    pub fn pop(&mut self, end: End, limits: &Limits) {
        match &mut self.0 {
            Form::Packed(chunk) => chunk.pop(end),
            Form::Row(row) => {
                row.pop(end);
                self.shrink(limits);
            }
        }
    }

    /// Puts an element before the one at an index; at the end for an index past the last.
    pub fn insert(&mut self, index: usize, text: &[u8], limits: &Limits) {
        if index >= self.len() {
            return self.push(End::Right, text, limits);
        }
        let item = Item::new(text);
        match &mut self.0 {
            Form::Row(row) => row.insert(index, item),
            Form::Packed(chunk) => {
                let limit = node_limit(limits.list_size);
                if fits(chunk, text, limit) {
                    chunk.insert(index, item, limit.0);
                } else {
                    self.become_row().insert(index, item);
                }
            }
        }
    }

    /// Puts another element in the place of the one at an index; whether there is one.
    pub fn set(&mut self, index: usize, text: &[u8], limits: &Limits) -> bool {
        if index >= self.len() {
            return false;
        }
        let item = Item::new(text);
        match &mut self.0 {
            Form::Row(row) => row.replace(index, item),
            Form::Packed(chunk) => {
                let limit = node_limit(limits.list_size);
                // Judged as if the element came on top, as Redis does.
                if fits(chunk, text, limit) {
                    chunk.replace(index, item, limit.0);
                } else {
                    self.become_row().replace(index, item);
                }
            }
        }
        self.shrink(limits);
        true
    }

    /// Takes the elements of a range away, cut to those that are there.
    pub fn remove(&mut self, range: Range<usize>, limits: &Limits) {
        let range = range.start..range.end.min(self.len());
        if range.is_empty() {
            return;
        }
        match &mut self.0 {
            Form::Packed(chunk) => {
                chunk.remove(range.start, range.len());
                chunk.fit();
            }
            Form::Row(row) => {
                row.remove(range);
                self.shrink(limits);
            }
        }
    }

    /// Takes away the elements that are that text, up to so many from that end on; how many those were.
    pub fn remove_matching(&mut self, text: &[u8], from: End, count: usize, limits: &Limits) -> usize {
        let wanted = Item::new(text);
        let removed = match &mut self.0 {
            Form::Packed(chunk) => {
                let removed = chunk.remove_matching(wanted, from, count);
                chunk.fit();
                removed
            }
            Form::Row(row) => row.remove_matching(wanted, from, count),
        };
        self.shrink(limits);
        removed
    }

    /// The elements from one on.
    pub fn iter_from(&self, index: usize) -> impl Iterator<Item = Item<'_>> + Clone {
        let (packed, row) = match &self.0 {
            Form::Packed(chunk) => (Some(chunk.iter_from(index.min(chunk.len()))), None),
            Form::Row(row) => (None, Some(row.iter_from(index))),
        };
        packed.into_iter().flatten().chain(row.into_iter().flatten())
    }

    /// The elements in order.
    pub fn iter(&self) -> impl Iterator<Item = Item<'_>> + Clone {
        self.iter_from(0)
    }

    /// The elements from the last to the first.
    pub fn iter_back(&self) -> impl Iterator<Item = Item<'_>> {
        let (packed, row) = match &self.0 {
            Form::Packed(chunk) => (Some(chunk.iter_back()), None),
            Form::Row(row) => (None, Some(row.iter_back())),
        };
        packed.into_iter().flatten().chain(row.into_iter().flatten())
    }

    fn become_row(&mut self) -> &mut Row {
        if let Form::Packed(chunk) = &mut self.0 {
            self.0 = Form::Row(Box::new(Row::from(std::mem::take(chunk))));
        }
        match &mut self.0 {
            Form::Row(row) => row,
            Form::Packed(_) => unreachable!("it has just become a row"),
        }
    }

    /// Becomes a listpack again, if it is small enough by far.
    #[inline]
    fn shrink(&mut self, limits: &Limits) {
        let Form::Row(row) = &mut self.0 else { return };
        let (bytes, items) = node_limit(limits.list_size);
        if row.chunk_count() > (bytes / 2 / CHUNK).max(1) || row.len() > items / 2 {
            return;
        }
        if row.used() <= bytes / 2 {
            self.0 = Form::Packed(std::mem::take(&mut **row).into_chunk());
        }
    }
}

/// Whether a listpack may hold that element too. Redis counts what surrounds a listpack, and of a newcomer its text.
#[inline]
fn fits(chunk: &Chunk, text: &[u8], (bytes, items): (usize, usize)) -> bool {
    const AROUND: usize = 7;
    chunk.used() + AROUND + text.len() <= bytes && chunk.len() < items
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts<'a>(items: impl Iterator<Item = Item<'a>>) -> Vec<Vec<u8>> {
        items.map(Item::to_vec).collect()
    }

    #[derive(Debug, Clone)]
    enum Step {
        Push(bool, usize, usize),
        Pop(bool, usize),
        Insert(prop::sample::Index, usize, usize),
        Set(prop::sample::Index, usize),
        Remove(prop::sample::Index, usize),
        RemoveMatching(usize, bool, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let (index, size) = (any::<prop::sample::Index>, || 0_usize..6);
        prop_oneof![
            4 => (any::<bool>(), size(), 1_usize..60).prop_map(|(front, size, n)| Step::Push(front, size, n)),
            2 => (any::<bool>(), 1_usize..60).prop_map(|(front, n)| Step::Pop(front, n)),
            2 => (index(), size(), 1_usize..60).prop_map(|(at, size, n)| Step::Insert(at, size, n)),
            2 => (index(), size()).prop_map(|(at, size)| Step::Set(at, size)),
            1 => (index(), 1_usize..200).prop_map(|(at, n)| Step::Remove(at, n)),
            1 => (size(), any::<bool>(), 0_usize..100).prop_map(|(size, back, n)| Step::RemoveMatching(size, back, n)),
        ]
    }

    fn text(size: usize) -> Vec<u8> {
        [&b"7"[..], b"word", &[b'x'; 90], &[b'y'; 700], &[b'z'; 3_000], &[b'w'; 5_000]][size].to_vec()
    }

    fn apply(step: Step, list: &mut List, model: &mut Vec<Vec<u8>>, limits: &Limits) {
        let end = |front: bool| if front { End::Left } else { End::Right };
        match step {
            Step::Push(front, size, times) => {
                for _ in 0..times {
                    list.push(end(front), &text(size), limits);
                    model.insert(if front { 0 } else { model.len() }, text(size));
                }
            }
            Step::Pop(front, times) => {
                for _ in 0..times.min(model.len()) {
                    let popped = model.remove(if front { 0 } else { model.len() - 1 });
                    assert_eq!(list.peek(end(front)).map(Item::to_vec), Some(popped));
                    list.pop(end(front), limits);
                }
            }
            Step::Insert(at, size, times) => {
                for _ in 0..times {
                    let at = at.index(model.len() + 1);
                    list.insert(at, &text(size), limits);
                    model.insert(at, text(size));
                }
            }
            Step::Set(at, size) => {
                let at = at.index(model.len() + 1);
                assert_eq!(list.set(at, &text(size), limits), at < model.len());
                model.get_mut(at).into_iter().for_each(|element| *element = text(size));
            }
            Step::Remove(at, count) => {
                let at = at.index(model.len() + 1);
                list.remove(at..at + count, limits);
                model.drain(at..(at + count).min(model.len()));
            }
            Step::RemoveMatching(size, back, count) => {
                let mut found: Vec<usize> = (0..model.len()).filter(|&i| model[i] == text(size)).collect();
                if back {
                    found.reverse();
                }
                found.truncate(count);
                assert_eq!(list.remove_matching(&text(size), end(!back), count, limits), found.len());
                found.sort_unstable();
                found.into_iter().rev().for_each(|index| drop(model.remove(index)));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn agrees_with_a_vector(
            steps in prop::collection::vec(step(), 0..40),
            list_size in prop::sample::select(vec![-2_i64, -1, 4, -5]),
        ) {
            let limits = Limits { list_size, ..Limits::default() };
            let (mut list, mut model) = (List::new(), Vec::new());
            for (number, step) in steps.into_iter().enumerate() {
                apply(step, &mut list, &mut model, &limits);
                prop_assert_eq!(list.len(), model.len());
                if let Form::Row(row) = &list.0 {
                    row.check();
                }
                let index = (number * 7) % (model.len() + 2);
                prop_assert!(texts(list.iter_from(index)).iter().eq(model.iter().skip(index)));
                prop_assert!(texts(list.iter_back()).iter().eq(model.iter().rev()));
            }
        }
    }

    #[test]
    fn a_row_that_is_thinned_out_gives_its_memory_back() {
        let (mut list, limits) = (List::new(), Limits::default());
        for n in 0..20_000_u32 {
            let text = if n % 100 == 0 { format!("stays:{n}") } else { "goes".to_owned() };
            list.push(End::Right, text.as_bytes(), &limits);
        }
        let full = list.memory_bytes();
        assert_eq!(list.remove_matching(b"goes", End::Left, usize::MAX, &limits), 19_800);
        assert!(list.memory_bytes() < full / 20, "{} of {full}", list.memory_bytes());
        assert_eq!(list.iter().nth(7).map(Item::to_vec), Some(b"stays:700".to_vec()));
    }

    #[test]
    fn insertions_in_the_middle_fill_their_chunks() {
        let (mut list, limits) = (List::new(), Limits::default());
        for n in 0..20_000 {
            list.insert(n / 2, b"0123456789", &limits);
        }
        assert!(list.memory_bytes() < 20_000 * 12 * 2, "{}", list.memory_bytes());
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
