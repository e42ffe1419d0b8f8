//! The process's allocator: mimalloc, asked in the way that wastes least.
//!
//! The `mimalloc` crate asks for an alignment with every allocation, and mimalloc then makes room for it in all size
//! classes that are not powers of two: 96 bytes become 112, 640 become 768. But its blocks lie at multiples of their
//! class from the start of a page, so that nearly every block is aligned as it is. Here it is asked for the plain size
//! first, and for the alignment only if the block's address shows that it is needed. That is worth a tenth of the
//! memory of small keys, and the plain path is the shorter one.
//!
//! `unsafe` because the allocator's interface is.

use std::alloc::{GlobalAlloc, Layout};

use libmimalloc_sys::{
    mi_free, mi_malloc, mi_malloc_aligned, mi_realloc, mi_realloc_aligned, mi_zalloc_aligned,
};

/// mimalloc, as the global allocator.
#[derive(Debug, Default, Clone, Copy)]
pub struct Allocator;

/// What every block of at least its size is aligned to.
const PLAIN_ALIGN: usize = 8;

// SAFETY: blocks come from mimalloc, hold at least the layout's size, and are aligned as it says: an address that is not
// is given back at once and asked for again with the alignment. mimalloc's own functions never unwind.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: any size may be asked for, and the layout's alignment is a power of two. What is freed was just
        // allocated and is not returned.
        unsafe {
            let block = mi_malloc(layout.size());
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
        unsafe { mi_zalloc_aligned(layout.size(), layout.align()).cast() }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the caller gives back a block it got from here.
        unsafe { mi_free(block.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller gives a block it got from here; the alignment is a power of two.
        unsafe {
            if layout.align() <= PLAIN_ALIGN {
                mi_realloc(block.cast(), size).cast()
            } else {
                mi_realloc_aligned(block.cast(), size, layout.align()).cast()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
