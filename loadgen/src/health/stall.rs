//! A task beside the terminals that only sleeps and records how late it runs. The kernel may wake a sleeping thread in time
//! and still leave the busy threads that read for terminals without CPU: the canary does not see that.

use std::time::Duration;

use tokio::{sync::watch, task::JoinHandle, time::Instant};

/// The period of the task.
const TICK: Duration = Duration::from_millis(100);

/// The running task.
#[derive(Debug)]
pub struct StallWatch {
    /// When the task ran last, and how late it was at most.
    seen: watch::Receiver<(Instant, Duration)>,
    task: JoinHandle<()>,
}

impl StallWatch {
    /// Starts the task on this runtime.
    pub fn start() -> Self {
        let (seen, receiver) = watch::channel((Instant::now(), Duration::ZERO));
        let tick = async move {
            loop {
                tokio::time::sleep(TICK).await;
                seen.send_modify(|(last, longest)| {
                    *longest = (*longest).max(last.elapsed().saturating_sub(TICK));
                    *last = Instant::now();
                });
            }
        };
        Self { seen: receiver, task: tokio::spawn(tick) }
    }

    /// Returns what tells the longest time so far by which the task was late, also while it is late.
    pub fn longest(&self) -> impl Fn() -> Duration + Send + Sync + use<> {
        let seen = self.seen.clone();
        move || {
            let (last, longest) = *seen.borrow();
            longest.max(last.elapsed().saturating_sub(TICK))
        }
    }

    /// Stops the task. Returns the longest time by which it was late.
    pub fn stop(self) -> Duration {
        self.task.abort();
        self.longest()()
    }
}
