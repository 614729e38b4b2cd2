//! The counters of minutes over all partitions.

use std::collections::BTreeMap;

use muster_protocol::api::FleetHistory;

use super::{RedisBackplane, answers::PartitionAnswers};
use crate::backplane::{
    BackplaneError,
    fleet_minute::{MinuteCounters, minute_of},
};

impl RedisBackplane {
    /// Returns the counters of the last minutes by this node's clock, summed up over the partitions that answer.
    pub(super) async fn merged_minutes(&self, count: u32) -> Result<FleetHistory, BackplaneError> {
        let last = minute_of(self.clock.now());
        let parts = self.ask_all(|member| async move { member.store.minutes(last, count).await }).await?;
        Ok(merged(parts, self.partitions.count()))
    }
}

/// Returns the sums of all partitions that have a minute. `partitions` is the number of all.
fn merged(parts: PartitionAnswers<Vec<(u32, MinuteCounters)>>, partitions: u16) -> FleetHistory {
    let mut minutes: BTreeMap<u32, (MinuteCounters, u64)> = BTreeMap::new();
    for (minute, counters) in parts.found.into_iter().flat_map(|(_, part)| part) {
        let (sum, found) = minutes.entry(minute).or_default();
        sum.add(&counters);
        *found += 1;
    }
    let view = |(minute, (sum, found)): (u32, (MinuteCounters, u64))| {
        sum.view(minute, u64::from(partitions).saturating_sub(found))
    };
    FleetHistory { minutes: minutes.into_iter().map(view).collect(), partial: parts.partial }
}

#[cfg(test)]
mod tests {
    use muster_protocol::partition::PartitionIndex;

    use super::*;
    use crate::backplane::fleet_minute::{COUNTERS, TerminalGauges};

    #[test]
    fn a_minute_that_a_partition_lacks_says_so_and_one_that_all_lack_is_left_out() {
        let of = |known| {
            MinuteCounters::new(&TerminalGauges { known, ..TerminalGauges::default() }, &[known; COUNTERS.len()])
        };
        let found = vec![(PartitionIndex(0), vec![(7, of(1)), (9, of(2))]), (PartitionIndex(2), vec![(9, of(4))])];
        let history = merged(PartitionAnswers { found, partial: vec![PartitionIndex(1)] }, 3);
        let told = history.minutes.iter().map(|minute| (minute.at.as_second() / 60, minute.offline, minute.missing));
        assert_eq!(told.collect::<Vec<_>>(), [(7, 1, 2), (9, 6, 1)]);
        assert_eq!(history.partial, [PartitionIndex(1)]);
    }
}
