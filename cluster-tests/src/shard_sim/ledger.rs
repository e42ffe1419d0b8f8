//! What must hold after each step, in one place, whoever broke it.
//!
//! - **I-a** at most one life commits at an epoch;
//! - **I-b** every committed write is on every member of the in-sync set that lives, and what is committed stays so:
//!   whoever commits, commits what others did before, and more;
//! - **I-c** a primary is promoted by its life, and that life was in the in-sync set (it holds what is committed);
//! - **I-d** epochs rise, for the metadata and for each life;
//! - **I-e** a read that is served reflects all that was committed before it began, and nothing that is not: what it shows
//!   could be lost with its node;
//! - an acknowledged `insync` write is committed, at the place that it was given;
//! - an acknowledged `async` write that is lost is younger, at the last such acknowledgement of its primary, than a
//!   lease: what a primary took before it was cut off or died is on its successor but for the lease's length;
//! - a copy is what its log says.

use std::collections::BTreeMap;

use nuthatch_cluster::topology::{Grant, Shard, ShardState};

use super::NODES;
use super::clients::KEYS;
use super::history::{History, Value};
use super::metadata::{Metadata, place_of};
use super::node::{Node, Process};

/// `L` on the slowest clock, and the millisecond that reading one takes off.
const LOSS_MS_MAX: u64 = 506;

/// An acknowledged write that is not known to be committed.
#[derive(Debug, Clone, Copy)]
struct Loose {
    value: Value,
    offset: u64,
    epoch: u64,
    at_ms: u64,
}

/// What the world knows to be so.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Who commits in an epoch.
    committers: BTreeMap<u64, Grant>,
    /// The number of the committed log up to each place.
    committed: Vec<u64>,
    /// Where each key's last committed write is.
    pub last: [u64; KEYS],
    /// The last epoch of each node's life.
    epochs: [(u64, u64); NODES],
    epoch: u64,
    loose: Vec<Loose>,
    /// When the primary of an epoch last acknowledged an `async` write.
    last_async_ms: BTreeMap<u64, u64>,
    /// What clients saw of each key.
    pub histories: [History; KEYS],
    /// Acknowledged `async` writes that were lost.
    pub async_lost: u64,
}

/// A node's process, if it is a life that the metadata group knows.
fn life_of(nodes: &[Node], grant: Grant) -> Option<&Process> {
    let process = nodes[place_of(grant.node)].process.as_ref()?;
    process.member.as_ref().is_some_and(|member| member.me() == grant).then_some(process)
}

impl Ledger {
    /// How much is committed.
    pub fn end(&self) -> u64 {
        self.committed.len() as u64
    }

    fn holds_committed(&self, process: &Process) -> bool {
        process.data.hash_at(self.end()) == Some(self.committed.last().copied().unwrap_or(0))
            && process.member.as_ref().is_some_and(|member| !member.log().is_blank())
    }

    /// I-b for all members of a shard's in-sync set.
    pub fn check_in_sync(&self, nodes: &[Node], shard: &Shard) -> Result<(), String> {
        for member in &shard.isr {
            if let Some(process) = life_of(nodes, *member)
                && self.end() > 0
                && !self.holds_committed(process)
            {
                let (end, place) = (process.data.end(), place_of(member.node));
                return Err(format!(
                    "I-b: {} effects are committed, and node {place}, in sync, holds {end} of them or others",
                    self.end()
                ));
            }
        }
        Ok(())
    }

    /// A primary says that its log is committed up to there.
    pub fn commit(&mut self, nodes: &[Node], place: usize, end: u64, shard: &Shard) -> Result<(), String> {
        let process = nodes[place].process.as_ref().ok_or("a dead process commits")?;
        let member = process.member.as_ref().ok_or("an unregistered process commits")?;
        let epoch = member.shard().epoch.0;
        let committer = *self.committers.entry(epoch).or_insert(member.me());
        if committer != member.me() {
            return Err(format!("I-a: {committer:?} and {:?} commit at epoch {epoch}", member.me()));
        }
        let known = self.end().min(end);
        let number =
            |end: u64| end.checked_sub(1).map_or(Some(0), |last| self.committed.get(last as usize).copied());
        if process.data.hash_at(known) != number(known) {
            return Err(format!(
                "I-b: node {place} commits {end} effects that are not those committed before"
            ));
        }
        for offset in self.end()..end {
            let effect = process.data.log.get(offset as usize).ok_or("it commits what it does not hold")?;
            self.last[effect.key] = offset + 1;
            self.committed.push(process.data.hash_at(offset + 1).ok_or("it commits what it does not hold")?);
        }
        self.loose.retain(|loose| loose.offset > end || loose.epoch > epoch);
        self.check_in_sync(nodes, shard)
    }

