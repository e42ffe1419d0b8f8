//! What the options say to the engine: until when collections stay compact, how long strings grow, how uses count.
//!
//! A figure that the option lets be larger than the engine can count is taken as the largest it can. The engine goes by
//! new figures from the next command on ([`nuthatch_engine::Engine::tune`]); it is told at the start and after every
//! CONFIG SET.

use nuthatch_engine::value::Limits;
use nuthatch_engine::{Counting, EncodingNames, Tuning};

use super::values::Values;

impl Values {
    /// The engine's figures.
    pub(super) fn tuning(&self) -> Tuning {
        let policy = self.text("maxmemory-policy");
        let by_count = policy.ends_with("-lfu");
        // A shared object has one stamp, so that policies that need each key's own do without sharing.
        let stamps_matter = self.number::<u64>("maxmemory") > 0 && (by_count || policy.ends_with("-lru"));
        Tuning {
            limits: Limits {
                hash_entries: self.count("hash-max-listpack-entries"),
                hash_value: self.count("hash-max-listpack-value"),
                list_size: self.number("list-max-listpack-size"),
                set_integers: self.count("set-max-intset-entries"),
                set_entries: self.count("set-max-listpack-entries"),
                set_value: self.count("set-max-listpack-value"),
                sorted_set_entries: self.count("zset-max-listpack-entries"),
                sorted_set_value: self.count("zset-max-listpack-value"),
                ..Limits::default()
            },
            string_max: self.count("proto-max-bulk-len"),
            hll_sparse_max: self.count("hll-sparse-max-bytes"),
            counting: by_count.then(|| Counting {
                log_factor: self.number("lfu-log-factor"),
                decay_minutes: self.number("lfu-decay-time"),
            }),
            shared_integers: !stamps_matter,
            encoding_names: match self.text("compatibility-version") {
                "7.0" => EncodingNames::Redis70,
                _ => EncodingNames::Redis72,
            },
        }
    }

    /// A number of things or bytes: below zero there are none, and memory holds only so many.
    fn count(&self, name: &'static str) -> usize {
        usize::try_from(self.number::<i128>(name).max(0)).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::options;

    #[test]
    fn the_options_reach_their_figures() {
        let mut values = Values::default();
        assert_eq!(values.tuning(), Tuning::default());
        let mut set = |name: &str, value: &str| {
            let id = options::find(name).expect("an option");
            values.set(id, value).expect("a value");
        };
        for (name, value) in [
            ("hash-max-ziplist-entries", "3"),
            ("list-max-listpack-size", "-1"),
            ("zset-max-listpack-value", "5"),
            ("proto-max-bulk-len", "2mb"),
            ("hll-sparse-max-bytes", "1kb"),
            ("maxmemory-policy", "allkeys-lfu"),
            ("lfu-log-factor", "0"),
            ("maxmemory", "1mb"),
            ("compatibility-version", "7.0"),
        ] {
            set(name, value);
        }
        let limits = Limits { hash_entries: 3, list_size: -1, sorted_set_value: 5, ..Limits::default() };
        let counting = Some(Counting { log_factor: 0, decay_minutes: 1 });
        let encoding_names = EncodingNames::Redis70;
        let expected = Tuning {
            limits,
            string_max: 2 << 20,
            hll_sparse_max: 1024,
            counting,
            shared_integers: false,
            encoding_names,
        };
        assert_eq!(values.tuning(), expected);
    }
}
