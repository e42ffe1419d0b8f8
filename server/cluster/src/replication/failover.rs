//! The metadata leader's part in a failover: when to begin one, whom to fence, whom to promote.
//!
//! ```text
//!   Suspect (and silence, or persistence) -> Fence to the in-sync set -> Fenced -> Promote the furthest
//! ```
//!
//! Nothing here is needed for safety: any member of the in-sync set may be promoted at any time, because it holds every
//! committed write, follows nobody once it knows of its promotion, and serves only when its own promise is over. This
//! machine sees to it that a failover happens when it should, that it is fast, and that it loses as little as possible
//! of what was not committed. So it is a leader's memory only: a new leader begins with none, and hears the suspicions
//! again.
//!
//! A round begins when a member of the in-sync set suspects the primary, and the primary's node is silent here as well,
//! or its process is known to be over, or the suspicion lasts: a primary that is heard here can have the member removed,
//! and has the time to. Members answer a fence when their promises are over. Whoever has answered shortly after the
//! first did is the new in-sync set; among them the highest position is promoted. A round that nobody answers ends: the
//! primary has been alive for all of them.
//!
//! Invariants: a round is of one epoch, and its proposal names only members of the in-sync set that are fenced. At most
//! one proposal is open.

use nuthatch_proto::ids::{Epoch, NodeId};

use super::member::Outcome;
use super::message::{Change, Fence, FenceAnswer, Fenced, Proposed, Suspect};
use super::position::Position;
use super::timing::{Time, Timings};
use crate::topology::{Grant, Shard, ShardState};

/// What a metadata leader learns of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailoverInput {
    /// Time has passed: every 10 ms or so.
    Tick,
    /// The shard as it is applied here, and whether the primary's life is the one that its node is registered with.
    View {
        /// The shard.
        shard: Shard,
        /// Whether that life may still be.
        primary_lives: bool,
    },
    /// The primary's node was heard here.
    Heard,
    /// From a replica.
    Suspect(Suspect),
    /// From a member.
    Fenced(Fenced),
    /// A proposal is decided.
    Decided {
        /// Its number.
        number: u64,
        /// The decision.
        outcome: Outcome,
    },
    /// An operator wants another primary whether this one agrees or not; any if none is named.
    Order {
        /// Who.
        to: Option<NodeId>,
    },
}

/// What a metadata leader is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailoverOutput {
    /// Send it to the member that it names.
    Fence(Fence),
    /// Propose it, until it is decided.
    Propose(Proposed),
}

/// A member of the in-sync set in a round.
#[derive(Debug)]
struct Asked {
    member: Grant,
    /// When it is to be asked again.
    again: Time,
    position: Option<Position>,
}

/// An attempt to replace the primary.
#[derive(Debug)]
struct Round {
    began: Time,
    asked: Vec<Asked>,
    /// When the first member was fenced.
    first: Option<Time>,
    /// Who is preferred.
    to: Option<NodeId>,
    proposed: Option<u64>,
}

/// What the members say of the primary.
#[derive(Debug)]
struct Suspicion {
    /// Who said so last.
    by: Grant,
    since: Time,
    last: Time,
}

/// A shard's failover, on the leader of the metadata group.
#[derive(Debug)]
pub struct Failover {
    timings: Timings,
    shard: Shard,
    primary_lives: bool,
    heard: Time,
    suspected: Option<Suspicion>,
    round: Option<Round>,
    proposals: u64,
}

impl Failover {
    /// The machine of a node that has just become the leader, and has heard nothing yet.
    pub fn new(now: Time, timings: Timings, shard: Shard, primary_lives: bool) -> Self {
        let (heard, suspected, round) = (now, None, None);
        Self { timings, shard, primary_lives, heard, suspected, round, proposals: 0 }
    }

    /// One step. Outputs are added to `out`.
    pub fn step(&mut self, now: Time, input: FailoverInput, out: &mut Vec<FailoverOutput>) {
        match input {
            FailoverInput::Tick => {}
            FailoverInput::View { shard, primary_lives } => self.view(now, shard, primary_lives),
            FailoverInput::Heard => self.heard = now,
            FailoverInput::Suspect(suspect) => self.suspect(now, suspect),
            FailoverInput::Fenced(fenced) => self.fenced(now, fenced),
            FailoverInput::Decided { number, outcome } => self.decided(now, number, outcome),
            FailoverInput::Order { to } => self.begin(now, to),
        }
        self.begin_if_due(now);
        self.fence(now, out);
        self.promote(now, out);
    }

    fn view(&mut self, now: Time, shard: Shard, primary_lives: bool) {
        if shard.epoch != self.shard.epoch {
            (self.round, self.suspected) = (None, None);
            self.heard = now;
        }
        (self.shard, self.primary_lives) = (shard, primary_lives);
        // Whoever has left the in-sync set does not matter to the primary any more.
        self.suspected.take_if(|suspicion| !self.shard.isr.contains(&suspicion.by));
        let candidates: Vec<Grant> = self.candidates().collect();
        if let Some(round) = &mut self.round {
            round.asked.retain(|asked| candidates.contains(&asked.member));
            let known: Vec<Grant> = round.asked.iter().map(|asked| asked.member).collect();
            let joined = candidates.into_iter().filter(|member| !known.contains(member));
            round.asked.extend(joined.map(|member| Asked { member, again: now, position: None }));
            if round.asked.iter().all(|asked| asked.position.is_none()) {
                round.first = None;
            }
        }
        self.round.take_if(|round| round.asked.is_empty());
    }

