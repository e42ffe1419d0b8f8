//! A server that follows a primary: one that is played here, word by word, so that it can also misbehave.

use std::io::BufReader;
use std::net::TcpListener;

use super::*;

const REPLID: &str = "0123456789abcdef0123456789abcdef01234567";
const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba98";

/// All data: the key `a` with the value `1`, in database 0.
const DATA: &[u8] = b"REDIS0011\xfe\x00\x00\x01a\x011\xff\0\0\0\0\0\0\0\0";

/// A primary, and who follows it.
struct Primary(TcpListener);

/// The connection of a follower.
struct Link(BufReader<TcpStream>);

impl Primary {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").expect("a port"))
    }

    /// The command that has a server follow it.
    fn order(&self) -> String {
        format!("REPLICAOF 127.0.0.1 {}", self.0.local_addr().expect("an address").port())
    }

    fn accept(&self) -> Link {
        Link(BufReader::new(self.0.accept().expect("a follower").0))
    }

    /// Takes a follower through its introduction; the link, and what it asks for.
    fn welcome(&self) -> (Link, String) {
        let mut link = self.accept();
        assert_eq!(link.request(), "PING");
        link.say("+PONG\r\n");
        // The system has chosen it.
        let introduced = link.request();
        let port =
            introduced.strip_prefix("REPLCONF listening-port ").and_then(|port| port.parse::<u16>().ok());
        assert!(port.is_some_and(|port| port != 0), "{introduced}");
        link.say("+OK\r\n");
        assert_eq!(link.request(), "REPLCONF capa eof capa psync2");
        link.say("+OK\r\n");
        let asked = link.request();
        (link, asked)
    }
}

impl Link {
    fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).expect("sent");
    }

    /// The next request of the follower; signs of life are none.
    fn request(&mut self) -> String {
        let line = |link: &mut Self| {
            let mut line = String::new();
            let len = std::io::BufRead::read_line(&mut link.0, &mut line).expect("a line");
            assert!(len > 0, "the follower is gone");
            line.trim_end().to_owned()
        };
        let words = loop {
            if let Some(words) = line(self).strip_prefix('*') {
                break words.parse().expect("how many words");
            }
        };
        let word = |link: &mut Self| {
            line(link);
            line(link)
        };
        (0..words).map(|_| word(self)).collect::<Vec<_>>().join(" ")
    }

    /// Says its last words, and waits until the follower has had enough of them.
    fn end(mut self, words: &[u8]) {
        // The follower may be gone before all of it is written.
        let _ = self.0.get_mut().write_all(words);
        let _ = self.0.get_ref().shutdown(std::net::Shutdown::Write);
        let _ = self.0.read_to_end(&mut Vec::new());
    }

    /// Waits until the follower says that it is there.
    fn await_offset(&mut self, offset: usize) {
        while self.request() != format!("REPLCONF ACK {offset}") {}
    }
}

#[test]
fn all_data_comes_and_then_every_change() {
    let (server, primary) = (Server::start(&[]), Primary::new());
    let mut client = server.connect();
    client.talk(&[("SET old 1", "+OK"), (&primary.order(), "+OK")]);
    let (mut link, asked) = primary.welcome();
    assert_eq!(asked, "PSYNC ? -1");
    link.say(format!("\n+FULLRESYNC {REPLID} 100\r\n\n\n$EOF:{OTHER}\r\n"));
    // However it is cut.
    for byte in [DATA, OTHER.as_bytes()].concat() {
        link.say([byte]);
    }
    link.await_offset(100);
    client.talk(&[("GET a", "$1\r\n1"), ("EXISTS old", ":0")]);
    let stream = ["SELECT 3", "SET b 2", "MULTI", "INCR b", "INCR b", "EXEC"];
    let stream: String = stream.iter().map(|line| request(&line.split(' ').collect::<Vec<_>>())).collect();
    link.say(&stream);
    link.say(request(&["REPLCONF", "GETACK", "*"]));
    let end = 100 + stream.len() + request(&["REPLCONF", "GETACK", "*"]).len();
    link.await_offset(end);
    client.talk(&[("SELECT 3", "+OK"), ("GET b", "$1\r\n4")]);
    client.send("ROLE\r\n");
    client.expect("*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n");
    assert_eq!((client.line(), client.bulk(), client.line()).2, format!(":{end}"));
    client.talk(&[("REPLICAOF NO ONE", "+OK"), ("INCR b", ":5")]);
}

