//! Counters for the progress display and for live metrics, shared by all terminals. No number in a report comes from
//! here.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
};

use crate::{
    clock::{Nanos, SECOND},
    measure::Latency,
};

/// The number of latency buckets. Each bucket is an eighth of an octave wide, so a displayed latency is exact to 10
/// %.
const BUCKETS: usize = 8 * 40;

/// Counters of a run in progress.
#[derive(Debug)]
pub struct LiveCounters {
    /// Terminals that have a session now.
    pub online: AtomicI64,
    /// Messages that were sent.
    pub sent: AtomicU64,
    /// Messages among `sent` that were sent more than a second after they were due.
    pub tardy: AtomicU64,
    /// Messages that the generator could not send.
    pub unsent: AtomicU64,
    /// Messages that terminals received.
    pub received: AtomicU64,
    /// Sessions that ended against the plan.
    pub lost: AtomicU64,
    /// Connection attempts that failed.
    pub failed: AtomicU64,
    /// From when each message was due until it was sent.
    lag: Mutex<Latency>,
    latencies: Vec<AtomicU64>,
}

impl Default for LiveCounters {
    fn default() -> Self {
        Self {
            online: AtomicI64::new(0),
            sent: AtomicU64::new(0),
            tardy: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            lag: Mutex::default(),
            latencies: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl LiveCounters {
    /// Counts a message that was sent, `lag` after it was due.
    pub fn left(&self, lag: Nanos) {
        self.sent.fetch_add(1, Relaxed);
        self.tardy.fetch_add(u64::from(lag > SECOND), Relaxed);
        self.lag().record(lag);
    }

    /// Returns the times from when each message was due until it was sent.
    pub fn lag(&self) -> MutexGuard<'_, Latency> {
        self.lag.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a received message; `latency` is the time since the message was due.
    pub fn arrived(&self, latency: Nanos) {
        self.received.fetch_add(1, Relaxed);
        self.latencies[bucket(latency)].fetch_add(1, Relaxed);
    }

    /// Returns the median, the 99th percentile and the maximum of the latencies since the last call, in
    /// milliseconds. Returns `None` if no message was received since then.
    pub fn latencies(&self) -> Option<[f64; 3]> {
        let counts: Vec<u64> = self.latencies.iter().map(|count| count.swap(0, Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        let at = |share: f64| {
            let mut left = (all as f64 * share).ceil() as u64;
            let reached = counts.iter().position(|count| {
                left = left.saturating_sub(*count);
                left == 0
            });
            reached.map_or(0.0, milliseconds)
        };
        (all > 0).then(|| [at(0.5), at(0.99), at(1.0)])
    }
}

fn bucket(latency: Nanos) -> usize {
    ((latency.max(1) as f64).log2() * 8.0) as usize % BUCKETS
}

fn milliseconds(bucket: usize) -> f64 {
    ((bucket as f64 + 0.5) / 8.0).exp2() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_exact_to_ten_percent_and_reset_by_each_call() {
        let live = LiveCounters::default();
        (1..=1000).for_each(|ms| live.arrived(ms * 1_000_000));
        let near = |got: f64, ms: f64| (got / ms - 1.0).abs() < 0.1;
        let [p50, p99, max] = live.latencies().unwrap();
        assert!(near(p50, 500.0) && near(p99, 990.0) && near(max, 1000.0), "{p50} {p99} {max}");
        assert_eq!(live.latencies(), None);
    }
}
