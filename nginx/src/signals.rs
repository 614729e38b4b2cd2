//! What signals ask of this process. Once [`Signals::listen`] was called, none of them ends it.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals.
pub struct Signals {
    /// SIGTERM and SIGINT.
    pub stop: StopSignals,
    /// SIGHUP.
    pub reload: ReloadSignal,
}

/// The signals that ask this process to end.
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

/// The signal that asks this process to read its files again.
pub struct ReloadSignal(Signal);

impl Signals {
    /// Begins to listen. Fails if a handler can't be set.
    pub fn listen() -> io::Result<Self> {
        let stop =
            StopSignals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
        Ok(Self { stop, reload: ReloadSignal(signal(SignalKind::hangup())?) })
    }
}

impl StopSignals {
    /// Waits for the next signal to stop.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

impl ReloadSignal {
    /// Waits for the next SIGHUP. Several that come before this is called count as one.
    pub async fn received(&mut self) {
        self.0.recv().await;
    }
}
