//! Frames from bytes that arrive piece by piece.
//!
//! What was read of an unfinished aggregate is kept here as frames, so that the caller drops its bytes at once and
//! nothing but an unfinished line or string is read twice. There is no recursion: aggregates that are open lie on a
//! stack whose height is limited. An announced length or count reserves nothing.

use bytes::Bytes;
use thiserror::Error;

use super::Frame;
use crate::resp::number::parse_integer;

/// What a reply may be at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLimits {
    /// Aggregates within aggregates.
    pub depth: usize,
    /// Elements in an aggregate; a map has two for each pair.
    pub count: usize,
    /// Bytes in a string.
    pub bulk: usize,
    /// Bytes in a line.
    pub line: usize,
}

impl Default for FrameLimits {
    fn default() -> Self {
        Self { depth: 64, count: i32::MAX as usize, bulk: 512 * 1024 * 1024, line: 64 * 1024 }
    }
}

/// The bytes are no reply. Nothing behind them can be understood either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// No frame begins so.
    #[error("no reply begins with byte {0:#04x}")]
    UnknownKind(u8),
    /// A line or a string is not ended by CR and LF.
    #[error("a line end is missing")]
    LineEnd,
    /// A number, a length or a boolean is none.
    #[error("a value cannot be read")]
    Value,
    /// More aggregates within each other than allowed.
    #[error("the reply is nested too deeply")]
    TooDeep,
    /// More elements than allowed.
    #[error("an aggregate has too many elements")]
    TooMany,
    /// A longer string or line than allowed.
    #[error("a string is too long")]
    TooLong,
}

/// The reply decoder of one connection.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    limits: FrameLimits,
    open: Vec<Open>,
}

/// An aggregate of which elements are missing.
#[derive(Debug)]
struct Open {
    kind: Aggregate,
    missing: usize,
    elements: Vec<Frame>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Array,
    Map,
    Set,
    Push,
    Attribute,
}

/// What one step along the bytes gave.
enum Step {
    /// A frame without elements.
    Leaf(Frame),
    /// The header of an aggregate of that many elements.
    Open(Aggregate, usize),
}

impl FrameDecoder {
    /// A decoder with these limits.
    pub fn new(limits: FrameLimits) -> Self {
        Self { limits, open: Vec::new() }
    }

    /// Reads on, up to the end of one frame at most: how many bytes of `input` are done with, and the frame if it is
    /// complete. Without one, the caller comes again with the bytes that are left and more behind them.
    pub fn decode(&mut self, input: &[u8]) -> Result<(usize, Option<Frame>), FrameError> {
        let mut read = 0;
        loop {
            let Some((step, len)) = self.step(&input[read..])? else { return Ok((read, None)) };
            read += len;
            match step {
                Step::Open(kind, missing) => {
                    if self.open.len() >= self.limits.depth {
                        return Err(FrameError::TooDeep);
                    }
                    self.open.push(Open { kind, missing, elements: Vec::new() });
                }
                Step::Leaf(frame) => {
                    if let Some(frame) = self.put(frame) {
                        return Ok((read, Some(frame)));
                    }
                }
            }
            if let Some(frame) = self.close() {
                return Ok((read, Some(frame)));
            }
        }
    }

    /// Puts a frame into the innermost open aggregate; gives it back if there is none.
    fn put(&mut self, frame: Frame) -> Option<Frame> {
        let Some(innermost) = self.open.last_mut() else { return Some(frame) };
        innermost.elements.push(frame);
        innermost.missing -= 1;
        None
    }

    /// Closes the aggregates that are full; gives back the outermost if it is among them.
    fn close(&mut self) -> Option<Frame> {
        while let Some(full) = self.open.pop_if(|open| open.missing == 0) {
            let elements = full.elements;
            let frame = match full.kind {
                // It belongs to what follows and counts as no element of what is around it.
                Aggregate::Attribute => return None,
                Aggregate::Array => Frame::Array(elements),
                Aggregate::Set => Frame::Set(elements),
                Aggregate::Push => Frame::Push(elements),
                Aggregate::Map => Frame::Map(pairs(elements)),
            };
            if let Some(frame) = self.put(frame) {
                return Some(frame);
            }
        }
        None
    }

