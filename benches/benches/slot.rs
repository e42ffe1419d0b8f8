//! What every command pays before it runs: the hash slot of its key, and its row in the command table.
//!
//! Both are paid by every request, however small, and both should be some nanoseconds.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use nuthatch_benches::workload::key;
use nuthatch_proto::command_table::lookup;
use nuthatch_proto::slot::Slot;

fn slot_of_key(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("slot");
    let cases: [(&str, Vec<u8>); 3] =
        [("16 B", key(123_456)), ("hash tag", b"{user:1000}.following".to_vec()), ("64 B", vec![b'k'; 64])];
    for (name, key) in cases {
        group.bench_function(name, |bencher| bencher.iter(|| Slot::of_key(black_box(&key))));
    }
    group.finish();
}

fn command(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("command");
    for name in ["GET", "set", "ZADD", "pexpiretime", "no-such-command"] {
        group.bench_function(name, |bencher| bencher.iter(|| lookup(black_box(name.as_bytes()))));
    }
    group.finish();
}

criterion_group!(benches, slot_of_key, command);
criterion_main!(benches);
