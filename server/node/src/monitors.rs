//! MONITOR: clients that are shown every command the node runs, as it runs.
//!
//! A command is shown by the thread that ran it, after it ran: what one connection sent is shown in its order. The line
//! goes to the monitors' queues (`net/pushes`) like any other push and is limited with them. While nobody watches, a
//! command costs one test. Commands for administrators are not shown, and passwords are not either.
//!
//! Source: `replicationFeedMonitors` and `sdscatrepr` of Redis, for the form of a line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nuthatch_proto::command_table::{CommandSpec, Flags};
use nuthatch_proto::resp::Args;
use parking_lot::Mutex;

use crate::admin::redact::is_secret;
use crate::net::clients::Client;

/// What stands for a password.
const REDACTED: &[u8] = b"(redacted)";

/// The clients in MONITOR mode.
#[derive(Debug, Default)]
pub(crate) struct Monitors {
    clients: Mutex<BTreeMap<u64, Arc<Client>>>,
    count: AtomicUsize,
}

/// Who sent a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A client.
    Client,
    /// A script of the client's.
    Script,
}

/// What is said of a command beside its words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion {
    /// The time since the epoch.
    pub(crate) time: Duration,
    /// The database selected.
    pub(crate) db: usize,
    /// The address it came from; none if a script ran it.
    pub(crate) addr: Option<SocketAddr>,
}

impl Monitors {
    /// Whether anybody watches.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.count.load(Ordering::Relaxed) != 0
    }

    /// Shows a client every command from now on.
    pub(crate) fn add(&self, client: &Arc<Client>) {
        let mut clients = self.clients.lock();
        clients.insert(client.id, Arc::clone(client));
        client.set_monitor(true);
        self.count.store(clients.len(), Ordering::Relaxed);
    }

    /// Shows a client no more commands.
    pub(crate) fn remove(&self, client: &Client) {
        if client.is_monitor() {
            let mut clients = self.clients.lock();
            clients.remove(&client.id);
            client.set_monitor(false);
            self.count.store(clients.len(), Ordering::Relaxed);
        }
    }

    /// Shows a command that was run.
    #[cold]
    pub(crate) fn show(&self, spec: &CommandSpec, args: Args<'_>, occasion: Occasion) {
        if !spec.flags.intersects(Flags::ADMIN.union(Flags::SKIP_MONITOR)) {
            self.show_early(args, occasion);
        }
    }

    /// Shows a command that is about to run others, which are to be shown after it.
    #[cold]
    pub(crate) fn show_early(&self, args: Args<'_>, occasion: Occasion) {
        let line = line(args, occasion);
        self.clients.lock().values().for_each(|client| client.push(&line));
    }
}

fn line(args: Args<'_>, Occasion { time, db, addr }: Occasion) -> Vec<u8> {
    let mut line = Vec::with_capacity(64);
    // Writing to a Vec does not fail.
    let _ = write!(line, "+{}.{:06} [{db} ", time.as_secs(), time.subsec_micros());
    let _ = match addr {
        Some(addr) => write!(line, "{addr}]"),
        None => write!(line, "lua]"),
    };
    for (index, arg) in args.iter().enumerate() {
        line.extend_from_slice(b" \"");
        escape(&mut line, if is_secret(args, index) { REDACTED } else { arg });
        line.push(b'"');
    }
    line.extend_from_slice(b"\r\n");
    line
}

fn escape(line: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', byte]),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' => line.extend_from_slice(b"\\t"),
            7 => line.extend_from_slice(b"\\a"),
            8 => line.extend_from_slice(b"\\b"),
            b' '..=b'~' => line.push(byte),
            _ => {
                let mut digits = String::new();
                let _ = write!(digits, "\\x{byte:02x}");
                line.extend_from_slice(digits.as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::command_table::lookup;
    use nuthatch_proto::ids::Timestamp;
    use nuthatch_proto::resp::args::OwnedArgs;

    use super::*;
    use crate::net::clients::Clients;

    const OCCASION: Occasion =
        Occasion { time: Duration::new(1_700_000_000, 1_234_567), db: 3, addr: Some(ADDR) };

    const ADDR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5000);

    #[track_caller]
    fn check(words: &[&[u8]], expected: &str) {
        let args: OwnedArgs = words.iter().collect();
        let line = line(args.as_args(), OCCASION);
        let expected = format!("+1700000000.001234 [3 127.0.0.1:5000] {expected}\r\n");
        assert_eq!(String::from_utf8_lossy(&line), expected);
    }

    #[test]
    fn words_are_quoted_as_redis_quotes_them() {
        check(&[b"set", b"a\"b\\", b" \n\r\t\x07\x08\x00\xff~"], r#""set" "a\"b\\" " \n\r\t\a\b\x00\xff~""#);
        check(&[b"GET", b""], r#""GET" """#);
    }

    #[test]
    fn passwords_are_not_shown() {
        check(&[b"AUTH", b"p"], r#""AUTH" "(redacted)""#);
        check(&[b"auth", b"u", b"p"], r#""auth" "(redacted)" "(redacted)""#);
        check(
            &[b"hello", b"3", b"auth", b"u", b"p", b"SETNAME", b"x"],
            r#""hello" "3" "auth" "(redacted)" "(redacted)" "SETNAME" "x""#,
        );
        check(&[b"hello", b"3", b"AUTH"], r#""hello" "3" "AUTH""#);
    }

    #[test]
    fn commands_are_shown_to_those_who_watch_but_not_those_of_administrators() {
        let monitors = Monitors::default();
        let client = Clients::default().register(ADDR, ADDR, 1, Timestamp(1));
        monitors.add(&client);
        let show = |name: &str| {
            let args: OwnedArgs = [name].into_iter().collect();
            monitors.show(lookup(name.as_bytes()).expect("a command"), args.as_args(), OCCASION);
        };
        show("ping");
        show("shutdown");
        monitors.remove(&client);
        show("ping");
        let mut shown = Vec::new();
        client.take_pushes(&mut shown);
        assert_eq!(String::from_utf8_lossy(&shown), "+1700000000.001234 [3 127.0.0.1:5000] \"ping\"\r\n");
        assert!(!monitors.any() && !client.is_monitor());
    }
}
