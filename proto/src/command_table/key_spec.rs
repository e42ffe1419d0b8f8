//! Key specifications: where a command's keys stand among its arguments, and what it does with them.
//!
//! [`keys`] walks them. It is meant for every command that is not served by [`CommandSpec::first_key`] alone: it
//! allocates nothing and yields the keys' positions one by one, in the order of the specifications. Arguments that only
//! look like keys (`NOT_KEY`) are not yielded.
//!
//! Source: Redis documentation, "Command key specifications".

use super::{CommandSpec, Flags, Handler, NodeCommand};
use crate::resp::Args;
use bitflags::bitflags;

bitflags! {
    /// What a command does with the keys of one key specification.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct KeyFlags: u16 {
        /// Reads and writes.
        const RW = 1 << 0;
        /// Only reads.
        const RO = 1 << 1;
        /// Overwrites whatever was there.
        const OW = 1 << 2;
        /// Removes.
        const RM = 1 << 3;
        /// Returns or uses the data.
        const ACCESS = 1 << 4;
        /// Updates the data.
        const UPDATE = 1 << 5;
        /// Adds to the data.
        const INSERT = 1 << 6;
        /// Deletes from the data.
        const DELETE = 1 << 7;
        /// Is not a key, but routed as one.
        const NOT_KEY = 1 << 8;
        /// The specification does not name all keys.
        const INCOMPLETE = 1 << 9;
        /// What is done depends on the arguments.
        const VARIABLE_FLAGS = 1 << 10;
    }
}

/// Where the search for keys begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BeginSearch {
    /// At this argument (the name is 0).
    Index(u8),
    /// After this word, looked for from this argument on; from the end if negative.
    Keyword(&'static str, i8),
    /// Cannot be told.
    Unknown,
}

/// Which arguments from there on are keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindKeys {
    /// `last` counts from the beginning, or from the end if negative (-1 is the last argument); `limit` divides what
    /// remains, as in Redis.
    Range {
        /// The last key, relative to the first.
        last: i8,
        /// Every how many arguments a key stands.
        step: u8,
        /// 0, or: only one part in so many of the remaining arguments holds keys.
        limit: u8,
    },
    /// An argument says how many follow.
    KeyNum {
        /// Where the number stands, relative to the beginning.
        key_num: u8,
        /// Where the first key stands, relative to the beginning.
        first: u8,
        /// Every how many arguments a key stands.
        step: u8,
    },
    /// Cannot be told.
    Unknown,
}

/// One group of keys among a command's arguments. Source: Redis documentation, "Command key specifications".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySpec {
    /// What happens to these keys.
    pub flags: KeyFlags,
    /// Where they begin.
    pub begin: BeginSearch,
    /// Which arguments they are.
    pub find: FindKeys,
}

impl KeyFlags {
    /// Its flags' words, as COMMAND prints them.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        const WORDS: [(KeyFlags, &str); 11] = [
            (KeyFlags::RO, "RO"),
            (KeyFlags::RW, "RW"),
            (KeyFlags::OW, "OW"),
            (KeyFlags::RM, "RM"),
            (KeyFlags::ACCESS, "access"),
            (KeyFlags::UPDATE, "update"),
            (KeyFlags::INSERT, "insert"),
            (KeyFlags::DELETE, "delete"),
            (KeyFlags::NOT_KEY, "not_key"),
            (KeyFlags::INCOMPLETE, "incomplete"),
            (KeyFlags::VARIABLE_FLAGS, "variable_flags"),
        ];
        WORDS.into_iter().filter(move |&(flag, _)| self.contains(flag)).map(|(_, word)| word)
    }
}

/// Why a command's keys cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It never has any.
    #[error("The command has no key arguments")]
    NoKeys,
    /// The number of keys it announces is no number, or not that many arguments follow.
    #[error("Invalid arguments specified for command")]
    InvalidArguments,
    /// It has too few arguments, or too many.
    #[error("Invalid number of arguments specified for command")]
    WrongNumber,
}

