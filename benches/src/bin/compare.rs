//! Servers side by side on one machine: ours, redis-server, and the floor under both.
//!
//! Servers are pinned to one CPU, redis-benchmark to another. Within a scenario the servers take turns, round after
//! round, so that drift of the machine meets all alike. Printed are medians, and the ratio of each server to the first
//! one named. The figure to look at is the server's CPU per request: it does not follow the load generator.
#![expect(clippy::print_stdout, reason = "a report is what this program is for")]

use std::error::Error;

use clap::Parser;
use nuthatch_benches::load::{Load, Measured, SCENARIOS, Scenario, median};
use nuthatch_benches::server::{Server, ServerSpec};

/// Compares servers by CPU per request and memory per key.
#[derive(Parser)]
struct Options {
    /// Requests per run; scenarios with pipelining take a multiple.
    #[arg(long, default_value_t = 400_000)]
    reqs: usize,
    /// Distinct keys.
    #[arg(long, default_value_t = 200_000)]
    keys: usize,
    /// Keys in the memory scenario.
    #[arg(long, default_value_t = 1_000_000)]
    memkeys: usize,
    /// Connections.
    #[arg(long, default_value_t = 50)]
    conns: usize,
    /// Rounds per scenario.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Bytes in a value.
    #[arg(long, default_value_t = 64)]
    size: usize,
    /// The servers' CPU.
    #[arg(long, default_value_t = 0)]
    server_cpu: usize,
    /// The load generator's CPU.
    #[arg(long, default_value_t = 1)]
    load_cpu: usize,
    /// Which scenarios to run, in this order.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "set1,get1,set16,get16,set64,get64,incr16,lpush16,hset16,sadd16,zadd16,mset16,lrange16,mem"
    )]
    scenarios: Vec<String>,
    /// NAME=COMMAND with {port} and {dir}; may be repeated, replaces the usual three.
    #[arg(long = "server", value_parser = ServerSpec::parse)]
    servers: Vec<ServerSpec>,
    /// Leave the floor out.
    #[arg(long)]
    no_floor: bool,
}

/// The name of the server that only answers +OK.
const FLOOR: &str = "echo-floor";

impl Options {
    fn specs(&self) -> Result<Vec<ServerSpec>, Box<dyn Error>> {
        let mut specs = self.servers.clone();
        let here = std::env::current_exe()?;
        let beside = |name: &str| here.with_file_name(name).display().to_string();
        if specs.is_empty() {
            let redis = "redis=redis-server --port {port} --dir {dir} --save \"\" --appendonly no";
            let ours = format!("nuthatch={} server --port {{port}} --dir {{dir}}", beside("nuthatch"));
            specs.push(ServerSpec::parse(redis)?);
            specs.push(ServerSpec::parse(&ours)?);
        }
        if !self.no_floor {
            specs.push(ServerSpec::parse(&format!("{FLOOR}={} --port {{port}}", beside(FLOOR)))?);
        }
        Ok(specs)
    }

    fn load(&self) -> Load {
        Load { connections: self.conns, keys: self.keys, size: self.size, cpu: self.load_cpu }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let specs = options.specs()?;
    println!(
        "# server cpu {}, load cpu {}, {} connections, value {} B, {} keys, {} rounds",
        options.server_cpu, options.load_cpu, options.conns, options.size, options.keys, options.rounds
    );
    for name in &options.scenarios {
        if name == "mem" {
            memory(&options, &specs)?;
        } else {
            let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
            speed(&options, &specs, scenario.ok_or_else(|| format!("no scenario {name}"))?)?;
        }
    }
    Ok(())
}

fn speed(options: &Options, specs: &[ServerSpec], scenario: &Scenario) -> Result<(), Box<dyn Error>> {
    let load = options.load();
    let start = |spec| Server::start(spec, options.server_cpu);
    let servers = specs.iter().map(start).collect::<Result<Vec<_>, _>>()?;
    for server in &servers {
        load.prepare(server, scenario)?;
    }
    let mut runs: Vec<Vec<Measured>> = vec![Vec::new(); servers.len()];
    for _ in 0..options.rounds {
        for (server, runs) in servers.iter().zip(&mut runs) {
            runs.push(load.run(server, scenario, options.reqs * scenario.factor)?);
        }
    }
    println!("{:9} pipeline {}", scenario.name, scenario.pipeline);
    let mut base = None;
    for (server, runs) in servers.iter().zip(&runs) {
        let of = |figure: fn(&Measured) -> f64| median(runs.iter().map(figure).collect());
        let (rate, cpu) = (of(|run| run.rate), of(|run| run.cpu));
        let (base_rate, base_cpu) = *base.get_or_insert((rate, cpu));
        println!(
            "  {:14} {rate:10.0} rps x{:.2}   {cpu:7.3} us cpu/req x{:.2}   p50 {:.3} ms  p99 {:.3} ms",
            server.name,
            rate / base_rate,
            cpu / base_cpu,
            of(|run| run.p50),
            of(|run| run.p99),
        );
    }
    Ok(())
}

fn memory(options: &Options, specs: &[ServerSpec]) -> Result<(), Box<dyn Error>> {
    println!(
        "{:9} bytes of resident memory per key over {} keys (16 B key, {} B value)",
        "mem", options.memkeys, options.size
    );
    let mut base = None;
    for spec in specs.iter().filter(|spec| spec.name != FLOOR) {
        let server = Server::start(spec, options.server_cpu)?;
        let bytes = options.load().bytes_per_key(&server, options.memkeys)?;
        println!("  {:14} {bytes:8.1} B/key   x{:.2}", spec.name, bytes / *base.get_or_insert(bytes));
    }
    Ok(())
}
