//! Who attends to a slot's keys: the clients that watch some of them.
//!
//! It stands beside the slot's table and under the slot's lock, so that nothing changes a key between the look at it
//! and the note that somebody attends to it. A slot that nobody attends to has none of this, and a command finds out
//! by the one test that it makes for the gate anyway.
//!
//! Registered by [`crate::Watching`]; asked by [`super::slot::SlotData`] for what changes outside of commands, and by
//! the engine, after each command, for what the command changed ([`crate::touched`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::watch::Watcher;

/// Who attends to the keys of one slot.
#[derive(Debug, Default)]
pub(crate) struct Attention {
    /// By key, then by the watcher's number. Ordered maps, because clients choose the keys and could choose such as
    /// collide.
    watchers: BTreeMap<Box<[u8]>, BTreeMap<u64, Arc<Watcher>>>,
}

impl Attention {
    /// Whether nobody is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.watchers.is_empty()
    }

    /// From now on the watcher hears of the key.
    pub(crate) fn watch(&mut self, key: &[u8], watcher: &Arc<Watcher>) {
        self.watchers.entry(key.into()).or_default().insert(watcher.id(), Arc::clone(watcher));
    }

    /// The watcher hears of the key no longer.
    pub(crate) fn unwatch(&mut self, key: &[u8], watcher: &Watcher) {
        if let Some(watchers) = self.watchers.get_mut(key) {
            watchers.remove(&watcher.id());
            if watchers.is_empty() {
                self.watchers.remove(key);
            }
        }
    }

    /// The key changed: whoever watches it hears of it, once.
    pub(crate) fn touch(&mut self, key: &[u8]) {
        for watcher in self.watchers.remove(key).into_iter().flatten().map(|(_, watcher)| watcher) {
            watcher.touch();
        }
    }

    /// Touches the watched keys that `changed` says have changed.
    pub(crate) fn touch_where(&mut self, changed: impl Fn(&[u8]) -> bool) {
        self.watchers.retain(|key, watchers| {
            let changed = changed(key);
            if changed {
                watchers.values().for_each(|watcher| watcher.touch());
            }
            !changed
        });
    }
}
