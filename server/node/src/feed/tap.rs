//! Where one thread's effects go: they are counted, and while somebody follows, gathered and handed on.
//!
//! What a command or a transaction changes is one [`Unit`]; what changes outside of any, because its time has come, is
//! one each. The engine says where a unit begins and ends, and ends it under the locks of its slots: so the order of the
//! stream is that of the changes of each slot.

use std::sync::Arc;

use nuthatch_engine::{Effect, EffectSink, Running, Unit};
use nuthatch_proto::slot::Slot;
use parking_lot::Mutex;

use super::Feed;
use crate::telemetry::counters::ThreadCounters;

/// See the module.
#[derive(Debug)]
pub(crate) struct Tap {
    counters: Arc<ThreadCounters>,
    feed: Arc<Feed>,
    /// Nobody contends for it: only the thread itself comes here.
    unit: Mutex<Unit>,
}

impl Tap {
    pub(crate) fn new(counters: Arc<ThreadCounters>, feed: Arc<Feed>) -> Self {
        Self { counters, feed, unit: Mutex::default() }
    }

    #[cold]
    fn tell(&self, db: usize, slot: Slot, effect: Effect<'_>) {
        if self.feed.is_logged() {
            self.feed.log.append(db, slot, effect);
        }
        if !self.feed.is_on() {
            return;
        }
        let mut unit = self.unit.lock();
        unit.tell(db, effect);
        if !unit.is_running() && !unit.is_empty() {
            self.feed.append(&mut unit);
        }
    }
}

impl EffectSink for Tap {
    #[inline]
    fn emit(&self, db: usize, slot: Slot, effect: Effect<'_>) {
        self.counters.count_effect();
        if self.feed.is_heard() {
            self.tell(db, slot, effect);
        }
    }

    fn begin(&self, db: usize, running: Running<'_>) {
        if self.feed.is_on() {
            self.unit.lock().begin(db, running);
        }
    }

    fn done(&self, succeeded: bool) {
        if self.feed.is_on() {
            self.unit.lock().done(succeeded);
        }
    }

    fn end(&self) {
        let mut unit = self.unit.lock();
        if unit.is_empty() || !self.feed.is_on() {
            unit.clear();
        } else {
            self.feed.append(&mut unit);
        }
    }
}
