//! Pub/sub: who is subscribed to what, and messages on their way to them.
//!
//! Channels, patterns and channels of shards are three tables of subscribers, apart from all keys. A message is encoded
//! once and appended to each subscriber's queue ([`Client::push_array`]) on the publisher's own thread: the messages of
//! one publisher arrive in the order in which it published them. A table's entry is locked while a message goes to it,
//! so that all subscribers of a channel hear its messages in one order, and nobody hears one after a confirmed
//! unsubscription.
//!
//! Invariants: a client's own list ([`subscriptions`]) and the tables agree whenever the client's list is not locked; an
//! entry without subscribers is removed. Locks are taken in this order: a client's list, a table, a client's queue.
//!
//! Neighbours: `admin/pubsub` has the commands, `rpc/broadcast` carries messages between nodes; [`notices`] tells of
//! keys, [`shards`] takes channels away whose slot has left.

mod notices;
mod shards;
mod subscriptions;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use nuthatch_proto::glob::{Case, matches};
use nuthatch_proto::resp::{Protocol, ReplyWriter};

pub(crate) use shards::follow;
pub(crate) use subscriptions::{Kind, Subscriptions, confirm};

use crate::net::clients::Client;

/// The subscribers of one channel or pattern, in the order in which they connected.
type Subscribers = BTreeMap<u64, Arc<Client>>;

/// Subscribers by name; a name is shared with the lists of its subscribers.
type Table = DashMap<Arc<[u8]>, Subscribers>;

/// All subscriptions of this node's clients.
#[derive(Debug)]
pub(crate) struct Pubsub {
    tables: [Table; 3],
    /// How many names the tables have, so that nothing is encoded or locked for nobody.
    names: [AtomicUsize; 3],
    /// The classes of keyspace notices that are wanted.
    classes: AtomicU32,
}

impl Default for Pubsub {
    fn default() -> Self {
        // Patterns are always gone through from first to last: the fewer locks the better.
        let tables = [Table::default(), Table::with_shard_amount(2), Table::default()];
        Self { tables, names: Default::default(), classes: AtomicU32::new(0) }
    }
}

impl Pubsub {
    fn table(&self, kind: Kind) -> &Table {
        &self.tables[kind as usize]
    }

    /// How many channels or patterns have subscribers.
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.names[kind as usize].load(Ordering::Acquire)
    }

    /// How many subscribers a channel has.
    pub(crate) fn subscribers(&self, kind: Kind, name: &[u8]) -> usize {
        self.table(kind).get(name).map_or(0, |subscribers| subscribers.len())
    }

    /// The channels that have subscribers and match the pattern, in the order of their names.
    pub(crate) fn channels(&self, kind: Kind, pattern: Option<&[u8]>) -> Vec<Arc<[u8]>> {
        let wanted = |name: &[u8]| pattern.is_none_or(|pattern| matches(pattern, name, Case::Sensitive));
        let found = self.table(kind).iter().filter(|entry| wanted(entry.key()));
        let mut names: Vec<_> = found.map(|entry| Arc::clone(entry.key())).collect();
        names.sort_unstable();
        names
    }

    /// Subscribes the client; how many subscriptions it has afterwards that are counted together with this one.
    pub(crate) fn subscribe(&self, client: &Arc<Client>, kind: Kind, name: &[u8]) -> usize {
        client.subscriptions(|own| {
            if !own.contains(kind, name) {
                let name: Arc<[u8]> = name.into();
                own.insert(kind, Arc::clone(&name));
                self.add(client, kind, name);
            }
            own.counted(kind)
        })
    }

    fn add(&self, client: &Arc<Client>, kind: Kind, name: Arc<[u8]>) {
        match self.table(kind).entry(name) {
            Entry::Occupied(mut entry) => {
                entry.get_mut().insert(client.id, Arc::clone(client));
            }
            Entry::Vacant(entry) => {
                entry.insert(Subscribers::from([(client.id, Arc::clone(client))]));
                self.names[kind as usize].fetch_add(1, Ordering::Release);
            }
        }
    }

    /// Ends a subscription, if there is one; how many of those that are counted together are left.
    pub(crate) fn unsubscribe(&self, client: &Client, kind: Kind, name: &[u8]) -> usize {
        client.subscriptions(|own| {
            if own.remove(kind, name) {
                self.remove(client, kind, name);
            }
            own.counted(kind)
        })
    }

    fn remove(&self, client: &Client, kind: Kind, name: &[u8]) {
        let emptied = self.table(kind).remove_if_mut(name, |_, subscribers| {
            subscribers.remove(&client.id);
            subscribers.is_empty()
        });
        if emptied.is_some() {
            self.names[kind as usize].fetch_sub(1, Ordering::Release);
        }
    }

    /// Ends all subscriptions of a client that leaves or resets its connection.
    pub(crate) fn forget(&self, client: &Client) {
        if client.is_subscribed() {
            client.subscriptions(|own| {
                for kind in Kind::ALL {
                    own.take(kind).iter().for_each(|name| self.remove(client, kind, name));
                }
            });
        }
    }

    /// Sends a message to the subscribers of a channel and of the patterns that match it; how many those are.
    pub(crate) fn publish(&self, channel: &[u8], message: &[u8]) -> usize {
        let mut receivers = self.send(Kind::Channel, channel, message);
        if self.count(Kind::Pattern) == 0 {
            return receivers;
        }
        for entry in self.table(Kind::Pattern).iter_mut() {
            if matches(entry.key(), channel, Case::Sensitive) {
                receivers += deliver(&entry, &[b"pmessage", entry.key(), channel, message]);
            }
        }
        receivers
    }

    /// Sends a message to the subscribers of a channel of a shard; how many those are.
    pub(crate) fn publish_in_shard(&self, channel: &[u8], message: &[u8]) -> usize {
        self.send(Kind::ShardChannel, channel, message)
    }

    fn send(&self, kind: Kind, channel: &[u8], message: &[u8]) -> usize {
        if self.count(kind) == 0 {
            return 0;
        }
        let Some(subscribers) = self.table(kind).get_mut(channel) else { return 0 };
        deliver(&subscribers, &[kind.words().message.as_bytes(), channel, message])
    }
}

