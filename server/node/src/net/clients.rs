//! Every connection as the others see it: what CLIENT LIST prints and CLIENT KILL ends.
//!
//! A connection's own task owns its session; what others may read of it is kept here, in atomics that the task writes
//! once per batch and in a few strings behind a lock that hardly ever change. Ending a connection is asking its task to
//! end: the flag is set and the task is woken. What others have to say to a client they [`Client::push`]; its task is
//! woken for that too. Both are told by one byte of signals, which costs the task one test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;

use dashmap::DashMap;
use nuthatch_engine::{Outcome, TouchFlag, Waiter};
use nuthatch_proto::ids::Timestamp;
use nuthatch_proto::resp::Protocol;
use parking_lot::Mutex;

use super::pushes::{Class, OutputLimits, Pushes, Take};
use crate::clock;
use crate::pubsub::Subscriptions;

/// What a client calls itself.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Labels {
    /// `CLIENT SETNAME`.
    pub(crate) name: String,
    /// `CLIENT SETINFO LIB-NAME`.
    pub(crate) lib_name: String,
    /// `CLIENT SETINFO LIB-VER`.
    pub(crate) lib_version: String,
}

/// One connection as the others see it.
#[derive(Debug)]
pub(crate) struct Client {
    /// Its number, never given twice.
    pub(crate) id: u64,
    /// The peer's address.
    pub(crate) addr: SocketAddr,
    /// Our end's address.
    pub(crate) laddr: SocketAddr,
    /// When it connected.
    pub(crate) created: Timestamp,
    /// Its descriptor's number, for the eye.
    pub(crate) fd: i32,
    last_active: AtomicU64,
    db: AtomicUsize,
    /// The place of the last command among the counters; [`NO_COMMAND`] before the first.
    last_command: AtomicU16,
    protocol: AtomicU8,
    no_evict: AtomicBool,
    no_touch: AtomicBool,
    authenticated: AtomicBool,
    pending_output: AtomicUsize,
    pending_input: AtomicUsize,
    input_room: AtomicUsize,
    /// Whether a command of it waits, and how long its arguments are.
    waits: AtomicBool,
    arguments: AtomicUsize,
    readonly: AtomicBool,
    signals: AtomicU8,
    transaction: Mutex<TransactionState>,
    blocked: Mutex<Option<Arc<Waiter>>>,
    /// Whether it waits for replicas: one of the numbers below.
    replica_wait: AtomicU8,
    waker: Mutex<Option<Waker>>,
    labels: Mutex<Option<Box<Labels>>>,
    pushes: Pushes,
    subscriptions: Mutex<Option<Box<Subscriptions>>>,
    limits: Arc<OutputLimits>,
}

/// The client waits for no replica.
const NO_WAIT: u8 = 0;
/// It does, by WAIT or WAITAOF.
const WAITS: u8 = 1;
/// It is to wait no longer, as if its time were over.
const WAITED: u8 = 2;
/// It is to wait no longer, and to be told that it is an error.
const UNBLOCKED: u8 = 3;

/// The client is to end.
const KILLED: u8 = 1;
/// It is to end because it held too much output.
const OVER_LIMIT: u8 = 1 << 1;
/// Something was pushed and not taken yet.
const PUSHED: u8 = 1 << 2;
/// It is subscribed to something.
const SUBSCRIBED: u8 = 1 << 3;
/// It is shown every command.
const MONITOR: u8 = 1 << 4;

/// It is a replica.
const FOLLOWER: u8 = 1 << 5;

/// The last command of a connection that has not sent one.
pub(crate) const NO_COMMAND: u16 = u16::MAX;

/// What a connection's task tells the others once per batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    pub(crate) now: Timestamp,
    pub(crate) db: usize,
    pub(crate) last_command: u16,
}

/// How far a connection's transaction is.
#[derive(Debug, Default, Clone)]
pub(crate) struct TransactionState {
    /// How many commands wait for EXEC, after MULTI.
    pub(crate) queued: Option<usize>,
    /// How many bytes they hold.
    pub(crate) bytes: usize,
    /// How many keys are watched.
    pub(crate) watched: usize,
    /// Whether one of them has changed.
    pub(crate) touched: Option<TouchFlag>,
}

