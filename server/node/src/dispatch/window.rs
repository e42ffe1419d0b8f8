//! The requests that run together: decoded, looked up, their first keys hashed.
//!
//! Where a batch is interrupted, what the window still held is decoded again. That is possible because decoding leaves
//! the bytes as they are, with one exception: the quotes of an inline request are taken off in place. Such a request is
//! therefore alone in its window.

use nuthatch_engine::Sought;
use nuthatch_proto::command_table::{CommandSpec, Group, Handler, keys, lookup};
use nuthatch_proto::resp::{Args, Decoded, Decoder, Limits, ProtocolError, Span};
use nuthatch_proto::slot::Slot;

/// How many requests run together: enough for the memory asked for to arrive, few enough to stay in the cache.
const WINDOW: usize = 32;

/// The window's memory is given back beyond this many arguments.
const SPANS_KEPT: usize = 4096;

/// The slot of a command without keys: it is not looked at.
pub(super) const NO_SLOT: Slot = Slot::new(0).expect("0 is a slot");

/// One request of the window.
#[derive(Debug)]
pub(crate) struct Request {
    /// The command, if there is one of that name.
    pub(crate) spec: Option<&'static CommandSpec>,
    /// The slot of its first key.
    pub(crate) slot: Slot,
    /// Where the next request begins.
    pub(crate) end: usize,
    first_span: u32,
    spans: u32,
}

impl Request {
    /// A request on its own, whose arguments are kept elsewhere.
    pub(super) fn alone(args: Args<'_>) -> Self {
        let (spec, slot) = looked_up(args, &|_| {});
        Self { spec, slot, end: 0, first_span: 0, spans: 0 }
    }
}

/// The command of a request and the slot of its first key, which `prefetch` is told.
#[inline]
fn looked_up(args: Args<'_>, prefetch: &impl Fn(Slot)) -> (Option<&'static CommandSpec>, Slot) {
    let spec = args.get(0).and_then(lookup);
    let keyed = match spec {
        Some(container) if container.handler == Handler::Container => {
            args.get(1).and_then(|name| container.subcommand(name))
        }
        spec => spec,
    };
    let slot = match keyed.map(|spec| (spec, spec.handler)) {
        Some((spec, Handler::Data(_))) => match spec.first_key() {
            Some(index) => args.get(index).map_or(NO_SLOT, |key| {
                let slot = Slot::of_key(key);
                prefetch(slot);
                slot
            }),
            None => searched_slot(spec, args),
        },
        Some((
            _,
            Handler::Keyspace(_)
            | Handler::Node(_)
            | Handler::Transaction(_)
            | Handler::Script(_)
            | Handler::Container,
        ))
        | None => NO_SLOT,
    };
    (spec, slot)
}

/// What ended the filling of a window.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// The window is full, or wants to be run before more is decoded.
    More,
    /// The next request is not all there.
    Incomplete {
        /// Where it begins.
        end: usize,
    },
    /// The client broke the protocol behind the requests of the window.
    Broken(ProtocolError),
}

/// The requests that run together.
#[derive(Debug, Default)]
pub(crate) struct Window {
    spans: Vec<Span>,
    requests: Vec<Request>,
}

impl Window {
    /// The requests.
    #[inline]
    pub(crate) fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// A request's arguments.
    #[inline]
    pub(crate) fn args<'a>(&'a self, buffer: &'a [u8], request: &Request) -> Args<'a> {
        Args::new(buffer, &self.spans[request.first_span as usize..][..request.spans as usize])
    }

    /// The first keys of the requests on data, and their slots; of requests in a row on the same key, the first one's.
    #[inline]
    pub(crate) fn keys<'a>(&'a self, buffer: &'a [u8]) -> impl Iterator<Item = (Slot, &'a [u8])> {
        let mut previous = None;
        self.requests.iter().filter_map(move |request| {
            let spec = request.spec.filter(|spec| matches!(spec.handler, Handler::Data(_)))?;
            let key = (request.slot, self.args(buffer, request).get(spec.first_key()?)?);
            (previous.replace(key) != Some(key)).then_some(key)
        })
    }

    /// The fields and members that the requests will look for, with their slots and keys.
    #[inline]
    pub(crate) fn elements<'a>(&'a self, buffer: &'a [u8]) -> impl Iterator<Item = Sought<'a>> + Clone {
        self.requests.iter().filter_map(move |request| {
            let spec = request.spec?;
            let args = self.args(buffer, request);
            let element = match spec.group {
                Group::Hash | Group::Set => args.get(2)?,
                Group::SortedSet => args.get(args.len() - 1)?,
                Group::Generic
                | Group::String
                | Group::Bitmap
                | Group::HyperLogLog
                | Group::List
                | Group::Geo
                | Group::PubSub
                | Group::Transactions
                | Group::Connection
                | Group::Server
                | Group::Scripting
                | Group::Cluster => return None,
            };
            Some((request.slot, args.get(1)?, element))
        })
    }

    /// Whether a request is on a collection that finds its elements by name.
    #[inline]
    pub(crate) fn has_elements(&self) -> bool {
        self.requests.iter().any(|request| {
            request.spec.is_some_and(|spec| matches!(spec.group, Group::Hash | Group::Set | Group::SortedSet))
        })
    }

    /// Decodes requests from `buffer[start..]` in place of those it held; `prefetch` is told the slot of each one's first key.
    pub(crate) fn fill(
        &mut self,
        buffer: &mut [u8],
        mut start: usize,
        decoder: &mut Decoder,
        limits: &Limits,
        prefetch: impl Fn(Slot),
    ) -> Filled {
        self.requests.clear();
        self.spans.clear();
        self.spans.shrink_to(SPANS_KEPT);
        // What a client may send depends on whether it has authenticated, which the next request may change.
        let room = if limits.authenticated { WINDOW } else { 1 };
        while self.requests.len() < room {
            let Some(&first) = buffer.get(start) else { return Filled::Incomplete { end: start } };
            let inline = first != b'*';
            if inline && !self.requests.is_empty() {
                return Filled::More;
            }
            let found = self.spans.len();
            match decoder.decode(buffer, start, limits, &mut self.spans) {
                Ok(Decoded::Request { end }) => {
                    self.push(buffer, found, end, &prefetch);
                    start = end;
                }
                Ok(Decoded::Nothing { end }) => start = end,
                Ok(Decoded::Incomplete { .. }) => {
                    // The batch may be interrupted before it gets here, and then decoding begins again further in
                    // front, where what the decoder remembers of this request means nothing.
                    if !self.requests.is_empty() {
                        decoder.reset();
                    }
                    return Filled::Incomplete { end: start };
                }
                Err(error) => return Filled::Broken(error),
            }
            if inline && !self.requests.is_empty() {
                return Filled::More;
            }
        }
        Filled::More
    }

    #[inline]
    fn push(&mut self, buffer: &[u8], found: usize, end: usize, prefetch: &impl Fn(Slot)) {
        let (spec, slot) = looked_up(Args::new(buffer, &self.spans[found..]), prefetch);
        let place = |n: usize| u32::try_from(n).expect("a request's arguments stay below 4 GiB");
        self.requests.push(Request {
            spec,
            slot,
            end,
            first_span: place(found),
            spans: place(self.spans.len() - found),
        });
    }
}

