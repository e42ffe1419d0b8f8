//! Real servers on loopback ports: start, ask, kill, start again.
//!
//! A [`Server`] is one process in a directory of its own, on a port whose cluster port is free as well. It is killed and
//! its directory removed when it is dropped. Tests wait for conditions ([`eventually`]), never for time: the limit there
//! only ends a test that has failed.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use nuthatch_proto::resp::{Frame, FrameDecoder, FrameLimits};

/// How long a condition may take to come true on the slowest machine that runs the tests.
const LIMIT: Duration = Duration::from_secs(60);

/// How long a server may take to answer one command.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// The cluster port's distance from the port for clients.
const CLUSTER_PORT_OFFSET: u16 = 10_000;

/// Below the ports that the system gives to outgoing connections, cluster ports included.
const PORTS: std::ops::Range<u16> = 11_000..22_000;

/// A port that is free, and whose cluster port is.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let count = PORTS.end - PORTS.start;
    // Test processes that run at the same time begin at different places.
    let begin = u16::try_from(process::id().wrapping_mul(7919) % u32::from(count)).expect("below the count");
    let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
    loop {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + (begin + offset % count) % count;
        if is_free(port) && is_free(port + CLUSTER_PORT_OFFSET) {
            return port;
        }
    }
}

/// Waits until the condition holds.
///
/// # Panics
/// If it does not within a minute.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LIMIT, "never came true: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A node of a cluster.
    Node,
    /// A server on its own.
    Standalone,
    /// redis-server on its own.
    Redis,
}

/// One server process.
#[derive(Debug)]
pub struct Server {
    kind: Kind,
    binary: PathBuf,
    directory: PathBuf,
    /// Its port for clients.
    pub port: u16,
    options: Vec<String>,
    child: Option<Child>,
}

impl Server {
    /// A node of a cluster, started and answering.
    pub fn start(binary: &str, options: &[&str]) -> Self {
        Self::start_at(binary, |_| options.iter().map(|option| (*option).to_owned()).collect())
    }

    /// The same with options that name its own port.
    pub fn start_at(binary: &str, options: impl FnOnce(u16) -> Vec<String>) -> Self {
        Self::start_as(Kind::Node, binary, options)
    }

    /// A server that is in no cluster, started and answering.
    pub fn standalone(binary: &str, options: &[&str]) -> Self {
        Self::start_as(Kind::Standalone, binary, |_| {
            options.iter().map(|&option| option.to_owned()).collect()
        })
    }

    /// A redis-server that is in no cluster, started and answering; `None` if there is none on this machine.
    pub fn redis(options: &[&str]) -> Option<Self> {
        let there = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
        there.is_ok().then(|| {
            let options = options.iter().map(|&option| option.to_owned()).collect();
            Self::start_as(Kind::Redis, "redis-server", |_| options)
        })
    }

    fn start_as(kind: Kind, binary: &str, options: impl FnOnce(u16) -> Vec<String>) -> Self {
        let port = free_port();
        let directory = env::temp_dir().join(format!("nuthatch-process-{}-{port}", process::id()));
        fs::create_dir_all(&directory).expect("the temporary directory is writable");
        let options = options(port);
        let mut server = Self { kind, binary: binary.into(), directory, port, options, child: None };
        server.restart();
        server
    }

    /// The command line for a node in that directory.
    fn invocation(&self, port: u16, directory: &Path) -> Command {
        let mut command = Command::new(&self.binary);
        if self.kind != Kind::Redis {
            command.arg("server");
        }
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
        command.args(match self.kind {
            Kind::Node => ["--cluster-enabled", "yes"],
            Kind::Standalone | Kind::Redis => ["--enable-debug-command", "yes"],
        });
        command.arg("--dir").arg(directory).args(&self.options).stdin(Stdio::null());
        command
    }

    /// Starts it again, with what it left in its directory, and waits until it answers.
    pub fn restart(&mut self) {
        self.kill();
        let log = fs::File::options().create(true).append(true).open(self.directory.join("log"));
        let log = log.expect("its directory is writable");
        let mut command = self.invocation(self.port, &self.directory);
        command.stderr(log.try_clone().expect("a descriptor")).stdout(log);
        self.child = Some(command.spawn().expect("the server's binary runs"));
        eventually("the server answers PING", || self.try_command(&["PING"]).is_ok());
    }

