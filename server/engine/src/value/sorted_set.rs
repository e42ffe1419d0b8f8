//! The sorted_set type.

/// A sorted_set.
#[derive(Debug, Default, Clone)]
pub struct SortedSet;

impl SortedSet {
    /// How many members it has.
    pub fn len(&self) -> usize {
        0
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
