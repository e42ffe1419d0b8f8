//! Programs that the runner calls: to fetch a suite, or to run one within a time.
//!
//! A suite gets a process group of its own, so that what it starts ends with it when its time is over.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Trouble;

/// What a suite printed, and whether it ended in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// Its standard output.
    pub text: String,
    /// Whether it ended by itself.
    pub finished: bool,
}

/// Runs a program that has to succeed.
pub fn run(command: &mut Command) -> Result<(), Trouble> {
    let what = format!("{command:?}");
    let output = command.output().map_err(Trouble::when(what.clone()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Trouble(format!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

/// Runs a program whose output is wanted and whose success is not; kills it and what it started after `limit`.
pub fn run_within(command: &mut Command, limit: Duration) -> Result<Printed, Trouble> {
    let what = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0);
    let mut child = command.spawn().map_err(Trouble::when(format!("starting {what}")))?;
    let mut stdout = child.stdout.take().ok_or_else(|| Trouble(format!("no output of {what}")))?;
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stdout.read_to_end(&mut bytes);
        bytes
    });
    let begun = Instant::now();
    let mut finished = true;
    while child.try_wait().map_err(Trouble::when(format!("waiting for {what}")))?.is_none() {
        if begun.elapsed() > limit {
            finished = false;
            kill_group(child.id());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    // What it leaves behind would hold ports and its output open.
    kill_group(child.id());
    let bytes = reader.join().unwrap_or_default();
    Ok(Printed { text: String::from_utf8_lossy(&bytes).into_owned(), finished })
}

/// Kills what is left of a group of processes.
fn kill_group(leader: u32) {
    let mut command = Command::new("kill");
    command.args(["-9", "--", &format!("-{leader}")]).stdout(Stdio::null()).stderr(Stdio::null());
    let _ = command.status();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_prints_is_kept_whether_or_not_it_ends() {
        let done = run_within(Command::new("echo").arg("said"), Duration::from_secs(60));
        let done = done.expect("echo is everywhere");
        assert_eq!(done, Printed { text: "said\n".to_owned(), finished: true });
        let mut endless = Command::new("sh");
        endless.args(["-c", "echo begun; sleep 1000"]);
        let cut = run_within(&mut endless, Duration::ZERO).expect("sh is everywhere");
        assert!(!cut.finished);
    }
}
