//! Few tests with real processes: what neither the simulator nor one process can show.
//!
//! They start the server's own binary, kill it without warning, and ask it over RESP, as an operator would.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use nuthatch_cluster_tests::process::{Server, eventually, free_port};

const SERVER: &str = env!("CARGO_BIN_EXE_nuthatch-under-test");

/// Waits until all nodes see the same cluster of so many members; how they see it.
#[track_caller]
fn agreement(nodes: &[Server], members: usize) -> Vec<String> {
    let mut seen = Vec::new();
    eventually("all nodes see the same members and slots", || {
        seen = nodes[0].signature();
        seen.len() == members && nodes.iter().all(|node| node.signature() == seen)
    });
    seen
}

fn is_ok(node: &Server) -> bool {
    node.command("CLUSTER INFO").contains("cluster_state:ok")
}

/// Three nodes that met, each with a third of the slots and a vote in the metadata group.
fn cluster_of_three() -> [Server; 3] {
    let nodes = [(); 3].map(|()| Server::start(SERVER, &[]));
    for (node, range) in nodes.iter().zip(["0 5460", "5461 10922", "10923 16383"]) {
        node.ok(&format!("CLUSTER ADDSLOTSRANGE {range}"));
    }
    for node in &nodes[1..] {
        node.ok(&format!("CLUSTER MEET 127.0.0.1 {}", nodes[0].port));
    }
    agreement(&nodes, 3);
    let may_lose_one = |node: &Server| node.command("CLUSTER INFO").contains("cluster_metadata_voters:3");
    eventually("three nodes vote", || nodes.iter().all(may_lose_one));
    nodes
}

#[test]
fn nodes_find_each_other_by_join() {
    let seed = Server::start(SERVER, &[]);
    let seeds = format!("127.0.0.1:{}", seed.port);
    let others = [(); 2].map(|()| Server::start(SERVER, &["--join", &seeds]));
    let [second, third] = others;
    let nodes = [seed, second, third];
    agreement(&nodes, 3);
    nodes[2].ok("CLUSTER ADDSLOTSRANGE 0 16383");
    agreement(&nodes, 3);
    eventually("every node says that the cluster is well", || nodes.iter().all(is_ok));
}

#[test]
fn all_nodes_may_be_given_the_same_seed() {
    let first = Server::start_at(SERVER, |port| vec!["--join".to_owned(), format!("127.0.0.1:{port}")]);
    let seed = format!("127.0.0.1:{}", first.port);
    let [second, third] = [(); 2].map(|()| Server::start(SERVER, &["--join", &seed]));
    agreement(&[first, second, third], 3);
}

#[test]
fn each_node_survives_a_kill_with_its_id_and_the_others_go_on() {
    let mut nodes = cluster_of_three();
    let before = agreement(&nodes, 3);
    // A key in each third: slots 12182, 5061 and 866.
    for (key, value) in [("foo", "1"), ("bar", "2"), ("hello", "3")] {
        assert!(nodes.iter().any(|node| node.command(&format!("SET {key} {value}")) == "OK"), "{key}");
    }
    for victim in 0..nodes.len() {
        let id = nodes[victim].command("CLUSTER MYID");
        nodes[victim].kill();
        // Whichever node led the metadata group, the two that are left agree on a change and back again.
        let (other, slot) = (&nodes[(victim + 1) % 3], [5461, 10923, 0][victim]);
        other.ok(&format!("CLUSTER DELSLOTS {slot}"));
        other.ok(&format!("CLUSTER ADDSLOTS {slot}"));
        nodes[victim].restart();
        assert_eq!(nodes[victim].command("CLUSTER MYID"), id);
        assert_eq!(agreement(&nodes, 3), before);
        eventually("it serves its slots again", || is_ok(&nodes[victim]));
    }
}

