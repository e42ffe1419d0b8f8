//! The whole server in this process, spoken to over loopback sockets as clients do.
//!
//! What belongs here needs a socket to be true: order and completeness of replies however the bytes are cut, memory
//! that a slow reader costs, connections that end. Commands have their tests beside them.

#[path = "loopback/following.rs"]
mod following;
#[path = "loopback/limits.rs"]
mod limits;
#[path = "loopback/replica.rs"]
mod replica;
#[path = "loopback/together.rs"]
mod together;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use nuthatch_node::config::{Config, Request};
use nuthatch_node::node::{Node, Prepared, StartError};

/// The binary's own, which counts what is allocated.
#[global_allocator]
static ALLOCATOR: nuthatch_node::Allocator = nuthatch_node::Allocator;

/// A server on a port of its own, ended when dropped.
struct Server {
    address: SocketAddr,
    node: Arc<Node>,
    thread: Option<JoinHandle<Result<(), StartError>>>,
}

impl Server {
    fn start(options: &[&str]) -> Self {
        let fixed = ["--port", "0", "--bind", "127.0.0.1", "--loglevel", "nothing", "--io-threads", "2"];
        let arguments: Vec<_> = fixed.iter().chain(options).map(|&word| word.to_owned()).collect();
        let config = match Config::from_arguments(&arguments) {
            Ok(Request::Run(config)) => *config,
            other => panic!("{other:?}"),
        };
        let prepared = Prepared::new(config).expect("a server");
        let (address, node) = (prepared.addresses().expect("addresses")[0], prepared.node());
        Self { address, node, thread: Some(thread::spawn(|| prepared.run())) }
    }

    fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).expect("a connection"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.node.stop();
        let ended = self.thread.take().map(|thread| thread.join());
        if !thread::panicking() {
            ended.expect("a thread").expect("no panic").expect("a clean end");
        }
    }
}

struct Client(TcpStream);

impl Client {
    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).expect("sent");
    }

    /// Sends, and checks what comes back.
    #[track_caller]
    fn check(&mut self, request: impl AsRef<[u8]>, expected: impl AsRef<[u8]>) {
        self.send(request);
        self.expect(expected);
    }

    /// Sends commands, each of one line, and checks what comes back.
    #[track_caller]
    fn talk(&mut self, transcript: &[(&str, &str)]) {
        for (command, reply) in transcript {
            self.check(format!("{command}\r\n"), format!("{reply}\r\n"));
        }
    }

    #[track_caller]
    fn expect(&mut self, expected: impl AsRef<[u8]>) {
        let expected = expected.as_ref();
        let mut received = vec![0; expected.len()];
        if let Err(error) = self.0.read_exact(&mut received) {
            panic!("{error} instead of {:?}", String::from_utf8_lossy(expected));
        }
        assert!(
            received == expected,
            "{:?} instead of {:?}",
            String::from_utf8_lossy(&received[..received.len().min(500)]),
            String::from_utf8_lossy(&expected[..expected.len().min(500)])
        );
    }

    /// Reads a line.
    fn line(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("a byte");
            line.push(byte[0]);
        }
        String::from_utf8(line).expect("text").trim_end().to_owned()
    }

    /// Reads a bulk string.
    fn bulk(&mut self) -> String {
        let len: usize = self.line().trim_start_matches('$').parse().expect("a length");
        let mut text = vec![0; len + 2];
        self.0.read_exact(&mut text).expect("the text");
        String::from_utf8(text).expect("text").trim_end().to_owned()
    }

    #[track_caller]
    fn expect_closed(&mut self) {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => assert_eq!(String::from_utf8_lossy(&rest), ""),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
}

/// A request as clients write it.
fn request(words: &[&str]) -> String {
    let arguments: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{arguments}", words.len())
}

