//! A thread that only sleeps and records how late it wakes. If this machine is too busy to wake the thread in time,
//! it is too busy to run the rest of the generator in time.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
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
    overshoot: Arc<Mutex<Latency>>,
    thread: JoinHandle<()>,
}

impl Canary {
    /// Starts the thread.
    pub fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let overshoot = Arc::new(Mutex::new(Latency::default()));
        let (stopped, seen) = (stop.clone(), overshoot.clone());
        let thread = thread::Builder::new().name("canary".into()).spawn(move || tick(&stopped, &seen));
        Self { stop, overshoot, thread: thread.expect("a thread can be started") }
    }

    /// How late each wake-up was so far. The value changes while the thread runs.
    pub fn overshoot(&self) -> Arc<Mutex<Latency>> {
        self.overshoot.clone()
    }

    /// Stops the thread, and returns how late each wake-up was.
    pub fn stop(self) -> Latency {
        self.stop.store(true, Relaxed);
        let _ = self.thread.join();
        self.overshoot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn tick(stop: &AtomicBool, overshoot: &Mutex<Latency>) {
    while !stop.load(Relaxed) {
        let clock = Clock::start_in(std::time::Duration::from_nanos(TICK));
        clock.sleep_until(0);
        let late = clock.now();
        overshoot.lock().unwrap_or_else(PoisonError::into_inner).record(late);
    }
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
