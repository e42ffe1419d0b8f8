//! One hash slot: its lock, its gate, its table and its counts.
//!
//! The lock is one byte and stands in the cache line that any command on the slot must read anyway. The gate says
//! whether this node serves the slot now; it is read under the lock, so that routing may be stale and the gate not: a
//! shut gate refuses the command, and whoever shut it knows that nothing runs on the slot.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::slot::Slot;
use smallvec::SmallVec;

use super::attention::Attention;
use super::entry::{Entry, ValueRef};
use super::stamp::{Stamp, Used};
use super::table::{self, Table};
use crate::context::Context;
use crate::effect::Effect;
use crate::engine::KeyHash;
use crate::notice::Classes;
use crate::value::Kind;
use crate::value::Object;
use crate::waiting::Waiter;

/// Whether a slot is served here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gate {
    /// Commands run.
    #[default]
    Open,
    /// Commands are refused and routed again.
    Shut,
}

/// A slot behind its lock.
#[repr(align(64))]
#[derive(Default)]
pub(crate) struct SlotCell {
    data: Mutex<SlotData>,
}

const _: () = assert!(size_of::<SlotCell>() == 64, "a slot is one cache line, and there are many of them");

impl SlotCell {
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, SlotData> {
        self.data.lock()
    }

    #[inline]
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, SlotData>> {
        self.data.try_lock()
    }
}

/// A key and its hash, and the hasher for the keys that may have to move for it.
#[derive(Clone, Copy)]
pub(crate) struct Hashed<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) hash: u64,
    pub(crate) hasher: &'a KeyHash,
}

/// What the lock protects.
#[derive(Default)]
pub(crate) struct SlotData {
    pub(crate) gate: Gate,
    table: Table,
    /// How many entries have a deadline, and the sum of those deadlines, each cut off at [`DEADLINE_CUT`].
    expiring: u32,
    deadlines: u64,
    /// Who attends to keys of the slot, if anybody does.
    attention: Option<Box<Attention>>,
    /// How many entries are hashes of which fields have deadlines.
    with_field_deadlines: u32,
}

/// Deadlines beyond this, in the year 2527, count as this in sums, so that a slot's sum does not overflow.
const DEADLINE_CUT: u64 = 1 << 44;

/// Where a slot is: effects carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) db: usize,
    pub(crate) slot: Slot,
}

impl Place {
    /// Tells the sink of a change at this place, and notes it for those who attend to the key.
    #[inline]
    pub(crate) fn emit(self, cx: &Context<'_>, effect: Effect<'_>) {
        if cx.touched.is_noting()
            && let Some(key) = effect.key()
        {
            cx.touched.note(self, key);
        }
        if cx.effects.listens() {
            cx.effects.emit(self.db, self.slot, effect);
        }
    }

    /// Notes a key for those who attend to it, of a command that counts as a change whatever it found.
    #[inline]
    pub(crate) fn touch(self, cx: &Context<'_>, key: &[u8]) {
        if cx.touched.is_noting() {
            cx.touched.note(self, key);
        }
    }

    /// Counts a key that was removed because its time had come, and tells of it.
    fn tell_expired(self, cx: &mut Context<'_>, key: &[u8]) {
        cx.stats.expired_keys += 1;
        self.emit(cx, Effect::Expire { key });
        cx.notify(self.db, Classes::EXPIRED, "expired", key);
    }
}

/// What becomes of a key's deadline when a string is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NewDeadline {
    /// It has none afterwards.
    Clear,
    /// It keeps the one it has.
    Keep,
    /// It expires then.
    At(Timestamp),
}

/// Puts down that the key is used now.
#[inline(never)]
fn renew(cx: &mut Context<'_>, hasher: &KeyHash, entry: &mut Entry) {
    if cx.no_touch {
        return;
    }
    let stamp = match hasher.tuned.counting() {
        None => Stamp::time(cx.now),
        Some(law) => entry.stamp().counted(cx.now, law, cx.rng),
    };
    entry.set_stamp(stamp);
}

