//! Nginx's worker processes, read from /proc: those that accept connections, and old ones that linger until their
//! sessions end.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::config::Config;

/// How the title of a worker begins.
const TITLE: &str = "nginx: worker process";
/// How the title of an old worker begins.
const LINGERING: &str = "nginx: worker process is shutting down";

/// The log is among this many first file descriptors of a worker, since a worker opens it before any connection.
const LOGS: u32 = 64;

/// One worker process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NginxWorker {
    /// The process id.
    pub pid: i32,
    /// When it started, in clock ticks since the boot.
    pub started: u64,
    /// Whether it accepts no more connections and only waits for its sessions to end.
    pub lingering: bool,
}

/// How to tell the workers of this Nginx from those of another one on the same host.
#[derive(Debug, Clone)]
pub enum WorkerScope {
    /// The workers that have this log open. They keep it open after their master has ended, and after the log was
    /// rotated.
    Writing(PathBuf),
    /// The workers that are children of this master.
    ChildrenOf(i32),
}

impl WorkerScope {
    /// Returns the scope for an Nginx: by its log if it is the sidecar's own, by its master with `--signal`.
    pub fn of(config: &Config, master: i32) -> Self {
        if config.signal.is_some() { Self::ChildrenOf(master) } else { Self::Writing(config.dir.join("access.log")) }
    }

    /// Returns the workers, oldest first.
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
        // The program name in parentheses may contain spaces. The fields after it do not.
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
    /// Returns the worker's age in seconds.
    pub fn age(&self) -> u64 {
        let up = fs::read_to_string("/proc/uptime").unwrap_or_default();
        let up: f64 = up.split(' ').next().and_then(|seconds| seconds.parse().ok()).unwrap_or_default();
        (up as u64).saturating_sub(self.started / rustix::param::clock_ticks_per_second())
    }

    /// Returns the memory that the worker shares with no other process, in bytes.
    pub fn memory(&self) -> u64 {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid)).unwrap_or_default();
        let own = rollup.lines().filter(|line| line.starts_with("Private_"));
        let kilobytes = own.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        kilobytes.sum::<u64>() * 1024
    }

    /// Returns the number of the worker's open files. `None` if this user may not look. Newer kernels (6.2) report it
    /// as the size of the folder.
    pub fn files(&self) -> Option<u64> {
        let folder = format!("/proc/{}/fd", self.pid);
        let told = fs::metadata(&folder).ok()?.len();
        if told > 0 { Some(told) } else { Some(fs::read_dir(folder).ok()?.count() as u64) }
    }

    /// Returns how many files the worker may have open. `None` if that can't be read.
    pub fn files_limit(&self) -> Option<u64> {
        let limits = fs::read_to_string(format!("/proc/{}/limits", self.pid)).ok()?;
        let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
        files.split_whitespace().next()?.parse().ok()
    }

    /// Returns the number of the worker's open sockets: two for each session.
    pub fn sockets(&self) -> u64 {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.pid)).into_iter().flatten().flatten();
        let is_socket = |entry: &fs::DirEntry| {
            fs::read_link(entry.path()).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
        };
        entries.filter(is_socket).count() as u64
    }
}

/// Returns whether a process has this log, or a rotated one of the same name, open.
fn writes(pid: i32, log: &Path) -> bool {
    let log = log.to_string_lossy();
    let open = |number| fs::read_link(format!("/proc/{pid}/fd/{number}"));
    (0..LOGS).any(|number| open(number).is_ok_and(|file| file.to_string_lossy().starts_with(&*log)))
}

/// Returns the title of a process, which Nginx sets.
pub fn title(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}
