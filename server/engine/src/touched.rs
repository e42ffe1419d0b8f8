//! The keys that a command changed, noted while somebody attends to keys of its slots.
//!
//! Changes are told where they happen ([`Place::emit`](crate::store::slot::Place)), deep inside a value; what follows
//! from them for other clients must wait until the command is done, because it may lock, pop and push. So they are
//! noted here and worked off under the same locks. Where nobody attends to anything, noting is switched off and a
//! change costs one test.
//!
//! A transaction that runs its commands one by one holds the notes back until its end ([`HeldBack`]).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use crate::store::slot::Place;

/// A key that was changed.
pub(crate) type TouchedKey = (Place, Box<[u8]>);

/// The keys that the running command changed.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    noting: Cell<bool>,
    keys: RefCell<VecDeque<TouchedKey>>,
}

impl Touched {
    /// Whether changes are noted.
    #[inline]
    pub(crate) fn is_noting(&self) -> bool {
        self.noting.get()
    }

    /// Has changes noted from now on, or no longer.
    pub(crate) fn set_noting(&self, noting: bool) {
        self.noting.set(noting);
    }

    /// Notes a key, once for changes that follow each other.
    #[cold]
    pub(crate) fn note(&self, place: Place, key: &[u8]) {
        let mut keys = self.keys.borrow_mut();
        if keys.back().is_none_or(|(last, name)| *last != place || **name != *key) {
            keys.push_back((place, key.into()));
        }
    }

    /// The first of the keys that were noted and not worked off.
    pub(crate) fn next(&self) -> Option<TouchedKey> {
        self.keys.borrow_mut().pop_front()
    }

    /// Hands the notes over.
    pub(crate) fn append_to(&self, held: &mut VecDeque<TouchedKey>) {
        held.append(&mut self.keys.borrow_mut());
    }

    /// Takes notes over.
    pub(crate) fn take_over(&self, held: &mut VecDeque<TouchedKey>) {
        self.keys.borrow_mut().append(held);
    }
}

/// What commands changed that are to be seen by others all at once; worked off by [`Engine::release`](crate::Engine).
#[derive(Debug, Default)]
pub struct HeldBack {
    pub(crate) keys: RefCell<VecDeque<TouchedKey>>,
}
