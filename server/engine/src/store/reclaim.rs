//! Values that are gone for everybody and whose memory is not given back yet.
//!
//! Dropping a value of a million elements frees thousands of allocations. Whoever deletes one holds the lock of its slot
//! and has clients waiting, so a value of more than [`AT_ONCE`] allocations, or a string that is as much work, comes into a
//! queue here, and so do the keys of a database that is flushed. [`Reclaim::free`], called by somebody who has the time,
//! gives the memory back in pieces.
//!
//! The queue is as long as what was deleted; but whoever makes it longer than [`PAYING_FROM`] frees a piece himself, so
//! that nobody deletes faster than memory comes back for long. What is in the queue is in no table, so that nothing
//! refers to it, and its order means nothing.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

use super::entry::Entry;
use super::table::Table;

/// What is dropped at once: as many allocations.
const AT_ONCE: usize = 64;
/// From this length of the queue on, each addition frees [`PAID`] allocations.
const PAYING_FROM: usize = 4096;
const PAID: usize = 128;

/// What is to be freed.
enum Garbage {
    /// A key with a large value.
    Large(Entry),
    /// The keys of slots.
    Keys(Box<dyn Iterator<Item = Entry> + Send>),
}

/// What waited to be freed at some moment: it is paid when as much has been freed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Debt {
    freed: u64,
}

/// The queue.
#[derive(Default)]
pub(crate) struct Reclaim {
    queue: Mutex<VecDeque<Garbage>>,
    pending: AtomicUsize,
    freed: AtomicU64,
    /// What `freed` was when the counter that is shown began.
    shown_from: AtomicU64,
}

impl Reclaim {
    /// Drops an entry, later if that is much to do.
    #[inline]
    pub(crate) fn entry(&self, entry: Entry) {
        if entry.free_effort() > AT_ONCE {
            self.add(Garbage::Large(entry), 1);
        }
    }

    /// Drops all entries of some tables later, unless there are few.
    pub(crate) fn tables(&self, tables: Vec<Table>) {
        let keys = tables.iter().map(Table::len).sum();
        let entries = tables.into_iter().flat_map(Table::into_entries);
        if keys <= AT_ONCE {
            entries.for_each(|entry| self.entry(entry));
        } else {
            self.add(Garbage::Keys(Box::new(entries)), keys);
        }
    }

    #[cold]
    fn add(&self, garbage: Garbage, keys: usize) {
        self.pending.fetch_add(keys, Relaxed);
        let mut queue = self.queue.lock();
        queue.push_back(garbage);
        let long = queue.len() > PAYING_FROM;
        drop(queue);
        if long {
            self.free(PAID);
        }
    }

    /// Frees about that many allocations; how many it freed. Fewer are left if it answers fewer.
    pub(crate) fn free(&self, budget: usize) -> usize {
        let mut spent = 0;
        while spent < budget {
            // The queue is not locked meanwhile: it is also wanted where a slot is.
            let Some(garbage) = self.queue.lock().pop_front() else { break };
            let (freed, rest) = self.free_some(garbage, budget - spent);
            spent += freed;
            if let Some(rest) = rest {
                self.queue.lock().push_front(rest);
            }
        }
        spent
    }

    /// How many allocations were freed, and what is left.
    fn free_some(&self, garbage: Garbage, budget: usize) -> (usize, Option<Garbage>) {
        match garbage {
            Garbage::Large(mut entry) => {
                let freed = entry.shed(budget);
                if freed == budget {
                    return (freed, Some(Garbage::Large(entry)));
                }
                let rest = entry.free_effort();
                self.count(entry);
                (freed + rest, None)
            }
            Garbage::Keys(mut keys) => {
                let mut freed = 0;
                while freed < budget {
                    let Some(entry) = keys.next() else { return (freed + 1, None) };
                    let effort = entry.free_effort();
                    if effort > AT_ONCE {
                        self.queue.lock().push_back(Garbage::Large(entry));
                        freed += 1;
                    } else {
                        self.count(entry);
                        freed += effort;
                    }
                }
                (freed, Some(Garbage::Keys(keys)))
            }
        }
    }

    /// Drops an entry that was pending.
    fn count(&self, entry: Entry) {
        drop(entry);
        self.pending.fetch_sub(1, Relaxed);
        self.freed.fetch_add(1, Relaxed);
    }

    /// How many keys' values wait.
    pub(crate) fn pending(&self) -> usize {
        self.pending.load(Relaxed)
    }

    /// How many were freed that had to wait, since the counter began.
    pub(crate) fn freed(&self) -> u64 {
        self.freed.load(Relaxed) - self.shown_from.load(Relaxed)
    }

    /// Has the counter begin anew.
    pub(crate) fn reset(&self) {
        self.shown_from.store(self.freed.load(Relaxed), Relaxed);
    }

    /// What waits now. The first loaded may be more than there is by the time of the second, never less: a debt that is
    /// never paid ends when nothing waits any more.
    pub(crate) fn debt(&self) -> Debt {
        let pending = self.pending() as u64;
        Debt { freed: pending + self.freed.load(Relaxed) }
    }

