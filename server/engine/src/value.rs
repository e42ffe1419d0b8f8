//! The types a key can hold: the collections, and the names Redis has for them.
//!
//! Strings live inside their entry (`store/entry.rs`); everything else is an [`Object`], kept in the entry by value, so
//! each collection is a few words itself and puts its bulk behind a pointer. An empty collection does not exist: the
//! store removes a key whose object became empty, in one place.
//!
//! The collections are pure data structures, without keys, deadlines or locks. Each is compact while it is small and
//! changes its form when it outgrows [`Limits`], which are Redis's:
//!
//! | type | small | large |
//! |---|---|---|
//! | [`struct@Hash`] | packed items | a table over an arena |
//! | [`List`] | one packed chunk | a row of chunks |
//! | [`Set`] | sorted integers, packed items | a table over an arena |
//! | [`SortedSet`] | packed items in order | a table over an arena, a counted B+tree |
//!
//! Elements come out as [`Item`]s, borrowed, integers perhaps still as integers.
//!
//! **Freeing.** Dropping a value costs time in its [`Object::free_effort`], the number of its allocations: a kilobyte
//! and more each when it is large, so a million members are a few thousand. All types are `Send`: whoever unlinks one
//! of great effort may hand it to another thread to drop, outside the slot's lock.

mod arena;
mod hash;
mod item;
mod limits;
mod links;
mod list;
mod packed;
mod set;
mod sorted_set;
mod table;

pub use hash::Hash;
pub use item::{IntegerText, Item};
pub use limits::Limits;
pub use list::List;
pub use set::Set;
pub use sorted_set::{Extreme, LexBound, LexRange, ScoreBound, ScoreRange, SortedSet, Upserted};

use table::Table;

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the type of its name")]
pub enum Kind {
    String,
    List,
    Set,
    SortedSet,
    Hash,
}

impl Kind {
    /// The name TYPE answers and SCAN's TYPE takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "zset",
            Self::Hash => "hash",
        }
    }
}

/// A value that is not a string.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is the type of its name")]
pub enum Object {
    Hash(Hash),
    List(List),
    Set(Set),
    SortedSet(SortedSet),
}

impl Object {
    /// Its type.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Hash(_) => Kind::Hash,
            Self::List(_) => Kind::List,
            Self::Set(_) => Kind::Set,
            Self::SortedSet(_) => Kind::SortedSet,
        }
    }

    /// How many elements it has.
    pub fn len(&self) -> usize {
        match self {
            Self::Hash(hash) => hash.len(),
            Self::List(list) => list.len(),
            Self::Set(set) => set.len(),
            Self::SortedSet(set) => set.len(),
        }
    }

    /// What OBJECT ENCODING calls its present form.
    pub fn encoding(&self) -> &'static str {
        match self {
            Self::Hash(hash) => hash.encoding(),
            Self::List(list) => list.encoding(),
            Self::Set(set) => set.encoding(),
            Self::SortedSet(set) => set.encoding(),
        }
    }

    /// The heap memory it holds, in bytes.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Hash(hash) => hash.memory_bytes(),
            Self::List(list) => list.memory_bytes(),
            Self::Set(set) => set.memory_bytes(),
            Self::SortedSet(set) => set.memory_bytes(),
        }
    }

    /// How many allocations dropping it frees.
    pub fn free_effort(&self) -> usize {
        match self {
            Self::Hash(hash) => hash.free_effort(),
            Self::List(list) => list.free_effort(),
            Self::Set(set) => set.free_effort(),
            Self::SortedSet(set) => set.free_effort(),
        }
    }

    /// The hash, if it is one of which fields have deadlines.
    #[inline]
    pub(crate) fn expiring_mut(&mut self) -> Option<&mut Hash> {
        if let Self::Hash(hash) = self { Some(hash).filter(|hash| hash.has_deadlines()) } else { None }
    }

    /// The same, to look at.
    #[inline]
    pub(crate) fn expiring(&self) -> Option<&Hash> {
        if let Self::Hash(hash) = self { Some(hash).filter(|hash| hash.has_deadlines()) } else { None }
    }

    /// Frees up to so many allocations of an object that is not used any more, and only to be shed again or dropped;
    /// how many. Fewer if what is left is dropped with few.
    pub(crate) fn shed(&mut self, most: usize) -> usize {
        match self {
            Self::Hash(hash) => hash.shed(most),
            Self::List(list) => list.shed(most),
            Self::Set(set) => set.shed(most),
            Self::SortedSet(set) => set.shed(most),
        }
    }

    /// The table of its elements, if it is a big one that has one.
    #[inline]
    fn table(&self) -> Option<&Table> {
        match self {
            Self::Hash(hash) => hash.table(),
            Self::List(_) => None,
            Self::Set(set) => set.table(),
            Self::SortedSet(set) => set.table(),
        }
    }

    /// Whether an element of it is found in two steps, each of which may wait for memory.
    #[inline]
    pub(crate) fn is_table(&self) -> bool {
        self.table().is_some()
    }

    /// The address of the bucket where an element would be found, if it has buckets.
    #[inline]
    pub(crate) fn bucket_address(&self, element: &[u8]) -> Option<*const u8> {
        self.table().map(|table| table.bucket_address(element))
    }

    /// The address of the record that an element probably has.
    #[inline]
    pub(crate) fn record_address(&self, element: &[u8]) -> Option<*const u8> {
        self.table()?.record_address(element)
    }

    /// Whether it has none, and so must not stay in the store.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One of the collections: how a handler names the type it expects at a key.
pub trait Collection: Default {
    /// Whether elements of it may have deadlines of their own.
    const EXPIRES: bool = false;

    /// The collection inside an object, if it is of this type.
    fn of(object: &Object) -> Option<&Self>;
    /// The same, to change it.
    fn of_mut(object: &mut Object) -> Option<&mut Self>;
    /// The object around a collection.
    fn into_object(self) -> Object;
    /// How many elements there are.
    fn size(&self) -> usize;
}

macro_rules! collection {
    ($type:ident $(, $expires:literal)?) => {
        impl Collection for $type {
            $(const EXPIRES: bool = $expires;)?

            fn of(object: &Object) -> Option<&Self> {
                if let Object::$type(value) = object { Some(value) } else { None }
            }

            fn of_mut(object: &mut Object) -> Option<&mut Self> {
                if let Object::$type(value) = object { Some(value) } else { None }
            }

            fn into_object(self) -> Object {
                Object::$type(self)
            }

            fn size(&self) -> usize {
                self.len()
            }
        }
    };
}

collection!(Hash, true);
collection!(List);
collection!(Set);
collection!(SortedSet);
