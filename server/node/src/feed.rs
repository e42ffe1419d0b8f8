//! The replicas of Redis that follow a node, and the stream of commands that they are sent.
//!
//! A client becomes a follower by SYNC or PSYNC: it is sent a snapshot (`snapshot`), and from the moment of that
//! snapshot on every change, as commands of Redis ([`nuthatch_engine::Unit`]). The moment is a standstill in which the
//! snapshot begins and the follower joins the stream, so nothing is missing and nothing comes twice. Until the snapshot
//! is sent, what comes after it is kept here.
//!
//! Each thread's [`Tap`](tap::Tap) gathers what its commands change and hands it on under the locks of the slots, so that the
//! stream has the order of the changes. While nobody follows, that is one test of a flag per change.
//!
//! The copies that other nodes of a cluster keep follow something else, the log of the effects themselves
//! ([`EffectLog`]); it is here because it is heard of by the same test.
//!
//! A follower that does not take what it is sent is cut off as any client is (`client-output-buffer-limit replica`): what
//! is kept here counts. There is no backlog: who was cut off begins anew.
//!
//! Where a slot leaves a node of a cluster with keys left in it, they go at once, told by no command: who follows begins
//! anew ([`Departures`]).
//!
//! Neighbours: `net/connection/follow` talks to one follower, `admin/replication` answers about all of them.

pub(crate) mod tap;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use nuthatch_engine::{Effect, EffectSink, Engine, Unit};
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::slot::Slot;
use parking_lot::Mutex;

use crate::clock;
use crate::config::ReplicationSettings;
use crate::net::clients::Client;
use crate::replication::log::EffectLog;

/// Somebody follows the stream of commands.
const FOLLOWED: u8 = 1;

/// The log of effects is kept.
const LOGGED: u8 = 2;

/// The buffer of the stream is given back beyond this.
const ROOM_KEPT: usize = 1 << 20;

/// A client that follows the stream.
#[derive(Debug)]
pub(crate) struct Follower {
    pub(crate) client: Arc<Client>,
    /// The port that it said it listens on.
    port: u16,
    /// It came by SYNC and is not expected to say what it has.
    pub(crate) silent: bool,
    /// It has been sent the snapshot.
    online: AtomicBool,
    acknowledged: AtomicU64,
    heard: AtomicU64,
}

impl Follower {
    pub(crate) fn new(client: Arc<Client>, port: u16, silent: bool, now: Timestamp) -> Self {
        Self {
            client,
            port,
            silent,
            online: AtomicBool::new(false),
            acknowledged: AtomicU64::new(0),
            heard: AtomicU64::new(now.0),
        }
    }

    /// The port that it said it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Whether it has been sent the snapshot.
    pub(crate) fn is_online(&self) -> bool {
        self.online.load(Ordering::Relaxed)
    }

    /// It has everything up to that offset.
    pub(crate) fn acknowledge(&self, offset: u64, now: Timestamp) {
        self.acknowledged.store(offset, Ordering::Relaxed);
        self.heard.store(now.0, Ordering::Relaxed);
    }

    /// Up to where it said that it has everything.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// When it last said so.
    pub(crate) fn heard(&self) -> Timestamp {
        Timestamp(self.heard.load(Ordering::Relaxed))
    }
}

/// A follower, and what it will be sent after the snapshot.
#[derive(Debug)]
struct Place {
    follower: Arc<Follower>,
    kept: Option<Vec<u8>>,
}

/// The stream.
#[derive(Debug, Default)]
struct Stream {
    /// The database that the last command was for; none for who has just joined.
    selected: Option<usize>,
    /// How many bytes were written to it.
    offset: u64,
    followers: Vec<Place>,
    room: Vec<u8>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    /// Who hears of effects. That somebody follows changes only while no thread has a turn.
    hearers: AtomicU8,
    /// What the copies of a node of a cluster follow.
    pub(crate) log: EffectLog,
    /// How many have begun to follow.
    syncs: AtomicU64,
    /// How many seconds somebody has followed.
    seconds: AtomicU64,
    stream: Mutex<Stream>,
}

/// Hears of keys that go with their slot.
#[derive(Debug)]
pub(crate) struct Departures(pub(crate) Arc<Feed>);

impl EffectSink for Departures {
    fn emit(&self, db: usize, slot: Slot, effect: Effect<'_>) {
        if self.0.is_logged() {
            self.0.log.append(db, slot, effect);
        }
        self.0.followers().iter().for_each(|follower| follower.client.kill());
    }
}