impl SlotData {
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn expiring(&self) -> usize {
        self.expiring as usize
    }

    /// Whether anybody attends to a key of the slot.
    #[inline]
    pub(crate) fn is_attended(&self) -> bool {
        self.attention.is_some()
    }

    /// Who attends to keys of the slot, to add to them.
    pub(crate) fn attention_mut(&mut self) -> &mut Attention {
        self.attention.get_or_insert_default()
    }

    /// Takes from those who attend to keys of the slot.
    pub(crate) fn attend_less(&mut self, less: impl FnOnce(&mut Attention)) {
        if let Some(attention) = &mut self.attention {
            less(attention);
            if attention.is_empty() {
                self.attention = None;
            }
        }
    }

    /// Tells those who watch a key that it changed.
    #[inline]
    pub(crate) fn touch(&mut self, key: &[u8]) {
        if self.is_attended() {
            self.attend_less(|attention| attention.touch(key));
        }
    }

    /// Who attends to keys of the slot.
    pub(crate) fn attention(&self) -> Option<&Attention> {
        self.attention.as_deref()
    }

    /// Whether anybody waits for a key.
    pub(crate) fn is_awaited(&self, key: &[u8]) -> bool {
        self.attention().is_some_and(|attention| attention.is_awaited(key))
    }

    /// Takes the first of those who wait for a key and a value of that type out of their queue.
    pub(crate) fn next_waiter(&mut self, key: &[u8], kind: Kind) -> Option<Arc<Waiter>> {
        let mut next = None;
        self.attend_less(|attention| next = attention.next_waiter(key, kind));
        next
    }

    /// Tells those who watch a key that is there and alive that it changed: all keys are about to go.
    pub(crate) fn touch_live(&mut self, hasher: &KeyHash, now: Timestamp) {
        let Self { table, attention: Some(attention), .. } = self else { return };
        attention.touch_where(|key| {
            let entry = table.locate(hasher.of(key), key).and_then(|place| table.get(place));
            entry.is_some_and(|entry| entry.deadline().is_none_or(|deadline| deadline > now))
        });
        self.attend_less(|_| {});
    }

    /// Whether a hash in it has fields with deadlines.
    pub(crate) fn has_field_deadlines(&self) -> bool {
        self.with_field_deadlines > 0
    }

    /// How many entries there are about which somebody may have to come: because they expire, or a field of theirs does.
    pub(crate) fn timed(&self) -> usize {
        self.expiring as usize + self.with_field_deadlines as usize
    }

    /// The address of the bucket a key would be in.
    #[inline]
    pub(crate) fn bucket_address(&self, hash: u64) -> Option<*const u8> {
        self.table.bucket_address(hash)
    }

    /// The address of the entry a key probably has.
    #[inline]
    pub(crate) fn entry_address(&self, hash: u64) -> Option<*const u8> {
        self.table.entry_address(hash)
    }

    /// Where a key's entry is, whether or not its deadline has passed.
    #[inline]
    pub(crate) fn locate(&self, hash: u64, key: &[u8]) -> Option<table::Place> {
        self.table.locate(hash, key)
    }

    /// The collection of the entry at a place, if it is one.
    #[inline]
    pub(crate) fn collection(&self, place: table::Place) -> Option<&Object> {
        match self.table.get(place)?.value() {
            ValueRef::Object(object) => Some(object),
            ValueRef::String(_) => None,
        }
    }

    /// The entry of a key, which counts as used; one whose deadline has passed is removed first, which emits its
    /// deletion (unless it is to stay: [`Context::keep_expired`], [`KeyHash::is_passive`]; or is seen all the same:
    /// [`Context::sees_expired`]), and so is every field of a hash.
    #[inline]
    pub(crate) fn live(&mut self, cx: &mut Context<'_>, key: Hashed<'_>, at: Place) -> Option<&mut Entry> {
        let place = self.locate_live(cx, key, at)?;
        let entry = self.table.get_mut(place)?;
        if entry.stamp() != Stamp::time(cx.now) {
            renew(cx, key.hasher, entry);
        }
        Some(entry)
    }