    /// Reads one leaf or one header, and says how long it is; `None` if it is not all there.
    fn step(&self, input: &[u8]) -> Result<Option<(Step, usize)>, FrameError> {
        let Some(&kind) = input.first() else { return Ok(None) };
        let aggregate = match kind {
            b'*' => Aggregate::Array,
            b'%' => Aggregate::Map,
            b'~' => Aggregate::Set,
            b'>' => Aggregate::Push,
            b'|' => Aggregate::Attribute,
            b'$' | b'!' | b'=' => return self.string(kind, input),
            b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => {
                let Some((line, len)) = self.line(input)? else { return Ok(None) };
                return scalar(kind, line).map(|frame| Some((Step::Leaf(frame), len)));
            }
            other => return Err(FrameError::UnknownKind(other)),
        };
        let Some((line, len)) = self.line(input)? else { return Ok(None) };
        if aggregate == Aggregate::Array && line == b"-1" {
            return Ok(Some((Step::Leaf(Frame::Null), len)));
        }
        let paired = matches!(aggregate, Aggregate::Map | Aggregate::Attribute);
        let count = length(line)?.checked_mul(if paired { 2 } else { 1 });
        match count {
            Some(count) if count <= self.limits.count => Ok(Some((Step::Open(aggregate, count), len))),
            _ => Err(FrameError::TooMany),
        }
    }

    /// The line at the beginning of `input` without its first byte and its end, and its length with them.
    fn line<'a>(&self, input: &'a [u8]) -> Result<Option<(&'a [u8], usize)>, FrameError> {
        let within = &input[..input.len().min(self.limits.line)];
        let Some(end) = within.iter().position(|&b| b == b'\n') else {
            return if input.len() > self.limits.line { Err(FrameError::TooLong) } else { Ok(None) };
        };
        match &input[1..end] {
            [line @ .., b'\r'] => Ok(Some((line, end + 1))),
            _ => Err(FrameError::LineEnd),
        }
    }

    fn string(&self, kind: u8, input: &[u8]) -> Result<Option<(Step, usize)>, FrameError> {
        let Some((line, start)) = self.line(input)? else { return Ok(None) };
        if kind == b'$' && line == b"-1" {
            return Ok(Some((Step::Leaf(Frame::Null), start)));
        }
        let len = length(line)?;
        if len > self.limits.bulk {
            return Err(FrameError::TooLong);
        }
        let end = start.saturating_add(len).saturating_add(2);
        let Some(string) = input.get(start..end) else { return Ok(None) };
        let Some(string) = string.strip_suffix(b"\r\n") else { return Err(FrameError::LineEnd) };
        let frame = match (kind, string) {
            (b'!', _) => Frame::Error(text(string)),
            (b'=', &[a, b, c, b':', ref text @ ..]) => {
                Frame::Verbatim { format: [a, b, c], text: Bytes::copy_from_slice(text) }
            }
            (b'=', _) => return Err(FrameError::Value),
            _ => Frame::bulk(string),
        };
        Ok(Some((Step::Leaf(frame), end)))
    }
}

/// A frame that is one line.
fn scalar(kind: u8, line: &[u8]) -> Result<Frame, FrameError> {
    let frame = match kind {
        b'+' => Some(Frame::Simple(text(line))),
        b'-' => Some(Frame::Error(text(line))),
        b':' => parse_integer(line.strip_prefix(b"+").unwrap_or(line)).map(Frame::Integer),
        b'_' => line.is_empty().then_some(Frame::Null),
        b',' => str::from_utf8(line).ok().and_then(|text| text.parse().ok()).map(Frame::Double),
        b'#' => match line {
            b"t" => Some(Frame::Boolean(true)),
            b"f" => Some(Frame::Boolean(false)),
            _ => None,
        },
        _ => {
            let digits = line.strip_prefix(b"-").or_else(|| line.strip_prefix(b"+")).unwrap_or(line);
            let number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
            number.then(|| Frame::BigNumber(text(line)))
        }
    };
    frame.ok_or(FrameError::Value)
}

