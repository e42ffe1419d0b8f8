//! TIME, LOLWUT, PFSELFTEST and SHUTDOWN.
//!
//! What is asked of the server as a whole and touches no data. Nothing here waits; a shutdown is only announced here, and
//! carried out by `node`.

use nuthatch_proto::resp::number::parse_integer;
use nuthatch_proto::resp::{Args, ReplyWriter};

use super::{Call, Deferral, Flow, NOT_INTEGER, SYNTAX_ERROR};
use crate::clock;
use crate::node::REDIS_VERSION;

pub(super) fn monitor(call: &Call<'_>, reply: &mut ReplyWriter<'_>) {
    let client = &call.session.client;
    if call.session.executing {
        reply.error("ERR MONITOR isn't allowed for DENY BLOCKING client");
    } else if !client.is_monitor() {
        // Whoever is one already gets no reply, as in Redis.
        call.node.monitors.add(client);
        reply.ok();
    }
}

pub(super) fn time(reply: &mut ReplyWriter<'_>) {
    let now = clock::since_epoch();
    reply.array(2);
    reply.bulk_integer(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    reply.bulk_integer(i64::from(now.subsec_micros()));
}

pub(super) fn pfselftest(call: &Call<'_>, reply: &mut ReplyWriter<'_>) {
    match nuthatch_engine::hyperloglog_self_test(call.now.0) {
        Ok(()) => reply.ok(),
        Err(failure) => reply.error(&format!("ERR {failure}")),
    }
}

/// A nuthatch on its tree, head down.
pub(super) fn lolwut(args: Args<'_>, reply: &mut ReplyWriter<'_>) {
    // As in Redis, words that are not VERSION are passed over; here every version draws the same.
    if args.len() >= 3
        && args.at(1).eq_ignore_ascii_case(b"VERSION")
        && args.skip(2).iter().any(|number| parse_integer(number).is_none())
    {
        return reply.error(NOT_INTEGER);
    }
    let picture = format!(
        "  |  |\n  |  |   __\n  |  |__/ o>-   every seed\n  |  |   _/     in a place\n  |  |__/ ^     of its own\n  |  |  ^\n  \
         |  |\n\nRedis ver. {REDIS_VERSION}, Nuthatch ver. {}\n",
        env!("CARGO_PKG_VERSION")
    );
    reply.verbatim("txt", picture.as_bytes());
}

/// FUNCTION FLUSH: there are no functions to delete.
pub(super) fn function_flush(args: Args<'_>, reply: &mut ReplyWriter<'_>) {
    let known = |mode: &[u8]| mode.eq_ignore_ascii_case(b"ASYNC") || mode.eq_ignore_ascii_case(b"SYNC");
    match (args.len(), args.get(2)) {
        (2, _) => reply.ok(),
        (3, Some(mode)) if known(mode) => reply.ok(),
        (_, _) => reply.error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"),
    }
}

pub(super) fn shutdown(call: Call<'_>, reply: &mut ReplyWriter<'_>) -> Flow {
    let (mut save, mut nosave, mut abort, mut other) = (false, false, false, false);
    for option in call.args.skip(1).iter() {
        match option.to_ascii_uppercase().as_slice() {
            b"SAVE" => save = true,
            b"NOSAVE" => nosave = true,
            b"NOW" | b"FORCE" => other = true,
            b"ABORT" => abort = true,
            _ => {
                reply.error(SYNTAX_ERROR);
                return Flow::Done;
            }
        }
    }
    if (save && nosave) || (abort && (save || nosave || other)) {
        reply.error(SYNTAX_ERROR);
        return Flow::Done;
    }
    if abort {
        // Ending takes no time that could be cut short.
        reply.error("ERR No shutdown in progress.");
        return Flow::Done;
    }
    tracing::warn!("User requested shutdown...");
    let by_itself = !call.node.in_cluster() && !call.node.config.settings().save_points.is_empty();
    // While the data is being replaced there is only a part of it.
    let is_whole = !call.node.role.is_loading();
    if (save || (by_itself && !nosave)) && is_whole && call.node.persistence.claim() {
        return Flow::Defer(Deferral::ShutDown);
    }
    call.node.stop();
    // As in Redis, the client sees the connection end, not a reply.
    Flow::Close
}
