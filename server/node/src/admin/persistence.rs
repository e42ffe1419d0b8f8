//! SAVE, BGSAVE and LASTSAVE, DEBUG RELOAD, and SHUTDOWN where it saves.
//!
//! What takes long runs on a thread of its own, and only the client that asked for it waits. The right to write the file is
//! claimed before a command is deferred, so that two never write it at once and the second is told so.
//!
//! A node of a cluster writes a file when it is asked to, as a backup of its slots. It loads none when it starts, and so
//! none is written unasked: after a restart that would put an empty one in the place of the backup.
//!
//! Neighbours: `persistence` writes and loads the file, `info` says how that went.

use std::sync::Arc;

use nuthatch_proto::resp::{Args, ReplyWriter};
use tokio::task::spawn_blocking;

use super::{Call, Deferral, Flow, SYNTAX_ERROR};
use crate::node::Node;
use crate::persistence;

const BUSY: &str = "ERR Background save already in progress";

pub(super) fn save(call: &Call<'_>, reply: &mut ReplyWriter<'_>) -> Flow {
    if call.node.persistence.claim() {
        return Flow::Defer(Deferral::Save);
    }
    reply.error(BUSY);
    Flow::Done
}

/// Writes the file; the right to do so is claimed.
pub(super) async fn saved(node: &Arc<Node>, reply: &mut ReplyWriter<'_>) {
    let saver = Arc::clone(node);
    match spawn_blocking(move || persistence::save(&saver, false)).await {
        Ok(true) => reply.ok(),
        Ok(false) | Err(_) => reply.error("ERR"),
    }
}

pub(super) fn bgsave(call: &Call<'_>, reply: &mut ReplyWriter<'_>) {
    let schedule = match (call.args.len(), call.args.get(1)) {
        (1, _) => false,
        (2, Some(word)) if word.eq_ignore_ascii_case(b"SCHEDULE") => true,
        (_, _) => return reply.error(SYNTAX_ERROR),
    };
    if !call.node.persistence.begin() {
        reply.error(BUSY);
    } else if call.session.executing && !schedule {
        reply.simple("Background saving scheduled");
    } else {
        reply.simple("Background saving started");
    }
}

pub(super) fn lastsave(call: &Call<'_>, reply: &mut ReplyWriter<'_>) {
    reply.integer(i64::try_from(call.node.persistence.record().last_save).unwrap_or(i64::MAX));
}

/// `DEBUG RELOAD [NOSAVE] [NOFLUSH] [MERGE]`.
pub(super) fn reload(call: &Call<'_>, reply: &mut ReplyWriter<'_>) -> Flow {
    match parse_reload(call.args) {
        None => reply.error("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."),
        // In a transaction it is refused by whoever runs that, and nobody would give the right back.
        Some((save, _)) if save && !call.session.executing && !call.node.persistence.claim() => {
            reply.error(BUSY)
        }
        Some((save, flush)) => return Flow::Defer(Deferral::Reload { save, flush }),
    }
    Flow::Done
}

/// Whether to save first, and whether to empty the databases.
fn parse_reload(args: Args<'_>) -> Option<(bool, bool)> {
    let (mut save, mut flush) = (true, true);
    for option in args.skip(2).iter() {
        match option.to_ascii_uppercase().as_slice() {
            b"NOSAVE" => save = false,
            b"NOFLUSH" => flush = false,
            b"MERGE" => {}
            _ => return None,
        }
    }
    Some((save, flush))
}

/// Saves if that is wanted, for which the right is claimed, and loads what was saved.
pub(super) async fn reloaded(node: &Arc<Node>, save: bool, flush: bool, reply: &mut ReplyWriter<'_>) {
    let node = Arc::clone(node);
    let work = move || {
        if save && !persistence::save(&node, false) {
            return Err("ERR");
        }
        persistence::reload(&node, flush).map_err(|error| {
            tracing::warn!("{error}");
            "ERR Error trying to load the RDB dump, check server logs."
        })
    };
    match spawn_blocking(work).await {
        Ok(Ok(())) => reply.ok(),
        Ok(Err(error)) => reply.error(error),
        Err(_) => reply.error("ERR"),
    }
}

/// Saves and ends the node, or says that it could not save.
pub(super) async fn shut_down(node: &Arc<Node>, reply: &mut ReplyWriter<'_>) -> Flow {
    let saver = Arc::clone(node);
    if let Ok(true) = spawn_blocking(move || persistence::save(&saver, false)).await {
        node.stop();
        return Flow::Close;
    }
    reply.error("ERR Errors trying to SHUTDOWN. Check logs.");
    Flow::Done
}
