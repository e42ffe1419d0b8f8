//! Moving in from redis-server while it runs: real processes, where redis-server is installed.
//!
//! Our DEBUG DIGEST is another function than Redis's. So whether the data is the same is asked of a second redis-server, which
//! follows ours: its digest must be the first one's. That shows the way out as well. A test that finds no redis-server says so
//! and shows nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nuthatch_cluster_tests::process::{Server, eventually};
use nuthatch_proto::resp::Frame;

const SERVER: &str = env!("CARGO_BIN_EXE_nuthatch-under-test");

/// Keys of every type, in small and large forms, some with a deadline. A database is a word of its own.
const FILL: &str = "
    redis.call('select', ARGV[1])
    for i = 1, 300 do
        redis.call('rpush', 'list:' .. i, 'a', i, 'c')
        redis.call('sadd', 'set:' .. i, i, '-5', 'x' .. i)
        redis.call('sadd', 'integers:' .. i, i, i * 1000)
        redis.call('hset', 'hash:' .. i, 'f', i, 'g', 'w')
        redis.call('zadd', 'zset:' .. i, 1.5, 'a', i, 'b', '-inf', 'c')
        redis.call('set', 'timed:' .. i, i, 'ex', 100000)
    end
    for i = 1, 3000 do
        redis.call('set', 'plain:' .. i, string.rep('abc', i % 50))
        redis.call('rpush', 'large list', i, string.rep('x', i % 200))
        redis.call('sadd', 'large set', 'm' .. i)
        redis.call('hset', 'large hash', i, string.rep('y', i % 100))
        redis.call('zadd', 'large zset', i / 7, 'z' .. i)
    end
    redis.call('pfadd', 'log log', 'a', 'b')
    return 'OK'";

/// A redis-server; without one the test says that it shows nothing.
fn redis(options: &[&str]) -> Option<Server> {
    let fixed = ["--save", "", "--repl-diskless-sync-delay", "0", "--repl-timeout", "20"];
    let redis = Server::redis(&[&fixed, options].concat());
    if redis.is_none() {
        #[expect(clippy::print_stderr, reason = "a test that shows nothing says so")]
        let () = eprintln!("SKIPPED: redis-server is not installed here");
    }
    redis
}

fn ours(options: &[&str]) -> Server {
    Server::standalone(SERVER, &[&["--io-threads", "2"], options].concat())
}

fn fill(redis: &Server) {
    for db in ["0", "3"] {
        let reply = redis.try_command(&["EVAL", FILL, "0", db]).expect("it answers");
        assert_eq!(reply.as_text(), Some("OK"));
    }
}

fn follow(follower: &Server, primary: &Server) {
    follower.ok(&format!("REPLICAOF 127.0.0.1 {}", primary.port));
}

#[track_caller]
fn await_link(follower: &Server) {
    eventually("the link is up", || follower.info("master_link_status") == "up");
}

/// Waits until everything that was written there is here.
#[track_caller]
fn await_all(follower: &Server, primary: &Server) {
    await_link(follower);
    let is_there = || follower.info("slave_repl_offset") == primary.info("master_repl_offset");
    eventually("the follower has everything", is_there);
}

/// Compares ours with a Redis, by what another Redis gets from ours.
#[track_caller]
fn check_same(ours: &Server, primary: &Server) {
    let Some(witness) = redis(&[]) else { return };
    follow(&witness, ours);
    await_link(&witness);
    let digest = witness.command("DEBUG DIGEST");
    assert_eq!(digest, primary.command("DEBUG DIGEST"));
    assert_ne!(digest, "0".repeat(40));
}

/// Writes of every kind until it is told to stop.
fn write_until(stop: &AtomicBool, redis: &Server) -> u64 {
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        round += 1;
        let n = round % 40;
        redis.converse(&[
            &format!("INCR counter:{n}"),
            &format!("RPUSH list:{n} new{round}"),
            &format!("LPOP list:{n}"),
            &format!("SPOP set:{n}"),
            &format!("SADD set:{n} new{round}"),
            &format!("HSET hash:{n} f{round} v"),
            &format!("ZINCRBY zset:{n} 0.1 a"),
            &format!("EXPIRE plain:{n} 5000"),
            &format!("SET short:{n} v PX 5"),
            "SELECT 3",
            "MULTI",
            &format!("APPEND plain:{n} x"),
            &format!("RENAME timed:{n} timed:{n}"),
            "EXEC",
        ]);
    }
    round
}

