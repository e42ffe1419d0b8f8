//! From a name to its row: all rows in the order of their names, and a table over them built by the compiler.
//!
//! A lookup folds the first eight bytes to upper case in one register, finds that word in an open-addressing table and
//! compares what is longer than eight bytes. Nothing is allocated, and two or three cache lines are touched: the entry
//! of a common command lies where it hashes to.
//!
//! The order by names is also the order in which COMMAND and docs/COMMANDS.md list them.

use super::{
    CommandSpec, bitmap, blocking, cluster, connection, generic, geo, hash, hyperloglog, list, monitoring,
    pubsub, replication, scripting, server, set, sorted_set, string, transaction,
};

const FAMILIES: [&[CommandSpec]; 18] = [
    string::ROWS,
    bitmap::ROWS,
    hyperloglog::ROWS,
    blocking::ROWS,
    generic::ROWS,
    geo::ROWS,
    hash::ROWS,
    list::ROWS,
    set::ROWS,
    sorted_set::ROWS,
    pubsub::ROWS,
    connection::ROWS,
    server::ROWS,
    monitoring::ROWS,
    replication::ROWS,
    scripting::ROWS,
    cluster::ROWS,
    transaction::ROWS,
];

const COUNT: usize = {
    let (mut count, mut family) = (0, 0);
    while family < FAMILIES.len() {
        count += FAMILIES[family].len();
        family += 1;
    }
    count
};

static COMMANDS: [CommandSpec; COUNT] = sorted();

/// Four times as many entries as commands, so that probes are short.
const INDEX_BITS: u32 = (COUNT * 4).next_power_of_two().ilog2();
const INDEX_LEN: usize = 1 << INDEX_BITS;

/// Marks an entry that no command has.
const FREE: u16 = u16::MAX;

#[derive(Clone, Copy)]
struct Entry {
    word: u64,
    len: u16,
    command: u16,
}

static INDEX: [Entry; INDEX_LEN] = index();

/// All commands in the order of their names; subcommands stand under their containers.
pub fn commands() -> &'static [CommandSpec] {
    &COMMANDS
}

/// The command of that name, in any case.
#[inline]
pub fn lookup(name: &[u8]) -> Option<&'static CommandSpec> {
    let word = fold(first_word(name));
    let mut place = bucket(word, name.len());
    loop {
        let entry = &INDEX[place];
        if entry.command == FREE {
            return None;
        }
        if entry.word == word && usize::from(entry.len) == name.len() {
            let spec = &COMMANDS[usize::from(entry.command)];
            // The word holds the first eight bytes exactly; only longer names have more to compare.
            if name.len() <= 8 || name[8..].eq_ignore_ascii_case(&spec.name.as_bytes()[8..]) {
                return Some(spec);
            }
        }
        place = (place + 1) % INDEX_LEN;
    }
}

/// The first eight bytes in little-endian order, zeros behind a shorter name.
#[inline]
const fn first_word(name: &[u8]) -> u64 {
    match *name {
        [a, b, c, d, e, f, g, h, ..] => u64::from_le_bytes([a, b, c, d, e, f, g, h]),
        // Four to seven bytes are two words that overlap: a loop would cost more than the hash.
        [a, b, c, d, ..] => {
            let n = name.len();
            let low = u32::from_le_bytes([a, b, c, d]) as u64;
            let high = u32::from_le_bytes([name[n - 4], name[n - 3], name[n - 2], name[n - 1]]) as u64;
            low | high << ((n - 4) * 8)
        }
        [a, b, c] => u64::from_le_bytes([a, b, c, 0, 0, 0, 0, 0]),
        [a, b] => u64::from_le_bytes([a, b, 0, 0, 0, 0, 0, 0]),
        [a] => a as u64,
        [] => 0,
    }
}

/// Makes the ASCII small letters among eight bytes capital, and leaves all else.
#[inline]
const fn fold(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    // The top bit of each byte's sum says whether its low seven bits reach `a`, or pass `z`; no sum carries over.
    let low = word & !HIGH;
    let from_a = low + (0x80 - b'a' as u64) * ONES;
    let past_z = low + (0x7f - b'z' as u64) * ONES;
    let small = (from_a ^ past_z) & HIGH & !word;
    word - (small >> 2)
}

#[inline]
const fn bucket(word: u64, len: usize) -> usize {
    let hash = (word ^ len as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (hash >> (64 - INDEX_BITS)) as usize
}

const fn index() -> [Entry; INDEX_LEN] {
    let mut entries = [Entry { word: 0, len: 0, command: FREE }; INDEX_LEN];
    let mut i = 0;
    while i < COUNT {
        let name = COMMANDS[i].name.as_bytes();
        let word = fold(first_word(name));
        let mut place = bucket(word, name.len());
        while entries[place].command != FREE {
            place = (place + 1) % INDEX_LEN;
        }
        entries[place] = Entry { word, len: name.len() as u16, command: i as u16 };
        i += 1;
    }
    entries
}

/// All families' rows, sorted by insertion.
const fn sorted() -> [CommandSpec; COUNT] {
    let mut rows = [FAMILIES[0][0]; COUNT];
    let (mut len, mut family) = (0, 0);
    while family < FAMILIES.len() {
        let mut i = 0;
        while i < FAMILIES[family].len() {
            let row = FAMILIES[family][i];
            let mut place = len;
            while place > 0 && before(row.name.as_bytes(), rows[place - 1].name.as_bytes()) {
                rows[place] = rows[place - 1];
                place -= 1;
            }
            rows[place] = row;
            len += 1;
            i += 1;
        }
        family += 1;
    }
    rows
}

const fn before(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() && i < b.len() {
        if a[i] != b[i] {
            return a[i] < b[i];
        }
        i += 1;
    }
    a.len() < b.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_name_is_found_in_every_case() {
        for spec in commands() {
            for name in [spec.name.to_owned(), spec.name.to_uppercase(), mixed(spec.name)] {
                assert_eq!(lookup(name.as_bytes()).map(|found| found.name), Some(spec.name), "{name}");
            }
        }
    }

    fn mixed(name: &str) -> String {
        name.chars().enumerate().map(|(i, c)| if i % 2 == 0 { c.to_ascii_uppercase() } else { c }).collect()
    }

    #[test]
    fn names_are_sorted_and_unique() {
        let names: Vec<_> = commands().iter().map(|spec| spec.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }

    #[test]
    fn what_is_no_name_is_not_found() {
        for name in ["", "g", "ge", "gett", "get\0", "incrbyfloaT0", "expiretimE2", "ｇｅｔ", "\u{0}"] {
            assert!(lookup(name.as_bytes()).is_none(), "{name:?}");
        }
        assert!(lookup(&[b'x'; 4096]).is_none());
    }

    #[test]
    fn a_longer_name_is_compared_past_the_first_word() {
        assert_eq!(lookup(b"PEXPIREAT").map(|spec| spec.name), Some("pexpireat"));
        assert!(lookup(b"PEXPIREAX").is_none());
    }

    proptest! {
        #[test]
        fn a_lookup_agrees_with_a_search(name in "[a-zA-Z]{0,12}|[\\PC]{0,10}") {
            let found = commands().iter().find(|spec| spec.name.eq_ignore_ascii_case(&name));
            prop_assert_eq!(lookup(name.as_bytes()).map(|spec| spec.name), found.map(|spec| spec.name));
        }

        #[test]
        fn folding_is_folding(bytes: [u8; 8]) {
            prop_assert_eq!(fold(u64::from_le_bytes(bytes)).to_le_bytes().to_vec(), bytes.to_ascii_uppercase());
        }
    }
}
