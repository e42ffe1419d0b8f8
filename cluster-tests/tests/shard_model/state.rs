//! What the model knows of the world, small enough to be looked at a million times.

/// How far the model goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    /// Writes.
    pub(crate) writes: u8,
    /// Epochs.
    pub(crate) epochs: u8,
    /// Crashes.
    pub(crate) crashes: u8,
    /// Entries of the metadata log.
    pub(crate) entries: u8,
}

impl Bound {
    /// Few enough states for a test, each with more of something.
    pub(crate) const ALL: [Self; 2] = [
        Self { writes: 2, epochs: 2, crashes: 1, entries: 3 },
        Self { writes: 1, epochs: 3, crashes: 1, entries: 3 },
    ];
}

/// A rule that is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A grant is to a life: without it, a process that comes back goes on under its old one.
    Resume,
    /// A member is in sync by its life.
    ByName,
    /// A member that is about to be added has to acknowledge.
    NoMax,
    /// So has one that is about to be removed.
    EarlyAck,
    /// Nobody acts against its own promise.
    NoLease,
    /// A lease rests on promises, not on who is in sync.
    LeaseByIsr,
    /// A new primary serves when its log is on its in-sync set.
    NoBarrier,
    /// Who is fenced takes nothing of an earlier epoch.
    OldEpoch,
    /// A read shows what is committed.
    DirtyReads,
}

impl Rule {
    /// All of them.
    pub(crate) const ALL: [Self; 9] = [
        Self::Resume,
        Self::ByName,
        Self::NoMax,
        Self::EarlyAck,
        Self::NoLease,
        Self::LeaseByIsr,
        Self::NoBarrier,
        Self::OldEpoch,
        Self::DirtyReads,
    ];
}

/// A log of writes, each of four bits, the last in the lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Log {
    digits: u16,
    pub(crate) length: u8,
}

impl Log {
    pub(crate) fn with(self, write: u8) -> Self {
        Self { digits: self.digits << 4 | u16::from(write), length: self.length + 1 }
    }

    pub(crate) fn up_to(self, length: u8) -> Self {
        let length = length.min(self.length);
        Self { digits: self.digits >> (4 * (self.length - length)), length }
    }

    pub(crate) fn begins(self, other: Self) -> bool {
        self.length <= other.length && other.up_to(self.length) == self
    }

    pub(crate) fn writes(self) -> impl Iterator<Item = u8> {
        (0..self.length).map(move |place| (self.digits >> (4 * place) & 15).try_into().unwrap_or(0))
    }

    /// Its writes as bits.
    pub(crate) fn set(self) -> u8 {
        self.writes().fold(0, |set, write| set | 1 << write)
    }
}

/// An entry of the metadata log: what it makes of the shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Meta {
    pub(crate) epoch: u8,
    pub(crate) primary: u8,
    /// The life that is the primary.
    pub(crate) life: u8,
    /// The lives that are in sync, by node.
    pub(crate) in_sync: [Option<u8>; 3],
    pub(crate) version: u8,
    /// Each node's registered life.
    pub(crate) registered: [u8; 3],
}

/// A node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Node {
    /// Which entry of the metadata log it knows.
    pub(crate) view: u8,
    pub(crate) life: u8,
    pub(crate) log: Log,
    /// As a primary: how much of its log it committed in its epoch.
    pub(crate) committed: u8,
    /// As a primary: what of its log it had when its epoch began.
    pub(crate) barrier: u8,
    pub(crate) fence: u8,
    /// The version of the in-sync set by which it was fenced.
    pub(crate) fenced_at: u8,
    /// The epoch whose primary it promised not to accept a fence; 0 if it is over.
    pub(crate) promise: u8,
    /// The epoch in which the leader had a promise to follow nobody before the next; 0 if none.
    pub(crate) answered: u8,
    /// As a primary: whom it has proposed to add.
    pub(crate) adds: Option<u8>,
    /// As a primary: the lives it found caught up.
    pub(crate) sessions: [Option<u8>; 3],
    /// The last epoch in which it acknowledged something.
    pub(crate) epoch_acked: u8,
    /// Whether a fence ended without a promotion.
    pub(crate) unfenced: bool,
}

