//! A command made ready to send: its bytes, the slot that it belongs to, and whether it may be sent twice.
//!
//! All three come from the command table, the same that the server routes by, on the caller's own thread and before
//! anything is queued. The bytes are encoded once, however often they are sent.
//!
//! Commands that change the connection are refused here, because a connection belongs to everyone who asks that node:
//! after a `MULTI` or a `CLIENT REPLY OFF` nobody's replies would be his own.

use bytes::Bytes;
use nuthatch_proto::command_table::{self, CommandSpec, Flags};
use nuthatch_proto::resp::args::OwnedArgs;
use nuthatch_proto::resp::encode_request;
use nuthatch_proto::slot::Slot;

use crate::error::{Effect, Error, ErrorKind};

/// A command made ready to send.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) bytes: Bytes,
    /// The slot of the first key; a command without one goes to any node.
    pub(crate) slot: Option<Slot>,
    /// Whether running it twice does no harm, so that it may be sent again when its fate is unknown.
    pub(crate) repeatable: bool,
}

impl Request {
    /// Refuses what would change the connection under everyone else's feet.
    pub(crate) fn new(arguments: &[impl AsRef<[u8]>]) -> Result<Self, Error> {
        let arguments: Vec<&[u8]> = arguments.iter().map(AsRef::as_ref).collect();
        let name = arguments.first().ok_or_else(|| Error::new(ErrorKind::Empty, Effect::NotSent))?;
        if changes_connection(name, arguments.get(1).copied().unwrap_or_default()) {
            let name = String::from_utf8_lossy(name).to_ascii_uppercase();
            return Err(Error::new(ErrorKind::NotShared(name), Effect::NotSent));
        }
        let spec = spec(&arguments);
        let mut bytes = Vec::with_capacity(32 + arguments.iter().map(|a| a.len() + 8).sum::<usize>());
        encode_request(&mut bytes, &arguments);
        Ok(Self {
            bytes: bytes.into(),
            slot: first_key(spec, &arguments).map(Slot::of_key),
            repeatable: spec.is_some_and(|spec| spec.flags.contains(Flags::READONLY)),
        })
    }

    /// The request behind an ASKING, which has a reply of its own.
    pub(crate) fn asking(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(self.bytes.len() + 24);
        encode_request(&mut bytes, &["ASKING"]);
        bytes.extend_from_slice(&self.bytes);
        bytes.into()
    }
}

/// The command's row, or its subcommand's.
fn spec(arguments: &[&[u8]]) -> Option<&'static CommandSpec> {
    let spec = command_table::lookup(arguments.first()?)?;
    if spec.subcommands.is_empty() {
        return Some(spec);
    }
    arguments.get(1).and_then(|name| spec.subcommand(name)).or(Some(spec))
}

/// The first key. Of a command that the table does not know, the first argument is taken for it: where that is wrong,
/// the server says where to go.
fn first_key<'a>(spec: Option<&CommandSpec>, arguments: &[&'a [u8]]) -> Option<&'a [u8]> {
    let Some(spec) = spec else { return arguments.get(1).copied() };
    let position = match spec.first_key() {
        Some(position) => position,
        None if spec.keys.is_empty() => return None,
        None => {
            let owned: OwnedArgs = arguments.iter().collect();
            command_table::keys(spec, owned.as_args()).ok()?.next()?
        }
    };
    arguments.get(position).copied()
}

fn changes_connection(name: &[u8], subcommand: &[u8]) -> bool {
    const NAMES: [&str; 17] = [
        "ASKING",
        "AUTH",
        "DISCARD",
        "EXEC",
        "HELLO",
        "MONITOR",
        "MULTI",
        "PSUBSCRIBE",
        "PSYNC",
        "QUIT",
        "READONLY",
        "READWRITE",
        "RESET",
        "SELECT",
        "SSUBSCRIBE",
        "SUBSCRIBE",
        "WATCH",
    ];
    let is = |word: &str, text: &[u8]| text.eq_ignore_ascii_case(word.as_bytes());
    NAMES.iter().any(|word| is(word, name))
        || is("CLIENT", name) && ["REPLY", "TRACKING"].iter().any(|word| is(word, subcommand))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(arguments: &[&str], key: Option<&str>, repeatable: bool) {
        let request = Request::new(arguments).expect("allowed");
        let slot = key.map(|key| Slot::of_key(key.as_bytes()));
        assert_eq!((request.slot, request.repeatable), (slot, repeatable), "{arguments:?}");
    }

    #[test]
    fn requests_are_routed_by_their_first_key() {
        check(&["get", "k"], Some("k"), true);
        check(&["SET", "{tag}k", "v"], Some("tag"), false);
        check(&["MGET", "a", "b"], Some("a"), true);
        check(&["PING"], None, false);
        check(&["DBSIZE"], None, true);
        check(&["CLUSTER", "SLOTS"], None, false);
        check(&["CONFIG", "GET", "x"], None, false);
        check(&["GET"], None, true);
        check(&["FUTURE.COMMAND", "k", "x"], Some("k"), false);
        check(&["FUTURE.COMMAND"], None, false);
    }

    #[test]
    fn the_shared_connection_is_protected() {
        for arguments in [&["multi"][..], &["SUBSCRIBE", "x"], &["client", "reply", "off"], &["SELECT", "1"]]
        {
            let error = Request::new(arguments).expect_err("refused");
            assert!(matches!(error.kind(), ErrorKind::NotShared(_)), "{arguments:?}");
            assert_eq!(error.effect(), Effect::NotSent);
        }
        assert_eq!(Request::new(&[] as &[&str]).expect_err("empty").kind(), &ErrorKind::Empty);
    }

    #[test]
    fn asking_goes_first() {
        let request = Request::new(&["GET", "k"]).expect("allowed");
        assert_eq!(&request.asking()[..], b"*1\r\n$6\r\nASKING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    }
}
