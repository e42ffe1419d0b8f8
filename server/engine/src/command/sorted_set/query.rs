//! What a range of members is asked for by: the arguments of `ZRANGE` and of all its older forms.
//!
//! A [`Form`] says what a command's name decides already; the rest are options. Whatever the borders are, ranks, scores or
//! members, a query ends as a range of ranks.

use std::ops::Range;

use nuthatch_proto::resp::Args;

use super::super::{CommandError, args, elements};
use crate::value::{LexBound, LexRange, ScoreBound, ScoreRange, SortedSet};

/// What the two borders of a range are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum By {
    Index,
    Score,
    Lex,
}

/// What a command's name says of its query.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Form {
    /// What the borders are, unless an option says it.
    pub(super) by: Option<By>,
    /// Whether the order is reversed, unless an option says it.
    pub(super) reverse: Option<bool>,
    /// Whether the result is stored, with its scores, rather than replied.
    pub(super) store: bool,
}

/// A query, read.
pub(super) struct Query<'a> {
    options: Options,
    borders: Borders<'a>,
}

/// The options of a query.
#[derive(Debug, Clone, Copy)]
struct Options {
    by: By,
    reverse: bool,
    with_scores: bool,
    offset: i64,
    /// All if negative.
    limit: i64,
}

/// The borders of a query, read.
pub(super) enum Borders<'a> {
    Index(i64, i64),
    Score(ScoreRange),
    Lex(LexRange<'a>),
}

impl Form {
    /// ZRANGE: options say everything.
    pub(in super::super) const OPEN: Self = Self { by: None, reverse: None, store: false };

    /// The older forms: their names say everything.
    pub(in super::super) const fn named(by: By, reverse: bool) -> Self {
        Self { by: Some(by), reverse: Some(reverse), store: false }
    }

    fn options(mut self, arguments: Args<'_>) -> Result<Options, CommandError> {
        let (mut with_scores, mut offset, mut limit) = (false, 0, -1);
        let mut index = 0;
        while let Some(argument) = arguments.get(index) {
            if args::is(argument, "withscores") && !self.store {
                with_scores = true;
            } else if args::is(argument, "limit") && arguments.len() > index + 2 {
                offset = args::integer(arguments.at(index + 1))?;
                limit = args::integer(arguments.at(index + 2))?;
                index += 2;
            } else if args::is(argument, "rev") && self.reverse.is_none() {
                self.reverse = Some(true);
            } else if args::is(argument, "bylex") && self.by.is_none() {
                self.by = Some(By::Lex);
            } else if args::is(argument, "byscore") && self.by.is_none() {
                self.by = Some(By::Score);
            } else {
                return Err(CommandError::Syntax);
            }
            index += 1;
        }
        let by = self.by.unwrap_or(By::Index);
        if limit != -1 && by == By::Index {
            return Err(CommandError::Other(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if with_scores && by == By::Lex {
            return Err(CommandError::Other(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        Ok(Options { by, reverse: self.reverse.unwrap_or(false), with_scores, offset, limit })
    }
}

impl<'a> Query<'a> {
    /// Reads a query: two borders, then options.
    pub(super) fn parse(form: Form, arguments: Args<'a>) -> Result<Self, CommandError> {
        let options = form.options(arguments.skip(2))?;
        let (first, second) = (arguments.at(0), arguments.at(1));
        // Reversed, the higher border comes first.
        let swapped = options.reverse && options.by != By::Index;
        let (min, max) = if swapped { (second, first) } else { (first, second) };
        Ok(Self { options, borders: Borders::parse(options.by, min, max)? })
    }

    /// Whether scores are replied as well.
    pub(super) fn with_scores(&self) -> bool {
        self.options.with_scores
    }

    /// Whether the members are wanted from the highest rank down.
    pub(super) fn reverse(&self) -> bool {
        self.options.reverse
    }

    /// The ranks of the members that are asked for.
    pub(super) fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let ranks = self.borders.ranks(set);
        match self.borders {
            Borders::Index(..) if self.options.reverse => set.len() - ranks.end..set.len() - ranks.start,
            Borders::Index(..) => ranks,
            Borders::Score(_) | Borders::Lex(_) => self.options.cut(ranks),
        }
    }
}

impl<'a> Borders<'a> {
    /// Reads two borders.
    pub(super) fn parse(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Self, CommandError> {
        Ok(match by {
            By::Index => Self::Index(args::integer(min)?, args::integer(max)?),
            By::Score => Self::Score(ScoreRange { min: score_bound(min)?, max: score_bound(max)? }),
            By::Lex => Self::Lex(LexRange { min: lex_bound(min)?, max: lex_bound(max)? }),
        })
    }

    /// The ranks of the members between them.
    pub(super) fn ranks(&self, set: &SortedSet) -> Range<usize> {
        match self {
            Self::Index(start, end) => elements::positions(*start, *end, set.len()),
            Self::Score(range) => set.ranks_by_score(range),
            Self::Lex(range) => set.ranks_by_lex(range),
        }
    }
}

impl Options {
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
