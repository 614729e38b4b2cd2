//! Programs that a test runs.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::wait::{blocking_until, until};

/// A process that is killed when it is dropped, however the test ends.
pub struct TestProcess {
    /// The process, for its pipes and its id.
    pub child: Child,
}

impl TestProcess {
    /// Starts a program.
    ///
    /// # Panics
    /// If it can't be started.
    pub fn start(command: &mut Command) -> Self {
        let spawned = command.spawn();
        let program = command.get_program().display();
        Self {
            child: spawned.unwrap_or_else(|error| panic!("{program} can't be started: {error}. Install or build it")),
        }
    }

    /// Reads the first line of stdout and returns what follows `before` in it. Stdout must be a pipe; it is closed then,
    /// so the program can write no more.
    ///
    /// # Panics
    /// If the line does not begin with `before`.
    pub fn line_after(&mut self, before: &str) -> String {
        let mut line = String::new();
        BufReader::new(self.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        line.trim().strip_prefix(before).unwrap_or_else(|| panic!("no {before:?}: {line:?}")).to_owned()
    }

    /// Sends the process a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Kills the process, if it runs, and waits for its end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until the process has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        until("the process ends", async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.unwrap()
    }

    /// Waits as [`Self::ended`] does, and blocks the thread.
    pub fn blocking_ended(&mut self) -> ExitStatus {
        let mut status = None;
        blocking_until("the process ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for TestProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A process whose stdout and stderr are files. Shows stderr when a test fails.
pub struct LoggedProcess {
    /// The process.
    pub process: TestProcess,
    folder: TempDir,
}

impl LoggedProcess {
    /// Starts a program.
    ///
    /// # Panics
    /// If it can't be started.
    pub fn start(command: &mut Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(folder.path().join(name)).unwrap();
        Self { process: TestProcess::start(command.stdout(file("stdout")).stderr(file("stderr"))), folder }
    }

    /// What the process has written to stdout.
    pub fn stdout(&self) -> String {
        self.written("stdout")
    }

    /// What the process has written to stderr.
    pub fn stderr(&self) -> String {
        self.written("stderr")
    }

    fn written(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).unwrap()
    }
}

impl Drop for LoggedProcess {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("stderr of process {}:\n{}", self.process.child.id(), self.stderr());
        }
    }
}