    /// The same for somebody whose look is no use of the key.
    #[inline]
    pub(crate) fn unused(&mut self, cx: &mut Context<'_>, key: Hashed<'_>, at: Place) -> Option<&mut Entry> {
        let place = self.locate_live(cx, key, at)?;
        self.table.get_mut(place)
    }

    /// The entry of a key as it is stored, whether or not its time or that of a field has come; it counts as used.
    pub(crate) fn stored(&mut self, cx: &mut Context<'_>, key: Hashed<'_>) -> Option<&mut Entry> {
        let place = self.table.locate(key.hash, key.bytes)?;
        let entry = self.table.get_mut(place)?;
        if entry.stamp() != Stamp::time(cx.now) {
            renew(cx, key.hasher, entry);
        }
        if entry.has_field_deadlines()
            && let Some(hash) = entry.object_mut().and_then(Object::expiring_mut)
        {
            hash.show_hidden(&key.hasher.tuned.limits());
        }
        Some(entry)
    }

    #[inline]
    fn locate_live(&mut self, cx: &mut Context<'_>, key: Hashed<'_>, at: Place) -> Option<table::Place> {
        let place = self.table.locate(key.hash, key.bytes)?;
        let entry = self.table.get(place)?;
        if entry.deadline().is_some_and(|deadline| deadline <= cx.now) {
            if cx.sees_expired {
                return Some(place);
            }
            self.expire(cx, key, place, at);
            return None;
        }
        if entry.has_field_deadlines() {
            return self.expire_fields(cx, key, place, at).then_some(place);
        }
        Some(place)
    }

    #[cold]
    fn expire(&mut self, cx: &mut Context<'_>, key: Hashed<'_>, place: table::Place, at: Place) {
        if cx.keep_expired || key.hasher.is_passive() {
            return;
        }
        if let Some(entry) = self.remove_at(key.hasher, place) {
            key.hasher.reclaim.entry(entry);
        }
        self.touch(key.bytes);
        at.tell_expired(cx, key.bytes);
    }

    /// Removes the fields of a hash whose deadlines have passed, or hides them where they are to stay; whether the hash
    /// is left.
    #[cold]
    fn expire_fields(
        &mut self,
        cx: &mut Context<'_>,
        key: Hashed<'_>,
        place: table::Place,
        at: Place,
    ) -> bool {
        let hash = self.table.get_mut(place).and_then(Entry::object_mut).and_then(Object::expiring_mut);
        let Some(hash) = hash.filter(|hash| hash.next_deadline().is_some_and(|next| next <= cx.now)) else {
            return true;
        };
        if cx.keep_expired || key.hasher.is_passive() {
            hash.hide_expired(cx.now);
            return !hash.is_empty();
        }
        while let Some(field) = hash.pop_expired(cx.now) {
            cx.stats.expired_fields += 1;
            at.emit(cx, Effect::HashExpire { key: key.bytes, field: &field });
        }
        let is_empty = hash.is_empty();
        self.touch(key.bytes);
        cx.notify(at.db, Classes::HASH, "hexpired", key.bytes);
        if is_empty {
            self.remove_at(key.hasher, place);
            cx.notify(at.db, Classes::GENERIC, "del", key.bytes);
        } else {
            self.note_field_deadlines(key);
        }
        !is_empty
    }

    /// Notes whether the entry of a key is a hash of which fields have deadlines, after those have changed.
    pub(crate) fn note_field_deadlines(&mut self, key: Hashed<'_>) {
        let Some(place) = self.table.locate(key.hash, key.bytes) else { return };
        let Some(entry) = self.table.get_mut(place) else { return };
        let before = entry.has_field_deadlines();
        entry.note_field_deadlines();
        let after = entry.has_field_deadlines();
        self.count_field_deadlines(before, after);
    }

