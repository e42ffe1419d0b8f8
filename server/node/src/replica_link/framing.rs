//! Where the data of a full resynchronisation ends.
//!
//! A primary that has a file says how long it is (`$<bytes>`). One that writes straight to the socket cannot: it chooses a
//! mark of forty bytes, says it first (`$EOF:<mark>`) and once more at the end. The data says itself where it ends, so
//! nobody looks for the mark: what follows the data must be it.
//!
//! Pure: told lines and counts, it answers how much may be read. A length is never believed for more than that.

use super::handshake::printable;

/// How long a mark is.
pub(super) const MARK_LEN: usize = 40;

const MARK_PREFIX: &[u8] = b"EOF:";

/// How the end is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// After so many bytes.
    Length(u64),
    /// By this mark.
    Mark([u8; MARK_LEN]),
}

/// Why no data comes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoData {
    /// The primary could not make it.
    #[error("the primary cannot send its data: {0}")]
    Failed(String),
    /// That is no announcement.
    #[error("the primary does not announce its data: {0}")]
    Nonsense(String),
    /// It does not end as it was announced.
    #[error("the primary's data does not end where it was to end")]
    WrongEnd,
}

impl Extent {
    /// What a line announces; nothing if it is empty, which says only that the primary is still at it.
    pub(super) fn announced(line: &[u8]) -> Result<Option<Self>, NoData> {
        let nonsense = || NoData::Nonsense(printable(line));
        match line {
            [] => Ok(None),
            [b'-', ..] => Err(NoData::Failed(printable(line))),
            [b'$', rest @ ..] => match rest.strip_prefix(MARK_PREFIX) {
                Some(mark) => mark.try_into().map(|mark| Some(Self::Mark(mark))).map_err(|_| nonsense()),
                None => {
                    let digits = Some(rest).filter(|rest| rest.iter().all(u8::is_ascii_digit));
                    let text = digits.and_then(|digits| std::str::from_utf8(digits).ok());
                    text.and_then(|text| text.parse().ok())
                        .map(|len| Some(Self::Length(len)))
                        .ok_or_else(nonsense)
                }
            },
            _ => Err(nonsense()),
        }
    }

    /// How many bytes the data has, if that is known.
    pub(super) fn length(self) -> Option<u64> {
        match self {
            Self::Length(length) => Some(length),
            Self::Mark(_) => None,
        }
    }

    /// How many of so many bytes may belong to the data after `read` of it.
    pub(super) fn within(self, read: u64, available: usize) -> usize {
        match self {
            Self::Length(length) => {
                usize::try_from(length.saturating_sub(read)).map_or(available, |left| left.min(available))
            }
            Self::Mark(_) => available,
        }
    }

    /// How many bytes stand between the end of the data and the stream.
    pub(super) fn tail(self) -> usize {
        match self {
            Self::Length(_) => 0,
            Self::Mark(_) => MARK_LEN,
        }
    }

    /// Whether the data has ended as announced: after `read` bytes, followed by that tail.
    pub(super) fn check(self, read: u64, tail: &[u8]) -> Result<(), NoData> {
        let fits = match self {
            Self::Length(length) => length == read && tail.is_empty(),
            Self::Mark(mark) => tail == mark,
        };
        if fits { Ok(()) } else { Err(NoData::WrongEnd) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MARK: [u8; MARK_LEN] = [b'm'; MARK_LEN];

    #[test]
    fn both_announcements_are_read() {
        assert_eq!(Extent::announced(b""), Ok(None));
        assert_eq!(Extent::announced(b"$0"), Ok(Some(Extent::Length(0))));
        assert_eq!(Extent::announced(b"$175"), Ok(Some(Extent::Length(175))));
        let line = [b"$EOF:", &MARK[..]].concat();
        assert_eq!(Extent::announced(&line), Ok(Some(Extent::Mark(MARK))));
    }

    #[test]
    fn others_are_refused() {
        let failed = Extent::announced(b"-ERR no disk").expect_err("an error");
        assert_eq!(failed.to_string(), "the primary cannot send its data: -ERR no disk");
        for line in [&b"+OK"[..], b"$", b"$-1", b"$+5", b"$99999999999999999999", b"$EOF:short", b"175"] {
            assert_eq!(Extent::announced(line), Err(NoData::Nonsense(printable(line))));
        }
    }

    #[test]
    fn no_more_is_read_than_there_is() {
        let extent = Extent::Length(10);
        assert_eq!([extent.within(0, 5), extent.within(8, 5), extent.within(10, 5)], [5, 2, 0]);
        assert_eq!(extent.within(11, 5), 0);
        assert_eq!(Extent::Mark(MARK).within(u64::MAX, 5), 5);
        assert_eq!((extent.length(), extent.tail(), Extent::Mark(MARK).tail()), (Some(10), 0, 40));
    }

    #[test]
    fn data_ends_where_it_was_to_end() {
        assert_eq!(Extent::Length(10).check(10, b""), Ok(()));
        assert_eq!(Extent::Length(10).check(9, b""), Err(NoData::WrongEnd));
        assert_eq!(Extent::Mark(MARK).check(9, &MARK), Ok(()));
        assert_eq!(Extent::Mark(MARK).check(9, b"m"), Err(NoData::WrongEnd));
    }

    proptest! {
        #[test]
        fn no_line_causes_a_panic(line in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Extent::announced(&line);
            let _ = Extent::announced(&[b"$", &line[..]].concat());
        }
    }
}
