//! The slots a command works on, locked for it beforehand.
//!
//! A handler reads and changes keys only through this loan and so never locks. Nearly every command holds exactly one
//! slot, which costs one lock and no search; the others hold several, locked in ascending order of (database, slot).
//!
//! What every command shares happens here, once: a key whose deadline has passed is gone before anybody sees it, a
//! collection that became empty is removed, and counts of hits and misses are kept.

use std::cell::RefCell;

use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::slot::Slot;
use parking_lot::MutexGuard;
use smallvec::SmallVec;

use super::attention::Attention;
use super::entry::{Entry, Origin, ValueRef};
pub(crate) use super::slot::NewDeadline;
use super::slot::{Gate, Hashed, Place, SlotData};
use super::stamp::Used;
use crate::command::CommandError;
use crate::context::Context;
use crate::effect::Effect;
use crate::engine::{Engine, KeyHash};
use crate::notice::Classes;
use crate::rdb::Value;
use crate::tuning::Tuned;
use crate::value::{Collection, Hash, Kind, Limits};

pub(crate) type Guard<'a> = MutexGuard<'a, SlotData>;

/// Locked slots, and the database the command runs in.
pub(crate) struct LockedSlots<'a> {
    engine: &'a Engine,
    hash: &'a KeyHash,
    db: usize,
    held: Held<'a>,
}

