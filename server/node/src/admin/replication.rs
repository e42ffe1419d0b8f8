//! SYNC, PSYNC, REPLCONF, ROLE, REPLICAOF and CLUSTER IMPORT: what replicas of Redis say and ask, and whose replica it is.
//!
//! A client becomes a replica in its connection (`net/connection/follow`); here is checked whether it may. There is no
//! backlog, so PSYNC always begins with everything. What this node follows itself is the link's business
//! (`replica_link`); replicas of a replica get what comes from there as everything else that changes.

use std::sync::Arc;

use nuthatch_cluster::replication::Role;
use nuthatch_proto::resp::ReplyWriter;
use nuthatch_proto::resp::number::parse_integer;

use crate::driver::MetadataHandle;
use crate::feed::Follower;
use crate::role::{Phase, Primary};

use super::{Call, Deferral, Flow, NO_CLUSTER, NOT_INTEGER, SYNTAX_ERROR, text};

pub(super) fn sync(call: &Call<'_>, reply: &mut ReplyWriter<'_>) -> Flow {
    // Who follows already gets no second answer, as in Redis.
    if call.session.client.is_follower() {
        return Flow::Done;
    }
    if call.node.role.is_replica() && !call.node.role.is_linked() {
        reply.error("NOMASTERLINK Can't SYNC while not connected with my master");
        return Flow::Done;
    }
    Flow::Defer(Deferral::Follow)
}

pub(super) fn replconf(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let mut options = call.args.skip(1);
    if !options.len().is_multiple_of(2) {
        return reply.error(SYNTAX_ERROR);
    }
    while let (Some(option), Some(value)) = (options.get(0), options.get(1)) {
        match option.to_ascii_lowercase().as_slice() {
            b"listening-port" => {
                let Some(port) = parse_integer(value) else { return reply.error(NOT_INTEGER) };
                call.session.introduction.port = u16::try_from(port).unwrap_or(0);
            }
            b"rdb-only" => match parse_integer(value) {
                Some(number) => call.session.introduction.rdb_only = number != 0,
                None => return reply.error(NOT_INTEGER),
            },
            b"capa" | b"ip-address" | b"rdb-filter-only" | b"version" => {}
            // Neither is answered.
            b"getack" => return,
            b"ack" => {
                let follower = call.node.feed.follower(&call.session.client);
                let offset = parse_integer(value).and_then(|offset| u64::try_from(offset).ok());
                if let (Some(follower), Some(offset)) = (follower, offset) {
                    follower.acknowledge(offset, call.now);
                }
                return;
            }
            _ => return reply.error(&format!("ERR Unrecognized REPLCONF option: {}", text(option))),
        }
        options = options.skip(2);
    }
    reply.ok();
}

pub(super) fn role(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let role = &call.node.role;
    if let Some(primary) = role.primary().filter(|_| !call.node.in_cluster()) {
        let standing = role.standing().clone();
        reply.array(5);
        reply.bulk(b"slave");
        reply.bulk(primary.host.as_bytes());
        reply.integer(i64::from(primary.port));
        reply.bulk(standing.phase.word().as_bytes());
        let offset = (standing.phase == Phase::Connected).then_some(standing.applied);
        return reply.integer(offset.map_or(-1, |offset| i64::try_from(offset).unwrap_or(i64::MAX)));
    }
    if let Some(cluster) = &call.node.cluster {
        return role_in_shard(&call, cluster, reply);
    }
    let followers = online(&call);
    reply.array(3);
    reply.bulk(b"master");
    reply.integer(i64::try_from(call.node.feed.offset()).unwrap_or(i64::MAX));
    reply.array(followers.len());
    followers.iter().for_each(|follower| show(follower, reply));
}

/// The replicas of Redis that have been sent the snapshot.
fn online(call: &Call<'_>) -> Vec<Arc<Follower>> {
    let mut followers = call.node.feed.followers();
    followers.retain(|follower| follower.is_online());
    followers
}

fn show(follower: &Follower, reply: &mut ReplyWriter<'_>) {
    reply.array(3);
    reply.bulk(follower.client.addr.ip().to_canonical().to_string().as_bytes());
    reply.bulk(follower.port().to_string().as_bytes());
    reply.bulk(follower.acknowledged().to_string().as_bytes());
}

