//! A request's arguments as slices of the buffer they arrived in: no copy, no allocation.
//!
//! [`Args`] is `Copy` and two words wide; it borrows the read buffer and the spans that the decoder found in it. The
//! first argument is the command's name.

use std::ops::Index;

/// Where an argument lies in the read buffer, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its first byte.
    pub start: u32,
    /// Its length.
    pub len: u32,
}

/// The arguments of one request, the command's name first.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    buffer: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// The arguments that `spans` names in `buffer`.
    ///
    /// Reading one whose span lies outside the buffer panics: spans come from the decoder, never from the wire.
    pub fn new(buffer: &'a [u8], spans: &'a [Span]) -> Self {
        Self { buffer, spans }
    }

    /// How many arguments there are, the name included.
    #[inline]
    pub fn len(self) -> usize {
        self.spans.len()
    }

    /// Whether there is none at all.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.spans.is_empty()
    }

    /// The argument at that position, if there is one.
    #[inline]
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|&span| self.slice(span))
    }

    /// The argument at that position; panics where there is none.
    #[inline]
    pub fn at(self, index: usize) -> &'a [u8] {
        self.slice(self.spans[index])
    }

    /// How long all of them are together.
    pub fn bytes(self) -> usize {
        self.iter().map(<[u8]>::len).sum()
    }

    /// The arguments from that position on; none if it lies past the end.
    #[inline]
    pub fn skip(self, count: usize) -> Self {
        Self { buffer: self.buffer, spans: self.spans.get(count..).unwrap_or_default() }
    }

    /// The arguments before that position; all of them if it lies past the end.
    #[inline]
    pub fn take(self, count: usize) -> Self {
        Self { buffer: self.buffer, spans: &self.spans[..count.min(self.spans.len())] }
    }

    /// The arguments one by one.
    #[inline]
    pub fn iter(self) -> impl DoubleEndedIterator<Item = &'a [u8]> + ExactSizeIterator + Clone {
        self.spans.iter().map(move |&span| self.slice(span))
    }

    #[inline]
    fn slice(self, span: Span) -> &'a [u8] {
        &self.buffer[span.start as usize..][..span.len as usize]
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];

    #[inline]
    fn index(&self, index: usize) -> &[u8] {
        self.at(index)
    }
}

/// Owned arguments, for tests and for requests that outlive their buffer (a queued transaction).
#[derive(Debug, Default, Clone)]
pub struct OwnedArgs {
    buffer: Vec<u8>,
    spans: Vec<Span>,
}

impl OwnedArgs {
    /// The arguments, borrowed.
    pub fn as_args(&self) -> Args<'_> {
        Args::new(&self.buffer, &self.spans)
    }

    /// Appends one argument. The arguments of one request are limited to 4 GiB together.
    pub fn push(&mut self, argument: &[u8]) {
        let place = |n: usize| u32::try_from(n).expect("a request's arguments stay below 4 GiB");
        self.spans.push(Span { start: place(self.buffer.len()), len: place(argument.len()) });
        self.buffer.extend_from_slice(argument);
    }
}

impl<T: AsRef<[u8]>> FromIterator<T> for OwnedArgs {
    fn from_iter<I: IntoIterator<Item = T>>(arguments: I) -> Self {
        let mut owned = Self::default();
        arguments.into_iter().for_each(|argument| owned.push(argument.as_ref()));
        owned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_slices_of_the_buffer() {
        let owned: OwnedArgs = ["SET", "key", ""].iter().collect();
        let args = owned.as_args();
        assert_eq!(
            (args.len(), &args[0], args.get(1), args.at(2)),
            (3, &b"SET"[..], Some(&b"key"[..]), &b""[..])
        );
        assert_eq!(args.get(3), None);
        assert_eq!(args.skip(1).iter().collect::<Vec<_>>(), [&b"key"[..], b""]);
        assert!(args.skip(9).is_empty());
        assert_eq!(args.take(2).iter().collect::<Vec<_>>(), [&b"SET"[..], b"key"]);
        assert_eq!((args.take(0).len(), args.take(9).len()), (0, 3));
    }
}