    fn suspect(&mut self, now: Time, suspect: Suspect) {
        let Suspect { member, epoch, silence_ms } = suspect;
        if epoch == self.shard.epoch && self.is_candidate(member) && silence_ms >= self.timings.suspect_ms {
            let since = self.suspected.as_ref().map_or(now, |suspicion| suspicion.since);
            self.suspected = Some(Suspicion { by: member, since, last: now });
        }
    }

    /// Who may be promoted.
    fn candidates(&self) -> impl Iterator<Item = Grant> {
        self.shard.isr.iter().copied().filter(|member| *member != self.shard.primary)
    }

    fn is_candidate(&self, member: Grant) -> bool {
        member != self.shard.primary && self.shard.is_in_sync(member)
    }

    fn begin_if_due(&mut self, now: Time) {
        let Timings { suspect_ms, insist_ms, retry_ms, .. } = self.timings;
        self.suspected.take_if(|suspicion| now.since(suspicion.last) > 3 * retry_ms);
        let due = self.suspected.as_ref().is_some_and(|suspicion| {
            now.since(self.heard) >= suspect_ms || now.since(suspicion.since) >= insist_ms
        });
        if self.round.is_none() && (due || !self.primary_lives) {
            self.begin(now, None);
        }
    }

    fn begin(&mut self, now: Time, to: Option<NodeId>) {
        let asked: Vec<_> =
            self.candidates().map(|member| Asked { member, again: now, position: None }).collect();
        if self.round.is_none() && !asked.is_empty() && self.shard.state == ShardState::Active {
            self.round = Some(Round { began: now, asked, first: None, to, proposed: None });
        }
    }

    /// Asks whoever has not answered.
    fn fence(&mut self, now: Time, out: &mut Vec<FailoverOutput>) {
        let Some(round) = &mut self.round else { return };
        let epoch = Epoch(self.shard.epoch.0.saturating_add(1));
        let isr_version = self.shard.isr_version;
        for asked in round.asked.iter_mut().filter(|asked| asked.position.is_none() && asked.again <= now) {
            asked.again = now.after(self.timings.retry_ms);
            out.push(FailoverOutput::Fence(Fence { member: asked.member, epoch, isr_version }));
        }
        if round.first.is_none() && now.since(round.began) >= self.timings.give_up_ms {
            (self.round, self.suspected) = (None, None);
        }
    }

    fn fenced(&mut self, now: Time, fenced: Fenced) {
        let expected = Epoch(self.shard.epoch.0.saturating_add(1));
        let Some(round) = self.round.as_mut().filter(|_| fenced.epoch == expected) else { return };
        let Some(asked) = round.asked.iter_mut().find(|asked| asked.member == fenced.member) else { return };
        match fenced.answer {
            FenceAnswer::Fenced(position) => {
                asked.position = Some(position);
                round.first.get_or_insert(now);
            }
            FenceAnswer::Promised { ends_in_ms } => {
                let wait_ms = ends_in_ms.saturating_add(1).min(self.timings.promise_ms());
                asked.again = now.after(wait_ms);
            }
        }
    }

    fn promote(&mut self, now: Time, out: &mut Vec<FailoverOutput>) {
        let Some(round) = self.round.as_mut().filter(|round| round.proposed.is_none()) else { return };
        let waited = round.first.is_some_and(|first| now.since(first) >= self.timings.gather_ms);
        if !waited && round.asked.iter().any(|asked| asked.position.is_none()) {
            return;
        }
        let fenced = || round.asked.iter().filter(|asked| asked.position.is_some());
        let preferred = |asked: &&Asked| (Some(asked.member.node) == round.to, asked.position, asked.member);
        let Some(best) = fenced().max_by_key(preferred) else { return };
        let change = Change::Promote {
            epoch: self.shard.epoch,
            primary: best.member,
            fenced: fenced().map(|asked| asked.member).collect(),
        };
        self.proposals = self.proposals.saturating_add(1);
        round.proposed = Some(self.proposals);
        out.push(FailoverOutput::Propose(Proposed { number: self.proposals, change }));
    }

    fn decided(&mut self, now: Time, number: u64, outcome: Outcome) {
        let Some(round) = self.round.as_mut().filter(|round| round.proposed == Some(number)) else { return };
        match outcome {
            // The view that shows it ends the round.
            Outcome::Applied => {}
            // The in-sync set has changed: go on with who is left of it.
            Outcome::Refused => {
                round.proposed = None;
                round.first = round.first.map(|_| now);
            }
        }
    }

    /// Whether somebody is being fenced.
    pub fn is_under_way(&self) -> bool {
        self.round.is_some()
    }
}
