//! The protocol of systemd (`sd_notify`): what a message is in it, and how often the service manager wants a beat.

use std::{io, time::Duration};

/// One message to the service manager. A text is a status in one line.
#[derive(Debug)]
#[cfg_attr(not(unix), expect(dead_code, reason = "there is nobody to tell"))]
pub(crate) enum ServiceMessage {
    Ready(String),
    Reloading,
    Stopping(String),
    Status(String),
    Beat,
}

/// Sends a message to the socket that `NOTIFY_SOCKET` names.
#[cfg(unix)]
pub(crate) fn notify(message: &ServiceMessage) -> io::Result<()> {
    use sd_notify::NotifyState::{self, Ready, Reloading, Status, Stopping, Watchdog};

    match message {
        ServiceMessage::Ready(status) => sd_notify::notify(&[Ready, Status(status)]),
        // systemd takes no later READY=1 for this reload without the time.
        ServiceMessage::Reloading => sd_notify::notify(&[Reloading, NotifyState::monotonic_usec_now()?]),
        ServiceMessage::Stopping(status) => sd_notify::notify(&[Stopping, Status(status)]),
        ServiceMessage::Status(status) => sd_notify::notify(&[Status(status)]),
        ServiceMessage::Beat => sd_notify::notify(&[Watchdog]),
    }
}

/// Returns the time after which the service manager takes the program for hung (`WATCHDOG_USEC`).
#[cfg(unix)]
pub(crate) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// Does nothing: Windows has no systemd.
#[cfg(not(unix))]
pub(crate) fn notify(_message: &ServiceMessage) -> io::Result<()> {
    Ok(())
}

/// Returns none: Windows has no systemd.
#[cfg(not(unix))]
pub(crate) fn watchdog() -> Option<Duration> {
    None
}
