//! The planned switch: a primary makes way for a member that holds all of its log, without waiting for a lease to end.
//!
//! ```text
//!   Draining: writes are held back until the member holds the log's end
//!   Resigned: reads end too; the member is freed of its promise, and says that it knows
//!   Proposed: the metadata group is asked to promote it
//! ```
//!
//! Until it has proposed, a primary that gets nowhere takes writes again, and reads when it is promised anew: what was
//! promised for before it resigned does not count any more. From then on only the decision ends the wait, for the
//! proposal may be applied at any time. The new in-sync set is everybody who holds the log's end, the resigning primary
//! with them: it appends nothing any more.

use nuthatch_proto::ids::NodeId;

use super::super::member::{Output, Own};
use super::super::message::Change;
use super::super::timing::Time;
use super::Primary;
use super::peers::{Peer, Stage};
use crate::topology::Grant;

/// How far a switch is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Handover {
    Draining { to: Grant, since: Time },
    Resigned { to: Grant, at: Time },
    Proposed { to: Grant },
}

impl Primary {
    pub(super) fn has_resigned(&self) -> bool {
        match self.handover {
            None | Some(Handover::Draining { .. }) => false,
            Some(Handover::Resigned { .. } | Handover::Proposed { .. }) => true,
        }
    }

    pub(super) fn has_resigned_to(&self, grant: Grant) -> bool {
        match self.handover {
            None | Some(Handover::Draining { .. }) => false,
            Some(Handover::Resigned { to, .. } | Handover::Proposed { to }) => to == grant,
        }
    }

    /// Begins a switch to that node, or to whoever is the furthest.
    pub(super) fn begin_handover(&mut self, own: &Own, now: Time, to: Option<NodeId>, out: &mut Vec<Output>) {
        if self.handover.is_some() {
            return;
        }
        let fit = |peer: &&Peer| {
            own.shard.is_in_sync(peer.grant)
                && peer.stage == Stage::Streaming
                && to.is_none_or(|node| peer.grant.node == node)
        };
        let best = self.peers.iter().filter(fit).max_by_key(|peer| peer.acked).map(|peer| peer.grant);
        match best.filter(|_| self.serving) {
            Some(to) => {
                self.handover = Some(Handover::Draining { to, since: now });
                out.push(Output::Pause);
            }
            None => out.push(Output::Resume),
        }
    }

    pub(super) fn cancel_handover(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.handover.take().is_some() {
            self.lease_from = Some(now);
            for peer in self.peers.iter_mut() {
                peer.promised = None;
            }
            out.push(Output::Resume);
        }
    }

    /// The next step of a switch, if it is due.
    pub(super) fn tick_handover(&mut self, own: &mut Own, now: Time, out: &mut Vec<Output>) {
        let end = own.log.end();
        let holds_all = |peer: &Peer| peer.acked == Some(end) && own.shard.is_in_sync(peer.grant);
        let give_up_ms = own.timings().give_up_ms;
        match self.handover {
            None | Some(Handover::Proposed { .. }) => {}
            Some(Handover::Draining { since: begun, .. } | Handover::Resigned { at: begun, .. })
                if now.since(begun) >= give_up_ms =>
            {
                self.cancel_handover(now, out);
            }
            Some(Handover::Draining { to, .. }) => {
                if self.peers.get(to).is_some_and(holds_all) {
                    self.handover = Some(Handover::Resigned { to, at: now });
                    self.ping(out);
                }
            }
            Some(Handover::Resigned { to, at }) => {
                let free = |peer: &Peer| holds_all(peer) && peer.released >= Some(at);
                if self.pending.is_none() && self.peers.get(to).is_some_and(free) {
                    let holders = self.peers.iter().filter(|peer| holds_all(peer)).map(|peer| peer.grant);
                    let mut fenced: Vec<Grant> = holders.chain([own.me]).collect();
                    fenced.sort_unstable();
                    let change = Change::Promote { epoch: own.shard.epoch, primary: to, fenced };
                    self.handover = Some(Handover::Proposed { to });
                    self.ask(own, change, out);
                }
            }
        }
    }
}
