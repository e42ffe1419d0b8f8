//! Active expiry: keys whose deadline has passed are removed on time, used or not.
//!
//! Every key is also checked when it is used, so nobody ever sees an expired one; what happens here frees the memory
//! and tells the replicas. There is no sampling: whoever sets a deadline pushes a hint onto a time wheel ([`wheel`]),
//! and [`crate::Engine::expire_due`], called every few tens of milliseconds, looks where due hints point. Each database
//! has a wheel per 256 slots, behind a lock of its own that is held for a push or a handful of polls.
//!
//! Hints are never taken back, so keys that are deleted or given new deadlines leave stale ones. They are harmless, and
//! their number is bounded: once a second a wheel is compared with its slots, and if most of its hints are stale it is
//! filled anew from the keys that are there.
//!
//! A hash of which fields have deadlines says itself when somebody is to come ([`Hash::call`]), and whoever has come asks
//! it again: it has one hint that counts, however many of its fields expire.
//!
//! On a copy nothing is removed: hints are pushed and compared, and lie there for the day when it becomes a primary.
//!
//! Locks are taken in the order slot, then wheel.

pub(crate) mod wheel;

use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::slot::{SLOT_COUNT, Slot};
use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::context::Context;
use crate::engine::KeyHash;
use crate::store::entry::{Entry, ValueRef};
use crate::store::slot::{Gate, Place, SlotCell, SlotData};
use crate::store::table::Table;
use crate::value::Hash;
use wheel::{GROUP_BITS, Hint, PLACE_BITS, Wheel};

const GROUPS: usize = SLOT_COUNT as usize >> GROUP_BITS;
/// How many hints are taken from a wheel at a time.
const BATCH: usize = 32;
/// How often a wheel is compared with its slots, in milliseconds.
const COMPARE_EVERY: u64 = 1000;
/// A wheel of fewer hints than this is not worth comparing.
const COMPARE_FROM: usize = 2048;
/// How soon a hint for a slot that is not served now comes again, in milliseconds.
const RETRY_AFTER: u64 = 1000;

/// The wheels of one database.
pub(crate) struct Wheels {
    groups: Box<[Mutex<Group>]>,
}

#[derive(Default)]
struct Group {
    /// None until the first hint.
    wheel: Option<Box<Wheel>>,
    compared: Timestamp,
}

impl Default for Wheels {
    fn default() -> Self {
        Self { groups: (0..GROUPS).map(|_| Mutex::default()).collect() }
    }
}

fn hint(slot: Slot, hash: u64) -> (usize, Hint) {
    let place = Table::leading(hash, PLACE_BITS) as u32;
    let [_, within] = slot.number().to_be_bytes();
    (slot.index() >> GROUP_BITS, Hint { slot: within, place })
}

impl Wheels {
    /// Has somebody look for the key of that hash when the deadline has passed.
    pub(crate) fn push(&self, now: Timestamp, slot: Slot, hash: u64, deadline: Timestamp) {
        let (group, hint) = hint(slot, hash);
        self.groups[group].lock().push(now, hint, deadline);
    }

    /// The same for every deadline in a slot.
    pub(crate) fn push_slot(&self, now: Timestamp, hasher: &KeyHash, slot: Slot, data: &SlotData) {
        if data.timed() > 0 {
            for (entry, deadline) in deadlines(data) {
                self.push(now, slot, hasher.of(entry.key()), deadline);
            }
        }
    }

    /// Exchanges the hints with those of another database. Slots may be locked, but no other wheels.
    pub(crate) fn swap(&self, other: &Self) {
        for (own, other) in self.groups.iter().zip(&other.groups) {
            std::mem::swap(&mut *own.lock(), &mut *other.lock());
        }
    }

    /// Removes what is due, handling at most about `budget` hints; how many it handled.
    pub(crate) fn expire_due(
        &self,
        cx: &mut Context<'_>,
        hasher: &KeyHash,
        db: usize,
        slots: &[SlotCell],
        budget: usize,
    ) -> usize {
        let start = cx.rng.below(GROUPS);
        let mut handled = 0;
        for number in (0..GROUPS).map(|offset| (start + offset) % GROUPS) {
            let slots = &slots[number << GROUP_BITS..][..1 << GROUP_BITS];
            self.compare(cx, hasher, number, slots);
            while handled < budget {
                let hints = self.groups[number].lock().poll(cx.now, BATCH.min(budget - handled));
                if hints.is_empty() {
                    break;
                }
                handled += hints.len();
                for hint in hints {
                    self.follow(cx, hasher, db, number, slots, hint);
                }
            }
        }
        handled
    }

