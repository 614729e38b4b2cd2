//! A signal stops the measurement of `--floor`, and no null server outlives the program.

mod harness;

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use harness::{NullServer, read, scratch};
use rustix::process::{Pid, Signal, kill_process};

/// How long a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// Kills the run when it is dropped, also if the test fails.
struct Run(Child, PathBuf);

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Run {
    /// Starts a run with `--floor` and this duration.
    fn start(name: &str, server: &NullServer, duration: &str) -> Self {
        let file = scratch(&format!("{name}.json"));
        let mut command = server.run(&["--for", duration, "--allow-busy", "--floor"]);
        let log = File::create(scratch(&format!("{name}.log"))).unwrap();
        command.arg("--json").arg(&file).stdout(Stdio::null()).stderr(log);
        Self(command.spawn().unwrap(), file)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// The process id of the floor's null server, once it runs.
    fn floor_server(&self) -> u32 {
        let parent = self.0.id();
        let mut found = None;
        until("the floor is measured", || {
            found = children(parent).into_iter().next();
            found.is_some()
        });
        found.unwrap()
    }

    /// Waits until the run has ended. Returns its exit code and the outcome in its report.
    fn ended(&mut self) -> (Option<i32>, String) {
        let mut status = None;
        until("the run ends", || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        });
        let outcome = read(&self.1)["verdict"]["outcome"].as_str().unwrap().to_owned();
        (status.unwrap().code(), outcome)
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

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_floor_of_a_run_that_was_cut_short_is_not_measured() {
    let server = NullServer::start(&[]);
    let mut run = Run::start("floor-not-begun", &server, "60s");
    until("messages are received", || {
        fs::read_to_string(scratch("floor-not-begun.log")).is_ok_and(|log| log.contains("max"))
    });
    run.signal(Signal::INT);
    until("the run ends", || {
        assert!(children(run.0.id()).is_empty(), "no null server is started");
        run.0.try_wait().unwrap().is_some()
    });
    assert_eq!(run.ended(), (Some(13), "cut_short".into()));
}

#[test]
fn a_signal_stops_the_measurement_and_the_run_is_reported() {
    let server = NullServer::start(&[]);
    let mut run = Run::start("floor-stopped", &server, "1s");
    let floor_server = run.floor_server();
    let signalled = Instant::now();
    run.signal(Signal::TERM);
    assert_eq!(run.ended(), (Some(13), "pass".into()));
    // The bare readers alone take 5 s.
    assert!(signalled.elapsed() < Duration::from_secs(3), "{:?}", signalled.elapsed());
    until("the null server ends", || !is_null_server(floor_server));
}

#[test]
fn no_null_server_is_left_when_the_program_is_killed() {
    let server = NullServer::start(&[]);
    let run = Run::start("floor-killed", &server, "1s");
    let floor_server = run.floor_server();
    run.signal(Signal::KILL);
    until("the null server ends", || !is_null_server(floor_server));
}
