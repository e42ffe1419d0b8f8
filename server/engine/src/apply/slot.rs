//! A slot of a copy, locked, and the changes of its keys.
//!
//! The deadlines that come with them are noted for who makes keys expire, although nobody does on a copy: one that
//! becomes a primary goes on with them at once.

use nuthatch_proto::ids::Timestamp;

use super::{Applied, Divergence};
use crate::context::Context;
use crate::engine::Engine;
use crate::store::entry::Entry;
use crate::store::locked::Guard;
use crate::store::slot::{Hashed, Place};
use crate::tuning::Tuning;
use crate::value::{Collection, Hash, Kind, Limits, Object};

/// What it means that the collection an effect changes is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// It comes into being.
    Empty,
    /// It cannot be.
    Wrong,
}

/// A slot of a copy.
pub(super) struct Target<'e, 'x, 'c> {
    engine: &'e Engine,
    cx: &'x mut Context<'c>,
    place: Place,
    slot: Guard<'e>,
}

impl<'e, 'x, 'c> Target<'e, 'x, 'c> {
    pub(super) fn lock(engine: &'e Engine, cx: &'x mut Context<'c>, place: Place) -> Self {
        let slot = engine.slot(place).lock();
        engine.preserve_slot(place, &slot);
        Self { engine, cx, place, slot }
    }

    fn hashed<'k>(&self, key: &'k [u8]) -> Hashed<'k>
    where
        'e: 'k,
    {
        Hashed { bytes: key, hash: self.engine.hash().of(key), hasher: self.engine.hash() }
    }

    fn call_at(&self, key: Hashed<'_>, deadline: Option<Timestamp>) {
        if let Some(deadline) = deadline {
            self.engine.push_hint(self.cx, self.place, key.hash, deadline);
        }
    }

    pub(super) fn set(&mut self, key: &[u8], value: &[u8], deadline: Option<Timestamp>) -> Applied {
        let hashed = self.hashed(key);
        self.slot.overwrite(self.cx, hashed, value, deadline);
        self.call_at(hashed, deadline);
        self.slot.touch(key);
        Ok(())
    }

    pub(super) fn write_at(&mut self, key: &[u8], offset: usize, bytes: &[u8]) -> Applied {
        let hashed = self.hashed(key);
        let entry = self.slot.stored(self.cx, hashed).ok_or(Divergence::NoKey)?;
        if entry.kind() != Kind::String {
            return Err(Divergence::OtherType);
        }
        // A short record can make a long string, but none that is longer than any is, here or by default.
        let longest = self.engine.hash().tuned.string_max().max(Tuning::default().string_max);
        if offset.checked_add(bytes.len()).is_none_or(|end| end > longest) {
            return Err(Divergence::BadValue);
        }
        entry.write_at(offset, bytes);
        self.slot.touch(key);
        Ok(())
    }

    pub(super) fn put(&mut self, key: &[u8], mut object: Object, deadline: Option<Timestamp>) -> Applied {
        if object.is_empty() {
            return Err(Divergence::BadValue);
        }
        let hashed = self.hashed(key);
        let call = object.expiring_mut().and_then(|hash| hash.call(self.cx.now));
        if let Some(old) = self.slot.remove(hashed) {
            hashed.hasher.reclaim.entry(old);
        }
        self.slot.insert(self.cx, hashed, Entry::object(key, object, deadline));
        self.call_at(hashed, deadline);
        self.call_at(hashed, call);
        self.slot.touch(key);
        Ok(())
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Applied {
        let hashed = self.hashed(key);
        let entry = self.slot.remove(hashed).ok_or(Divergence::NoKey)?;
        hashed.hasher.reclaim.entry(entry);
        self.slot.touch(key);
        Ok(())
    }

    pub(super) fn expire(&mut self, key: &[u8]) -> Applied {
        match self.slot.get(self.hashed(key)).map(Entry::deadline) {
            None => Err(Divergence::NoKey),
            Some(None) => Err(Divergence::NoDeadline),
            Some(Some(_)) => self.remove(key),
        }
    }

    pub(super) fn set_deadline(&mut self, key: &[u8], deadline: Option<Timestamp>) -> Applied {
        let hashed = self.hashed(key);
        if !self.slot.set_deadline(hashed, deadline) {
            return Err(Divergence::NoKey);
        }
        self.call_at(hashed, deadline);
        self.slot.touch(key);
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Applied {
        if self.slot.len() == 0 {
            return Err(Divergence::NoKeys);
        }
        let hash = self.engine.hash();
        self.slot.touch_live(hash, self.cx.now);
        hash.reclaim.tables(vec![self.slot.clear()]);
        Ok(())
    }

    /// Changes the collection at a key; it is removed if that leaves it empty.
    pub(super) fn change<C: Collection>(
        &mut self,
        key: &[u8],
        absent: Absent,
        change: impl FnOnce(&mut C, &Limits) -> Applied,
    ) -> Applied {
        let (hashed, limits) = (self.hashed(key), self.engine.hash().tuned.limits());
        let Some(entry) = self.slot.stored(self.cx, hashed) else {
            if absent == Absent::Wrong {
                return Err(Divergence::NoKey);
            }
            let mut collection = C::default();
            change(&mut collection, &limits)?;
            return self.put(key, collection.into_object(), None);
        };
        let had_deadlines = C::EXPIRES && entry.has_field_deadlines();
        let object = entry.object_mut().ok_or(Divergence::OtherType)?;
        change(C::of_mut(object).ok_or(Divergence::OtherType)?, &limits)?;
        if object.is_empty() {
            self.slot.remove(hashed).into_iter().for_each(|entry| hashed.hasher.reclaim.entry(entry));
        } else if had_deadlines || object.expiring().is_some() {
            let call = object.expiring_mut().and_then(|hash: &mut Hash| hash.call(self.cx.now));
            self.slot.note_field_deadlines(hashed);
            self.call_at(hashed, call);
        }
        self.slot.touch(key);
        Ok(())
    }

    /// Exchanges the keys of the slot with those of the same slot in another database.
    pub(super) fn swap(self, with: usize) -> Applied {
        let Self { engine, cx, place, slot } = self;
        // Both are locked in the order of all locks.
        drop(slot);
        if with >= engine.databases() || with == place.db {
            return Err(Divergence::NoDatabase(with));
        }
        let other = Place { db: with, ..place };
        let (low, high) = (place.min(other), place.max(other));
        let (mut left, mut right) = (engine.slot(low).lock(), engine.slot(high).lock());
        if left.len() + right.len() == 0 {
            return Err(Divergence::NoKeys);
        }
        engine.preserve_slot(low, &left);
        engine.preserve_slot(high, &right);
        // A watched key changes if it is there before or after.
        left.touch_live(engine.hash(), cx.now);
        right.touch_live(engine.hash(), cx.now);
        left.swap(&mut right);
        for (place, slot) in [(low, &mut left), (high, &mut right)] {
            slot.touch_live(engine.hash(), cx.now);
            engine.push_hints(cx, place, slot);
        }
        Ok(())
    }
}
