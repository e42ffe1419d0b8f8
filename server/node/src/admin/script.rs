//! SCRIPT: what the node knows of scripts.
//!
//! LOAD is not here but where scripts are compiled (`dispatch/script`): what does not compile is not kept.

use nuthatch_proto::resp::{Args, ReplyWriter};

use super::Call;
use crate::script::{Digest, Kill};

pub(super) fn exists(call: &Call<'_>, reply: &mut ReplyWriter<'_>) {
    let digests = call.args.skip(2);
    reply.array(digests.len());
    for digest in digests.iter() {
        let known = Digest::parse(digest).is_some_and(|digest| call.node.scripts.knows(digest));
        reply.integer(i64::from(known));
    }
}

pub(super) fn flush(call: &Call<'_>, reply: &mut ReplyWriter<'_>) {
    let known = |mode: &[u8]| mode.eq_ignore_ascii_case(b"sync") || mode.eq_ignore_ascii_case(b"async");
    if call.args.len() > 3 || !call.args.get(2).is_none_or(known) {
        return reply.error("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
    }
    call.node.scripts.flush();
    reply.ok();
}

pub(super) fn kill(call: &Call<'_>, reply: &mut ReplyWriter<'_>) {
    match call.node.scripts.running.kill() {
        Kill::Done => reply.ok(),
        Kill::NotRunning => reply.error("NOTBUSY No scripts in execution right now."),
        Kill::HasWritten => reply.error(
            "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the \
             script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
        ),
    }
}

/// There is no debugger.
pub(super) fn debug(args: Args<'_>, reply: &mut ReplyWriter<'_>) {
    let mode = args.at(2).to_ascii_lowercase();
    match mode.as_slice() {
        b"no" => reply.ok(),
        b"yes" | b"sync" => reply.error("ERR the script debugger is not supported"),
        _ => reply.error("ERR Use SCRIPT DEBUG YES/SYNC/NO"),
    }
}
