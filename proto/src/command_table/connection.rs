//! Rows of the commands on the connection, with CLIENT and its subcommands.
//!
//! The node runs them all; none takes a key. Those with `NO_AUTH` are what a client may say before it is known.

use super::row::{ADMIN, ALLOW_BUSY, FAST, LOADING, NO_AUTH, NOSCRIPT, STALE, row};
use super::{Acl, CommandSpec, Group, Handler, NodeCommand};

const fn node(name: &'static str, command: NodeCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Node(command), arity, Group::Connection)
}

const fn container(name: &'static str) -> CommandSpec {
    row(name, Handler::Container, -2, Group::Connection)
}

pub(super) const ROWS: &[CommandSpec] = &[
    node("auth", NodeCommand::Auth, -2)
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY])
        .acl(Acl::CONNECTION)
        .since("1.0.0")
        .cost("O(N), N the number of the user's passwords")
        .syntax("[username] password")
        .about("Authenticates the connection."),
    container("client")
        .since("2.4.0")
        .cost("Depends on the subcommand.")
        .about("Inspects and controls client connections.")
        .subcommands(CLIENT_SUBCOMMANDS),
    node("echo", NodeCommand::Echo, 2)
        .flags(&[LOADING, STALE, FAST])
        .acl(Acl::CONNECTION)
        .since("1.0.0")
        .cost("O(1)")
        .syntax("message")
        .about("Returns the message."),
    node("hello", NodeCommand::Hello, -1)
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY])
        .acl(Acl::CONNECTION)
        .since("6.0.0")
        .cost("O(1)")
        .syntax("[protover [AUTH username password] [SETNAME clientname]]")
        .about("Agrees on the protocol version; authenticates and names the connection on the way."),
    node("ping", NodeCommand::Ping, -1)
        .flags(&[FAST])
        .acl(Acl::CONNECTION)
        .since("1.0.0")
        .cost("O(1)")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .syntax("[message]")
        .about("Answers PONG, or the message."),
    node("quit", NodeCommand::Quit, -1)
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY])
        .acl(Acl::CONNECTION)
        .since("1.0.0")
        .deprecated("7.2.0", "just closing the connection")
        .cost("O(1)")
        .about("Closes the connection."),
    node("reset", NodeCommand::Reset, 1)
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY])
        .acl(Acl::CONNECTION)
        .since("6.2.0")
        .cost("O(1)")
        .about("Brings the connection back to its first state."),
    node("select", NodeCommand::Select, 2)
        .flags(&[LOADING, STALE, FAST])
        .acl(Acl::CONNECTION)
        .since("1.0.0")
        .cost("O(1)")
        .syntax("index")
        .about("Chooses the connection's database."),
];

const CLIENT_SUBCOMMANDS: &[CommandSpec] = &[
    node("caching", NodeCommand::ClientCaching, 3)
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("6.0.0")
        .cost("O(1)")
        .syntax("<YES | NO>")
        .about("Says whether the keys of the next command are tracked."),
    node("getname", NodeCommand::ClientGetName, 2)
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("2.6.9")
        .cost("O(1)")
        .about("Returns the connection's name."),
    node("getredir", NodeCommand::ClientGetRedir, 2)
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("6.0.0")
        .cost("O(1)")
        .about("Returns the id of the client that is told of tracked keys."),
    node("help", NodeCommand::ClientHelp, 2)
        .flags(&[LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("5.0.0")
        .cost("O(1)")
        .about("Returns help on the subcommands."),
    node("id", NodeCommand::ClientId, 2)
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("5.0.0")
        .cost("O(1)")
        .about("Returns the connection's id."),
    node("info", NodeCommand::ClientInfo, 2)
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("6.2.0")
        .cost("O(1)")
        .tips(&["nondeterministic_output"])
        .about("Describes the connection."),
    node("kill", NodeCommand::ClientKill, -3)
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("2.4.0")
        .cost("O(N), N the number of connections")
        .syntax("<ip:port | [ID client-id] [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] [USER username] [ADDR ip:port] [LADDR ip:port] [SKIPME <YES | NO>]>")
        .about("Closes connections, chosen by address or by filters."),
    node("list", NodeCommand::ClientList, -2)
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("2.4.0")
        .cost("O(N), N the number of connections")
        .tips(&["nondeterministic_output"])
        .syntax("[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]")
        .about("Describes all connections, or those chosen."),
    node("no-evict", NodeCommand::ClientNoEvict, 3)
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("7.0.0")
        .cost("O(1)")
        .syntax("<ON | OFF>")
        .about("Spares the connection from eviction, or no longer."),
    node("no-touch", NodeCommand::ClientNoTouch, 3)
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("7.2.0")
        .cost("O(1)")
        .syntax("<ON | OFF>")
        .about("Lets the connection use keys without a trace, or no longer."),
    node("pause", NodeCommand::ClientPause, -3)
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("3.0.0")
        .cost("O(1)")
        .syntax("timeout [WRITE | ALL]")
        .about("Holds the commands of all clients back for some time."),
    node("reply", NodeCommand::ClientReply, 3)
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("3.2.0")
        .cost("O(1)")
        .syntax("<ON | OFF | SKIP>")
        .about("Says whether commands are replied to."),
    node("setinfo", NodeCommand::ClientSetInfo, 4)
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("7.2.0")
        .cost("O(1)")
        .syntax("<LIB-NAME libname | LIB-VER libver>")
        .about("Records the name or version of the client's library."),
    node("setname", NodeCommand::ClientSetName, 3)
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("2.6.9")
        .cost("O(1)")
        .syntax("connection-name")
        .about("Names the connection."),
    node("tracking", NodeCommand::ClientTracking, -3)
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("6.0.0")
        .cost("O(1)")
        .syntax("<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]")
        .about("Switches the tracking of keys, which is not there."),
    node("trackinginfo", NodeCommand::ClientTrackingInfo, 2)
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("6.2.0")
        .cost("O(1)")
        .about("Describes the connection's tracking of keys."),
    node("unblock", NodeCommand::ClientUnblock, -3)
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("5.0.0")
        .cost("O(1)")
        .syntax("client-id [TIMEOUT | ERROR]")
        .about("Ends the waiting of a blocked client."),
    node("unpause", NodeCommand::ClientUnpause, 2)
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .acl(Acl::CONNECTION)
        .since("6.2.0")
        .cost("O(1)")
        .about("Lets the commands of all clients go on."),
];
