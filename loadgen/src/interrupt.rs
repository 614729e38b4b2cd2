//! SIGINT, SIGTERM and SIGHUP end a run early. The report and the outputs are written about the time until then.

use std::{fs, process};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// Linux's number of SIGHUP.
const SIGHUP: u32 = 1;
/// The exit code of a run that was cut short.
const CUT_SHORT: i32 = 13;

/// Whether a signal was received. Clones share the state.
#[derive(Debug, Clone)]
pub struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Handles the signals from now on, until the process ends. The first signal sets the state; the second one calls
    /// `leave` and ends the process at once with exit code 13.
    ///
    /// SIGHUP stays ignored if it was ignored when the process was started (`nohup`). Fails if a handler can't be set.
    pub fn listen(leave: fn()) -> anyhow::Result<Self> {
        let (sender, receiver) = watch::channel(false);
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let mut hangup = if hangup_is_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        tokio::spawn(async move {
            for seen_before in [false, true] {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = received(hangup.as_mut()) => {}
                }
                if seen_before {
                    leave();
                    process::exit(CUT_SHORT);
                }
                sender.send_replace(true);
            }
        });
        Ok(Self(receiver))
    }

    /// An interrupt that is requested by a message to its sender, not by a signal.
    pub fn by_message() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Waits for the first signal. Returns at once if it was received before.
    pub async fn requested(&self) {
        // Fails only when the runtime shuts down, which drops the sender.
        if self.0.clone().wait_for(|requested| *requested).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns true after the first signal.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }
}

async fn received(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

fn hangup_is_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (SIGHUP - 1)) != 0)
}