/// What a client has the server hold, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    /// Of requests that have not run.
    pub(crate) input: usize,
    /// Room behind them.
    pub(crate) input_room: usize,
    /// Of a command that waits.
    pub(crate) arguments: usize,
    /// Of replies and pushes that it has not taken.
    pub(crate) output: usize,
}

impl Client {
    /// How far its transaction is.
    pub(crate) fn transaction(&self) -> TransactionState {
        self.transaction.lock().clone()
    }

    /// Notes how far its transaction is.
    pub(crate) fn set_transaction(&self, state: TransactionState) {
        *self.transaction.lock() = state;
    }

    /// What it waits for, if it is blocked.
    pub(crate) fn blocked(&self) -> Option<Arc<Waiter>> {
        self.blocked.lock().clone()
    }

    /// Notes what it waits for.
    pub(crate) fn set_blocked(&self, waiter: Option<Arc<Waiter>>) {
        *self.blocked.lock() = waiter;
    }

    /// Whether it waits for keys or for replicas.
    pub(crate) fn is_blocked(&self) -> bool {
        self.replica_wait.load(Ordering::Relaxed) != NO_WAIT || self.blocked.lock().is_some()
    }

    /// It begins to wait for replicas.
    pub(crate) fn begin_replica_wait(&self) {
        self.replica_wait.store(WAITS, Ordering::Relaxed);
    }

    /// Whether it is still to wait for replicas.
    pub(crate) fn waits_for_replicas(&self) -> bool {
        self.replica_wait.load(Ordering::Relaxed) == WAITS
    }

    /// It waits for replicas no longer; whether somebody ended that with an error.
    pub(crate) fn end_replica_wait(&self) -> bool {
        self.replica_wait.swap(NO_WAIT, Ordering::Relaxed) == UNBLOCKED
    }

    /// Tells the others how far the connection is.
    #[inline]
    pub(crate) fn report(&self, progress: Progress) {
        self.last_active.store(progress.now.0, Ordering::Relaxed);
        self.db.store(progress.db, Ordering::Relaxed);
        self.last_command.store(progress.last_command, Ordering::Relaxed);
    }

    /// Notes how many bytes it holds of requests that have not run, and how much room there is behind them.
    pub(crate) fn set_pending_input(&self, bytes: usize, room: usize) {
        self.pending_input.store(bytes, Ordering::Relaxed);
        self.input_room.store(room, Ordering::Relaxed);
    }

    /// Notes that a command waits, and how long its arguments are.
    pub(crate) fn begin_wait(&self, bytes: usize) {
        self.arguments.store(bytes, Ordering::Relaxed);
        self.waits.store(true, Ordering::Relaxed);
    }

    /// Notes that it waits no longer; from now on it may be idle.
    pub(crate) fn end_wait(&self, now: Timestamp) {
        self.set_active(now);
        self.waits.store(false, Ordering::Release);
        self.arguments.store(0, Ordering::Relaxed);
    }

    /// Notes how many bytes it holds of replies that its socket has not taken.
    pub(crate) fn set_pending_output(&self, bytes: usize) {
        self.pending_output.store(bytes, Ordering::Relaxed);
    }

    /// Notes that it does something: it takes a reply.
    pub(crate) fn set_active(&self, now: Timestamp) {
        self.last_active.store(now.0, Ordering::Relaxed);
    }

    /// Whether it is this server's turn to say something: it waits for a reply, is subscribed, a monitor, or a replica.
    fn listens(&self) -> bool {
        self.is_restricted() || self.waits.load(Ordering::Acquire) || self.blocked.lock().is_some()
    }

    /// When it last sent or took something.
    pub(crate) fn last_active(&self) -> Timestamp {
        Timestamp(self.last_active.load(Ordering::Relaxed))
    }

    /// The database it has selected.
    pub(crate) fn db(&self) -> usize {
        self.db.load(Ordering::Relaxed)
    }

    /// The place of its last command among the counters.
    pub(crate) fn last_command(&self) -> u16 {
        self.last_command.load(Ordering::Relaxed)
    }

