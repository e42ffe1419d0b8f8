//! A sorted array of distinct integers, each as wide as the widest needs: two, four or eight bytes.
//!
//! This is Redis's `intset`. A wider newcomer widens the whole array once; it never narrows again. Looking up is a
//! binary search, inserting moves what is greater. Memory grows from one of the allocator's sizes to the next.

use crate::size_class::size_class;

/// A sorted array of distinct integers.
#[derive(Debug, Default, Clone)]
pub(super) struct Integers {
    bytes: Vec<u8>,
    width: Width,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Width {
    #[default]
    Two = 2,
    Four = 4,
    Eight = 8,
}

impl Width {
    fn of(number: i64) -> Self {
        if i16::try_from(number).is_ok() {
            Self::Two
        } else if i32::try_from(number).is_ok() {
            Self::Four
        } else {
            Self::Eight
        }
    }
}

impl Integers {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() / self.width as usize
    }

    /// The heap memory it holds.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// The integers, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = i64> + Clone {
        (0..self.len()).map(|index| self.at(index))
    }

    /// The integer at an index, ascending.
    #[inline]
    pub(super) fn at(&self, index: usize) -> i64 {
        read(&self.bytes[index * self.width as usize..], self.width)
    }

    /// Whether the number is there.
    pub(super) fn contains(&self, number: i64) -> bool {
        Width::of(number) <= self.width && self.find(number).is_ok()
    }

    /// Adds a number; whether it was missing.
    pub(super) fn insert(&mut self, number: i64) -> bool {
        let width = Width::of(number);
        if width > self.width {
            self.widen(width);
        }
        let Err(index) = self.find(number) else { return false };
        let (at, width, len) = (index * self.width as usize, self.width as usize, self.bytes.len());
        if self.bytes.capacity() < len + width {
            self.bytes.reserve_exact(size_class(len + width) - len);
        }
        self.bytes.resize(len + width, 0);
        self.bytes.copy_within(at..len, at + width);
        self.bytes[at..at + width].copy_from_slice(&number.to_le_bytes()[..width]);
        true
    }

    /// Takes a number away; whether it was there.
    pub(super) fn remove(&mut self, number: i64) -> bool {
        if Width::of(number) > self.width {
            return false;
        }
        let Ok(index) = self.find(number) else { return false };
        let at = index * self.width as usize;
        self.bytes.drain(at..at + self.width as usize);
        if self.bytes.capacity() > 2 * self.bytes.len() + 64 {
            self.bytes.shrink_to(size_class(self.bytes.len()));
        }
        true
    }

    /// Where the number is, or where it belongs.
    fn find(&self, number: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.at(middle).cmp(&number) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    #[cold]
    fn widen(&mut self, width: Width) {
        let mut bytes = Vec::with_capacity(size_class((self.len() + 1) * width as usize));
        for number in self.iter() {
            bytes.extend_from_slice(&number.to_le_bytes()[..width as usize]);
        }
        *self = Self { bytes, width };
    }
}

#[inline]
fn read(bytes: &[u8], width: Width) -> i64 {
    match width {
        Width::Two => i64::from(i16::from_le_bytes([bytes[0], bytes[1]])),
        Width::Four => i64::from(i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])),
        Width::Eight => {
            let mut wide = [0; 8];
            wide.copy_from_slice(&bytes[..8]);
            i64::from_le_bytes(wide)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_an_ordered_set(
            operations in prop::collection::vec(
                (any::<bool>(), prop_oneof![-20_i64..20, -40_000_i64..40_000, any::<i64>()]), 0..200)
        ) {
            let (mut integers, mut model) = (Integers::default(), BTreeSet::new());
            for (add, number) in operations {
                if add {
                    prop_assert_eq!(integers.insert(number), model.insert(number));
                } else {
                    prop_assert_eq!(integers.remove(number), model.remove(&number));
                }
                prop_assert_eq!(integers.contains(number), model.contains(&number));
                prop_assert_eq!(integers.len(), model.len());
            }
            prop_assert!(integers.iter().eq(model));
        }
    }

    #[test]
    fn is_as_wide_as_the_widest() {
        let mut integers = Integers::default();
        for (number, bytes) in [(1, 2), (-32_768, 4), (32_768, 12), (i64::MIN, 32)] {
            assert!(integers.insert(number));
            assert_eq!(integers.bytes.len(), bytes);
        }
        assert!(integers.iter().eq([i64::MIN, -32_768, 1, 32_768]));
    }

    #[test]
    fn has_the_memory_of_a_size_class_and_gives_it_back() {
        let mut integers = Integers::default();
        for number in 0..100 {
            integers.insert(number);
        }
        assert_eq!(integers.memory_bytes(), size_class(200));
        for number in 0..100 {
            integers.remove(number);
        }
        assert!(integers.memory_bytes() <= 64);
    }
}
