//! Who attends to a slot's keys: the clients that watch some of them, and those that wait for an element of one.
//!
//! It stands beside the slot's table and under the slot's lock, so that nothing changes a key between the look at it
//! and the note that somebody attends to it. A slot that nobody attends to has none of this, and a command finds out
//! by the one test that it makes for the gate anyway.
//!
//! The maps are ordered ones, because clients choose the keys and could choose such as collide. In a queue, who came
//! earlier has the smaller number.
//!
//! Neighbours: [`crate::watch`] and [`crate::waiting`] say what is noted here and why; [`super::slot::SlotData`] asks
//! for what changes outside of commands, and the engine, after each command, for what the command changed
//! ([`crate::touched`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::slot::Place;
use crate::value::Kind;
use crate::waiting::Waiter;
use crate::watch::Watcher;

/// Who attends to the keys of one slot.
#[derive(Debug, Default)]
pub(crate) struct Attention {
    watchers: BTreeMap<Box<[u8]>, BTreeMap<u64, Arc<Watcher>>>,
    queues: BTreeMap<Box<[u8]>, Queues>,
    /// The slots that must be locked with this one for those who wait here, and for how many.
    destinations: BTreeMap<Place, usize>,
}

/// Those who wait for one key.
#[derive(Debug, Default)]
struct Queues {
    list: BTreeMap<u64, Arc<Waiter>>,
    sorted_set: BTreeMap<u64, Arc<Waiter>>,
}

impl Queues {
    /// The queue of those who wait for a value of that type.
    fn of(&mut self, kind: Kind) -> Option<&mut BTreeMap<u64, Arc<Waiter>>> {
        match kind {
            Kind::List => Some(&mut self.list),
            Kind::SortedSet => Some(&mut self.sorted_set),
            Kind::String | Kind::Set | Kind::Hash => None,
        }
    }

    fn is_empty(&self) -> bool {
        self.list.is_empty() && self.sorted_set.is_empty()
    }
}

impl Attention {
    /// Whether nobody is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.watchers.is_empty() && self.queues.is_empty()
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

    /// From now on the client waits for the key, behind those who do so already.
    pub(crate) fn wait(&mut self, key: &[u8], waiter: &Arc<Waiter>) {
        let queues = self.queues.entry(key.into()).or_default();
        let Some(queue) = queues.of(waiter.demand().kind()) else { return };
        if queue.insert(waiter.id(), Arc::clone(waiter)).is_none()
            && let Some(place) = waiter.destination()
        {
            *self.destinations.entry(place).or_default() += 1;
        }
    }

    /// The client waits for the key no longer.
    pub(crate) fn leave(&mut self, key: &[u8], waiter: &Waiter) {
        let Some(queues) = self.queues.get_mut(key) else { return };
        let left = queues.of(waiter.demand().kind()).and_then(|queue| queue.remove(&waiter.id()));
        self.after(key, left.as_deref());
    }

    /// Whether anybody waits for the key.
    pub(crate) fn is_awaited(&self, key: &[u8]) -> bool {
        self.queues.contains_key(key)
    }

    /// The keys that anybody watches.
    pub(crate) fn watched(&self) -> impl Iterator<Item = &[u8]> {
        self.watchers.keys().map(|key| &**key)
    }

    /// The keys that anybody waits for.
    pub(crate) fn awaited(&self) -> impl Iterator<Item = &[u8]> {
        self.queues.keys().map(|key| &**key)
    }

    /// Takes the first out of the queue of those who wait for the key and a value of that type.
    pub(crate) fn next_waiter(&mut self, key: &[u8], kind: Kind) -> Option<Arc<Waiter>> {
        let (_, waiter) = self.queues.get_mut(key)?.of(kind)?.pop_first()?;
        self.after(key, Some(&waiter));
        Some(waiter)
    }

    /// Takes everybody out of all queues.
    pub(crate) fn dismiss(&mut self) -> impl Iterator<Item = Arc<Waiter>> {
        self.destinations.clear();
        let queues = std::mem::take(&mut self.queues);
        queues
            .into_values()
            .flat_map(|queues| queues.list.into_values().chain(queues.sorted_set.into_values()))
    }

    /// The slots that must be locked with this one.
    pub(crate) fn destinations(&self) -> impl Iterator<Item = Place> {
        self.destinations.keys().copied()
    }

    /// Somebody has left a queue of the key.
    fn after(&mut self, key: &[u8], left: Option<&Waiter>) {
        if self.queues.get(key).is_some_and(Queues::is_empty) {
            self.queues.remove(key);
        }
        if let Some(place) = left.and_then(Waiter::destination)
            && let Some(count) = self.destinations.get_mut(&place)
        {
            *count -= 1;
            if *count == 0 {
                self.destinations.remove(&place);
            }
        }
    }
}
