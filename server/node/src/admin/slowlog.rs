//! SLOWLOG: the commands that took long.
//!
//! They are kept by `telemetry/slowlog`; here they are only counted, listed and forgotten.

use nuthatch_proto::resp::ReplyWriter;
use nuthatch_proto::resp::number::parse_integer;

use super::Call;

/// How many entries are listed unless a number is given.
const LISTED: i64 = 10;

pub(super) fn get(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let count = call.args.get(2).map_or(Some(LISTED), parse_integer).filter(|&count| count >= -1);
    let Some(count) = count else { return reply.error("ERR count should be greater than or equal to -1") };
    // -1, all of them, is no number of things.
    let entries = call.node.telemetry.slowlog.newest(usize::try_from(count).unwrap_or(usize::MAX));
    reply.array(entries.len());
    for entry in entries {
        reply.array(6);
        for number in [entry.id, entry.time, entry.microseconds] {
            reply.integer(i64::try_from(number).unwrap_or(i64::MAX));
        }
        reply.array(entry.words.len());
        entry.words.iter().for_each(|word| reply.bulk(word));
        reply.bulk(entry.address.as_bytes());
        reply.bulk(entry.name.as_bytes());
    }
}

pub(super) fn len(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    reply.count(call.node.telemetry.slowlog.len());
}

pub(super) fn reset(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    call.node.telemetry.slowlog.reset();
    reply.ok();
}
