//! CLIENT: what a connection calls itself, and the list of all.
//!
//! A connection's session is its own; what others may see of it stands in the registry (`net/clients`), as atomics and short
//! texts. The list is therefore a moment's view of each client, not one moment of all. Names and library names are checked so
//! that no client can break a line of the list. Ending clients is in `kill`.

use nuthatch_engine::TouchFlag;
use nuthatch_proto::command_table::{Handler, commands};
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::number::parse_integer;
use nuthatch_proto::resp::{Protocol, ReplyWriter};

use super::{Call, NOT_INTEGER, SYNTAX_ERROR, text};
use crate::net::clients::{Client, Held, NO_COMMAND, TransactionState};
use crate::net::pushes::Class;
use crate::net::session::Replies;
use crate::telemetry::counters;

/// The name, if it is one: printable and without spaces, because CLIENT LIST separates by them.
pub(super) fn valid_name(name: &[u8]) -> Result<String, &'static str> {
    if name.iter().all(u8::is_ascii_graphic) {
        Ok(text(name))
    } else {
        Err("ERR Client names cannot contain spaces, newlines or special characters.")
    }
}

pub(super) fn get_name(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let name = call.session.client.labels().name;
    reply.bulk_or_null(Some(name.as_bytes()).filter(|name| !name.is_empty()));
}

pub(super) fn set_name(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    match valid_name(call.args.at(2)) {
        Ok(name) => {
            call.session.client.relabel(|labels| labels.name = name);
            reply.ok();
        }
        Err(error) => reply.error(error),
    }
}

pub(super) fn set_info(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let (option, value) = (text(call.args.at(2)), call.args.at(3));
    let option_is = |name: &str| option.eq_ignore_ascii_case(name);
    if !option_is("LIB-NAME") && !option_is("LIB-VER") {
        return reply.error(&format!("ERR Unrecognized option '{option}'"));
    }
    if !value.iter().all(u8::is_ascii_graphic) {
        let option = option.to_ascii_lowercase();
        return reply.error(&format!("ERR {option} cannot contain spaces, newlines or special characters."));
    }
    let value = text(value);
    call.session.client.relabel(|labels| {
        if option_is("LIB-NAME") {
            labels.lib_name = value;
        } else {
            labels.lib_version = value;
        }
    });
    reply.ok();
}

/// What ON or OFF mean; nothing if the word is neither.
fn switch(word: &[u8]) -> Option<bool> {
    if word.eq_ignore_ascii_case(b"ON") {
        Some(true)
    } else {
        word.eq_ignore_ascii_case(b"OFF").then_some(false)
    }
}

pub(super) fn no_evict(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let Some(on) = switch(call.args.at(2)) else { return reply.error(SYNTAX_ERROR) };
    call.session.client.set_no_evict(on);
    reply.ok();
}

pub(super) fn no_touch(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let Some(on) = switch(call.args.at(2)) else { return reply.error(SYNTAX_ERROR) };
    call.session.no_touch = on;
    call.session.client.set_no_touch(on);
    reply.ok();
}

pub(super) fn reply_mode(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let mode = call.args.at(2);
    match switch(mode) {
        Some(true) => {
            call.session.replies = Replies::On;
            reply.ok();
        }
        Some(false) => call.session.replies = Replies::Off,
        None if !mode.eq_ignore_ascii_case(b"SKIP") => reply.error(SYNTAX_ERROR),
        None if call.session.replies == Replies::Off => {}
        None => call.session.replies = Replies::SkipTwo,
    }
}

/// Ends the waiting of a client that is blocked.
pub(super) fn unblock(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let Some(id) = parse_integer(call.args.at(2)) else { return reply.error(NOT_INTEGER) };
    let with_error = match (call.args.len(), call.args.get(3)) {
        (3, _) => false,
        (4, Some(reason)) if reason.eq_ignore_ascii_case(b"TIMEOUT") => false,
        (4, Some(reason)) if reason.eq_ignore_ascii_case(b"ERROR") => true,
        (_, _) => return reply.error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
    };
    let client = u64::try_from(id).ok().and_then(|id| call.node.clients.get(id));
    reply.integer(i64::from(client.is_some_and(|client| client.unblock(with_error))));
}

pub(super) fn info(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    report_own(&call);
    let line = describe_caller(&call) + "\n";
    reply.verbatim("txt", line.as_bytes());
}

/// Brings what others see of the caller up to this very command: it is told only at the end of a batch.
fn report_own(call: &Call<'_>) {
    let spec = call.args.get(0).and_then(nuthatch_proto::command_table::lookup);
    let spec = spec.and_then(|spec| call.args.get(1).and_then(|name| spec.subcommand(name)));
    call.session.client.report(crate::net::clients::Progress {
        now: call.now,
        db: call.session.db,
        last_command: spec.map_or(NO_COMMAND, |spec| counters::place(spec.handler)),
    });
}

/// The class of that name.
pub(super) fn class(name: &[u8]) -> Option<Class> {
    let is = |word: &str| name.eq_ignore_ascii_case(word.as_bytes());
    if is("normal") {
        Some(Class::Normal)
    } else if is("pubsub") {
        Some(Class::Pubsub)
    } else if ["master", "replica", "slave"].into_iter().any(is) {
        Some(Class::Replica)
    } else {
        None
    }
}

