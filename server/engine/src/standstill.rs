//! The turns of the threads that run commands, and the moments when all of them stand still but one.
//!
//! What a slot's lock cannot give is a moment for everything: a transaction with FLUSHALL or INFO among its commands
//! would have to hold every slot and yet call what locks slots. So every thread takes a turn for each batch of commands
//! ([`Seat::turn`]), which is a lock of its own that nobody contends for, and whoever needs the moment takes all of
//! them.
//!
//! Order: no lock of a slot is held while a turn is waited for, and nobody who has a turn asks for a standstill: it is
//! given back first.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

/// All threads' seats.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    seats: Mutex<Vec<Arc<Mutex<()>>>>,
}

/// A thread's right to take turns.
#[derive(Debug)]
pub struct Seat(Arc<Mutex<()>>);

/// While it lasts, the thread may run commands.
#[derive(Debug)]
pub struct Turn<'a> {
    _own: MutexGuard<'a, ()>,
}

impl Turns {
    /// One more thread that runs commands.
    pub(crate) fn seat(&self) -> Seat {
        let mut seats = self.seats.lock();
        // A seat that nobody holds any more is of a thread that has ended.
        seats.retain(|seat| Arc::strong_count(seat) > 1);
        let seat = Arc::<Mutex<()>>::default();
        seats.push(Arc::clone(&seat));
        Seat(seat)
    }

    /// Waits until no thread has a turn, and does the work before one gets any. The caller has none.
    pub(crate) fn stand_still<R>(&self, work: impl FnOnce() -> R) -> R {
        let seats = self.seats.lock();
        let _all: Vec<MutexGuard<'_, ()>> = seats.iter().map(|seat| seat.lock()).collect();
        work()
    }
}

impl Seat {
    /// Takes a turn. A thread takes one at a time.
    #[inline]
    pub fn turn(&self) -> Turn<'_> {
        Turn { _own: self.0.lock() }
    }

    /// Takes a turn, unless somebody has all others stand still.
    #[inline]
    pub fn try_turn(&self) -> Option<Turn<'_>> {
        self.0.try_lock().map(|own| Turn { _own: own })
    }

    /// Takes a turn if it is to be had within that time.
    pub fn turn_within(&self, time: Duration) -> Option<Turn<'_>> {
        self.0.try_lock_for(time).map(|own| Turn { _own: own })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn nobody_has_a_turn_while_all_stand_still() {
        let turns = Turns::default();
        let running = AtomicUsize::new(0);
        std::thread::scope(|threads| {
            for _ in 0..3 {
                threads.spawn(|| {
                    let seat = turns.seat();
                    for _ in 0..500 {
                        let turn = seat.turn();
                        running.fetch_add(1, Ordering::SeqCst);
                        running.fetch_sub(1, Ordering::SeqCst);
                        drop(turn);
                        turns.stand_still(|| assert_eq!(running.load(Ordering::SeqCst), 0));
                    }
                });
            }
        });
    }

    #[test]
    fn a_turn_is_not_to_be_had_while_others_stand_still() {
        let turns = Turns::default();
        let seat = turns.seat();
        turns.stand_still(|| {
            assert!(seat.try_turn().is_none());
            assert!(seat.turn_within(Duration::ZERO).is_none());
        });
        assert!(seat.try_turn().is_some());
    }

    #[test]
    fn the_seat_of_a_thread_that_ended_goes() {
        let turns = Turns::default();
        drop(turns.seat());
        let _seat = turns.seat();
        assert_eq!(turns.seats.lock().len(), 1);
    }
}