    /// What it has the server hold.
    pub(crate) fn held(&self) -> Held {
        Held {
            input: self.pending_input.load(Ordering::Relaxed),
            input_room: self.input_room.load(Ordering::Relaxed),
            arguments: self.arguments.load(Ordering::Relaxed),
            output: self.held_output(),
        }
    }

    fn held_output(&self) -> usize {
        self.pending_output.load(Ordering::Relaxed).saturating_add(self.pushes.len())
    }

    /// The class whose output limits it has.
    pub(crate) fn class(&self) -> Class {
        if self.is_follower() {
            Class::Replica
        } else if self.is_subscribed() {
            Class::Pubsub
        } else {
            Class::Normal
        }
    }

    /// Whether it is subscribed to anything.
    #[inline]
    pub(crate) fn is_subscribed(&self) -> bool {
        self.signals.load(Ordering::Relaxed) & SUBSCRIBED != 0
    }

    /// Whether there are commands that it may not say now.
    #[inline]
    pub(crate) fn is_restricted(&self) -> bool {
        self.signals.load(Ordering::Relaxed) & (SUBSCRIBED | MONITOR | FOLLOWER) != 0
    }

    /// Whether it is shown every command.
    pub(crate) fn is_monitor(&self) -> bool {
        self.signals.load(Ordering::Relaxed) & MONITOR != 0
    }

    /// Notes whether it is shown every command; the list of those who are is in `monitors`.
    pub(crate) fn set_monitor(&self, yes: bool) {
        if yes {
            self.signals.fetch_or(MONITOR, Ordering::Relaxed);
        } else {
            self.signals.fetch_and(!MONITOR, Ordering::Relaxed);
        }
    }

    /// Whether it is a replica.
    pub(crate) fn is_follower(&self) -> bool {
        self.signals.load(Ordering::Relaxed) & FOLLOWER != 0
    }

    /// Notes that it is a replica, for good.
    pub(crate) fn set_follower(&self) {
        self.signals.fetch_or(FOLLOWER, Ordering::Relaxed);
    }

    /// How many channels, patterns and channels of shards it is subscribed to.
    pub(crate) fn subscription_counts(&self) -> [usize; 3] {
        self.subscriptions.lock().as_deref().map(Subscriptions::lens).unwrap_or_default()
    }

    /// Looks at its subscriptions, or changes them together with the tables of `pubsub`.
    pub(crate) fn subscriptions<T>(&self, look: impl FnOnce(&mut Subscriptions) -> T) -> T {
        let mut own = self.subscriptions.lock();
        let result = look(own.get_or_insert_default());
        if own.as_deref().is_none_or(Subscriptions::is_empty) {
            *own = None;
            self.signals.fetch_and(!SUBSCRIBED, Ordering::Relaxed);
        } else {
            self.signals.fetch_or(SUBSCRIBED, Ordering::Relaxed);
        }
        result
    }

    /// Whether nothing may be added to so many bytes of replies: the hard limit of its class is passed.
    pub(crate) fn may_not_hold(&self, bytes: usize) -> bool {
        self.pushes.is_over(bytes, self.class(), &self.limits, clock::now())
    }

    /// Ends it if it holds more output than its class may, or has for too long.
    pub(crate) fn end_if_over_limit(&self) {
        self.end_if_holds(self.held_output());
    }

    /// Ends it if so many bytes are more than its class may hold.
    pub(crate) fn end_if_holds(&self, bytes: usize) {
        if self.may_not_hold(bytes) {
            self.signals.fetch_or(OVER_LIMIT, Ordering::Relaxed);
            self.pushes.discard();
            self.kill();
        }
    }

    /// Appends bytes that are RESP to what its task writes between two replies, and wakes the task. From any thread.
    pub(crate) fn push(&self, bytes: &[u8]) {
        self.push_with(|out, _| out.extend_from_slice(bytes));
    }

    /// The same with an array, which is a push to a client that speaks RESP3.
    pub(crate) fn push_array(&self, array: &[u8]) {
        self.push_with(|out, protocol| {
            let begin = out.len();
            out.extend_from_slice(array);
            if protocol == Protocol::Resp3
                && let Some(header) = out.get_mut(begin)
            {
                *header = b'>';
            }
        });
    }

