//! SWAPDB: two databases exchange their keys, for all clients at once.
//!
//! Clients keep the number of their database, and find the other's keys under it. What is exchanged is the content of
//! every slot, so that no command needs to ask which database a number means today. It takes the locks of all slots of
//! both, in their order, for about a millisecond; gates stay where they are.
//!
//! The hints of keys with deadlines go along. One that an expiring thread has taken from its wheel and not yet followed
//! would look into the wrong database: so the two exclude each other.

use nuthatch_proto::slot::{SLOT_COUNT, Slot};
use smallvec::SmallVec;

use super::{Engine, work_off};
use crate::context::Context;
use crate::effect::Effect;
use crate::store::attention::Attention;
use crate::store::locked::{Guard, LockedSlots};
use crate::store::slot::{Hashed, Place, SlotData};

impl Engine {
    /// Exchanges the keys of two databases. Nobody sees a part of it: all slots of both are locked for as long.
    pub(crate) fn swap(&self, cx: &mut Context<'_>, one: usize, other: usize) {
        if one == other || (self.databases.existing(one).or(self.databases.existing(other))).is_none() {
            return;
        }
        // Hints of keys that expire are not to be on their way from a wheel to a slot meanwhile.
        let _no_expiry = self.swapping.write();
        let (one, other) = (one.min(other), one.max(other));
        let lock =
            |db| Slot::all().map(move |slot| (Place { db, slot }, self.databases.slot(db, slot).lock()));
        let mut slots: SmallVec<[(Place, Guard<'_>); 4]> = lock(one).chain(lock(other)).collect();
        let (left, right) = slots.split_at_mut(usize::from(SLOT_COUNT));
        for ((place, left), (there, right)) in left.iter_mut().zip(right) {
            if left.len() + right.len() > 0 {
                self.expire_watched(cx, (*place, left), (*there, right));
                // A watched key changes if it is there before or after.
                left.touch_live(&self.hash, cx.now);
                right.touch_live(&self.hash, cx.now);
                left.swap(right);
                left.touch_live(&self.hash, cx.now);
                right.touch_live(&self.hash, cx.now);
                place.emit(cx, Effect::SwapSlot { with: other });
            }
        }
        if let (Some(left), Some(right)) = (self.databases.existing(one), self.databases.existing(other)) {
            left.wheels.swap(&right.wheels);
        }
        if self.is_followed() {
            cx.effects.done(true);
            self.end_unit(cx);
        }
        // Those who wait in one may find in it now what was in the other.
        for (place, slot) in &slots {
            for key in slot.attention().into_iter().flat_map(Attention::awaited) {
                cx.touched.note(*place, key);
            }
        }
        work_off(cx, &mut LockedSlots::many(self, one, slots));
    }

    /// Removes watched keys whose deadline has passed, so that none comes to where it is watched as an absent one.
    fn expire_watched(
        &self,
        cx: &mut Context<'_>,
        (here, left): (Place, &mut SlotData),
        (there, right): (Place, &mut SlotData),
    ) {
        let attention = [left.attention(), right.attention()].into_iter().flatten();
        let keys: Vec<Box<[u8]>> = attention.flat_map(Attention::watched).map(Box::from).collect();
        for key in keys {
            let key = Hashed { bytes: &key, hash: self.hash.of(&key), hasher: &self.hash };
            left.live(cx, key, here);
            right.live(cx, key, there);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    #[test]
    fn a_watched_key_that_is_there_before_or_after_has_changed() {
        for (key, touched) in [("before", true), ("after", true), ("both", true), ("neither", false)] {
            let mut bench = Bench::new();
            bench.check("MSET before 1 both 1", "+OK");
            bench.db = 7;
            bench.check("MSET after 1 both 1", "+OK");
            bench.db = 0;
            let (engine, mut cx) = bench.parts();
            let mut watching = engine.watching();
            let slot = Slot::of_key(key.as_bytes());
            engine.watch(&mut cx, &mut watching, 0, slot, key.as_bytes()).expect("gates are open");
            bench.check("SWAPDB 7 0", "+OK");
            assert_eq!(watching.is_touched(), touched, "{key}");
        }
    }

    #[test]
    fn deadlines_of_fields_go_along() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("HSET h f v g w", ":2"),
            ("HPEXPIRE h 100 FIELDS 1 f", "[:1]"),
            ("SWAPDB 0 1", "+OK"),
        ]);
        bench.db = 1;
        bench.now += 100;
        bench.check_all(&[("HGETALL h", "[g w]"), ("DEL h", ":1")]);
    }

    #[test]
    fn a_key_that_has_expired_is_no_change_where_it_comes_to() {
        let mut bench = Bench::new();
        bench.check("SET stale 1 PX 10", "+OK");
        bench.now += 10;
        bench.db = 1;
        let (engine, mut cx) = bench.parts();
        let mut watching = engine.watching();
        let slot = Slot::of_key(b"stale");
        engine.watch(&mut cx, &mut watching, 1, slot, b"stale").expect("gates are open");
        bench.check_all(&[("SWAPDB 0 1", "+OK"), ("EXISTS stale", ":0")]);
        assert!(!watching.is_touched());
    }
}
