//! What one client is subscribed to, and the words its kinds of subscription have.
//!
//! Kept with what others see of the client, not in its session: a slot that leaves the node takes subscriptions away
//! without asking the client's task. Confirmations count channels and patterns together and channels of shards apart.

use std::collections::BTreeSet;
use std::mem;
use std::sync::Arc;

use nuthatch_proto::resp::ReplyWriter;

/// What can be subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A channel, by its name.
    Channel,
    /// All channels whose names match.
    Pattern,
    /// A channel that lives where its slot lives.
    ShardChannel,
}

/// The first words of what a subscriber is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    pub(crate) subscribed: &'static str,
    pub(crate) unsubscribed: &'static str,
    pub(crate) message: &'static str,
}

impl Kind {
    /// All kinds, in the order of their tables.
    pub(crate) const ALL: [Self; 3] = [Self::Channel, Self::Pattern, Self::ShardChannel];

    /// The words of this kind.
    pub(crate) fn words(self) -> Words {
        let words = |subscribed, unsubscribed, message| Words { subscribed, unsubscribed, message };
        match self {
            Self::Channel => words("subscribe", "unsubscribe", "message"),
            Self::Pattern => words("psubscribe", "punsubscribe", "pmessage"),
            Self::ShardChannel => words("ssubscribe", "sunsubscribe", "smessage"),
        }
    }
}

/// One client's subscriptions, by kind.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions([BTreeSet<Arc<[u8]>>; 3]);

impl Subscriptions {
    /// Whether there is none at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(BTreeSet::is_empty)
    }

    /// How many of each kind there are.
    pub(crate) fn lens(&self) -> [usize; 3] {
        self.0.each_ref().map(BTreeSet::len)
    }

    /// What a confirmation says of the kind: how many subscriptions there are that are counted together.
    pub(crate) fn counted(&self, kind: Kind) -> usize {
        let [channels, patterns, shard_channels] = self.lens();
        match kind {
            Kind::Channel | Kind::Pattern => channels + patterns,
            Kind::ShardChannel => shard_channels,
        }
    }

    pub(super) fn contains(&self, kind: Kind, name: &[u8]) -> bool {
        self.0[kind as usize].contains(name)
    }

    pub(super) fn insert(&mut self, kind: Kind, name: Arc<[u8]>) {
        self.0[kind as usize].insert(name);
    }

    pub(super) fn remove(&mut self, kind: Kind, name: &[u8]) -> bool {
        self.0[kind as usize].remove(name)
    }

    pub(super) fn take(&mut self, kind: Kind) -> BTreeSet<Arc<[u8]>> {
        mem::take(&mut self.0[kind as usize])
    }

    /// The names of one kind, in their order.
    pub(crate) fn names(&self, kind: Kind) -> Vec<Arc<[u8]>> {
        self.0[kind as usize].iter().cloned().collect()
    }
}

/// Writes what a subscriber is told of a change of its subscriptions.
pub(crate) fn confirm(writer: &mut ReplyWriter<'_>, word: &str, name: Option<&[u8]>, count: usize) {
    writer.push(3);
    writer.bulk(word.as_bytes());
    writer.bulk_or_null(name);
    writer.count(count);
}
