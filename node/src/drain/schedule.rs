//! The schedule by which sessions are sent away: when each session is closed, and when its terminal is told to come
//! back.

use std::time::{Duration, Instant};

use tokio::time;

use crate::{end::SessionEnd, hub::SessionAddr, shard::Shards};

/// Sessions are closed in slices of this length. A slice is short, so that few sessions are closed at once.
pub const SLICE: Duration = Duration::from_millis(100);
/// Which part of the handshakes that the other nodes admit may be taken by terminals that a drain sends there. The rest
/// is for terminals that come by themselves.
const SHARE: f64 = 0.8;

/// When each of `total` sessions is closed, and when each of their terminals is told to come back.
pub struct Schedule {
    total: usize,
    over: Duration,
    returns: Duration,
}

impl Schedule {
    /// Returns a schedule that closes `total` sessions evenly over `over`. `accepts` is the number of handshakes per
    /// second that the other nodes admit; 0 if that does not matter or there is no other node.
    pub fn new(total: usize, over: Duration, accepts: u64) -> Self {
        let needed = match accepts {
            0 => Duration::ZERO,
            accepts => Duration::from_secs_f64(total as f64 / (accepts as f64 * SHARE)),
        };
        Self { total, over, returns: over.max(needed) }
    }

    /// Closes the sessions at `addrs`, each when it is due. `end` makes the end of a session from the time that its
    /// terminal is told to wait.
    pub async fn carry_out(&self, shards: &Shards, addrs: Vec<SessionAddr>, end: impl Fn(Duration) -> SessionEnd) {
        let (began, mut closed) = (Instant::now(), 0);
        let mut ticks = time::interval(SLICE);
        while closed < addrs.len() {
            ticks.tick().await;
            let elapsed = began.elapsed();
            let due = self.due(elapsed);
            for (index, addr) in addrs.iter().enumerate().take(due).skip(closed) {
                shards.end(*addr, end(self.retry(index, elapsed))).await;
            }
            closed = due;
        }
    }

    /// Returns how many sessions must be closed in the slice that begins at `elapsed` and in the slices before.
    fn due(&self, elapsed: Duration) -> usize {
        let part = (elapsed + SLICE).as_secs_f64() / self.over.as_secs_f64().max(SLICE.as_secs_f64());
        ((part * self.total as f64).ceil() as usize).min(self.total)
    }

    /// Returns the time that the terminal at `index` is told to wait: the moment of its return by the schedule, less
    /// the time that has passed.
    fn retry(&self, index: usize, elapsed: Duration) -> Duration {
        let addr = (index as f64 + rand::random::<f64>()) / self.total as f64;
        self.returns.mul_f64(addr.min(1.0)).saturating_sub(elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Returns when each terminal is back, in seconds from the beginning.
    fn returns(schedule: &Schedule) -> Vec<f64> {
        let mut closed = 0;
        let mut returns = Vec::new();
        for slice in 0.. {
            let elapsed = SLICE * slice;
            let due = schedule.due(elapsed);
            returns.extend((closed..due).map(|index| (elapsed + schedule.retry(index, elapsed)).as_secs_f64()));
            closed = due;
            if closed == schedule.total {
                return returns;
            }
        }
        unreachable!()
    }

    #[test]
    fn returns_are_even_over_the_drain() {
        let returns = returns(&Schedule::new(1000, 20 * SECOND, 10_000));
        for second in 0..20 {
            let count = returns.iter().filter(|at| (second as f64..second as f64 + 1.0).contains(*at)).count();
            assert!((40..=60).contains(&count), "{count} in second {second}");
        }
    }

    #[test]
    fn returns_take_as_long_as_the_others_need() {
        let returns = returns(&Schedule::new(1000, 5 * SECOND, 50));
        let last = returns.iter().fold(0.0, |last: f64, at| last.max(*at));
        assert!((24.0..=25.0).contains(&last), "{last}: 1000 sessions at 80 % of 50 a second");
    }

    #[test]
    fn no_session_is_left_and_few_are_not_all_at_once() {
        for total in [0, 1, 7, 1000] {
            let schedule = Schedule::new(total, 2 * SECOND, 0);
            assert_eq!(schedule.due(2 * SECOND), total);
            assert!(schedule.due(Duration::ZERO) <= total.div_ceil(20));
        }
        assert_eq!(Schedule::new(5, Duration::ZERO, 0).due(Duration::ZERO), 5);
    }
}
