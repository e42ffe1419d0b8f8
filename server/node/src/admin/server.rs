//! TIME, LOLWUT, DEBUG SLEEP and SHUTDOWN.
//!
//! What is asked of the server as a whole and touches no data. A sleep holds up the client that asked for it and nobody else;
//! a shutdown is only announced here, and carried out by `node`.

use std::time::Duration;

use nuthatch_proto::resp::number::parse_integer;
use nuthatch_proto::resp::{Args, ReplyWriter};

use super::{Call, Deferral, Flow, NOT_INTEGER, SYNTAX_ERROR};
use crate::clock;
use crate::node::REDIS_VERSION;

/// Beyond this a sleep is a mistake.
const SLEEP_MAX: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn time(reply: &mut ReplyWriter<'_>) {
    let now = clock::since_epoch();
    reply.array(2);
    reply.bulk_integer(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    reply.bulk_integer(i64::from(now.subsec_micros()));
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

/// DEBUG runs only if the configuration allows it.
pub(super) fn may_debug(call: &Call<'_>, command: Deferral, reply: &mut ReplyWriter<'_>) -> Flow {
    let permission = call.node.config.settings().debug_command;
    if permission.is_given_to(call.session.client.addr.ip()) {
        return Flow::Defer(command);
    }
    reply.error(
        "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a \
         local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
    );
    Flow::Done
}

/// DEBUG SLEEP: only the client that asked for it waits.
pub(super) async fn debug_sleep(args: Args<'_>, reply: &mut ReplyWriter<'_>) {
    // As C's strtod does, what is no number is nought.
    let seconds: f64 = std::str::from_utf8(args.at(2)).ok().and_then(|s| s.parse().ok()).unwrap_or(0.0);
    let duration = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(SLEEP_MAX).min(SLEEP_MAX);
    tokio::time::sleep(duration).await;
    reply.ok();
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
    call.node.stop();
    // As in Redis, the client sees the connection end, not a reply.
    Flow::Close
}
