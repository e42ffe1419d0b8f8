//! Load from outside: redis-benchmark on a CPU of its own, and what it cost the server.
//!
//! CPU time is read from the server's process before and after, for it says what a request costs; the rate says as much of
//! the load generator. The table that redis-benchmark prints is the only thing read from it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::Command;

use crate::server::Server;
use crate::workload;

/// What the load is like, whatever the scenario.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Connections.
    pub connections: usize,
    /// Distinct keys, or elements of the one collection.
    pub keys: usize,
    /// Bytes in a value.
    pub size: usize,
    /// The CPU redis-benchmark runs on.
    pub cpu: usize,
}

/// One of redis-benchmark's tests at one depth of pipelining.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// What it is called here: `set16`.
    pub name: &'static str,
    /// What redis-benchmark calls it.
    pub test: &'static str,
    /// Requests sent before a reply is awaited.
    pub pipeline: usize,
    /// How many times the usual number of requests: deeper pipelines need more for the same time.
    pub factor: usize,
}

const fn scenario(name: &'static str, test: &'static str, pipeline: usize, factor: usize) -> Scenario {
    Scenario { name, test, pipeline, factor }
}

/// All scenarios.
pub const SCENARIOS: [Scenario; 13] = [
    scenario("set1", "set", 1, 1),
    scenario("get1", "get", 1, 1),
    scenario("set16", "set", 16, 4),
    scenario("get16", "get", 16, 4),
    scenario("set64", "set", 64, 6),
    scenario("get64", "get", 64, 6),
    scenario("incr16", "incr", 16, 4),
    scenario("lpush16", "lpush", 16, 4),
    scenario("hset16", "hset", 16, 4),
    scenario("sadd16", "sadd", 16, 4),
    scenario("zadd16", "zadd", 16, 4),
    scenario("mset16", "mset", 16, 1),
    scenario("lrange16", LRANGE_100, 16, 1),
];

/// What one run of a scenario showed.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Requests per second; follows the load generator as much as the server.
    pub rate: f64,
    /// Microseconds of the server's CPU per request.
    pub cpu: f64,
    /// The median latency in milliseconds.
    pub p50: f64,
    /// The latency that one request in a hundred exceeds, in milliseconds.
    pub p99: f64,
}

/// What GET reads.
const FILL: Scenario = scenario("fill", "set", 64, 1);

/// The one of redis-benchmark's tests that would push as many items as it asks for requests, and count that time too.
const LRANGE_100: &str = "lrange_100";

impl Load {
    /// Puts into a fresh server what a scenario reads.
    pub fn prepare(&self, server: &Server, scenario: &Scenario) -> io::Result<()> {
        match scenario.test {
            "get" => self.run(server, &FILL, self.keys * 4).map(drop),
            LRANGE_100 => self.push_list(server),
            _ => Ok(()),
        }
    }

    fn push_list(&self, server: &Server) -> io::Result<()> {
        let value = workload::value(self.size);
        let mut words: Vec<&[u8]> = vec![b"RPUSH", b"mylist"];
        words.resize(102, &value);
        let mut stream = server.connect()?;
        stream.write_all(&workload::request(&words))?;
        read_exactly(&mut stream, b":100\r\n".len())
    }

    /// Runs a test of so many requests against a server.
    pub fn run(&self, server: &Server, scenario: &Scenario, requests: usize) -> io::Result<Measured> {
        let before = server.cpu_nanoseconds();
        let what: &[&str] = match scenario.test {
            LRANGE_100 => &["lrange", "mylist", "0", "99"],
            test => &["-t", test],
        };
        let output = Command::new("taskset")
            .args(["-c", &self.cpu.to_string(), "redis-benchmark", "--csv"])
            .args(["-p", &server.port.to_string()])
            .args(["-c", &self.connections.to_string(), "-n", &requests.to_string()])
            .args(["-P", &scenario.pipeline.to_string(), "-r", &self.keys.to_string()])
            .args(["-d", &self.size.to_string()])
            .args(what)
            .output()?;
        let used = server.cpu_nanoseconds() - before;
        let text = String::from_utf8_lossy(&output.stdout);
        let row = text.lines().filter_map(parse_row).next_back();
        let Some([rate, p50, p99]) = row else {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(io::Error::other(format!("redis-benchmark measured nothing: {text}{errors}")));
        };
        Ok(Measured { rate, cpu: used as f64 / 1e3 / requests as f64, p50, p99 })
    }

    /// Puts `keys` strings into a server and returns how many bytes of resident memory each took.
    pub fn bytes_per_key(&self, server: &Server, keys: usize) -> io::Result<f64> {
        const BATCH: usize = 5_000;
        let before = server.resident_bytes();
        let (mut stream, value) = (server.connect()?, workload::value(self.size));
        for first in (0..keys).step_by(BATCH) {
            let batch = first..keys.min(first + BATCH);
            let requests: Vec<u8> =
                batch.clone().flat_map(|n| workload::request(&[b"SET", &workload::key(n), &value])).collect();
            stream.write_all(&requests)?;
            read_exactly(&mut stream, batch.len() * b"+OK\r\n".len())?;
        }
        // Freed buffers settle.
        std::thread::sleep(std::time::Duration::from_secs(1));
        Ok((server.resident_bytes() as f64 - before as f64) / keys as f64)
    }
}

fn read_exactly(stream: &mut TcpStream, mut wanted: usize) -> io::Result<()> {
    let mut buffer = [0; 64 * 1024];
    while wanted > 0 {
        let most = buffer.len().min(wanted);
        let got = stream.read(&mut buffer[..most])?;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        wanted -= got;
    }
    Ok(())
}

/// The rate and the two latencies of a row of redis-benchmark's table; `None` for its head and for anything else.
fn parse_row(line: &str) -> Option<[f64; 3]> {
    let fields: Vec<&str> = line.trim().trim_matches('"').split("\",\"").collect();
    let number = |index: usize| fields.get(index)?.parse().ok();
    if fields.len() < 8 { None } else { Some([number(1)?, number(4)?, number(6)?]) }
}

/// The middle of the values; of an even number the upper one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_from_the_head() {
        let head = r#""test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms""#;
        let row = r#""SET","123456.79","0.241","0.088","0.231","0.351","0.439","1.007""#;
        assert_eq!(parse_row(head), None);
        assert_eq!(parse_row("WARNING: no config"), None);
        assert_eq!(parse_row(row), Some([123_456.79, 0.231, 0.439]));
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!(median(Vec::new()).is_nan());
    }
}