    /// Gives it another port for its next start.
    pub fn move_to_another_port(&mut self) {
        self.port = free_port();
    }

    /// The options for its next start.
    pub fn set_options(&mut self, options: &[&str]) {
        self.options = options.iter().map(|option| (*option).to_owned()).collect();
    }

    /// Kills it, as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts a second process on this server's directory, which must end by itself; its status and what it said.
    pub fn start_another_here(&self) -> (ExitStatus, String) {
        let output = self.invocation(free_port(), &self.directory).output().expect("the binary runs");
        let mut said = String::from_utf8_lossy(&output.stderr).into_owned();
        said.push_str(&String::from_utf8_lossy(&output.stdout));
        (output.status, said)
    }

    /// Runs a command.
    ///
    /// # Errors
    /// If the server is not there or does not answer. An error reply is an answer.
    pub fn try_command(&self, words: &[&str]) -> io::Result<Frame> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        stream.write_all(request.as_bytes())?;
        read_frame(&mut stream)
    }

    /// Runs a command; what it answered as text, an error with its code first.
    ///
    /// # Panics
    /// If it does not answer.
    #[track_caller]
    pub fn command(&self, line: &str) -> String {
        let words: Vec<_> = line.split_whitespace().collect();
        match self.try_command(&words) {
            Ok(Frame::Integer(number)) => number.to_string(),
            Ok(Frame::Error(text)) => text,
            Ok(frame) => frame.as_text().map_or_else(|| format!("{frame:?}"), str::to_owned),
            Err(error) => panic!("port {} does not answer {line:?}: {error}", self.port),
        }
    }

    /// A field of INFO.
    ///
    /// # Panics
    /// If there is none of that name.
    #[track_caller]
    pub fn info(&self, field: &str) -> String {
        self.find_info(field).unwrap_or_else(|| panic!("INFO has no field {field}"))
    }

    /// A field of INFO, if there is one of that name.
    pub fn find_info(&self, field: &str) -> Option<String> {
        let info = self.command("INFO");
        let value = |line: &str| line.strip_prefix(field)?.strip_prefix(':').map(str::to_owned);
        info.lines().find_map(value)
    }

    /// Runs a command that must answer OK.
    #[track_caller]
    pub fn ok(&self, line: &str) {
        assert_eq!(self.command(line), "OK", "{line} at port {}", self.port);
    }

    /// Sends lines on one connection, each after the reply to the one before; the first line of each reply.
    pub fn converse(&self, lines: &[&str]) -> Vec<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream.set_read_timeout(Some(ANSWER_LIMIT)).expect("the limit is not nought");
        let mut replies = BufReader::new(stream.try_clone().expect("a descriptor is free"));
        let mut talk = |line: &str| {
            stream.write_all(format!("{line}\r\n").as_bytes()).expect("it reads");
            let mut reply = String::new();
            replies.read_line(&mut reply).expect("it answers");
            reply.trim_end().to_owned()
        };
        lines.iter().map(|line| talk(line)).collect()
    }

    /// The cluster as this node sees it, comparable between nodes: for each member its id, address and slots.
    pub fn signature(&self) -> Vec<String> {
        let nodes = self.command("CLUSTER NODES");
        let member = |line: &str| {
            let words: Vec<_> = line.split(' ').collect();
            let slots = words.get(8..).unwrap_or_default().join(" ");
            format!("{} {} {slots}", words[0], words[1])
        };
        nodes.lines().map(member).collect()
    }
}

fn read_frame(stream: &mut TcpStream) -> io::Result<Frame> {
    let mut decoder = FrameDecoder::new(FrameLimits::default());
    let (mut received, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        received.extend_from_slice(&chunk[..count]);
        let (done, frame) = decoder.decode(&received).map_err(io::Error::other)?;
        if let Some(frame) = frame {
            return Ok(frame);
        }
        received.drain(..done);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            #[expect(clippy::print_stderr, reason = "a failed test shows what the server said")]
            let () = eprintln!("--- log of the server on port {}\n{log}", self.port);
        }
        // A directory that cannot be removed is the system's to clean.
        let _ = fs::remove_dir_all(&self.directory);
    }
}
