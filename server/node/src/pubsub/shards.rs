//! Channels of shards live where their slot lives: when a slot leaves the node, its subscribers are told and go.
//!
//! The topology is published first and swept after; a subscription that was let in by the topology before looks at the
//! newest one after it has entered its name ([`super::super::admin`]). So none stays behind, whichever comes first.

use std::sync::Arc;

use nuthatch_proto::resp::ReplyWriter;
use nuthatch_proto::slot::Slot;
use tokio::sync::watch;

use super::{Kind, Pubsub, confirm};
use crate::driver::View;
use crate::net::clients::Client;

/// Takes away subscriptions for as long as views come.
pub(crate) async fn follow(pubsub: &Pubsub, mut views: watch::Receiver<Arc<View>>) {
    while views.changed().await.is_ok() {
        let view = Arc::clone(&views.borrow_and_update());
        pubsub.sweep(|slot| view.standing.owns(&view.topology, slot));
    }
}

impl Pubsub {
    /// Ends the subscriptions to channels of slots that are not owned, and tells the subscribers.
    fn sweep(&self, owns: impl Fn(Slot) -> bool) {
        if self.count(Kind::ShardChannel) == 0 {
            return;
        }
        let mut lost = Vec::new();
        for entry in self.table(Kind::ShardChannel) {
            if !owns(Slot::of_key(entry.key())) {
                lost.push((entry.key().clone(), entry.values().cloned().collect::<Vec<_>>()));
            }
        }
        for (channel, clients) in lost {
            clients.iter().for_each(|client| self.expel(client, &channel));
        }
    }

    fn expel(&self, client: &Client, channel: &[u8]) {
        client.subscriptions(|own| {
            // It may have gone by itself since.
            if own.remove(Kind::ShardChannel, channel) {
                self.remove(client, Kind::ShardChannel, channel);
                let left = own.counted(Kind::ShardChannel);
                client.push_with(|out, protocol| {
                    let mut writer = ReplyWriter::new(out, protocol);
                    confirm(&mut writer, Kind::ShardChannel.words().unsubscribed, Some(channel), left);
                });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use nuthatch_proto::ids::Timestamp;

    use super::*;
    use crate::net::clients::Clients;

    #[test]
    fn subscribers_of_a_slot_that_left_are_told() {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let client = Clients::default().register(address, address, 1, Timestamp(1));
        let pubsub = Pubsub::default();
        pubsub.subscribe(&client, Kind::ShardChannel, b"gone");
        pubsub.subscribe(&client, Kind::ShardChannel, b"here");
        pubsub.subscribe(&client, Kind::Channel, b"gone");
        pubsub.sweep(|slot| slot == Slot::of_key(b"here"));
        let mut told = Vec::new();
        client.take_pushes(&mut told);
        assert_eq!(String::from_utf8_lossy(&told), "*3\r\n$12\r\nsunsubscribe\r\n$4\r\ngone\r\n:1\r\n");
        assert_eq!(Kind::ALL.map(|kind| pubsub.count(kind)), [1, 0, 1]);
        pubsub.sweep(|_| false);
        assert_eq!((pubsub.count(Kind::ShardChannel), client.is_subscribed()), (0, true));
    }
}