enum Held<'a> {
    One(Slot, Guard<'a>),
    /// In ascending order of place.
    Many(SmallVec<[(Place, Guard<'a>); 4]>),
}

fn index_of(guards: &[(Place, Guard<'_>)], place: Place) -> Option<usize> {
    guards.binary_search_by_key(&place, |(place, _)| *place).ok()
}

/// What an entry that is put in the place of another counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replacing {
    /// A new key: the old one was deleted first.
    Key,
    /// A new value of the old key.
    Value,
}

#[inline]
fn tell_miss(cx: &mut Context<'_>, at: Place, key: &[u8]) {
    cx.stats.keyspace_misses += 1;
    cx.notify(at.db, Classes::KEY_MISS, "keymiss", key);
}

/// Tells the sink of the changes a handler makes to one collection.
pub(crate) struct Emitter<'a, 'c> {
    cx: &'a Context<'c>,
    place: Place,
    key: &'a [u8],
    limits: &'a Limits,
    held: Option<&'a HeldNotices>,
}

/// Notices of a handler that may be creating its key: they come after the notice that the key is new.
type HeldNotices = RefCell<SmallVec<[(Classes, &'static str); 2]>>;

impl Emitter<'_, '_> {
    /// Until when collections stay compact.
    #[inline]
    pub(crate) fn limits(&self) -> &Limits {
        self.limits
    }

    /// Tells of one change.
    #[inline]
    pub(crate) fn emit(&self, effect: Effect<'_>) {
        self.place.emit(self.cx, effect);
    }

    /// Has the command count as a change for those who watch the key, although it may have found nothing to change.
    pub(crate) fn touch(&self) {
        self.place.touch(self.cx, self.key);
    }

    /// Tells of an event on the collection's key.
    #[inline]
    pub(crate) fn notify(&self, class: Classes, event: &'static str) {
        match self.held {
            None => self.cx.notify(self.place.db, class, event, self.key),
            Some(held) => held.borrow_mut().push((class, event)),
        }
    }
}

/// A string that is in the store, to change it.
pub(crate) struct StringMut<'s> {
    key: &'s [u8],
    entry: &'s mut Entry,
    place: Place,
}

impl StringMut<'_> {
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        self.entry.string_bytes()
    }

    /// Replaces the string; it keeps its deadline.
    #[inline]
    pub(crate) fn replace(&mut self, cx: &Context<'_>, value: &[u8]) {
        let deadline = self.entry.deadline();
        self.entry.set_string(value, deadline);
        self.place.emit(cx, Effect::Set { key: self.key, value, deadline });
    }

    /// Says how the string came to be, if it was not given whole.
    pub(crate) fn set_origin(&mut self, origin: Origin) {
        self.entry.set_origin(origin);
    }

    /// Writes over a part of the string, which grows as needed, with zeros before `offset`.
    pub(crate) fn write_at(&mut self, cx: &Context<'_>, offset: usize, bytes: &[u8]) {
        self.entry.write_at(offset, bytes);
        self.place.emit(cx, Effect::SetRange { key: self.key, offset, bytes });
    }
}

/// The collection that a value must be, if there is one.
#[inline]
pub(crate) fn typed<C: Collection>(value: Option<ValueRef<'_>>) -> Result<Option<&C>, CommandError> {
    match value {
        None => Ok(None),
        Some(ValueRef::String(_)) => Err(CommandError::WrongType),
        Some(ValueRef::Object(object)) => C::of(object).map(Some).ok_or(CommandError::WrongType),
    }
}

impl<'a> LockedSlots<'a> {
    /// The one slot of a command.
    #[inline]
    pub(crate) fn one(engine: &'a Engine, db: usize, slot: Slot, guard: Guard<'a>) -> Self {
        Self { engine, hash: engine.hash(), db, held: Held::One(slot, guard) }
    }

    /// The slots of a command with several, in ascending order of place.
    pub(crate) fn many(engine: &'a Engine, db: usize, guards: SmallVec<[(Place, Guard<'a>); 4]>) -> Self {
        Self { engine, hash: engine.hash(), db, held: Held::Many(guards) }
    }

    /// From now on commands run in that database.
    pub(crate) fn select(&mut self, db: usize) {
        self.db = db;
    }

    /// Whether anybody attends to keys of the slots.
    #[inline]
    pub(crate) fn is_attended(&self) -> bool {
        match &self.held {
            Held::One(_, guard) => guard.is_attended(),
            Held::Many(guards) => guards.iter().any(|(_, guard)| guard.is_attended()),
        }
    }

    /// Whether somebody follows the engine.
    pub(crate) fn is_followed(&self) -> bool {
        self.engine.is_followed()
    }

    /// The slots that are locked.
    pub(crate) fn each(&self) -> impl Iterator<Item = (Place, &SlotData)> {
        let (one, many): (_, &[_]) = match &self.held {
            Held::One(slot, guard) => (Some((Place { db: self.db, slot: *slot }, &**guard)), &[]),
            Held::Many(guards) => (None, guards),
        };
        one.into_iter().chain(many.iter().map(|(place, guard): &(Place, Guard<'_>)| (*place, &**guard)))
    }

    /// The slots that must be locked with these for those who wait in them.
    pub(crate) fn destinations(&self) -> impl Iterator<Item = Place> {
        let guards: &[(Place, Guard<'_>)] = match &self.held {
            // One slot alone is held only where nobody attends to it.
            Held::One(..) => &[],
            Held::Many(guards) => guards,
        };
        guards.iter().filter_map(|(_, guard)| guard.attention()).flat_map(Attention::destinations)
    }

    /// Whether a slot's gate is shut, or the slot is not among those locked.
    pub(crate) fn is_shut(&self, place: Place) -> bool {
        let gate = match &self.held {
            Held::One(slot, guard) => (place == Place { db: self.db, slot: *slot }).then_some(guard.gate),
            Held::Many(guards) => index_of(guards, place).map(|index| guards[index].1.gate),
        };
        gate != Some(Gate::Open)
    }

    /// A slot, if it is among those locked.
    pub(crate) fn slot_mut(&mut self, place: Place) -> Option<&mut SlotData> {
        match &mut self.held {
            Held::One(slot, guard) => (place == Place { db: self.db, slot: *slot }).then_some(&mut **guard),
            Held::Many(guards) => index_of(guards, place).map(|index| &mut *guards[index].1),
        }
    }

    /// The database the command runs in.
    pub(crate) fn db(&self) -> usize {
        self.db
    }

    /// Tells of an event on a key of the command's database.
    #[inline]
    pub(crate) fn notify(&self, cx: &Context<'_>, class: Classes, event: &'static str, key: &[u8]) {
        cx.notify(self.db, class, event, key);
    }

    /// Until when collections stay compact.
    pub(crate) fn limits(&self) -> Limits {
        self.hash.tuned.limits()
    }

    /// Whether the slots are a part of a cluster's.
    pub(crate) fn in_cluster(&self) -> bool {
        self.engine.in_cluster()
    }

    /// Whether the slots are a copy, which a command that only reads may not even note something in.
    pub(crate) fn is_passive(&self) -> bool {
        self.hash.is_passive()
    }

    /// How many databases there are.
    pub(crate) fn databases(&self) -> usize {
        self.engine.databases()
    }

    /// The slot of a key in some database, which must be among those locked.
    #[inline]
    fn at(&mut self, db: usize, key: &[u8]) -> (Place, &mut SlotData) {
        match &mut self.held {
            Held::One(slot, guard) => {
                debug_assert_eq!(Slot::of_key(key), *slot, "the slot of a command's key is locked");
                (Place { db, slot: *slot }, guard)
            }
            Held::Many(guards) => {
                let place = Place { db, slot: Slot::of_key(key) };
                let index =
                    index_of(guards, place).expect("the slots of a command's keys are locked before it runs");
                (place, &mut guards[index].1)
            }
        }
    }

    #[inline]
    fn hashed<'k>(&self, key: &'k [u8]) -> Hashed<'k>
    where
        'a: 'k,
    {
        Hashed { bytes: key, hash: self.hash.of(key), hasher: self.hash }
    }

    /// The live entry at a key, for changes and for commands that count no hit.
    #[inline]
    pub(crate) fn entry_in(&mut self, cx: &mut Context<'_>, db: usize, key: &[u8]) -> Option<&mut Entry> {
        let hashed = self.hashed(key);
        let (at, slot) = self.at(db, key);
        slot.live(cx, hashed, at)
    }

    /// The same in the command's own database.
    #[inline]
    pub(crate) fn entry(&mut self, cx: &mut Context<'_>, key: &[u8]) -> Option<&mut Entry> {
        self.entry_in(cx, self.db, key)
    }

    /// The live entry at a key, for a read: counts a hit or a miss.
    #[inline]
    pub(crate) fn read_entry(&mut self, cx: &mut Context<'_>, key: &[u8]) -> Option<&Entry> {
        let hashed = self.hashed(key);
        let (at, slot) = self.at(self.db, key);
        let Some(entry) = slot.live(cx, hashed, at) else {
            tell_miss(cx, at, key);
            return None;
        };
        cx.stats.keyspace_hits += 1;
        Some(entry)
    }

    /// The live entry at a key, for a command that looks at it without using it: counts a hit or a miss.
    pub(crate) fn unused_entry(&mut self, cx: &mut Context<'_>, key: &[u8]) -> Option<&Entry> {
        let hashed = self.hashed(key);
        let (at, slot) = self.at(self.db, key);
        let entry = slot.unused(cx, hashed, at);
        match entry {
            Some(_) => cx.stats.keyspace_hits += 1,
            None => tell_miss(cx, at, key),
        }
        entry.map(|entry| &*entry)
    }

    /// What is tuned in the engine.
    #[inline]
    pub(crate) fn tuned(&self) -> &'a Tuned {
        &self.hash.tuned
    }

    /// The string at a key, for a read.
    #[inline]
    pub(crate) fn string(&mut self, cx: &mut Context<'_>, key: &[u8]) -> Result<Option<&[u8]>, CommandError> {
        match self.read_entry(cx, key).map(Entry::value) {
            None => Ok(None),
            Some(ValueRef::String(bytes)) => Ok(Some(bytes)),
            Some(ValueRef::Object(_)) => Err(CommandError::WrongType),
        }
    }

    /// The collection at a key, for a read.
    #[inline]
    pub(crate) fn read<C: Collection>(
        &mut self,
        cx: &mut Context<'_>,
        key: &[u8],
    ) -> Result<Option<&C>, CommandError> {
        typed(self.read_entry(cx, key).map(Entry::value))
    }

    /// The collection at a key, for commands that count no hit.
    pub(crate) fn look<C: Collection>(
        &mut self,
        cx: &mut Context<'_>,
        key: &[u8],
    ) -> Result<Option<&C>, CommandError> {
        typed(self.entry(cx, key).map(|entry| entry.value()))
    }

    /// The values at several keys at once, for a read, each as `view` sees it: [`typed`] where one type will do.
    pub(crate) fn read_many<'s, 'k, V>(
        &'s mut self,
        cx: &mut Context<'_>,
        keys: impl Iterator<Item = &'k [u8]> + Clone,
        view: impl Fn(Option<ValueRef<'s>>) -> Result<V, CommandError>,
    ) -> Result<SmallVec<[V; 8]>, CommandError> {
        // First what changes the slots: keys whose time has come go. Time stands still until the values are seen.
        for key in keys.clone() {
            self.read_entry(cx, key);
        }
        let slots = &*self;
        keys.map(|key| view(slots.seen(key).map(Entry::value))).collect()
    }

    /// The entry at a key that was looked up already and found live.
    fn seen(&self, key: &[u8]) -> Option<&Entry> {
        let slot = match &self.held {
            Held::One(_, guard) => guard,
            Held::Many(guards) => {
                let place = Place { db: self.db, slot: Slot::of_key(key) };
                let index = guards.binary_search_by_key(&place, |(place, _)| *place).ok()?;
                &guards[index].1
            }
        };
        slot.get(self.hashed(key))
    }

    /// Puts a collection at a key, over whatever is there and without a deadline, and tells of that event; an empty one
    /// removes the key instead.
    pub(crate) fn store<C: Collection>(
        &mut self,
        cx: &mut Context<'_>,
        key: &[u8],
        collection: C,
        class: Classes,
        event: &'static str,
    ) {
        let object = collection.into_object();
        if !object.is_empty() {
            self.put(cx, self.db, key, Entry::object(key, object, None), Replacing::Value);
            self.notify(cx, class, event, key);
        } else if self.delete(cx, key) {
            self.notify(cx, Classes::GENERIC, "del", key);
        }
    }

    /// Changes the collection at a key, if there is one; it is removed if `change` leaves it empty.
    pub(crate) fn modify<C: Collection, R>(
        &mut self,
        cx: &mut Context<'_>,
        key: &[u8],
        change: impl FnOnce(&mut C, &Emitter<'_, '_>) -> R,
    ) -> Result<Option<R>, CommandError> {
        let (hashed, limits) = (self.hashed(key), self.hash.tuned.limits());
        let engine = self.engine;
        let (place, slot) = self.at(self.db, key);
        let Some(entry) = slot.live(cx, hashed, place) else { return Ok(None) };
        let had_deadlines = C::EXPIRES && entry.has_field_deadlines();
        let object = entry.object_mut().ok_or(CommandError::WrongType)?;
        let collection = C::of_mut(object).ok_or(CommandError::WrongType)?;
        let result = change(collection, &Emitter { cx, place, key, limits: &limits, held: None });
        if object.is_empty() {
            slot.remove(hashed);
            cx.notify(place.db, Classes::GENERIC, "del", key);
        } else if C::EXPIRES && (had_deadlines || object.expiring().is_some()) {
            let call = object.expiring_mut().and_then(|hash| hash.call(cx.now));
            slot.note_field_deadlines(hashed);
            call.into_iter().for_each(|at| engine.push_hint(cx, place, hashed.hash, at));
        }
        Ok(Some(result))
    }

    /// Changes the collection at a key, or an empty one that is put there unless `change` leaves it empty.
    pub(crate) fn modify_or_create<C: Collection, R>(
        &mut self,
        cx: &mut Context<'_>,
        key: &[u8],
        change: impl FnOnce(&mut C, &Emitter<'_, '_>) -> R,
    ) -> Result<R, CommandError> {
        let (hashed, limits) = (self.hashed(key), self.hash.tuned.limits());
        let (place, slot) = self.at(self.db, key);
        let Some(entry) = slot.live(cx, hashed, place) else {
            let mut collection = C::default();
            let held = cx.wants(Classes::NEW).then(HeldNotices::default);
            let emitter = Emitter { cx, place, key, limits: &limits, held: held.as_ref() };
            let result = change(&mut collection, &emitter);
            let object = collection.into_object();
            if !object.is_empty() {
                slot.insert(cx, hashed, Entry::object(key, object, None));
                cx.notify(place.db, Classes::NEW, "new", key);
            }
            for (class, event) in held.into_iter().flat_map(RefCell::into_inner) {
                cx.notify(place.db, class, event, key);
            }
            return Ok(result);
        };
        let had_deadlines = C::EXPIRES && entry.has_field_deadlines();
        let object = entry.object_mut().ok_or(CommandError::WrongType)?;
        let collection = C::of_mut(object).ok_or(CommandError::WrongType)?;
        let result = change(collection, &Emitter { cx, place, key, limits: &limits, held: None });
        if object.is_empty() {
            slot.remove(hashed);
            cx.notify(place.db, Classes::GENERIC, "del", key);
        } else if had_deadlines {
            // They may have gone; none has come.
            slot.note_field_deadlines(hashed);
        }
        Ok(result)
    }

    /// Stores a string, whatever was there before.
    #[inline]
    pub(crate) fn set_string(
        &mut self,
        cx: &mut Context<'_>,
        key: &[u8],
        value: &[u8],
        deadline: NewDeadline,
    ) {
        let hashed = self.hashed(key);
        let (place, slot) = self.at(self.db, key);
        let (new, deadline) = (deadline, slot.set_string(cx, hashed, place, value, deadline));
        if let NewDeadline::At(deadline) = new {
            self.engine.push_hint(cx, place, hashed.hash, deadline);
        }
        place.emit(cx, Effect::Set { key, value, deadline });
    }

    /// Removes a key; whether it was there.
    pub(crate) fn delete(&mut self, cx: &mut Context<'_>, key: &[u8]) -> bool {
        let hashed = self.hashed(key);
        let (place, slot) = self.at(self.db, key);
        let Some(entry) = slot.remove_live(cx, hashed, place) else { return false };
        hashed.hasher.reclaim.entry(entry);
        place.emit(cx, Effect::Delete { key });
        true
    }

    /// The string at a key, to change it.
    #[inline]
    pub(crate) fn string_mut<'s>(
        &'s mut self,
        cx: &mut Context<'_>,
        key: &'s [u8],
    ) -> Result<Option<StringMut<'s>>, CommandError> {
        let hashed = self.hashed(key);
        let (place, slot) = self.at(self.db, key);
        match slot.live(cx, hashed, place) {
            None => Ok(None),
            Some(entry) if entry.kind() == Kind::String => Ok(Some(StringMut { key, entry, place })),
            Some(_) => Err(CommandError::WrongType),
        }
    }

    /// Sets or clears the deadline of a key that is there; whether it is.
    pub(crate) fn set_deadline(
        &mut self,
        cx: &mut Context<'_>,
        key: &[u8],
        deadline: Option<Timestamp>,
    ) -> bool {
        let hashed = self.hashed(key);
        let (place, slot) = self.at(self.db, key);
        let set = slot.set_deadline(hashed, deadline);
        if set {
            place.emit(cx, Effect::Deadline { key, deadline });
            if let Some(deadline) = deadline {
                self.engine.push_hint(cx, place, hashed.hash, deadline);
            }
        }
        set
    }

    /// Moves a key's value and deadline to another name or database, over whatever is there; it must be another place.
    pub(crate) fn move_key(&mut self, cx: &mut Context<'_>, from: &[u8], db: usize, to: &[u8]) {
        let hashed = self.hashed(from);
        let (place, slot) = self.at(self.db, from);
        if let Some(entry) = slot.remove(hashed) {
            place.emit(cx, Effect::Delete { key: from });
            self.put(cx, db, to, entry.renamed(to), Replacing::Key);
        }
    }

    /// Copies a key's value and deadline to another name or database, over whatever is there.
    pub(crate) fn copy_key(&mut self, cx: &mut Context<'_>, from: &[u8], db: usize, to: &[u8]) {
        if let Some(copy) = self.entry(cx, from).map(|entry| entry.copied(to)) {
            self.put(cx, db, to, copy, Replacing::Key);
        }
    }

    /// Stores a value from outside, over whatever is there.
    pub(crate) fn restore(
        &mut self,
        cx: &mut Context<'_>,
        key: &[u8],
        value: Value,
        deadline: Option<Timestamp>,
        used: Used,
    ) {
        let entry = match value {
            Value::String(value) => Entry::string(key, &value, deadline),
            Value::Object(mut object) => {
                object.expiring_mut().and_then(|hash| hash.call(cx.now));
                Entry::object(key, object, deadline)
            }
        };
        self.put(cx, self.db, key, entry, Replacing::Key);
        let hashed = self.hashed(key);
        self.at(self.db, key).1.set_used(hashed, cx.now, used);
    }

    fn put(&mut self, cx: &mut Context<'_>, db: usize, key: &[u8], entry: Entry, replacing: Replacing) {
        let hashed = self.hashed(key);
        let (place, slot) = self.at(db, key);
        let replaced = slot.remove(hashed);
        let is_new = replacing == Replacing::Key || replaced.is_none();
        replaced.into_iter().for_each(|old| hashed.hasher.reclaim.entry(old));
        let Some(entry) = slot.insert(cx, hashed, entry) else { return };
        if is_new {
            cx.notify(db, Classes::NEW, "new", key);
        }
        let deadline = entry.deadline();
        let (effect, call) = match entry.value() {
            ValueRef::String(value) => (Effect::Set { key, value, deadline }, None),
            ValueRef::Object(object) => {
                (Effect::SetObject { key, object, deadline }, object.expiring().and_then(Hash::called))
            }
        };
        place.emit(cx, effect);
        deadline.into_iter().chain(call).for_each(|at| self.engine.push_hint(cx, place, hashed.hash, at));
    }
}
