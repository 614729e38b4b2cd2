//! A signal stops the measurement of `--floor`, and no null server outlives the program.

use std::{
    fs,
    time::{Duration, Instant},
};

use muster_testkit::{LoggedProcess, wait::blocking_until};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::{null_server::NullServer, report::read};

/// A run with `--floor`.
struct Run {
    logged: LoggedProcess,
    /// The folder with the report.
    folder: TempDir,
}

impl Run {
    /// Starts a run of this duration.
    fn start(server: &NullServer, duration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = server.run(&["--for", duration, "--floor", "--json"]);
        Self { logged: LoggedProcess::start(command.arg(folder.path().join("report.json"))), folder }
    }

    fn signal(&self, signal: Signal) {
        self.logged.process.signal(signal);
    }

    /// The process ids of the null servers that the run has started.
    fn children(&self) -> Vec<u32> {
        children(self.logged.process.child.id())
    }

    /// The process id of the floor's null server, once it runs.
    fn floor_server(&self) -> u32 {
        let mut found = None;
        blocking_until("the floor is measured", || {
            found = self.children().into_iter().next();
            found.is_some()
        });
        found.unwrap()
    }

    /// Waits until the run has ended. Returns its exit code and the outcome in its report.
    fn ended(&mut self) -> (Option<i32>, String) {
        let code = self.logged.process.blocking_ended().code();
        let report = read(&self.folder.path().join("report.json"));
        (code, report["verdict"]["outcome"].as_str().unwrap().to_owned())
    }
}

/// The processes whose parent is this one and that are null servers.
fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes.filter(|pid| parent_of(*pid) == Some(parent) && is_null_server(*pid)).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

/// Whether the process runs, and is a null server.
fn is_null_server(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("null-server"))
}

#[test]
fn the_floor_of_a_run_that_was_cut_short_is_not_measured() {
    let server = NullServer::start(&[]);
    let mut run = Run::start(&server, "60s");
    blocking_until("messages are received", || run.logged.stderr().contains("max"));
    run.signal(Signal::INT);
    blocking_until("the run ends", || {
        assert!(run.children().is_empty(), "no null server is started");
        run.logged.process.child.try_wait().unwrap().is_some()
    });
    assert_eq!(run.ended(), (Some(13), "cut_short".into()));
}

#[test]
fn a_signal_stops_the_measurement_and_the_run_is_reported() {
    let server = NullServer::start(&[]);
    let mut run = Run::start(&server, "1s");
    let floor_server = run.floor_server();
    let signalled = Instant::now();
    run.signal(Signal::TERM);
    assert_eq!(run.ended(), (Some(13), "pass".into()));
    // The bare readers alone take 5 s.
    assert!(signalled.elapsed() < Duration::from_secs(3), "{:?}", signalled.elapsed());
    blocking_until("the null server ends", || !is_null_server(floor_server));
}

#[test]
fn no_null_server_is_left_when_the_program_is_killed() {
    let server = NullServer::start(&[]);
    let run = Run::start(&server, "1s");
    let floor_server = run.floor_server();
    run.signal(Signal::KILL);
    blocking_until("the null server ends", || !is_null_server(floor_server));
}
