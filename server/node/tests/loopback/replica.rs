//! Clients that follow the server as replicas of Redis do, and the file that it keeps its data in.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// A directory of its own, removed when dropped.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("nuthatch-replica-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a directory");
        Self(path)
    }

    fn server(&self, options: &[&str]) -> Server {
        let fixed = ["--dir", self.0.to_str().expect("text")];
        Server::start(&fixed.into_iter().chain(options.iter().copied()).collect::<Vec<_>>())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left in it is nobody's.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Client {
    /// Becomes a replica; the snapshot.
    fn follow(&mut self) -> Vec<u8> {
        self.send("SYNC\r\n");
        let line = loop {
            // A newline says that the server is still at it.
            let line = self.line_of_any_end();
            if !line.is_empty() {
                break line;
            }
        };
        let len: usize = line.strip_prefix('$').expect("a length").parse().expect("a number");
        let mut snapshot = vec![0; len];
        self.0.read_exact(&mut snapshot).expect("the snapshot");
        snapshot
    }

    fn line_of_any_end(&mut self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).expect("a byte");
            line.push(byte[0]);
        }
        String::from_utf8(line).expect("text").trim_end().to_owned()
    }

    /// The next command of the stream.
    fn command(&mut self) -> String {
        let words: usize = self.line().trim_start_matches('*').parse().expect("how many words");
        (0..words).map(|_| self.bulk()).collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn a_replica_is_sent_the_data_and_then_every_change() {
    let directory = Directory::new();
    let server = directory.server(&[]);
    let (mut client, mut replica) = (server.connect(), server.connect());
    client.talk(&[("SET a 1", "+OK"), ("RPUSH l x", ":1")]);
    let snapshot = replica.follow();
    assert!(snapshot.starts_with(b"REDIS0009"));
    client.talk(&[("SET b 2 PXAT 9999999999999", "+OK"), ("MULTI", "+OK"), ("INCR b", "+QUEUED")]);
    client.talk(&[("LPUSH l y z", "+QUEUED"), ("EXEC", "*2\r\n:3\r\n:3"), ("PUBLISH c m", ":0")]);
    client.talk(&[("SELECT 2", "+OK"), ("FLUSHALL", "+OK")]);
    let expected = [
        "SELECT 0",
        "SET b 2 PXAT 9999999999999",
        "MULTI",
        "INCR b",
        "LPUSH l y z",
        "EXEC",
        "PUBLISH c m",
        "SELECT 2",
        "FLUSHALL",
    ];
    for command in expected {
        assert_eq!(replica.command(), command);
    }
    client.talk(&[("CLIENT KILL TYPE replica", ":1"), ("SET c 3", "+OK")]);
    // It is sent nothing any more.
    let mut rest = Vec::new();
    replica.0.read_to_end(&mut rest).expect("the end");
    assert_eq!(rest, b"");
}

#[test]
fn changes_meanwhile_are_in_the_snapshot_or_in_the_stream() {
    let directory = Directory::new();
    let server = directory.server(&[]);
    let mut writer = server.connect();
    writer.talk(&[("SET n 0", "+OK")]);
    let stop = AtomicU32::new(0);
    thread::scope(|threads| {
        threads.spawn(|| {
            let mut last = 0;
            while stop.load(Ordering::Relaxed) == 0 {
                last += 1;
                writer.check("INCR n\r\n", format!(":{last}\r\n"));
            }
        });
        for _ in 0..5 {
            let mut replica = server.connect();
            // The number is written as text or as an integer of one, two or four bytes.
            let snapshot = replica.follow();
            let at = snapshot.windows(3).position(|part| part == b"\x00\x01n").expect("the key") + 3;
            let number = match snapshot[at] {
                0xC0 => i64::from(snapshot[at + 1] as i8),
                0xC1 => i64::from(i16::from_le_bytes([snapshot[at + 1], snapshot[at + 2]])),
                0xC2 => i64::from(i32::from_le_bytes(snapshot[at + 1..at + 5].try_into().expect("four"))),
                other => panic!("{other:x} begins no small number"),
            };
            assert_eq!((replica.command(), replica.command()), ("SELECT 0".to_owned(), "INCR n".to_owned()));
            let mut observer = server.connect();
            observer.send("GET n\r\n");
            let seen: i64 = observer.bulk().parse().expect("a number");
            // So many commands had been run at least: none of them is missing in between.
            for _ in number + 1..seen {
                assert_eq!(replica.command(), "INCR n");
            }
            drop(replica);
        }
        stop.store(1, Ordering::Relaxed);
    });
}

#[test]
fn what_was_saved_is_there_after_the_next_start() {
    let directory = Directory::new();
    let server = directory.server(&[]);
    let mut client = server.connect();
    client.talk(&[("SET a 1", "+OK"), ("HSET h f v", ":1"), ("SAVE", "+OK"), ("SET b 1", "+OK")]);
    drop((client, server));
    let server = directory.server(&[]);
    server.connect().talk(&[("DBSIZE", ":2"), ("GET a", "$1\r\n1"), ("HGET h f", "$1\r\nv")]);
}

#[test]
fn a_save_that_fails_harms_nothing_and_a_damaged_file_is_not_started_with() {
    let directory = Directory::new();
    let server = directory.server(&["--dbfilename", "taken"]);
    std::fs::create_dir_all(directory.0.join("taken/by-something")).expect("a directory");
    server.connect().talk(&[("SET a 1", "+OK"), ("SAVE", "-ERR"), ("GET a", "$1\r\n1")]);
    let left: Vec<_> = std::fs::read_dir(&directory.0).expect("a directory").collect();
    assert_eq!(left.len(), 1, "{left:?}");
    drop(server);
    std::fs::write(directory.0.join("dump.rdb"), b"REDIS0011\x00\x01").expect("a file");
    let arguments = ["--port", "0", "--dir", directory.0.to_str().expect("text"), "--loglevel", "nothing"];
    let arguments: Vec<_> = arguments.iter().map(|&word| word.to_owned()).collect();
    let Ok(Request::Run(config)) = Config::from_arguments(&arguments) else { panic!("arguments") };
    let error = Prepared::new(*config).err().expect("no start").to_string();
    assert!(
        error.contains("it is cut off after 11 bytes") && error.contains("move the file away"),
        "{error}"
    );
}

#[test]
fn a_node_that_is_told_to_follow_takes_no_writes() {
    let directory = Directory::new();
    let server = directory.server(&[]);
    let read_only = "-READONLY You can't write against a read only replica.";
    server.connect().talk(&[
        ("SET a 1", "+OK"),
        ("REPLICAOF 127.0.0.1 1", "+OK"),
        ("SET a 2", read_only),
        ("GET a", "$1\r\n1"),
        ("SYNC", "-NOMASTERLINK Can't SYNC while not connected with my master"),
        ("REPLICAOF NO ONE", "+OK"),
        ("SET a 2", "+OK"),
        ("ROLE", "*3\r\n$6\r\nmaster\r\n:0\r\n*0"),
    ]);
}
