//! CLIENT TRACKING, CACHING and TRACKINGINFO: client-side caching, which is not there yet.
//!
//! To switch it off is to leave everything as it is; to switch it on is refused, and the rest answers as for a connection
//! that never did.

use nuthatch_proto::resp::ReplyWriter;

use super::{Call, SYNTAX_ERROR};

pub(super) fn switch(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let word = call.args.at(2);
    if word.eq_ignore_ascii_case(b"OFF") {
        reply.ok();
    } else if word.eq_ignore_ascii_case(b"ON") {
        reply.error("ERR Client side caching is not supported");
    } else {
        reply.error(SYNTAX_ERROR);
    }
}

/// Whatever follows, the missing mode is what Redis complains of.
pub(super) fn caching(reply: &mut ReplyWriter<'_>) {
    reply.error(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
    );
}

pub(super) fn info(reply: &mut ReplyWriter<'_>) {
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(1);
    reply.bulk(b"off");
    reply.bulk(b"redirect");
    reply.integer(-1);
    reply.bulk(b"prefixes");
    reply.array(0);
}