    #[inline]
    fn count_field_deadlines(&mut self, before: bool, after: bool) {
        if before != after {
            self.with_field_deadlines = self.with_field_deadlines + u32::from(after) - u32::from(before);
        }
    }

    /// Keeps the counts when an entry's deadline becomes another one.
    #[inline]
    fn count_deadline(&mut self, before: Option<Timestamp>, after: Option<Timestamp>) {
        if before != after {
            let cut = |deadline: Option<Timestamp>| deadline.map_or(0, |d| d.0.min(DEADLINE_CUT));
            self.expiring = self.expiring + u32::from(after.is_some()) - u32::from(before.is_some());
            self.deadlines = self.deadlines.wrapping_add(cut(after)).wrapping_sub(cut(before));
        }
    }

    /// How long the entries with a deadline have left, in milliseconds, all together.
    pub(crate) fn time_left(&self, now: Timestamp) -> u64 {
        self.deadlines.saturating_sub(now.0.saturating_mul(u64::from(self.expiring)))
    }

    /// Removes the expired ones of the entries whose hashes have these leading bits in their order, and expired fields of
    /// the others; when to come again, and for the key of which hash.
    pub(crate) fn expire_near(
        &mut self,
        cx: &mut Context<'_>,
        hasher: &KeyHash,
        at: Place,
        leading: u32,
        bits: u32,
    ) -> SmallVec<[(u64, Timestamp); 1]> {
        let mut near: SmallVec<[Box<[u8]>; 1]> = SmallVec::new();
        self.table.near(u64::from(leading), bits, |entry| {
            let is_due = |deadline: Timestamp| deadline <= cx.now;
            let has_call =
                || matches!(entry.value(), ValueRef::Object(object) if object.expiring().is_some());
            if entry.deadline().is_some_and(is_due) || entry.has_field_deadlines() && has_call() {
                near.push(entry.key().into());
            }
        });
        let mut calls = SmallVec::new();
        for key in near {
            let key = Hashed { bytes: &key, hash: hasher.of(&key), hasher };
            let hash = self.unused(cx, key, at).and_then(Entry::object_mut).and_then(Object::expiring_mut);
            calls.extend(hash.and_then(|hash| hash.call(cx.now)).map(|call| (key.hash, call)));
        }
        calls
    }

    fn remove_at(&mut self, hasher: &KeyHash, place: table::Place) -> Option<Entry> {
        let entry = self.table.remove(hasher, place)?;
        self.count_deadline(entry.deadline(), None);
        self.count_field_deadlines(entry.has_field_deadlines(), false);
        Some(entry)
    }

    /// Stores a string, whatever was there before; its deadline afterwards.
    #[inline]
    pub(crate) fn set_string(
        &mut self,
        cx: &mut Context<'_>,
        key: Hashed<'_>,
        at: Place,
        value: &[u8],
        deadline: NewDeadline,
    ) -> Option<Timestamp> {
        let Some(entry) = self.live(cx, key, at) else {
            let deadline = match deadline {
                NewDeadline::Clear | NewDeadline::Keep => None,
                NewDeadline::At(time) => Some(time),
            };
            self.insert(cx, key, Entry::string(key.bytes, value, deadline));
            cx.notify(at.db, Classes::NEW, "new", key.bytes);
            return deadline;
        };
        let (before, had_fields) = (entry.deadline(), entry.has_field_deadlines());
        let after = match deadline {
            NewDeadline::Clear => None,
            NewDeadline::Keep => before,
            NewDeadline::At(time) => Some(time),
        };
        if let Some(old) = entry.set_string(value, after) {
            key.hasher.reclaim.entry(old);
        }
        self.count_deadline(before, after);
        self.count_field_deadlines(had_fields, false);
        after
    }

