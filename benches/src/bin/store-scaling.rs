//! Two threads against one on the store, in this process: does the second thread pay?
//!
//! Each thread is pinned to a CPU of its own and runs its own random requests on the shared engine. One thread, two
//! threads and the second CPU alone take turns; the best round of each counts, since whatever else the machine does only
//! slows a round down. Printed is the rate of two threads over the rate of one.
#![expect(clippy::print_stdout, reason = "a report is what this program is for")]

use std::process::Command;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use clap::Parser;
use nuthatch_benches::local::{self, Request, Thread};
use nuthatch_benches::workload::{self, Popularity};
use nuthatch_engine::{Engine, Rng};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Compares two threads to one.
#[derive(Parser)]
struct Options {
    /// Distinct keys.
    #[arg(long, default_value_t = 200_000)]
    keys: usize,
    /// Bytes in a value.
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// How many of ten requests read.
    #[arg(long, default_value_t = 5)]
    reads: usize,
    /// Rounds.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Milliseconds of a round.
    #[arg(long, default_value_t = 200)]
    millis: u64,
}

/// Requests prepared for one thread: it runs them over and over.
const PREPARED: usize = 100_000;
/// Requests between two looks at the clock, as a batch from a socket would be.
const BATCH: usize = 64;

fn main() {
    let options = Options::parse();
    let engine = local::engine();
    let value = workload::value(options.size);
    let mut filler = Thread::default();
    for number in 0..options.keys {
        filler.run(&engine, [&Request::new(&[b"SET", &workload::key(number), &value])]);
    }
    let requests: Vec<Vec<Request>> = (0..2).map(|seed| prepare(&options, seed)).collect();
    let (mut one, mut two): (f64, f64) = (0.0, 0.0);
    for _ in 0..options.rounds {
        // Either CPU may be the slower one: a single thread is the mean of both.
        let alone = (0..2).map(|cpu| round(&options, &engine, &requests[cpu..=cpu], cpu)).sum::<f64>() / 2.0;
        one = one.max(alone);
        two = two.max(round(&options, &engine, &requests, 0));
    }
    println!(
        "{} keys, {} B values, {} of 10 requests read, best of {} rounds",
        options.keys, options.size, options.reads, options.rounds
    );
    println!("  one thread   {:8.2} M requests/s", one / 1e6);
    println!("  two threads  {:8.2} M requests/s   x{:.2}", two / 1e6, two / one);
}

fn prepare(options: &Options, seed: u64) -> Vec<Request> {
    let (popularity, value) = (Popularity::uniform(options.keys), workload::value(options.size));
    let mut rng = Rng::new(seed);
    (0..PREPARED)
        .map(|_| {
            let key = workload::key(popularity.draw(&mut rng));
            if rng.below(10) < options.reads {
                Request::new(&[b"GET", &key])
            } else {
                Request::new(&[b"SET", &key, &value])
            }
        })
        .collect()
}

/// One thread per list of requests, on consecutive CPUs; requests per second of all together.
fn round(options: &Options, engine: &Engine, requests: &[Vec<Request>], first_cpu: usize) -> f64 {
    let (barrier, length) = (Barrier::new(requests.len()), Duration::from_millis(options.millis));
    std::thread::scope(|scope| {
        let threads: Vec<_> = requests
            .iter()
            .enumerate()
            .map(|(index, requests)| {
                let barrier = &barrier;
                scope.spawn(move || {
                    pin(first_cpu + index);
                    barrier.wait();
                    rate(engine, requests, length)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(0.0)).sum()
    })
}

fn rate(engine: &Engine, requests: &[Request], length: Duration) -> f64 {
    let (mut thread, mut done, begun) = (Thread::default(), 0, Instant::now());
    for batch in requests.chunks_exact(BATCH).cycle() {
        thread.run(engine, batch);
        done += BATCH;
        if begun.elapsed() >= length {
            break;
        }
    }
    done as f64 / begun.elapsed().as_secs_f64()
}

/// Pins the calling thread to a CPU, through the program that does so for processes: no unsafe call is needed.
fn pin(cpu: usize) {
    let thread = std::fs::read_link("/proc/thread-self").ok();
    let id = thread.as_deref().and_then(|path| path.file_name()?.to_str().map(str::to_owned));
    let pinned = id.is_some_and(|id| {
        let command = Command::new("taskset").args(["-pc", &cpu.to_string(), &id]).output();
        command.is_ok_and(|output| output.status.success())
    });
    if !pinned {
        println!("# a thread could not be pinned to CPU {cpu}");
    }
}
