//! The numbers of this node's proposals, given out so that none can be forgotten while somebody waits for its outcome.
//!
//! The topology remembers the outcomes of a node's last [`SPAN`] numbers and refuses what lies further behind as decided
//! long ago. So a number is given out only while the oldest that is waited for is less than that behind it. Whoever
//! finds the span used up waits in turn; if too many wait already, the answer is [`TooMany`], at once.
//!
//! A number is waited for as long as its [`Turn`] lives. Who gives up drops it: a late copy of that proposal may then be
//! refused, or applied once, which is what its proposer was told.
//!
//! Neighbour: `propose` takes a turn for each proposal and keeps it until the outcome is known.

use std::collections::BTreeSet;

use nuthatch_cluster::topology::proposal::OUTCOMES_PER_NODE;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};

/// How far the newest number is from the oldest that is waited for, at most.
const SPAN: u64 = OUTCOMES_PER_NODE as u64;

/// How many may wait for a number.
const WAITING_MAX: usize = 256;

/// Too many wait for a number already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

/// See the module.
#[derive(Debug)]
pub(crate) struct ProposalNumbers {
    /// Drawn at random, and counted from.
    first: u64,
    given: Mutex<Given>,
    /// How many more may come in and wait.
    room: Semaphore,
    /// Who waits longest holds it and is alone in listening to `freed`.
    turnstile: tokio::sync::Mutex<()>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Given {
    /// How many numbers were given out.
    count: u64,
    /// Which of them are waited for, as counts.
    unanswered: BTreeSet<u64>,
}

/// The right to a number, for as long as somebody waits for what comes of it.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    numbers: &'a ProposalNumbers,
    count: u64,
}

impl ProposalNumbers {
    /// `first` must be random: no two runs of a node may use the same numbers.
    pub(crate) fn new(first: u64) -> Self {
        Self {
            first,
            given: Mutex::default(),
            room: Semaphore::new(WAITING_MAX),
            turnstile: tokio::sync::Mutex::default(),
            freed: Notify::new(),
        }
    }

    /// A number that no proposal had before, as soon as the span allows it; first come, first served.
    pub(crate) async fn take(&self) -> Result<Turn<'_>, TooMany> {
        let _place = self.room.try_acquire().map_err(|_| TooMany)?;
        let _front = self.turnstile.lock().await;
        loop {
            if let Some(turn) = self.take_now() {
                return Ok(turn);
            }
            // A turn that ended meanwhile has left its notice.
            self.freed.notified().await;
        }
    }

    fn take_now(&self) -> Option<Turn<'_>> {
        let mut given = self.given.lock();
        let count = given.count;
        if given.unanswered.first().is_some_and(|oldest| count - oldest >= SPAN) {
            return None;
        }
        given.count += 1;
        given.unanswered.insert(count);
        Some(Turn { numbers: self, count })
    }
}

impl Turn<'_> {
    /// The number.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.first.wrapping_add(self.count)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.numbers.given.lock().unanswered.remove(&self.count);
        self.numbers.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// The turn, if it can be had without waiting.
    fn now(numbers: &ProposalNumbers) -> Option<Turn<'_>> {
        match pin!(numbers.take()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => Some(turn.expect("there is room to wait")),
            Poll::Pending => None,
        }
    }

    #[test]
    fn the_newest_number_is_never_a_whole_memory_ahead_of_the_oldest_unanswered() {
        let numbers = ProposalNumbers::new(u64::MAX - 5);
        let oldest = now(&numbers).expect("nobody else waits");
        let mut newest = oldest.number();
        // Those between are answered at once: it is the span that counts, not how many are under way.
        for _ in 1..SPAN {
            let turn = now(&numbers).expect("within the span");
            assert_eq!(turn.number(), newest.wrapping_add(1));
            newest = turn.number();
        }
        assert_eq!(newest.wrapping_sub(oldest.number()), SPAN - 1);
        assert!(now(&numbers).is_none(), "the topology could forget the oldest");
        drop(oldest);
        assert_eq!(now(&numbers).map(|turn| turn.number()), Some(newest.wrapping_add(1)));
    }

    #[test]
    fn who_waits_is_served_in_turn_and_nobody_waits_without_end() {
        let numbers = ProposalNumbers::new(7);
        let held: Vec<_> = (0..SPAN).map(|_| now(&numbers).expect("within the span")).collect();
        let mut cx = Context::from_waker(Waker::noop());
        let mut waiting: Vec<_> = (0..WAITING_MAX).map(|_| Box::pin(numbers.take())).collect();
        for turn in &mut waiting {
            assert!(turn.as_mut().poll(&mut cx).is_pending());
        }
        match pin!(numbers.take()).poll(&mut cx) {
            Poll::Ready(refused) => assert_eq!(refused.err(), Some(TooMany)),
            Poll::Pending => panic!("one too many waits"),
        }
        drop(held);
        let served: Vec<_> = waiting.iter_mut().map(|turn| turn.as_mut().poll(&mut cx)).collect();
        let numbers: Vec<_> = served
            .iter()
            .map_while(|turn| match turn {
                Poll::Ready(turn) => turn.as_ref().ok().map(Turn::number),
                Poll::Pending => None,
            })
            .collect();
        let expected: Vec<u64> = (7 + SPAN..7 + 2 * SPAN).collect();
        assert_eq!(numbers, expected);
    }

    #[test]
    fn who_gives_up_waiting_leaves_the_place_to_the_next() {
        let numbers = ProposalNumbers::new(0);
        let mut held: Vec<_> = (0..SPAN).map(|_| now(&numbers).expect("within the span")).collect();
        let mut cx = Context::from_waker(Waker::noop());
        let mut gone = Box::pin(numbers.take());
        let mut next = Box::pin(numbers.take());
        assert!(gone.as_mut().poll(&mut cx).is_pending() && next.as_mut().poll(&mut cx).is_pending());
        held.remove(0);
        drop(gone);
        assert!(next.as_mut().poll(&mut cx).is_ready(), "the notice was lost with who gave up");
    }
}
