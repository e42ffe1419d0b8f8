//! Until which size a collection stays compact: Redis's thresholds under Redis's option names.
//!
//! They are options (`CONFIG SET hash-max-listpack-entries`), so every change to a collection is told them; a
//! collection that is larger than a lowered limit converts at its next insertion, never back. The hash seed travels
//! with them because it is needed at the same moment: when a collection becomes a hash table.

/// The limits of the compact representations, and the seed of the hash tables beyond them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// `hash-max-listpack-entries`
    pub hash_entries: usize,
    /// `hash-max-listpack-value`
    pub hash_value: usize,
    /// `list-max-listpack-size`: items per node if positive, 4, 8, 16, 32 or 64 KiB per node for -1 to -5.
    pub list_size: i64,
    /// `set-max-intset-entries`
    pub set_integers: usize,
    /// `set-max-listpack-entries`
    pub set_entries: usize,
    /// `set-max-listpack-value`
    pub set_value: usize,
    /// `zset-max-listpack-entries`
    pub sorted_set_entries: usize,
    /// `zset-max-listpack-value`
    pub sorted_set_value: usize,
    /// What keys the hash tables, secret and per process.
    pub hash_seed: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hash_entries: 512,
            hash_value: 64,
            list_size: -2,
            set_integers: 512,
            set_entries: 128,
            set_value: 64,
            sorted_set_entries: 128,
            sorted_set_value: 64,
            hash_seed: 0,
        }
    }
}