/// The world.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct State {
    /// From the entry on that the last of the nodes knows.
    pub(crate) metadata: Vec<Meta>,
    pub(crate) nodes: [Node; 3],
    /// Writes that were acknowledged, or shown to a reader.
    pub(crate) acked: u8,
    pub(crate) crashes: u8,
}

impl State {
    /// The first node is the primary, the second in sync with it, the third has nothing.
    pub(crate) fn initial() -> Self {
        let meta = Meta {
            epoch: 1,
            primary: 0,
            life: 0,
            in_sync: [Some(0), Some(0), None],
            version: 0,
            registered: [0; 3],
        };
        let node = |promise| Node {
            view: 0,
            life: 0,
            log: Log::default(),
            committed: 0,
            barrier: 0,
            fence: 1,
            fenced_at: 0,
            promise,
            answered: 0,
            adds: None,
            sessions: [None, Some(0), None],
            epoch_acked: 0,
            unfenced: false,
        };
        Self { metadata: vec![meta], nodes: [node(0), node(1), node(0)], acked: 0, crashes: 0 }
    }

    /// The last entry.
    pub(crate) fn top(&self) -> Meta {
        self.metadata[self.metadata.len() - 1]
    }

    /// What a node knows of the metadata.
    pub(crate) fn view(&self, node: usize) -> Meta {
        self.metadata[usize::from(self.nodes[node].view)]
    }

    /// Whether a node takes itself for the primary.
    pub(crate) fn leads(&self, without: Option<Rule>, node: usize) -> bool {
        let view = self.view(node);
        usize::from(view.primary) == node
            && (view.life == self.nodes[node].life || without == Some(Rule::Resume))
    }

    /// Whether a primary waits for that member.
    pub(crate) fn needs(&self, without: Option<Rule>, primary: usize, member: usize) -> bool {
        let added =
            usize::from(self.nodes[primary].adds.unwrap_or(3)) == member && without != Some(Rule::NoMax);
        member != primary && (self.view(primary).in_sync[member].is_some() || added)
    }

    /// Whether a member is the life that a primary takes for in sync, and not only the node.
    fn is_itself(&self, without: Option<Rule>, primary: usize, member: usize) -> bool {
        let life = self.nodes[member].life;
        self.view(primary).in_sync[member].is_none_or(|known| known == life) || without == Some(Rule::ByName)
    }

    /// Whether a member acknowledges all of a primary's log.
    pub(crate) fn acknowledges(&self, without: Option<Rule>, primary: usize, member: usize) -> bool {
        let (from, to) = (&self.nodes[primary], &self.nodes[member]);
        let accepts = to.fence <= self.view(primary).epoch || without == Some(Rule::OldEpoch);
        let itself = self.is_itself(without, primary, member);
        to.log.length >= from.log.length && accepts && itself && from.sessions[member] == Some(to.life)
    }

    /// Whether a primary may serve: nobody counts on its own promise, and it has those of the members.
    pub(crate) fn serves(&self, without: Option<Rule>, node: usize) -> bool {
        let me = &self.nodes[node];
        let epoch = self.view(node).epoch;
        let free = me.promise == 0 || without == Some(Rule::NoLease);
        let promised = |member: usize| {
            let itself = self.is_itself(without, node, member);
            let promise = self.nodes[member].promise == epoch || without == Some(Rule::LeaseByIsr);
            !self.needs(without, node, member) || (itself && promise)
        };
        self.leads(without, node) && free && (0..3).all(promised)
    }

    /// Whether a read there is answered, with all that the node has.
    pub(crate) fn shows(&self, without: Option<Rule>, node: usize) -> bool {
        let me = &self.nodes[node];
        let settled = me.committed == me.log.length || without == Some(Rule::DirtyReads);
        settled && self.serves(without, node)
    }

    /// Whether a node has all that was acknowledged.
    pub(crate) fn holds_acked(&self, node: usize) -> bool {
        self.acked & !self.nodes[node].log.set() == 0
    }

    /// Whether every life that is in sync does.
    pub(crate) fn in_sync_hold_all(&self) -> bool {
        let top = self.top();
        (0..3).all(|node| top.in_sync[node] != Some(self.nodes[node].life) || self.holds_acked(node))
    }
}
