//! The hash type.

/// A hash.
#[derive(Debug, Default, Clone)]
pub struct Hash;

impl Hash {
    /// How many fields it has.
    pub fn len(&self) -> usize {
        0
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
