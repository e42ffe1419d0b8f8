//! Which crate may depend on which: the table of docs/ARCHITECTURE.md over what cargo says.
//!
//! The inner crates have a list of all they may depend on, ours and others', because what they must not reach (a
//! runtime, a clock, a disk) comes in through a dependency. The outer ones may take what they need from outside.

use super::Finding;
use cargo_metadata::{CargoOpt, DependencyKind, MetadataCommand};

/// A dependency of one of our crates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Our crate.
    pub from: String,
    /// What it depends on.
    pub to: String,
    /// Whether only its tests, benches and examples do.
    pub dev: bool,
    /// Whether a feature must ask for it.
    pub optional: bool,
    /// The features it asks for.
    pub features: Vec<String>,
}

/// What a crate may depend on.
struct Room {
    name: &'static str,
    ours: &'static [&'static str],
    /// All it may take from outside; nothing is said if there is no list.
    others: Option<&'static [&'static str]>,
    why: &'static str,
}

const ROOMS: [Room; 7] = [
    Room {
        name: "nuthatch-proto",
        ours: &[],
        others: Some(&[
            "bitflags",
            "bytes",
            "crc16",
            "itoa",
            "prost",
            "ryu",
            "thiserror",
            "tonic",
            "tonic-prost",
        ]),
        why: "proto is codecs and values: nothing of ours, no runtime",
    },
    Room {
        name: "nuthatch-engine",
        ours: &["nuthatch-proto"],
        others: Some(&[
            "bitflags",
            "crc",
            "foldhash",
            "hashbrown",
            "itoa",
            "lzf",
            "parking_lot",
            "ryu",
            "smallvec",
            "thiserror",
        ]),
        why: "the engine is synchronous: no cluster, runtime, clock, entropy or logging",
    },
    Room {
        name: "nuthatch-cluster",
        ours: &["nuthatch-proto"],
        others: Some(&["prost", "protobuf", "raft", "slog", "thiserror"]),
        why: "the cluster crate is deterministic: no engine, runtime, disk, clock or entropy",
    },
    Room {
        name: "nuthatch-node",
        ours: &["nuthatch-proto", "nuthatch-engine", "nuthatch-cluster"],
        others: None,
        why: "the node serves clients and does not use one",
    },
    Room {
        name: "nuthatch-client",
        ours: &["nuthatch-proto"],
        others: None,
        why: "the client knows the protocol and nothing of the server",
    },
    Room {
        name: "nuthatch-cluster-tests",
        ours: &["nuthatch-proto", "nuthatch-engine", "nuthatch-cluster", "nuthatch-node", "nuthatch-client"],
        others: None,
        why: "the tests use everything but the benches",
    },
    Room {
        name: "nuthatch-benches",
        ours: &["nuthatch-proto", "nuthatch-engine", "nuthatch-cluster", "nuthatch-node", "nuthatch-client"],
        others: None,
        why: "the benches use everything but the tests",
    },
];

/// Crates whose dependence on proto must not bring the node-to-node stubs, and with them a runtime.
const WITHOUT_RPC: [&str; 2] = ["nuthatch-engine", "nuthatch-client"];

/// Dependencies of proto that a feature must guard.
const BEHIND_RPC: [&str; 3] = ["prost", "tonic", "tonic-prost"];

/// The dependencies of all our crates, from `cargo metadata`.
pub fn load() -> Result<Vec<Edge>, cargo_metadata::Error> {
    let mut command = MetadataCommand::new();
    command.manifest_path(super::source::root().join("Cargo.toml")).features(CargoOpt::AllFeatures).no_deps();
    let metadata = command.exec()?;
    let edges = metadata.packages.iter().flat_map(|package| {
        package.dependencies.iter().filter(|edge| edge.kind != DependencyKind::Build).map(|edge| Edge {
            from: package.name.to_string(),
            to: edge.name.clone(),
            dev: edge.kind == DependencyKind::Development,
            optional: edge.optional,
            features: edge.features.clone(),
        })
    });
    Ok(edges.collect())
}

/// The edges that the table does not allow.
pub fn check(edges: &[Edge]) -> Vec<Finding> {
    edges
        .iter()
        .filter_map(|edge| objection(edge).map(|message| Finding::new(&edge.from, 0, message)))
        .collect()
}

fn objection(edge: &Edge) -> Option<String> {
    let Edge { from, to, .. } = edge;
    let Some(room) = ROOMS.iter().find(|room| room.name == from) else {
        return Some(format!("{from} is not in the table of rooms: say what it may depend on"));
    };
    if to.starts_with("nuthatch-") {
        if !room.ours.contains(&to.as_str()) {
            return Some(format!("must not depend on {to}: {}", room.why));
        }
        let rpc = edge.features.iter().any(|feature| feature == "rpc");
        if to == "nuthatch-proto" && rpc && WITHOUT_RPC.contains(&from.as_str()) {
            return Some("must not ask proto for `rpc`: it brings a runtime".to_owned());
        }
        return None;
    }
    // What tests use stays in the tests.
    if edge.dev {
        return None;
    }
    if room.others.is_some_and(|allowed| !allowed.contains(&to.as_str())) {
        return Some(format!("must not depend on {to}: {}", room.why));
    }
    if from == "nuthatch-proto" && BEHIND_RPC.contains(&to.as_str()) && !edge.optional {
        return Some(format!("{to} must be optional, behind the feature `rpc`"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: &str, to: &str) -> Edge {
        let (from, to) = (format!("nuthatch-{from}"), to.to_owned());
        Edge { from, to, dev: false, optional: false, features: Vec::new() }
    }

    #[track_caller]
    fn refused(edge: Edge) {
        assert_eq!(check(std::slice::from_ref(&edge)).len(), 1, "{edge:?}");
    }

    #[track_caller]
    fn allowed(edge: Edge) {
        assert_eq!(check(&[edge]), []);
    }

    #[test]
    fn an_edge_outward_is_refused() {
        refused(edge("proto", "nuthatch-engine"));
        refused(edge("engine", "nuthatch-cluster"));
        refused(edge("cluster", "nuthatch-engine"));
        refused(edge("engine", "tokio"));
        refused(edge("cluster", "redb"));
        refused(edge("cluster", "rand"));
        refused(edge("client", "nuthatch-engine"));
        refused(edge("node", "nuthatch-client"));
        refused(edge("node", "nuthatch-cluster-tests"));
        refused(edge("unheard-of", "nuthatch-proto"));
    }

    #[test]
    fn an_edge_inward_is_allowed() {
        allowed(edge("node", "nuthatch-engine"));
        allowed(edge("node", "tokio"));
        allowed(edge("client", "tokio"));
        allowed(edge("cluster", "raft"));
        allowed(Edge { dev: true, ..edge("engine", "proptest") });
    }

    #[test]
    fn features_of_proto_are_guarded() {
        let rpc = vec!["rpc".to_owned()];
        refused(Edge { features: rpc.clone(), ..edge("engine", "nuthatch-proto") });
        refused(Edge { features: rpc.clone(), ..edge("client", "nuthatch-proto") });
        allowed(Edge { features: rpc, ..edge("cluster", "nuthatch-proto") });
        refused(edge("proto", "tonic"));
        allowed(Edge { optional: true, ..edge("proto", "tonic") });
    }
}
