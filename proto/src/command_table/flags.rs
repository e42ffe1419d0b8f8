//! Flags and ACL categories, by bit.
//!
//! A row names only the categories that its flags do not imply (`WRITE` implies `@write`); [`CommandSpec::categories`]
//! adds those. The words that COMMAND prints are beside the bits, in the order in which Redis prints them.

use super::CommandSpec;
use bitflags::bitflags;

bitflags! {
    /// What COMMAND INFO calls a command's flags.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Flags: u32 {
        /// May change data.
        const WRITE = 1 << 0;
        /// Only reads data.
        const READONLY = 1 << 1;
        /// May need memory; refused when there is none.
        const DENYOOM = 1 << 2;
        /// For administrators.
        const ADMIN = 1 << 3;
        /// Concerns pub/sub.
        const PUBSUB = 1 << 4;
        /// Not from scripts.
        const NOSCRIPT = 1 << 5;
        /// May block the client.
        const BLOCKING = 1 << 6;
        /// Allowed while data is loading.
        const LOADING = 1 << 7;
        /// Allowed on a stale replica.
        const STALE = 1 << 8;
        /// Not shown to MONITOR.
        const SKIP_MONITOR = 1 << 9;
        /// Not put in the slow log.
        const SKIP_SLOWLOG = 1 << 10;
        /// Takes constant or logarithmic time.
        const FAST = 1 << 11;
        /// Allowed before authentication.
        const NO_AUTH = 1 << 12;
        /// May replicate although it is no write.
        const MAY_REPLICATE = 1 << 13;
        /// Keys cannot be told from positions alone.
        const MOVABLEKEYS = 1 << 14;
        /// Not inside MULTI.
        const NO_MULTI = 1 << 15;
        /// Allowed while a script or a module is busy.
        const ALLOW_BUSY = 1 << 16;
        /// Not in asynchronous loading.
        const NO_ASYNC_LOADING = 1 << 17;
        /// Opens the way for ACL key patterns to be waived (`no_mandatory_keys`).
        const NO_MANDATORY_KEYS = 1 << 18;
        /// Lets the next command in to an importing slot, and is let in itself.
        const ASKING = 1 << 19;
    }
}

bitflags! {
    /// The ACL categories a command is in, beside those its flags imply.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Acl: u32 {
        /// `@keyspace`
        const KEYSPACE = 1 << 0;
        /// `@read`
        const READ = 1 << 1;
        /// `@write`
        const WRITE = 1 << 2;
        /// `@set`
        const SET = 1 << 3;
        /// `@sortedset`
        const SORTEDSET = 1 << 4;
        /// `@list`
        const LIST = 1 << 5;
        /// `@hash`
        const HASH = 1 << 6;
        /// `@string`
        const STRING = 1 << 7;
        /// `@bitmap`
        const BITMAP = 1 << 8;
        /// `@hyperloglog`
        const HYPERLOGLOG = 1 << 9;
        /// `@geo`
        const GEO = 1 << 10;
        /// `@stream`
        const STREAM = 1 << 11;
        /// `@pubsub`
        const PUBSUB = 1 << 12;
        /// `@admin`
        const ADMIN = 1 << 13;
        /// `@fast`
        const FAST = 1 << 14;
        /// `@slow`
        const SLOW = 1 << 15;
        /// `@blocking`
        const BLOCKING = 1 << 16;
        /// `@dangerous`
        const DANGEROUS = 1 << 17;
        /// `@connection`
        const CONNECTION = 1 << 18;
        /// `@transaction`
        const TRANSACTION = 1 << 19;
        /// `@scripting`
        const SCRIPTING = 1 << 20;
    }
}

impl Flags {
    /// Its flags' words, as COMMAND prints them; what is not for clients to know has none.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        const WORDS: [(Flags, &str); 19] = [
            (Flags::WRITE, "write"),
            (Flags::READONLY, "readonly"),
            (Flags::DENYOOM, "denyoom"),
            (Flags::ADMIN, "admin"),
            (Flags::PUBSUB, "pubsub"),
            (Flags::NOSCRIPT, "noscript"),
            (Flags::BLOCKING, "blocking"),
            (Flags::LOADING, "loading"),
            (Flags::STALE, "stale"),
            (Flags::SKIP_MONITOR, "skip_monitor"),
            (Flags::SKIP_SLOWLOG, "skip_slowlog"),
            (Flags::ASKING, "asking"),
            (Flags::FAST, "fast"),
            (Flags::NO_AUTH, "no_auth"),
            (Flags::NO_MANDATORY_KEYS, "no_mandatory_keys"),
            (Flags::NO_ASYNC_LOADING, "no_async_loading"),
            (Flags::NO_MULTI, "no_multi"),
            (Flags::MOVABLEKEYS, "movablekeys"),
            (Flags::ALLOW_BUSY, "allow_busy"),
        ];
        WORDS.into_iter().filter(move |&(flag, _)| self.contains(flag)).map(|(_, word)| word)
    }
}

