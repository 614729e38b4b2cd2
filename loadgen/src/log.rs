//! What was seen, written down as it happens and judged later. Each terminal has its own lines, so that they never wait for each
//! other. All times are from the start of the run, on the clock that never jumps.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// A message that a terminal got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Which broadcast.
    pub number: usize,
    /// When its frame was read.
    pub at: Duration,
}

/// One terminal's lines.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    /// By stay: when it was first ready.
    pub ready: Vec<Option<Duration>>,
    /// In the order they came.
    pub arrivals: Vec<Arrival>,
    /// Messages of another run, or that can't be read.
    pub strange: u64,
    /// Commands that came again on the wire and were recognized.
    pub repeated: u64,
    /// Sessions that ended though the terminal had not left.
    pub unplanned: u64,
}

/// What became of one broadcast.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Which.
    pub number: usize,
    /// When the request was begun.
    pub at: Duration,
    /// When the answer was there.
    pub answered: Duration,
    /// None if it was accepted; else why not.
    pub refused: Option<String>,
}

/// All lines of a run.
#[derive(Debug)]
pub struct Log {
    /// When the run began.
    pub began: Instant,
    terminals: Vec<Mutex<Lines>>,
    sent: Mutex<Vec<Sent>>,
    online: AtomicI64,
    peak: AtomicI64,
    received: AtomicU64,
}

impl Log {
    /// Empty.
    pub fn new(terminals: usize, began: Instant) -> Self {
        Self {
            began,
            terminals: (0..terminals).map(|_| Mutex::default()).collect(),
            sent: Mutex::default(),
            online: AtomicI64::new(0),
            peak: AtomicI64::new(0),
            received: AtomicU64::new(0),
        }
    }

    /// The time of the run at an instant.
    pub fn time(&self, at: std::time::Instant) -> Duration {
        Instant::from_std(at).saturating_duration_since(self.began)
    }

    /// One terminal's lines.
    pub fn terminal(&self, number: usize) -> MutexGuard<'_, Lines> {
        self.terminals[number].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The broadcasts that were sent.
    pub fn sent(&self) -> MutexGuard<'_, Vec<Sent>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A terminal came online, or went.
    pub fn online(&self, change: i64) {
        let now = self.online.fetch_add(change, Ordering::Relaxed) + change;
        self.peak.fetch_max(now, Ordering::Relaxed);
    }

    /// A message arrived, for the progress alone.
    pub fn received(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    /// The most terminals that were online at once.
    pub fn peak(&self) -> i64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// One line on how it goes.
    pub fn progress(&self) -> String {
        let online = self.online.load(Ordering::Relaxed);
        let (sent, received) = (self.sent().len(), self.received.load(Ordering::Relaxed));
        format!(
            "{:>4.0} s  {online:>6} online  {sent:>5} broadcasts  {received:>9} received",
            self.began.elapsed().as_secs_f64()
        )
    }
}