    /// Whether as much was freed as waited then.
    pub(crate) fn is_paid(&self, debt: Debt) -> bool {
        self.pending() == 0 || self.freed.load(Relaxed) >= debt.freed
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    /// Makes a set of that many members, one after another.
    fn fill(bench: &mut Bench, key: &str, members: usize) {
        for first in (0..members).step_by(1000) {
            let members: Vec<String> = (first..members.min(first + 1000)).map(|n| format!("m{n}")).collect();
            let mut words = vec!["SADD", key];
            words.extend(members.iter().map(String::as_str));
            // Members of this length make a set of some hundred chunks.
            let long: Vec<String> = words.iter().map(|word| format!("{word:x<99}")).collect();
            words.splice(2.., long[2..].iter().map(String::as_str));
            bench.run_words(&words);
        }
    }

    #[test]
    fn whatever_ends_a_large_value_leaves_its_memory_for_later() {
        for command in ["DEL big", "UNLINK big", "SET big 1", "RENAME other big", "EXPIRE big 0", "FLUSHALL"]
        {
            let mut bench = Bench::new();
            bench.check("SADD other x", ":1");
            fill(&mut bench, "big", 30_000);
            bench.run(command);
            let waits = if command == "FLUSHALL" { 2 } else { 1 };
            assert!((1..=waits).contains(&bench.engine.lazyfree().pending), "{command}");
            assert_eq!(bench.engine.lazyfree().freed, 0, "{command}");
            let mut pieces = 0;
            while bench.engine.reclaim(32) >= 32 {
                pieces += 1;
            }
            assert!(pieces >= 2, "{command}: {pieces}");
            assert_eq!((bench.engine.lazyfree().pending, bench.engine.reclaim(32)), (0, 0), "{command}");
        }
    }

    #[test]
    fn a_long_string_waits_and_counts_as_the_work_it_is() {
        let mut bench = Bench::new();
        bench.check("SETRANGE long 8388607 x", ":8388608");
        bench.check_all(&[("SETRANGE short 100000 x", ":100001"), ("DEL long short", ":2")]);
        assert_eq!(bench.engine.lazyfree().pending, 1);
        assert!(bench.engine.reclaim(1) > 64);
        assert_eq!((bench.engine.lazyfree().pending, bench.engine.lazyfree().freed), (0, 1));
    }

    #[test]
    fn the_keys_of_many_slots_wait_together() {
        let mut bench = Bench::new();
        for number in 0..5000 {
            bench.run(&format!("SET {number} x"));
        }
        bench.check("FLUSHALL", "+OK");
        assert_eq!((bench.engine.lazyfree().pending, bench.engine.lazyfree().freed), (5000, 0));
        while bench.engine.reclaim(100) > 0 {}
        assert_eq!(bench.engine.lazyfree().pending, 0);
    }

    #[test]
    fn small_values_are_freed_at_once() {
        let mut bench = Bench::new();
        bench.check_all(&[("SADD a x", ":1"), ("DEL a", ":1"), ("SET b 1", "+OK"), ("FLUSHALL", "+OK")]);
        assert_eq!((bench.engine.lazyfree().pending, bench.engine.lazyfree().freed), (0, 0));
    }

    #[test]
    fn the_keys_of_a_full_slot_are_freed_in_pieces_and_counted() {
        let mut bench = Bench::new();
        for number in 0..5000 {
            bench.run(&format!("SET {{t}}{number} x"));
        }
        fill(&mut bench, "{t}big", 30_000);
        bench.check("FLUSHDB ASYNC", "+OK");
        assert_eq!(bench.engine.lazyfree().pending, 5001);
        assert!((100..250).contains(&bench.engine.reclaim(100)));
        assert!(bench.engine.lazyfree().pending > 4000);
        while bench.engine.reclaim(100) > 0 {}
        assert_eq!((bench.engine.lazyfree().pending, bench.engine.lazyfree().freed), (0, 5001));
        bench.engine.reset_freed();
        assert_eq!(bench.engine.lazyfree().freed, 0);
    }

    #[test]
    fn a_debt_is_paid_when_as_much_is_freed_as_waited() {
        let mut bench = Bench::new();
        let nothing = bench.engine.debt();
        assert!(bench.engine.is_paid(nothing));
        let fill = |bench: &mut Bench| {
            for number in 0..200 {
                bench.run(&format!("SET {{t}}{number} x"));
            }
            bench.run("FLUSHALL");
        };
        fill(&mut bench);
        let first = bench.engine.debt();
        bench.engine.reclaim(100);
        assert!(!bench.engine.is_paid(first));
        fill(&mut bench);
        bench.engine.reset_freed();
        bench.engine.reclaim(150);
        let second = bench.engine.debt();
        assert!(bench.engine.is_paid(first) && !bench.engine.is_paid(second));
        while bench.engine.reclaim(100) > 0 {}
        assert!(bench.engine.is_paid(second));
    }
}