    /// A write is acknowledged.
    pub fn acknowledged(
        &mut self,
        epoch: u64,
        is_async: bool,
        value: Value,
        offset: u64,
        at_ms: u64,
    ) -> Result<(), String> {
        if is_async {
            self.loose.push(Loose { value, offset, epoch, at_ms });
            self.last_async_ms.insert(epoch, at_ms);
        } else if offset > self.end() {
            return Err(format!("durability: {value} at {offset} is acknowledged and not committed"));
        }
        Ok(())
    }

    /// A primary begins an epoch with the log that it has: what of the loose writes is not in it is lost.
    pub fn leads(&mut self, process: &Process, epoch: u64) -> Result<(), String> {
        let holds = |loose: &Loose| {
            let effect = loose.offset.checked_sub(1).and_then(|place| process.data.log.get(place as usize));
            effect.is_some_and(|effect| effect.value == loose.value)
        };
        let lost: Vec<Loose> =
            self.loose.iter().filter(|loose| loose.epoch < epoch && !holds(loose)).copied().collect();
        for loose in lost {
            let last_ms = self.last_async_ms.get(&loose.epoch).copied().unwrap_or(0);
            if loose.at_ms + LOSS_MS_MAX < last_ms {
                let age_ms = last_ms - loose.at_ms;
                return Err(format!("async bound: {loose:?} is lost, {age_ms} ms old at the last one"));
            }
            self.async_lost += 1;
            self.loose.retain(|other| other.value != loose.value);
        }
        Ok(())
    }

    /// After each step of a node.
    pub fn check_node(&mut self, node: &Node) -> Result<(), String> {
        let Some(process) = &node.process else { return Ok(()) };
        let Some(member) = &process.member else { return Ok(()) };
        let (life, epoch) = self.epochs[node.place];
        let now = member.shard().epoch.0;
        if life == node.life && now < epoch {
            return Err(format!("I-d: node {} goes from epoch {epoch} to {now}", node.place));
        }
        self.epochs[node.place] = (node.life, now);
        let (log, held) = (member.log(), process.data.end());
        if !log.is_blank() && log.end().0 != held {
            return Err(format!("node {} says {} and holds {held}", node.place, log.end()));
        }
        Ok(())
    }

    /// A copy has arrived.
    pub fn check_copy(&self, node: &Node) -> Result<(), String> {
        let Some(process) = &node.process else { return Ok(()) };
        match process.data.state == process.data.replayed() {
            true => Ok(()),
            false => Err(format!(
                "node {} copied {:?}, which its log does not make",
                node.place, process.data.state
            )),
        }
    }

    /// After each entry of the metadata log.
    pub fn check_metadata(&mut self, nodes: &[Node], metadata: &Metadata) -> Result<(), String> {
        if let Some(rule) = metadata.broken_invariant() {
            return Err(format!("topology: it does not hold that {rule}"));
        }
        let shard = &metadata.now.shard;
        if shard.epoch.0 < self.epoch {
            return Err(format!("I-d: the shard goes from epoch {} to {}", self.epoch, shard.epoch));
        }
        if shard.epoch.0 > self.epoch
            && shard.epoch.0 > 1
            && life_of(nodes, shard.primary).is_some_and(|process| !self.holds_committed(process))
        {
            return Err(format!("I-c: {:?} is promoted and does not hold what is committed", shard.primary));
        }
        self.epoch = shard.epoch.0;
        match shard.state {
            ShardState::Active => self.check_in_sync(nodes, shard),
            ShardState::Offline => Ok(()),
        }
    }

    /// A read of a key is answered.
    pub fn read(&self, key: usize, at: u64, floor: u64) -> Result<(), String> {
        let end = self.end();
        if at > end {
            return Err(format!("reads: key {key} is shown as written at {at}, and {end} are committed"));
        }
        match at >= floor {
            true => Ok(()),
            false => {
                Err(format!("I-e: a read of key {key} shows {at}, {floor} was committed before it began"))
            }
        }
    }
}
