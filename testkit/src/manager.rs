//! A service manager for tests: the socket to which a program says how it does.

use std::{os::unix::net::UnixDatagram, process::Command};

use tempfile::TempDir;

use crate::wait::until;

/// The longest message that is read, in bytes.
const MESSAGE_MAX: usize = 1024;

/// A socket in place of the service manager's, and what was said to it.
pub struct TestManager {
    socket: UnixDatagram,
    folder: TempDir,
    said: Vec<String>,
}

impl TestManager {
    /// Makes the socket.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self { socket, folder, said: Vec::new() }
    }

    /// Has a program say how it does, with a beat at each half of `watchdog_us` microseconds.
    pub fn supervise(&self, command: &mut Command, watchdog_us: u64) {
        command.env("NOTIFY_SOCKET", self.folder.path().join("notify"));
        command.env("WATCHDOG_USEC", watchdog_us.to_string()).env_remove("WATCHDOG_PID");
    }

    /// All messages so far, in order.
    pub fn said(&mut self) -> &[String] {
        let mut message = [0; MESSAGE_MAX];
        while let Ok(length) = self.socket.recv(&mut message) {
            self.said.push(String::from_utf8_lossy(&message[..length]).into_owned());
        }
        &self.said
    }

    /// How many messages so far begin with this.
    pub fn count(&mut self, start: &str) -> usize {
        self.said().iter().filter(|said| said.starts_with(start)).count()
    }

    /// Waits until so many messages that begin with this have come.
    pub async fn until_said(&mut self, start: &str, times: usize) {
        until(start, async || self.count(start) >= times).await;
    }
}
