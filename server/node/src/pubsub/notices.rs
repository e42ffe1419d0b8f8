//! Keyspace notices as messages: what happened to a key is published to the channel of the key, to that of the event,
//! or to both, as `notify-keyspace-events` says.
//!
//! They are told under the lock of the key's slot, so they are only appended to queues here, and only this node's
//! subscribers hear of them. Nothing is encoded while nobody is subscribed to anything.

use std::sync::atomic::Ordering;

use nuthatch_engine::{Classes, NoticeSink};

use super::{Kind, Pubsub};

impl Pubsub {
    /// The classes of notices that are wanted.
    #[inline]
    pub(crate) fn classes(&self) -> Classes {
        Classes::from_bits_truncate(self.classes.load(Ordering::Relaxed))
    }

    /// Changes which classes are wanted.
    pub(crate) fn set_classes(&self, classes: Classes) {
        self.classes.store(classes.bits(), Ordering::Relaxed);
    }
}

impl NoticeSink for Pubsub {
    fn notify(&self, db: usize, _: Classes, event: &'static str, key: &[u8]) {
        if self.count(Kind::Channel) + self.count(Kind::Pattern) == 0 {
            return;
        }
        let classes = self.classes();
        if classes.contains(Classes::KEYSPACE) {
            let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
            self.publish(&channel, event.as_bytes());
        }
        if classes.contains(Classes::KEYEVENT) {
            self.publish(format!("__keyevent@{db}__:{event}").as_bytes(), key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use nuthatch_proto::ids::Timestamp;

    use super::*;
    use crate::net::clients::Clients;

    #[track_caller]
    fn check(classes: Classes, expected: &[&str]) {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let client = Clients::default().register(address, address, 1, Timestamp(1));
        let pubsub = Pubsub::default();
        pubsub.subscribe(&client, Kind::Pattern, b"__key*");
        pubsub.set_classes(classes);
        pubsub.notify(3, Classes::STRING, "set", b"a");
        let mut told = Vec::new();
        client.take_pushes(&mut told);
        let told = String::from_utf8(told).expect("text");
        let words: Vec<_> =
            told.split("\r\n").filter(|w| !w.is_empty() && !w.starts_with(['$', '*'])).skip(1).collect();
        assert_eq!(words, expected);
    }

    #[test]
    fn a_notice_goes_to_the_channels_that_are_switched_on() {
        check(
            Classes::all(),
            &["__key*", "__keyspace@3__:a", "set", "pmessage", "__key*", "__keyevent@3__:set", "a"],
        );
        check(Classes::KEYEVENT | Classes::STRING, &["__key*", "__keyevent@3__:set", "a"]);
        check(Classes::STRING, &[]);
    }
}
