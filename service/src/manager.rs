//! Tells the service manager how the program does, by the protocol of systemd (`sd_notify`): ready, reloading, stopping, a status, and the
//! beats of a watchdog.

use std::{
    env, future,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use tokio::time::{self, Interval, MissedTickBehavior};

use crate::systemd::{self, ServiceMessage};

/// How many messages may wait for a service manager that takes none. More are dropped.
const WAITING_MAX: usize = 16;
/// The longest status, in bytes. The rest of a longer one is cut off.
const STATUS_MAX: usize = 200;

/// The service manager that started this program, if it wants to be told how the program does: the environment variable `NOTIFY_SOCKET`
/// says so. Without that, nothing is sent.
///
/// Messages are sent by a thread of their own, so a service manager that hangs holds nothing up.
#[derive(Debug, Clone, Default)]
pub struct ServiceManager(Option<SyncSender<ServiceMessage>>);

impl ServiceManager {
    /// Finds the service manager by the environment.
    pub fn from_environment() -> Self {
        if env::var_os("NOTIFY_SOCKET").is_none() {
            return Self(None);
        }
        let (sender, messages) = sync_channel(WAITING_MAX);
        let started = thread::Builder::new().name("service-manager".into()).spawn(move || send_all(&messages));
        match started {
            Ok(_) => Self(Some(sender)),
            Err(error) => {
                tracing::warn!("the service manager is told nothing: a thread can't be started: {error}");
                Self(None)
            }
        }
    }

    /// Returns whether there is one.
    pub fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Says that the program serves, also after a reload, and its status in one line.
    pub fn ready(&self, status: &str) {
        self.send(ServiceMessage::Ready(one_line(status)));
    }

    /// Says that the program reads its files again. [`Self::ready`] has to follow.
    pub fn reloading(&self) {
        self.send(ServiceMessage::Reloading);
    }

    /// Says that the program ends.
    pub fn stopping(&self, status: &str) {
        self.send(ServiceMessage::Stopping(one_line(status)));
    }

    /// Says how the program does, in one line.
    pub fn status(&self, status: &str) {
        self.send(ServiceMessage::Status(one_line(status)));
    }

    /// Says that the program works. The loop that does the work calls this, whenever [`Watchdog`] says so: if the loop hangs, the service
    /// manager ends the program and starts it again.
    pub fn beat(&self) {
        self.send(ServiceMessage::Beat);
    }

    fn send(&self, message: ServiceMessage) {
        if let Some(sender) = &self.0 {
            // If there is no room, the service manager hangs itself.
            let _ = sender.try_send(message);
        }
    }
}

/// Sends messages until the last sender is gone. The first failure is logged.
fn send_all(messages: &Receiver<ServiceMessage>) {
    let mut has_failed = false;
    for message in messages {
        if let Err(error) = systemd::notify(&message)
            && !has_failed
        {
            has_failed = true;
            tracing::warn!("the service manager can't be told how this program does (NOTIFY_SOCKET): {error}");
        }
    }
}

/// Returns the text as a status can have it.
fn one_line(text: &str) -> String {
    let mut line = text.replace(['\n', '\r'], " ");
    line.truncate(line.floor_char_boundary(STATUS_MAX));
    line
}

/// When a loop is to call [`ServiceManager::beat`]: at each half of the time after which the service manager takes the program for hung
/// (`WATCHDOG_USEC`). Never, if it does not watch.
#[derive(Debug)]
pub struct Watchdog(Option<Interval>);

impl Watchdog {
    /// Reads the time from the environment. The first beat is due at once.
    pub fn from_environment() -> Self {
        let half = systemd::watchdog().map(|time| time / 2);
        Self(half.filter(|half| *half > Duration::ZERO).map(|half| {
            let mut beats = time::interval(half);
            beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
            beats
        }))
    }

    /// Waits until the next beat is due. Nothing is lost if the future is dropped.
    pub async fn due(&mut self) {
        match &mut self.0 {
            Some(beats) => drop(beats.tick().await),
            None => future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_short_line() {
        assert_eq!(one_line("Redis is away:\nno route"), "Redis is away: no route");
        assert_eq!(one_line(&"ä".repeat(150)), "ä".repeat(100));
    }

    #[test]
    fn a_service_manager_that_takes_nothing_holds_nothing_up() {
        let (sender, messages) = sync_channel(1);
        let manager = ServiceManager(Some(sender));
        for _ in 0..3 {
            manager.ready("it serves");
        }
        assert_eq!(messages.try_iter().count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_watchdog_no_beat_is_due() {
        let waited = time::timeout(Duration::from_secs(3600), Watchdog(None).due()).await;
        assert!(waited.is_err());
    }
}
