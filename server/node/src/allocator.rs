//! The process's allocator: mimalloc, asked in the way that wastes least.
//!
//! The `mimalloc` crate asks for an alignment with every allocation, and mimalloc then makes room for it in all size
//! classes that are not powers of two: 96 bytes become 112, 640 become 768. But its blocks lie at multiples of their
//! class from the start of a page, so that nearly every block is aligned as it is. Here it is asked for the plain size
//! first, and for the alignment only if the block's address shows that it is needed. That is worth a tenth of the
//! memory of small keys, and the plain path is the shorter one.
//!
//! It also counts the bytes that were asked for and not given back ([`allocated`]), because a limit on memory needs a
//! figure that falls when something is freed, which the size of the process does not. Each thread adds up its own and
//! tells the others when it has come to [`TELL_FROM`], so that the count is off by no more than that for each thread. A
//! thread that ends keeps what it has not told.
//!
//! `unsafe` because the allocator's interface is.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};

use libmimalloc_sys::{
    mi_free, mi_malloc, mi_malloc_aligned, mi_realloc, mi_realloc_aligned, mi_zalloc_aligned,
};

unsafe extern "C" {
    /// mimalloc's own, which the crate declares only together with all the rest of its interface.
    fn mi_collect(force: bool);
}

/// mimalloc, as the global allocator.
#[derive(Debug, Default, Clone, Copy)]
pub struct Allocator;

/// What every block of at least its size is aligned to.
const PLAIN_ALIGN: usize = 8;

/// From how many bytes on, more or fewer, a thread tells.
const TELL_FROM: usize = 64 * 1024;

/// What the threads have told.
static TOLD: AtomicIsize = AtomicIsize::new(0);

thread_local! {
    /// What this thread has not told.
    static UNTOLD: Cell<isize> = const { Cell::new(0) };
}

/// How many bytes are allocated; 0 if the process uses another allocator.
pub(crate) fn allocated() -> u64 {
    // A sum below zero is one whose parts are not all told.
    u64::try_from(TOLD.load(Relaxed)).unwrap_or(0)
}

/// Gives memory that is free back to the kernel, at once and on this thread; does nothing if the process uses another
/// allocator.
pub(crate) fn give_back() {
    // SAFETY: it is declared as mimalloc's header has it, may be called at any time, and touches nothing that is allocated.
    unsafe { mi_collect(true) }
}

/// Counts bytes that were allocated, or freed if they are negative. Sizes of blocks are below `isize::MAX`.
#[inline]
fn count(bytes: isize) {
    let sum = UNTOLD.get().wrapping_add(bytes);
    if sum.unsigned_abs() < TELL_FROM {
        UNTOLD.set(sum);
    } else {
        TOLD.fetch_add(sum, Relaxed);
        UNTOLD.set(0);
    }
}

// SAFETY: blocks come from mimalloc, hold at least the layout's size, and are aligned as it says: an address that is not
// is given back at once and asked for again with the alignment. mimalloc's own functions never unwind.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: any size may be asked for, and the layout's alignment is a power of two. What is freed was just
        // allocated and is not returned.
        unsafe {
            let block = mi_malloc(layout.size());
            if block.is_null() {
                return block.cast();
            }
            count(layout.size().cast_signed());
            if block.addr() & (layout.align() - 1) == 0 {
                return block.cast();
            }
            mi_free(block);
            mi_malloc_aligned(layout.size(), layout.align()).cast()
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        let block: *mut u8 = unsafe { mi_zalloc_aligned(layout.size(), layout.align()).cast() };
        if !block.is_null() {
            count(layout.size().cast_signed());
        }
        block
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller gives back a block it got from here.
        unsafe { mi_free(block.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller gives a block it got from here; the alignment is a power of two.
        let block: *mut u8 = unsafe {
            if layout.align() <= PLAIN_ALIGN {
                mi_realloc(block.cast(), size).cast()
            } else {
                mi_realloc_aligned(block.cast(), size, layout.align()).cast()
            }
        };
        if !block.is_null() {
            count(size.cast_signed().wrapping_sub(layout.size().cast_signed()));
        }
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allocated_is_counted_until_it_is_freed() {
        // The tests' own allocations come from elsewhere, so that only these are counted, on this thread alone.
        let told = || TOLD.load(Relaxed) + UNTOLD.get();
        let before = told();
        let layout = Layout::from_size_align(100_000, 8).expect("a small layout");
        // SAFETY: the layout is not empty, and the block is freed once with the size it then has.
        unsafe {
            let block = Allocator.alloc(layout);
            assert_eq!(told() - before, 100_000);
            let block = Allocator.realloc(block, layout, 10);
            assert_eq!(told() - before, 10);
            Allocator.dealloc(block, Layout::from_size_align(10, 8).expect("a small layout"));
        }
        assert_eq!(told(), before);
    }

    #[test]
    fn blocks_are_aligned_and_keep_their_bytes() {
        for align in [1, 2, 8, 16, 64, 4096] {
            for size in [1, 8, 9, 16, 24, 88, 96, 640, 1280, 5000, 100_000] {
                let layout = Layout::from_size_align(size, align).expect("a small layout");
                // SAFETY: the layouts are not empty; each block is written within its size and freed once.
                unsafe {
                    let block = Allocator.alloc(layout);
                    assert!(!block.is_null() && block.addr().is_multiple_of(align), "{layout:?}");
                    block.write_bytes(7, size);
                    let block = Allocator.realloc(block, layout, size * 3);
                    assert!(block.addr().is_multiple_of(align), "{layout:?}");
                    assert!((0..size).all(|at| block.add(at).read() == 7), "{layout:?}");
                    Allocator.dealloc(block, Layout::from_size_align(size * 3, align).expect("the same"));
                    let zeroed = Allocator.alloc_zeroed(layout);
                    assert!((0..size).all(|at| zeroed.add(at).read() == 0), "{layout:?}");
                    Allocator.dealloc(zeroed, layout);
                }
            }
        }
    }
}