fn moves_in_under_load(options: &[&str]) {
    let Some(redis) = redis(options) else { return };
    fill(&redis);
    let ours = ours(&[]);
    ours.ok("SET old data");
    let stop = AtomicBool::new(false);
    thread::scope(|threads| {
        let writer = threads.spawn(|| write_until(&stop, &redis));
        eventually("some is written before", || redis.command("EXISTS counter:3") == "1");
        follow(&ours, &redis);
        await_link(&ours);
        let seen = redis.command("GET counter:3").parse::<u64>().expect("a number");
        let is_later = || ours.command("GET counter:3").parse().is_ok_and(|now: u64| now > seen);
        eventually("what is written after comes too", is_later);
        stop.store(true, Ordering::Relaxed);
        assert!(writer.join().expect("no panic") > 40);
    });
    assert_eq!(ours.command("EXISTS old"), "0");
    assert_eq!(ours.command("SET a 1"), "READONLY You can't write against a read only replica.");
    // Keys whose time has come go when the primary says so. Until then they count there, though nobody sees them.
    let hidden = "EVAL return(redis.call('DBSIZE')-#redis.call('KEYS','*')+#redis.call('KEYS','short:*')) 0";
    eventually("short keys go", || redis.command(hidden) == "0");
    eventually("they go here as well", || {
        await_all(&ours, &redis);
        ours.command("DBSIZE") == redis.command("DBSIZE")
    });
    ours.ok("REPLICAOF NO ONE");
    assert_eq!((ours.info("role"), ours.command("WAIT 0 0")), ("master".to_owned(), "0".to_owned()));
    check_same(&ours, &redis);
    assert_eq!(ours.info("master_replid2"), redis.info("master_replid"));
    assert_ne!(ours.info("master_replid"), redis.info("master_replid"));
    ours.ok("SET a 1");
    assert_eq!(redis.command("EXISTS a"), "0");
}

#[test]
fn a_redis_that_sends_from_memory_is_taken_over_under_load() {
    moves_in_under_load(&["--repl-diskless-sync", "yes"]);
}

#[test]
fn a_redis_that_sends_a_file_is_taken_over_under_load() {
    moves_in_under_load(&["--repl-diskless-sync", "no"]);
}

#[test]
fn a_link_that_breaks_goes_on_where_it_was() {
    let Some(redis) = redis(&[]) else { return };
    let ours = ours(&["--replicaof", &format!("127.0.0.1 {}", redis.port)]);
    await_link(&ours);
    let lines = ["SELECT 5", "SET a 1", "CLIENT KILL TYPE replica", "SET b 2", "INCR b"];
    assert_eq!(redis.converse(&lines), ["+OK", "+OK", ":1", "+OK", ":3"]);
    eventually("the link is made again", || redis.info("sync_partial_ok") == "1");
    await_all(&ours, &redis);
    // What the stream had selected stays so.
    assert_eq!(ours.converse(&["SELECT 5", "MGET a b"])[1], "*2");
    assert_eq!((ours.info("db5"), redis.info("sync_full")), (redis.info("db5"), "1".to_owned()));
    let option = ours.try_command(&["CONFIG", "GET", "replicaof"]).expect("it answers");
    let expected = format!("127.0.0.1 {}", redis.port);
    assert!(matches!(option, Frame::Array(words) if words[1].as_text() == Some(&expected)));
    ours.ok("REPLICAOF NO ONE");
    check_same(&ours, &redis);
}

#[test]
fn a_primary_that_ends_is_followed_again_when_it_is_back() {
    let Some(mut redis) = redis(&["--requirepass", "secret"]) else { return };
    let ours = ours(&["--masterauth", "wrong", "--replica-serve-stale-data", "no"]);
    let say = |redis: &Server, line: &str| redis.converse(&["AUTH secret", line]).swap_remove(1);
    say(&redis, "SET a 1");
    follow(&ours, &redis);
    let trouble = || ours.find_info("master_link_error").unwrap_or_default();
    eventually("it says why it is not let in", || trouble().contains("refuses AUTH"));
    assert!(ours.command("GET a").starts_with("MASTERDOWN Link with MASTER is down"));
    ours.ok("CONFIG SET masterauth secret");
    await_link(&ours);
    assert_eq!(ours.command("GET a"), "1");
    redis.kill();
    eventually("the link is down", || ours.info("master_link_status") == "down");
    redis.restart();
    say(&redis, "SET b 2");
    await_link(&ours);
    eventually("the new data is here", || ours.command("GET b") == "2");
    assert_eq!(ours.command("EXISTS a"), "0");
}

