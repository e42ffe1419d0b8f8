//! What may be tuned while the engine runs: the bounds of values, and how the use of keys is remembered.
//!
//! Not here: what an engine is made with and never changes ([`crate::EngineOptions`]). The options that these come from
//! are the node's to read. Commands on all threads read the figures while they change: each is an atomic of its own,
//! read without order, because no two of them must agree.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicUsize, Ordering::Relaxed};

pub use crate::store::stamp::Counting;
use crate::value::Limits;

/// The figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// Until when collections stay compact. The seed among them is the engine's and not taken from here.
    pub limits: Limits,
    /// The longest string that commands make: `proto-max-bulk-len`.
    pub string_max: usize,
    /// The longest HyperLogLog that is kept sparse, its header included: `hll-sparse-max-bytes`.
    pub hll_sparse_max: usize,
    /// Under an LFU policy, how uses are counted; under the others their time is kept.
    pub counting: Option<Counting>,
    /// Whether OBJECT REFCOUNT may say of small integers that many keys share them, as Redis's do.
    pub shared_integers: bool,
    /// Whose names OBJECT ENCODING gives.
    pub encoding_names: EncodingNames,
}

/// Whose names the forms of values have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodingNames {
    /// Redis 7.2's, and for hashes of which fields have deadlines 7.4's.
    Redis72,
    /// Redis 7.0's, which does not tell a short list from a long one and has no compact sets of strings.
    Redis70,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            string_max: 512 * 1024 * 1024,
            hll_sparse_max: 3000,
            counting: None,
            shared_integers: true,
            encoding_names: EncodingNames::Redis72,
        }
    }
}

/// The figures as the engine keeps them.
pub(crate) struct Tuned {
    hash_seed: u64,
    hash_entries: AtomicUsize,
    hash_value: AtomicUsize,
    list_size: AtomicI64,
    set_integers: AtomicUsize,
    set_entries: AtomicUsize,
    set_value: AtomicUsize,
    sorted_set_entries: AtomicUsize,
    sorted_set_value: AtomicUsize,
    string_max: AtomicUsize,
    hll_sparse_max: AtomicUsize,
    counts: AtomicBool,
    log_factor: AtomicU32,
    decay_minutes: AtomicU32,
    shared_integers: AtomicBool,
    older_names: AtomicBool,
}

impl Tuned {
    /// The defaults, with that seed.
    pub(crate) fn new(hash_seed: u64) -> Self {
        let tuned = Self {
            hash_seed,
            hash_entries: AtomicUsize::default(),
            hash_value: AtomicUsize::default(),
            list_size: AtomicI64::default(),
            set_integers: AtomicUsize::default(),
            set_entries: AtomicUsize::default(),
            set_value: AtomicUsize::default(),
            sorted_set_entries: AtomicUsize::default(),
            sorted_set_value: AtomicUsize::default(),
            string_max: AtomicUsize::default(),
            hll_sparse_max: AtomicUsize::default(),
            counts: AtomicBool::default(),
            log_factor: AtomicU32::default(),
            decay_minutes: AtomicU32::default(),
            shared_integers: AtomicBool::default(),
            older_names: AtomicBool::default(),
        };
        tuned.set(Tuning::default());
        tuned
    }

    pub(crate) fn set(&self, tuning: Tuning) {
        let Tuning { limits, string_max, hll_sparse_max, counting, shared_integers, encoding_names } = tuning;
        self.hash_entries.store(limits.hash_entries, Relaxed);
        self.hash_value.store(limits.hash_value, Relaxed);
        self.list_size.store(limits.list_size, Relaxed);
        self.set_integers.store(limits.set_integers, Relaxed);
        self.set_entries.store(limits.set_entries, Relaxed);
        self.set_value.store(limits.set_value, Relaxed);
        self.sorted_set_entries.store(limits.sorted_set_entries, Relaxed);
        self.sorted_set_value.store(limits.sorted_set_value, Relaxed);
        self.string_max.store(string_max, Relaxed);
        self.hll_sparse_max.store(hll_sparse_max, Relaxed);
        if let Some(Counting { log_factor, decay_minutes }) = counting {
            self.log_factor.store(log_factor, Relaxed);
            self.decay_minutes.store(decay_minutes, Relaxed);
        }
        self.counts.store(counting.is_some(), Relaxed);
        self.shared_integers.store(shared_integers, Relaxed);
        self.older_names.store(encoding_names == EncodingNames::Redis70, Relaxed);
    }

    #[inline]
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            hash_entries: self.hash_entries.load(Relaxed),
            hash_value: self.hash_value.load(Relaxed),
            list_size: self.list_size.load(Relaxed),
            set_integers: self.set_integers.load(Relaxed),
            set_entries: self.set_entries.load(Relaxed),
            set_value: self.set_value.load(Relaxed),
            sorted_set_entries: self.sorted_set_entries.load(Relaxed),
            sorted_set_value: self.sorted_set_value.load(Relaxed),
            hash_seed: self.hash_seed,
        }
    }

    #[inline]
    pub(crate) fn string_max(&self) -> usize {
        self.string_max.load(Relaxed)
    }

    pub(crate) fn hll_sparse_max(&self) -> usize {
        self.hll_sparse_max.load(Relaxed)
    }

    pub(crate) fn counting(&self) -> Option<Counting> {
        self.counts.load(Relaxed).then(|| Counting {
            log_factor: self.log_factor.load(Relaxed),
            decay_minutes: self.decay_minutes.load(Relaxed),
        })
    }

    pub(crate) fn shared_integers(&self) -> bool {
        self.shared_integers.load(Relaxed)
    }

    pub(crate) fn encoding_names(&self) -> EncodingNames {
        if self.older_names.load(Relaxed) { EncodingNames::Redis70 } else { EncodingNames::Redis72 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_read_but_for_the_seed() {
        let tuned = Tuned::new(7);
        assert_eq!(tuned.limits(), Limits { hash_seed: 7, ..Limits::default() });
        let limits = Limits { hash_entries: 3, list_size: -1, hash_seed: 9, ..Limits::default() };
        let counting = Some(Counting { log_factor: 2, decay_minutes: 4 });
        let encoding_names = EncodingNames::Redis70;
        let tuning = Tuning {
            limits,
            string_max: 5,
            hll_sparse_max: 6,
            counting,
            shared_integers: false,
            encoding_names,
        };
        tuned.set(tuning);
        assert_eq!(tuned.limits(), Limits { hash_seed: 7, ..limits });
        assert_eq!((tuned.string_max(), tuned.counting(), tuned.shared_integers()), (5, counting, false));
        assert_eq!(tuned.hll_sparse_max(), 6);
        assert_eq!(tuned.encoding_names(), encoding_names);
        tuned.set(Tuning::default());
        assert_eq!((tuned.counting(), tuned.shared_integers()), (None, true));
        assert_eq!(tuned.encoding_names(), EncodingNames::Redis72);
    }
}
