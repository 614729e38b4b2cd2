//! Nginx's workers as /proc shows them: those that serve, and those that linger for the sessions they still hold.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::config::Config;

const TITLE: &str = "nginx: worker process";
const LINGERING: &str = "nginx: worker process is shutting down";

/// Descriptors that a log may have.
const LOGS: u32 = 64;

/// A worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NginxWorker {
    /// Its process.
    pub pid: i32,
    /// Its start, in ticks since the boot: the lower, the older.
    pub started: u64,
    /// Whether it has been told to go and only waits for its sessions to end.
    pub lingering: bool,
}

/// How to tell ours from any other Nginx's.
#[derive(Debug, Clone)]
pub enum WorkerScope {
    /// They write this log, also when their master is gone and its log was rotated.
    Writing(PathBuf),
    /// They are children of this process.
    ChildrenOf(i32),
}

impl WorkerScope {
    /// By who runs Nginx.
    pub fn of(config: &Config, master: i32) -> Self {
        if config.signal.is_some() { Self::ChildrenOf(master) } else { Self::Writing(config.dir.join("access.log")) }
    }

    /// All of ours, oldest first.
    pub fn list(&self) -> Vec<NginxWorker> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut workers: Vec<_> = pids.filter_map(|pid| self.look(pid)).collect();
        workers.sort_by_key(|worker| (worker.started, worker.pid));
        workers
    }

    fn look(&self, pid: i32) -> Option<NginxWorker> {
        let title = title(pid);
        if !title.starts_with(TITLE) {
            return None;
        }
        // The name in the parentheses may hold spaces; from the state on the fields are numbers.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let (parent, started): (i32, u64) = (fields.get(1)?.parse().ok()?, fields.get(19)?.parse().ok()?);
        let ours = match self {
            Self::Writing(log) => writes(pid, log),
            Self::ChildrenOf(master) => *master == parent,
        };
        ours.then(|| NginxWorker { pid, started, lingering: title.starts_with(LINGERING) })
    }
}

impl NginxWorker {
    /// Its age now, in seconds.
    pub fn age(&self) -> u64 {
        let up = fs::read_to_string("/proc/uptime").unwrap_or_default();
        let up: f64 = up.split(' ').next().and_then(|seconds| seconds.parse().ok()).unwrap_or_default();
        (up as u64).saturating_sub(self.started / rustix::param::clock_ticks_per_second())
    }

    /// Its own memory, in bytes.
    pub fn memory(&self) -> u64 {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid)).unwrap_or_default();
        let own = rollup.lines().filter(|line| line.starts_with("Private_"));
        let kilobytes = own.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        kilobytes.sum::<u64>() * 1024
    }

    /// Its open sockets: two for each session.
    pub fn sockets(&self) -> u64 {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.pid)).into_iter().flatten().flatten();
        let is_socket = |entry: &fs::DirEntry| {
            fs::read_link(entry.path()).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
        };
        entries.filter(is_socket).count() as u64
    }
}

/// Whether it has this file open. Its logs are among the first that a worker has, before any connection.
fn writes(pid: i32, log: &Path) -> bool {
    let log = log.to_string_lossy();
    let open = |number| fs::read_link(format!("/proc/{pid}/fd/{number}"));
    (0..LOGS).any(|number| open(number).is_ok_and(|file| file.to_string_lossy().starts_with(&*log)))
}

/// The title that a process shows.
pub fn title(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}
