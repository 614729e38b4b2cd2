//! Shared by the tests: the null server as a process, and a short run against it.

#![allow(dead_code, reason = "each test file uses its own part of it")]

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// The path of the program.
pub const LOADGEN: &str = env!("CARGO_BIN_EXE_muster-loadgen");

/// The flags of a run of 2 s with 40 terminals.
pub const SHORT: &str =
    "--terminals 40 --ramp 200ms --for 2s --broadcasts 20 --commands 10 --grace 500ms --seed 1 --no-tui";

/// A null server process. Dropping it kills the process.
pub struct NullServer {
    child: Child,
    /// The address of the server, as `IP:PORT`.
    pub address: String,
}

impl NullServer {
    /// Starts a null server on a free port.
    pub fn start(flags: &[&str]) -> Self {
        Self::start_on("127.0.0.1:0", flags)
    }

    /// Starts a null server on this address.
    pub fn start_on(listen: &str, flags: &[&str]) -> Self {
        let mut command = Command::new(LOADGEN);
        command.args(["null-server", "--listen", listen]).args(flags).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the null server can be started");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("ready on ").expect("the null server prints its address").to_owned();
        Self { child, address }
    }

    /// Returns the command for a run against this server over Muster's protocol, with [`SHORT`] and these flags.
    pub fn run(&self, flags: &[&str]) -> Command {
        let (url, api) = (format!("ws://{}/ws", self.address), format!("http://{}", self.address));
        let mut command = Command::new(LOADGEN);
        command.args(["run", "--url", &url, "--api", &api]).args(SHORT.split(' ')).args(flags);
        command
    }
}

impl Drop for NullServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the path of a file in the folder for tests' files.
pub fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Runs the command with `--json` and without output. Returns the report and the exit code.
pub fn report(name: &str, mut command: Command) -> (Value, i32) {
    let file = scratch(&format!("{name}.json"));
    let status = command.arg("--json").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    (read(&file), status.code().expect("the run ended by itself"))
}

/// Reads a JSON report.
pub fn read(file: &PathBuf) -> Value {
    serde_json::from_str(&fs::read_to_string(file).expect("a report was written")).unwrap()
}

/// Returns the gate of this name in a report.
pub fn gate<'a>(report: &'a Value, name: &str) -> &'a Value {
    let gates = report["verdict"]["gates"].as_array().unwrap();
    gates.iter().find(|gate| gate["name"] == name).unwrap_or_else(|| panic!("no gate {name:?} in {gates:?}"))
}
