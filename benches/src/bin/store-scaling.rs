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
use nuthatch_benches::local::{self, Requests, Thread};
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
    let mut fill = Requests::default();
    (0..options.keys).for_each(|number| fill.push(&[b"SET", &workload::key(number), &value]));
    Thread::default().run_all(&engine, &fill);
    drop(fill);
    let requests: Vec<Requests> = (0..2).map(|seed| prepare(&options, seed)).collect();
    let (mut one, mut two) = (Rate::default(), Rate::default());
    for _ in 0..options.rounds {
        // Either CPU may be the slower one: a single thread is the mean of both.
        let first = round(&options, &engine, &requests[..1], 0);
        let second = round(&options, &engine, &requests[1..], 1);
        one.keep_best(Rate { wall: (first.wall + second.wall) / 2.0, cpu: (first.cpu + second.cpu) / 2.0 });
        two.keep_best(round(&options, &engine, &requests, 0));
    }
    println!(
        "{} keys, {} B values, {} of 10 requests read, best of {} rounds",
        options.keys, options.size, options.reads, options.rounds
    );
    let million = |rate: f64| rate / 1e6;
    println!("  one thread   {:8.2} M requests/s", million(one.wall));
    println!("  two threads  {:8.2} M requests/s   x{:.2}", million(two.wall), two.wall / one.wall);
    println!("per second of CPU, which tells the threads' cost to each other on a busy machine:");
    println!("  one thread   {:8.2} M requests", million(one.cpu));
    println!("  two threads  {:8.2} M requests     x{:.2}", million(two.cpu), two.cpu / one.cpu);
}

/// Requests per second of time, and per second of the threads' CPU time; of several threads the sum.
#[derive(Debug, Default, Clone, Copy)]
struct Rate {
    wall: f64,
    cpu: f64,
}

impl Rate {
    fn keep_best(&mut self, other: Self) {
        *self = Self { wall: self.wall.max(other.wall), cpu: self.cpu.max(other.cpu) };
    }
}

fn prepare(options: &Options, seed: u64) -> Requests {
    let (popularity, value) = (Popularity::uniform(options.keys), workload::value(options.size));
    let (mut rng, mut requests) = (Rng::new(seed), Requests::default());
    for _ in 0..PREPARED {
        let key = workload::key(popularity.draw(&mut rng));
        if rng.below(10) < options.reads {
            requests.push(&[b"GET", &key]);
        } else {
            requests.push(&[b"SET", &key, &value]);
        }
    }
    requests
}

/// One thread per list of requests, on consecutive CPUs; the rates of all together.
fn round(options: &Options, engine: &Engine, requests: &[Requests], first_cpu: usize) -> Rate {
    let (barrier, length) = (Barrier::new(requests.len()), Duration::from_millis(options.millis));
    std::thread::scope(|scope| {
        let start = |(index, requests)| {
            let barrier = &barrier;
            scope.spawn(move || {
                pin(first_cpu + index);
                barrier.wait();
                rate(engine, requests, length)
            })
        };
        let threads: Vec<_> = requests.iter().enumerate().map(start).collect();
        let rates = threads.into_iter().filter_map(|thread| thread.join().ok());
        rates.fold(Rate::default(), |sum, rate| Rate { wall: sum.wall + rate.wall, cpu: sum.cpu + rate.cpu })
    })
}

fn rate(engine: &Engine, requests: &Requests, length: Duration) -> Rate {
    let (mut thread, mut done, begun, used) = (Thread::default(), 0, Instant::now(), cpu_seconds());
    for batch in requests.batches(BATCH) {
        done += batch.len();
        thread.run(engine, requests, batch);
        if begun.elapsed() >= length {
            break;
        }
    }
    let done = done as f64;
    Rate { wall: done / begun.elapsed().as_secs_f64(), cpu: done / (cpu_seconds() - used) }
}

/// The calling thread's CPU time.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|number| number.parse().ok());
    nanoseconds.map_or(f64::NAN, |nanoseconds: f64| nanoseconds / 1e9)
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
