//! DEBUG: what tests ask of a server, if `enable-debug-command` lets them.
//!
//! Here are the subcommands that test suites use. What concerns only Redis's own insides is accepted and does nothing; what
//! would end or block the process on purpose is not there. SLEEP holds up the client that asked for it and nobody else,
//! but within a transaction, where everybody waits.

mod dataset;

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use nuthatch_engine::{Context, NoEffects, Rng, Stats};
use nuthatch_proto::command_table::DataCommand;
use nuthatch_proto::glob::{Case, matches};
use nuthatch_proto::resp::args::OwnedArgs;
use nuthatch_proto::resp::number::parse_integer;
use nuthatch_proto::resp::{Args, Protocol, ReplyWriter};
use nuthatch_proto::slot::Slot;

use super::{Call, Deferral, Flow, text};

/// Beyond this a sleep is a mistake.
const SLEEP_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest text that STRINGMATCH-LEN makes.
const MATCHED_MAX: usize = 1024 * 1024;

/// What DUMP puts behind a value: two bytes of version, eight of checksum; and one byte of type before it.
const DUMP_FRAME: usize = 11;

const HELP: [&str; 24] = [
    "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CHANGE-REPL-ID",
    "    Accepted; the replication id stays.",
    "DIGEST",
    "    Replies with a digest of all data: equal data, equal digest.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Replies with a digest of each key's value.",
    "HTSTATS <dbid> [full]",
    "    Says how many keys a database has, in the words of a hash table.",
    "HTSTATS-KEY <key> [full]",
    "    Says how many elements a key's hash table has.",
    "OBJECT <key>",
    "    Describes a key's value.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Makes as many string keys, named key:<num>, or <prefix>:<num>, where there are none.",
    "PROTOCOL <type>",
    "    Replies with a value of that type.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Says whether keys are removed when their time comes, or only when they are used.",
    "SLEEP <seconds>",
    "    Delays the reply by so many seconds.",
    "STRINGMATCH-LEN <len> <pattern>",
    "    Matches a pattern against a text of that length.",
    "HELP",
];

pub(super) fn run(call: Call<'_>, reply: &mut ReplyWriter<'_>) -> Flow {
    let permission = call.node.config.settings().debug_command;
    if !permission.is_given_to(call.session.client.addr.ip()) {
        reply.error(
            "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from \
             a local connection, otherwise you need to set this option in the configuration file, and then restart the \
             server.",
        );
        return Flow::Done;
    }
    let args = call.args;
    let name = args.at(1).to_ascii_lowercase();
    match (name.as_slice(), args.len()) {
        (b"sleep", 3) => return Flow::Defer(Deferral::DebugSleep),
        (b"help", 2) => help(reply),
        (b"digest", 2) => dataset::digest(&call, reply),
        (b"digest-value", 3..) => dataset::digest_values(&call, reply),
        (b"htstats", 3..=4) => dataset::table_of_database(&call, reply),
        (b"htstats-key", 3..=4) => dataset::table_of_key(&call, reply),
        (b"reload", _) => return super::persistence::reload(&call, reply),
        (b"object", 3..) => object(&call, reply),
        (b"populate", 3..=5) => dataset::populate(&call, reply),
        (b"protocol", 3) => protocol(args.at(2), reply),
        (b"set-disable-deny-scripts", 3) => {
            call.node.scripts.undenied.store(parse_integer(args.at(2)) == Some(1), Ordering::Relaxed);
            reply.ok();
        }
        (b"set-active-expire", 3) => {
            call.node.active_expire.store(parse_integer(args.at(2)) != Some(0), Ordering::Relaxed);
            reply.ok();
        }
        (b"stringmatch-len", 4) => string_match(args, reply),
        (b"config-rewrite-force-all", 2) => super::config::rewrite(call, reply),
        (b"error", 3) => reply.error_bytes(args.at(2)),
        (b"log", 3) => {
            tracing::warn!("DEBUG LOG: {}", text(args.at(2)));
            reply.ok();
        }
        (
            b"change-repl-id" | b"loadaof" | b"pause-cron" | b"replybuffer" | b"set-disable-deny-scripts",
            _,
        )
        | (b"quicklist-packed-threshold" | b"listpack" | b"dict-resizing" | b"client-eviction", 3)
        | (
            b"client-enforce-reply-list" | b"replicate" | b"aof-flush-sleep" | b"stop-writes-on-bgsave-error",
            3,
        ) => {
            reply.ok();
        }
        _ => reply.error_bytes(
            &[
                b"ERR unknown subcommand or wrong number of arguments for '",
                args.at(1),
                b"'. Try DEBUG HELP.",
            ]
            .concat(),
        ),
    }
    Flow::Done
}

fn help(reply: &mut ReplyWriter<'_>) {
    reply.array(HELP.len() + 1);
    HELP.iter().for_each(|line| reply.simple(line));
    reply.simple("    Returns this help.");
}

/// How long DEBUG SLEEP sleeps: as C's `strtod` does, what is no number is nought.
fn length_of(args: Args<'_>) -> Duration {
    let seconds: f64 = std::str::from_utf8(args.at(2)).ok().and_then(|s| s.parse().ok()).unwrap_or(0.0);
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(SLEEP_MAX).min(SLEEP_MAX)
}

/// DEBUG SLEEP: only the client that asked for it waits.
pub(super) async fn sleep(args: Args<'_>, reply: &mut ReplyWriter<'_>) {
    tokio::time::sleep(length_of(args)).await;
    reply.ok();
}

