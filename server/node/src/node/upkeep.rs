//! What has to be done again and again: expiry, idle clients, samples. Each within a budget.
//!
//! Each round is short and yields to the connections of its thread, so that a million keys that expire together do not stop
//! anybody. What is due and what was not done is the engine's to know.

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::Node;
use crate::clock;
use crate::net::io_thread::Thread;
use crate::telemetry::events::{Event, Sample};

/// How often each IO thread looks for keys whose time has come.
const EXPIRE_EVERY: Duration = Duration::from_millis(50);

/// How many keys it removes before it lets the connections run again.
const EXPIRE_BUDGET: usize = 256;

/// How often the momentary rates are sampled.
const SAMPLE_EVERY: Duration = Duration::from_millis(100);

/// Clients to be ended are looked for once in so many samples.
const SAMPLES_PER_CLIENT_CHECK: u32 = 10;

/// Removes keys whose deadline has passed, and has what is gone freed. Runs on every IO thread.
pub(crate) async fn expire(thread: Rc<Thread>) {
    let mut ticks = interval(EXPIRE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        while expire_some(&thread) >= EXPIRE_BUDGET {
            tokio::task::yield_now().await;
        }
        if thread.node.engine.lazyfree().pending > 0 {
            thread.node.freeing.wake();
        }
    }
}

fn expire_some(thread: &Thread) -> usize {
    let node = &thread.node;
    // A replica hears from its primary what has expired.
    let follows = node.role.is_replica();
    let rests = !follows && !node.active_expire.load(Ordering::Relaxed);
    if rests || node.pause.is_on(clock::now()) {
        return 0;
    }
    let began = clock::monotonic();
    let mut scratch = thread.scratch.borrow_mut();
    // Others are at work, or a script is: there will be another time.
    let Some(_turn) = thread.seat.try_turn() else { return 0 };
    let mut cx = scratch.engine.context(thread, clock::now());
    let removed = if follows {
        node.engine.forget_hints(&mut cx);
        0
    } else {
        node.engine.expire_due(&mut cx, EXPIRE_BUDGET)
    };
    thread.counters.publish(&scratch.engine.stats);
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let threshold = scratch.engine.settings.latency.threshold;
    if threshold > 0 && milliseconds >= threshold {
        let second = clock::since_epoch().as_secs();
        thread.node.telemetry.events.add(Event::ExpireCycle, Sample { second, milliseconds });
    }
    removed
}

/// Samples the counters; ends idle clients and those that do not take what they are sent. Runs on the main thread.
pub(crate) async fn watch(node: &Node) {
    let mut ticks = interval(SAMPLE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sample = 0u32;
    // A node of a cluster begins as one that does not serve.
    let mut served = false;
    loop {
        ticks.tick().await;
        let now = clock::now();
        node.telemetry.sample(now.0);
        node.peak.sample();
        served = tell_cluster_state(node, served);
        sample = sample.wrapping_add(1);
        if sample.is_multiple_of(SAMPLES_PER_CLIENT_CHECK) {
            let timeout = node.config.settings().timeout;
            if timeout > 0 {
                node.clients.kill_idle(now, timeout);
            }
            node.clients.kill_over_limit();
            node.feed.keep_alive(&node.config.settings().replication, now);
        }
    }
}

/// Logs a change of CLUSTER INFO's `cluster_state`, in Redis's words, for which scripts wait. Returns whether it is ok.
fn tell_cluster_state(node: &Node, was_ok: bool) -> bool {
    let Some(cluster) = &node.cluster else { return false };
    let view = cluster.view();
    let is_ok = view.standing.is_ok(cluster.contact(&view));
    if is_ok != was_ok {
        tracing::info!("Cluster state changed: {}", if is_ok { "ok" } else { "fail" });
    }
    is_ok
}
