//! The clocks of the masters, compared with this node's. Redis stamps when a command expires, and nodes judge by their
//! own clocks whether it has, so the clocks must agree.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::time::{self, MissedTickBehavior};

use super::{RedisBackplane, member::PartitionMember, partition::lease::BEAT};

/// A difference that operators are told of.
const TOLD: Duration = Duration::from_secs(1);

impl RedisBackplane {
    /// Compares the clocks at each beat; never returns. A master that does not answer delays no other master.
    pub(super) async fn keep_comparing_clocks(&self) {
        let mut beat = time::interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beat.tick().await;
            join_all(self.by_master().into_iter().map(|members| self.compare_clock(members))).await;
            let greatest = self.members.iter().map(|member| member.clock_difference.ahead().abs()).max();
            self.metrics.redis_clock_difference.set(greatest.unwrap_or_default());
        }
    }

    async fn compare_clock(&self, members: Vec<&PartitionMember>) {
        let asked = self.clock.now();
        // The renewal of leases notices a Redis that does not answer.
        let Ok(theirs) = members[0].store.time().await else { return };
        let ahead = ahead_of(theirs, asked, self.clock.now());
        let was_off = members.iter().any(|member| is_off(member.clock_difference.ahead()));
        let master = self.master_name(members[0]);
        if is_off(ahead) && !was_off {
            tracing::warn!(
                master,
                ahead_ms = ahead,
                "the clock of Redis and this node's differ by more than 1 s; beyond 5 s no command is accepted: set both by NTP"
            );
        } else if was_off && !is_off(ahead) {
            tracing::info!(master, "the clock of Redis and this node's agree again");
        }
        members.iter().for_each(|member| member.clock_difference.set_ahead(ahead));
    }
}

fn is_off(ahead: i64) -> bool {
    Duration::from_millis(ahead.unsigned_abs()) > TOLD
}

/// Returns by how many milliseconds a clock is at least ahead. The clock told `theirs` at some moment between `asked`
/// and `answered`, so a slow answer does not count as a wrong clock.
fn ahead_of(theirs: Timestamp, asked: Timestamp, answered: Timestamp) -> i64 {
    let (theirs, asked, answered) = (theirs.as_millisecond(), asked.as_millisecond(), answered.as_millisecond());
    theirs - theirs.clamp(asked.min(answered), asked.max(answered))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_answer_is_no_wrong_clock() {
        let at = |ms: i64| Timestamp::from_millisecond(ms).unwrap();
        for (theirs, expected) in [(10_000, 0), (13_500, 0), (17_000, 0), (17_001, 1), (24_000, 7_000), (4_000, -6_000)]
        {
            assert_eq!(ahead_of(at(theirs), at(10_000), at(17_000)), expected, "{theirs}");
        }
    }
}
