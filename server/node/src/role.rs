//! Whether a standalone node is a primary or follows another server (`REPLICAOF`): what it may do, and what is shown of it.
//!
//! Commands say here whom to follow ([`Role::follow`], [`Role::stand_alone`]), and the thread of the link (`replica_link`)
//! does it: it takes the newest [`Order`], and notes here how it goes ([`Standing`]). An order not to follow anybody is
//! settled when nothing of the former primary can come any more: only then writes are allowed.
//!
//! Commands ask once per batch whether anything is limited ([`Batch`](crate::dispatch::Batch)); only then is it asked
//! what is. While all data is being replaced next to nothing is answered (LOADING): that begins and ends while no thread
//! has a turn, so no command sees a part.

mod history;
mod standing;

use std::sync::atomic::{AtomicBool, Ordering};

use nuthatch_proto::command_table::{CommandSpec, Flags, Handler, TransactionCommand};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use crate::config::ReplicationSettings;

pub(crate) use history::History;
pub(crate) use standing::{Phase, Standing, Transfer};

const IMPORTS: &str = "READONLY This node takes the keys of its slots from a Redis. It takes no writes until CLUSTER IMPORT STOP.";
pub(crate) const READ_ONLY: &str = "READONLY You can't write against a read only replica.";
const MASTER_DOWN: &str = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
const LOADING: &str = "LOADING Redis is loading the dataset in memory";

/// The server to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Primary {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// What the link is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing.
    Rest,
    /// Follow that server.
    Follow(Primary),
    /// End with the node.
    End,
}

/// A wish with its number: later ones have higher ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) number: u64,
    pub(crate) wish: Wish,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Role {
    is_replica: AtomicBool,
    is_loading: AtomicBool,
    is_linked: AtomicBool,
    /// Whether the node is one of a cluster, which follows for the keys of its slots and stays what it is.
    imports: bool,
    orders: watch::Sender<Order>,
    /// The number of the last order that was carried out.
    settled: watch::Sender<u64>,
    standing: Mutex<Standing>,
    history: Mutex<History>,
}

impl Role {
    /// A primary whose history has that id; `imports` if it is one of a cluster.
    pub(crate) fn new(replid: String, imports: bool) -> Self {
        Self {
            is_replica: AtomicBool::new(false),
            is_loading: AtomicBool::new(false),
            is_linked: AtomicBool::new(false),
            imports,
            orders: watch::Sender::new(Order { number: 0, wish: Wish::Rest }),
            settled: watch::Sender::new(0),
            standing: Mutex::default(),
            history: Mutex::new(History::new(replid)),
        }
    }

    /// The server to follow, if there is one.
    pub(crate) fn primary(&self) -> Option<Primary> {
        match &self.orders.borrow().wish {
            Wish::Follow(primary) => Some(primary.clone()),
            Wish::Rest | Wish::End => None,
        }
    }

    fn order(&self, wish: Wish) {
        self.orders.send_modify(|order| *order = Order { number: order.number + 1, wish });
    }

    /// Follows that server from now on; `false` if that is being done already. A link that has given up tries anew.
    pub(crate) fn follow(&self, primary: Primary) -> bool {
        let wish = Wish::Follow(primary);
        let is_same = self.orders.borrow().wish == wish;
        if is_same && self.standing().phase != Phase::Halted {
            return false;
        }
        self.is_replica.store(true, Ordering::Relaxed);
        if !is_same {
            *self.standing() = Standing::default();
        }
        self.order(wish);
        true
    }

    /// Follows nobody from now on; whether that is a change. See [`Self::settled`].
    pub(crate) fn stand_alone(&self) -> bool {
        let follows = self.primary().is_some();
        if follows {
            self.order(Wish::Rest);
        }
        follows
    }

    /// The link is to end with the node.
    pub(crate) fn end(&self) {
        self.order(Wish::End);
    }

    /// The orders, for the link.
    pub(crate) fn orders(&self) -> watch::Receiver<Order> {
        self.orders.subscribe()
    }

    /// The link has carried out the order of that number, or has begun to follow.
    pub(crate) fn settle(&self, number: u64) {
        self.settled.send_replace(number);
    }

    /// Waits until the newest order is carried out.
    pub(crate) async fn settled(&self) {
        let number = self.orders.borrow().number;
        // An error would mean that the role is gone, and this function has it.
        let _ = self.settled.subscribe().wait_for(|&settled| settled >= number).await;
    }

    /// Nobody is followed any more: writes are allowed, and the history from here on is another one, of that id.
    pub(crate) fn promote(&self, replid: String) {
        let offset = std::mem::take(&mut *self.standing()).applied;
        self.history().part_from(replid, offset);
        self.is_linked.store(false, Ordering::Relaxed);
        self.is_replica.store(false, Ordering::Relaxed);
    }

    /// Whether there is a server to follow, so that commands may have to be refused.
    #[inline]
    pub(crate) fn is_replica(&self) -> bool {
        self.is_replica.load(Ordering::Relaxed)
    }

    /// Whether the data is being replaced.
    pub(crate) fn is_loading(&self) -> bool {
        self.is_loading.load(Ordering::Relaxed)
    }

