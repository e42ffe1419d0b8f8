//! `ZRANGE`: by index, by score or by member, in either direction, cut by `LIMIT`.
//!
//! Every form ends as a range of ranks, of which a reply is one walk.

use std::ops::Range;

use nuthatch_proto::resp::{Args, Protocol, ReplyWriter};

use super::super::CommandError;
use super::super::{args, elements};
use crate::context::Context;
use crate::store::locked::LockedSlots;
use crate::value::{LexBound, LexRange, ScoreBound, ScoreRange, SortedSet};

/// What the two borders of a `ZRANGE` are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum By {
    #[default]
    Index,
    Score,
    Lex,
}

/// The options of `ZRANGE`.
#[derive(Debug, Clone, Copy)]
struct Options {
    by: By,
    reverse: bool,
    with_scores: bool,
    offset: i64,
    /// All if negative.
    limit: i64,
}

/// The borders of a `ZRANGE`, read.
enum Borders<'a> {
    Index(i64, i64),
    Score(ScoreRange),
    Lex(LexRange<'a>),
}

impl Options {
    fn parse(arguments: Args<'_>) -> Result<Self, CommandError> {
        let mut options = Self { by: By::Index, reverse: false, with_scores: false, offset: 0, limit: -1 };
        let mut index = 0;
        while let Some(argument) = arguments.get(index) {
            if args::is(argument, "withscores") {
                options.with_scores = true;
            } else if args::is(argument, "limit") && arguments.len() > index + 2 {
                options.offset = args::integer(arguments.at(index + 1))?;
                options.limit = args::integer(arguments.at(index + 2))?;
                index += 2;
            } else if args::is(argument, "rev") && !options.reverse {
                options.reverse = true;
            } else if args::is(argument, "bylex") && options.by == By::Index {
                options.by = By::Lex;
            } else if args::is(argument, "byscore") && options.by == By::Index {
                options.by = By::Score;
            } else {
                return Err(CommandError::Syntax);
            }
            index += 1;
        }
        if options.limit != -1 && options.by == By::Index {
            return Err(CommandError::Other(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if options.with_scores && options.by == By::Lex {
            return Err(CommandError::Other(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        Ok(options)
    }

    fn borders<'a>(&self, first: &'a [u8], second: &'a [u8]) -> Result<Borders<'a>, CommandError> {
        // Reversed, the higher border comes first.
        let (min, max) = if self.reverse { (second, first) } else { (first, second) };
        Ok(match self.by {
            By::Index => Borders::Index(args::integer(first)?, args::integer(second)?),
            By::Score => Borders::Score(ScoreRange { min: score_bound(min)?, max: score_bound(max)? }),
            By::Lex => Borders::Lex(LexRange { min: lex_bound(min)?, max: lex_bound(max)? }),
        })
    }

    /// Cuts a range of ranks by `LIMIT`, from the end where the reply begins.
    fn cut(&self, ranks: Range<usize>) -> Range<usize> {
        let Ok(offset) = usize::try_from(self.offset) else { return 0..0 };
        let offset = offset.min(ranks.len());
        let count = usize::try_from(self.limit).unwrap_or(usize::MAX).min(ranks.len() - offset);
        if self.reverse {
            let end = ranks.end - offset;
            end - count..end
        } else {
            let start = ranks.start + offset;
            start..start + count
        }
    }
}

fn score_bound(text: &[u8]) -> Result<ScoreBound, CommandError> {
    let (exclusive, text) = match text {
        [b'(', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    // Borders are read by C's `strtod` alone: leading space is skipped, nothing at all is zero, too much is infinite.
    let text = text.trim_ascii_start();
    let score = if text.is_empty() { Some(0.0) } else { args::strtod(text) };
    match score {
        Some(score) if !f64::is_nan(score) => Ok(ScoreBound { score, exclusive }),
        Some(_) | None => Err(CommandError::MinMaxNotFloat),
    }
}

fn lex_bound(text: &[u8]) -> Result<LexBound<'_>, CommandError> {
    match text {
        b"-" => Ok(LexBound::Lowest),
        b"+" => Ok(LexBound::Highest),
        [b'[', member @ ..] => Ok(LexBound::Inclusive(member)),
        [b'(', member @ ..] => Ok(LexBound::Exclusive(member)),
        _ => Err(CommandError::Other("ERR min or max not valid string range item")),
    }
}

pub(in super::super) fn zrange(
    cx: &mut Context<'_>,
    slots: &mut LockedSlots<'_>,
    args: Args<'_>,
    reply: &mut ReplyWriter<'_>,
) -> Result<(), CommandError> {
    let options = Options::parse(args.skip(4))?;
    let borders = options.borders(args.at(2), args.at(3))?;
    let Some(set) = slots.read::<SortedSet>(cx, args.at(1))? else {
        reply.array(0);
        return Ok(());
    };
    let ranks = match borders {
        Borders::Index(start, end) => {
            let positions = elements::positions(start, end, set.len());
            let mirrored = set.len() - positions.end..set.len() - positions.start;
            if options.reverse { mirrored } else { positions }
        }
        Borders::Score(range) => options.cut(set.ranks_by_score(&range)),
        Borders::Lex(range) => options.cut(set.ranks_by_lex(&range)),
    };
    write_range(set, ranks, options, reply);
    Ok(())
}

fn write_range(set: &SortedSet, ranks: Range<usize>, options: Options, reply: &mut ReplyWriter<'_>) {
    // In RESP3 a member and its score are an array of their own.
    let nested = options.with_scores && reply.protocol() == Protocol::Resp3;
    let flat = if options.with_scores && !nested { 2 } else { 1 };
    reply.array(ranks.len() * flat);
    let mut write = |(member, score)| {
        if nested {
            reply.array(2);
        }
        elements::bulk(reply, member);
        if options.with_scores {
            reply.double(score);
        }
    };
    if options.reverse {
        set.range_reversed(ranks).for_each(&mut write);
    } else {
        set.range(ranks).for_each(&mut write);
    }
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::resp::Protocol;

    use crate::testing::Bench;

    fn letters() -> Bench {
        let mut bench = Bench::new();
        bench.check("ZADD z 1 a 2 b 3 c 4 d 5 e", ":5");
        bench.check("ZADD l 0 a 0 b 0 c 0 d 0 e", ":5");
        bench
    }

    #[test]
    fn by_index() {
        letters().check_all(&[
            ("ZRANGE z 0 -1", "[a b c d e]"),
            ("ZRANGE z 1 2 WITHSCORES", "[b 2 c 3]"),
            ("ZRANGE z 0 1 REV", "[e d]"),
            ("ZRANGE z -2 -1 REV WITHSCORES", "[b 2 a 1]"),
            ("ZRANGE z 3 1", "[]"),
            ("ZRANGE z 9 10 REV", "[]"),
            ("ZRANGE none 0 -1", "[]"),
            ("ZRANGE z 0 -1 LIMIT 0 -1", "[a b c d e]"),
        ]);
    }

    #[test]
    fn by_score() {
        letters().check_all(&[
            ("ZRANGE z 2 4 BYSCORE", "[b c d]"),
            ("ZRANGE z (2 (4 BYSCORE", "[c]"),
            ("ZRANGE z -inf +inf BYSCORE LIMIT 1 2", "[b c]"),
            ("ZRANGE z -inf inf BYSCORE LIMIT 1 -1", "[b c d e]"),
            ("ZRANGE z -inf inf BYSCORE LIMIT -1 2", "[]"),
            ("ZRANGE z -inf inf BYSCORE LIMIT 9 2", "[]"),
            ("ZRANGE z 4 2 BYSCORE", "[]"),
            ("ZRANGE z 0x2 1e999 BYSCORE", "[b c d e]"),
            ("ZRANGE z 4 2 BYSCORE REV", "[d c b]"),
            ("ZRANGE z inf -inf BYSCORE REV LIMIT 1 2 WITHSCORES", "[d 4 c 3]"),
            ("ZRANGE z (1 \"\" BYSCORE REV", "[]"),
        ]);
    }

    #[test]
    fn by_member() {
        letters().check_all(&[
            ("ZRANGE l - + BYLEX", "[a b c d e]"),
            ("ZRANGE l [b (d BYLEX", "[b c]"),
            ("ZRANGE l + - BYLEX REV LIMIT 1 2", "[d c]"),
            ("ZRANGE l + - BYLEX", "[]"),
            ("ZRANGE l [ [zz BYLEX LIMIT 4 9", "[e]"),
        ]);
    }

    #[test]
    fn wrong_arguments_are_told_apart() {
        letters().check_all(&[
            ("ZRANGE z a 1", "-ERR value is not an integer or out of range"),
            ("ZRANGE z 0 1 WITHSCORE", "-ERR syntax error"),
            ("ZRANGE z 0 1 LIMIT 0", "-ERR syntax error"),
            ("ZRANGE z 0 1 REV REV", "-ERR syntax error"),
            ("ZRANGE z 0 1 BYSCORE BYLEX", "-ERR syntax error"),
            ("ZRANGE z 0 1 BYSCORE LIMIT a 1", "-ERR value is not an integer or out of range"),
            (
                "ZRANGE z 0 1 LIMIT 0 1",
                "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ),
            (
                "ZRANGE z - + BYLEX WITHSCORES",
                "-ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ),
            ("ZRANGE z a b BYSCORE", "-ERR min or max is not a float"),
            ("ZRANGE z (nan 1 BYSCORE", "-ERR min or max is not a float"),
            ("ZRANGE z a b BYLEX", "-ERR min or max not valid string range item"),
            ("ZRANGE z -- + BYLEX", "-ERR min or max not valid string range item"),
        ]);
    }

    #[test]
    fn scores_stand_beside_their_members_in_resp3() {
        let mut bench = letters();
        bench.protocol = Protocol::Resp3;
        assert_eq!(bench.run_raw(&["ZRANGE", "z", "0", "0", "WITHSCORES"]), b"*1\r\n*2\r\n$1\r\na\r\n,1\r\n");
    }

    #[test]
    fn a_big_set_is_cut_anywhere() {
        let mut bench = Bench::new();
        for n in 0..2_000 {
            bench.check(&format!("ZADD z {n} m{n}"), ":1");
        }
        bench.check_all(&[
            ("ZRANGE z 1000 1001", "[m1000 m1001]"),
            ("ZRANGE z 0 1 REV", "[m1999 m1998]"),
            ("ZRANGE z (1500 +inf BYSCORE LIMIT 10 1", "[m1511]"),
            ("ZRANGE z 700 -inf BYSCORE REV LIMIT 1 2", "[m699 m698]"),
        ]);
    }
}
