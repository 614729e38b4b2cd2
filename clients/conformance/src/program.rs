//! The client's conformance program: started, read line by line, and ended with everything in its process group.

use std::{
    ffi::OsString,
    fs::File,
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::Path,
    process::{ChildStdout, Command, Stdio},
    thread,
};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::recording::{Observed, Recording};

/// The longest line that is read, in bytes.
const LINE: u64 = 4 << 20;

/// A program that runs. Dropping it ends it.
pub struct TestedProgram {
    group: Pid,
}

impl TestedProgram {
    /// Starts it. What it prints is recorded; what it says on standard error is appended to a file.
    pub fn start(
        command: &[OsString],
        environment: &[(&str, String)],
        errors: &Path,
        recording: &Recording,
    ) -> anyhow::Result<Self> {
        let errors = File::options().create(true).append(true).open(errors)?;
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .process_group(0)
            .spawn()
            .with_context(|| format!("{} can't be started", command[0].display()))?;
        recording.add(Observed::Started);
        let group = Pid::from_child(&child);
        let output = child.stdout.take().context("no output")?;
        let recording = recording.clone();
        thread::spawn(move || {
            record_lines(output, &recording);
            let code = child.wait().ok().and_then(|status| status.code());
            recording.add(Observed::Exited(code));
        });
        Ok(Self { group })
    }

    /// Ends it, as a power failure would.
    pub fn kill(&self) {
        // An error means that it has ended.
        let _ = kill_process_group(self.group, Signal::KILL);
    }
}

impl Drop for TestedProgram {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Records the lines that are JSON objects, until the output is closed.
fn record_lines(output: ChildStdout, recording: &Recording) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.by_ref().take(LINE).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        if let Ok(printed @ serde_json::Value::Object(_)) = serde_json::from_slice(&line) {
            recording.add(Observed::Printed(printed));
        }
        line.clear();
    }
}
