//! MIGRATE: keys to another server, by its RESTORE.
//!
//! The connection waits while the other server answers, and nobody else does: no lock is held. Each key is copied, sent
//! and, once the other server has it, deleted here, unless it changed in between; then it is sent again, over what the
//! first time left there. A key is never deleted here before the other server said that it has it.
//!
//! Source: Redis documentation of MIGRATE.

use std::io;
use std::time::Duration;

use nuthatch_engine::{Engine, Parcel, Refused};
use nuthatch_proto::resp::{Args, ReplyWriter};
use nuthatch_proto::slot::Slot;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{NOT_INTEGER, SYNTAX_ERROR, text};
use crate::clock;
use crate::net::io_thread::Thread;
use crate::net::session::Session;

/// How often a key that changes meanwhile is sent.
const ATTEMPTS: usize = 16;

/// The longest line the other server may answer with.
const LINE_MAX: u64 = 64 * 1024;

/// Why keys could not be moved; the reply's text.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Bad(&'static str),
    #[error("IOERR error or timeout connecting to the client")]
    Connecting,
    #[error("IOERR error or timeout writing to target instance")]
    Writing,
    #[error("IOERR error or timeout reading from target instance")]
    Reading,
    #[error("ERR Target instance replied with error: {0}")]
    Refused(String),
    #[error("{0}")]
    NotHere(String),
    #[error("ERR key changes faster than it can be sent to the target instance")]
    Restless,
}

impl Failure {
    /// Redis connects without waiting: that the other side refuses shows when the first request is written.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of errors are open: others may come")]
    fn of_connecting(kind: io::ErrorKind) -> Self {
        use io::ErrorKind as E;
        match kind {
            E::ConnectionRefused | E::ConnectionReset | E::HostUnreachable => Self::Writing,
            _ => Self::Connecting,
        }
    }
}

/// What the command says.
struct Order<'a> {
    host: String,
    /// As C's `atoi` reads it; none if that is negative.
    port: Option<u16>,
    db: i64,
    limit: Duration,
    keys: Args<'a>,
    copy: bool,
    replace: bool,
    auth: Option<(Option<&'a [u8]>, &'a [u8])>,
}

impl<'a> Order<'a> {
    fn parse(args: Args<'a>) -> Result<Self, Failure> {
        let number = |at: usize| {
            let number = std::str::from_utf8(args.at(at)).ok().and_then(|text| text.parse::<i64>().ok());
            number.ok_or(Failure::Bad(NOT_INTEGER))
        };
        let (mut copy, mut replace, mut auth, mut keys) = (false, false, None, args.skip(3).take(1));
        let mut at = 6;
        while at < args.len() {
            let is = |word: &str| args.at(at).eq_ignore_ascii_case(word.as_bytes());
            let more = args.len() - at - 1;
            if is("COPY") {
                copy = true;
            } else if is("REPLACE") {
                replace = true;
            } else if is("AUTH") && more >= 1 {
                auth = Some((None, args.at(at + 1)));
                at += 1;
            } else if is("AUTH2") && more >= 2 {
                auth = Some((Some(args.at(at + 1)), args.at(at + 2)));
                at += 2;
            } else if is("KEYS") {
                if !args.at(3).is_empty() {
                    return Err(Failure::Bad(
                        "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
                    ));
                }
                keys = args.skip(at + 1);
                break;
            } else {
                return Err(Failure::Bad(SYNTAX_ERROR));
            }
            at += 1;
        }
        let milliseconds = u64::try_from(number(5)?).ok().filter(|&milliseconds| milliseconds > 0);
        Ok(Self {
            host: text(args.at(1)),
            port: port(args.at(2)),
            db: number(4)?,
            limit: Duration::from_millis(milliseconds.unwrap_or(1000)),
            keys,
            copy,
            replace,
            auth,
        })
    }
}

/// Redis reads a port with `atoi` and gives its lowest 16 bits to the system.
fn port(text: &[u8]) -> Option<u16> {
    let text = text.trim_ascii_start();
    if text.first() == Some(&b'-') {
        return None;
    }
    let digits = text.strip_prefix(b"+").unwrap_or(text).iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0_u16, |port, digit| port.wrapping_mul(10).wrapping_add(u16::from(digit - b'0'))))
}

/// The other server.
struct Target {
    stream: BufReader<TcpStream>,
    limit: Duration,
}

impl Target {
    async fn connect(order: &Order<'_>) -> Result<Self, Failure> {
        let port = order.port.ok_or(Failure::Connecting)?;
        let connecting = timeout(order.limit, TcpStream::connect((order.host.as_str(), port)));
        let connected = connecting.await.map_err(|_elapsed| Failure::Connecting)?;
        let stream = connected.map_err(|error| Failure::of_connecting(error.kind()))?;
        let mut target = Self { stream: BufReader::new(stream), limit: order.limit };
        match order.auth {
            Some((Some(user), password)) => target.ask(&[b"AUTH", user, password]).await?,
            Some((None, password)) => target.ask(&[b"AUTH", password]).await?,
            None => {}
        }
        if order.db != 0 {
            target.ask(&[b"SELECT", order.db.to_string().as_bytes()]).await?;
        }
        Ok(target)
    }

