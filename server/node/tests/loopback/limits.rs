//! Commands and clients that are refused because of the state of the server: no memory or descriptors left, too few
//! replicas.
//!
//! The node's own allocator is that of these tests, so that what is used is known. A limit of one byte is always exceeded,
//! one of a terabyte never.

use super::Server;

const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.";
const ABORTED: &str =
    "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.";

#[test]
fn commands_that_need_memory_are_refused_when_there_is_none() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.talk(&[
        ("SET a 1", "+OK"),
        ("CONFIG SET maxmemory 1", "+OK"),
        ("SET a 2", OOM),
        ("LPUSH l x", OOM),
        ("EVAL \"return redis.pcall('set', 'a', 1)\" 0", OOM),
        ("GET a", "$1\r\n1"),
        ("EXPIRE a 100", ":1"),
        ("DEL none", ":0"),
        ("SET a", "-ERR wrong number of arguments for 'set' command"),
        ("CONFIG SET maxmemory-policy allkeys-lru", "+OK"),
        ("SET a 3", "+OK"),
        ("CONFIG SET maxmemory-policy noeviction maxmemory 1tb", "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value"),
        ("CONFIG SET maxmemory-policy noeviction maxmemory 1000gb", "+OK"),
        ("SET a 4", "+OK"),
    ]);
}

#[test]
fn while_there_is_no_memory_nothing_is_queued_and_no_transaction_takes_more() {
    let server = Server::start(&[]);
    let (mut one, mut other) = (server.connect(), server.connect());
    let (full, free) = (("CONFIG SET maxmemory 1", "+OK"), ("CONFIG SET maxmemory 0", "+OK"));
    one.talk(&[("SET a 1", "+OK"), ("MULTI", "+OK"), ("GET a", "+QUEUED")]);
    other.talk(&[full]);
    one.talk(&[("EXEC", "*1\r\n$1\r\n1"), ("MULTI", "+OK"), ("GET a", OOM), ("DISCARD", "+OK")]);
    other.talk(&[free]);
    one.talk(&[("MULTI", "+OK"), ("GET a", "+QUEUED"), ("SET a 2", "+QUEUED")]);
    other.talk(&[full]);
    one.talk(&[("EXEC", ABORTED), ("EXEC", "-ERR EXEC without MULTI"), ("GET a", "$1\r\n1")]);
    one.talk(&[("MULTI", "+OK"), ("GET a", OOM)]);
    other.talk(&[free]);
    one.talk(&[
        ("SET a 3", "+QUEUED"),
        ("EXEC", "-EXECABORT Transaction discarded because of previous errors."),
        ("GET a", "$1\r\n1"),
    ]);
}

#[test]
fn writes_are_refused_while_there_are_too_few_replicas() {
    let server = Server::start(&["--min-slaves-to-write", "1"]);
    let mut client = server.connect();
    let refused = "-NOREPLICAS Not enough good replicas to write.";
    client.talk(&[
        ("SET a 1", refused),
        ("GET a", "$-1"),
        ("EVAL \"return redis.pcall('set', 'a', 1)\" 0", refused),
        ("EVAL \"return redis.pcall('exists', 'a')\" 0", ":0"),
        ("CONFIG SET min-replicas-to-write 0", "+OK"),
        ("MULTI", "+OK"),
        ("SET a 1", "+QUEUED"),
    ]);
    server.connect().talk(&[("CONFIG SET min-replicas-to-write 1", "+OK")]);
    client.talk(&[(
        "EXEC",
        "-EXECABORT Transaction discarded because of: NOREPLICAS Not enough good replicas to write.",
    )]);
}

#[test]
fn there_are_no_more_clients_than_the_system_lets_open() {
    // As many descriptors no system has.
    let server = Server::start(&["--maxclients", "4294967295"]);
    let mut client = server.connect();
    client.send("CONFIG GET maxclients\r\n");
    client.expect("*2\r\n$10\r\nmaxclients\r\n");
    let possible: u64 = client.bulk().parse().expect("a number");
    assert!((1..4_294_967_295).contains(&possible), "{possible}");
    let refused = format!(
        "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system is not able to \
         handle the specified number of clients, try with {possible}"
    );
    client
        .talk(&[("CONFIG SET maxclients 4294967294", refused.as_str()), ("CONFIG SET maxclients 1", "+OK")]);
    server.connect().expect("-ERR max number of clients reached\r\n");
}
