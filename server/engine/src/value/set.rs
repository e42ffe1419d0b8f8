//! The set type.

/// A set.
#[derive(Debug, Default, Clone)]
pub struct Set;

impl Set {
    /// How many members it has.
    pub fn len(&self) -> usize {
        0
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
