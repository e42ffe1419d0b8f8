//! The nodes as child processes: started, watched, stopped, and never left behind.
//!
//! A child is this binary again, as `nuthatch dev-node PARENT ...`: before it becomes a server it asks the kernel to be
//! ended when its parent ends, and makes sure that the parent still is who started it. So the children go even if the
//! parent is killed in a way that lets it do nothing.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use tokio::process::Command;
use tokio::time::timeout;

/// How long a child may take to end in good order.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// How many lines of a dead child's log are shown.
const LAST_LINES: usize = 10;

/// A child did not start, or did not stay.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChildError {
    /// It cannot be started.
    #[error("the node at port {port} cannot be started: {source}")]
    Start {
        /// Which.
        port: u16,
        /// Why not.
        source: io::Error,
    },
    /// It ended.
    #[error("the node at port {port} ended ({status}). The end of its log, {}:\n{last_lines}", log.display())]
    Died {
        /// Which.
        port: u16,
        /// How.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The end of that.
        last_lines: String,
    },
    /// It cannot be watched.
    #[error("the node at port {port} cannot be watched: {source}")]
    Watch {
        /// Which.
        port: u16,
        /// Why not.
        source: io::Error,
    },
}

/// One node's process.
pub(super) struct Child {
    port: u16,
    log: PathBuf,
    process: tokio::process::Child,
}

impl Child {
    /// Starts the node of that port as a member of the cluster of all these ports.
    pub(super) fn start(port: u16, all: &[u16], dir: &Path, options: &[String]) -> Result<Self, ChildError> {
        let failed = |source| ChildError::Start { port, source };
        let dir = dir.join(port.to_string());
        fs::create_dir_all(&dir).map_err(failed)?;
        let log = dir.join("log");
        let output = File::create(&log).map_err(failed)?;
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command.args(["dev-node", &std::process::id().to_string(), "--port", &port.to_string()]);
        command.args(["--bind", "127.0.0.1", "--cluster-enabled", "yes", "--dir"]).arg(&dir);
        let others = all.iter().filter(|&&other| other != port).map(|other| format!("127.0.0.1:{other}"));
        let others: Vec<_> = others.collect();
        if !others.is_empty() {
            command.args(["--join", &others.join(",")]);
        }
        // A group of its own: Ctrl-C is for the parent, which then ends its children in good order.
        command.args(options).stdin(Stdio::null()).kill_on_drop(true).process_group(0);
        command.stdout(output.try_clone().map_err(failed)?).stderr(output);
        Ok(Self { port, log, process: command.spawn().map_err(failed)? })
    }

    /// Waits until the process ends: that it does is an error.
    async fn death(&mut self) -> ChildError {
        match self.process.wait().await {
            Ok(status) => {
                let text = fs::read_to_string(&self.log).unwrap_or_default();
                let lines: Vec<_> = text.lines().collect();
                let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
                let last_lines = last.iter().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n");
                ChildError::Died { port: self.port, status, log: self.log.clone(), last_lines }
            }
            Err(source) => ChildError::Watch { port: self.port, source },
        }
    }

    fn terminate(&self) {
        let pid = self.process.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let Some(pid) = pid {
            // One that has ended already needs no telling.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    async fn stopped(&mut self) -> Result<(), ChildError> {
        let failed = |source| ChildError::Watch { port: self.port, source };
        if timeout(STOP_WITHIN, self.process.wait()).await.is_err() {
            self.process.kill().await.map_err(failed)?;
        }
        Ok(())
    }
}

/// All nodes' processes.
#[derive(Default)]
pub(super) struct Children(Vec<Child>);

impl Children {
    /// Takes one more.
    pub(super) fn add(&mut self, child: Child) {
        self.0.push(child);
    }

    /// Waits until one ends.
    pub(super) async fn first_death(&mut self) -> ChildError {
        let mut deaths: Vec<_> = self.0.iter_mut().map(|child| Box::pin(child.death())).collect();
        std::future::poll_fn(|cx| {
            for death in &mut deaths {
                if let std::task::Poll::Ready(error) = death.as_mut().poll(cx) {
                    return std::task::Poll::Ready(error);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }

    /// Ends all, in good order if they do so in time.
    pub(super) async fn stop(&mut self) -> Result<(), ChildError> {
        self.0.iter().for_each(Child::terminate);
        for child in &mut self.0 {
            child.stopped().await?;
        }
        Ok(())
    }
}

/// What a child does before it becomes a server: ties itself to the parent whose id is the first argument. Returns the
/// server's arguments; `None` if the parent is gone.
pub(crate) fn run_as_child(arguments: &[String]) -> Option<&[String]> {
    let (parent, rest) = arguments.split_first()?;
    let parent = Pid::from_raw(parent.parse().ok()?)?;
    set_parent_process_death_signal(Some(Signal::KILL)).ok()?;
    // The parent may have ended before the kernel was asked.
    (getppid() == Some(parent)).then_some(rest)
}
