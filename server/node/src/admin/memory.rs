//! MEMORY: what takes how much memory. USAGE of a key is the engine's.
//!
//! What is allocated is known, and what the process occupies; not which part of the difference is what. So DOCTOR looks at
//! how much memory there is, how much of it the process has, and how much of that is in use.

use nuthatch_proto::resp::ReplyWriter;

use super::Call;
use super::info::system;
use crate::memory;

/// Below this the server is too small for figures to mean anything.
const SMALL: u64 = 5 * 1024 * 1024;

pub(super) fn stats(call: Call<'_>, reply: &mut ReplyWriter<'_>) {
    let (used, peak) = call.node.peak.sample();
    let resident = system::resident();
    let engine = &call.node.engine;
    let clients: u64 = call.node.clients.all().iter().map(|client| client.held().output as u64).sum();
    let databases: Vec<_> = (0..engine.databases())
        .map(|db| (db, engine.database_stats(db, call.now)))
        .filter(|(_, stats)| stats.keys > 0)
        .collect();
    let keys: u64 = databases.iter().map(|(_, stats)| stats.keys as u64).sum();
    let numbers = [
        ("peak.allocated", peak),
        ("total.allocated", used),
        ("startup.allocated", 0),
        ("replication.backlog", 0),
        ("clients.slaves", 0),
        ("clients.normal", clients),
        ("cluster.links", 0),
        ("aof.buffer", 0),
        ("lua.caches", 0),
        ("functions.caches", 0),
    ];
    let more = [
        ("overhead.total", clients),
        ("keys.count", keys),
        ("keys.bytes-per-key", used.checked_div(keys).unwrap_or(0)),
        ("dataset.bytes", used.saturating_sub(clients)),
    ];
    let ratios = [
        ("dataset.percentage", used.saturating_sub(clients) as f64 * 100.0 / used.max(1) as f64),
        ("peak.percentage", used as f64 * 100.0 / peak.max(1) as f64),
        ("allocator-fragmentation.ratio", resident as f64 / used.max(1) as f64),
        ("fragmentation", resident as f64 / used.max(1) as f64),
    ];
    let number = |reply: &mut ReplyWriter<'_>, name: &str, value: u64| {
        reply.bulk(name.as_bytes());
        reply.integer(i64::try_from(value).unwrap_or(i64::MAX));
    };
    reply.map(numbers.len() + databases.len() + more.len() + ratios.len());
    numbers.into_iter().for_each(|(name, value)| number(reply, name, value));
    for (db, _) in databases {
        reply.bulk(format!("db.{db}").as_bytes());
        reply.map(2);
        number(reply, "overhead.hashtable.main", 0);
        number(reply, "overhead.hashtable.expires", 0);
    }
    more.into_iter().for_each(|(name, value)| number(reply, name, value));
    for (name, value) in ratios {
        reply.bulk(name.as_bytes());
        reply.double(value);
    }
}

pub(super) fn doctor(reply: &mut ReplyWriter<'_>) {
    let (used, resident) = (memory::used(), system::resident());
    reply.verbatim("txt", diagnosis(used, resident, system::total_memory()).as_bytes());
}

fn diagnosis(used: u64, resident: u64, total: u64) -> &'static str {
    if resident < SMALL {
        "The server holds next to nothing: there is nothing to say about its memory.\n"
    } else if total > 0 && resident > total / 10 * 9 {
        "The server has nearly all the memory of the machine: give it a lower maxmemory, or the machine more.\n"
    } else if resident > used.max(SMALL) / 2 * 3 {
        "The process has half as much again as is in use, or more: what was freed may not have gone back to the system.\n"
    } else {
        "There is nothing odd about the server's memory.\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diagnosis_looks_at_what_there_is() {
        const MB: u64 = 1 << 20;
        assert!(diagnosis(MB, MB, 100 * MB).contains("next to nothing"));
        assert!(diagnosis(95 * MB, 95 * MB, 100 * MB).contains("maxmemory"));
        assert!(diagnosis(10 * MB, 20 * MB, 100 * MB).contains("half as much"));
        assert!(diagnosis(10 * MB, 12 * MB, 100 * MB).contains("nothing odd"));
        assert!(diagnosis(0, 7 * MB, 100 * MB).contains("nothing odd"));
    }
}
