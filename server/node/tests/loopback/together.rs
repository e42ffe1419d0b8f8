//! Connections that have to do with each other: transactions, watched keys, and clients that wait for elements.

use std::thread;

use super::{Client, Server, request};

/// Waits until so many clients are blocked.
fn until_blocked(control: &mut Client, count: usize) {
    let line = format!("blocked_clients:{count}\r");
    loop {
        control.send(request(&["INFO", "clients"]));
        if control.bulk().split('\n').any(|found| found == line) {
            return;
        }
        thread::yield_now();
    }
}

/// What redis-server 7.0.15 sends, byte by byte: the array of EXEC is as short as its commands want it.
#[test]
fn replies_are_switched_within_a_transaction() {
    let server = Server::start(&[]);
    let mut one = server.connect();
    let queued = |commands: &str| {
        let count = commands.lines().count() - 1;
        (commands.replace('\n', "\r\n") + "\r\n", "+OK\r\n".to_owned() + &"+QUEUED\r\n".repeat(count))
    };
    let (commands, replies) = queued("MULTI\nPING\nCLIENT REPLY OFF\nPING");
    one.check(commands, replies);
    one.check("EXEC\r\nPING\r\nCLIENT REPLY ON\r\n", "*3\r\n+PONG\r\n+OK\r\n");
    let (commands, replies) = queued("MULTI\nPING\nCLIENT REPLY SKIP\nECHO a");
    one.check(commands, replies);
    one.check("EXEC\r\nPING\r\nECHO b\r\n", "*3\r\n+PONG\r\n$1\r\na\r\n$1\r\nb\r\n");
    one.send("CLIENT REPLY OFF\r\nMULTI\r\nPING\r\nCLIENT REPLY ON\r\nECHO x\r\nEXEC\r\nPING\r\n");
    one.expect("+OK\r\n$1\r\nx\r\n+PONG\r\n");
}

#[test]
fn transactions_answer_as_those_of_redis() {
    let server = Server::start(&[]);
    let (mut one, mut other) = (server.connect(), server.connect());
    one.talk(&[
        ("EXEC", "-ERR EXEC without MULTI"),
        ("DISCARD", "-ERR DISCARD without MULTI"),
        ("MULTI", "+OK"),
        ("MULTI", "-ERR MULTI calls can not be nested"),
        ("WATCH a", "-ERR WATCH inside MULTI is not allowed"),
        ("SET a x", "+QUEUED"),
        ("INCR a", "+QUEUED"),
        ("BLPOP l 0", "+QUEUED"),
        ("UNWATCH", "+QUEUED"),
        ("PING", "+QUEUED"),
    ]);
    other.talk(&[("GET a", "$-1")]);
    let all = "*5\r\n+OK\r\n-ERR value is not an integer or out of range\r\n*-1\r\n+OK\r\n+PONG";
    one.talk(&[("EXEC", all), ("MULTI", "+OK"), ("SET a y", "+QUEUED")]);
    one.talk(&[
        ("GET", "-ERR wrong number of arguments for 'get' command"),
        ("SET a z", "+QUEUED"),
        ("EXEC", "-EXECABORT Transaction discarded because of previous errors."),
        ("MULTI", "+OK"),
        (
            "EXEC now",
            "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command",
        ),
        ("EXEC", "-ERR EXEC without MULTI"),
        ("MULTI", "+OK"),
        ("SHUTDOWN", "-ERR Command not allowed inside a transaction"),
        ("DISCARD", "+OK"),
        ("GET a", "$1\r\nx"),
    ]);
    // The others stand still for these.
    one.talk(&[
        ("MULTI", "+OK"),
        ("DBSIZE", "+QUEUED"),
        ("SELECT 3", "+QUEUED"),
        ("SET b 1", "+QUEUED"),
        ("FLUSHALL", "+QUEUED"),
        ("DBSIZE", "+QUEUED"),
        ("SET c 1", "+QUEUED"),
        ("EXEC", "*6\r\n:1\r\n+OK\r\n+OK\r\n+OK\r\n:0\r\n+OK"),
        ("GET c", "$1\r\n1"),
    ]);
}

