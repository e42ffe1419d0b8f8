//! Asking the processor for a cache line before it is needed: a hint without effect on what the program computes.
//!
//! A batch of requests is known before its first one runs, so the memory all of them will touch can be on its way at once
//! instead of one miss after the other. On other processors than x86-64 nothing is asked for, and nothing else changes.

/// Brings the cache line of that address closer, if the processor can. The address need not be valid.
#[inline]
pub(crate) fn line<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing that the program sees and never faults, whatever the address; the instruction
    // is part of every x86-64 processor.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