fn deliver(subscribers: &Subscribers, words: &[&[u8]]) -> usize {
    let mut message = Vec::new();
    let mut writer = ReplyWriter::new(&mut message, Protocol::Resp2);
    writer.array(words.len());
    words.iter().for_each(|word| writer.bulk(word));
    subscribers.values().for_each(|client| client.push_array(&message));
    subscribers.len()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use nuthatch_proto::ids::Timestamp;

    use super::*;
    use crate::net::clients::Clients;

    fn client() -> Arc<Client> {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        Clients::default().register(address, address, 1, Timestamp(1))
    }

    fn heard(client: &Client) -> String {
        let mut bytes = Vec::new();
        client.take_pushes(&mut bytes);
        String::from_utf8(bytes).expect("text").replace("\r\n", " ")
    }

    #[test]
    fn messages_go_to_channels_and_matching_patterns() {
        let (pubsub, one) = (Pubsub::default(), client());
        assert_eq!(pubsub.publish(b"news", b"x"), 0);
        assert_eq!(pubsub.subscribe(&one, Kind::Channel, b"news"), 1);
        assert_eq!(pubsub.subscribe(&one, Kind::Channel, b"news"), 1);
        assert_eq!(pubsub.subscribe(&one, Kind::Pattern, b"n*"), 2);
        assert_eq!(pubsub.subscribe(&one, Kind::Pattern, b"m*"), 3);
        assert_eq!(pubsub.publish(b"news", b"x"), 2);
        assert_eq!(heard(&one), "*3 $7 message $4 news $1 x *4 $8 pmessage $2 n* $4 news $1 x ");
        one.set_protocol(Protocol::Resp3);
        assert_eq!(pubsub.publish(b"nobody", b""), 1);
        assert_eq!(heard(&one), ">4 $8 pmessage $2 n* $6 nobody $0  ");
    }

    #[test]
    fn channels_of_shards_are_apart() {
        let (pubsub, one) = (Pubsub::default(), client());
        pubsub.subscribe(&one, Kind::Channel, b"a");
        pubsub.subscribe(&one, Kind::Pattern, b"*");
        assert_eq!(pubsub.subscribe(&one, Kind::ShardChannel, b"a"), 1);
        assert_eq!(pubsub.publish_in_shard(b"a", b"x"), 1);
        assert_eq!(heard(&one), "*3 $8 smessage $1 a $1 x ");
        assert_eq!(pubsub.channels(Kind::ShardChannel, Some(b"[ab]")), [Arc::from(&b"a"[..])]);
    }

    #[test]
    fn nothing_is_left_of_who_has_gone() {
        let (pubsub, one, two) = (Pubsub::default(), client(), client());
        for kind in Kind::ALL {
            pubsub.subscribe(&one, kind, b"a");
        }
        pubsub.subscribe(&two, Kind::Channel, b"b");
        assert!(one.is_subscribed());
        pubsub.forget(&one);
        assert!(!one.is_subscribed());
        assert_eq!(Kind::ALL.map(|kind| pubsub.count(kind)), [1, 0, 0]);
        assert_eq!(pubsub.unsubscribe(&two, Kind::Channel, b"b"), 0);
        assert_eq!(pubsub.unsubscribe(&two, Kind::Channel, b"b"), 0);
        assert_eq!((pubsub.count(Kind::Channel), two.is_subscribed()), (0, false));
    }
}