#[test]
fn all_nodes_come_back_after_all_were_killed() {
    let mut nodes = cluster_of_three();
    let before = agreement(&nodes, 3);
    nodes.iter_mut().for_each(Server::kill);
    nodes.iter_mut().for_each(Server::restart);
    eventually("every node says that the cluster is well", || nodes.iter().all(is_ok));
    assert_eq!(agreement(&nodes, 3), before);
}

#[test]
fn a_slot_is_given_away_only_when_it_is_empty() {
    let nodes = cluster_of_three();
    // Node 0 has slot 866, that of `hello`.
    let to = nodes[1].command("CLUSTER MYID");
    let give = format!("CLUSTER SETSLOT 866 NODE {to}");
    nodes[0].ok("SET hello 1");
    let refused = nodes[0].command(&give);
    assert!(refused.starts_with("ERR Can't assign hashslot 866"), "{refused}");
    nodes[0].ok("SET hello 2");
    assert!(
        nodes[1].command(&give).contains("is served by node"),
        "only the owner knows whether there are keys"
    );
    assert_eq!(nodes[0].command("DEL hello"), "1");
    nodes[0].ok(&give);
    assert_eq!(nodes[0].command("SET hello 3"), format!("MOVED 866 127.0.0.1:{}", nodes[1].port));
    eventually("the new owner serves it", || nodes[1].command("SET hello 4") == "OK");
    nodes[1].ok(&give);
}

#[test]
fn a_client_that_waits_is_sent_after_its_slot() {
    let nodes = cluster_of_three();
    let to = nodes[1].command("CLUSTER MYID");
    std::thread::scope(|threads| {
        let waiting = threads.spawn(|| nodes[0].command("BLPOP hello 0"));
        eventually("it waits", || nodes[0].command("INFO clients").contains("blocked_clients:1"));
        nodes[0].ok(&format!("CLUSTER SETSLOT 866 NODE {to}"));
        let sent = waiting.join().expect("no panic");
        assert_eq!(sent, format!("MOVED 866 127.0.0.1:{}", nodes[1].port));
    });
    assert!(nodes[0].command("INFO clients").contains("blocked_clients:0"));
}

#[test]
fn a_transaction_hears_at_once_of_a_channel_of_a_shard_that_is_elsewhere() {
    let nodes = cluster_of_three();
    // Node 0 has slot 866, that of `hello`; node 2 has 12182, that of `foo`.
    let moved = format!("-MOVED 12182 127.0.0.1:{}", nodes[2].port);
    let aborted = "-EXECABORT Transaction discarded because of previous errors.";
    let said = nodes[0].converse(&["MULTI", "SPUBLISH hello x", "SPUBLISH foo x", "EXEC"]);
    assert_eq!(said, ["+OK", "+QUEUED", &moved, aborted]);
    let said = nodes[0].converse(&["MULTI", "SPUBLISH hello x", "EXEC"]);
    assert_eq!(said, ["+OK", "+QUEUED", "*1"]);
}

#[test]
fn channels_of_shards_are_served_while_the_cluster_is_down_if_they_may_be() {
    let node = Server::start(SERVER, &[]);
    node.ok("CLUSTER ADDSLOTSRANGE 0 1000");
    eventually("slot 866 is served", || node.command("SPUBLISH hello x") == "0");
    assert_eq!(node.command("GET hello"), "CLUSTERDOWN The cluster is down");
    node.ok("CONFIG SET cluster-allow-pubsubshard-when-down no");
    assert_eq!(node.command("SPUBLISH hello x"), "CLUSTERDOWN The cluster is down");
}

