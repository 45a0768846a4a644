//! Processes on a core of their own, measured from outside.

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_setaffinity};
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

/// The core of the server under test.
pub const SERVER_CORE: usize = 0;
/// The core of publishers and players.
pub const LOAD_CORE: usize = 1;

/// Has the calling thread, and what it starts from here on, run on `core` alone.
///
/// # Errors
/// Where there is no such core.
pub fn pin(core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None::<Pid>, &cores)?;
    Ok(())
}

/// A process under test; killed when dropped.
#[derive(Debug)]
pub struct Measured {
    child: Child,
    /// What it said first, where it was asked to speak: its port.
    pub greeting: String,
}

impl Measured {
    /// Starts this program once more, in the role that `arguments` say, on the server's core. It has to print one line once it is ready.
    ///
    /// # Errors
    /// Where it cannot be started, or ends without a line.
    pub fn role(arguments: &[String]) -> io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(arguments).stdout(Stdio::piped());
        let mut measured = Self::start(command)?;
        if let Some(stdout) = measured.child.stdout.take() {
            BufReader::new(stdout).read_line(&mut measured.greeting)?;
        }
        if measured.greeting.is_empty() {
            return Err(io::Error::other("the process ended before it was ready"));
        }
        Ok(measured)
    }

    /// Starts `command` on the server's core.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn start(mut command: Command) -> io::Result<Self> {
        // A child inherits where its parent's thread may run.
        pin(SERVER_CORE)?;
        let child = command.stdin(Stdio::null()).spawn();
        pin(LOAD_CORE)?;
        Ok(Self {
            child: child?,
            greeting: String::new(),
        })
    }

    fn proc(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}", self.child.id()))
    }

    /// The processor time of all its threads so far, to the nanosecond.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn cpu(&self) -> io::Result<Duration> {
        let mut nanos = 0;
        for task in fs::read_dir(self.proc().join("task"))? {
            let schedstat = fs::read_to_string(task?.path().join("schedstat"))?;
            let first = schedstat.split_whitespace().next();
            nanos += first.and_then(|nanos| nanos.parse().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Its resident memory, in bytes.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn resident_bytes(&self) -> io::Result<u64> {
        let status = fs::read_to_string(self.proc().join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB"));
        let kib: u64 = kib.and_then(|kib| kib.trim().parse().ok()).unwrap_or(0);
        Ok(kib << 10)
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
