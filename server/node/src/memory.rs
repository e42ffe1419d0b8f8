//! How much memory the node has allocated, and whether that leaves room for more data.
//!
//! Used memory is what the allocator has given out and not got back: data, what clients have sent and not been answered,
//! and the node's own. It is read from one counter, so that a command may ask. The highest is noted by whoever samples, ten
//! times a second, so a short peak may be missed.
//!
//! The limit is `maxmemory` as long as the policy is to evict nothing: then commands that may need memory are refused.
//! Under the other policies nothing is refused, and nothing evicted yet.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::allocator::allocated;
use crate::config::Settings;

/// The most memory that was used.
#[derive(Debug, Default)]
pub(crate) struct Peak(AtomicU64);

impl Peak {
    /// What is used now, and the most that was, this included.
    pub(crate) fn sample(&self) -> (u64, u64) {
        let used = used();
        (used, self.0.fetch_max(used, Relaxed).max(used))
    }
}

/// How many bytes are used.
pub(crate) fn used() -> u64 {
    allocated()
}

/// The most that may be used; 0: there is no limit.
pub(crate) fn limit(settings: &Settings) -> u64 {
    if settings.maxmemory_policy == "noeviction" { settings.maxmemory } else { 0 }
}

/// Whether nothing that needs memory may be done.
pub(crate) fn is_full(settings: &Settings) -> bool {
    let limit = limit(settings);
    limit > 0 && used() > limit
}
