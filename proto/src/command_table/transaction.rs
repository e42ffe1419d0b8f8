//! Rows of the transaction commands.
//!
//! Only WATCH names keys: EXEC works on those of the commands that were queued, which no specification can tell. None
//! of the five is ever queued itself.

use super::row::{ALLOW_BUSY, EXAMINES, FAST, LOADING, NOSCRIPT, SKIP_SLOWLOG, STALE, keys_from, row};
use super::{Acl, CommandSpec, Group, Handler, TransactionCommand};

const fn transaction(name: &'static str, command: TransactionCommand, arity: i8) -> CommandSpec {
    row(name, Handler::Transaction(command), arity, Group::Transactions).acl(Acl::TRANSACTION)
}

pub(super) const ROWS: &[CommandSpec] = &[
    transaction("discard", TransactionCommand::Discard, 1)
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY])
        .since("2.0.0")
        .cost("O(N), N the number of queued commands")
        .about("Forgets the queued commands and ends the transaction."),
    transaction("exec", TransactionCommand::Exec, 1)
        .flags(&[NOSCRIPT, LOADING, STALE, SKIP_SLOWLOG])
        .since("1.2.0")
        .cost("Depends on the queued commands.")
        .about("Runs the queued commands, all of them together."),
    transaction("multi", TransactionCommand::Multi, 1)
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY])
        .since("1.2.0")
        .cost("O(1)")
        .about("Begins a transaction: commands are queued until EXEC."),
    transaction("unwatch", TransactionCommand::Unwatch, 1)
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY])
        .since("2.2.0")
        .cost("O(1)")
        .about("Ends the watch over all keys."),
    transaction("watch", TransactionCommand::Watch, -2)
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY])
        .keys(&[keys_from(1, EXAMINES)])
        .since("2.2.0")
        .cost("O(1) per key")
        .syntax("key [key ...]")
        .about("Watches keys: if one of them changes, the next EXEC does nothing."),
];
