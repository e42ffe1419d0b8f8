//! What clients saw of one key, and whether one register could have shown it.
//!
//! Every written value is unique, so a read names its write, and the question is easy (Gibbons and Korach, 1997). The
//! operations of one value, its write and its reads, stand together in any order that explains them. Their zone is what
//! lies between the first end and the last beginning among them: if the end is first, the value was there for all of that
//! time (a forward zone). A history can be explained if and only if no two forward zones meet, and no other value's
//! operations lie wholly inside one.
//!
//! A write whose outcome is not known counts if it was read, and then has no end of its own; if nobody read it, it may
//! as well never have happened. Moments are numbers of events, all different.

use std::collections::BTreeMap;

/// A written value. The register begins with 0.
pub type Value = u64;

/// The operations of one value.
#[derive(Debug, Clone, Copy)]
struct Cluster {
    write: (u64, Option<u64>),
    first_end: u64,
    last_begin: u64,
    read: bool,
}

/// A register's history.
#[derive(Debug, Default)]
pub struct History {
    clusters: BTreeMap<Value, Cluster>,
}

impl History {
    /// A write begins.
    pub fn write_begins(&mut self, value: Value, at: u64) {
        let cluster = Cluster { write: (at, None), first_end: u64::MAX, last_begin: at, read: false };
        self.clusters.insert(value, cluster);
    }

    /// It is acknowledged.
    pub fn write_ends(&mut self, value: Value, at: u64) {
        if let Some(cluster) = self.clusters.get_mut(&value) {
            cluster.write.1 = Some(at);
            cluster.first_end = cluster.first_end.min(at);
        }
    }

    /// It was refused, and nothing of it may be seen.
    pub fn write_fails(&mut self, value: Value) {
        self.clusters.remove(&value);
    }

    /// A read was answered.
    pub fn read(&mut self, value: Value, begin: u64, end: u64) -> Result<(), String> {
        if value == 0 {
            let initial = Cluster { write: (0, Some(0)), first_end: 0, last_begin: 0, read: true };
            self.clusters.entry(0).or_insert(initial);
        }
        let Some(cluster) = self.clusters.get_mut(&value) else {
            return Err(format!("linearizability: {value} was read and never written"));
        };
        if end < cluster.write.0 {
            return Err(format!("linearizability: {value} was read before it was written"));
        }
        cluster.read = true;
        cluster.first_end = cluster.first_end.min(end);
        cluster.last_begin = cluster.last_begin.max(begin);
        Ok(())
    }

    /// Whether there is an order that explains all of it.
    pub fn check(&self) -> Result<(), String> {
        let happened = |(_, cluster): &(&Value, &Cluster)| cluster.read || cluster.write.1.is_some();
        let clusters: Vec<_> = self.clusters.iter().filter(happened).collect();
        let mut forward: Vec<_> = clusters.iter().filter(|(_, c)| c.first_end < c.last_begin).collect();
        forward.sort_by_key(|(_, cluster)| cluster.first_end);
        for pair in forward.windows(2) {
            if pair[1].1.first_end < pair[0].1.last_begin {
                return Err(format!("linearizability: {:?} and {:?} were both there", pair[0], pair[1]));
            }
        }
        for (value, cluster) in clusters.iter().filter(|(_, c)| c.first_end >= c.last_begin) {
            let before = forward.partition_point(|(_, zone)| zone.first_end < cluster.last_begin);
            let around = before.checked_sub(1).map(|place| forward[place]);
            if let Some((other, zone)) = around.filter(|(_, zone)| cluster.first_end < zone.last_begin) {
                return Err(format!(
                    "linearizability: {value} {cluster:?} was written while {other} {zone:?} was there"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(value, begin, end)` of writes, with no end if it is not known, then of reads.
    fn check(writes: &[(u64, u64, u64)], reads: &[(u64, u64, u64)]) -> bool {
        let mut history = History::default();
        for (value, begin, end) in writes {
            history.write_begins(*value, *begin);
            if *end > 0 {
                history.write_ends(*value, *end);
            }
        }
        reads.iter().all(|(value, begin, end)| history.read(*value, *begin, *end).is_ok())
            && history.check().is_ok()
    }

    #[test]
    fn what_one_register_shows_is_accepted() {
        assert!(check(&[(1, 1, 2), (2, 5, 6)], &[(0, 0, 1), (1, 3, 4), (2, 7, 8)]));
        assert!(check(&[(1, 1, 10), (2, 2, 9)], &[(1, 3, 4), (2, 5, 6)]), "writes at one time, in any order");
        assert!(check(&[(1, 1, 2), (2, 3, 0)], &[(1, 4, 5), (2, 6, 7)]), "an unknown write may come late");
        assert!(check(&[(1, 1, 2), (2, 3, 0)], &[(1, 9, 10)]), "or never");
    }

    #[test]
    fn what_no_register_shows_is_not() {
        assert!(!check(&[(1, 1, 2), (2, 3, 4)], &[(1, 5, 6)]), "a stale read");
        assert!(!check(&[(1, 1, 2)], &[(0, 3, 4)]), "a lost write");
        assert!(!check(&[(1, 1, 2), (2, 3, 0)], &[(2, 4, 5), (1, 6, 7)]), "a value that comes back");
        assert!(!check(&[(1, 5, 6)], &[(1, 1, 2)]), "a read from the future");
        assert!(!check(&[], &[(9, 1, 2)]), "a value out of nowhere");
        assert!(!check(&[(1, 1, 20), (2, 2, 19)], &[(1, 3, 4), (2, 5, 6), (1, 7, 8)]), "there and back");
    }

    /// All orders of a few operations, tried one by one.
    fn explained(operations: &[(bool, u64, u64, u64)]) -> bool {
        fn go(left: &[(bool, u64, u64, u64)], value: u64) -> bool {
            left.is_empty()
                || (0..left.len()).any(|place| {
                    let (write, named, begin, _) = left[place];
                    let first = left.iter().all(|(_, _, _, end)| begin < *end);
                    let mut rest = left.to_vec();
                    rest.remove(place);
                    first && (write || named == value) && go(&rest, if write { named } else { value })
                })
        }
        go(operations, 0)
    }

    #[test]
    fn it_agrees_with_trying_all_orders() {
        let mut random = crate::sim::random::Random::new(7);
        let mut seen = [0, 0];
        for _ in 0..4_000 {
            let mut moments: Vec<u64> = (1..=12).collect();
            for place in (1..moments.len()).rev() {
                moments.swap(place, random.below(place + 1));
            }
            let operation = |number: usize, random: &mut crate::sim::random::Random| {
                let (a, b) = (moments[2 * number], moments[2 * number + 1]);
                let value = if number < 3 { number as u64 + 1 } else { random.within(0..4) };
                (number < 3, value, a.min(b), a.max(b))
            };
            let operations: Vec<_> = (0..6).map(|number| operation(number, &mut random)).collect();
            let of = |write: bool| -> Vec<_> {
                operations.iter().filter(|o| o.0 == write).map(|o| (o.1, o.2, o.3)).collect()
            };
            let expected = explained(&operations);
            assert_eq!(check(&of(true), &of(false)), expected, "{operations:?}");
            seen[usize::from(expected)] += 1;
        }
        assert!(seen.iter().all(|count| *count > 100), "{seen:?}");
    }
}