    /// The same with whatever `write` writes in the protocol that the client speaks then.
    pub(crate) fn push_with(&self, write: impl FnOnce(&mut Vec<u8>, Protocol)) {
        let mut before = KILLED;
        self.pushes.append(|out| {
            if !self.is_killed() {
                write(out, self.protocol());
                before = self.signals.fetch_or(PUSHED, Ordering::Release);
            }
        });
        if before & KILLED == 0 {
            self.end_if_over_limit();
        }
        // If something was there before, the task was woken for that and takes all of it.
        if before & (KILLED | PUSHED) == 0 {
            self.wake();
        }
    }

    /// Whether something was pushed that its task has not taken.
    #[inline]
    pub(crate) fn is_pushed(&self) -> bool {
        self.signals.load(Ordering::Acquire) & PUSHED != 0
    }

    /// Moves a piece of what was pushed to the end of the replies; [`Self::is_pushed`] while there is more. Only its own
    /// task may, and only between two replies.
    #[cold]
    pub(crate) fn take_pushes(&self, replies: &mut Vec<u8>) {
        self.take(replies, Take::Piece);
    }

    /// The same with everything that was pushed.
    #[cold]
    pub(crate) fn take_all_pushes(&self, replies: &mut Vec<u8>) {
        self.take(replies, Take::All);
    }

    fn take(&self, replies: &mut Vec<u8>, take: Take) {
        self.pushes.take(replies, take, || {
            self.signals.fetch_and(!PUSHED, Ordering::Relaxed);
        });
    }

    /// The protocol it speaks.
    pub(crate) fn protocol(&self) -> Protocol {
        if self.protocol.load(Ordering::Relaxed) == 3 { Protocol::Resp3 } else { Protocol::Resp2 }
    }

    /// Notes the protocol it speaks.
    pub(crate) fn set_protocol(&self, protocol: Protocol) {
        let number = match protocol {
            Protocol::Resp2 => 2,
            Protocol::Resp3 => 3,
        };
        self.protocol.store(number, Ordering::Relaxed);
    }

    /// Whether it is spared when clients have to go to free memory.
    pub(crate) fn no_evict(&self) -> bool {
        self.no_evict.load(Ordering::Relaxed)
    }

    /// `CLIENT NO-EVICT`.
    pub(crate) fn set_no_evict(&self, on: bool) {
        self.no_evict.store(on, Ordering::Relaxed);
    }

    /// Whether it uses keys without a trace.
    pub(crate) fn no_touch(&self) -> bool {
        self.no_touch.load(Ordering::Relaxed)
    }

    /// `CLIENT NO-TOUCH`.
    pub(crate) fn set_no_touch(&self, on: bool) {
        self.no_touch.store(on, Ordering::Relaxed);
    }

    /// Whether it said READONLY.
    pub(crate) fn readonly(&self) -> bool {
        self.readonly.load(Ordering::Relaxed)
    }

    /// `READONLY` and `READWRITE`.
    pub(crate) fn set_readonly(&self, on: bool) {
        self.readonly.store(on, Ordering::Relaxed);
    }