#[test]
fn a_transaction_that_is_cut_off_comes_again_whole() {
    let (server, primary) = (Server::start(&[]), Primary::new());
    let mut client = server.connect();
    client.talk(&[(&primary.order(), "+OK")]);
    let (mut link, _) = primary.welcome();
    link.say(format!("+FULLRESYNC {REPLID} 0\r\n${}\r\n", DATA.len()));
    link.say(DATA);
    link.await_offset(0);
    let before = [request(&["SELECT", "2"]), request(&["SET", "b", "1"])].concat();
    let transaction = [request(&["MULTI"]), request(&["INCR", "b"])].concat();
    link.say([&*before, &transaction, "*2\r\n$4\r\nINCR\r\n"].concat());
    link.await_offset(before.len());
    drop(link);
    let (mut link, asked) = primary.welcome();
    assert_eq!(asked, format!("PSYNC {REPLID} {}", before.len() + 1));
    link.say(format!("+CONTINUE {OTHER}\r\n"));
    let rest = [&*transaction, &*request(&["EXEC"])].concat();
    link.say(&rest);
    link.await_offset(before.len() + rest.len());
    // Once, and in the database that was selected before.
    client.talk(&[("SELECT 2", "+OK"), ("GET b", "$1\r\n2")]);
    drop(link);
    // Another history, from the beginning.
    let (mut link, asked) = primary.welcome();
    assert_eq!(asked, format!("PSYNC {OTHER} {}", before.len() + rest.len() + 1));
    link.say(format!("+FULLRESYNC {REPLID} 7\r\n${}\r\n", DATA.len()));
    link.say(DATA);
    link.await_offset(7);
    client.talk(&[("EXISTS b", ":0"), ("SELECT 0", "+OK"), ("GET a", "$1\r\n1")]);
}

#[test]
fn a_primary_that_makes_no_sense_harms_nothing() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    // Each time it is another primary and the first attempt, for which nobody pauses.
    let mut attempt = |nonsense: &[u8], stage: fn(&Primary) -> Link| {
        let primary = Primary::new();
        client.talk(&[("SET mine 1", "+OK"), (&primary.order(), "+OK")]);
        stage(&primary).end(nonsense);
        client.send("EXISTS mine\r\n");
        let kept = client.line();
        client.talk(&[("REPLICAOF NO ONE", "+OK")]);
        kept
    };
    // Before anything comes, what is here stays.
    for nonsense in [&b"HTTP/1.1 400\r\n"[..], b"-ERR no\r\n", b"", &[b'x'; 40_000]] {
        assert_eq!(attempt(nonsense, Primary::accept), ":1");
    }
    for nonsense in ["+FULLRESYNC\r\n", "$5\r\n", "-NOMASTERLINK not now\r\n", "+CONTINUE\r\n"] {
        assert_eq!(attempt(nonsense.as_bytes(), |primary| primary.welcome().0), ":1");
    }
    for nonsense in ["$-5\r\n", "-ERR no disk\r\n", "$99\n\r\n"] {
        let nonsense = format!("+FULLRESYNC {REPLID} 1\r\n{nonsense}");
        attempt(nonsense.as_bytes(), |primary| primary.welcome().0);
    }
    for nonsense in [&b"$30\r\nREDIS0011\xfe"[..], b"$9\r\nREDIS9999", b"$5\r\nREDIS0011\xff"] {
        let nonsense = [format!("+FULLRESYNC {REPLID} 1\r\n").as_bytes(), nonsense].concat();
        assert_eq!(attempt(&nonsense, |primary| primary.welcome().0), ":0");
    }
    for nonsense in ["*1\r\n$-7\r\n", "*99999999999\r\n", "\"unbalanced\r\n"] {
        let head = format!("+FULLRESYNC {REPLID} 1\r\n${}\r\n", DATA.len());
        let nonsense = [head.as_bytes(), DATA, nonsense.as_bytes()].concat();
        attempt(&nonsense, |primary| primary.welcome().0);
    }
    // Of one that says nothing NO ONE does not wait for a word.
    let primary = Primary::new();
    client.talk(&[(&primary.order(), "+OK")]);
    let _silent = primary.accept();
    client.talk(&[("REPLICAOF NO ONE", "+OK"), ("SET a 5", "+OK")]);
}

#[test]
fn a_primary_may_not_ask_or_end_anything() {
    let (server, primary) = (Server::start(&[]), Primary::new());
    let mut client = server.connect();
    for refused in ["SHUTDOWN NOSAVE", "KEYS *", "BLPOP nothing 0", "CONFIG SET maxclients 1", "XADD s * f v"]
    {
        client.talk(&[(&primary.order(), "+OK")]);
        let (mut link, asked) = primary.welcome();
        if asked == "PSYNC ? -1" {
            link.say(format!("+FULLRESYNC {REPLID} 1\r\n${}\r\n", DATA.len()));
            link.say(DATA);
        } else {
            link.say("+CONTINUE\r\n");
        }
        link.say(request(&refused.split(' ').collect::<Vec<_>>()));
        let mut rest = Vec::new();
        link.0.read_to_end(&mut rest).expect("it ends the link");
        let name = refused.split(' ').next().expect("a word");
        // It notes why after it has closed the link.
        loop {
            client.send("INFO replication\r\n");
            let info = client.bulk();
            if info.contains(&format!("cannot be applied: {name}")) {
                break;
            }
            thread::yield_now();
        }
    }
    client.talk(&[("GET a", "$1\r\n1"), ("REPLICAOF NO ONE", "+OK")]);
}
