//! The request decoder: bytes to arguments.
//!
//! Whole requests and pipelines of them, as one read brings them; the decoder is kept between them as a connection keeps it.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nuthatch_benches::workload::{key, request, value};
use nuthatch_proto::resp::{Decoded, Decoder, Limits};

/// Decodes a buffer of whole requests as a connection does; how many there were.
fn decode_all(decoder: &mut Decoder, buffer: &mut [u8], limits: &Limits) -> usize {
    let (mut start, mut requests, mut spans) = (0, 0, Vec::with_capacity(64));
    while start < buffer.len() {
        spans.clear();
        match decoder.decode(buffer, start, limits, &mut spans) {
            Ok(Decoded::Request { end }) => (start, requests) = (end, requests + 1),
            Ok(Decoded::Nothing { end }) => start = end,
            Ok(Decoded::Incomplete { .. }) | Err(_) => break,
        }
        black_box(&spans);
    }
    requests
}

fn decode(criterion: &mut Criterion) {
    let (get, set) = (request(&[b"GET", &key(123_456)]), request(&[b"SET", &key(123_456), &value(64)]));
    let cases = [
        ("get", get.clone(), 1),
        ("set 64 B", set.clone(), 1),
        ("get x16", get.repeat(16), 16),
        ("set 64 B x16", set.repeat(16), 16),
        ("inline ping", b"PING\r\n".to_vec(), 1),
    ];
    let mut group = criterion.benchmark_group("decode");
    for (name, mut bytes, requests) in cases {
        group.throughput(Throughput::Elements(requests));
        let (mut decoder, limits) = (Decoder::default(), Limits::default());
        assert_eq!(decode_all(&mut decoder, &mut bytes, &limits) as u64, requests);
        group.bench_function(name, |bencher| {
            bencher.iter(|| decode_all(&mut decoder, black_box(&mut bytes), &limits));
        });
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
