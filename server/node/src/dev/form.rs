//! Blank nodes to a cluster: they meet, the slots are given out as the ring says, every slot takes a write.
//!
//! Nodes that already are a cluster (from an earlier run in the same directory) keep what they have; only slots that
//! nobody owns are given out.

use std::time::Duration;

use nuthatch_cluster::ring::{Member, fill};
use nuthatch_cluster::topology::SlotRange;
use nuthatch_proto::ids::ShardId;
use nuthatch_proto::slot::{SLOT_COUNT, Slot};
use tokio::time::sleep;

use super::probe::{Probe, ProbeError};

/// How long to wait before a node is asked again.
const PAUSE: Duration = Duration::from_millis(20);

/// The nodes did not become a cluster.
#[derive(Debug, thiserror::Error)]
pub(super) enum FormError {
    /// A node did not answer as it should.
    #[error("the node at port {port}: {source}")]
    Probe {
        /// Which.
        port: u16,
        /// What went wrong.
        source: ProbeError,
    },
}

/// One node of the cluster.
#[derive(Debug)]
pub(super) struct FormedNode {
    /// Its port for clients.
    pub(super) port: u16,
    /// Its identity.
    pub(super) id: String,
    /// The slots it owns.
    pub(super) ranges: Vec<SlotRange>,
}

/// Makes the nodes at these ports a cluster.
pub(super) async fn form(ports: &[u16], password: Option<&str>) -> Result<Vec<FormedNode>, FormError> {
    let mut probes = Vec::new();
    for &port in ports {
        let probe = connected(port, password).await;
        probes.push((port, probe.map_err(|source| FormError::Probe { port, source })?));
    }
    for (port, probe) in &mut probes {
        let failed = |source| FormError::Probe { port: *port, source };
        while members(probe).await.map_err(failed)? < ports.len() {
            sleep(PAUSE).await;
        }
    }
    assign(&mut probes).await?;
    let mut nodes = Vec::new();
    for (port, probe) in &mut probes {
        let failed = |source| FormError::Probe { port: *port, source };
        let id = probe.ask_text(&["CLUSTER", "MYID"]).await.map_err(failed)?;
        let ranges = writable(probe, &id).await.map_err(failed)?;
        nodes.push(FormedNode { port: *port, id, ranges });
    }
    Ok(nodes)
}

/// A connection to a node that has just been started. One that does not answer yet is asked again, one that refuses is not.
async fn connected(port: u16, password: Option<&str>) -> Result<Probe, ProbeError> {
    loop {
        match Probe::connect(port, password).await {
            Err(ProbeError::Io(_)) => sleep(PAUSE).await,
            answered => return answered,
        }
    }
}

async fn members(probe: &mut Probe) -> Result<usize, ProbeError> {
    Ok(probe.ask_text(&["CLUSTER", "NODES"]).await?.lines().count())
}

/// A line of CLUSTER NODES, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
struct Owner {
    id: String,
    ranges: Vec<SlotRange>,
}

/// Who owns what, out of CLUSTER NODES.
fn owners(nodes: &str) -> Vec<Owner> {
    let range = |word: &str| {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let slot = |word: &str| Slot::new(word.parse().ok()?);
        SlotRange::new(slot(first)?, slot(last)?)
    };
    let owner = |line: &str| {
        let mut words = line.split(' ');
        let id = words.next()?.to_owned();
        // The address, flags, primary, ping, pong, epoch and link come before the slots.
        Some(Owner { id, ranges: words.skip(7).filter_map(range).collect() })
    };
    nodes.lines().filter_map(owner).collect()
}

