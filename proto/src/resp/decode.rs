//! Requests from bytes: arrays of bulk strings, and inline commands typed by hand.
//!
//! The decoder owns no bytes. It is shown the connection's read buffer and answers with the places of one request's
//! arguments in it, so that an argument is never copied and never allocated.
//!
//! A request that is there as a whole is read in one pass with no state touched (`whole.rs`). One that is not is
//! remembered: how far it was read and the spans found so far, relative to its first byte, so that the buffer may move
//! and nothing is read twice. An argument's announced length reserves nothing; it is only a hint
//! to the reader ([`Decoded::Incomplete`]).
//!
//! Invariants: what is decoded does not depend on how the bytes were cut into deliveries; no input panics; the spans
//! lie within the buffer; after an error the decoder is as new.
//!
//! Limits and error texts are those of Redis 7.2 (`networking.c`, `processMultibulkBuffer`), down to its leniencies:
//! the two bytes that end a header or an argument are skipped, not looked at. One thing is stricter, so that cutting
//! does not matter: a line has to end within its limit even if all of it is there already.

mod inline;
mod limits;
mod whole;

pub use limits::{Limits, ProtocolError};
use whole::{Progress, whole};

use super::args::Span;
use super::number::parse_integer;

/// Spans that are kept for the next incomplete request; a larger one's are given back.
const SPANS_KEPT: usize = 1024;

/// What a call of [`Decoder::decode`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded {
    /// A request; its arguments' spans were appended.
    Request {
        /// Where the next one begins.
        end: usize,
    },
    /// Something that is no request and no error: an empty line, or an array of no elements.
    Nothing {
        /// Where the next request begins.
        end: usize,
    },
    /// The request is not all there yet.
    Incomplete {
        /// How many bytes are missing at least; never 0.
        wanted: usize,
    },
}

/// The request decoder of one connection.
#[derive(Debug, Default)]
pub struct Decoder {
    /// Where in the request reading goes on: at a header, or at an argument's bytes if `bulk` is set.
    read: usize,
    /// How many bytes from `read` on are known to hold no line end.
    scanned: usize,
    /// Arguments still to come; 0 as long as the first header was not read.
    remaining: u64,
    /// The length of the argument at `read`, once its header was read.
    bulk: Option<u64>,
    /// The arguments found, relative to the request's first byte.
    spans: Vec<Span>,
}

