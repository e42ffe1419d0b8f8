//! Transparent huge pages: the process does without them unless it is told otherwise (`disable-thp`).
//!
//! Where the kernel gives huge pages to everybody, the first touch of any address may make it find and clear 2 MB before
//! the instruction goes on. A cache touches fresh memory all the time, so these are milliseconds taken from some request
//! or other; and a page that one small key keeps occupied is 2 MB kept. What huge pages save, misses of the translation
//! buffer, is less than that here.
//!
//! The switch is the whole process's and holds for memory touched later, so it was thrown before `main`
//! ([`crate::before_main`]), and is thrown back here if the options say so. Children of the process inherit it.

use rustix::thread::disable_transparent_huge_pages;

use crate::before_main::huge_pages_were_on;

/// Has the kernel give this process small pages only, or what it gave when the process was started. A kernel that does
/// not know how is told of, not fatal.
pub(super) fn set(disable: bool) {
    if !disable && !huge_pages_were_on() {
        return;
    }
    if let Err(error) = disable_transparent_huge_pages(disable) {
        tracing::warn!("Cannot switch transparent huge pages for this process: {error}; latency may suffer.");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kernel_shows_that_they_are_off() {
        let status = std::fs::read_to_string("/proc/self/status").expect("the process's own status");
        // Kernels before 5.0 do not show the line.
        let shown = status.lines().find_map(|line| line.strip_prefix("THP_enabled:"));
        assert!(shown.is_none_or(|shown| shown.trim() == "0"), "{shown:?}");
    }
}
