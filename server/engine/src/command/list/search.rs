//! Looking for an element in a list: LPOS.
//!
//! The walk ends with the list, after MAXLEN elements, or with the last match that is wanted, and allocates nothing. A
//! negative RANK walks from the tail; the positions it replies still count from the head.

use nuthatch_proto::resp::{Args, ReplyWriter};

use crate::command::args::{is, negatable, parse_integer};
use crate::command::{CommandError, Handled};
use crate::context::Context;
use crate::store::locked::LockedSlots;
use crate::value::{Item, List};

/// LPOS's options.
struct Options {
    /// Which match is the first wanted; from the tail if negative, never 0.
    rank: i64,
    /// How many matches, 0 for all; without it, one, and not in an array.
    count: Option<usize>,
    /// How many elements to look at, 0 for all.
    max_len: usize,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Self, CommandError> {
        let mut options = Self { rank: 1, count: None, max_len: 0 };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let value = words.next().ok_or(CommandError::Syntax)?;
            if is(word, "RANK") {
                options.rank = negatable(value)?;
                if options.rank == 0 {
                    return Err(CommandError::Other(
                        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
                         negative to start from the end of the list",
                    ));
                }
            } else if is(word, "COUNT") {
                options.count = Some(natural(value, "ERR COUNT can't be negative")?);
            } else if is(word, "MAXLEN") {
                options.max_len = natural(value, "ERR MAXLEN can't be negative")?;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(options)
    }
}

fn natural(text: &[u8], error: &'static str) -> Result<usize, CommandError> {
    parse_integer(text).and_then(|n| usize::try_from(n).ok()).ok_or(CommandError::Other(error))
}

pub(in crate::command) fn lpos(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let options = Options::parse(args.skip(3))?;
    let list = slots.read::<List>(cx, args.at(1))?;
    let wanted = Item::new(args.at(2));
    let (mark, mut found) = (reply.deferred_array(), 0);
    if let Some(list) = list {
        if options.rank > 0 {
            found = write_matches(list.iter(), wanted, &options, |index| reply.count(index));
        } else {
            let last = list.len().saturating_sub(1);
            found = write_matches(list.iter_back(), wanted, &options, |index| reply.count(last - index));
        }
    }
    match (options.count, found) {
        (Some(_), found) => reply.finish_array(mark, found),
        (None, 0) => reply.null(),
        (None, _) => {}
    }
    Ok(())
}

/// Shows the positions of the matches that are wanted; how many they are.
fn write_matches<'a>(
    list: impl Iterator<Item = Item<'a>>,
    wanted: Item<'_>,
    options: &Options,
    mut write: impl FnMut(usize),
) -> usize {
    let unlimited = |limit: usize| if limit == 0 { usize::MAX } else { limit };
    let passed_over = usize::try_from(options.rank.unsigned_abs() - 1).unwrap_or(usize::MAX);
    let matches = list.take(unlimited(options.max_len)).enumerate().filter(|&(_, item)| item == wanted);
    let mut found = 0;
    for (index, _) in matches.skip(passed_over).take(unlimited(options.count.unwrap_or(1))) {
        write(index);
        found += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    #[test]
    fn positions_of_an_element() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("RPUSH l a b c 1 2 3 c c", ":8"),
            ("LPOS l a", ":0"),
            ("LPOS l c", ":2"),
            ("LPOS l 3", ":5"),
            ("LPOS l none", "nil"),
            ("LPOS none a", "nil"),
            ("LPOS none a COUNT 1", "[]"),
            ("LPOS l c RANK 1", ":2"),
            ("LPOS l c RANK 3", ":7"),
            ("LPOS l c RANK 4", "nil"),
            ("LPOS l c RANK -1", ":7"),
            ("LPOS l c RANK -3", ":2"),
            ("LPOS l c RANK 9223372036854775807", "nil"),
            ("LPOS l c COUNT 0", "[:2 :6 :7]"),
            ("LPOS l c COUNT 2", "[:2 :6]"),
            ("LPOS l c COUNT 2 RANK -1", "[:7 :6]"),
            ("LPOS l c COUNT 0 RANK 2", "[:6 :7]"),
            ("LPOS l c COUNT 5 RANK 4", "[]"),
            ("LPOS l c COUNT 0 MAXLEN 0", "[:2 :6 :7]"),
            ("LPOS l c COUNT 0 MAXLEN 7", "[:2 :6]"),
            ("LPOS l c COUNT 0 MAXLEN 2", "[]"),
            ("LPOS l c COUNT 0 MAXLEN 2 RANK -1", "[:7 :6]"),
        ]);
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        let mut bench = Bench::new();
        for (options, error) in [
            (
                "RANK 0",
                "RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
            ),
            ("RANK x", "value is not an integer or out of range"),
            (
                "RANK -9223372036854775808",
                "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
            ),
            ("COUNT -1", "COUNT can't be negative"),
            ("COUNT x", "COUNT can't be negative"),
            ("MAXLEN -1", "MAXLEN can't be negative"),
            ("COUNT", "syntax error"),
            ("LIMIT 5", "syntax error"),
        ] {
            bench.check(&format!("LPOS l a {options}"), &format!("-ERR {error}"));
        }
    }
}
