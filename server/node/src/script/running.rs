//! The script that runs now: at most one, because all other threads stand still for it.
//!
//! Others see how long it has been running and whether it has written, and may ask it to end. It looks now and then
//! whether it was asked.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nuthatch_proto::ids::Timestamp;

/// What became of the wish that the script end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kill {
    /// It will.
    Done,
    /// There is none.
    NotRunning,
    /// It has written: to end it would leave half of what it does.
    HasWritten,
}

/// The script that runs.
#[derive(Debug, Default)]
pub(crate) struct Running {
    /// When it began, in milliseconds since the epoch; 0 if there is none.
    since: AtomicU64,
    wrote: AtomicBool,
    killed: AtomicBool,
    /// The node is ending: no script is to run on.
    stopped: AtomicBool,
}

impl Running {
    /// A script begins.
    pub(crate) fn begin(&self, now: Timestamp) {
        self.wrote.store(false, Ordering::Release);
        self.killed.store(false, Ordering::Release);
        self.since.store(now.0.max(1), Ordering::Release);
    }

    /// It is done.
    pub(crate) fn end(&self) {
        self.since.store(0, Ordering::Release);
    }

    /// It is about to write.
    pub(crate) fn writes(&self) {
        self.wrote.store(true, Ordering::Release);
    }

    /// Whether it has written.
    pub(crate) fn has_written(&self) -> bool {
        self.wrote.load(Ordering::Acquire)
    }

    /// Whether one has been running for that many milliseconds.
    pub(crate) fn is_busy(&self, now: Timestamp, milliseconds: u64) -> bool {
        let since = self.since.load(Ordering::Acquire);
        since != 0 && now.0.saturating_sub(since) >= milliseconds
    }

    /// Asks it to end.
    pub(crate) fn kill(&self) -> Kill {
        if self.since.load(Ordering::Acquire) == 0 {
            Kill::NotRunning
        } else if self.wrote.load(Ordering::Acquire) {
            Kill::HasWritten
        } else {
            self.killed.store(true, Ordering::Release);
            Kill::Done
        }
    }

    /// Ends it, whatever it has done, and all that come after it: the node ends.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// Whether it was asked to end.
    pub(crate) fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Acquire) || self.stopped.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_script_that_has_not_written_is_ended() {
        let running = Running::default();
        assert_eq!(running.kill(), Kill::NotRunning);
        running.begin(Timestamp(1000));
        assert!(!running.is_busy(Timestamp(1009), 10) && running.is_busy(Timestamp(1010), 10));
        assert_eq!((running.kill(), running.is_killed()), (Kill::Done, true));
        running.begin(Timestamp(2000));
        assert!(!running.is_killed());
        running.writes();
        assert_eq!((running.kill(), running.is_killed()), (Kill::HasWritten, false));
        running.stop();
        assert!(running.is_killed());
        running.end();
        assert!(!running.is_busy(Timestamp(9000), 10));
    }
}