/// Gives the slots that nobody owns to the nodes, as the ring says.
async fn assign(probes: &mut [(u16, Probe)]) -> Result<(), FormError> {
    let mut shards = Vec::new();
    let mut map: Vec<Option<ShardId>> = vec![None; usize::from(SLOT_COUNT)];
    for (port, probe) in probes.iter_mut() {
        let failed = |source| FormError::Probe { port: *port, source };
        let request = ["CLUSTER", "MYSHARDID"];
        let shard: ShardId = probe
            .ask_text(&request)
            .await
            .and_then(|text| text.parse().map_err(|_| ProbeError::Unexpected { request: request.join(" ") }))
            .map_err(failed)?;
        let id = probe.ask_text(&["CLUSTER", "MYID"]).await.map_err(failed)?;
        let nodes = probe.ask_text(&["CLUSTER", "NODES"]).await.map_err(failed)?;
        // Who is no child of this run owns its slots still: they are nobody's to give.
        for owner in owners(&nodes) {
            let known = if owner.id == id { shard } else { ShardId([0; 20]) };
            for slot in owner.ranges.iter().flat_map(|range| range.slots()) {
                map[slot.index()].get_or_insert(known);
            }
        }
        shards.push(shard);
    }
    let members: Vec<_> = shards.iter().map(|&shard| Member::new(shard)).collect();
    let plan = fill(&members, |slot| map[slot.index()]);
    for ((port, probe), shard) in probes.iter_mut().zip(shards) {
        let mut request = vec!["CLUSTER".to_owned(), "ADDSLOTSRANGE".to_owned()];
        for step in plan.moves.iter().filter(|step| step.to == shard) {
            request.extend([step.slots.first().to_string(), step.slots.last().to_string()]);
        }
        if request.len() > 2 {
            let words: Vec<_> = request.iter().map(String::as_str).collect();
            probe.ask(&words).await.map_err(|source| FormError::Probe { port: *port, source })?;
        }
    }
    Ok(())
}

/// Waits until the node takes a write in every slot that it owns and knows an owner of every other; its slots.
async fn writable(probe: &mut Probe, id: &str) -> Result<Vec<SlotRange>, ProbeError> {
    loop {
        let info = probe.ask_text(&["CLUSTER", "INFO"]).await?;
        let all = owners(&probe.ask_text(&["CLUSTER", "NODES"]).await?);
        let owned: usize = all.iter().flat_map(|owner| &owner.ranges).map(|range| range.len()).sum();
        let mine = all.into_iter().find(|owner| owner.id == id).map(|owner| owner.ranges).unwrap_or_default();
        if info.contains("cluster_state:ok")
            && owned == usize::from(SLOT_COUNT)
            && takes_writes(probe, &mine).await?
        {
            return Ok(mine);
        }
        sleep(PAUSE).await;
    }
}

/// Whether a write in each of these slots is taken: the deletion of a key that is not there.
async fn takes_writes(probe: &mut Probe, ranges: &[SlotRange]) -> Result<bool, ProbeError> {
    let mut wanted = vec![false; usize::from(SLOT_COUNT)];
    ranges.iter().flat_map(|range| range.slots()).for_each(|slot| wanted[slot.index()] = true);
    let mut left = wanted.iter().filter(|&&wanted| wanted).count();
    let mut requests = Vec::with_capacity(left);
    let mut number = 0u64;
    while left > 0 {
        let key = format!("nuthatch-dev:{number}");
        number += 1;
        if std::mem::take(&mut wanted[Slot::of_key(key.as_bytes()).index()]) {
            requests.push(vec!["DEL".to_owned(), key]);
            left -= 1;
        }
    }
    Ok(probe.ask_all(&requests).await?.iter().all(|reply| reply.as_integer().is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_are_read_from_the_lines_of_cluster_nodes() {
        let nodes = "aa 127.0.0.1:7001@17001 myself,master - 0 0 1 connected 0-99 101\n\
                     bb 127.0.0.1:7002@17002 master - 0 0 2 connected\n";
        let range = |first, last| {
            SlotRange::new(Slot::new(first).expect("a slot"), Slot::new(last).expect("a slot"))
                .expect("a range")
        };
        let expected = [
            Owner { id: "aa".to_owned(), ranges: vec![range(0, 99), range(101, 101)] },
            Owner { id: "bb".to_owned(), ranges: vec![] },
        ];
        assert_eq!(owners(nodes), expected);
    }
}
