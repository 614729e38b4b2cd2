//! The thread that judges while a run goes on, so that the memory does not grow with the length of the run.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    clock::Clock,
    measure::{GROUPS, JudgedSoFar, Judgement},
};

/// How often the thread judges a group of terminals.
const PERIOD: Duration = Duration::from_millis(100);

/// The running thread.
pub struct JudgeThread {
    stop: Arc<AtomicBool>,
    so_far: Arc<Mutex<JudgedSoFar>>,
    thread: JoinHandle<Judgement>,
}

impl JudgeThread {
    /// Starts the thread. If `waits` is true, the thread leaves everything to the end of the run.
    pub fn start(judgement: Judgement, clock: Clock, waits: bool) -> Self {
        let stop = Arc::new(AtomicBool::new(waits));
        let so_far = Arc::new(Mutex::default());
        let (stopped, shown) = (stop.clone(), so_far.clone());
        let close = move || close(judgement, clock, &stopped, &shown);
        let thread = thread::Builder::new().name("judge".into()).spawn(close);
        Self { stop, so_far, thread: thread.expect("a thread can be started") }
    }

    /// Returns what was judged so far. With live metrics this changes once a second; without, it stays empty.
    pub fn so_far(&self) -> Arc<Mutex<JudgedSoFar>> {
        self.so_far.clone()
    }

    /// Stops the thread and returns its judgement so far. Panics if the thread panicked.
    pub fn stop(self) -> Judgement {
        self.stop.store(true, Relaxed);
        self.thread.join().expect("the judge does not panic")
    }
}

fn close(mut judgement: Judgement, clock: Clock, stop: &AtomicBool, shown: &Mutex<JudgedSoFar>) -> Judgement {
    for group in (0..GROUPS).cycle() {
        if stop.load(Relaxed) {
            break;
        }
        judgement.close(group, clock.now());
        if group == GROUPS - 1
            && let Some(so_far) = judgement.so_far()
        {
            *shown.lock().unwrap_or_else(PoisonError::into_inner) = so_far;
        }
        thread::sleep(PERIOD);
    }
    judgement
}
