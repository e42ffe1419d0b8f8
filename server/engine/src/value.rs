//! The types a key can hold: the collections, and the names Redis has for them.
//!
//! Strings live inside their entry (`store/entry.rs`); everything else is an [`Object`], kept in the entry by value, so
//! each collection should be small itself (two or three words) and put its bulk behind a pointer. An empty collection
//! does not exist: the store removes a key whose object became empty, in one place.

mod hash;
mod list;
mod set;
mod sorted_set;

pub use hash::Hash;
pub use list::List;
pub use set::Set;
pub use sorted_set::SortedSet;

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

    /// Whether it has none, and so must not stay in the store.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One of the collections: how a handler names the type it expects at a key.
pub trait Collection: Default {
    /// The collection inside an object, if it is of this type.
    fn of(object: &Object) -> Option<&Self>;
    /// The same, to change it.
    fn of_mut(object: &mut Object) -> Option<&mut Self>;
    /// The object around a collection.
    fn into_object(self) -> Object;
}

macro_rules! collection {
    ($type:ident) => {
        impl Collection for $type {
            fn of(object: &Object) -> Option<&Self> {
                if let Object::$type(value) = object { Some(value) } else { None }
            }

            fn of_mut(object: &mut Object) -> Option<&mut Self> {
                if let Object::$type(value) = object { Some(value) } else { None }
            }

            fn into_object(self) -> Object {
                Object::$type(self)
            }
        }
    };
}

collection!(Hash);
collection!(List);
collection!(Set);
collection!(SortedSet);
