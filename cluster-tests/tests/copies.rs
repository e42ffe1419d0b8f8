//! Shards with replicas, as real processes: copying, following, and taking over.

use nuthatch_cluster_tests::process::{Server, eventually};

const SERVER: &str = env!("CARGO_BIN_EXE_nuthatch-under-test");

// A machine that runs many tests at once may pause a process for longer than a lease lasts.
const OPTIONS: &[&str] = &["--enable-debug-command", "yes", "--cluster-writes-when-cut-off", "yes"];

/// One write of each kind of value, and keys enough for most slots.
fn fill(node: &Server, from: usize) {
    let mut lines: Vec<String> =
        (from..from + 2_000).map(|number| format!("SET k{number} {number}")).collect();
    lines.extend((from..from + 100).map(|number| format!("EXPIRE k{number} 1000")));
    lines.extend((from..from + 20).flat_map(|number| {
        [
            format!("RPUSH l{number} a b c"),
            format!("LPOP l{number}"),
            format!("HSET h{number} f v"),
            format!("SADD s{number} m n"),
            format!("ZADD z{number} 1.5 m"),
            format!("DEL k{number}"),
        ]
    }));
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let errors: Vec<String> =
        node.converse(&lines).into_iter().filter(|reply| reply.starts_with('-')).collect();
    assert_eq!(errors, Vec::<String>::new());
}

/// A primary with all slots, a node that is to copy it, and a third for the majority of the metadata group.
fn cluster() -> [Server; 3] {
    let nodes = [(); 3].map(|()| Server::start(SERVER, OPTIONS));
    nodes[0].ok("CLUSTER ADDSLOTSRANGE 0 16383");
    for node in &nodes[1..] {
        node.ok(&format!("CLUSTER MEET 127.0.0.1 {}", nodes[0].port));
    }
    let may_lose_one = |node: &Server| node.command("CLUSTER INFO").contains("cluster_metadata_voters:3");
    eventually("three nodes vote", || nodes.iter().all(may_lose_one));
    nodes
}

fn is_in_sync(primary: &Server, replica: &Server) -> bool {
    let online = primary.find_info("slave0").is_some_and(|line| line.contains("state=online"));
    online && replica.info("master_link_status") == "up"
}

/// Waits until the copy has what the primary had, and compares.
#[track_caller]
fn compare(primary: &Server, replica: &Server) {
    let offset = |node: &Server| node.info("master_repl_offset");
    eventually("the replica has the whole log", || offset(primary) == offset(replica));
    assert_eq!(primary.command("DEBUG DIGEST"), replica.command("DEBUG DIGEST"));
    assert_ne!(primary.command("DEBUG DIGEST"), "0".repeat(40));
}

#[test]
fn a_replica_copies_follows_and_takes_over() {
    let mut nodes = cluster();
    fill(&nodes[0], 0);
    let id = nodes[0].command("CLUSTER MYID");
    nodes[1].ok(&format!("CLUSTER REPLICATE {id}"));
    // More is written while slots are copied.
    fill(&nodes[0], 5_000);
    eventually("the copy is whole", || is_in_sync(&nodes[0], &nodes[1]));
    fill(&nodes[0], 10_000);
    assert_eq!(nodes[0].converse(&["SET k1 acknowledged", "WAIT 1 20000"]), ["+OK", ":1"]);
    compare(&nodes[0], &nodes[1]);

    let moved = nodes[1].command("GET k1");
    assert!(moved.starts_with("MOVED "), "{moved}");
    assert_eq!(nodes[1].converse(&["READONLY", "GET k1"]), ["+OK", "$12"]);
    let moved = nodes[1].converse(&["READONLY", "SET k1 2"]);
    assert!(moved[1].starts_with("-MOVED "), "{moved:?}");
    assert!(nodes[1].command("FLUSHALL").starts_with("READONLY "));

    eventually("the copy is in the in-sync set", || {
        nodes[2].command("CLUSTER SLOTS").contains(&nodes[1].port.to_string())
    });
    nodes[0].kill();
    eventually("the replica has taken over", || nodes[1].command("GET k1") == "acknowledged");
    fill(&nodes[1], 20_000);
    assert!(nodes[1].command("ROLE").contains("master"));

    nodes[0].restart();
    eventually("the old primary follows", || is_in_sync(&nodes[1], &nodes[0]));
    fill(&nodes[1], 30_000);
    compare(&nodes[1], &nodes[0]);
}
