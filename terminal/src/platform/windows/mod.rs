//! The agent on Windows.

pub mod files;
pub mod programs;

use std::{env, io};

use anyhow::Context;
use tokio::signal::windows::{
    CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown, ctrl_c, ctrl_close, ctrl_logoff, ctrl_shutdown,
};

/// The configuration file, unless `--config` names another.
pub const CONFIG: &str = r"C:\ProgramData\Muster\terminal.toml";
/// The folder for what outlives a restart, unless the configuration names another.
pub const STATE: &str = r"C:\ProgramData\Muster\state";

/// The events that ask the agent to end: Ctrl-C, and the end of its window, of the user's session and of the system.
pub struct ConsoleEvents(CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown);

impl ConsoleEvents {
    /// Takes the events from now on.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn listen() -> anyhow::Result<Self> {
        let listen = || Ok::<_, io::Error>(Self(ctrl_c()?, ctrl_close()?, ctrl_logoff()?, ctrl_shutdown()?));
        listen().context("events of the console can't be received")
    }

    /// Waits for one of the events.
    pub async fn asked(&mut self) {
        tokio::select! {
            _ = self.0.recv() => {}
            _ = self.1.recv() => {}
            _ = self.2.recv() => {}
            _ = self.3.recv() => {}
        }
    }
}

/// Returns the name of this host. Empty if the system does not say.
pub fn host_name() -> String {
    env::var("COMPUTERNAME").unwrap_or_default()
}

/// Returns an empty text: only an update on trial needs this, and Windows has none.
pub fn boot_id() -> String {
    String::new()
}

/// Returns 0: only an update on trial needs this, and Windows has none.
pub fn seconds_since_boot() -> u64 {
    0
}