#[test]
fn what_does_not_exist_here_ends_the_link_unless_it_may_be_missing() {
    let Some(redis) = redis(&[]) else { return };
    let ours = ours(&[]);
    redis.converse(&["SET a 1", "XADD events * f v", "XGROUP CREATE events g 0", "SET b 2"]);
    redis.converse(&["XREADGROUP GROUP g c COUNT 1 STREAMS events >"]);
    follow(&ours, &redis);
    let trouble = || ours.find_info("master_link_error").unwrap_or_default();
    eventually("it says what it cannot take over", || trouble().contains("a stream (the key 'events')"));
    // A part of the data is not left behind.
    assert_eq!(
        (ours.command("DBSIZE"), ours.info("master_link_status")),
        ("0".to_owned(), "down".to_owned())
    );
    ours.ok("CONFIG SET replica-skip-unsupported yes");
    follow(&ours, &redis);
    await_link(&ours);
    assert_eq!((ours.command("DBSIZE"), ours.info("replica_passed_over")), ("2".to_owned(), "1".to_owned()));
    redis.converse(&["XADD events * f v", "SET c 3"]);
    await_all(&ours, &redis);
    assert_eq!((ours.command("GET c"), ours.info("replica_passed_over")), ("3".to_owned(), "2".to_owned()));
    ours.ok("CONFIG SET replica-skip-unsupported no");
    redis.converse(&["XADD events * f v", "SET d 4"]);
    eventually("a command ends it too", || trouble().contains("XADD of the key 'events'"));
    assert_eq!(ours.command("EXISTS c d"), "1");
}

#[test]
fn keys_whose_time_has_come_are_hidden_until_the_primary_deletes_them() {
    let Some(redis) = redis(&[]) else { return };
    let ours = ours(&[]);
    follow(&ours, &redis);
    await_link(&ours);
    redis.converse(&["DEBUG SET-ACTIVE-EXPIRE 0", "SET a 1 PX 1", "SET b 1 PX 1"]);
    await_all(&ours, &redis);
    eventually("they are hidden", || ours.command("EXISTS a b") == "0");
    assert_eq!(ours.command("DBSIZE"), "2");
    redis.converse(&["GET a"]);
    await_all(&ours, &redis);
    assert_eq!(ours.command("DBSIZE"), "1");
    // From here on they are our own.
    ours.ok("REPLICAOF NO ONE");
    eventually("the other goes", || ours.command("DBSIZE") == "0");
}

#[test]
fn each_node_of_a_cluster_takes_the_keys_of_its_slots() {
    let Some(redis) = redis(&[]) else { return };
    let reply = redis.try_command(&["EVAL", FILL, "0", "0"]).expect("it answers");
    assert_eq!(reply.as_text(), Some("OK"));
    let nodes = [(); 2].map(|()| Server::start(SERVER, &["--io-threads", "2"]));
    nodes[0].ok("CLUSTER ADDSLOTSRANGE 0 8191");
    nodes[1].ok("CLUSTER ADDSLOTSRANGE 8192 16383");
    nodes[1].ok(&format!("CLUSTER MEET 127.0.0.1 {}", nodes[0].port));
    let is_ok = |node: &Server| node.command("CLUSTER INFO").contains("cluster_state:ok");
    eventually("the cluster is well", || nodes.iter().all(is_ok));
    assert_eq!(nodes[0].command("REPLICAOF 127.0.0.1 1"), "ERR REPLICAOF not allowed in cluster mode.");
    for node in &nodes {
        node.ok(&format!("CLUSTER IMPORT FROM 127.0.0.1 {}", redis.port));
    }
    eventually("both are linked", || nodes.iter().all(|node| node.info("import_link_status") == "up"));
    // Slots 12182, 5061 and 866.
    redis.converse(&[
        "MSET foo 1 bar 2 hello 3",
        "INCR foo",
        "INCR bar",
        "DEL plain:1 plain:2 plain:3",
        "DEL hello",
    ]);
    redis.converse(&["MULTI", "INCR foo", "INCR bar", "EXEC", "PUBLISH c m", "EXPIRE foo 500"]);
    let is_there = |node: &Server| node.info("import_offset") == redis.info("master_repl_offset");
    eventually("both have everything", || nodes.iter().all(is_there));
    let refused = nodes[1].command("SET foo 1");
    assert!(refused.starts_with("READONLY This node takes the keys of its slots"), "{refused}");
    assert_eq!((nodes[1].command("GET foo"), nodes[0].command("GET bar")), ("3".to_owned(), "4".to_owned()));
    nodes.iter().for_each(|node| node.ok("CLUSTER IMPORT STOP"));
    let count = |server: &Server| server.command("DBSIZE").parse::<u64>().expect("a number");
    assert_eq!(nodes.iter().map(count).sum::<u64>(), count(&redis));
    nodes[1].ok("SET foo 7");
    assert_eq!(
        (nodes[0].info("role"), nodes[0].command("EXISTS hello")),
        ("master".to_owned(), "0".to_owned())
    );
    // What combines keys of several nodes ends it.
    for node in &nodes {
        node.ok(&format!("CLUSTER IMPORT FROM 127.0.0.1 {}", redis.port));
    }
    eventually("both are linked", || nodes.iter().all(|node| node.info("import_link_status") == "up"));
    redis.converse(&["RENAME foo bar"]);
    let trouble = |node: &Server| node.find_info("import_link_error").unwrap_or_default();
    let says =
        |node: &Server| trouble(node).contains("RENAME of the key 'foo': its keys are in slots of several");
    eventually("it says which command", || nodes.iter().all(says));
}