/// What a node says that cannot start.
fn refusal(options: &[&str]) -> String {
    let arguments: Vec<_> = options.iter().map(|&word| word.to_owned()).collect();
    match Config::from_arguments(&arguments) {
        Ok(Request::Run(config)) => match Prepared::new(*config) {
            Ok(_) => panic!("{options:?} start"),
            Err(error) => error.to_string(),
        },
        Ok(other) => panic!("{other:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_node_that_cannot_start_names_the_option_at_fault() {
    let absent = refusal(&["--port", "0", "--bind", "192.0.2.1"]);
    assert!(absent.starts_with("option 'bind': cannot listen on 192.0.2.1:0: "), "{absent}");
    let server = Server::start(&[]);
    let taken = refusal(&["--port", &server.address.port().to_string(), "--bind", "127.0.0.1"]);
    assert!(taken.starts_with("option 'port': cannot listen on 127.0.0.1:"), "{taken}");
    let nowhere = refusal(&["--port", "0", "--dir", "/nowhere/at/all"]);
    let expected =
        "the command line: option 'dir' does not take '/nowhere/at/all': No such file or directory";
    assert!(nowhere.starts_with(expected), "{nowhere}");
}

#[test]
fn a_long_pipeline_is_answered_in_order() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let requests: String = (0..5000)
        .map(|n| request(&["SET", &format!("k{n}"), &n.to_string()]) + &request(&["GET", &format!("k{n}")]))
        .collect();
    let replies: String = (0..5000).map(|n| format!("+OK\r\n${}\r\n{n}\r\n", n.to_string().len())).collect();
    client.check(requests, replies);
}

#[test]
fn a_synchronous_flush_is_answered_when_the_memory_is_free() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    for flush in [&["FLUSHALL"][..], &["FLUSHDB", "SYNC"]] {
        let sets: String = (0..20_000).map(|n| request(&["SET", &format!("{{t}}{n}"), "x"])).collect();
        client.check(sets, "+OK\r\n".repeat(20_000));
        client.check(request(flush) + &request(&["DBSIZE"]), "+OK\r\n:0\r\n");
        client.send(request(&["INFO", "memory"]));
        let memory = client.bulk();
        assert!(memory.contains("lazyfree_pending_objects:0\r\n"), "{memory}");
    }
    client.check(request(&["FLUSHALL", "SYNC", "SYNC"]), "-ERR syntax error\r\n");
}

#[test]
fn however_the_bytes_are_cut_the_replies_are_the_same() {
    let server = Server::start(&[]);
    let requests = request(&["SET", "a", "some value"])
        + "\r\nPING \"two words\"\r\n"
        + &request(&["GET", "a"])
        + &request(&["ECHO", ""])
        + "*0\r\nGET a\r\n";
    let replies = "+OK\r\n$9\r\ntwo words\r\n$10\r\nsome value\r\n$0\r\n\r\n$10\r\nsome value\r\n";
    for pieces in [1, 2, 3, 7, 20, 1000] {
        let mut client = server.connect();
        client.0.set_nodelay(true).expect("set");
        requests.as_bytes().chunks(pieces).for_each(|piece| client.send(piece));
        client.expect(replies);
    }
}

#[test]
fn large_values_come_back_whole() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let value = "0123456789abcdef".repeat(500_000);
    client.check(request(&["SET", "large", &value]) + &request(&["PING"]), "+OK\r\n+PONG\r\n");
    let reply = format!("${}\r\n{value}\r\n", value.len());
    client.send(request(&["GET", "large"]).repeat(3) + &request(&["PING"]));
    client.expect(reply.repeat(3) + "+PONG\r\n");
}

#[test]
fn a_client_that_does_not_read_costs_little_and_loses_nothing() {
    // All replies together are far beyond the limit, and never held together.
    let server = Server::start(&["--client-output-buffer-limit", "normal", "1mb", "0", "0"]);
    let (mut slow, mut other) = (server.connect(), server.connect());
    let value = "x".repeat(64 * 1024);
    slow.check(request(&["SET", "k", &value]), "+OK\r\n");
    let count = 1000;
    slow.send(request(&["GET", "k"]).repeat(count));
    // The server works until the sockets are full, and then keeps the replies of one batch.
    let kept: usize = loop {
        other.send(request(&["CLIENT", "LIST"]));
        let list = other.bulk();
        let sizes = list.split("omem=").skip(1).map(|rest| rest.split(' ').next().unwrap_or_default());
        let kept = sizes.map(|size| size.parse().expect("a number")).max().unwrap_or(0);
        if kept > 0 {
            break kept;
        }
    };
    assert!(kept < 1024 * 1024, "{kept}");
    let reply = format!("${}\r\n{value}\r\n", value.len());
    (0..count).for_each(|_| slow.expect(&reply));
}

#[test]
fn a_reader_beyond_its_limit_is_disconnected() {
    let server = Server::start(&["--client-output-buffer-limit", "normal", "1000000", "0", "0"]);
    let mut client = server.connect();
    let value = "x".repeat(30_000_000);
    client.check(request(&["SET", "k", &value]), "+OK\r\n");
    client.send(request(&["GET", "k"]));
    let mut received = Vec::new();
    let end = client.0.read_to_end(&mut received);
    assert!(end.is_err() || received.len() < value.len(), "{end:?}");
}