    /// Whether the stream of the primary comes in.
    pub(crate) fn is_linked(&self) -> bool {
        self.is_linked.load(Ordering::Relaxed)
    }

    /// Begins or ends the replacing of the data. To be called while no thread has a turn.
    pub(crate) fn set_loading(&self, on: bool) {
        self.is_loading.store(on, Ordering::Relaxed);
    }

    /// How the link stands, to look at or to note.
    pub(crate) fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock()
    }

    /// Notes what the link is at.
    pub(crate) fn note(&self, phase: Phase, change: impl FnOnce(&mut Standing)) {
        let mut standing = self.standing();
        standing.phase = phase;
        change(&mut standing);
        self.is_linked.store(phase == Phase::Connected, Ordering::Relaxed);
    }

    /// The ids of the data's history.
    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock()
    }

    /// Why a command is refused, if it is; `queued` are those that EXEC would run.
    pub(crate) fn refusal<'a>(
        &self,
        spec: &'a CommandSpec,
        queued: impl Iterator<Item = &'a CommandSpec> + Clone,
        settings: &ReplicationSettings,
    ) -> Option<&'static str> {
        if !self.is_replica() {
            return None;
        }
        let runs = spec.handler == Handler::Transaction(TransactionCommand::Exec);
        let all = [spec].into_iter().chain(queued.filter(|_| runs));
        let lacks = |flag: Flags| all.clone().any(|spec| !spec.flags.contains(flag));
        let writes = all.clone().any(|spec| spec.flags.contains(Flags::WRITE));
        if writes && self.imports {
            Some(IMPORTS)
        } else if writes && settings.read_only {
            Some(READ_ONLY)
        } else if !self.imports && !self.is_linked() && !settings.serve_stale && lacks(Flags::STALE) {
            Some(MASTER_DOWN)
        } else if self.is_loading() && lacks(Flags::LOADING) {
            Some(LOADING)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::command_table::lookup;

    use super::*;

    fn settings() -> ReplicationSettings {
        ReplicationSettings { serve_stale: true, read_only: true, ..ReplicationSettings::default() }
    }

    fn replica() -> Role {
        let role = Role::new("a".repeat(40), false);
        assert!(!role.is_replica());
        assert!(role.follow(primary()) && role.is_replica());
        role
    }

    fn primary() -> Primary {
        Primary { host: "a".to_owned(), port: 1 }
    }

    #[track_caller]
    fn check(role: &Role, settings: &ReplicationSettings, commands: &[&str], expected: Option<&str>) {
        let specs: Vec<_> = commands.iter().map(|name| lookup(name.as_bytes()).expect("a command")).collect();
        assert_eq!(role.refusal(specs[0], specs[1..].iter().copied(), settings), expected, "{commands:?}");
    }

    #[test]
    fn a_replica_takes_no_writes_and_may_answer_nothing() {
        let (role, settings) = (replica(), settings());
        check(&role, &settings, &["set"], Some(READ_ONLY));
        check(&role, &settings, &["get"], None);
        check(&role, &settings, &["exec", "get"], None);
        check(&role, &settings, &["exec", "get", "set"], Some(READ_ONLY));
        // What is queued is of no concern to other commands.
        check(&role, &settings, &["get", "set"], None);
        let stale = ReplicationSettings { serve_stale: false, ..settings };
        check(&role, &stale, &["get"], Some(MASTER_DOWN));
        check(&role, &stale, &["exec", "get"], Some(MASTER_DOWN));
        check(&role, &stale, &["multi"], None);
        role.note(Phase::Connected, |_| {});
        check(&role, &stale, &["get"], None);
        role.promote("b".repeat(40));
        check(&role, &stale, &["set"], None);
    }

    #[test]
    fn while_the_data_is_replaced_little_is_answered() {
        let (role, settings) = (replica(), settings());
        role.set_loading(true);
        check(&role, &settings, &["get"], Some(LOADING));
        check(&role, &settings, &["set"], Some(READ_ONLY));
        check(&role, &settings, &["exec", "get"], Some(LOADING));
        check(&role, &settings, &["info"], None);
        role.set_loading(false);
        check(&role, &settings, &["get"], None);
    }

    #[test]
    fn a_node_that_imports_answers_reads_and_takes_no_writes() {
        let role = Role::new("a".repeat(40), true);
        role.follow(primary());
        let settings = ReplicationSettings { serve_stale: false, read_only: false, ..settings() };
        check(&role, &settings, &["set"], Some(IMPORTS));
        check(&role, &settings, &["get"], None);
        role.set_loading(true);
        check(&role, &settings, &["get"], Some(LOADING));
    }

    #[test]
    fn orders_are_numbered_and_the_same_again_is_none() {
        let role = replica();
        let orders = role.orders();
        assert_eq!(orders.borrow().number, 1);
        assert!(!role.follow(primary()) && role.primary() == Some(primary()));
        // One that has given up tries again.
        role.note(Phase::Halted, |_| {});
        assert!(role.follow(primary()));
        assert!(role.stand_alone() && !role.stand_alone());
        // Writes wait for the link.
        assert!(role.is_replica());
        assert_eq!(*orders.borrow(), Order { number: 3, wish: Wish::Rest });
    }
}