/// The positions of a command's keys among `args`, of which the first is the command's name (and the second the
/// subcommand's, if `spec` is one).
pub fn keys<'a>(spec: &CommandSpec, args: Args<'a>) -> Result<KeyPositions<'a>, KeyError> {
    if spec.keys.iter().all(|key_spec| key_spec.flags.contains(KeyFlags::NOT_KEY)) {
        return Err(KeyError::NoKeys);
    }
    if !spec.arity_ok(args.len()) {
        return Err(KeyError::WrongNumber);
    }
    if spec.handler == Handler::Node(NodeCommand::Migrate) {
        return migrated(spec, args);
    }
    // Broken specifications are found now, so that the iterator cannot fail half-way.
    for key_spec in spec.keys {
        let is_empty = Run::of(key_spec, args)?.is_empty();
        let is_counted = matches!(key_spec.find, FindKeys::KeyNum { .. });
        if is_counted && is_empty && !spec.flags.contains(Flags::NO_MANDATORY_KEYS) {
            return Err(KeyError::InvalidArguments);
        }
    }
    Ok(KeyPositions { specs: spec.keys, args, run: Run::EMPTY })
}

/// The key of MIGRATE, or those behind `KEYS` if that one is empty. What stands behind `AUTH` and `AUTH2` is no option,
/// which a specification cannot say.
fn migrated<'a>(spec: &CommandSpec, args: Args<'a>) -> Result<KeyPositions<'a>, KeyError> {
    let mut at = 6;
    while let Some(word) = args.get(at) {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if is("keys") {
            let flags = spec.keys.first().map_or(KeyFlags::empty(), |key_spec| key_spec.flags);
            let run = Run { next: at + 1, last: args.len() - 1, step: 1, flags };
            let is_meant = args.at(3).is_empty() && !run.is_empty();
            return if is_meant {
                Ok(KeyPositions { specs: &[], args, run })
            } else {
                Err(KeyError::InvalidArguments)
            };
        }
        at += match () {
            () if is("auth2") => 3,
            () if is("auth") => 2,
            () => 1,
        };
    }
    Ok(KeyPositions { specs: &spec.keys[..1], args, run: Run::EMPTY })
}

/// The positions of a command's keys, one by one. See [`keys`].
#[derive(Clone)]
pub struct KeyPositions<'a> {
    specs: &'static [KeySpec],
    args: Args<'a>,
    run: Run,
}

impl KeyPositions<'_> {
    /// The next key's position and what is done to it.
    pub fn next_with_flags(&mut self) -> Option<(usize, KeyFlags)> {
        while self.run.is_empty() {
            let (spec, rest) = self.specs.split_first()?;
            self.specs = rest;
            self.run = Run::of(spec, self.args).unwrap_or(Run::EMPTY);
        }
        let position = self.run.next;
        self.run.next += self.run.step;
        Some((position, self.run.flags))
    }
}

impl Iterator for KeyPositions<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        self.next_with_flags().map(|(position, _)| position)
    }
}

/// The keys of one specification: from `next` to `last`, both included.
#[derive(Clone, Copy)]
struct Run {
    next: usize,
    last: usize,
    step: usize,
    flags: KeyFlags,
}

impl Run {
    const EMPTY: Self = Self { next: 1, last: 0, step: 1, flags: KeyFlags::empty() };

    fn is_empty(&self) -> bool {
        self.next > self.last
    }

    fn of(spec: &KeySpec, args: Args<'_>) -> Result<Self, KeyError> {
        if spec.flags.contains(KeyFlags::NOT_KEY) {
            return Ok(Self::EMPTY);
        }
        let Some(begin) = begin(spec.begin, args) else { return Ok(Self::EMPTY) };
        match spec.find {
            FindKeys::Range { last, step, limit } => {
                let last = match usize::try_from(last) {
                    Ok(beyond) => begin + beyond,
                    Err(_) if limit > 1 => {
                        (begin + args.len().saturating_sub(begin) / usize::from(limit)).saturating_sub(1)
                    }
                    Err(_) => args.len().saturating_sub(usize::from(last.unsigned_abs())),
                };
                if begin >= args.len() {
                    return Ok(Self::EMPTY);
                }
                let last = last.min(args.len() - 1);
                Ok(Self { next: begin, last, step: usize::from(step.max(1)), flags: spec.flags })
            }
            FindKeys::KeyNum { key_num, first, step } => {
                let count = args
                    .get(begin + usize::from(key_num))
                    .and_then(number)
                    .ok_or(KeyError::InvalidArguments)?;
                if count == 0 {
                    return Ok(Self::EMPTY);
                }
                let (first, step) = (begin + usize::from(first), usize::from(step.max(1)));
                let last = (count - 1).checked_mul(step).and_then(|beyond| beyond.checked_add(first));
                match last.filter(|&last| last < args.len()) {
                    Some(last) => Ok(Self { next: first, last, step, flags: spec.flags }),
                    None => Err(KeyError::InvalidArguments),
                }
            }
            FindKeys::Unknown => Ok(Self::EMPTY),
        }
    }
}

