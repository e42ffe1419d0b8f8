//! When the faults are over: how the world is healed, when it is at rest, and what it must show then.

use nuthatch_cluster::topology::ShardState;

use super::{REST_MS_MAX, World};
use crate::shard_sim::NODES;
use crate::shard_sim::clients::{ASYNC_KEY, KEYS};

impl World {
    pub(super) fn heal(&mut self) {
        self.say(|| "healed".to_owned());
        self.network.heal();
        self.metadata.up = true;
        for place in 0..NODES {
            self.start(place);
            let life = self.nodes[place].life;
            self.after(0, super::Happening::Resume(place, life));
        }
        self.healed_at = Some(self.now);
    }

    /// Whether all is as it should be without faults. The shard may be offline only if nobody lives who was in sync.
    pub(super) fn is_over(&self) -> Result<bool, String> {
        let unrest = self.unrest();
        if unrest.is_empty() {
            return Ok(true);
        }
        match self.healed_at.is_some_and(|healed| self.now > healed + REST_MS_MAX) {
            true => Err(format!("not at rest: {unrest}{}", self.describe())),
            false => Ok(false),
        }
    }

    fn unrest(&self) -> String {
        if self.clients.iter().any(|client| client.operation.is_some()) {
            return "a client waits".to_owned();
        }
        let shard = &self.metadata.now.shard;
        let members = || self.nodes.iter().filter_map(|node| node.process.as_ref()?.member.as_ref());
        if members().count() < NODES {
            return "somebody is not registered".to_owned();
        }
        if shard.state == ShardState::Offline {
            let survivor = members().any(|member| shard.is_in_sync(member.me()));
            let serving = members().any(|member| member.standing().is_some_and(|standing| standing.serving));
            return match (survivor, serving) {
                (true, _) => "offline, and somebody lives who was in sync".to_owned(),
                (_, true) => "offline, and somebody serves".to_owned(),
                (false, false) => String::new(),
            };
        }
        let primary = &self.nodes[self.primary()];
        let Some(process) = primary.process.as_ref() else { return "no primary".to_owned() };
        let standing = process.member.as_ref().and_then(|member| member.standing());
        let now = primary.clock.at(self.now);
        let Some(standing) = standing.filter(|standing| standing.serving && now < standing.lease_until)
        else {
            return "the primary does not serve".to_owned();
        };
        if shard.isr.len() < NODES || standing.in_sync < NODES || standing.paused {
            return format!("in sync are {:?}", shard.isr);
        }
        if standing.commit.0 != process.data.end() {
            return format!("{} of {} are committed", standing.commit, process.data.end());
        }
        let equal = |node: &super::Node| {
            node.process.as_ref().is_some_and(|other| {
                other.data.log == process.data.log && other.data.state == process.data.state
            })
        };
        if self.nodes.iter().all(equal) { String::new() } else { "copies differ".to_owned() }
    }

    fn describe(&self) -> String {
        let node = |node: &super::Node| {
            let process = node.process.as_ref();
            let member = process.and_then(|process| process.member.as_ref());
            format!("\n  node {} at {}: {member:?}", node.place, node.clock.at(self.now).0)
        };
        let nodes: String = self.nodes.iter().map(node).collect();
        format!("\n  metadata: {:?}{nodes}", self.metadata.now)
    }

    /// The last reads, and the histories as a whole.
    pub(super) fn close(&mut self) -> Result<(), String> {
        let shard = &self.metadata.now.shard;
        let report = &mut self.report;
        report.epochs = shard.epoch.0;
        report.isr_changes = self.metadata.isr_changes;
        report.committed = self.ledger.end();
        report.async_lost = self.ledger.async_lost;
        report.healed_ms = self.healed_at.map_or(0, |healed| self.now - healed);
        match shard.state {
            ShardState::Offline => report.offline = 1,
            ShardState::Active => {
                let primary = self.primary();
                let process = self.nodes[primary].process.as_ref().ok_or("no primary")?;
                for key in (0..KEYS).filter(|key| *key != ASYNC_KEY) {
                    let (value, at) = process.data.state[key];
                    self.ledger.read(key, at, self.ledger.last[key])?;
                    self.ledger.histories[key].read(value, self.moment + 1, self.moment + 2)?;
                }
            }
        }
        let keys = (0..KEYS).filter(|key| *key != ASYNC_KEY);
        keys.map(|key| &self.ledger.histories[key]).try_for_each(crate::shard_sim::history::History::check)
    }
}