/// ROLE of a node of a cluster.
fn role_in_shard(call: &Call<'_>, cluster: &MetadataHandle, reply: &mut ReplyWriter<'_>) {
    let (view, report) = (cluster.view(), cluster.replication().report());
    let address = |node| view.topology.node(node).map(|node| &node.address);
    let offset = i64::try_from(report.offset.0).unwrap_or(i64::MAX);
    if report.role == Some(Role::Replica) {
        let primary = view.topology.shard_of(view.me).and_then(|shard| address(shard.primary.node));
        reply.array(5);
        reply.bulk(b"slave");
        reply.bulk(primary.map_or("", |primary| &primary.host).as_bytes());
        reply.integer(primary.map_or(0, |primary| primary.port.into()));
        reply.bulk(match (report.linked, report.copying) {
            (true, _) => b"connected",
            (false, true) => b"sync",
            (false, false) => b"connecting",
        });
        return reply.integer(offset);
    }
    let copies = report.replicas.iter().filter(|replica| replica.online);
    let copies: Vec<_> = copies.filter_map(|replica| Some((address(replica.node)?, replica.acked))).collect();
    let followers = online(call);
    reply.array(3);
    reply.bulk(b"master");
    reply.integer(offset);
    reply.array(copies.len() + followers.len());
    for (address, acked) in copies {
        reply.array(3);
        reply.bulk(address.host.as_bytes());
        reply.bulk(address.port.to_string().as_bytes());
        reply.bulk(acked.to_string().as_bytes());
    }
    followers.iter().for_each(|follower| show(follower, reply));
}

pub(super) fn replicaof(call: Call<'_>, reply: &mut ReplyWriter<'_>) -> Flow {
    let (host, port) = (call.args.at(1), call.args.at(2));
    if call.node.in_cluster() {
        reply.error("ERR REPLICAOF not allowed in cluster mode.");
        return Flow::Done;
    }
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        return stand_alone(&call, reply);
    }
    follow(&call, host, port, reply);
    Flow::Done
}

/// `CLUSTER IMPORT FROM host port` and `CLUSTER IMPORT STOP`.
pub(super) fn import(call: Call<'_>, reply: &mut ReplyWriter<'_>) -> Flow {
    let words = call.args.skip(2);
    let is = |word: &str| words.get(0).is_some_and(|given| given.eq_ignore_ascii_case(word.as_bytes()));
    match (words.get(1), words.get(2)) {
        _ if !call.node.in_cluster() => reply.error(NO_CLUSTER),
        (None, None) if is("STOP") => return stand_alone(&call, reply),
        (Some(host), Some(port)) if is("FROM") && words.len() == 3 => follow(&call, host, port, reply),
        (_, _) => reply.error(SYNTAX_ERROR),
    }
    Flow::Done
}

/// Has the node follow nobody, which is answered when it is so.
fn stand_alone(call: &Call<'_>, reply: &mut ReplyWriter<'_>) -> Flow {
    if !call.node.role.stand_alone() {
        reply.ok();
        return Flow::Done;
    }
    if !call.node.in_cluster() {
        call.node.config.note("replicaof", "");
    }
    // In a transaction nobody waits: writes are refused for some moments more.
    if call.session.executing {
        reply.ok();
        return Flow::Done;
    }
    Flow::Defer(Deferral::Promotion)
}

/// Has the node follow that server.
fn follow(call: &Call<'_>, host: &[u8], port: &[u8], reply: &mut ReplyWriter<'_>) {
    let Some(port) = parse_integer(port).and_then(|port| u16::try_from(port).ok()) else {
        return reply.error("ERR Invalid master port");
    };
    let host = text(host);
    let primary = Primary { host: host.clone(), port };
    let was_replica = call.node.role.is_replica();
    if !call.node.role.follow(primary) {
        return reply.simple("OK Already connected to specified master");
    }
    tracing::info!("Following {host}:{port} is enabled");
    if !call.node.in_cluster() {
        call.node.config.note("replicaof", &format!("{host} {port}"));
    }
    if !was_replica {
        call.node.clients.end_waits();
    }
    // Whoever follows would miss what is to come from there.
    call.node.feed.followers().iter().for_each(|follower| follower.client.kill());
    reply.ok();
}
