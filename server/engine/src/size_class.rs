//! The sizes that the allocator really gives: what is asked for is rounded up to one of them.
//!
//! Whoever keeps many small allocations asks for a whole class, so that it has the use of all that it pays for: entries
//! grow within their class in place, and compact collections need no slack of their own to grow into. The figures are
//! those of mimalloc, and jemalloc's are nearly the same; with another allocator nothing breaks, and a little is wasted.

/// The class of a size: steps of 16 up to 128, then a quarter of the power of two below.
#[inline]
pub(crate) const fn size_class(size: usize) -> usize {
    let step = if size <= 128 { 16 } else { 1 << ((size - 1).ilog2() - 2) };
    (size + step - 1) & !(step - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_of_the_allocator() {
        for (size, class) in [(1, 16), (16, 16), (17, 32), (128, 128), (129, 160), (257, 320), (4096, 4096)] {
            assert_eq!(size_class(size), class, "{size}");
        }
    }
}
