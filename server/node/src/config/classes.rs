//! The letters of `notify-keyspace-events`, and the classes of notices they stand for.
//!
//! They are kept in one order, whatever order they were given in, and all those that `A` stands for become `A`. Redis
//! 7.0 forgets to print `n` when it prints `A`; here the letters are all that is kept, so `n` is printed then too, last.

use nuthatch_engine::Classes;

/// Redis's error for any other letter.
pub(crate) const INVALID: &str = "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";

/// What `A` stands for.
const ALL: Classes = Classes::GENERIC
    .union(Classes::STRING)
    .union(Classes::LIST)
    .union(Classes::SET)
    .union(Classes::HASH)
    .union(Classes::SORTED_SET)
    .union(Classes::EXPIRED)
    .union(Classes::EVICTED)
    .union(Classes::STREAM)
    .union(Classes::MODULE);

/// The letters that are not printed when `A` is, in the order of printing.
const KINDS: [(char, Classes); 11] = [
    ('g', Classes::GENERIC),
    ('$', Classes::STRING),
    ('l', Classes::LIST),
    ('s', Classes::SET),
    ('h', Classes::HASH),
    ('z', Classes::SORTED_SET),
    ('x', Classes::EXPIRED),
    ('e', Classes::EVICTED),
    ('t', Classes::STREAM),
    ('d', Classes::MODULE),
    ('n', Classes::NEW),
];

/// The letters that are always printed, behind the others.
const OTHERS: [(char, Classes); 3] =
    [('K', Classes::KEYSPACE), ('E', Classes::KEYEVENT), ('m', Classes::KEY_MISS)];

/// The classes that the letters stand for; `None` if one stands for nothing.
pub(crate) fn parse(letters: &str) -> Option<Classes> {
    let class = |letter| {
        let mut known = [('A', ALL)].into_iter().chain(KINDS).chain(OTHERS);
        known.find(|&(known, _)| known == letter).map(|(_, class)| class)
    };
    letters.chars().map(class).try_fold(Classes::empty(), |all, class| Some(all | class?))
}

/// The letters of classes, as CONFIG GET shows them.
pub(crate) fn letters(classes: Classes) -> String {
    let named = |&&(_, class): &&(char, Classes)| classes.contains(class);
    let mut letters = String::new();
    if classes.contains(ALL) {
        letters.push('A');
    } else {
        letters.extend(KINDS.iter().filter(named).map(|(letter, _)| letter));
    }
    letters.extend(OTHERS.iter().filter(named).map(|(letter, _)| letter));
    if classes.contains(ALL | Classes::NEW) {
        letters.push('n');
    }
    letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: &str, expected: Option<&str>) {
        assert_eq!(parse(given).map(letters).as_deref(), expected, "{given}");
    }

    #[test]
    fn letters_are_brought_into_the_order_of_redis() {
        check("", Some(""));
        check("KEA", Some("AKE"));
        check("K", Some("K"));
        check("Kg$lshzxetd", Some("AK"));
        check("nKEA", Some("AKEn"));
        check("mnKl", Some("lnKm"));
        check("KEx?", None);
    }
}
