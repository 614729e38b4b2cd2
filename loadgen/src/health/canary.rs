//! A thread that only sleeps and records how late it wakes. If this machine is too busy to wake the thread in time,
//! it is too busy to run the rest of the generator in time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
};

use crate::{
    clock::{Clock, MILLISECOND},
    measure::Latency,
};

/// The period of the thread: 10 ms.
const TICK: u64 = 10 * MILLISECOND;

/// The running thread.
#[derive(Debug)]
pub struct Canary {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Latency>,
}

impl Canary {
    /// Starts the thread.
    pub fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::Builder::new().name("canary".into()).spawn(move || tick(&stopped));
        Self { stop, thread: thread.expect("a thread can be started") }
    }

    /// Stops the thread, and returns how late each wake-up was. The result is empty if the thread panicked.
    pub fn stop(self) -> Latency {
        self.stop.store(true, Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn tick(stop: &AtomicBool) -> Latency {
    let mut overshoot = Latency::default();
    while !stop.load(Relaxed) {
        let clock = Clock::start_in(std::time::Duration::from_nanos(TICK));
        clock.sleep_until(0);
        overshoot.record(clock.now());
    }
    overshoot
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_records_delays_until_it_is_stopped() {
        let canary = Canary::start();
        thread::sleep(std::time::Duration::from_millis(100));
        assert!(canary.stop().count() > 0);
    }
}
