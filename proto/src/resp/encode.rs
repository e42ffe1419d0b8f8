//! Replies to bytes, in RESP2 or RESP3: the writer knows the connection's protocol, so that a command says what it
//! means (a map, a double, a null) once.
//!
//! It writes straight into the connection's output buffer. It checks nothing: a command that announces three elements
//! writes three.

use super::double::DoubleText;

/// The protocol version a connection speaks.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// RESP2, what a connection speaks until `HELLO 3`.
    #[default]
    Resp2,
    /// RESP3.
    Resp3,
}

/// Where in the output a reply began, or an array's header waits for its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Mark(usize);

/// Writes replies to the end of a buffer.
pub struct ReplyWriter<'a> {
    out: &'a mut Vec<u8>,
    protocol: Protocol,
}

impl<'a> ReplyWriter<'a> {
    /// A writer that appends to `out`.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>, protocol: Protocol) -> Self {
        Self { out, protocol }
    }

    /// The protocol it writes.
    #[inline]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Switches the protocol of what follows (`HELLO`).
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    #[inline]
    fn resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    /// How many bytes the buffer holds.
    #[inline]
    pub fn written(&self) -> usize {
        self.out.len()
    }

    /// This place in the output.
    pub fn mark(&self) -> Mark {
        Mark(self.out.len())
    }

    /// What was written since the mark.
    pub fn since(&self, mark: Mark) -> &[u8] {
        self.out.get(mark.0..).unwrap_or_default()
    }

    /// Takes back all that was written since the mark.
    pub fn rewind(&mut self, mark: Mark) {
        self.out.truncate(mark.0);
    }

    /// Bytes that are RESP already.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    #[inline]
    fn line(&mut self, kind: u8, text: &[u8]) {
        self.out.reserve(text.len() + 3);
        self.out.push(kind);
        self.out.extend_from_slice(text);
        self.out.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn header(&mut self, kind: u8, number: i64) {
        // Small numbers are nearly all headers there are.
        if (0..10).contains(&number) {
            self.out.extend_from_slice(&[kind, b'0' + number as u8, b'\r', b'\n']);
        } else {
            self.line(kind, itoa::Buffer::new().format(number).as_bytes());
        }
    }

    /// A simple string; the text has no line break.
    #[inline]
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// An error, its code first (`ERR no such key`). Line breaks in the text become spaces, and go at its end, as in Redis.
    pub fn error(&mut self, text: &str) {
        self.error_bytes(text.as_bytes());
    }

    /// The same with bytes that need not be text: a client is told of its own words as it sent them.
    pub fn error_bytes(&mut self, text: &[u8]) {
        let is_break = |&b: &u8| b == b'\r' || b == b'\n';
        let len = text.iter().rposition(|b| !is_break(b)).map_or(0, |last| last + 1);
        self.out.push(b'-');
        self.out.extend(text[..len].iter().map(|b| if is_break(b) { b' ' } else { *b }));
        self.out.extend_from_slice(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, number: i64) {
        self.header(b':', number);
    }

    /// A count or a length as an integer.
    #[inline]
    pub fn count(&mut self, number: usize) {
        self.header(b':', i64::try_from(number).unwrap_or(i64::MAX));
    }

    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.out.reserve(bytes.len() + 16);
        self.header(b'$', i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    /// A bulk string, or null.
    #[inline]
    pub fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// An integer's digits as a bulk string.
    pub fn bulk_integer(&mut self, number: i64) {
        self.bulk(itoa::Buffer::new().format(number).as_bytes());
    }

    /// A verbatim string of three-letter format (`txt`, `mkd`); a bulk string in RESP2.
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        if self.resp3() {
            self.header(b'=', i64::try_from(text.len() + 4).unwrap_or(i64::MAX));
            self.raw(format.as_bytes());
            self.raw(b":");
            self.raw(text);
            self.raw(b"\r\n");
        } else {
            self.bulk(text);
        }
    }

    /// Null: `_` in RESP3, the null bulk string in RESP2.
    #[inline]
    pub fn null(&mut self) {
        self.raw(if self.resp3() { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// Null where an array was asked for: `_` in RESP3, the null array in RESP2.
    pub fn null_array(&mut self) {
        self.raw(if self.resp3() { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// A boolean; 1 or 0 in RESP2.
    pub fn boolean(&mut self, value: bool) {
        match (self.resp3(), value) {
            (true, true) => self.raw(b"#t\r\n"),
            (true, false) => self.raw(b"#f\r\n"),
            (false, value) => self.integer(i64::from(value)),
        }
    }

    /// A double; its text as a bulk string in RESP2. Written as Redis does: the shortest digits that read back the
    /// same, `inf`, `-inf`, `nan`.
    pub fn double(&mut self, value: f64) {
        self.double_text(DoubleText::default().format(value));
    }

    /// A double in a text of the caller's; a bulk string in RESP2.
    pub fn double_text(&mut self, text: &str) {
        if self.resp3() {
            self.line(b',', text.as_bytes());
        } else {
            self.bulk(text.as_bytes());
        }
    }

    /// The header of an array of that many elements.
    #[inline]
    pub fn array(&mut self, len: usize) {
        self.header(b'*', i64::try_from(len).unwrap_or(i64::MAX));
    }

    /// The header of a map of that many pairs; an array of twice as many elements in RESP2.
    pub fn map(&mut self, pairs: usize) {
        if self.resp3() {
            self.header(b'%', i64::try_from(pairs).unwrap_or(i64::MAX));
        } else {
            self.array(pairs * 2);
        }
    }

    /// The header of a set; an array in RESP2.
    pub fn set(&mut self, len: usize) {
        self.header(if self.resp3() { b'~' } else { b'*' }, i64::try_from(len).unwrap_or(i64::MAX));
    }

    /// The header of an out-of-band push; an array in RESP2.
    pub fn push(&mut self, len: usize) {
        self.header(if self.resp3() { b'>' } else { b'*' }, i64::try_from(len).unwrap_or(i64::MAX));
    }

    /// The header of an array whose length is not known yet: put in later by [`Self::finish_array`].
    pub fn deferred_array(&mut self) -> Mark {
        self.mark()
    }

    /// Puts the header of an array of `len` elements where it was left out. Moves what was written since.
    pub fn finish_array(&mut self, mark: Mark, len: usize) {
        self.finish(mark, b'*', len);
    }

    /// As [`Self::finish_array`], for a set.
    pub fn finish_set(&mut self, mark: Mark, len: usize) {
        self.finish(mark, if self.resp3() { b'~' } else { b'*' }, len);
    }

    /// As [`Self::finish_array`], for a map of that many pairs.
    pub fn finish_map(&mut self, mark: Mark, pairs: usize) {
        if self.resp3() {
            self.finish(mark, b'%', pairs);
        } else {
            self.finish(mark, b'*', pairs * 2);
        }
    }

    fn finish(&mut self, mark: Mark, kind: u8, len: usize) {
        let end = self.out.len();
        self.header(kind, i64::try_from(len).unwrap_or(i64::MAX));
        let header = self.out.len() - end;
        self.out[mark.0..].rotate_right(header);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(protocol: Protocol, write: impl FnOnce(&mut ReplyWriter<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut ReplyWriter::new(&mut out, protocol));
        String::from_utf8(out).expect("text")
    }

    #[track_caller]
    fn check(write: impl Fn(&mut ReplyWriter<'_>), resp2: &str, resp3: &str) {
        assert_eq!(written(Protocol::Resp2, &write), resp2);
        assert_eq!(written(Protocol::Resp3, &write), resp3);
    }

    #[test]
    fn each_kind_in_both_protocols() {
        check(|r| r.simple("PONG"), "+PONG\r\n", "+PONG\r\n");
        check(|r| r.error("ERR a\r\nb"), "-ERR a  b\r\n", "-ERR a  b\r\n");
        check(|r| r.error("ERR a\r\n\n"), "-ERR a\r\n", "-ERR a\r\n");
        check(|r| r.integer(-42), ":-42\r\n", ":-42\r\n");
        check(|r| r.bulk(b"0123456789"), "$10\r\n0123456789\r\n", "$10\r\n0123456789\r\n");
        check(|r| r.null(), "$-1\r\n", "_\r\n");
        check(|r| r.null_array(), "*-1\r\n", "_\r\n");
        check(|r| r.boolean(true), ":1\r\n", "#t\r\n");
        check(|r| r.double(3.5), "$3\r\n3.5\r\n", ",3.5\r\n");
        check(|r| r.map(2), "*4\r\n", "%2\r\n");
        check(|r| r.set(2), "*2\r\n", "~2\r\n");
        check(|r| r.push(2), "*2\r\n", ">2\r\n");
        check(|r| r.verbatim("txt", b"hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
    }

    #[test]
    fn a_deferred_header_lands_before_its_elements() {
        check(
            |r| {
                let mark = r.deferred_array();
                (0..12).for_each(|n| r.integer(n % 10));
                r.finish_array(mark, 12);
            },
            "*12\r\n:0\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n:9\r\n:0\r\n:1\r\n",
            "*12\r\n:0\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n:9\r\n:0\r\n:1\r\n",
        );
    }
}
