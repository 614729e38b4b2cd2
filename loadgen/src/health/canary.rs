//! A thread that does nothing but sleep, and notes how much too late it was woken: when this machine is too busy to run it in time, it
//! is too busy to run the rest of the generator in time.

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

/// How often it wakes.
const TICK: u64 = 10 * MILLISECOND;

/// The thread.
#[derive(Debug)]
pub struct Canary {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Latency>,
}

impl Canary {
    /// Starts it.
    pub fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::Builder::new().name("canary".into()).spawn(move || tick(&stopped));
        Self { stop, thread: thread.expect("a thread can be started") }
    }

    /// Stops it: how much too late it was woken each time.
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
    fn it_ticks_until_it_is_stopped() {
        let canary = Canary::start();
        thread::sleep(std::time::Duration::from_millis(100));
        assert!(canary.stop().count() > 0);
    }
}