    /// Stores a string with that deadline over whatever is there, expired or not.
    pub(crate) fn overwrite(
        &mut self,
        cx: &mut Context<'_>,
        key: Hashed<'_>,
        value: &[u8],
        deadline: Option<Timestamp>,
    ) {
        let Some(entry) = self.stored(cx, key) else {
            self.insert(cx, key, Entry::string(key.bytes, value, deadline));
            return;
        };
        let (before, had_fields) = (entry.deadline(), entry.has_field_deadlines());
        if let Some(old) = entry.set_string(value, deadline) {
            key.hasher.reclaim.entry(old);
        }
        self.count_deadline(before, deadline);
        self.count_field_deadlines(had_fields, false);
    }

    /// Adds an entry whose key is not in the slot.
    pub(crate) fn insert(&mut self, cx: &Context<'_>, key: Hashed<'_>, mut entry: Entry) -> Option<&Entry> {
        entry.set_stamp(match key.hasher.tuned.counting() {
            None => Stamp::time(cx.now),
            Some(_) => Stamp::first(cx.now),
        });
        self.count_deadline(None, entry.deadline());
        self.count_field_deadlines(false, entry.has_field_deadlines());
        let place = self.table.insert(key.hasher, key.hash, entry);
        self.table.get(place)
    }

    /// Says of a key how it was used elsewhere, as far as the policy asks.
    pub(crate) fn set_used(&mut self, key: Hashed<'_>, now: Timestamp, used: Used) {
        let counts = key.hasher.tuned.counting().is_some();
        let Some(stamp) = used.stamp(now, counts) else { return };
        let place = self.table.locate(key.hash, key.bytes);
        if let Some(entry) = place.and_then(|place| self.table.get_mut(place)) {
            entry.set_stamp(stamp);
        }
    }

    /// The entry of a key, expired or not.
    pub(crate) fn get(&self, key: Hashed<'_>) -> Option<&Entry> {
        self.table.get(self.table.locate(key.hash, key.bytes)?)
    }

    /// Takes the entry out, expired or not.
    pub(crate) fn remove(&mut self, key: Hashed<'_>) -> Option<Entry> {
        let place = self.table.locate(key.hash, key.bytes)?;
        self.remove_at(key.hasher, place)
    }

    /// Takes the entry out if it is live.
    pub(crate) fn remove_live(&mut self, cx: &mut Context<'_>, key: Hashed<'_>, at: Place) -> Option<Entry> {
        let place = self.locate_live(cx, key, at)?;
        self.remove_at(key.hasher, place)
    }

    /// Sets or clears the deadline of a key that is there; whether it is.
    pub(crate) fn set_deadline(&mut self, key: Hashed<'_>, deadline: Option<Timestamp>) -> bool {
        let Some(place) = self.table.locate(key.hash, key.bytes) else { return false };
        let Some(entry) = self.table.get_mut(place) else { return false };
        let before = entry.deadline();
        entry.set_deadline(deadline);
        self.count_deadline(before, deadline);
        true
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.table.iter()
    }

    /// Shows the entries of the cursor's bucket; the next cursor, 0 after the last bucket.
    pub(crate) fn scan<'a>(&'a self, cursor: u64, visit: impl FnMut(&'a Entry)) -> u64 {
        self.table.scan(cursor, visit)
    }

    /// An entry that is `wanted`, chosen by the dice, if there is one.
    pub(crate) fn random(&self, dice: u64, wanted: impl Fn(&Entry) -> bool) -> Option<&Entry> {
        self.table.random(dice, wanted)
    }

    /// Exchanges the keys with those of another slot; the gates stay.
    pub(crate) fn swap(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.table, &mut other.table);
        std::mem::swap(&mut self.expiring, &mut other.expiring);
        std::mem::swap(&mut self.deadlines, &mut other.deadlines);
        std::mem::swap(&mut self.with_field_deadlines, &mut other.with_field_deadlines);
    }

    /// Removes everything.
    pub(crate) fn clear(&mut self) -> Table {
        (self.expiring, self.deadlines, self.with_field_deadlines) = (0, 0, 0);
        std::mem::take(&mut self.table)
    }
}
