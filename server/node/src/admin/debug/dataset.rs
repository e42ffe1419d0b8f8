//! DEBUG's subcommands about the data as a whole: digests of it, keys to fill it with, the sizes of its tables.
//!
//! HTSTATS says what tests look for: how many elements there are, and how large a table of Redis would be for them. Our
//! tables are others, one for each slot, with nothing in them that chains could be counted of.

use nuthatch_proto::command_table::DataCommand;
use nuthatch_proto::resp::ReplyWriter;
use nuthatch_proto::resp::number::parse_integer;

use super::{ask, second_line};
use crate::admin::{Call, NOT_INTEGER, text};

/// Beyond this POPULATE is a mistake.
const KEYS_MAX: usize = 1 << 30;

/// The least that a table of Redis has room for.
const TABLE_MIN: usize = 4;

pub(super) fn digest(call: &Call<'_>, reply: &mut ReplyWriter<'_>) {
    reply.simple(&call.node.engine.digest(call.now).to_string());
}

pub(super) fn digest_values(call: &Call<'_>, reply: &mut ReplyWriter<'_>) {
    let keys = call.args.skip(2);
    reply.array(keys.len());
    for key in keys.iter() {
        reply.simple(&call.node.engine.digest_of(call.session.db, key, call.now).to_string());
    }
}

/// Keys that are there stay, and what was made by an earlier call is not made again.
pub(super) fn populate(call: &Call<'_>, reply: &mut ReplyWriter<'_>) {
    let number = |word| parse_integer(word).and_then(|number| usize::try_from(number).ok());
    let args = call.args;
    let (Some(keys), Some(size)) =
        (number(args.at(2)).filter(|&keys| keys <= KEYS_MAX), args.get(4).map_or(Some(0), number))
    else {
        return reply.error("ERR value is out of range, must be positive");
    };
    let size_max = usize::try_from(call.node.config.settings().max_bulk_len).unwrap_or(usize::MAX);
    if size > size_max {
        return reply.error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    }
    let prefix = args.get(3).unwrap_or(b"key");
    for n in 0..keys {
        let key = [prefix, b":", n.to_string().as_bytes()].concat();
        let mut value = format!("value:{n}").into_bytes();
        if size > 0 {
            value.resize(size, 0);
        }
        // A key whose slot is served elsewhere is not made, nor is one that is there.
        ask(call, DataCommand::Set, &[b"set", &key, &value, b"nx"], &key);
    }
    reply.ok();
}

pub(super) fn table_of_database(call: &Call<'_>, reply: &mut ReplyWriter<'_>) {
    let Some(db) = parse_integer(call.args.at(2)) else { return reply.error(NOT_INTEGER) };
    let Some(db) = usize::try_from(db).ok().filter(|&db| db < call.node.engine.databases()) else {
        return reply.error("ERR Out of range database");
    };
    let stats = call.node.engine.database_stats(db, call.now);
    let text = format!("[Dictionary HT]\n{}[Expires HT]\n{}", table(stats.keys), table(stats.expires));
    reply.verbatim("txt", text.as_bytes());
}

pub(super) fn table_of_key(call: &Call<'_>, reply: &mut ReplyWriter<'_>) {
    let key = call.args.at(2);
    let encoding = second_line(&ask(call, DataCommand::ObjectEncoding, &[b"object", b"encoding", key], key));
    if encoding.is_empty() {
        return reply.error("ERR no such key");
    }
    if encoding != "hashtable" && encoding != "skiplist" {
        return reply
            .error("ERR The value stored at the specified key is not represented using an hash table");
    }
    // Of these only one fits the type of the key; the others answer with an error.
    let counts = [DataCommand::SCard, DataCommand::HLen, DataCommand::ZCard];
    let count = counts.into_iter().find_map(|command| {
        let answer = text(&ask(call, command, &[b"count", key], key));
        answer.strip_prefix(':')?.trim_end().parse().ok()
    });
    reply.verbatim("txt", table(count.unwrap_or(0)).as_bytes());
}

/// A hash table in the words of Redis.
fn table(elements: usize) -> String {
    let head = "Hash table 0 stats (main hash table):\n";
    if elements == 0 {
        return format!("{head}No stats available for empty dictionaries\n");
    }
    let size = elements.next_power_of_two().max(TABLE_MIN);
    format!("{head} table size: {size}\n number of elements: {elements}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_as_large_as_redis_would_make_them() {
        assert!(table(1).contains("table size: 4\n number of elements: 1\n"));
        assert!(table(4097).contains("table size: 8192\n number of elements: 4097\n"));
        assert!(table(0).ends_with(":\nNo stats available for empty dictionaries\n"));
    }
}
