//! What only the operating system knows: memory and processor time, from `/proc`.
//!
//! A value that cannot be read is 0: INFO answers in any case.

use std::fs;

/// Clock ticks per second in `/proc`, the same on every Linux that matters.
const TICKS: f64 = 100.0;

/// Processor seconds of the process: in the kernel, in user mode; then those of its children.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct CpuTimes {
    pub(super) system: f64,
    pub(super) user: f64,
    pub(super) children_system: f64,
    pub(super) children_user: f64,
}

/// The processor time used so far.
pub(super) fn cpu_times() -> CpuTimes {
    parse_stat(&fs::read_to_string("/proc/self/stat").unwrap_or_default())
}

fn parse_stat(stat: &str) -> CpuTimes {
    // The second field is the program's name in parentheses and may hold anything.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let seconds = |place: usize| fields.get(place).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0) / TICKS;
    CpuTimes {
        user: seconds(11),
        system: seconds(12),
        children_user: seconds(13),
        children_system: seconds(14),
    }
}

/// Resident bytes of the process.
pub(in crate::admin) fn resident() -> u64 {
    kilobytes(&fs::read_to_string("/proc/self/status").unwrap_or_default(), "VmRSS:")
}

/// Bytes of memory that the machine has.
pub(in crate::admin) fn total_memory() -> u64 {
    kilobytes(&fs::read_to_string("/proc/meminfo").unwrap_or_default(), "MemTotal:")
}

/// The system's name, release and architecture.
pub(super) fn os() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Linux {} {}", release.trim(), std::env::consts::ARCH)
}

fn kilobytes(text: &str, field: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(field));
    value.and_then(|v| v.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_system_are_read() {
        let stat = "42 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 250 7 9 20 0";
        let expected = CpuTimes { user: 1.5, system: 2.5, children_user: 0.07, children_system: 0.09 };
        assert_eq!(parse_stat(stat), expected);
        assert_eq!(parse_stat(""), CpuTimes::default());
        assert_eq!(kilobytes("VmHWM:\t  9 kB\nVmRSS:\t 7 kB\n", "VmRSS:"), 7168);
        assert!(resident() > 0 && total_memory() > 0);
    }
}