#[test]
fn a_watched_key_that_another_changes_stops_the_transaction() {
    let server = Server::start(&[]);
    let (mut one, mut other) = (server.connect(), server.connect());
    for (command, stopped) in [("SET a 2", true), ("GET a", false), ("FLUSHALL", true)] {
        one.talk(&[("SET a 1", "+OK"), ("WATCH a b", "+OK")]);
        other.send(format!("{command}\r\nPING\r\n"));
        while !other.line().starts_with("+PONG") {}
        let reply = if stopped { "*-1" } else { "*1\r\n+PONG" };
        one.talk(&[("MULTI", "+OK"), ("PING", "+QUEUED"), ("EXEC", reply)]);
    }
    one.talk(&[("WATCH a", "+OK")]);
    other.talk(&[("SET a 2", "+OK")]);
    one.talk(&[("UNWATCH", "+OK"), ("MULTI", "+OK"), ("PING", "+QUEUED"), ("EXEC", "*1\r\n+PONG")]);
}

#[test]
fn transactions_of_both_kinds_are_whole_among_threads() {
    let server = &Server::start(&[]);
    thread::scope(|threads| {
        for client in 0..4 {
            threads.spawn(move || {
                let mut transacting = server.connect();
                // Half of them lock what they need, the others let everybody stand still.
                let (middle, shown) = if client % 2 == 0 { ("PING", "+PONG") } else { ("DBSIZE", ":2") };
                for _ in 0..50 {
                    transacting
                        .send(format!("MULTI\r\nINCR a\r\n{middle}\r\nINCR b\r\nEXEC\r\nMGET a b\r\n"));
                    transacting.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n");
                    let first = transacting.line();
                    let between = transacting.line();
                    assert!(between == shown || between == ":1", "{between}");
                    assert_eq!(transacting.line(), first);
                    transacting.expect("*2\r\n");
                    let (a, b) = (transacting.bulk(), transacting.bulk());
                    assert_eq!(a, b);
                }
            });
        }
    });
    server.connect().talk(&[("MGET a b", "*2\r\n$3\r\n200\r\n$3\r\n200")]);
}

#[test]
fn a_blocked_client_is_served_and_what_it_sent_behind_waits() {
    let server = Server::start(&[]);
    let (mut blocked, mut other) = (server.connect(), server.connect());
    blocked.send("SET a 1\r\nBLPOP k l 0\r\nGET a\r\n");
    blocked.expect("+OK\r\n");
    until_blocked(&mut other, 1);
    blocked.send("PING\r\n");
    other.talk(&[("SET a 2", "+OK"), ("RPUSH l x y", ":2"), ("LRANGE l 0 -1", "*1\r\n$1\r\ny")]);
    blocked.expect("*2\r\n$1\r\nl\r\n$1\r\nx\r\n$1\r\n2\r\n+PONG\r\n");
    until_blocked(&mut other, 0);
}

#[test]
fn a_wait_ends_when_its_time_is_up_or_somebody_says_so() {
    let server = Server::start(&[]);
    let (mut blocked, mut other) = (server.connect(), server.connect());
    blocked.talk(&[
        ("BLPOP k 0.01", "*-1"),
        ("BLMOVE k l LEFT LEFT 0.01", "*-1"),
        ("BZPOPMIN k 0.01", "*-1"),
        ("BLPOP k -1", "-ERR timeout is negative"),
    ]);
    blocked.send("CLIENT ID\r\n");
    let id = blocked.line().trim_start_matches(':').to_owned();
    for (how, reply) in
        [("", "*-1"), (" TIMEOUT", "*-1"), (" ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK")]
    {
        let unblock = format!("CLIENT UNBLOCK {id}{how}");
        other.talk(&[(&unblock, ":0")]);
        blocked.send("BLPOP k 0\r\n");
        until_blocked(&mut other, 1);
        other.talk(&[(&unblock, ":1")]);
        blocked.expect(format!("{reply}\r\n"));
        until_blocked(&mut other, 0);
    }
    other.talk(&[("RPUSH k x", ":1"), ("LLEN k", ":1")]);
}

