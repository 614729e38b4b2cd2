//! The agent on Unix.

pub mod files;
pub mod programs;

use std::fs;

use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The configuration file, unless `--config` names another.
pub const CONFIG: &str = "/etc/muster/terminal.toml";
/// The folder for what outlives a restart, unless the configuration names another.
pub const STATE: &str = "/var/lib/muster-terminal";

/// The signals that ask the agent to end: SIGTERM and SIGINT.
pub struct UnixSignals([Signal; 2]);

impl UnixSignals {
    /// Takes the signals from now on.
    ///
    /// # Errors
    /// If the system has no room for another handler.
    pub fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("signals can't be received");
        Ok(Self([listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?]))
    }

    /// Waits for one of the signals.
    pub async fn asked(&mut self) {
        let [terminate, interrupt] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// Returns the name of this host.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Returns which boot this is. Empty if the system does not say.
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Returns how many seconds ago the box was booted. The time in which it slept counts too.
pub fn seconds_since_boot() -> u64 {
    u64::try_from(clock_gettime(ClockId::Boottime).tv_sec).unwrap_or(0)
}
