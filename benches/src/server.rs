//! A server process under measurement: started on a CPU of its own, watched through /proc, ended with the run.
//!
//! CPU time is the sum of the run times in `schedstat` over all threads of the process and its children, user and
//! system, in nanoseconds.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const START: Duration = Duration::from_secs(20);

/// How a server is started: a name, and a command in which `{port}` and `{dir}` are filled in.
#[derive(Debug, Clone)]
pub struct ServerSpec {
    /// What it is called in the report.
    pub name: String,
    /// The words of its command line.
    pub command: Vec<String>,
}

impl ServerSpec {
    /// Reads `NAME=command with {port} {dir}`; words are split at spaces, `""` is an empty one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, command) = text.split_once('=').ok_or("expected NAME=COMMAND")?;
        let word = |word: &str| if word == "\"\"" { String::new() } else { word.to_owned() };
        let command: Vec<String> = command.split_whitespace().map(word).collect();
        if command.is_empty() {
            return Err("the command is empty".to_owned());
        }
        Ok(Self { name: name.to_owned(), command })
    }
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Server {
    /// Its name in the report.
    pub name: String,
    /// Where it listens, on the loopback address.
    pub port: u16,
    child: Child,
    dir: PathBuf,
}

impl Server {
    /// Starts a server on one CPU and waits until it answers.
    pub fn start(spec: &ServerSpec, cpu: usize) -> io::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let dir = std::env::temp_dir().join(format!("nuthatch-compare-{}-{}", std::process::id(), spec.name));
        fs::create_dir_all(&dir)?;
        let log = fs::File::create(dir.join("log"))?;
        let fill = |word: &String| {
            word.replace("{port}", &port.to_string()).replace("{dir}", &dir.display().to_string())
        };
        let child = Command::new("taskset")
            .args(["-c", &cpu.to_string()])
            .args(spec.command.iter().map(fill))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut server = Self { name: spec.name.clone(), port, child, dir };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < START {
            if self.answers() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
                return Err(io::Error::other(format!("{} ended with {status}: {log}", self.name)));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(io::Error::other(format!("{} did not answer within {START:?}", self.name)))
    }

    fn answers(&self) -> bool {
        let ping = || -> io::Result<bool> {
            let mut stream = self.connect()?;
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            stream.write_all(b"*1\r\n$4\r\nPING\r\n")?;
            let mut answer = [0; 1];
            stream.read_exact(&mut answer)?;
            Ok(answer == *b"+")
        };
        ping().unwrap_or(false)
    }

    /// A connection to it.
    pub fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect(("127.0.0.1", self.port))
    }

    /// The CPU time it has used, in nanoseconds.
    pub fn cpu_nanoseconds(&self) -> u64 {
        tree(self.child.id()).into_iter().map(run_time).sum()
    }

    /// Its resident memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        tree(self.child.id()).into_iter().map(resident).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A process and its descendants.
fn tree(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    let parents = parents();
    while next < found.len() {
        let parent = found[next];
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(process, _)| *process));
        next += 1;
    }
    found
}

/// Every process with its parent.
fn parents() -> Vec<(u32, u32)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| {
            let process = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
            // After the name in parentheses: the state, then the parent.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            Some((process, parent))
        })
        .collect()
}

fn run_time(process: u32) -> u64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return 0 };
    threads
        .filter_map(|thread| {
            let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        })
        .sum()
}

fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_split_at_spaces() {
        let spec = ServerSpec::parse("redis=redis-server --port {port} --save \"\"").expect("well-formed");
        assert_eq!(spec.name, "redis");
        assert_eq!(spec.command, ["redis-server", "--port", "{port}", "--save", ""]);
        assert!(ServerSpec::parse("redis").is_err());
        assert!(ServerSpec::parse("redis= ").is_err());
    }

    #[test]
    fn this_process_has_used_time_and_memory() {
        let me = std::process::id();
        assert!(tree(me).contains(&me));
        assert!(run_time(me) > 0);
        assert!(resident(me) > 100_000);
    }
}