pub(super) fn list(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    report_own(&call);
    let options = call.args.skip(2);
    let is = |word: &str| options.get(0).is_some_and(|o| o.eq_ignore_ascii_case(word.as_bytes()));
    let mut all = call.node.clients.all();
    match options.len() {
        0 => {}
        2 if is("TYPE") => match class(options.at(1)) {
            Some(class) => all.retain(|client| client.class() == class),
            None => return reply.error(&format!("ERR Unknown client type '{}'", text(options.at(1)))),
        },
        2.. if is("ID") => {
            let ids: Option<Vec<_>> = options.skip(1).iter().map(parse_integer).collect();
            let Some(ids) = ids else { return reply.error("ERR Invalid client ID") };
            all.retain(|client| ids.iter().any(|&id| u64::try_from(id) == Ok(client.id)));
        }
        _ => return reply.error(SYNTAX_ERROR),
    }
    let mut lines = String::new();
    for client in all {
        let is_caller = client.id == call.session.client.id;
        lines.push_str(&if is_caller { describe_caller(&call) } else { describe(&client, call.now) });
        lines.push('\n');
    }
    reply.verbatim("txt", lines.as_bytes());
}

/// The name under which a command is counted: `get`, `client|list`.
pub(crate) fn command_name(place: u16) -> String {
    let is = |handler: Handler| handler != Handler::Container && counters::place(handler) == place;
    for spec in commands() {
        if is(spec.handler) {
            return spec.name.to_owned();
        }
        if let Some(subcommand) = spec.subcommands.iter().find(|subcommand| is(subcommand.handler)) {
            return format!("{}|{}", spec.name, subcommand.name);
        }
    }
    "NULL".to_owned()
}

/// The letters of a client's state, in Redis's order.
fn flags(client: &Client, transaction: &TransactionState) -> String {
    let mut letters = String::new();
    let states = [
        (client.is_follower(), 'S'),
        (client.is_monitor(), 'O'),
        (client.is_subscribed(), 'P'),
        (transaction.queued.is_some(), 'x'),
        (client.is_blocked(), 'b'),
        (transaction.touched.as_ref().is_some_and(TouchFlag::is_touched), 'd'),
        (client.readonly(), 'r'),
        (client.no_evict(), 'e'),
        (client.no_touch(), 'T'),
    ];
    letters.extend(states.into_iter().filter(|(on, _)| *on).map(|(_, letter)| letter));
    if letters.is_empty() { "N".to_owned() } else { letters }
}

/// A line of CLIENT LIST.
fn describe(client: &Client, now: Timestamp) -> String {
    describe_with(client, now, client.held())
}

/// The line of the caller: what it holds is the request that asks for it.
fn describe_caller(call: &Call<'_>) -> String {
    let header = |number: usize| format!("*{number}\r\n").len();
    let words = call.args.iter().map(|word| header(word.len()) + word.len() + 2);
    let held = Held {
        input: header(call.args.len()) + words.sum::<usize>(),
        arguments: call.args.bytes(),
        output: 0,
        ..call.session.client.held()
    };
    describe_with(&call.session.client, call.now, held)
}

/// A connection has no buffer of replies of its own, so `rbs` and `rbp` are nought and all it holds is `omem`.
fn describe_with(client: &Client, now: Timestamp, held: Held) -> String {
    let (labels, transaction) = (client.labels(), client.transaction());
    let Held { input, input_room, arguments, output } = held;
    let total = size_of::<Client>() + input + input_room + arguments + transaction.bytes + output;
    let seconds = |since: Timestamp| now.0.saturating_sub(since.0) / 1000;
    let [channels, patterns, shard_channels] = client.subscription_counts();
    let resp = match client.protocol() {
        Protocol::Resp2 => 2,
        Protocol::Resp3 => 3,
    };
    format!(
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={channels} psub={patterns} ssub={shard_channels} multi={} \
         qbuf={input} qbuf-free={input_room} argv-mem={arguments} multi-mem={} rbs=0 rbp=0 obl=0 oll={} omem={output} tot-mem={total} events={} \
         cmd={} user=default redir=-1 resp={resp} lib-name={} lib-ver={} watch={}",
        client.id,
        client.addr,
        client.laddr,
        client.fd,
        labels.name,
        seconds(client.created),
        seconds(client.last_active()),
        flags(client, &transaction),
        client.db(),
        transaction.queued.map_or_else(|| "-1".to_owned(), |queued| queued.to_string()),
        transaction.bytes,
        usize::from(output > 0),
        if output > 0 { "rw" } else { "r" },
        command_name(client.last_command()),
        labels.lib_name,
        labels.lib_version,
        transaction.watched,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_named_as_they_are_counted() {
        let place = |words: &[&str]| {
            let spec = nuthatch_proto::command_table::lookup(words[0].as_bytes()).expect("a command");
            let spec = words.get(1).map_or(spec, |w| spec.subcommand(w.as_bytes()).expect("a subcommand"));
            counters::place(spec.handler)
        };
        assert_eq!(command_name(place(&["get"])), "get");
        assert_eq!(command_name(place(&["client", "list"])), "client|list");
        assert_eq!(command_name(NO_COMMAND), "NULL");
    }

    #[test]
    fn names_have_no_blanks() {
        assert_eq!(valid_name(b"worker-1"), Ok("worker-1".to_owned()));
        assert!(valid_name(b"a b").is_err() && valid_name("é".as_bytes()).is_err());
    }
}