/// DEBUG SLEEP within a transaction: everybody waits.
pub(crate) fn sleep_here(args: Args<'_>, reply: &mut ReplyWriter<'_>) {
    thread::sleep(length_of(args));
    reply.ok();
}

/// Asks the engine for something about a key; its reply in RESP.
fn ask(call: &Call<'_>, command: DataCommand, words: &[&[u8]], key: &[u8]) -> Vec<u8> {
    let (mut stats, mut rng) = (Stats::default(), Rng::new(0));
    let mut cx = Context::new(call.now, &NoEffects, &mut stats, &mut rng);
    let args: OwnedArgs = words.iter().collect();
    let mut out = Vec::new();
    let mut reply = ReplyWriter::new(&mut out, Protocol::Resp2);
    let slot = Slot::of_key(key);
    match call.node.engine.execute(&mut cx, call.session.db, command, args.as_args(), slot, &mut reply) {
        Ok(()) => out,
        Err(_) => Vec::new(),
    }
}

/// The lines of a reply: its header and, for a string, the string.
fn second_line(reply: &[u8]) -> String {
    let mut lines = reply.split(|&byte| byte == b'\n');
    lines.next();
    text(lines.next().unwrap_or_default()).trim_end().to_owned()
}

fn object(call: &Call<'_>, reply: &mut ReplyWriter<'_>) {
    let key = call.args.at(2);
    let encoding = second_line(&ask(call, DataCommand::ObjectEncoding, &[b"object", b"encoding", key], key));
    if encoding.is_empty() {
        return reply.error("ERR no such key");
    }
    let dumped = ask(call, DataCommand::Dump, &[b"dump", key], key);
    // The header of the reply names the length of the payload.
    let length: usize =
        text(dumped.get(1..).unwrap_or_default().split(|&b| b == b'\r').next().unwrap_or_default())
            .parse()
            .unwrap_or(0);
    let idle = ask(call, DataCommand::ObjectIdleTime, &[b"object", b"idletime", key], key);
    let idle = text(&idle).trim().trim_start_matches(':').parse::<u64>().unwrap_or(0);
    reply.simple(&format!(
        "Value at:0x0 refcount:1 encoding:{encoding} serializedlength:{} lru:{} lru_seconds_idle:{idle}",
        length.saturating_sub(DUMP_FRAME),
        (call.now.0 / 1000).saturating_sub(idle) & 0xff_ffff,
    ));
}

fn string_match(args: Args<'_>, reply: &mut ReplyWriter<'_>) {
    let length =
        parse_integer(args.at(2)).and_then(|n| usize::try_from(n).ok()).filter(|&n| n <= MATCHED_MAX);
    match length {
        Some(length) => {
            let matched = matches(args.at(3), &vec![b'x'; length], Case::Sensitive);
            tracing::debug!("DEBUG STRINGMATCH-LEN: {matched}");
            reply.ok();
        }
        None => reply.error(super::NOT_INTEGER),
    }
}

/// A reply of each type, with Redis's values.
#[expect(clippy::approx_constant, reason = "the reply is Redis's, and not pi")]
fn protocol(kind: &[u8], reply: &mut ReplyWriter<'_>) {
    match kind.to_ascii_lowercase().as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.integer(12345),
        b"double" => reply.double(3.141),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|n| reply.integer(n));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|n| reply.integer(n));
        }
        b"map" => {
            reply.map(3);
            for n in 0..3 {
                reply.integer(n);
                reply.boolean(n == 1);
            }
        }
        b"attrib" => {
            if reply.protocol() == Protocol::Resp3 {
                reply.raw(b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n");
            }
            reply.bulk(b"Some real reply following the attribute");
        }
        b"push" => match reply.protocol() {
            Protocol::Resp2 => reply.error("ERR RESP2 is not supported by this command"),
            Protocol::Resp3 => {
                reply.push(2);
                reply.bulk(b"server-cpu-usage");
                reply.integer(42);
                // A push is no reply: the client goes on waiting for one.
                reply.bulk(b"Some real reply following the push reply");
            }
        },
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        b"bignum" => match reply.protocol() {
            Protocol::Resp3 => reply.raw(b"(1234567999999999999999999999999999999\r\n"),
            Protocol::Resp2 => reply.bulk(b"1234567999999999999999999999999999999"),
        },
        _ => reply.error(
            "ERR Wrong protocol type name. Please use one of the following: \
             string|integer|double|null|array|set|map|attrib|push|verbatim|true|false",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeps_are_as_long_as_strtod_says() {
        for (text, expected) in [("0.5", 500), ("x", 0), ("-1", 0), ("nan", 0)] {
            let args: OwnedArgs = ["debug", "sleep", text].into_iter().collect();
            assert_eq!(length_of(args.as_args()), Duration::from_millis(expected), "{text}");
        }
        let args: OwnedArgs = ["debug", "sleep", "1e300"].into_iter().collect();
        assert_eq!(length_of(args.as_args()), SLEEP_MAX);
    }

    #[test]
    fn each_type_is_written_as_the_protocol_has_it() {
        let written = |protocol_version, kind: &str| {
            let mut out = Vec::new();
            protocol(kind.as_bytes(), &mut ReplyWriter::new(&mut out, protocol_version));
            String::from_utf8(out).expect("text")
        };
        assert_eq!(written(Protocol::Resp2, "MAP"), "*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n");
        assert_eq!(written(Protocol::Resp3, "bignum"), "(1234567999999999999999999999999999999\r\n");
        assert!(written(Protocol::Resp3, "attrib").starts_with("|1\r\n"));
        assert!(written(Protocol::Resp2, "x").starts_with("-ERR Wrong protocol type name."));
    }
}