    /// Ends its waiting, by an error or as if its time were over (`CLIENT UNBLOCK`); whether it waited for keys or replicas.
    pub(crate) fn unblock(&self, with_error: bool) -> bool {
        let outcome = if with_error { Outcome::Unblocked } else { Outcome::TimedOut };
        if let Some(waiter) = self.blocked() {
            return waiter.end(outcome);
        }
        let ended = if with_error { UNBLOCKED } else { WAITED };
        self.replica_wait.compare_exchange(WAITS, ended, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Whether it may run commands.
    pub(crate) fn authenticated(&self) -> bool {
        self.authenticated.load(Ordering::Relaxed)
    }

    /// Notes whether it may run commands.
    pub(crate) fn set_authenticated(&self, yes: bool) {
        self.authenticated.store(yes, Ordering::Relaxed);
    }

    /// What it calls itself.
    pub(crate) fn labels(&self) -> Labels {
        self.labels.lock().as_deref().cloned().unwrap_or_default()
    }

    /// Changes what it calls itself.
    pub(crate) fn relabel(&self, change: impl FnOnce(&mut Labels)) {
        change(self.labels.lock().get_or_insert_default());
    }

    /// Forgets what it called itself (`RESET`).
    pub(crate) fn unlabel(&self) {
        *self.labels.lock() = None;
    }

    /// Ends it: its task closes the connection when it next runs, which is at once.
    pub(crate) fn kill(&self) {
        self.signals.fetch_or(KILLED, Ordering::Release);
        self.wake();
    }

    /// Its task has ended: what is pushed from now on goes nowhere.
    pub(crate) fn close(&self) {
        self.signals.fetch_or(KILLED, Ordering::Release);
        self.pushes.discard();
    }

    /// Has its task look around.
    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.lock() {
            waker.wake_by_ref();
        }
    }

    /// Whether it was told to end.
    #[inline]
    pub(crate) fn is_killed(&self) -> bool {
        self.signals.load(Ordering::Acquire) & KILLED != 0
    }

    /// Whether that was because it held too much output.
    pub(crate) fn is_over_limit(&self) -> bool {
        self.signals.load(Ordering::Relaxed) & OVER_LIMIT != 0
    }

    /// Keeps the task's waker, so that kills and pushes reach it wherever it waits. A task's waker stays the same.
    pub(crate) fn set_waker(&self, waker: &Waker) {
        *self.waker.lock() = Some(waker.clone());
    }
}

/// All connections.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    by_id: DashMap<u64, Arc<Client>>,
    last_id: AtomicU64,
    /// What they may hold.
    pub(crate) limits: Arc<OutputLimits>,
}

impl Clients {
    /// The client of that number.
    pub(crate) fn get(&self, id: u64) -> Option<Arc<Client>> {
        self.by_id.get(&id).map(|client| Arc::clone(&client))
    }

    /// Registers a connection.
    pub(crate) fn register(
        &self,
        addr: SocketAddr,
        laddr: SocketAddr,
        fd: i32,
        now: Timestamp,
    ) -> Arc<Client> {
        let client = self.unregistered(addr, laddr, fd, now);
        self.by_id.insert(client.id, Arc::clone(&client));
        client
    }

