//! The words the rows are written in: a row begins with [`row`] and names only what differs from the ordinary.
//!
//! Everything here is evaluated when the program is compiled: the finished table is plain data. The key specifications
//! are named by what is done to the key, so that equal ones are equal by construction.

use super::{Acl, BeginSearch, CommandSpec, Deprecation, FindKeys, Flags, Group, Handler, KeyFlags, KeySpec};

pub(super) const WRITE: Flags = Flags::WRITE;
pub(super) const READONLY: Flags = Flags::READONLY;
pub(super) const DENYOOM: Flags = Flags::DENYOOM;
pub(super) const ADMIN: Flags = Flags::ADMIN;
pub(super) const PUBSUB: Flags = Flags::PUBSUB;
pub(super) const NOSCRIPT: Flags = Flags::NOSCRIPT;
pub(super) const LOADING: Flags = Flags::LOADING;
pub(super) const STALE: Flags = Flags::STALE;
pub(super) const SKIP_MONITOR: Flags = Flags::SKIP_MONITOR;
pub(super) const NO_MANDATORY_KEYS: Flags = Flags::NO_MANDATORY_KEYS;
pub(super) const SKIP_SLOWLOG: Flags = Flags::SKIP_SLOWLOG;
pub(super) const MOVABLEKEYS: Flags = Flags::MOVABLEKEYS;
pub(super) const BLOCKING: Flags = Flags::BLOCKING;
pub(super) const FAST: Flags = Flags::FAST;
pub(super) const NO_AUTH: Flags = Flags::NO_AUTH;
pub(super) const MAY_REPLICATE: Flags = Flags::MAY_REPLICATE;
pub(super) const NO_MULTI: Flags = Flags::NO_MULTI;
pub(super) const ALLOW_BUSY: Flags = Flags::ALLOW_BUSY;
pub(super) const ASKING: Flags = Flags::ASKING;
pub(super) const NO_ASYNC_LOADING: Flags = Flags::NO_ASYNC_LOADING;

/// Looks whether the key exists, or at what is told without its data: a type, a length, a membership.
pub(super) const EXAMINES: KeyFlags = KeyFlags::RO;
/// Returns data.
pub(super) const READS: KeyFlags = KeyFlags::RO.union(KeyFlags::ACCESS);
/// Changes data.
pub(super) const UPDATES: KeyFlags = KeyFlags::RW.union(KeyFlags::UPDATE);
/// Changes data and returns some of it.
pub(super) const READS_AND_UPDATES: KeyFlags = UPDATES.union(KeyFlags::ACCESS);
/// Adds data and changes none.
pub(super) const INSERTS: KeyFlags = KeyFlags::RW.union(KeyFlags::INSERT);
/// Deletes part of the data.
pub(super) const DELETES: KeyFlags = KeyFlags::RW.union(KeyFlags::DELETE);
/// Returns the data that it deletes.
pub(super) const TAKES: KeyFlags = DELETES.union(KeyFlags::ACCESS);
/// Deletes the key unseen.
pub(super) const REMOVES: KeyFlags = KeyFlags::RM.union(KeyFlags::DELETE);
/// Replaces whatever was there.
pub(super) const OVERWRITES: KeyFlags = KeyFlags::OW.union(KeyFlags::UPDATE);
/// Writes where nothing was.
pub(super) const CREATES: KeyFlags = KeyFlags::OW.union(KeyFlags::INSERT);
/// SET: overwrites, and returns data if told to.
pub(super) const SETS: KeyFlags = READS_AND_UPDATES.union(KeyFlags::VARIABLE_FLAGS);

/// A row with nothing but its name, its handler, its arity and its group.
pub(super) const fn row(name: &'static str, handler: Handler, arity: i8, group: Group) -> CommandSpec {
    CommandSpec {
        name,
        handler,
        arity,
        flags: Flags::empty(),
        acl: Acl::empty(),
        keys: &[],
        since: "",
        deprecated: None,
        group,
        complexity: "",
        summary: "",
        tips: &[],
        syntax: "",
        subcommands: &[],
    }
}

/// One key, at this argument.
pub(super) const fn key(index: u8, flags: KeyFlags) -> KeySpec {
    range(index, 0, 1, flags)
}

/// One key, behind the first of these words from that argument on; behind the last one, seen from the end, if negative.
pub(super) const fn key_after(word: &'static str, from: i8, flags: KeyFlags) -> KeySpec {
    let find = FindKeys::Range { last: 0, step: 1, limit: 0 };
    KeySpec { flags, begin: BeginSearch::Keyword(word, from), find }
}

/// Keys that the arguments do not tell.
pub(super) const fn untold(flags: KeyFlags) -> KeySpec {
    KeySpec { flags, begin: BeginSearch::Unknown, find: FindKeys::Unknown }
}

/// Keys from one argument to another, both included.
pub(super) const fn keys_between(first: u8, last: u8, flags: KeyFlags) -> KeySpec {
    range(first, (last - first) as i8, 1, flags)
}

/// Keys from this argument to the last but one.
pub(super) const fn keys_but_last_from(index: u8, flags: KeyFlags) -> KeySpec {
    range(index, -2, 1, flags)
}

/// Keys from this argument to the last.
pub(super) const fn keys_from(index: u8, flags: KeyFlags) -> KeySpec {
    range(index, -1, 1, flags)
}

/// Keys and something else in turn, from this argument to the last.
pub(super) const fn every_second_from(index: u8, flags: KeyFlags) -> KeySpec {
    range(index, -1, 2, flags)
}

/// The argument that says how many keys follow it.
pub(super) const fn counted_keys(index: u8, flags: KeyFlags) -> KeySpec {
    KeySpec {
        flags,
        begin: BeginSearch::Index(index),
        find: FindKeys::KeyNum { key_num: 0, first: 1, step: 1 },
    }
}

const fn range(index: u8, last: i8, step: u8, flags: KeyFlags) -> KeySpec {
    KeySpec { flags, begin: BeginSearch::Index(index), find: FindKeys::Range { last, step, limit: 0 } }
}

impl CommandSpec {
    pub(super) const fn flags(mut self, flags: &[Flags]) -> Self {
        let mut i = 0;
        while i < flags.len() {
            self.flags = self.flags.union(flags[i]);
            i += 1;
        }
        self
    }

    pub(super) const fn acl(self, acl: Acl) -> Self {
        Self { acl, ..self }
    }

    pub(super) const fn keys(self, keys: &'static [KeySpec]) -> Self {
        Self { keys, ..self }
    }

    pub(super) const fn since(self, since: &'static str) -> Self {
        Self { since, ..self }
    }

    pub(super) const fn deprecated(self, since: &'static str, replaced_by: &'static str) -> Self {
        Self { deprecated: Some(Deprecation { since, replaced_by }), ..self }
    }

    pub(super) const fn cost(self, complexity: &'static str) -> Self {
        Self { complexity, ..self }
    }

    pub(super) const fn tips(self, tips: &'static [&'static str]) -> Self {
        Self { tips, ..self }
    }

    pub(super) const fn syntax(self, syntax: &'static str) -> Self {
        Self { syntax, ..self }
    }

    pub(super) const fn about(self, summary: &'static str) -> Self {
        Self { summary, ..self }
    }

    pub(super) const fn subcommands(self, subcommands: &'static [Self]) -> Self {
        Self { subcommands, ..self }
    }
}
