//! Elements one after another in one allocation: what small hashes, sets and sorted sets are.
//!
//! Everything costs time in the number of bytes, which is why the owners keep it small ([`super::Limits`]). Elements
//! are addressed by their byte offset; an offset is good until the next change. What an element means (a field, a
//! value, a score) is the owner's affair, as are groups of two.
//!
//! Memory is what the allocator gives for the bytes there are, and grows from one of its sizes to the next: these are the
//! collections there are millions of.

use super::item::Item;
use crate::size_class::size_class;

/// A sequence of elements in one allocation.
#[derive(Debug, Default, Clone)]
pub(super) struct Packed {
    bytes: Vec<u8>,
    items: u32,
}

impl Packed {
    /// How many elements there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.items as usize
    }

    /// The heap memory it holds.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// The offset past the last element.
    #[inline]
    pub(super) fn end(&self) -> usize {
        self.bytes.len()
    }

    /// The element at an offset, and the offset of the next.
    #[inline]
    pub(super) fn read(&self, at: usize) -> (Item<'_>, usize) {
        let (item, len) = Item::unpack(&self.bytes[at..]);
        (item, at + len)
    }

    /// The elements in order.
    pub(super) fn iter(&self) -> Items<'_> {
        Items { packed: self, at: 0 }
    }

    /// The elements in order, two by two.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (Item<'_>, Item<'_>)> + Clone {
        let mut items = self.iter();
        std::iter::from_fn(move || Some((items.next()?, items.next()?)))
    }

    /// The elements from the `index`th on.
    pub(super) fn from(&self, index: usize) -> Items<'_> {
        let at = (0..index.min(self.len())).fold(0, |at, _| self.read(at).1);
        Items { packed: self, at }
    }

    /// The offset of the first element that is `wanted`, looking at every `stride`th, beginning with the first.
    #[inline]
    pub(super) fn find(&self, wanted: Item<'_>, stride: usize) -> Option<usize> {
        let mut at = 0;
        while at < self.bytes.len() {
            let (item, mut next) = self.read(at);
            if item == wanted {
                return Some(at);
            }
            for _ in 1..stride {
                next = self.read(next).1;
            }
            at = next;
        }
        None
    }

    /// Appends an element.
    pub(super) fn push(&mut self, item: Item<'_>) {
        self.insert(self.bytes.len(), item);
    }

    /// Puts an element before the one at an offset.
    pub(super) fn insert(&mut self, at: usize, item: Item<'_>) {
        self.splice(at, at, item);
        self.items += 1;
    }

    /// Puts an element in the place of the one at an offset.
    pub(super) fn replace(&mut self, at: usize, item: Item<'_>) {
        let next = self.read(at).1;
        self.splice(at, next, item);
    }

    /// Takes `count` elements away, beginning with the one at an offset.
    pub(super) fn remove(&mut self, at: usize, count: usize) {
        let end = (0..count).fold(at, |end, _| self.read(end).1);
        self.bytes.drain(at..end);
        self.items -= count as u32;
        if self.bytes.capacity() > 2 * self.bytes.len() + 64 {
            self.bytes.shrink_to(size_class(self.bytes.len()));
        }
    }

    fn splice(&mut self, from: usize, to: usize, item: Item<'_>) {
        let (old_len, old, new) = (self.bytes.len(), to - from, item.packed_len());
        if new > old {
            self.reserve(new - old);
            self.bytes.resize(old_len + new - old, 0);
            self.bytes.copy_within(to..old_len, from + new);
        } else if new < old {
            self.bytes.copy_within(to.., from + new);
            self.bytes.truncate(old_len + new - old);
        }
        item.pack(&mut self.bytes[from..]);
    }

    fn reserve(&mut self, additional: usize) {
        let wanted = self.bytes.len() + additional;
        if wanted > self.bytes.capacity() {
            self.bytes.reserve_exact(size_class(wanted) - self.bytes.len());
        }
    }
}

/// The elements of a [`Packed`] in order.
#[derive(Debug, Clone)]
pub(super) struct Items<'a> {
    packed: &'a Packed,
    at: usize,
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    #[inline]
    fn next(&mut self) -> Option<Item<'a>> {
        if self.at == self.packed.end() {
            return None;
        }
        let (item, next) = self.packed.read(self.at);
        self.at = next;
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offset(packed: &Packed, index: usize) -> usize {
        (0..index).fold(0, |at, _| packed.read(at).1)
    }

    proptest! {
        #[test]
        fn agrees_with_a_vector(
            operations in prop::collection::vec((0_u8..4, any::<prop::sample::Index>(), "[0-9a]{0,3}|b{140}"), 0..60)
        ) {
            let (mut packed, mut model) = (Packed::default(), Vec::<Vec<u8>>::new());
            for (kind, index, text) in operations {
                let item = Item::new(text.as_bytes());
                match kind {
                    0 => {
                        packed.push(item);
                        model.push(text.into_bytes());
                    }
                    1 => {
                        let index = index.index(model.len() + 1);
                        packed.insert(offset(&packed, index), item);
                        model.insert(index, text.into_bytes());
                    }
                    2 if !model.is_empty() => {
                        let index = index.index(model.len());
                        packed.replace(offset(&packed, index), item);
                        model[index] = text.into_bytes();
                    }
                    3 if !model.is_empty() => {
                        let index = index.index(model.len());
                        packed.remove(offset(&packed, index), 1);
                        model.remove(index);
                    }
                    _ => {
                        let found = model.iter().position(|m| m == text.as_bytes());
                        prop_assert_eq!(packed.find(item, 1), found.map(|i| offset(&packed, i)));
                    }
                }
                prop_assert_eq!(packed.len(), model.len());
                prop_assert_eq!(packed.iter().map(Item::to_vec).collect::<Vec<_>>(), &model[..]);
                let half = packed.from(model.len() / 2).map(Item::to_vec);
                prop_assert_eq!(half.collect::<Vec<_>>(), &model[model.len() / 2..]);
            }
        }
    }

    #[test]
    fn a_stride_skips_the_values() {
        let mut packed = Packed::default();
        for text in ["a", "b", "b", "c"] {
            packed.push(Item::new(text.as_bytes()));
        }
        assert_eq!(packed.find(Item::new(b"b"), 2), Some(4));
        assert_eq!(packed.find(Item::new(b"c"), 2), None);
        assert_eq!(packed.pairs().count(), 2);
    }
}
