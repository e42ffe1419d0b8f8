//! A server for a suite: ours or redis-server, fresh, alone, on a port.
//!
//! Suites leave state behind that makes the next unit hang, so each unit gets a process of its own in a directory of its
//! own. In cluster mode that one node owns all slots, or three nodes own a third each.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::programs::run;
use super::{Setup, Side, Trouble};

/// How long a server may take to answer its first command.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Where servers listen.
const PORTS: Range<u16> = 21_900..21_990;

/// How far from its port redis-server listens for other nodes.
const BUS_DISTANCE: u16 = 10_000;

/// How many nodes a cluster has.
pub const NODES: u16 = 3;

/// A port from which on as many as a cluster needs are free. Runs beside each other begin to look in different places,
/// because servers take a port only some time after it has been found free.
pub fn free_ports() -> Result<u16, Trouble> {
    let groups = (PORTS.end - PORTS.start) / NODES;
    let first = usize::try_from(std::process::id() * 7).unwrap_or_default() % usize::from(groups);
    let free = |first: &u16| {
        let bus = (0..NODES).map(|number| first + number + BUS_DISTANCE);
        (*first..first + NODES).chain(bus).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok())
    };
    let all = || PORTS.step_by(usize::from(NODES));
    let found = all().skip(first).chain(all().take(first)).find(free);
    found.ok_or_else(|| Trouble("no ports are free".to_owned()))
}

/// Where suites have ports of their own.
const SUITE_PORTS: Range<u16> = 23_000..31_000;

/// A port below which so many are free. Runs beside each other begin to look in different places, because a suite takes a
/// port only some time after it has found it free.
pub fn free_range(len: u16) -> Result<u16, Trouble> {
    let first = SUITE_PORTS.start + len * u16::try_from(std::process::id() % 100).unwrap_or_default();
    let free = |begin: &u16| (*begin..begin + len).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok());
    let found = (first..SUITE_PORTS.end - len).step_by(usize::from(len)).find(free);
    found.map(|begin| begin + len).ok_or_else(|| Trouble("no range of ports is free".to_owned()))
}

/// A running server; killed, and its directory removed, when dropped.
#[derive(Debug)]
pub struct Reference {
    child: Child,
    directory: PathBuf,
    /// Where it listens.
    pub port: u16,
}

impl Reference {
    /// Starts one that stands alone, or owns all slots. `log` receives what it prints.
    pub fn start(setup: &Setup, side: Side, cluster: bool, port: u16, log: &Path) -> Result<Self, Trouble> {
        let server = Self::launch(setup, side, cluster, port, log)?;
        if cluster {
            server.answers_to(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"], "+OK")?;
            server.answers_to(&["SET", "conformance", "1"], "+OK")?;
            server.answers_to(&["DEL", "conformance"], ":1")?;
        }
        Ok(server)
    }

    /// Starts a process that answers.
    fn launch(setup: &Setup, side: Side, cluster: bool, port: u16, log: &Path) -> Result<Self, Trouble> {
        let directory = setup.work.join(format!("data-{port}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).map_err(Trouble::when("making the server's directory"))?;
        let mut command = match side {
            Side::Redis => Command::new("redis-server"),
            Side::Nuthatch => {
                let mut command = Command::new(&setup.nuthatch);
                command.arg("server");
                command
            }
        };
        command.args(["--port", &port.to_string(), "--dir"]).arg(&directory);
        command.args(["--save", "", "--enable-debug-command", "yes", "--enable-protected-configs", "yes"]);
        // Some tests count on requests of several connections running in the order in which they were sent.
        command.args(["--io-threads", "1"]);
        if side == Side::Nuthatch {
            command.args(setup.options);
        }
        if cluster {
            command.args(["--cluster-enabled", "yes"]);
        }
        let output = File::create(log).map_err(Trouble::when(format!("writing {}", log.display())))?;
        let errors = output.try_clone().map_err(Trouble::when("sharing the log"))?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors).current_dir(&directory);
        let child = command.spawn().map_err(Trouble::when(format!("starting {}", side.name())))?;
        let server = Self { child, directory, port };
        server.answers_to(&["PING"], "+PONG")?;
        Ok(server)
    }

    /// Whether it has ended by itself.
    pub fn has_crashed(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }

    /// Asks until the answer has that in it.
    fn answers_to(&self, words: &[&str], answer: &str) -> Result<(), Trouble> {
        let begun = Instant::now();
        let mut last = String::from("nothing");
        while begun.elapsed() < START_LIMIT {
            match self.ask(words) {
                Ok(reply) if reply.contains(answer) => return Ok(()),
                Ok(reply) => last = reply,
                Err(error) => last = error.to_string(),
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        Err(Trouble(format!("the server on port {} answers {words:?} with {last}", self.port)))
    }

    fn ask(&self, words: &[&str]) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        stream.write_all(request.as_bytes())?;
        let mut reply = [0; 512];
        let len = stream.read(&mut reply)?;
        Ok(String::from_utf8_lossy(&reply[..len]).into_owned())
    }
}

/// A running cluster, made by redis-cli.
#[derive(Debug)]
pub struct Cluster {
    /// Its nodes, on successive ports.
    pub nodes: Vec<Reference>,
}

impl Cluster {
    /// Starts one whose first node listens on `port`. `log` receives what the nodes print, with a number at its end.
    pub fn start(setup: &Setup, side: Side, port: u16, log: &Path) -> Result<Self, Trouble> {
        let launch = |number: u16| {
            let log = log.with_extension(format!("server{number}"));
            Reference::launch(setup, side, true, port + number, &log)
        };
        let nodes = (0..NODES).map(launch).collect::<Result<Vec<_>, _>>()?;
        let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        let mut command = Command::new("redis-cli");
        run(command.args(["--cluster", "create"]).args(addresses).arg("--cluster-yes"))?;
        for node in &nodes {
            for line in ["cluster_state:ok".to_owned(), format!("cluster_known_nodes:{NODES}")] {
                node.answers_to(&["CLUSTER", "INFO"], &line)?;
            }
        }
        Ok(Self { nodes })
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