    /// Forgets stale hints, and does nothing else.
    pub(crate) fn compare_all(&self, cx: &Context<'_>, hasher: &KeyHash, slots: &[SlotCell]) {
        for (number, slots) in slots.chunks(1 << GROUP_BITS).enumerate() {
            self.compare(cx, hasher, number, slots);
        }
    }

    /// Looks where a hint points.
    fn follow(
        &self,
        cx: &mut Context<'_>,
        hasher: &KeyHash,
        db: usize,
        group: usize,
        slots: &[SlotCell],
        hint: Hint,
    ) {
        let within = usize::from(hint.slot);
        let number = u16::try_from(group << GROUP_BITS | within).ok();
        let Some(slot) = number.and_then(Slot::new) else { return };
        let mut data = slots[within].lock();
        match data.gate {
            Gate::Open => {
                for (hash, call) in data.expire_near(cx, hasher, Place { db, slot }, hint.place, PLACE_BITS) {
                    self.push(cx.now, slot, hash, call);
                }
            }
            // Its keys are not ours to remove now; perhaps they are again later.
            Gate::Shut => {
                let later = Timestamp(cx.now.0.saturating_add(RETRY_AFTER));
                self.groups[group].lock().push(cx.now, hint, later);
            }
        }
    }

    /// Fills a wheel anew if most of its hints are stale.
    fn compare(&self, cx: &Context<'_>, hasher: &KeyHash, number: usize, slots: &[SlotCell]) {
        let mut group = self.groups[number].lock();
        let hints = group.wheel.as_ref().map_or(0, |wheel| wheel.len());
        if hints < COMPARE_FROM || cx.now.0.saturating_sub(group.compared.0) < COMPARE_EVERY {
            return;
        }
        group.compared = cx.now;
        drop(group);
        let timed: usize = slots.iter().map(|cell| cell.lock().timed()).sum();
        if hints <= 2 * timed + COMPARE_FROM / 2 {
            return;
        }
        // A deadline set from here on pushes its hint onto the empty wheel; one set before is found in its slot.
        if let Some(wheel) = &mut self.groups[number].lock().wheel {
            wheel.clear();
        }
        for (within, cell) in (0..=u8::MAX).zip(slots) {
            let data = cell.lock();
            if data.timed() == 0 {
                continue;
            }
            let mut group = self.groups[number].lock();
            for (entry, deadline) in deadlines(&data) {
                let place = Table::leading(hasher.of(entry.key()), PLACE_BITS) as u32;
                group.push(cx.now, Hint { slot: within, place }, deadline);
            }
        }
    }

    /// How many hints there are.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.groups.iter().map(|group| group.lock().wheel.as_ref().map_or(0, |wheel| wheel.len())).sum()
    }
}

/// The times at which somebody is to look at entries of a slot.
fn deadlines(slot: &SlotData) -> impl Iterator<Item = (&Entry, Timestamp)> {
    slot.iter().flat_map(|entry| {
        let call = match entry.value() {
            ValueRef::Object(object) => object.expiring().and_then(Hash::called),
            ValueRef::String(_) => None,
        };
        entry.deadline().into_iter().chain(call).map(move |deadline| (entry, deadline))
    })
}

impl Group {
    fn push(&mut self, now: Timestamp, hint: Hint, deadline: Timestamp) {
        self.wheel.get_or_insert_with(|| Box::new(Wheel::new(now))).push(hint, deadline);
    }

