//! Replies as values: what a client, a test or a tool reads from a server, in RESP2 or RESP3.
//!
//! A [`Frame`] says what was meant, not how it was spelled: the three nulls of the two protocols are one, and so are
//! the two kinds of error. Attributes, which only annotate the reply behind them, are read and dropped.
//!
//! The server never builds frames: it writes replies straight into its output with
//! [`ReplyWriter`](super::encode::ReplyWriter).

mod decode;

use bytes::Bytes;
pub use decode::{FrameDecoder, FrameError, FrameLimits};

/// One reply, or one push.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// A simple string (`+OK`).
    Simple(String),
    /// An error, simple or bulk, its code first (`ERR no such key`).
    Error(String),
    /// An integer.
    Integer(i64),
    /// A bulk string.
    Bulk(Bytes),
    /// A null of any kind.
    Null,
    /// An array.
    Array(Vec<Self>),
    /// A map; its keys are as they came, in order, possibly repeated.
    Map(Vec<(Self, Self)>),
    /// A set, as it came.
    Set(Vec<Self>),
    /// An out-of-band message: no reply to anything.
    Push(Vec<Self>),
    /// A double.
    Double(f64),
    /// A boolean.
    Boolean(bool),
    /// An integer beyond 64 bits, in digits.
    BigNumber(String),
    /// A text with a three-letter format.
    Verbatim {
        /// `txt`, `mkd`.
        format: [u8; 3],
        /// The text without the format.
        text: Bytes,
    },
}

impl Frame {
    /// A bulk string with a copy of these bytes.
    pub fn bulk(bytes: impl AsRef<[u8]>) -> Self {
        Self::Bulk(Bytes::copy_from_slice(bytes.as_ref()))
    }

    /// The bytes of any kind of string; `None` for what is none.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Simple(text) | Self::BigNumber(text) => Some(text.as_bytes()),
            Self::Bulk(bytes) | Self::Verbatim { text: bytes, .. } => Some(bytes),
            Self::Error(_)
            | Self::Integer(_)
            | Self::Null
            | Self::Array(_)
            | Self::Map(_)
            | Self::Set(_)
            | Self::Push(_)
            | Self::Double(_)
            | Self::Boolean(_) => None,
        }
    }

    /// Any kind of string as text, if it is UTF-8.
    pub fn as_text(&self) -> Option<&str> {
        self.as_bytes().and_then(|bytes| str::from_utf8(bytes).ok())
    }

    /// An integer's value.
    pub fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(*number) } else { None }
    }

    /// The elements of an array, a set or a push.
    pub fn as_elements(&self) -> Option<&[Self]> {
        match self {
            Self::Array(elements) | Self::Set(elements) | Self::Push(elements) => Some(elements),
            Self::Simple(_)
            | Self::Error(_)
            | Self::Integer(_)
            | Self::Bulk(_)
            | Self::Null
            | Self::Map(_)
            | Self::Double(_)
            | Self::Boolean(_)
            | Self::BigNumber(_)
            | Self::Verbatim { .. } => None,
        }
    }

    /// An error's text.
    pub fn as_error(&self) -> Option<&str> {
        if let Self::Error(text) = self { Some(text) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::encode::{Protocol, ReplyWriter};

    /// What is written is read back: as `resp2` in RESP2, and as `resp3` in RESP3.
    #[track_caller]
    fn check(write: impl Fn(&mut ReplyWriter<'_>), resp2: Frame, resp3: Frame) {
        for (protocol, expected) in [(Protocol::Resp2, resp2), (Protocol::Resp3, resp3)] {
            let mut out = Vec::new();
            write(&mut ReplyWriter::new(&mut out, protocol));
            let mut decoder = FrameDecoder::default();
            let whole = decoder.decode(&out).expect("valid");
            assert_eq!(whole, (out.len(), Some(expected.clone())), "{protocol:?}");

            let mut pending = Vec::new();
            let mut found = None;
            for &byte in &out {
                assert_eq!(found, None, "a frame before its last byte");
                pending.push(byte);
                let (read, frame) = decoder.decode(&pending).expect("valid");
                pending.drain(..read);
                found = frame;
            }
            assert_eq!((found, pending.len()), (Some(expected), 0), "{protocol:?}, byte by byte");
        }
    }

    fn same(write: impl Fn(&mut ReplyWriter<'_>), frame: Frame) {
        check(write, frame.clone(), frame);
    }

    #[test]
    fn what_the_reply_writer_writes_is_read_back() {
        same(|r| r.ok(), Frame::Simple("OK".into()));
        same(|r| r.error("ERR no such key"), Frame::Error("ERR no such key".into()));
        same(|r| r.integer(i64::MIN), Frame::Integer(i64::MIN));
        same(|r| r.bulk(b"a\r\n\0b"), Frame::bulk("a\r\n\0b"));
        same(|r| r.bulk(b""), Frame::bulk(""));
        same(|r| r.null(), Frame::Null);
        same(|r| r.null_array(), Frame::Null);
        same(|r| r.array(0), Frame::Array(vec![]));
        check(|r| r.boolean(true), Frame::Integer(1), Frame::Boolean(true));
        check(|r| r.double(-1.5), Frame::bulk("-1.5"), Frame::Double(-1.5));
        check(|r| r.double(f64::INFINITY), Frame::bulk("inf"), Frame::Double(f64::INFINITY));
        let verbatim = Frame::Verbatim { format: *b"txt", text: Bytes::from_static(b"hi") };
        check(|r| r.verbatim("txt", b"hi"), Frame::bulk("hi"), verbatim);
    }

    #[test]
    fn aggregates_nest() {
        let write = |r: &mut ReplyWriter<'_>| {
            r.array(3);
            r.map(1);
            r.bulk(b"k");
            r.set(2);
            r.integer(1);
            r.null();
            r.array(0);
            r.push(1);
            r.simple("x");
        };
        let members = || vec![Frame::Integer(1), Frame::Null];
        let rest = [Frame::Array(vec![]), Frame::Array(vec![Frame::Simple("x".into())])];
        let [empty, pushed] = rest.clone();
        let resp2 =
            Frame::Array(vec![Frame::Array(vec![Frame::bulk("k"), Frame::Array(members())]), empty, pushed]);
        let map = Frame::Map(vec![(Frame::bulk("k"), Frame::Set(members()))]);
        let [empty, _] = rest;
        let resp3 = Frame::Array(vec![map, empty, Frame::Push(vec![Frame::Simple("x".into())])]);
        check(write, resp2, resp3);
    }

    #[test]
    fn the_kinds_that_the_writer_does_not_write() {
        same(|r| r.raw(b"(123456789012345678901\r\n"), Frame::BigNumber("123456789012345678901".into()));
        same(|r| r.raw(b"!5\r\nERR x\r\n"), Frame::Error("ERR x".into()));
        same(|r| r.raw(b"|1\r\n+k\r\n*1\r\n:1\r\n*1\r\n|0\r\n:2\r\n"), Frame::Array(vec![Frame::Integer(2)]));
        same(|r| r.raw(b":+7\r\n"), Frame::Integer(7));
    }
}