    /// Sends a command whose answer is one line, and waits for it.
    async fn ask(&mut self, words: &[&[u8]]) -> Result<(), Failure> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        let writing = timeout(self.limit, self.stream.get_mut().write_all(&request)).await;
        writing.ok().and_then(Result::ok).ok_or(Failure::Writing)?;
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(LINE_MAX);
        let reading = timeout(self.limit, limited.read_until(b'\n', &mut line)).await;
        reading.ok().and_then(Result::ok).ok_or(Failure::Reading)?;
        match line.split_first() {
            Some((b'+', _)) => Ok(()),
            Some((b'-', error)) => Err(Failure::Refused(text(error.trim_ascii_end()))),
            _ => Err(Failure::Reading),
        }
    }
}

/// Runs the command.
pub(super) async fn migrate(thread: &Thread, session: &Session, args: Args<'_>, reply: &mut ReplyWriter<'_>) {
    match run(thread, session, args).await {
        Ok(true) => reply.ok(),
        Ok(false) => reply.simple("NOKEY"),
        Err(failure) => reply.error(&failure.to_string()),
    }
}

/// Whether any of the keys was there.
async fn run(thread: &Thread, session: &Session, args: Args<'_>) -> Result<bool, Failure> {
    let order = Order::parse(args)?;
    let mut target = None;
    for key in order.keys.iter() {
        let mut replace = order.replace;
        let mut attempts = 0..ATTEMPTS;
        while let Some(mut packed) = pack(thread, session, key)? {
            let Some(parcel) = packed.parcel.as_ref().filter(|_| attempts.next().is_some()) else {
                return Err(Failure::Restless);
            };
            let sent = match target {
                Some(ref mut target) => send(thread, target, key, parcel, replace).await,
                None => match Target::connect(&order).await {
                    Ok(connected) => send(thread, target.insert(connected), key, parcel, replace).await,
                    Err(failure) => Err(failure),
                },
            };
            sent?;
            if order.copy {
                break;
            }
            let _turn = thread.seat.turn();
            let mut scratch = thread.scratch.borrow_mut();
            let mut cx = scratch.engine.context(thread, clock::now());
            if packed.parcel.take().is_some_and(|parcel| thread.node.engine.deliver(&mut cx, parcel)) {
                break;
            }
            // It changed on the way: what is there now is our own older copy.
            replace = true;
        }
    }
    Ok(target.is_some())
}

/// A parcel on its way. Unless it is delivered the key stays, also if the client that sends it is cut off meanwhile: else
/// the key would be watched for good.
struct Packed<'a> {
    engine: &'a Engine,
    parcel: Option<Parcel>,
}

impl Drop for Packed<'_> {
    fn drop(&mut self) {
        if let Some(parcel) = self.parcel.take() {
            self.engine.keep(parcel);
        }
    }
}

/// Copies a key, if it is there.
fn pack<'a>(thread: &'a Thread, session: &Session, key: &[u8]) -> Result<Option<Packed<'a>>, Failure> {
    let slot = Slot::of_key(key);
    let _turn = thread.seat.turn();
    let mut scratch = thread.scratch.borrow_mut();
    let mut cx = scratch.engine.context(thread, clock::now());
    let packed = thread.node.engine.pack(&mut cx, session.db, slot, key);
    let parcel = packed.map_err(|refused: Refused| Failure::NotHere(format!("ERR {refused}")))?;
    Ok(parcel.map(|parcel| Packed { engine: &thread.node.engine, parcel: Some(parcel) }))
}

async fn send(
    thread: &Thread,
    target: &mut Target,
    key: &[u8],
    parcel: &Parcel,
    replace: bool,
) -> Result<(), Failure> {
    let left =
        parcel.deadline.map_or(0, |deadline| deadline.0.saturating_sub(clock::now().0).max(1)).to_string();
    let command: &[u8] = if thread.node.in_cluster() { b"RESTORE-ASKING" } else { b"RESTORE" };
    let words = [command, key, left.as_bytes(), &parcel.payload, b"REPLACE"];
    target.ask(if replace { &words } else { &words[..4] }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_as_atoi_reads_them() {
        for (text, expected) in [
            ("6379", Some(6379)),
            ("99999", Some(34_463)),
            (" +7x", Some(7)),
            ("abc", Some(0)),
            ("", Some(0)),
            ("-1", None),
        ] {
            assert_eq!(port(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn a_closed_port_is_found_when_the_first_request_is_written() {
        let text = |kind| Failure::of_connecting(kind).to_string();
        assert_eq!(
            text(io::ErrorKind::ConnectionRefused),
            "IOERR error or timeout writing to target instance"
        );
        assert_eq!(
            text(io::ErrorKind::NetworkUnreachable),
            "IOERR error or timeout connecting to the client"
        );
    }
}
