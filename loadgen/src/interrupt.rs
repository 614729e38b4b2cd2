//! SIGINT, SIGTERM and SIGHUP end a run early: with its report and its outputs, as far as it came.

use std::{fs, process};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// Linux's number of SIGHUP.
const SIGHUP: u32 = 1;
/// The exit code of a run that was cut short.
const CUT_SHORT: i32 = 13;

/// Tells when the first signal came. Clones share it.
#[derive(Debug, Clone)]
pub struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Listens from now on, for as long as the process lives. The second signal ends the process at once, after `leave`.
    ///
    /// A SIGHUP that this process was started to ignore (`nohup`) stays ignored.
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

    /// Returns once a signal came, at once if it came before.
    pub async fn requested(&self) {
        // The sender lives in its task as long as the runtime.
        if self.0.clone().wait_for(|requested| *requested).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether a signal came.
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
