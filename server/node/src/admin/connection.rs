//! AUTH, HELLO, PING, RESET, SELECT, and the switches of cluster mode.
//!
//! These change the session and nothing else, so they run at once and on the connection's own task. There is one user,
//! `default`, with one password or none; passwords are compared in a time that does not tell where they differ.

use nuthatch_proto::command_table::NodeCommand;
use nuthatch_proto::resp::number::parse_integer;
use nuthatch_proto::resp::{Args, Protocol, ReplyWriter};

use super::client::valid_name;
use super::{Call, NOT_INTEGER, SYNTAX_ERROR, text};
use crate::node::{Node, REDIS_VERSION};

/// The user that everybody is.
const DEFAULT_USER: &[u8] = b"default";

const WRONG_PASSWORD: &str = "WRONGPASS invalid username-password pair or user is disabled.";

pub(super) fn ping(args: Args<'_>, reply: &mut ReplyWriter<'_>) {
    match args.len() {
        1 => reply.simple("PONG"),
        2 => reply.bulk(args.at(1)),
        _ => reply.error("ERR wrong number of arguments for 'ping' command"),
    }
}

/// Compares without saying by the time it takes where the difference is.
fn same(given: &[u8], wanted: &[u8]) -> bool {
    let mut difference = given.len() ^ wanted.len();
    for (i, byte) in given.iter().enumerate() {
        difference |= usize::from(byte ^ wanted.get(i).copied().unwrap_or_default());
    }
    difference == 0
}

fn is_password_of(node: &Node, user: &[u8], password: &[u8]) -> bool {
    let settings = node.config.settings();
    user == DEFAULT_USER
        && settings.requirepass.as_ref().is_none_or(|wanted| same(password, wanted.as_bytes()))
}

pub(super) fn auth(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let (user, password) = match call.args.len() {
        2 => (DEFAULT_USER, call.args.at(1)),
        3 => (call.args.at(1), call.args.at(2)),
        _ => return reply.error(SYNTAX_ERROR),
    };
    if call.args.len() == 2 && call.node.config.settings().requirepass.is_none() {
        return reply.error(
            "ERR AUTH <password> called without any password configured for the default user. \
             Are you sure your configuration is correct?",
        );
    }
    if is_password_of(call.node, user, password) {
        call.session.set_authenticated(true);
        reply.ok();
    } else {
        reply.error(WRONG_PASSWORD);
    }
}

pub(super) fn hello(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let args = call.args;
    let protocol = match args.get(1) {
        None => call.session.protocol(),
        Some(version) => match parse_integer(version) {
            None => return reply.error("ERR Protocol version is not an integer or out of range"),
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return reply.error("NOPROTO unsupported protocol version"),
        },
    };
    let mut name = None;
    let mut credentials = None;
    let mut options = args.skip(2);
    while let Some(option) = options.get(0) {
        if option.eq_ignore_ascii_case(b"AUTH") && options.len() >= 3 {
            credentials = Some((options.at(1), options.at(2)));
            options = options.skip(3);
        } else if option.eq_ignore_ascii_case(b"SETNAME") && options.len() >= 2 {
            name = Some(options.at(1));
            options = options.skip(2);
        } else {
            return reply.error(&format!("ERR Syntax error in HELLO option '{}'", text(option)));
        }
    }
    if let Some((user, password)) = credentials {
        if !is_password_of(call.node, user, password) {
            return reply.error(WRONG_PASSWORD);
        }
        call.session.set_authenticated(true);
    }
    if !call.session.authenticated() {
        return reply.error(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH \
             <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the \
             same time",
        );
    }
    if let Some(name) = name {
        match valid_name(name) {
            Ok(name) => call.session.client.relabel(|labels| labels.name = name),
            Err(error) => return reply.error(error),
        }
    }
    // What was pushed until now is in the protocol until now.
    call.session.write_pushes(reply);
    call.session.set_protocol(protocol);
    reply.set_protocol(protocol);
    greet(call.node, call.session.client.id, protocol, reply);
}

fn greet(node: &Node, id: u64, protocol: Protocol, reply: &mut ReplyWriter<'_>) {
    reply.map(7);
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.integer(if protocol == Protocol::Resp3 { 3 } else { 2 });
    reply.bulk(b"id");
    reply.integer(i64::try_from(id).unwrap_or(i64::MAX));
    reply.bulk(b"mode");
    reply.bulk(if node.in_cluster() { b"cluster" } else { b"standalone" });
    reply.bulk(b"role");
    let follows = node.role.is_replica() && !node.in_cluster();
    reply.bulk(if follows { b"replica" } else { b"master" });
    reply.bulk(b"modules");
    reply.array(0);
}

pub(super) fn reset(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    call.node.pubsub.forget(&call.session.client);
    call.node.monitors.remove(&call.session.client);
    call.session.write_pushes(reply);
    call.session.reset(call.node.config.settings().requirepass.is_none(), &call.node.engine);
    reply.set_protocol(Protocol::Resp2);
    reply.simple("RESET");
}

pub(super) fn select(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let Some(db) = parse_integer(call.args.at(1)) else { return reply.error(NOT_INTEGER) };
    if i32::try_from(db).is_err() {
        return reply.error("ERR value is out of range, value must between -2147483648 and 2147483647");
    }
    if call.node.in_cluster() && db != 0 {
        return reply.error("ERR SELECT is not allowed in cluster mode");
    }
    match usize::try_from(db) {
        Ok(db) if db < call.node.engine.databases() => {
            call.session.db = db;
            reply.ok();
        }
        Ok(_) | Err(_) => reply.error("ERR DB index is out of range"),
    }
}

/// ASKING, READONLY, READWRITE.
pub(super) fn cluster_mode(command: NodeCommand, call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    if !call.node.in_cluster() {
        return reply.error(super::NO_CLUSTER);
    }
    if command == NodeCommand::Asking {
        call.session.asking = true;
    } else {
        call.session.set_readonly(command == NodeCommand::ReadOnly);
    }
    reply.ok();
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn passwords_are_the_same_only_if_they_are() {
        for (given, wanted, expected) in [
            ("a", "a", true),
            ("", "", true),
            ("a", "b", false),
            ("a", "aa", false),
            ("aa", "a", false),
            ("", "\0", false),
        ] {
            assert_eq!(same(given.as_bytes(), wanted.as_bytes()), expected, "{given} {wanted}");
        }
    }
}
