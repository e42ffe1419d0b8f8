//! Why a command failed; `Display` is the reply's text, Redis 7.2's word for word.
//!
//! One enum for all commands, because most errors are shared and clients match on their texts. The first word is the code
//! that client libraries turn into an exception's type. A failed command has changed nothing.

/// An error reply, without its leading `-`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what it is")]
pub enum CommandError {
    #[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
    WrongType,
    #[error("ERR syntax error")]
    Syntax,
    #[error("ERR value is not an integer or out of range")]
    NotInteger,
    #[error("ERR value is not a valid float")]
    NotFloat,
    #[error("ERR value is out of range, value must between -2147483648 and 2147483647")]
    IntRange,
    #[error("ERR Unsupported option {0}")]
    UnsupportedOption(String),
    #[error("ERR value is out of range, must be positive")]
    NotPositive,
    #[error("ERR min or max is not a float")]
    MinMaxNotFloat,
    #[error("ERR resulting score is not a number (NaN)")]
    ScoreNan,
    #[error("ERR increment or decrement would overflow")]
    Overflow,
    #[error("ERR decrement would overflow")]
    DecrementOverflow,
    #[error("ERR increment would produce NaN or Infinity")]
    NanOrInfinity,
    #[error("ERR offset is out of range")]
    OffsetOutOfRange,
    #[error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")]
    StringTooLong,
    #[error("ERR invalid expire time in '{0}' command")]
    InvalidExpire(&'static str),
    #[error("ERR no such key")]
    NoSuchKey,
    #[error("ERR DB index is out of range")]
    DbIndex,
    #[error("ERR Copying to another database is not allowed in cluster mode")]
    CopyInCluster,
    #[error("ERR MOVE is not allowed in cluster mode")]
    MoveInCluster,
    #[error("ERR SWAPDB is not allowed in cluster mode")]
    SwapInCluster,
    #[error("ERR source and destination objects are the same")]
    SameObject,
    #[error("ERR invalid cursor")]
    InvalidCursor,
    #[error("ERR wrong number of arguments for '{0}' command")]
    WrongArity(&'static str),
    #[error("ERR at least 1 input key is needed for '{0}' command")]
    NoInputKey(&'static str),
    #[error("ERR invalid longitude,latitude pair {0}")]
    NoPosition(String),
    #[error("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {0}")]
    NoCenter(String),
    #[error("ERR exactly one of BYRADIUS and BYBOX can be specified for {0}")]
    NoExtent(String),
    #[error("ERR Unknown PFDEBUG subcommand '{0}'")]
    UnknownPfDebug(String),
    /// A text that only one command has.
    #[error("{0}")]
    Other(&'static str),
}