fn number(argument: &[u8]) -> Option<usize> {
    std::str::from_utf8(argument).ok()?.parse().ok()
}

/// Where the search begins; nothing if its keyword is absent.
fn begin(begin: BeginSearch, args: Args<'_>) -> Option<usize> {
    match begin {
        BeginSearch::Index(index) => Some(usize::from(index)),
        BeginSearch::Keyword(word, from) => {
            let is_word = |&i: &usize| args[i].eq_ignore_ascii_case(word.as_bytes());
            let found = match usize::try_from(from) {
                Ok(from) => (from..args.len()).find(is_word),
                Err(_) => {
                    (2..(args.len() + 1).saturating_sub(usize::from(from.unsigned_abs()))).rev().find(is_word)
                }
            };
            found.map(|keyword| keyword + 1)
        }
        BeginSearch::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::{READS, UPDATES, counted_keys, key, keys_from, row};
    use super::super::{Group, Handler, lookup};
    use super::*;
    use crate::resp::args::OwnedArgs;
    use proptest::prelude::*;

    fn positions(spec: &CommandSpec, line: &str) -> Result<Vec<usize>, KeyError> {
        let args: OwnedArgs = line.split_whitespace().collect();
        keys(spec, args.as_args()).map(Iterator::collect)
    }

    #[track_caller]
    fn check(line: &str, expected: Result<&[usize], KeyError>) {
        let name = line.split_whitespace().next().expect("a name");
        let spec = lookup(name.as_bytes()).expect("a command");
        assert_eq!(positions(spec, line), expected.map(<[usize]>::to_vec), "{line}");
    }

    #[test]
    fn keys_of_the_commands_we_have() {
        check("GET a", Ok(&[1]));
        check("SET a b EX 5", Ok(&[1]));
        check("DEL a b c", Ok(&[1, 2, 3]));
        check("MSET a 1 b 2", Ok(&[1, 3]));
        check("MSET a 1 b", Ok(&[1, 3]));
        check("RENAME a b", Ok(&[1, 2]));
        check("COPY a b DB 1", Ok(&[1, 2]));
        check("PING", Err(KeyError::NoKeys));
        check("GET", Err(KeyError::WrongNumber));
        check("GET a b", Err(KeyError::WrongNumber));
        check("SPUBLISH a b", Err(KeyError::NoKeys));
        check("GEORADIUS a 0 0 1 m STORE b", Ok(&[1, 7]));
        check("GEORADIUS a 0 0 1 m ASC storedist b STORE c", Ok(&[1, 10, 8]));
        check("GEORADIUS a STORE 0 1 m STORE", Ok(&[1]));
        check("GEORADIUSBYMEMBER a STORE 1 m STORE b", Ok(&[1, 6]));
        check("GEORADIUS_RO a 0 0 1 m STORE b", Ok(&[1]));
        check("GEOSEARCHSTORE a b FROMMEMBER m BYRADIUS 1 m", Ok(&[1, 2]));
        check("ZUNIONSTORE d 2 a b", Ok(&[1, 3, 4]));
        check("ZUNIONSTORE d 0 a", Err(KeyError::InvalidArguments));
        check("ZMPOP 0 min a", Err(KeyError::InvalidArguments));
    }

    #[test]
    fn migrate_names_its_keys_in_one_of_two_places() {
        #[track_caller]
        fn check(words: &str, expected: Result<&[usize], KeyError>) {
            // A dash stands for an empty word.
            let args: OwnedArgs = words.split(' ').map(|word| if word == "-" { "" } else { word }).collect();
            let spec = lookup(b"migrate").expect("a command");
            let found = keys(spec, args.as_args()).map(Iterator::collect);
            assert_eq!(found, expected.map(<[usize]>::to_vec), "{words}");
        }
        check("MIGRATE h 1 a 0 10", Ok(&[3]));
        check("MIGRATE h 1 - 0 10 COPY", Ok(&[3]));
        check("MIGRATE h 1 - 0 10 keys a b", Ok(&[7, 8]));
        check("MIGRATE h 1 - 0 10 AUTH keys KEYS a", Ok(&[9]));
        check("MIGRATE h 1 - 0 10 AUTH2 keys keys REPLACE KEYS a", Ok(&[11]));
        check("MIGRATE h 1 a 0 10 AUTH keys", Ok(&[3]));
        check("MIGRATE h 1 a 0 10 KEYS b", Err(KeyError::InvalidArguments));
        check("MIGRATE h 1 - 0 10 KEYS", Err(KeyError::InvalidArguments));
    }

    const NUMBERED: &[KeySpec] = &[key(1, UPDATES), counted_keys(2, READS)];
    const AFTER_WORD: &[KeySpec] = &[KeySpec {
        flags: READS,
        begin: BeginSearch::Keyword("STREAMS", 1),
        find: FindKeys::Range { last: -1, step: 1, limit: 2 },
    }];
    const FROM_THE_END: &[KeySpec] = &[KeySpec {
        flags: READS,
        begin: BeginSearch::Keyword("KEYS", -2),
        find: FindKeys::Range { last: -1, step: 1, limit: 0 },
    }];
    const UNTOLD: &[KeySpec] = &[
        KeySpec { begin: BeginSearch::Unknown, ..keys_from(1, READS) },
        KeySpec { find: FindKeys::Unknown, ..keys_from(1, READS) },
        keys_from(1, READS.union(KeyFlags::NOT_KEY)),
    ];

    fn with(keys: &'static [KeySpec]) -> CommandSpec {
        row("x", Handler::Container, -1, Group::Generic).keys(keys)
    }

    #[test]
    fn keys_of_commands_still_to_come() {
        assert_eq!(positions(&with(NUMBERED), "x dst 2 a b weights"), Ok(vec![1, 3, 4]));
        assert_eq!(positions(&with(NUMBERED), "x dst 0"), Err(KeyError::InvalidArguments));
        let optional = CommandSpec { flags: Flags::NO_MANDATORY_KEYS, ..with(NUMBERED) };
        assert_eq!(positions(&optional, "x dst 0"), Ok(vec![1]));
        for line in ["x dst", "x dst 3 a b", "x dst -1 a", "x dst many a", "x dst 18446744073709551615 a"] {
            assert_eq!(positions(&with(NUMBERED), line), Err(KeyError::InvalidArguments), "{line}");
        }
        assert_eq!(positions(&with(AFTER_WORD), "x COUNT 5 streams a b 1 2"), Ok(vec![4, 5]));
        assert_eq!(positions(&with(AFTER_WORD), "x COUNT 5"), Ok(vec![]));
        assert_eq!(positions(&with(FROM_THE_END), "x h 1 keys 5 KEYS a b"), Ok(vec![6, 7]));
        assert_eq!(positions(&with(UNTOLD), "x a b"), Ok(vec![]));
    }

    proptest! {
        /// Whatever the arguments, every position is an argument.
        #[test]
        fn positions_are_arguments(arguments in proptest::collection::vec("keys|streams|-?[0-9]{1,20}|[a-z]?", 1..8)) {
            let args: OwnedArgs = arguments.iter().collect();
            let args = args.as_args();
            for specs in [NUMBERED, AFTER_WORD, FROM_THE_END, UNTOLD] {
                if let Ok(positions) = keys(&with(specs), args) {
                    prop_assert!(positions.clone().all(|i| i < args.len()));
                }
            }
            for spec in super::super::commands() {
                if let Ok(mut positions) = keys(spec, args) {
                    prop_assert!(positions.all(|i| 0 < i && i < args.len()));
                }
            }
        }
    }
}