#[test]
fn a_cluster_comes_back_under_other_ports() {
    let mut nodes = cluster_of_three();
    let slots = |node: &Server| {
        let mut slots: Vec<_> = node
            .signature()
            .iter()
            .map(|line| line.split(' ').nth(2).unwrap_or_default().to_owned())
            .collect();
        slots.sort();
        slots
    };
    let before = slots(&nodes[0]);
    nodes.iter_mut().for_each(Server::kill);
    nodes.iter_mut().for_each(Server::move_to_another_port);
    let seeds: Vec<_> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
    for node in &mut nodes {
        node.set_options(&["--join", &seeds.join(",")]);
        node.restart();
    }
    eventually("every node says that the cluster is well", || nodes.iter().all(is_ok));
    let after = agreement(&nodes, 3);
    assert_eq!(slots(&nodes[0]), before);
    for node in &nodes {
        assert!(after.iter().any(|line| line.contains(&format!(":{}@", node.port))), "{after:?}");
    }
}

#[test]
fn two_processes_do_not_share_a_directory() {
    let node = Server::start(SERVER, &[]);
    let (status, said) = node.start_another_here();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("metadata.redb is in use by another process"), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
}

#[test]
fn a_node_with_another_secret_stays_outside() {
    let member = Server::start(SERVER, &["--cluster-secret", "swordfish"]);
    let stranger = Server::start(SERVER, &["--cluster-secret", "sword"]);
    for (here, there) in [(&member, &stranger), (&stranger, &member)] {
        let refused = here.command(&format!("CLUSTER MEET 127.0.0.1 {}", there.port));
        assert!(refused.contains("has another cluster-secret"), "{refused}");
        assert_eq!(here.signature().len(), 1);
    }
    let friend = Server::start(SERVER, &["--cluster-secret", "swordfish"]);
    friend.ok(&format!("CLUSTER MEET 127.0.0.1 {}", member.port));
    assert_eq!(friend.signature().len(), 2);
}

#[test]
fn a_node_leaves_and_begins_anew() {
    let nodes = cluster_of_three();
    let leaver = Server::start(SERVER, &[]);
    leaver.ok(&format!("CLUSTER MEET 127.0.0.1 {}", nodes[1].port));
    let id = leaver.command("CLUSTER MYID");
    agreement(&nodes, 4);
    for node in &nodes {
        node.ok(&format!("CLUSTER FORGET {id}"));
    }
    agreement(&nodes, 3);
    leaver.ok("CLUSTER RESET HARD");
    assert_eq!(leaver.signature().len(), 1);
    assert_ne!(leaver.command("CLUSTER MYID"), id);
    leaver.ok(&format!("CLUSTER MEET 127.0.0.1 {}", nodes[2].port));
    assert_eq!(leaver.signature().len(), 4);
}

#[test]
fn a_node_saves_when_it_is_asked_to_and_comes_back_empty() {
    let mut node = Server::start(SERVER, &[]);
    node.ok("CLUSTER ADDSLOTSRANGE 0 16383");
    eventually("it serves its slots", || node.command("SET a 1") == "OK");
    node.ok("SAVE");
    assert!(node.command("INFO persistence").contains("rdb_saves:1"));
    node.kill();
    node.restart();
    eventually("it serves its slots again", || is_ok(&node));
    assert_eq!(node.command("DBSIZE"), "0");
}

#[test]
fn a_local_cluster_with_a_password_becomes_ready() {
    let port = free_port().to_string();
    let dir = env::temp_dir().join(format!("nuthatch-dev-password-{port}"));
    let mut command = Command::new(SERVER);
    command.args(["dev", "--port", &port, "--primaries", "1", "--dir"]).arg(&dir);
    command.args(["--", "--requirepass", "foo"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut dev = command.spawn().expect("started");
    // It says nothing before the cluster is ready, and ends if it does not become so.
    let first = BufReader::new(dev.stdout.take().expect("piped")).lines().next();
    dev.kill().and_then(|()| dev.wait()).expect("ended");
    // The node ends a moment after who started it, and may still write.
    let _ = fs::remove_dir_all(&dir);
    let first = first.expect("a line").expect("text");
    assert!(first.starts_with("A cluster of 1 nodes is ready"), "{first}");
}
