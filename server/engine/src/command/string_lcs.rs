//! LCS: the longest common subsequence of two strings.
//!
//! The textbook's table of lengths, row by row. Only two rows are kept, and a bit per cell for the way back: whether the
//! longer of the two neighbours is the one above. So the memory is a thirty-second of what Redis takes, yet the bound on
//! it is Redis's, because that bound is what a client sees; it also bounds the time.
//!
//! The way back goes from the ends of the strings to their beginnings, and so ranges of matches come out last first.

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::args::{integer, is};
use super::{CommandError, Handled};
use crate::context::Context;
use crate::store::locked::LockedSlots;

/// What follows the keys.
#[derive(Default)]
struct Options {
    length: bool,
    ranges: bool,
    match_lengths: bool,
    shortest: usize,
}

impl Options {
    fn parse(args: Args<'_>) -> Result<Self, CommandError> {
        let mut options = Self::default();
        let mut words = args.iter();
        while let Some(word) = words.next() {
            if is(word, "IDX") {
                options.ranges = true;
            } else if is(word, "LEN") {
                options.length = true;
            } else if is(word, "WITHMATCHLEN") {
                options.match_lengths = true;
            } else if is(word, "MINMATCHLEN") {
                let shortest = integer(words.next().ok_or(CommandError::Syntax)?)?;
                options.shortest = usize::try_from(shortest).unwrap_or(0);
            } else {
                return Err(CommandError::Syntax);
            }
        }
        if options.length && options.ranges {
            return Err(CommandError::Other(
                "ERR If you want both the length and indexes, please just use IDX.",
            ));
        }
        Ok(options)
    }
}

pub(super) fn lcs(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Handled {
    let string_max = slots.tuned().string_max();
    let mut text = |key| match slots.string(cx, key) {
        Ok(text) => Ok(text.unwrap_or_default().to_vec()),
        Err(_) => Err(CommandError::Other("ERR The specified keys must contain string values")),
    };
    let (a, b) = (text(args.at(1))?, text(args.at(2))?);
    let options = Options::parse(args.skip(3))?;
    let table = Table::new(&a, &b, string_max)?;
    if options.length {
        reply.count(table.length);
    } else if options.ranges {
        write_ranges(&table, &options, reply);
    } else {
        let mut common: Vec<u8> = table.matches().map(|(in_a, _)| a[in_a]).collect();
        common.reverse();
        reply.bulk(&common);
    }
    Ok(())
}

fn write_ranges(table: &Table<'_>, options: &Options, reply: &mut ReplyWriter<'_>) {
    reply.map(2);
    reply.bulk(b"matches");
    let mark = reply.deferred_array();
    let mut count = 0;
    for Range { in_a, in_b, len } in table.ranges().filter(|range| range.len >= options.shortest) {
        reply.array(2 + usize::from(options.match_lengths));
        for start in [in_a, in_b] {
            reply.array(2);
            reply.count(start);
            reply.count(start + len - 1);
        }
        if options.match_lengths {
            reply.count(len);
        }
        count += 1;
    }
    reply.finish_array(mark, count);
    reply.bulk(b"len");
    reply.count(table.length);
}

/// Which way each cell of the table leads, and the length in its last.
struct Table<'a> {
    a: &'a [u8],
    b: &'a [u8],
    /// Whether the cell above is longer than the one to the left; cells without an empty prefix only.
    above: Vec<u64>,
    length: usize,
}

/// Bytes that both strings have in common.
struct Range {
    in_a: usize,
    in_b: usize,
    len: usize,
}

impl<'a> Table<'a> {
    fn new(a: &'a [u8], b: &'a [u8], string_max: usize) -> Result<Self, CommandError> {
        if a.len().max(b.len()) >= u32::MAX as usize - 1 {
            return Err(CommandError::Other("ERR String too long for LCS"));
        }
        // What Redis would allocate: a number of four bytes for every pair of prefixes.
        let allocated = (a.len() as u64 + 1).checked_mul(b.len() as u64 + 1).and_then(|n| n.checked_mul(4));
        if allocated.is_none_or(|bytes| bytes > string_max as u64) {
            return Err(CommandError::Other(
                "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
            ));
        }
        let mut above = vec![0; (a.len() * b.len()).div_ceil(64)];
        let (mut last, mut row) = (vec![0_u32; b.len() + 1], vec![0_u32; b.len() + 1]);
        let mut cell = 0;
        for &byte in a {
            for (j, &other) in b.iter().enumerate() {
                row[j + 1] = if byte == other {
                    last[j] + 1
                } else {
                    let (up, left) = (last[j + 1], row[j]);
                    above[cell / 64] |= u64::from(up > left) << (cell % 64);
                    up.max(left)
                };
                cell += 1;
            }
            std::mem::swap(&mut last, &mut row);
        }
        let length = last.last().map_or(0, |&length| length as usize);
        Ok(Self { a, b, above, length })
    }