/// The slot of the first key of a command whose keys do not always stand in one place.
#[cold]
fn searched_slot(spec: &CommandSpec, args: Args<'_>) -> Slot {
    let first = keys(spec, args).ok().and_then(|mut keys| keys.next());
    first.map_or(NO_SLOT, |index| Slot::of_key(args.at(index)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(window: &mut Window, bytes: &str, limits: &Limits) -> (Filled, Vec<String>) {
        let mut buffer = bytes.as_bytes().to_vec();
        let filled = window.fill(&mut buffer, 0, &mut Decoder::default(), limits, |_| {});
        let texts = window.requests().iter().map(|request| {
            let words = window.args(&buffer, request).iter().map(|a| String::from_utf8_lossy(a).into_owned());
            words.collect::<Vec<_>>().join(" ")
        });
        (filled, texts.collect())
    }

    #[track_caller]
    fn check(bytes: &str, filled: Filled, requests: &[&str]) {
        let mut window = Window::default();
        assert_eq!(
            fill(&mut window, bytes, &Limits::default()),
            (filled, requests.iter().map(|&r| r.to_owned()).collect())
        );
    }

    #[test]
    fn a_window_holds_what_is_complete() {
        let ping = "*1\r\n$4\r\nPING\r\n";
        check(&ping.repeat(2), Filled::Incomplete { end: 28 }, &["PING", "PING"]);
        check(&format!("{ping}*1\r\n$4"), Filled::Incomplete { end: 14 }, &["PING"]);
        check(&format!("{ping}*1\r\n!"), Filled::Incomplete { end: 14 }, &["PING"]);
        check(&ping.repeat(WINDOW + 1), Filled::More, &["PING"; WINDOW]);
    }

    #[test]
    fn what_is_decoded_again_reads_the_same() {
        let ping = "*1\r\n$4\r\nPING\r\n";
        let mut buffer = format!("{ping}{ping}*2\r\n$3\r\nGET\r\n$9\r\nabc").into_bytes();
        let (mut window, mut decoder, limits) = (Window::default(), Decoder::default(), Limits::default());
        let mut fill = |start| window.fill(&mut buffer, start, &mut decoder, &limits, |_| {});
        assert_eq!(fill(0), Filled::Incomplete { end: 28 });
        // Interrupted after the first.
        assert_eq!(fill(14), Filled::Incomplete { end: 28 });
        assert_eq!(fill(28), Filled::Incomplete { end: 28 });
        buffer.extend_from_slice(b"defghi\r\n");
        let filled = window.fill(&mut buffer, 28, &mut decoder, &limits, |_| {});
        assert_eq!(filled, Filled::Incomplete { end: buffer.len() });
        let words = window.args(&buffer, &window.requests()[0]);
        assert_eq!(words.iter().collect::<Vec<_>>(), [&b"GET"[..], b"abcdefghi"]);
    }

    #[test]
    fn an_inline_request_is_alone() {
        let ping = "*1\r\n$4\r\nPING\r\n";
        check("\r\nGET \"a b\"\r\nPING\r\n", Filled::More, &["GET a b"]);
        check(&format!("{ping}GET a\r\n"), Filled::More, &["PING"]);
    }

    #[test]
    fn a_stranger_has_one_request_in_a_window() {
        let limits = Limits { authenticated: false, ..Limits::default() };
        let ping = "*1\r\n$4\r\nPING\r\n";
        assert_eq!(
            fill(&mut Window::default(), &ping.repeat(3), &limits),
            (Filled::More, vec!["PING".to_owned()])
        );
    }

    #[test]
    fn what_breaks_the_protocol_comes_after_what_did_not() {
        check(
            "*1\r\n$4\r\nPING\r\n*1\r\n:4\r\n",
            Filled::Broken(ProtocolError::ExpectedBulk { got: b':' }),
            &["PING"],
        );
    }
}