#[test]
fn who_breaks_the_protocol_hears_why_after_the_replies_and_is_closed() {
    let server = Server::start(&[]);
    for (bytes, error) in [
        ("*1\r\n!4\r\n", "-ERR Protocol error: expected '$', got '!'\r\n"),
        ("*99999999999\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
        ("*1\r\n$-5\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        ("GET \"a\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"),
    ] {
        let mut client = server.connect();
        client.check(request(&["PING"]) + bytes, "+PONG\r\n".to_owned() + error);
        client.expect_closed();
    }
}

#[test]
fn who_speaks_http_is_disconnected_before_more_of_it_runs() {
    let server = Server::start(&[]);
    for line in ["POST / HTTP/1.1\r\n", "Host: example\r\n"] {
        let mut client = server.connect();
        client.check(request(&["PING"]) + line + "PING\r\n", "+PONG\r\n");
        client.expect_closed();
    }
}

#[test]
fn a_password_is_asked_for() {
    let server = Server::start(&["--requirepass", "secret"]);
    let mut client = server.connect();
    client.check(request(&["GET", "a"]), "-NOAUTH Authentication required.\r\n");
    client.check(
        request(&["HELLO", "3"]),
        "-NOAUTH HELLO must be called with the client already authenticated",
    );
    let mut client = server.connect();
    let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
    client.check(request(&["AUTH", "nothing"]), wrong);
    client.check(request(&["AUTH", "other", "secret"]), wrong);
    client.check(request(&["AUTH", "default", "secret"]) + &request(&["GET", "a"]), "+OK\r\n$-1\r\n");
    client.check(request(&["RESET"]) + &request(&["PING"]), "+RESET\r\n-NOAUTH Authentication required.\r\n");
    client.check(
        request(&["HELLO", "3", "AUTH", "default", "secret", "SETNAME", "me"]),
        "%7\r\n$6\r\nserver\r\n",
    );
    let mut client = server.connect();
    client.check("*1\r\n$20000\r\n", "-ERR Protocol error: unauthenticated bulk length\r\n");
    client.expect_closed();
}

#[test]
fn connections_end_when_they_should() {
    let server = Server::start(&["--maxclients", "3"]);
    let (mut first, mut idle, mut last) = (server.connect(), server.connect(), server.connect());
    idle.check(request(&["CLIENT", "SETNAME", "idle"]), "+OK\r\n");
    last.check(request(&["QUIT"]) + &request(&["PING"]), "+OK\r\n");
    last.expect_closed();
    let address = idle.0.local_addr().expect("an address").to_string();
    first.check(request(&["CLIENT", "KILL", &address]), "+OK\r\n");
    idle.expect_closed();
    first.check(request(&["CLIENT", "KILL", "ADDR", "1.2.3.4:5"]), ":0\r\n");
    first.check(request(&["CLIENT", "KILL", "SKIPME", "no"]), ":1\r\n");
    first.expect_closed();
}

#[test]
fn there_are_no_more_clients_than_allowed() {
    let server = Server::start(&["--maxclients", "1"]);
    let mut first = server.connect();
    first.check(request(&["PING"]), "+PONG\r\n");
    let mut second = server.connect();
    second.expect("-ERR max number of clients reached\r\n");
    second.expect_closed();
    first.check(request(&["CONFIG", "SET", "maxclients", "2"]), "+OK\r\n");
    server.connect().check(request(&["PING"]), "+PONG\r\n");
}

#[test]
fn who_waits_holds_nobody_up_and_keeps_the_order() {
    let server = Server::start(&["--enable-debug-command", "local", "--io-threads", "1"]);
    let (mut waiting, mut other) = (server.connect(), server.connect());
    waiting.send(request(&["DEBUG", "SLEEP", "3600"]) + &request(&["PING"]));
    other.check(request(&["PING"]), "+PONG\r\n");
    let address = waiting.0.local_addr().expect("an address").to_string();
    other.check(request(&["CLIENT", "KILL", "ADDR", &address]), ":1\r\n");
    waiting.expect_closed();
    let mixed =
        request(&["SET", "a", "1"]) + "DEBUG SLEEP \"0\"\r\n" + &request(&["GET", "a"]) + "GET \"a\"\r\n";
    other.check(mixed, "+OK\r\n+OK\r\n$1\r\n1\r\n$1\r\n1\r\n");
}

#[test]
fn sessions_are_their_own() {
    let server = Server::start(&[]);
    let (mut one, mut two) = (server.connect(), server.connect());
    one.check(request(&["SELECT", "9"]) + &request(&["SET", "a", "nine"]), "+OK\r\n+OK\r\n");
    two.check(request(&["GET", "a"]), "$-1\r\n");
    two.check(request(&["SELECT", "9"]) + &request(&["GET", "a"]), "+OK\r\n$4\r\nnine\r\n");
    two.check(request(&["SELECT", "16"]), "-ERR DB index is out of range\r\n");
    two.check(request(&["HELLO", "4"]), "-NOPROTO unsupported protocol version\r\n");
    one.check(request(&["HELLO", "3", "FOO"]), "-ERR Syntax error in HELLO option 'FOO'\r\n");
    one.check(
        request(&["CLIENT", "SETNAME", "a b"]),
        "-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
    );
    let untracked = "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode \
                     enabled\r\n";
    one.check(
        request(&["CLIENT", "CACHING", "yes"]) + &request(&["CLIENT", "CACHING", "foo"]),
        untracked.repeat(2),
    );
    one.check(request(&["CLUSTER", "INFO"]), "-ERR This instance has cluster support disabled\r\n");
    one.check(request(&["READONLY"]), "-ERR This instance has cluster support disabled\r\n");
}

#[test]
fn info_counts_what_happened() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.check(
        request(&["SET", "a", "1"]) + &request(&["GET", "a"]) + &request(&["GET", "b"]),
        "+OK\r\n$1\r\n1\r\n$-1\r\n",
    );
    client.check(request(&["NONSENSE"]), "-ERR unknown command 'NONSENSE', with args beginning with: \r\n");
    client.send(request(&["INFO", "everything"]));
    let info = client.bulk();
    for line in [
        "keyspace_hits:1",
        "keyspace_misses:1",
        "rdb_changes_since_last_save:1",
        "db0:keys=1,expires=0,avg_ttl=0",
        "errorstat_ERR:count=1",
        "cmdstat_get:calls=2,",
    ] {
        assert!(info.contains(line), "{line} in {info}");
    }
    let place = |field: &str| info.find(field).unwrap_or_else(|| panic!("{field} in {info}"));
    assert!(place("used_memory:") < place("used_memory_rss:") && place("loading:") < place("async_loading:"));
    client.check(request(&["CONFIG", "RESETSTAT"]), "+OK\r\n");
    client.send(request(&["INFO", "stats"]));
    assert!(client.bulk().contains("keyspace_hits:0"));
}