/// SLOWLOG RESET is the first entry of the log that it leaves.
#[test]
fn a_command_that_waits_is_in_the_slow_log_once_it_is_served() {
    let server = Server::start(&["--slowlog-log-slower-than", "0"]);
    let (mut blocked, mut other) = (server.connect(), server.connect());
    other.talk(&[("SLOWLOG RESET", "+OK")]);
    blocked.talk(&[("BLPOP k 0.01", "*-1")]);
    other.talk(&[("SLOWLOG LEN", ":1")]);
    blocked.send("BLPOP k 0\r\n");
    until_blocked(&mut other, 1);
    other.talk(&[("SLOWLOG RESET", "+OK"), ("RPUSH k x", ":1")]);
    blocked.expect("*2\r\n$1\r\nk\r\n$1\r\nx\r\n");
    other.talk(&[("SLOWLOG LEN", ":3")]);
}

#[test]
fn a_client_that_has_gone_takes_no_element() {
    let server = Server::start(&[]);
    let mut other = server.connect();
    let mut blocked = server.connect();
    blocked.send("BLPOP k 0\r\nPING\r\n");
    until_blocked(&mut other, 1);
    drop(blocked);
    until_blocked(&mut other, 0);
    let mut killed = server.connect();
    killed.send("CLIENT ID\r\nBLMOVE k l LEFT LEFT 0\r\n");
    let id = killed.line().trim_start_matches(':').to_owned();
    until_blocked(&mut other, 1);
    other.talk(&[(&format!("CLIENT KILL ID {id}"), ":1"), ("RPUSH k x", ":1"), ("LLEN k", ":1")]);
    killed.expect_closed();
    until_blocked(&mut other, 0);
}

#[test]
fn elements_reach_blocked_clients_once_and_all_of_them() {
    const EACH: usize = 100;
    let server = &Server::start(&[]);
    let mut seen: Vec<String> = thread::scope(|threads| {
        for pusher in 0..2 {
            threads.spawn(move || {
                let mut client = server.connect();
                for number in 0..EACH {
                    client.send(format!("RPUSH q{} {pusher}:{number}\r\n", number % 2));
                    client.line();
                }
            });
        }
        let poppers: Vec<_> = (0..2)
            .map(|_| {
                threads.spawn(move || {
                    let mut client = server.connect();
                    let pop = |_| {
                        client.send("BLPOP q0 q1 0\r\n");
                        client.expect("*2\r\n");
                        let _key = client.bulk();
                        client.bulk()
                    };
                    (0..EACH).map(pop).collect::<Vec<_>>()
                })
            })
            .collect();
        poppers.into_iter().flat_map(|popper| popper.join().expect("no panic")).collect()
    });
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 2 * EACH);
}

#[test]
fn a_wait_for_replicas_is_one_like_others() {
    let server = Server::start(&[]);
    let mut other = server.connect();
    for (words, in_vain) in [("WAIT 1 0", ":0"), ("WAITAOF 0 1 0", "*2\r\n:0\r\n:0")] {
        let mut gone = server.connect();
        gone.send(format!("{words}\r\n"));
        until_blocked(&mut other, 1);
        drop(gone);
        until_blocked(&mut other, 0);
        let mut blocked = server.connect();
        blocked.send("CLIENT ID\r\n");
        let id = blocked.line().trim_start_matches(':').to_owned();
        for (how, reply) in
            [("TIMEOUT", in_vain), ("ERROR", "-UNBLOCKED client unblocked via CLIENT UNBLOCK")]
        {
            let unblock = format!("CLIENT UNBLOCK {id} {how}");
            other.talk(&[(&unblock, ":0")]);
            blocked.send(format!("{words}\r\n"));
            until_blocked(&mut other, 1);
            other.talk(&[(&unblock, ":1")]);
            blocked.expect(format!("{reply}\r\n"));
            until_blocked(&mut other, 0);
        }
    }
}
