//! What other tasks and threads have to say to a client, until its own task writes it.
//!
//! Messages of channels, the lines of MONITOR, replies to commands that were blocked: all of them are appended here,
//! already encoded, by whoever has them, and that never waits. The connection's task is woken and takes the whole queue
//! between two replies, so that a push never stands within a reply, and pushes keep the order they came in.
//!
//! The queue is a chain of chunks, so that one that grows long neither moves what it holds nor keeps twice the room; and who
//! takes from it takes a piece at a time.
//!
//! A client that does not read is ended before its queue is a danger: what is queued here and what its socket has not
//! taken are limited together, as Redis limits them (`client-output-buffer-limit`), by the class of the client. Where the
//! configuration sets no limit, [`BYTES_MAX`] is one. Who is over the limit loses the queue at once.
//!
//! Neighbours: `clients` has one queue per connection, `connection` empties it, `output` writes.

use std::collections::VecDeque;
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

/// A chunk of the queue is closed when it has this length.
const CHUNK_LEN: usize = 16 * 1024;

/// So much, and the rest of a chunk, is taken at once.
const PIECE_LEN: usize = 256 * 1024;

/// How much of a queue somebody takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    /// A piece that is worth a write.
    Piece,
    /// Everything.
    All,
}

/// Bytes in the order in which they came.
#[derive(Debug, Default)]
struct Chain {
    closed: VecDeque<Vec<u8>>,
    open: Vec<u8>,
    len: usize,
}

impl Chain {
    fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.open.len();
        write(&mut self.open);
        self.len += self.open.len() - before;
        if self.open.len() >= CHUNK_LEN {
            let mut chunk = mem::take(&mut self.open);
            // A chunk that has just been doubled for its last message is half empty.
            if chunk.capacity() - chunk.len() > CHUNK_LEN / 4 {
                chunk.shrink_to_fit();
            }
            self.closed.push_back(chunk);
        }
    }

    /// Moves bytes to the end of `out`; whether any are left.
    fn take(&mut self, out: &mut Vec<u8>, take: Take) -> bool {
        let begin = out.len();
        while take == Take::All || out.len() - begin < PIECE_LEN {
            let chunk = self.closed.pop_front().unwrap_or_else(|| mem::take(&mut self.open));
            if chunk.is_empty() {
                break;
            }
            self.len -= chunk.len();
            if out.is_empty() && chunk.len() > out.capacity() {
                *out = chunk;
            } else {
                out.extend_from_slice(&chunk);
            }
        }
        self.len > 0
    }
}

/// One client's queue.
#[derive(Debug, Default)]
pub(crate) struct Pushes {
    queue: Mutex<Chain>,
    /// Since when more is held than the soft limit allows, in milliseconds; 0 if it is not.
    soft_since: AtomicU64,
}

impl Pushes {
    /// Appends what `write` writes; the bytes that `write` is given are those of its chunk. Whatever `write` reads of the
    /// client is read under the queue's lock.
    pub(crate) fn append(&self, write: impl FnOnce(&mut Vec<u8>)) {
        self.queue.lock().append(write);
    }

    /// Moves bytes to the end of `out`; `settle` runs under the queue's lock if none are left.
    pub(crate) fn take(&self, out: &mut Vec<u8>, take: Take, settle: impl FnOnce()) {
        let mut queue = self.queue.lock();
        if !queue.take(out, take) {
            settle();
        }
    }

    /// Gives the memory back: nobody will read it.
    pub(crate) fn discard(&self) {
        *self.queue.lock() = Chain::default();
    }

    /// How many bytes wait.
    pub(crate) fn len(&self) -> usize {
        self.queue.lock().len
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
        pushes.take(&mut out, Take::All, || {});
        assert_eq!((out.as_slice(), pushes.len()), (&b"replyonetwo"[..], 0));
    }

    #[test]
    fn a_long_queue_is_taken_piece_by_piece_and_settled_at_its_end() {
        let pushes = Pushes::default();
        let message = |number: u32| number.to_be_bytes().repeat(700);
        (0..1000).for_each(|number| pushes.append(|out| out.extend_from_slice(&message(number))));
        let all: Vec<u8> = (0..1000).flat_map(message).collect();
        assert_eq!(pushes.len(), all.len());
        let (mut taken, mut settled, mut pieces) = (Vec::new(), false, 0);
        while !settled {
            let mut piece = Vec::new();
            pushes.take(&mut piece, Take::Piece, || settled = true);
            assert!(piece.len() < PIECE_LEN + 2 * CHUNK_LEN);
            taken.extend(piece);
            pieces += 1;
        }
        assert_eq!((pieces, taken == all, pushes.len()), (11, true, 0));
    }

    #[test]
    fn a_chunk_is_not_kept_half_empty() {
        let mut chain = Chain::default();
        for _ in 0..100 {
            chain.append(|out| out.extend_from_slice(&[0; 10_000]));
        }
        let room: usize = chain.closed.iter().chain([&chain.open]).map(Vec::capacity).sum();
        assert!(room < chain.len + chain.len / 3, "{room} for {}", chain.len);
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