    /// The pairs of positions that the subsequence is made of, last first.
    fn matches(&self) -> impl Iterator<Item = (usize, usize)> {
        let (mut i, mut j) = (self.a.len(), self.b.len());
        std::iter::from_fn(move || {
            while i > 0 && j > 0 {
                let cell = (i - 1) * self.b.len() + j - 1;
                if self.a[i - 1] == self.b[j - 1] {
                    (i, j) = (i - 1, j - 1);
                    return Some((i, j));
                } else if self.above[cell / 64] >> (cell % 64) & 1 == 1 {
                    i -= 1;
                } else {
                    j -= 1;
                }
            }
            None
        })
    }

    /// The same, neighbours joined.
    fn ranges(&self) -> impl Iterator<Item = Range> {
        let mut matches = self.matches().peekable();
        std::iter::from_fn(move || {
            let (mut in_a, mut in_b) = matches.next()?;
            let mut len = 1;
            while let Some(before) = matches.next_if(|&(i, j)| (i + 1, j + 1) == (in_a, in_b)) {
                (in_a, in_b) = before;
                len += 1;
            }
            Some(Range { in_a, in_b, len })
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Bench;

    #[test]
    fn lengths_texts_and_ranges() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("MSET a ohmytext b mynewtext", "+OK"),
            ("LCS a b", "mytext"),
            ("LCS a b LEN", ":6"),
            ("LCS a b IDX", "[matches [[[:4 :7] [:5 :8]] [[:2 :3] [:0 :1]]] len :6]"),
            ("LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN", "[matches [[[:4 :7] [:5 :8] :4]] len :6]"),
            ("LCS a b idx minmatchlen -3", "[matches [[[:4 :7] [:5 :8]] [[:2 :3] [:0 :1]]] len :6]"),
            ("LCS a none", ""),
            ("LCS none none LEN", ":0"),
            ("LCS none a IDX", "[matches [] len :0]"),
        ]);
    }

    #[test]
    fn what_is_refused() {
        let mut bench = Bench::new();
        bench.check_all(&[
            ("LPUSH list x", ":1"),
            ("SET a x", "+OK"),
            ("LCS a list FOO", "-ERR The specified keys must contain string values"),
            ("LCS a a IDX LEN", "-ERR If you want both the length and indexes, please just use IDX."),
            ("LCS a a MINMATCHLEN", "-ERR syntax error"),
            ("LCS a a MINMATCHLEN x", "-ERR value is not an integer or out of range"),
            ("SETRANGE long 20000 x", ":20001"),
            (
                "LCS long long LEN",
                "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
            ),
        ]);
    }

    proptest! {
        #[test]
        fn what_comes_out_is_in_both_and_no_shorter_than_its_length(
            a in "[ab]{0,20}", b in "[abc]{0,20}"
        ) {
            let table = Table::new(a.as_bytes(), b.as_bytes(), usize::MAX).expect("short strings");
            let matches: Vec<_> = table.matches().collect();
            prop_assert_eq!(matches.len(), table.length);
            prop_assert!(matches.iter().all(|&(i, j)| a.as_bytes()[i] == b.as_bytes()[j]));
            prop_assert!(matches.windows(2).all(|pair| pair[1].0 < pair[0].0 && pair[1].1 < pair[0].1));
            prop_assert_eq!(table.ranges().map(|range| range.len).sum::<usize>(), table.length);
            // The definition, at its slowest.
            fn longest(a: &[u8], b: &[u8]) -> usize {
                let mut lengths = vec![vec![0; b.len() + 1]; a.len() + 1];
                for i in 0..a.len() {
                    for j in 0..b.len() {
                        lengths[i + 1][j + 1] = if a[i] == b[j] {
                            lengths[i][j] + 1
                        } else {
                            lengths[i][j + 1].max(lengths[i + 1][j])
                        };
                    }
                }
                lengths[a.len()][b.len()]
            }
            prop_assert_eq!(table.length, longest(a.as_bytes(), b.as_bytes()));
        }
    }
}