#[test]
fn shutdown_ends_the_server_without_a_reply() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.check(request(&["SHUTDOWN", "ABORT"]), "-ERR No shutdown in progress.\r\n");
    client.check(request(&["SHUTDOWN", "SAVE", "NOSAVE"]), "-ERR syntax error\r\n");
    client.send(request(&["SHUTDOWN", "NOSAVE"]));
    client.expect_closed();
}

#[test]
fn subscribers_hear_what_is_published_in_order() {
    let server = Server::start(&[]);
    let (mut subscriber, mut publisher) = (server.connect(), server.connect());
    subscriber.check(
        request(&["SUBSCRIBE", "a", "b"]),
        "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n",
    );
    subscriber.check(
        request(&["GET", "a"]),
        "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this \
         context\r\n",
    );
    subscriber.check(request(&["PING"]), "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    let many = 20_000;
    let requests: String = (0..many).map(|n| request(&["PUBLISH", "a", &n.to_string()])).collect();
    let messages: String = (0..many)
        .map(|n| format!("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n${}\r\n{n}\r\n", n.to_string().len()))
        .collect();
    publisher.check(requests, ":1\r\n".repeat(many));
    subscriber.expect(messages);
    subscriber.check(request(&["UNSUBSCRIBE", "a"]), "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n");
    subscriber.check(request(&["UNSUBSCRIBE"]), "*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n");
    subscriber.check(request(&["UNSUBSCRIBE"]), "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n");
    subscriber.check(request(&["PING"]), "+PONG\r\n");
    publisher.check(request(&["PUBLISH", "b", "x"]), ":0\r\n");
}

#[test]
fn a_publisher_hears_itself_after_the_reply() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(request(&["HELLO", "3"]));
    client.send(request(&["ECHO", "ready"]));
    let mut greeting = Vec::new();
    while !greeting.ends_with(b"$5\r\nready\r\n") {
        let mut byte = [0];
        client.0.read_exact(&mut byte).expect("a byte");
        greeting.push(byte[0]);
    }
    let confirmed = ">3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:1\r\n";
    client.check(request(&["PSUBSCRIBE", "*"]), confirmed);
    let message = ">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\na\r\n$1\r\nx\r\n";
    client.check(request(&["PUBLISH", "a", "x"]).repeat(2), format!(":1\r\n{message}").repeat(2));
    client.check(request(&["RESET"]), "+RESET\r\n");
    client.check(request(&["PUBLISH", "a", "x"]), ":0\r\n");
}

