//! The counters of a minute, of one partition or of several.

use std::array;

use jiff::Timestamp;
use muster_protocol::api::{FleetMinute, TargetState};

/// The minutes that are stored: 24 hours.
pub const MINUTES_MAX: u32 = 1440;
/// The names of what is counted within a minute, in the order in which the numbers are stored: first commands, then
/// targets by the state that they reached.
pub const COUNTERS: [&str; 10] =
    ["accepted", "done", "cancelled", "sent", "acked", "running", "succeeded", "failed", "rejected", "expired"];
/// The numbers of terminals that stand before [`COUNTERS`]: known, with a session, stale, degraded, failing.
const GAUGES: usize = 5;
/// All numbers of a minute.
const NUMBERS: usize = GAUGES + COUNTERS.len();
/// The bytes of a minute as a partition stores it, 4 for each number: first the time in minutes since 1970, then all
/// numbers of the minute.
pub const MINUTE_BYTES: usize = 4 * (1 + NUMBERS);
/// How many of [`COUNTERS`] are of commands. The others are of targets.
const OF_COMMANDS: usize = 3;

/// The terminals at the beginning of a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TerminalGauges {
    /// Terminals that are registered.
    pub known: u64,
    /// Terminals that have a session.
    pub with_session: u64,
    /// Terminals that have a session and have not answered their last pings.
    pub stale: u64,
    /// Terminals in the condition `degraded`.
    pub degraded: u64,
    /// Terminals in the condition `failing`.
    pub failing: u64,
}

/// The counters of a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MinuteCounters([u64; NUMBERS]);

impl MinuteCounters {
    /// Returns the counters of a minute, from its terminals and what was counted in the order of [`COUNTERS`].
    pub fn new(gauges: &TerminalGauges, counted: &[u64; COUNTERS.len()]) -> Self {
        let TerminalGauges { known, with_session, stale, degraded, failing } = *gauges;
        let gauges = [known, with_session, stale, degraded, failing];
        Self(array::from_fn(|at| gauges.get(at).copied().unwrap_or_else(|| counted[at - GAUGES])))
    }

    /// Reads a minute as a partition stores it. Returns its time in minutes since 1970, and its counters. None if the
    /// bytes have another length.
    pub fn unpack(bytes: &[u8]) -> Option<(u32, Self)> {
        let bytes: &[u8; MINUTE_BYTES] = bytes.try_into().ok()?;
        let number = |at: usize| u32::from_be_bytes(array::from_fn(|byte| bytes[at * 4 + byte]));
        Some((number(0), Self(array::from_fn(|at| number(at + 1).into()))))
    }

    /// Adds the counters of another partition.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(one, other)| *one += other);
    }

    /// Returns the minute with this number as the API shows it. `missing` is the number of partitions whose counters
    /// were not added.
    pub fn view(&self, minute: u32, missing: u64) -> FleetMinute {
        let [known, with_session, stale, degraded, failing] = array::from_fn(|at| self.0[at]);
        let counted = COUNTERS.iter().zip(&self.0[GAUGES..]);
        let targets = counted.clone().skip(OF_COMMANDS);
        let ok = known.saturating_sub(degraded + failing);
        FleetMinute {
            at: start_of(minute),
            online: with_session.saturating_sub(stale),
            stale,
            offline: known.saturating_sub(with_session),
            by_condition: [("ok", ok), ("degraded", degraded), ("failing", failing)]
                .map(|(name, count)| (name.to_owned(), count))
                .into(),
            commands: counted.take(OF_COMMANDS).map(|(name, count)| ((*name).to_owned(), *count)).collect(),
            targets: targets.filter_map(|(name, count)| Some((TargetState::of_name(name)?, *count))).collect(),
            missing,
        }
    }
}

/// Returns the minute of a time, in minutes since 1970.
pub fn minute_of(time: Timestamp) -> u32 {
    u32::try_from(time.as_second() / 60).unwrap_or(0)
}

fn start_of(minute: u32) -> Timestamp {
    Timestamp::from_second(i64::from(minute) * 60).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_shown_with_the_sum_of_its_partitions() {
        let packed: Vec<u8> =
            [100, 10, 7, 2, 3, 1, 5, 4, 1, 9, 8, 6, 5, 3, 2, 1].into_iter().flat_map(u32::to_be_bytes).collect();
        let (minute, mut counters) = MinuteCounters::unpack(&packed).unwrap();
        counters.add(&counters.clone());
        let view = counters.view(minute, 3);
        assert_eq!(view.at.to_string(), "1970-01-01T01:40:00Z");
        assert_eq!((view.online, view.stale, view.offline, view.missing), (10, 4, 6, 3));
        assert_eq!((view.by_condition["ok"], view.by_condition["degraded"], view.by_condition["failing"]), (12, 6, 2));
        assert_eq!((view.commands["accepted"], view.commands["done"], view.commands["cancelled"]), (10, 8, 2));
        assert_eq!((view.targets[&TargetState::Sent], view.targets[&TargetState::Expired]), (18, 2));
        assert_eq!(view.targets.len(), COUNTERS.len() - OF_COMMANDS);
        assert_eq!(MinuteCounters::unpack(&packed[1..]), None);
    }
}
