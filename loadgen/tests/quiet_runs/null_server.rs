//! The null server as a process, and a short run against it.

use std::process::{Command, Stdio};

use muster_testkit::TestProcess;

/// The path of the program.
pub const LOADGEN: &str = env!("CARGO_BIN_EXE_muster-loadgen");

/// The flags of a run of 2 s with 40 terminals.
const SHORT: &str =
    "--terminals 40 --ramp 200ms --for 2s --broadcasts 20 --commands 10 --grace 500ms --seed 1 --no-tui";

/// A null server process. Dropping it kills the process.
pub struct NullServer {
    /// The address of the server, as `IP:PORT`.
    pub address: String,
    _process: TestProcess,
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
        let mut process = TestProcess::start(&mut command);
        Self { address: process.line_after("ready on "), _process: process }
    }

    /// Returns the command for a run against this server as one that relays, with [`SHORT`] but no commands, and these
    /// flags.
    pub fn raw(&self, flags: &[&str]) -> Command {
        let mut command = self.foreign(flags);
        command.args(["--target", "raw"]);
        command
    }

    /// Returns the command for a run against this server as one that is not Muster, with [`SHORT`] but no commands, and these
    /// flags.
    pub fn foreign(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(LOADGEN);
        command.args(["run", "--url", &format!("ws://{}/", self.address)]);
        command.args(SHORT.split(' ')).args(["--commands", "0"]).args(flags);
        command
    }

    /// Returns the command for a run against this server over Muster's protocol, with [`SHORT`] and these flags.
    pub fn run(&self, flags: &[&str]) -> Command {
        let mut command = short_run(&format!("ws://{}/ws", self.address), &format!("http://{}", self.address));
        command.args(flags);
        command
    }
}

/// Returns the command for a run against these URLs with [`SHORT`].
pub fn short_run(url: &str, api: &str) -> Command {
    let mut command = Command::new(LOADGEN);
    command.args(["run", "--url", url, "--api", api]).args(SHORT.split(' '));
    command
}