#[test]
fn a_subscriber_that_does_not_read_is_ended() {
    let server = Server::start(&["--client-output-buffer-limit", "pubsub", "1mb", "0", "0"]);
    let (mut subscriber, mut publisher) = (server.connect(), server.connect());
    subscriber.check(request(&["SUBSCRIBE", "a"]), "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    let message = "x".repeat(100_000);
    loop {
        publisher.send(request(&["PUBLISH", "a", &message]));
        let mut reply = [0; 4];
        publisher.0.read_exact(&mut reply).expect("a count");
        if reply == *b":0\r\n" {
            break;
        }
    }
    publisher.check(request(&["PUBSUB", "CHANNELS"]), "*0\r\n");
}

#[test]
fn events_on_keys_are_published() {
    let server = Server::start(&["--notify-keyspace-events", "KEA"]);
    let (mut subscriber, mut client) = (server.connect(), server.connect());
    subscriber.check(request(&["PSUBSCRIBE", "__key*"]), "*3\r\n$10\r\npsubscribe\r\n$6\r\n__key*\r\n:1\r\n");
    client.check(request(&["SET", "k", "v"]), "+OK\r\n");
    subscriber.expect("*4\r\n$8\r\npmessage\r\n$6\r\n__key*\r\n$16\r\n__keyspace@0__:k\r\n$3\r\nset\r\n");
    subscriber.expect("*4\r\n$8\r\npmessage\r\n$6\r\n__key*\r\n$18\r\n__keyevent@0__:set\r\n$1\r\nk\r\n");
    client.check(request(&["CONFIG", "SET", "notify-keyspace-events", "xE"]), "+OK\r\n");
    client.check(
        request(&["CONFIG", "GET", "notify-keyspace-events"]),
        "*2\r\n$22\r\nnotify-keyspace-events\r\n$2\r\nxE\r\n",
    );
    client.check(request(&["SET", "k", "v", "PX", "1"]), "+OK\r\n");
    subscriber.expect("*4\r\n$8\r\npmessage\r\n$6\r\n__key*\r\n$22\r\n__keyevent@0__:expired\r\n$1\r\nk\r\n");
}

#[test]
fn a_monitor_sees_commands_in_their_order_and_no_passwords() {
    let server = Server::start(&[]);
    let (mut monitor, mut client) = (server.connect(), server.connect());
    monitor.check(request(&["MONITOR"]), "+OK\r\n");
    monitor.check(request(&["GET", "a"]), "-ERR Replica can't interact with the keyspace\r\n");
    let port = client.0.local_addr().expect("connected").port();
    client.send("MULTI\r\nSELECT 1\r\nset a 'b c'\r\nEXEC\r\nCONFIG GET x\r\n");
    client.send(request(&["AUTH", "secret"]));
    let wanted =
        ["\"MULTI\"", "\"SELECT\" \"1\"", "\"set\" \"a\" \"b c\"", "\"EXEC\"", "\"AUTH\" \"(redacted)\""];
    for (place, wanted) in wanted.into_iter().enumerate() {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            monitor.0.read_exact(&mut byte).expect("a byte");
            line.push(byte[0]);
        }
        let line = String::from_utf8(line).expect("text");
        let db = usize::from(place > 0);
        assert!(line.ends_with(&format!(" [{db} 127.0.0.1:{port}] {wanted}\r\n")), "{line}");
    }
    monitor.check(request(&["RESET"]), "+RESET\r\n");
    monitor.check(request(&["GET", "a"]), "$-1\r\n");
}

#[test]
fn a_subscriber_that_wants_no_replies_hears_its_subscriptions() {
    let server = Server::start(&[]);
    let (mut subscriber, mut publisher) = (server.connect(), server.connect());
    subscriber.send(request(&["CLIENT", "REPLY", "OFF"]));
    subscriber.check(request(&["SUBSCRIBE", "a"]), "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    publisher.check(request(&["PUBLISH", "a", "x"]), ":1\r\n");
    subscriber.expect("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nx\r\n");
    subscriber.check(request(&["UNSUBSCRIBE"]), "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:0\r\n");
}

#[test]
fn a_port_that_was_chosen_is_shown() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(request(&["CONFIG", "GET", "port"]));
    client.expect("*2\r\n$4\r\nport\r\n");
    assert_eq!(client.bulk(), server.address.port().to_string());
    client.send(request(&["INFO", "server"]));
    assert!(client.bulk().contains(&format!("tcp_port:{}\r\n", server.address.port())));
}
