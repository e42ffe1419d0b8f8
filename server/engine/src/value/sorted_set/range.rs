//! The borders of score ranges and of lexicographic ranges, as `ZRANGE ... BYSCORE` and `BYLEX` name them.
//!
//! A range is two prefixes: the members before its lower border, and those before its upper one. What the borders'
//! text looks like (`(1.5`, `[a`, `-`) is the commands' affair.

/// A range of scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreRange {
    /// The lowest score.
    pub min: ScoreBound,
    /// The highest score.
    pub max: ScoreBound,
}

/// An end of a range of scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreBound {
    /// The score, not NaN.
    pub score: f64,
    /// Whether that score itself is left out.
    pub exclusive: bool,
}

impl ScoreRange {
    /// Whether a score lies below the range.
    #[inline]
    pub(super) fn is_below(&self, score: f64) -> bool {
        if self.min.exclusive { score <= self.min.score } else { score < self.min.score }
    }

    /// Whether a score lies below the range or in it.
    #[inline]
    pub(super) fn is_not_above(&self, score: f64) -> bool {
        if self.max.exclusive { score < self.max.score } else { score <= self.max.score }
    }
}

/// A range of members, all of the same score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LexRange<'a> {
    /// The least member.
    pub min: LexBound<'a>,
    /// The greatest member.
    pub max: LexBound<'a>,
}

/// An end of a range of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// `-`: before every member.
    Lowest,
    /// `+`: after every member.
    Highest,
    /// `[member`: that member is in.
    Inclusive(&'a [u8]),
    /// `(member`: that member is out.
    Exclusive(&'a [u8]),
}

impl LexRange<'_> {
    /// Whether a member lies below the range.
    pub(super) fn is_below(&self, member: &[u8]) -> bool {
        match self.min {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Inclusive(bound) => member < bound,
            LexBound::Exclusive(bound) => member <= bound,
        }
    }

    /// Whether a member lies below the range or in it.
    pub(super) fn is_not_above(&self, member: &[u8]) -> bool {
        match self.max {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Inclusive(bound) => member <= bound,
            LexBound::Exclusive(bound) => member < bound,
        }
    }
}