    fn poll(&mut self, now: Timestamp, count: usize) -> SmallVec<[Hint; BATCH]> {
        let Some(wheel) = &mut self.wheel else { return SmallVec::new() };
        std::iter::from_fn(|| wheel.poll(now)).take(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Bench;

    fn hints(bench: &Bench) -> usize {
        bench.engine.wheels(0).map_or(0, Wheels::len)
    }

    #[test]
    fn due_keys_are_removed_within_a_tick() {
        let mut bench = Bench::new();
        for (key, millis) in [("a", 1), ("b", 100), ("c", 60_000), ("d", 86_400_000), ("e", 31_536_000_000)] {
            bench.check(&format!("SET {key} 1 PX {millis}"), "+OK");
            bench.effects();
            let start = bench.now;
            bench.now = start + millis - 1;
            assert_eq!(bench.expire(100), 0, "{key} early");
            bench.now = start + millis + 15;
            assert_eq!(bench.expire(100), 1, "{key} late");
            assert_eq!(bench.effects(), [format!("delete {key}")]);
            bench.check("DBSIZE", ":0");
            bench.now += 1000;
        }
        assert_eq!(hints(&bench), 0);
        assert_eq!(bench.stats.expired_keys, 5);
    }

    #[test]
    fn a_key_that_lives_longer_than_a_hint_said_stays() {
        let mut bench = Bench::new();
        bench.check("SET a 1 PX 100", "+OK");
        bench.check("PEXPIRE a 5000", ":1");
        bench.check("SET b 1 PX 100", "+OK");
        bench.check("PERSIST b", ":1");
        bench.check("SET c 1 PX 100", "+OK");
        bench.check("SET c 2", "+OK");
        bench.now += 200;
        bench.expire(100);
        bench.check("EXISTS a b c", ":3");
        bench.check("RENAME a d", "+OK");
        bench.now += 5000;
        bench.expire(100);
        bench.check("EXISTS b c", ":2");
        bench.check("DBSIZE", ":2");
    }

    #[test]
    fn fields_are_removed_within_a_tick_and_the_hash_with_the_last() {
        let mut bench = Bench::new();
        bench.check("HSET h a 1 b 2 c 3 d 4", ":4");
        bench.check("HPEXPIRE h 100 FIELDS 1 a", "[:1]");
        bench.check("HPEXPIRE h 50 FIELDS 1 b", "[:1]");
        bench.check("HPEXPIRE h 300000 FIELDS 2 c d", "[:1 :1]");
        bench.effects();
        let start = bench.now;
        for (after, effects) in [
            (49, vec![]),
            (66, vec!["hdel h b"]),
            (99, vec![]),
            (116, vec!["hdel h a"]),
            (299_999, vec![]),
            (300_016, vec!["hdel h c", "hdel h d"]),
        ] {
            bench.now = start + after;
            bench.expire(100);
            assert_eq!(bench.effects(), effects, "{after}");
        }
        bench.check("DBSIZE", ":0");
        assert_eq!(bench.stats.expired_fields, 4);
        assert_eq!((hints(&bench), bench.stats.expired_keys), (0, 0));
    }

    #[test]
    fn a_hash_has_one_hint_that_counts() {
        let mut bench = Bench::new();
        bench.check("HSET h a 1 b 2", ":2");
        for n in 0..1_000 {
            bench.check(&format!("HPEXPIRE h {} FIELDS 1 a", 5_000 + n), "[:1]");
        }
        assert_eq!(hints(&bench), 1);
        bench.now += 5_016;
        bench.expire(100);
        assert_eq!(hints(&bench), 1);
        bench.check("HPTTL h FIELDS 2 a b", "[:983 :-1]");
        bench.check("COPY h copy", ":1");
        bench.check("RENAME h {h}moved", "+OK");
        bench.now += 1_000;
        bench.expire(100);
        let mut effects = bench.effects().split_off(1_002);
        effects[3..].sort();
        assert_eq!(
            effects,
            ["put copy hash", "delete h", "put {h}moved hash", "hdel copy a", "hdel {h}moved a"]
        );
        assert_eq!(hints(&bench), 0);
        // Hints that were forgotten are given anew by the hashes themselves.
        for n in 0..COMPARE_FROM {
            bench.check(&format!("HSET {{g}}{n} f v"), ":1");
            for _ in 0..4 {
                bench.check(&format!("HPEXPIRE {{g}}{n} 500 FIELDS 1 f"), "[:1]");
                bench.check(&format!("HPERSIST {{g}}{n} FIELDS 1 f"), "[:1]");
            }
        }
        bench.check("HPEXPIRE {g}7 60000 FIELDS 1 f", "[:1]");
        bench.now += COMPARE_EVERY;
        bench.expire(0);
        assert_eq!(hints(&bench), 1);
        bench.now += 60_000;
        bench.expire(10);
        bench.check("EXISTS {g}7", ":0");
    }

    #[test]
    fn work_per_call_is_bounded() {
        let mut bench = Bench::new();
        (0..500).for_each(|n| bench.check(&format!("SET key:{n} 1 PX 10"), "+OK"));
        bench.now += 100;
        assert_eq!(bench.expire(100), 100);
        bench.check("DBSIZE", ":400");
        assert_eq!(bench.expire(1000), 400);
        bench.check("DBSIZE", ":0");
    }

    #[test]
    fn a_slot_that_is_shut_keeps_its_keys_until_it_opens() {
        let mut bench = Bench::new();
        let slot = Slot::of_key(b"a");
        bench.check("SET a 1 PX 10", "+OK");
        bench.engine.set_gate(slot, Gate::Shut);
        bench.now += 100;
        bench.expire(10);
        assert_eq!(bench.engine.count_keys_in_slot(0, slot), 1);
        bench.engine.set_gate(slot, Gate::Open);
        bench.now += RETRY_AFTER + 16;
        bench.expire(10);
        assert_eq!(bench.engine.count_keys_in_slot(0, slot), 0);
    }

    #[test]
    fn a_copy_hides_what_is_past_its_deadline_until_it_is_a_primary() {
        let mut bench = Bench::new();
        bench.check_all(&[("SET a 1 PX 100", "+OK"), ("SET b 1", "+OK"), ("HSET h e 0 f 1 g 2", ":3")]);
        bench.check_all(&[("HPEXPIRE h 50 FIELDS 1 e", "[:1]"), ("HPEXPIRE h 100 FIELDS 1 f", "[:1]")]);
        bench.check_all(&[("HSET i f 1", ":1"), ("HPEXPIRE i 100 FIELDS 1 f", "[:1]")]);
        bench.effects();
        bench.engine.set_passive(true);
        assert!(bench.engine.is_passive());
        let before = bench.engine.digest_slot(Slot::of_key(b"h"), || ());
        bench.now += 50;
        bench.check_all(&[("HMGET h e f", "[nil 1]"), ("GET a", "1"), ("EXISTS i", ":1")]);
        bench.now += 50;
        bench.check_all(&[
            ("GET a", "nil"),
            ("EXISTS a i h b", ":2"),
            ("TYPE i", "+none"),
            ("HMGET h e f g", "[nil nil 2]"),
            ("HLEN h", ":1"),
            ("HGETALL h", "[g 2]"),
            ("HSCAN h 0", "[0 [g 2]]"),
            ("HTTL h FIELDS 2 e g", "[:-2 :-1]"),
            ("HLEN i", ":0"),
            ("SCAN 0 MATCH [ai]", "[0 []]"),
            ("KEYS [ai]", "[]"),
            ("DBSIZE", ":4"),
        ]);
        assert_eq!((bench.expire(100), bench.effects().len()), (0, 0));
        assert_eq!((bench.stats.expired_keys, bench.stats.expired_fields), (0, 0));
        // It is all there, for other copies and for those who compare.
        assert_eq!(bench.engine.digest_slot(Slot::of_key(b"h"), || ()), before);
        bench.engine.set_passive(false);
        bench.now += 16;
        bench.expire(100);
        let mut effects = bench.effects();
        effects.sort();
        assert_eq!(effects, ["delete a", "hdel h e", "hdel h f", "hdel i f"]);
        bench.check_all(&[("DBSIZE", ":2"), ("HGETALL h", "[g 2]")]);
    }

    #[test]
    fn stale_hints_do_not_pile_up_on_a_copy_either() {
        let mut bench = Bench::new();
        bench.check("SET {g}stays 1 EX 5000", "+OK");
        for n in 0..2 * COMPARE_FROM {
            bench.check(&format!("SET {{g}}{n} 1 EX 1000"), "+OK");
            bench.check(&format!("DEL {{g}}{n}"), ":1");
        }
        bench.engine.set_passive(true);
        bench.now += COMPARE_EVERY;
        assert_eq!((bench.expire(10), hints(&bench)), (0, 1));
    }

    #[test]
    fn stale_hints_do_not_pile_up() {
        let mut bench = Bench::new();
        bench.check("SET {g}stays 1 EX 5000", "+OK");
        for _ in 0..50 {
            for n in 0..1000 {
                bench.check(&format!("SET {{g}}{n} 1 EX 1000"), "+OK");
                bench.check(&format!("DEL {{g}}{n}"), ":1");
            }
            bench.now += COMPARE_EVERY;
            bench.expire(1000);
        }
        assert!(hints(&bench) <= COMPARE_FROM + 1000, "{}", hints(&bench));
        bench.now += 5_000_000;
        bench.expire(100_000);
        bench.check("DBSIZE", ":0");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// After a poll at some time, exactly the keys with later deadlines are left.
        #[test]
        fn what_is_left_is_what_is_not_due(
            keys in proptest::collection::vec((0..400u32, 1..4_000u64), 1..600),
            pause in 1..4_000u64,
        ) {
            let mut bench = Bench::new();
            let mut deadlines = std::collections::BTreeMap::new();
            for (key, millis) in keys {
                // Many keys of one slot, so that places are shared.
                bench.check(&format!("SET {{g}}{key} 1 PX {millis}"), "+OK");
                deadlines.insert(key, bench.now + millis);
                bench.now += 1;
                deadlines.retain(|_, &mut deadline| deadline > bench.now);
            }
            bench.now += pause;
            bench.now += 16;
            bench.expire(usize::MAX);
            let late = deadlines.values().filter(|&&deadline| deadline + 16 > bench.now).count();
            let alive = deadlines.values().filter(|&&deadline| deadline > bench.now).count();
            let left = bench.engine.count_keys_in_slot(0, Slot::of_key(b"{g}"));
            prop_assert!((alive..=late).contains(&left), "{} {} {}", alive, left, late);
        }
    }
}
