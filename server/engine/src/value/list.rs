//! The list type.

/// A list.
#[derive(Debug, Default, Clone)]
pub struct List;

impl List {
    /// How many elements it has.
    pub fn len(&self) -> usize {
        0
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
