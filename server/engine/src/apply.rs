//! Records applied to a copy: a replica follows its primary so, and a slot that moves is brought up to date.
//!
//! Applying a slot's effects in their order to a copy of the slot yields the slot. So a record is taken at its word: no
//! gate is asked, no limit of memory and no clock, for the primary has asked them; what is past its deadline is there
//! until a record says that it is gone. Those who watch a key hear that it changed. Nobody who waits for a key is served, no
//! notice is told and no effect emitted: who serves, and tells, is the primary.
//!
//! An effect that cannot have been one of this slot (a pop from an empty list, a key of another type) says that the copy
//! is none any more ([`Divergence`]), and so does a string that would be longer than any may be. It changes nothing, or
//! not all that it should; the caller gives the copy up and takes a new one.
//!
//! Neighbours: [`crate::effect::record`] has the bytes, `apply/slot` the work on the slot, `apply/elements` that on its
//! collections.

mod elements;
mod slot;

use crate::context::Context;
use crate::effect::Effect;
use crate::effect::record::{Change, Malformed, Record};
use crate::engine::Engine;
use crate::rdb;
use crate::store::slot::Place;
use crate::value::Hash;
use slot::{Absent, Target};

/// Why an effect does not fit the copy it was to be applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Divergence {
    /// Its database is not there.
    #[error("there is no database {0} here")]
    NoDatabase(usize),
    /// It changes or takes a key that is not there.
    #[error("the key that it changes is not there")]
    NoKey,
    /// The key holds a value of another type.
    #[error("the key that it changes holds another type")]
    OtherType,
    /// It changes or takes an element that is not there, or more of them than there are.
    #[error("elements that it changes are not there")]
    NoElement,
    /// It adds an element that is there.
    #[error("the element that it adds is there already")]
    ElementThere,
    /// It ends the life of what has no deadline.
    #[error("what it takes for expired has no deadline")]
    NoDeadline,
    /// It empties a slot, or exchanges two, that are empty.
    #[error("the slot that it changes is empty")]
    NoKeys,
    /// It has a value that no effect has.
    #[error("its value is none that the key could have")]
    BadValue,
}

/// Why not all records of a row were applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unapplied {
    /// The bytes from there on are no record.
    #[error("at byte {at}: {why}")]
    Malformed {
        /// Where, counted from the first record.
        at: usize,
        /// What is wrong.
        why: Malformed,
    },
    /// The copy is none any more.
    #[error("the copy has diverged: at byte {at} is an effect that does not fit it: {why}")]
    Diverged {
        /// Where, counted from the first record.
        at: usize,
        /// What does not fit.
        why: Divergence,
    },
}

type Applied = Result<(), Divergence>;

impl Engine {
    /// Applies records that stand one behind the other, in a turn as any command; how many bytes they took. Fewer than
    /// there are if the last one is not whole.
    pub fn apply(&self, cx: &mut Context<'_>, records: &[u8]) -> Result<usize, Unapplied> {
        let mut at = 0;
        while let Some((record, taken)) =
            Record::read(&records[at..]).map_err(|why| Unapplied::Malformed { at, why })?
        {
            self.apply_record(cx, &record).map_err(|why| Unapplied::Diverged { at, why })?;
            at += taken;
        }
        Ok(at)
    }

    /// Applies one record.
    pub fn apply_record(&self, cx: &mut Context<'_>, record: &Record<'_>) -> Result<(), Divergence> {
        let Record { db, slot, change } = *record;
        if db >= self.databases() {
            return Err(Divergence::NoDatabase(db));
        }
        let place = Place { db, slot };
        match change {
            Change::Effect(effect) => Target::lock(self, cx, place).apply(effect),
            Change::Object { key, bytes, deadline } => {
                // It is built before the slot is locked.
                let object = rdb::read_object(bytes, &self.hash().tuned.limits());
                Target::lock(self, cx, place).put(key, object.ok_or(Divergence::BadValue)?, deadline)
            }
        }
    }
}

impl Target<'_, '_, '_> {
    fn apply(mut self, effect: Effect<'_>) -> Applied {
        match effect {
            Effect::Set { key, value, deadline } => self.set(key, value, deadline),
            Effect::SetRange { key, offset, bytes } => self.write_at(key, offset, bytes),
            Effect::SetObject { key, object, deadline } => self.put(key, object.clone(), deadline),
            Effect::Delete { key } => self.remove(key),
            Effect::Expire { key } => self.expire(key),
            Effect::Deadline { key, deadline } => self.set_deadline(key, deadline),
            Effect::HashSet { key, field, value } => {
                self.change(key, Absent::Empty, |hash: &mut Hash, limits| {
                    hash.set(field, value, limits);
                    Ok(())
                })
            }
            Effect::HashDeadline { key, field, deadline } => {
                self.change(key, Absent::Wrong, elements::field_deadline(field, deadline))
            }
            Effect::HashDelete { key, field } => self.change(key, Absent::Wrong, elements::field_gone(field)),
            Effect::HashExpire { key, field } => {
                self.change(key, Absent::Wrong, elements::field_expired(field))
            }
            Effect::ListPush { key, end, element } => {
                self.change(key, Absent::Empty, elements::pushed(end, element))
            }
            Effect::ListPop { key, end, count } => {
                self.change(key, Absent::Wrong, elements::popped(end, count))
            }
            Effect::ListInsert { key, index, element } => {
                self.change(key, Absent::Wrong, elements::inserted(index, element))
            }
            Effect::ListSet { key, index, element } => {
                self.change(key, Absent::Wrong, elements::replaced(index, element))
            }
            Effect::ListRemove { key, from, count, element } => {
                self.change(key, Absent::Wrong, elements::taken(from, count, element))
            }
            Effect::SetAdd { key, member } => self.change(key, Absent::Empty, elements::joined(member)),
            Effect::SetRemove { key, member } => self.change(key, Absent::Wrong, elements::left(member)),
            Effect::SortedSetAdd { key, member, score } => {
                self.change(key, Absent::Empty, elements::scored(member, score))
            }
            Effect::SortedSetRemove { key, member } => {
                self.change(key, Absent::Wrong, elements::unscored(member))
            }
            Effect::SortedSetPop { key, from, count } => {
                self.change(key, Absent::Wrong, elements::extremes(from, count))
            }
            Effect::SwapSlot { with } => self.swap(with),
            Effect::FlushSlot => self.flush(),
        }
    }
}

#[cfg(test)]
mod tests;
