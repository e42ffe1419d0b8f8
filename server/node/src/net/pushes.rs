//! What other tasks and threads have to say to a client, until its own task writes it.
//!
//! Messages of channels, the lines of MONITOR, replies to commands that were blocked: all of them are appended here,
//! already encoded, by whoever has them, and that never waits. The connection's task is woken and takes the whole queue
//! between two replies, so that a push never stands within a reply, and pushes keep the order they came in.
//!
//! A client that does not read is ended before its queue is a danger: what is queued here and what its socket has not
//! taken are limited together, as Redis limits them (`client-output-buffer-limit`), by the class of the client. Where the
//! configuration sets no limit, [`BYTES_MAX`] is one. Who is over the limit loses the queue at once.
//!
//! Neighbours: `clients` has one queue per connection, `connection` empties it, `output` writes.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use nuthatch_proto::ids::Timestamp;
use parking_lot::Mutex;

use crate::config::OutputLimit;

/// No client may hold more than this, whatever the configuration says.
const BYTES_MAX: u64 = 1 << 30;

/// The classes of clients that have limits of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// An ordinary client, and one in MONITOR mode.
    Normal,
    /// A replica.
    Replica,
    /// A client that is subscribed to something.
    Pubsub,
}

/// What clients may hold, by class: shared by all of them, and changed by CONFIG SET.
#[derive(Debug, Default)]
pub(crate) struct OutputLimits(ArcSwap<[OutputLimit; 3]>);

impl OutputLimits {
    /// The limits from now on, in the order of [`Class`].
    pub(crate) fn set(&self, limits: [OutputLimit; 3]) {
        self.0.store(limits.into());
    }

    fn of(&self, class: Class) -> OutputLimit {
        self.0.load()[class as usize]
    }
}

/// One client's queue.
#[derive(Debug, Default)]
pub(crate) struct Pushes {
    queue: Mutex<Vec<u8>>,
    /// Since when more is held than the soft limit allows, in milliseconds; 0 if it is not.
    soft_since: AtomicU64,
}

impl Pushes {
    /// Appends what `write` writes. Whatever `write` reads of the client is read under the queue's lock.
    pub(crate) fn append(&self, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.queue.lock());
    }

    /// Moves everything to the end of `out`; `settle` runs under the queue's lock.
    pub(crate) fn take(&self, out: &mut Vec<u8>, settle: impl FnOnce()) {
        let mut queue = self.queue.lock();
        settle();
        if out.is_empty() && queue.len() > out.capacity() {
            *out = mem::take(&mut *queue);
        } else {
            out.extend_from_slice(&mem::take(&mut *queue));
        }
    }

    /// Gives the memory back: nobody will read it.
    pub(crate) fn discard(&self) {
        *self.queue.lock() = Vec::new();
    }

    /// How many bytes wait.
    pub(crate) fn len(&self) -> usize {
        self.queue.lock().len()
    }

    /// Whether a client of that class that holds so many bytes has held too much, or for too long.
    pub(crate) fn is_over(&self, held: usize, class: Class, limits: &OutputLimits, now: Timestamp) -> bool {
        let limit = limits.of(class);
        let held = held as u64;
        if held > BYTES_MAX || (limit.hard != 0 && held > limit.hard) {
            return true;
        }
        if limit.soft == 0 || held <= limit.soft {
            self.soft_since.store(0, Ordering::Relaxed);
            return false;
        }
        // Whoever finds the limit passed first starts the time; the others find it running.
        let begun = self.soft_since.compare_exchange(0, now.0.max(1), Ordering::Relaxed, Ordering::Relaxed);
        begun.is_err_and(|since| now.0.saturating_sub(since) > limit.soft_seconds.saturating_mul(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> OutputLimits {
        let limits = OutputLimits::default();
        let pubsub = OutputLimit { hard: 100, soft: 10, soft_seconds: 2 };
        limits.set([OutputLimit::default(), OutputLimit::default(), pubsub]);
        limits
    }

    #[test]
    fn what_was_queued_is_taken_whole_and_in_order() {
        let pushes = Pushes::default();
        pushes.append(|out| out.extend_from_slice(b"one"));
        pushes.append(|out| out.extend_from_slice(b"two"));
        let mut out = b"reply".to_vec();
        pushes.take(&mut out, || {});
        assert_eq!((out.as_slice(), pushes.len()), (&b"replyonetwo"[..], 0));
    }

    #[test]
    fn the_hard_limit_is_of_the_moment() {
        let (pushes, limits) = (Pushes::default(), limits());
        assert!(!pushes.is_over(100, Class::Pubsub, &limits, Timestamp(1)));
        assert!(pushes.is_over(101, Class::Pubsub, &limits, Timestamp(1)));
        assert!(!pushes.is_over(101, Class::Normal, &limits, Timestamp(1)));
        let most = usize::try_from(BYTES_MAX).expect("fits");
        assert!(pushes.is_over(most + 1, Class::Normal, &limits, Timestamp(1)));
    }

    #[test]
    fn the_soft_limit_has_patience_and_begins_anew() {
        let (pushes, limits) = (Pushes::default(), limits());
        let over = |held, now| pushes.is_over(held, Class::Pubsub, &limits, Timestamp(now));
        assert!(!over(11, 1000));
        assert!(!over(11, 3000));
        assert!(!over(10, 3001));
        assert!(!over(11, 3002));
        assert!(!over(11, 5002));
        assert!(over(11, 5003));
    }
}