impl Feed {
    /// Whether anybody follows.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.hearers.load(Ordering::Relaxed) & FOLLOWED != 0
    }

    /// Whether anybody hears of effects: what every change tests.
    #[inline]
    pub(crate) fn is_heard(&self) -> bool {
        self.hearers.load(Ordering::Relaxed) != 0
    }

    /// Whether the log is kept.
    pub(crate) fn is_logged(&self) -> bool {
        self.hearers.load(Ordering::Relaxed) & LOGGED != 0
    }

    /// Keeps the log from now on, or no longer. A copy of a slot that is made afterwards has what came before.
    pub(crate) fn keep_log(&self, keep: bool) {
        self.set(LOGGED, keep);
    }

    fn set(&self, hearer: u8, hears: bool) {
        if hears {
            self.hearers.fetch_or(hearer, Ordering::SeqCst);
        } else {
            self.hearers.fetch_and(!hearer, Ordering::SeqCst);
        }
    }

    /// Lets a client follow from now on; the offset at which it begins. To be called while no thread has a turn.
    pub(crate) fn join(&self, engine: &Engine, follower: Arc<Follower>) -> u64 {
        let mut stream = self.stream.lock();
        // Its connection may have ended already, and has left then.
        if follower.client.is_killed() {
            return stream.offset;
        }
        self.syncs.fetch_add(1, Ordering::Relaxed);
        // The newcomer has not been told which database is selected.
        stream.selected = None;
        stream.followers.push(Place { follower, kept: Some(Vec::new()) });
        self.set(FOLLOWED, true);
        engine.follow(true);
        stream.offset
    }

    /// The follower has been sent the snapshot: now comes what was kept, and then the rest as it comes.
    pub(crate) fn bring_online(&self, follower: &Follower) {
        let mut stream = self.stream.lock();
        let place = stream.followers.iter_mut().find(|place| place.follower.client.id == follower.client.id);
        if let Some(kept) = place.and_then(|place| place.kept.take()) {
            follower.heard.store(clock::now().0, Ordering::Relaxed);
            follower.online.store(true, Ordering::Relaxed);
            if !kept.is_empty() {
                follower.client.push(&kept);
            }
        }
    }

    /// The client follows no longer, if it did. The caller has no turn.
    pub(crate) fn leave(&self, engine: &Engine, client: &Client) {
        if !client.is_follower() {
            return;
        }
        engine.stand_still(|| {
            let mut stream = self.stream.lock();
            stream.followers.retain(|place| place.follower.client.id != client.id);
            if stream.followers.is_empty() {
                self.set(FOLLOWED, false);
                engine.follow(false);
            }
        });
    }

    /// Writes what a unit says. Called under the locks of its slots.
    pub(crate) fn append(&self, unit: &mut Unit) {
        let mut stream = self.stream.lock();
        let Stream { selected, offset, followers, room } = &mut *stream;
        room.clear();
        unit.write(room, selected);
        *offset += room.len() as u64;
        for Place { follower, kept } in followers {
            match kept {
                None => follower.client.push(room),
                Some(kept) if follower.client.is_killed() => *kept = Vec::new(),
                Some(kept) => {
                    kept.extend_from_slice(room);
                    follower.client.end_if_holds(kept.len());
                }
            }
        }
        room.shrink_to(ROOM_KEPT);
    }

    /// Writes a command that changes no data.
    pub(crate) fn say(&self, db: usize, words: &[&[u8]]) {
        let mut unit = Unit::default();
        unit.push(db, words);
        self.append(&mut unit);
    }

    /// Sends replicas a PING when it is time, and cuts those off that were silent for too long. To be called each second.
    pub(crate) fn keep_alive(&self, settings: &ReplicationSettings, now: Timestamp) {
        if !self.is_on() {
            return;
        }
        let seconds = self.seconds.fetch_add(1, Ordering::Relaxed) + 1;
        if seconds.is_multiple_of(settings.ping_period.max(1)) {
            let db = self.stream.lock().selected;
            self.say(db.unwrap_or(0), &[b"PING"]);
        }
        for follower in self.followers() {
            let silent = now.0.saturating_sub(follower.heard().0) / 1000;
            if follower.is_online() && !follower.silent && silent > settings.timeout {
                tracing::warn!("Disconnecting timedout replica: {}", follower.client.addr);
                follower.client.kill();
            }
        }
    }

    /// How many followers were heard of in so many seconds.
    pub(crate) fn heard_within(&self, seconds: u64, now: Timestamp) -> u32 {
        let is_near = |follower: &Arc<Follower>| now.0.saturating_sub(follower.heard().0) / 1000 <= seconds;
        let followers = self.followers();
        let near = followers.iter().filter(|follower| follower.is_online() && is_near(follower)).count();
        u32::try_from(near).unwrap_or(u32::MAX)
    }

    /// How many followers said that they have everything up to that offset.
    pub(crate) fn acknowledged(&self, offset: u64) -> usize {
        let followers = self.followers();
        followers.iter().filter(|follower| follower.is_online() && follower.acknowledged() >= offset).count()
    }

    /// How many have begun to follow since the start.
    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    /// How many bytes were written.
    pub(crate) fn offset(&self) -> u64 {
        self.stream.lock().offset
    }

    /// The stream goes on at that offset, which is where the one was that this node followed. Who follows already has
    /// another offset, and keeps it.
    pub(crate) fn go_on_from(&self, offset: u64) {
        let mut stream = self.stream.lock();
        if stream.followers.is_empty() {
            stream.offset = stream.offset.max(offset);
        }
    }

    /// All followers.
    pub(crate) fn followers(&self) -> Vec<Arc<Follower>> {
        self.stream.lock().followers.iter().map(|place| Arc::clone(&place.follower)).collect()
    }

    /// The follower that a client is, if it is one.
    pub(crate) fn follower(&self, client: &Client) -> Option<Arc<Follower>> {
        let stream = self.stream.lock();
        let place = stream.followers.iter().find(|place| place.follower.client.id == client.id);
        place.map(|place| Arc::clone(&place.follower))
    }
}
