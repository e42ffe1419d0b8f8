//! The store in this process: commands on 200,000 keys, or on one collection of 200,000 elements.
//!
//! Keys are chosen at random, so that the memory touched is cold as in a real cache, and requests come in batches, so that
//! the engine may ask for it early. The allocator is mimalloc, as the server's.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nuthatch_benches::local::{self, Request, Thread};
use nuthatch_benches::workload::{self, Popularity, element, key};
use nuthatch_engine::Rng;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEYS: usize = 200_000;
/// Requests in a batch, as a socket with a deep pipeline would bring them.
const BATCH: usize = 64;

/// Makes the request that names a number.
type Make = fn(usize, &mut Rng) -> Request;

fn score(rng: &mut Rng) -> Vec<u8> {
    rng.below(KEYS).to_string().into_bytes()
}

const CASES: [(&str, Make); 7] = [
    ("get", |number, _| Request::new(&[b"GET", &key(number)])),
    ("set", |number, _| Request::new(&[b"SET", &key(number), &workload::value(64)])),
    ("incr", |number, _| Request::new(&[b"INCR", &[b"counter:", &key(number)[..]].concat()])),
    ("hset", |number, _| Request::new(&[b"HSET", b"hash", &element(number), &workload::value(64)])),
    ("sadd", |number, _| Request::new(&[b"SADD", b"set", &element(number)])),
    ("zadd", |number, rng| Request::new(&[b"ZADD", b"sorted set", &score(rng), &element(number)])),
    ("lpush", |_, _| Request::new(&[b"LPUSH", b"list", &workload::value(64)])),
];

fn commands(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, make) in CASES {
        let (engine, mut thread, mut rng) = (local::engine(), Thread::default(), Rng::new(1));
        let fill: Make = if name == "get" { CASES[1].1 } else { make };
        for number in 0..KEYS {
            thread.run(&engine, [&fill(number, &mut rng)]);
        }
        let popularity = Popularity::uniform(KEYS);
        let requests: Vec<Request> = (0..1_000 * BATCH)
            .map(|_| {
                let number = popularity.draw(&mut rng);
                make(number, &mut rng)
            })
            .collect();
        let mut batches = requests.chunks_exact(BATCH).cycle();
        group.bench_function(name, |bencher| {
            bencher.iter(|| batches.next().map(|batch| thread.run(&engine, batch)));
        });
    }
    group.finish();
}

criterion_group!(benches, commands);
criterion_main!(benches);
