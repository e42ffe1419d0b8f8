//! What has to be done before `main`: huge pages are switched off before the allocator asks for memory.
//!
//! Before `main`, mimalloc takes a gigabyte of addresses and asks the kernel for huge pages there. Of what it writes first,
//! a few kilobytes lie in each of two of them, and the process would begin with four megabytes that it never needs. So huge
//! pages are off from before the first allocation on. Whether they stay off is the options' affair
//! ([`crate::node`]'s `huge_pages`), which asks here whether they were on.
//!
//! `unsafe` because running before `main` is.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::thread::{disable_transparent_huge_pages, transparent_huge_pages_are_disabled};

/// What the loader calls before `main`; with a number, before those without.
// SAFETY: the loader calls what stands in this section, and needs no more than that it can be called. What it runs are two
// calls of the kernel, which need nothing of the library that is not there yet, and which do not allocate or unwind.
#[used]
#[unsafe(link_section = ".init_array.00101")]
static BEFORE_MAIN: extern "C" fn() = go_without_huge_pages;

static HUGE_PAGES_WERE_ON: AtomicBool = AtomicBool::new(false);

extern "C" fn go_without_huge_pages() {
    let were_on = transparent_huge_pages_are_disabled().is_ok_and(|disabled| !disabled);
    if were_on && disable_transparent_huge_pages(true).is_ok() {
        HUGE_PAGES_WERE_ON.store(true, Relaxed);
    }
}

/// Whether the process was started with transparent huge pages and had them taken away before `main`.
pub(crate) fn huge_pages_were_on() -> bool {
    HUGE_PAGES_WERE_ON.load(Relaxed)
}
