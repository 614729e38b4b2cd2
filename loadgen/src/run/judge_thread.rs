//! The thread that judges while a run goes on, so that the memory does not grow with the length of the run.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    clock::Clock,
    measure::{GROUPS, Judgement},
};

/// How often the thread judges a group of terminals.
const PERIOD: Duration = Duration::from_millis(100);

/// The running thread.
pub struct JudgeThread {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Judgement>,
}

impl JudgeThread {
    /// Starts the thread. If `waits`, it leaves everything to the end of the run.
    pub fn start(judgement: Judgement, clock: Clock, waits: bool) -> Self {
        let stop = Arc::new(AtomicBool::new(waits));
        let stopped = stop.clone();
        let thread = thread::Builder::new().name("judge".into()).spawn(move || close(judgement, clock, &stopped));
        Self { stop, thread: thread.expect("a thread can be started") }
    }

    /// Stops the thread and returns its judgement so far. Panics if the thread did.
    pub fn stop(self) -> Judgement {
        self.stop.store(true, Relaxed);
        self.thread.join().expect("the judge does not panic")
    }
}

fn close(mut judgement: Judgement, clock: Clock, stop: &AtomicBool) -> Judgement {
    for group in (0..GROUPS).cycle() {
        if stop.load(Relaxed) {
            break;
        }
        judgement.close(group, clock.now());
        thread::sleep(PERIOD);
    }
    judgement
}