fn length(line: &[u8]) -> Result<usize, FrameError> {
    parse_integer(line).and_then(|number| usize::try_from(number).ok()).ok_or(FrameError::Value)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn pairs(elements: Vec<Frame>) -> Vec<(Frame, Frame)> {
    let mut elements = elements.into_iter();
    std::iter::from_fn(|| elements.next().zip(elements.next())).collect()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const SMALL: FrameLimits = FrameLimits { depth: 3, count: 4, bulk: 10, line: 12 };

    #[track_caller]
    fn refused(input: &str, error: FrameError) {
        assert_eq!(FrameDecoder::new(SMALL).decode(input.as_bytes()), Err(error), "{input:?}");
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        refused("PONG\r\n", FrameError::UnknownKind(b'P'));
        refused("+OK\n", FrameError::LineEnd);
        refused("\n", FrameError::UnknownKind(b'\n'));
        refused("$2\r\nabc\r\n", FrameError::LineEnd);
        for input in [
            ":\r\n",
            ":1x\r\n",
            "$x\r\n",
            "$-2\r\n",
            "*-2\r\n",
            "%-1\r\n",
            "*?\r\n",
            "#x\r\n",
            "_0\r\n",
            ",x\r\n",
            "(1x\r\n",
            "(\r\n",
            "=2\r\nab\r\n",
            "=4\r\nabcd\r\n",
        ] {
            refused(input, FrameError::Value);
        }
    }

    #[test]
    fn limits_hold() {
        refused("*1\r\n*1\r\n*1\r\n*1\r\n", FrameError::TooDeep);
        refused("*5\r\n", FrameError::TooMany);
        refused("%3\r\n", FrameError::TooMany);
        refused("%9223372036854775807\r\n", FrameError::TooLong);
        refused("$11\r\n", FrameError::TooLong);
        refused("+0123456789abcdef", FrameError::TooLong);
        let announced = FrameDecoder::default().decode(b"%9223372036854775807\r\n");
        assert_eq!(announced, Err(FrameError::TooMany));
    }

    #[test]
    fn what_is_announced_is_not_allocated() {
        let mut decoder = FrameDecoder::default();
        assert_eq!(decoder.decode(b"*2000000000\r\n$500000000\r\nabc"), Ok((13, None)));
        assert_eq!(decoder.open[0].elements.capacity(), 0);
    }

    /// All frames of a stream that is delivered in pieces of those sizes, and how it ended.
    fn frames(stream: &[u8], pieces: &[usize]) -> (Vec<String>, Option<FrameError>) {
        let mut decoder = FrameDecoder::new(SMALL);
        let (mut found, mut pending, mut rest) = (Vec::new(), Vec::new(), stream);
        let mut pieces = pieces.iter().cycle();
        while !rest.is_empty() {
            let piece = rest.len().min(*pieces.next().unwrap_or(&1));
            pending.extend_from_slice(&rest[..piece]);
            rest = &rest[piece..];
            loop {
                match decoder.decode(&pending) {
                    Ok((read, frame)) => {
                        pending.drain(..read);
                        // As text, because NaN is not equal to itself.
                        let Some(frame) = frame else { break };
                        found.push(format!("{frame:?}"));
                    }
                    Err(error) => return (found, Some(error)),
                }
            }
        }
        (found, None)
    }

    fn noise() -> impl Strategy<Value = Vec<u8>> {
        let token = prop_oneof![
            "[-+:*$%~>|_,#(!=][-0-9a-c]{0,3}\r\n".prop_map(String::into_bytes),
            Just(b"$3\r\nabc\r\n".to_vec()),
            Just(b"*2\r\n".to_vec()),
            Just(b"|1\r\n".to_vec()),
            Just(b"_\r\n".to_vec()),
            Just(b",nan\r\n".to_vec()),
            Just(b"=6\r\ntxt:hi\r\n".to_vec()),
            vec(any::<u8>(), 1..3),
        ];
        vec(token, 0..12).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #[test]
        fn noise_is_read_alike_however_it_is_cut(stream in noise(), pieces in vec(1usize..9, 1..8)) {
            let at_once = frames(&stream, &[stream.len().max(1)]);
            prop_assert_eq!(frames(&stream, &pieces), at_once.clone());
            prop_assert_eq!(frames(&stream, &[1]), at_once);
        }
    }
}