/// The categories' names without their `@`, in the order of their bits.
const CATEGORIES: [(Acl, &str); 21] = [
    (Acl::KEYSPACE, "keyspace"),
    (Acl::READ, "read"),
    (Acl::WRITE, "write"),
    (Acl::SET, "set"),
    (Acl::SORTEDSET, "sortedset"),
    (Acl::LIST, "list"),
    (Acl::HASH, "hash"),
    (Acl::STRING, "string"),
    (Acl::BITMAP, "bitmap"),
    (Acl::HYPERLOGLOG, "hyperloglog"),
    (Acl::GEO, "geo"),
    (Acl::STREAM, "stream"),
    (Acl::PUBSUB, "pubsub"),
    (Acl::ADMIN, "admin"),
    (Acl::FAST, "fast"),
    (Acl::SLOW, "slow"),
    (Acl::BLOCKING, "blocking"),
    (Acl::DANGEROUS, "dangerous"),
    (Acl::CONNECTION, "connection"),
    (Acl::TRANSACTION, "transaction"),
    (Acl::SCRIPTING, "scripting"),
];

impl Acl {
    /// The category of that name, in any case, without its `@`.
    pub fn by_name(name: &[u8]) -> Option<Self> {
        CATEGORIES
            .into_iter()
            .find(|(_, word)| word.as_bytes().eq_ignore_ascii_case(name))
            .map(|(acl, _)| acl)
    }

    /// Its categories' names, without their `@`.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        CATEGORIES.into_iter().filter(move |&(acl, _)| self.contains(acl)).map(|(_, word)| word)
    }
}

impl CommandSpec {
    /// All its ACL categories, those that its flags imply included.
    pub fn categories(&self) -> Acl {
        let mut all = self.acl;
        all.set(Acl::WRITE, all.contains(Acl::WRITE) || self.flags.contains(Flags::WRITE));
        all.set(Acl::PUBSUB, all.contains(Acl::PUBSUB) || self.flags.contains(Flags::PUBSUB));
        all.set(Acl::BLOCKING, all.contains(Acl::BLOCKING) || self.flags.contains(Flags::BLOCKING));
        // A script reads what it likes: its category says so, not @read.
        if self.flags.contains(Flags::READONLY) && !all.contains(Acl::SCRIPTING) {
            all |= Acl::READ;
        }
        if self.flags.contains(Flags::ADMIN) {
            all |= Acl::ADMIN | Acl::DANGEROUS;
        }
        all | if self.flags.contains(Flags::FAST) { Acl::FAST } else { Acl::SLOW }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lookup;
    use super::*;

    #[track_caller]
    fn check(name: &str, flags: &str, categories: &str) {
        let spec = lookup(name.as_bytes()).expect("a command");
        let join = |words: Vec<&str>| words.join(" ");
        assert_eq!(join(spec.flags.words().collect()), flags);
        assert_eq!(join(spec.categories().words().collect()), categories);
    }

    #[test]
    fn flags_and_categories_read_as_in_redis() {
        check("get", "readonly fast", "read string fast");
        check("SET", "write denyoom", "write string slow");
        check("hello", "noscript loading stale fast no_auth allow_busy", "fast connection");
        check("shutdown", "admin noscript loading stale no_multi allow_busy", "admin slow dangerous");
        check("flushall", "write", "keyspace write slow dangerous");
    }

    #[test]
    fn every_bit_that_is_shown_has_a_word() {
        let shown = Flags::all() - Flags::MAY_REPLICATE;
        assert_eq!(shown.words().count(), shown.bits().count_ones() as usize);
        assert_eq!(Flags::MAY_REPLICATE.words().next(), None);
        assert_eq!(Acl::all().words().count(), Acl::all().bits().count_ones() as usize);
        assert_eq!(Acl::by_name(b"SortedSet"), Some(Acl::SORTEDSET));
        assert_eq!(Acl::by_name(b"@read"), None);
    }
}
