//! Bounds the CPU time of this process. What attackers cost the machine must not be taken for what they cost the server.

use std::{
    thread,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
use tokio::time;

/// How often the CPU time is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// CPU time that was not used can be made up for later, up to what this time is worth.
const CREDIT: Duration = Duration::from_millis(50);

/// Has this process use at most `cores` of a core, over any time that is long against [`CREDIT`]. Never returns.
///
/// The sleep blocks the only thread of the process on purpose: so it holds up all attackers.
pub async fn hold(cores: f64) {
    let mut ticks = time::interval(LOOK);
    let (mut used, mut paid_until) = (cpu_time(), Instant::now());
    loop {
        ticks.tick().await;
        let (now, before) = (Instant::now(), used);
        used = cpu_time();
        let cost = (used - before).div_f64(cores);
        paid_until = paid_until.max(now.checked_sub(CREDIT).unwrap_or(now)) + cost;
        thread::sleep(paid_until.saturating_duration_since(now));
    }
}

/// The CPU time that this process has used so far.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
