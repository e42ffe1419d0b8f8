//! Whether a standalone node is a primary, or was told to follow another server (`REPLICAOF`).
//!
//! Following another server is not built: a node that is told to is a replica without a link. It is honest about that in
//! ROLE and INFO, refuses writes so that its data stays what it was, and goes on as a primary when it is told to. What
//! follows it is cut off, as by Redis.
//!
//! Commands ask once per batch whether anything is limited ([`Batch`](crate::dispatch::Batch)); only then is it asked
//! what is.

use std::sync::atomic::{AtomicBool, Ordering};

use nuthatch_proto::command_table::{CommandSpec, Flags, Handler, TransactionCommand};
use parking_lot::Mutex;

use crate::config::ReplicationSettings;

const READ_ONLY: &str = "READONLY You can't write against a read only replica.";
const MASTER_DOWN: &str = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";

/// The server to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Primary {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Role {
    is_replica: AtomicBool,
    primary: Mutex<Option<Primary>>,
}

impl Role {
    /// The server to follow, if there is one.
    pub(crate) fn primary(&self) -> Option<Primary> {
        self.primary.lock().clone()
    }

    /// Follows that server from now on, or none; whether that is a change.
    pub(crate) fn set(&self, primary: Option<Primary>) -> bool {
        let mut own = self.primary.lock();
        let changes = *own != primary;
        self.is_replica.store(primary.is_some(), Ordering::Relaxed);
        *own = primary;
        changes
    }

    /// Whether there is one, so that commands may have to be refused.
    #[inline]
    pub(crate) fn is_replica(&self) -> bool {
        self.is_replica.load(Ordering::Relaxed)
    }

    /// Why a command is refused, if it is; `queued` are those that EXEC would run.
    pub(crate) fn refusal<'a>(
        &self,
        spec: &'a CommandSpec,
        queued: impl Iterator<Item = &'a CommandSpec> + Clone,
        settings: &ReplicationSettings,
    ) -> Option<&'static str> {
        let runs = spec.handler == Handler::Transaction(TransactionCommand::Exec);
        let mut all = [spec].into_iter().chain(queued.filter(|_| runs));
        let writes = all.clone().any(|spec| spec.flags.contains(Flags::WRITE));
        if !self.is_replica() {
            None
        } else if writes && settings.read_only {
            Some(READ_ONLY)
        } else {
            let fails = !settings.serve_stale && all.any(|spec| !spec.flags.contains(Flags::STALE));
            fails.then_some(MASTER_DOWN)
        }
    }
}

#[cfg(test)]
mod tests {
    use nuthatch_proto::command_table::lookup;

    use super::*;

    const SETTINGS: ReplicationSettings =
        ReplicationSettings { ping_period: 10, timeout: 60, max_lag: 10, serve_stale: true, read_only: true };

    #[track_caller]
    fn check(role: &Role, settings: &ReplicationSettings, commands: &[&str], expected: Option<&str>) {
        let specs: Vec<_> = commands.iter().map(|name| lookup(name.as_bytes()).expect("a command")).collect();
        assert_eq!(role.refusal(specs[0], specs[1..].iter().copied(), settings), expected, "{commands:?}");
    }

    #[test]
    fn a_replica_takes_no_writes_and_may_answer_nothing() {
        let role = Role::default();
        assert!(!role.is_replica());
        check(&role, &SETTINGS, &["set"], None);
        let primary = Primary { host: "a".to_owned(), port: 1 };
        assert!(role.set(Some(primary.clone())) && !role.set(Some(primary)) && role.is_replica());
        check(&role, &SETTINGS, &["set"], Some(READ_ONLY));
        check(&role, &SETTINGS, &["get"], None);
        check(&role, &SETTINGS, &["exec", "get"], None);
        check(&role, &SETTINGS, &["exec", "get", "set"], Some(READ_ONLY));
        // What is queued is of no concern to other commands.
        check(&role, &SETTINGS, &["get", "set"], None);
        let stale = ReplicationSettings { serve_stale: false, ..SETTINGS };
        check(&role, &stale, &["get"], Some(MASTER_DOWN));
        check(&role, &stale, &["exec", "get"], Some(MASTER_DOWN));
        check(&role, &stale, &["multi"], None);
        assert!(role.set(None));
        check(&role, &stale, &["get"], None);
    }
}
