//! The only reader of the system's time and entropy.
//!
//! Everything inward receives both as arguments, so that a test or a simulation decides them. The data path reads the
//! wall clock once per batch of requests, not once per command.

use std::fs::File;
use std::io::{self, Read};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nuthatch_proto::ids::Timestamp;

/// The wall clock, since the Unix epoch.
pub(crate) fn since_epoch() -> Duration {
    // A clock set before 1970 is taken for 1970.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The wall clock in milliseconds.
#[inline]
pub(crate) fn now() -> Timestamp {
    timestamp(since_epoch())
}

/// A reading of the wall clock in milliseconds.
#[inline]
pub(crate) fn timestamp(since_epoch: Duration) -> Timestamp {
    // Seconds and the rest apart: a division of 128 bits would cost more than reading the clock.
    Timestamp(
        since_epoch.as_secs().saturating_mul(1000).saturating_add(u64::from(since_epoch.subsec_millis())),
    )
}

/// A clock that never goes back, for measuring.
#[inline]
pub(crate) fn monotonic() -> Instant {
    Instant::now()
}

/// The lease clock, in milliseconds: it never goes back, and goes on while the machine is suspended.
pub(crate) fn lease() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    // It counts from the start of the machine, so neither is negative.
    seconds.unwrap_or(0).saturating_mul(1000).saturating_add(nanoseconds.unwrap_or(0) / 1_000_000)
}

/// Fills the buffer from the system's source of randomness.
pub(crate) fn entropy(buffer: &mut [u8]) -> io::Result<()> {
    File::open("/dev/urandom")?.read_exact(buffer)
}

/// A random number, as a seed.
pub(crate) fn seed() -> io::Result<u64> {
    let mut bytes = [0; 8];
    entropy(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}
