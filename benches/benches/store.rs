//! The store in this process: commands on 200,000 keys, or on one collection of 200,000 elements.
//!
//! Keys are chosen at random, so that the memory touched is cold as in a real cache, and requests come in batches, so that
//! the engine may ask for it early. The allocator is mimalloc, as the server's.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nuthatch_benches::local::{self, Requests, Thread};
use nuthatch_benches::workload::{self, Popularity, element, key};
use nuthatch_engine::Rng;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEYS: usize = 200_000;
/// Requests in a batch, as a socket with a deep pipeline would bring them.
const BATCH: usize = 64;

/// Adds the request that names a number.
type Make = fn(&mut Requests, usize, &mut Rng);

fn score(rng: &mut Rng) -> Vec<u8> {
    rng.below(KEYS).to_string().into_bytes()
}

const CASES: [(&str, Make); 7] = [
    ("get", |to, number, _| to.push(&[b"GET", &key(number)])),
    ("set", |to, number, _| to.push(&[b"SET", &key(number), &workload::value(64)])),
    ("incr", |to, number, _| to.push(&[b"INCR", &[b"counter:", &key(number)[..]].concat()])),
    ("hset", |to, number, _| to.push(&[b"HSET", b"hash", &element(number), &workload::value(64)])),
    ("sadd", |to, number, _| to.push(&[b"SADD", b"set", &element(number)])),
    ("zadd", |to, number, rng| to.push(&[b"ZADD", b"sorted set", &score(rng), &element(number)])),
    ("lpush", |to, _, _| to.push(&[b"LPUSH", b"list", &workload::value(64)])),
];

fn commands(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, make) in CASES {
        let (engine, mut thread, mut rng) = (local::engine(), Thread::default(), Rng::new(1));
        let (mut fill, mut requests) = (Requests::default(), Requests::default());
        let first: Make = if name == "get" { CASES[1].1 } else { make };
        (0..KEYS).for_each(|number| first(&mut fill, number, &mut rng));
        thread.run_all(&engine, &fill);
        let popularity = Popularity::uniform(KEYS);
        for _ in 0..1_000 * BATCH {
            let number = popularity.draw(&mut rng);
            make(&mut requests, number, &mut rng);
        }
        let mut batches = requests.batches(BATCH);
        group.bench_function(name, |bencher| {
            bencher.iter(|| batches.next().map(|batch| thread.run(&engine, &requests, batch)));
        });
    }
    group.finish();
}

criterion_group!(benches, commands);
criterion_main!(benches);