impl Decoder {
    /// Decodes one request that begins at `buffer[start..]` and appends the spans of its arguments, absolute in
    /// `buffer`, to `spans`.
    ///
    /// The buffer is borrowed mutably because quoted inline arguments are unescaped in place. After `Incomplete` the
    /// caller comes again with the same bytes and more behind them; they may have moved (another `start`).
    #[inline]
    pub fn decode(
        &mut self,
        buffer: &mut [u8],
        start: usize,
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<Decoded, ProtocolError> {
        if self.remaining == 0 && self.scanned == 0 {
            let found = spans.len();
            let progress = whole(buffer, start, limits, spans);
            if progress.remaining == 0 && progress.read != start {
                return Ok(Decoded::Request { end: progress.read });
            }
            self.remember(progress, start, spans, found);
        }
        self.resume(buffer, start, limits, spans)
    }

    /// Takes over what [`whole`] has read of an incomplete or unusual request.
    #[cold]
    fn remember(&mut self, progress: Progress, start: usize, spans: &mut Vec<Span>, found: usize) {
        self.read = progress.read.saturating_sub(start);
        self.remaining = progress.remaining;
        let offset = place(start);
        let relative = |span: Span| Span { start: span.start - offset, len: span.len };
        self.spans.extend(spans.drain(found..).map(relative));
    }

    /// Goes on with a request of which a part was read already, or that is not plain.
    #[cold]
    fn resume(
        &mut self,
        buffer: &mut [u8],
        start: usize,
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<Decoded, ProtocolError> {
        let first = buffer.get(start).copied();
        let outcome = if u32::try_from(buffer.len()).is_err() {
            Err(ProtocolError::TooBigRequest)
        } else {
            match first {
                None => Ok(Decoded::Incomplete { wanted: 1 }),
                Some(b'*') => self.multibulk(buffer, start, limits, spans),
                Some(_) => self.inline(buffer, start, limits, spans),
            }
        };
        match outcome {
            Ok(Decoded::Incomplete { .. }) => {}
            Ok(Decoded::Request { .. } | Decoded::Nothing { .. }) | Err(_) => self.reset(),
        }
        outcome
    }

    /// Forgets a request that was begun.
    pub fn reset(&mut self) {
        let mut spans = std::mem::take(&mut self.spans);
        spans.clear();
        spans.shrink_to(SPANS_KEPT);
        *self = Self { spans, ..Self::default() };
    }

    fn multibulk(
        &mut self,
        buffer: &[u8],
        start: usize,
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<Decoded, ProtocolError> {
        let request = &buffer[start..];
        if self.remaining == 0 {
            let Some(line) = self.header(request, limits, ProtocolError::TooBigMultibulkCount)? else {
                return Ok(Decoded::Incomplete { wanted: 1 });
            };
            let count = parse_integer(&line[1..]).ok_or(ProtocolError::InvalidMultibulkLength)?;
            let Ok(count @ 1..) = u64::try_from(count) else {
                return Ok(Decoded::Nothing { end: start + self.read });
            };
            limits.check_count(count)?;
            self.remaining = count;
        }
        while self.remaining > 0 {
            if self.bulk.is_none() {
                let Some(line) = self.header(request, limits, ProtocolError::TooBigBulkCount)? else {
                    return Ok(Decoded::Incomplete { wanted: 1 });
                };
                self.bulk = Some(bulk_length(line, limits)?);
            }
            if let Some(missing) = self.payload(request) {
                return Ok(Decoded::Incomplete { wanted: missing });
            }
        }
        let offset = place(start);
        spans.extend(self.spans.iter().map(|span| Span { start: span.start + offset, len: span.len }));
        Ok(Decoded::Request { end: start + self.read })
    }

    /// The line at `read` without its end, which is passed over; `None` if its end is not there yet.
    fn header<'a>(
        &mut self,
        request: &'a [u8],
        limits: &Limits,
        too_big: ProtocolError,
    ) -> Result<Option<&'a [u8]>, ProtocolError> {
        let rest = request.get(self.read..).unwrap_or_default();
        let Some(len) = self.find(rest, b'\r', limits.inline_max).map_err(|TooLong| too_big)? else {
            return Ok(None);
        };
        if rest.len() < len + 2 {
            // The search begins again at this very byte.
            self.scanned = len;
            return Ok(None);
        }
        self.read += len + 2;
        self.scanned = 0;
        Ok(Some(&rest[..len]))
    }

    /// Where in `rest` that byte first stands, without looking again at what was searched before.
    fn find(&mut self, rest: &[u8], byte: u8, max: usize) -> Result<Option<usize>, TooLong> {
        let within = &rest[..rest.len().min(max)];
        let unseen = within.get(self.scanned..).unwrap_or_default();
        match unseen.iter().position(|&b| b == byte) {
            Some(at) => Ok(Some(self.scanned + at)),
            None if rest.len() > max => Err(TooLong),
            None => {
                self.scanned = within.len();
                Ok(None)
            }
        }
    }

    /// Takes the argument at `read`, or says how many of its bytes are missing.
    fn payload(&mut self, request: &[u8]) -> Option<usize> {
        let len = self.bulk.map_or(0, |len| usize::try_from(len).unwrap_or(usize::MAX));
        let end = self.read.saturating_add(len).saturating_add(2);
        if end > request.len() {
            return Some(end - request.len());
        }
        self.spans.push(Span { start: place(self.read), len: place(len) });
        self.read = end;
        self.bulk = None;
        self.remaining -= 1;
        None
    }

    fn inline(
        &mut self,
        buffer: &mut [u8],
        start: usize,
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<Decoded, ProtocolError> {
        let found = self.find(&buffer[start..], b'\n', limits.inline_max);
        let Some(len) = found.map_err(|TooLong| ProtocolError::TooBigInlineRequest)? else {
            return Ok(Decoded::Incomplete { wanted: 1 });
        };
        let line = &mut buffer[start..start + len];
        let line = match line {
            [line @ .., b'\r'] => line,
            line => line,
        };
        let before = spans.len();
        inline::split(line, place(start), spans)?;
        let end = start + len + 1;
        Ok(if spans.len() == before { Decoded::Nothing { end } } else { Decoded::Request { end } })
    }
}

/// The line does not end within its limit.
struct TooLong;

/// What an argument's header announces.
fn bulk_length(line: &[u8], limits: &Limits) -> Result<u64, ProtocolError> {
    let Some((b'$', digits)) = line.split_first() else {
        // A line of no bytes is one whose first byte is the line end.
        return Err(ProtocolError::ExpectedBulk { got: line.first().copied().unwrap_or(b'\r') });
    };
    let len = parse_integer(digits).and_then(|len| u64::try_from(len).ok());
    let len = len.ok_or(ProtocolError::InvalidBulkLength)?;
    limits.check_bulk(len)?;
    Ok(len)
}

/// A place or a length within a buffer that was checked to be shorter than 4 GiB.
#[inline]
fn place(n: usize) -> u32 {
    n as u32
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::args::Args;

    /// What comes first in that stream: its arguments and where the next begins, or what was said instead.
    #[track_caller]
    fn check(stream: &str, limits: Limits, expected: Result<(&[&str], usize), &str>) {
        let mut buffer = stream.as_bytes().to_vec();
        let mut spans = Vec::new();
        let outcome = Decoder::default().decode(&mut buffer, 0, &limits, &mut spans);
        let found = Args::new(&buffer, &spans).iter().map(|arg| str::from_utf8(arg).expect("text"));
        let found = found.collect::<Vec<_>>();
        let error = outcome.map_err(|error| error.to_string());
        match (error, expected) {
            (Ok(Decoded::Request { end } | Decoded::Nothing { end }), Ok(expected)) => {
                assert_eq!((&found[..], end), expected);
            }
            (Ok(Decoded::Incomplete { wanted }), Err(text)) => {
                assert_eq!(format!("{wanted} bytes missing"), text);
            }
            (Err(error), Err(text)) => assert_eq!(error.strip_prefix("Protocol error: "), Some(text)),
            (outcome, expected) => panic!("{stream:?}: {outcome:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn requests_of_both_kinds() {
        let limits = Limits::default();
        check("*1\r\n$4\r\nPING\r\nrest", limits, Ok((&["PING"], 14)));
        check("*2\r\n$3\r\nGET\r\n$10\r\n0123456789\r\n", limits, Ok((&["GET", "0123456789"], 30)));
        check("PING\r\nrest", limits, Ok((&["PING"], 6)));
        check("set k \"a b\"\n", limits, Ok((&["set", "k", "a b"], 12)));
    }

    #[test]
    fn what_ends_headers_and_arguments_is_skipped_unseen() {
        check("*1\r.$4\r.PING..", Limits::default(), Ok((&["PING"], 14)));
    }

    #[test]
    fn nothing_is_no_error() {
        for (stream, end) in [("*0\r\n", 4), ("*-10\r\nPING\r\n", 6), ("\r\n", 2), ("\n", 1), ("  \r\n", 4)] {
            check(stream, Limits::default(), Ok((&[], end)));
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        for (stream, wanted) in [
            ("", 1),
            ("*", 1),
            ("*1\r", 1),
            ("*1\r\n$", 1),
            ("*1\r\n$9\r\nabc", 8),
            ("*1\r\n$1\r\na\r", 1),
            ("PING", 1),
        ] {
            check(stream, Limits::default(), Err(&format!("{wanted} bytes missing")));
        }
    }

    #[test]
    fn errors_are_those_of_redis() {
        for (stream, text) in [
            ("*\r\n", "invalid multibulk length"),
            ("*01\r\n", "invalid multibulk length"),
            ("*+1\r\n", "invalid multibulk length"),
            ("*3000000000\r\n", "invalid multibulk length"),
            ("*99999999999999999999\r\n", "invalid multibulk length"),
            ("*1\r\nfoo\r\n", "expected '$', got 'f'"),
            ("*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n", "expected '$', got 'f'"),
            ("*1\r\n$-10\r\n", "invalid bulk length"),
            ("*1\r\n$blabla\r\n", "invalid bulk length"),
            ("*1\r\n$05\r\n", "invalid bulk length"),
            ("*1\r\n$2000000000\r\n", "invalid bulk length"),
            ("set \"\"\"test-key\"\"\" test-value\r\n", "unbalanced quotes in request"),
        ] {
            check(stream, Limits::default(), Err(text));
        }
        let long = "1".repeat(70_000);
        check(&long, Limits::default(), Err("too big inline request"));
        check(&format!("*{long}"), Limits::default(), Err("too big mbulk count string"));
        check(&format!("*1\r\n${long}"), Limits::default(), Err("too big bulk count string"));
    }

    #[test]
    fn a_stranger_may_send_little() {
        let stranger = Limits { authenticated: false, ..Limits::default() };
        check("*11\r\n", stranger, Err("unauthenticated multibulk length"));
        check("*1\r\n$16385\r\n", stranger, Err("unauthenticated bulk length"));
        check("*3000000000\r\n", stranger, Err("invalid multibulk length"));
        check("*10\r\n$16384\r\n", stranger, Err("16386 bytes missing"));
    }

    #[test]
    fn an_error_leaves_no_trace() {
        let mut decoder = Decoder::default();
        let limits = Limits::default();
        let mut spans = Vec::new();
        let mut broken = *b"*2\r\n$4\r\nPING\r\n?\r\n";
        assert!(decoder.decode(&mut broken[..15], 0, &limits, &mut spans).is_ok());
        assert!(decoder.decode(&mut broken, 0, &limits, &mut spans).is_err());
        let mut sound = *b"*1\r\n$4\r\nPING\r\n";
        assert_eq!(decoder.decode(&mut sound, 0, &limits, &mut spans), Ok(Decoded::Request { end: 14 }));
        assert_eq!(spans, [Span { start: 8, len: 4 }]);
    }
}