    /// A connection that is none of a client's, and does not count as one.
    pub(crate) fn unregistered(
        &self,
        addr: SocketAddr,
        laddr: SocketAddr,
        fd: i32,
        now: Timestamp,
    ) -> Arc<Client> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        Arc::new(Client {
            id,
            addr,
            laddr,
            created: now,
            fd,
            last_active: AtomicU64::new(now.0),
            db: AtomicUsize::new(0),
            last_command: AtomicU16::new(NO_COMMAND),
            protocol: AtomicU8::new(2),
            no_evict: AtomicBool::new(false),
            no_touch: AtomicBool::new(false),
            authenticated: AtomicBool::new(false),
            pending_output: AtomicUsize::new(0),
            pending_input: AtomicUsize::new(0),
            input_room: AtomicUsize::new(0),
            waits: AtomicBool::new(false),
            arguments: AtomicUsize::new(0),
            readonly: AtomicBool::new(false),
            signals: AtomicU8::new(0),
            transaction: Mutex::default(),
            blocked: Mutex::new(None),
            replica_wait: AtomicU8::new(NO_WAIT),
            waker: Mutex::new(None),
            labels: Mutex::new(None),
            pushes: Pushes::default(),
            subscriptions: Mutex::new(None),
            limits: Arc::clone(&self.limits),
        })
    }

    /// Ends the waits of all: what they wait for will not come from clients any more.
    pub(crate) fn end_waits(&self) {
        for client in &self.by_id {
            if let Some(waiter) = client.blocked() {
                waiter.end(Outcome::Demoted);
            }
        }
    }

    /// Forgets a connection that has ended.
    pub(crate) fn remove(&self, id: u64) {
        self.by_id.remove(&id);
    }

    /// How many of them are blocked.
    pub(crate) fn blocked(&self) -> usize {
        self.by_id.iter().filter(|client| client.is_blocked()).count()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// All of them, in the order they connected.
    pub(crate) fn all(&self) -> Vec<Arc<Client>> {
        let mut all: Vec<_> = self.by_id.iter().map(|entry| Arc::clone(entry.value())).collect();
        all.sort_unstable_by_key(|client| client.id);
        all
    }

    /// Ends those that have held too much output for too long.
    pub(crate) fn kill_over_limit(&self) {
        self.by_id.iter().for_each(|client| client.end_if_over_limit());
    }

    /// Ends those that have been silent for longer than that (`timeout`), unless it is for them to listen.
    pub(crate) fn kill_idle(&self, now: Timestamp, seconds: u64) {
        for client in &self.by_id {
            // In this order: who has just ceased to wait is active.
            let silent = || now.0.saturating_sub(client.last_active().0) > seconds.saturating_mul(1000);
            if !client.listens() && silent() {
                client.kill();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;
    use crate::config::OutputLimit;
    use crate::pubsub::{Kind, Pubsub};

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn client_with(clients: &Clients) -> (Arc<Client>, Arc<Wakes>) {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let (client, wakes) =
            (clients.register(address, address, 1, Timestamp(1)), Arc::new(Wakes::default()));
        client.set_waker(&Waker::from(Arc::clone(&wakes)));
        (client, wakes)
    }

    #[test]
    fn pushes_wake_the_task_once_and_are_taken_in_order() {
        let (client, wakes) = client_with(&Clients::default());
        let mut replies = b"+OK ".to_vec();
        client.push(b"one ");
        client.push(b"two ");
        assert_eq!((client.is_pushed(), wakes.0.load(Ordering::Relaxed)), (true, 1));
        client.take_pushes(&mut replies);
        assert_eq!((client.is_pushed(), client.held().output), (false, 0));
        client.push(b"three");
        assert_eq!(wakes.0.load(Ordering::Relaxed), 2);
        client.take_pushes(&mut replies);
        assert_eq!(replies, b"+OK one two three");
    }

    #[test]
    fn a_client_that_holds_too_much_is_ended_and_its_queue_dropped() {
        let clients = Clients::default();
        clients.limits.set([OutputLimit { hard: 5, soft: 0, soft_seconds: 0 }; 3]);
        let (client, _) = client_with(&clients);
        client.set_pending_output(3);
        client.push(b"12");
        assert!(!client.is_killed());
        client.push(b"3");
        assert_eq!((client.is_killed(), client.is_over_limit(), client.held().output), (true, true, 3));
        client.push(b"4");
        assert_eq!(client.held().output, 3);
    }

    #[test]
    fn nobody_is_pushed_to_after_the_end() {
        let (client, _) = client_with(&Clients::default());
        client.push(b"x");
        client.close();
        client.push(b"y");
        assert_eq!((client.held().output, client.is_over_limit()), (0, false));
    }

    #[test]
    fn who_listens_may_be_silent() {
        let clients = Clients::default();
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let [monitor, replica, waiting, done, reader] =
            [1, 2, 3, 4, 5].map(|fd| clients.register(address, address, fd, Timestamp(1000)));
        let subscribed = [Kind::Channel, Kind::Pattern, Kind::ShardChannel].map(|kind| {
            let client = clients.register(address, address, 6, Timestamp(1000));
            Pubsub::default().subscribe(&client, kind, b"a");
            client
        });
        monitor.set_monitor(true);
        replica.set_follower();
        waiting.begin_wait(0);
        done.begin_wait(9);
        done.end_wait(Timestamp(1000));
        reader.set_active(Timestamp(9000));
        clients.kill_idle(Timestamp(12_000), 10);
        assert!(subscribed.iter().chain([&monitor, &replica, &waiting, &reader]).all(|c| !c.is_killed()));
        assert!(done.is_killed());
    }

    #[test]
    fn silent_clients_are_ended_and_others_spared() {
        let clients = Clients::default();
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let [silent, active] = [1, 2].map(|fd| clients.register(address, address, fd, Timestamp(1000)));
        active.report(Progress { now: Timestamp(9000), db: 0, last_command: NO_COMMAND });
        clients.kill_idle(Timestamp(12_000), 10);
        assert_eq!((silent.is_killed(), active.is_killed()), (true, false));
        clients.remove(silent.id);
        assert_eq!(clients.all().iter().map(|client| client.id).collect::<Vec<_>>(), [active.id]);
    }
}
