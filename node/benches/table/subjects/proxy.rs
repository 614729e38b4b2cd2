//! A proxy as processes: the one that was started, and those that it started.

use std::{fs, process::Command};

use muster_testkit::LoggedProcess;
use rustix::process::Signal;

/// An Nginx, or a sidecar with the Nginx that it started. It is asked to end when it is dropped, since its children would outlive it.
pub struct BenchProxy(LoggedProcess);

impl BenchProxy {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        Self(LoggedProcess::start(command))
    }

    /// What it has printed, errors last.
    pub fn printed(&self) -> String {
        self.0.stdout() + &self.0.stderr()
    }

    /// The ids of all its processes.
    pub fn processes(&self) -> Vec<u32> {
        let mut found = vec![self.0.process.child.id()];
        let mut at = 0;
        while let Some(process) = found.get(at) {
            found.extend(children(*process));
            at += 1;
        }
        found
    }
}

/// The processes that a process has started.
fn children(process: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { return Vec::new() };
    let of_task = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).unwrap_or_default();
    let lists: Vec<_> = tasks.filter_map(Result::ok).map(of_task).collect();
    lists.iter().flat_map(|list| list.split_whitespace()).filter_map(|id| id.parse().ok()).collect()
}

impl Drop for BenchProxy {
    fn drop(&mut self) {
        self.0.process.signal(Signal::TERM);
        self.0.process.blocking_ended();
    }
}
