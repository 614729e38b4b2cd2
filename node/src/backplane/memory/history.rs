//! The counters of minutes in memory (minute.lua writes them in Redis).

use std::time::Duration;

use muster_protocol::{
    api::{FleetHistory, Status},
    frame::Condition,
};

use super::{MemoryBackplane, NodeStore};
use crate::backplane::fleet_minute::{TerminalGauges, minute_of};

impl NodeStore {
    /// Writes the counters of this minute, unless they are written. It looks at every terminal.
    pub(super) fn write_minute(&mut self, minute: u32, ping: Duration) {
        // A clock that was set back finds the minutes until then written.
        if self.minutes.last().is_some_and(|last| last >= minute) {
            return;
        }
        let mut gauges = TerminalGauges::default();
        for known in self.terminals.known.values() {
            let (status, condition) = (known.status(ping), known.condition());
            gauges.known += 1;
            gauges.with_session += u64::from(status != Status::Offline);
            gauges.stale += u64::from(status == Status::Stale);
            gauges.degraded += u64::from(condition == Condition::Degraded);
            gauges.failing += u64::from(condition == Condition::Failing);
        }
        self.minutes.write(minute, &gauges);
    }
}

impl MemoryBackplane {
    /// The last minutes, `count` of them at most.
    pub(super) fn shown_minutes(&self, count: u32) -> FleetHistory {
        let first = minute_of(self.clock.now()).saturating_sub(count - 1);
        let store = self.store();
        let minutes = store.minutes.minutes.iter().filter(|(minute, _)| *minute >= first);
        FleetHistory {
            minutes: minutes.map(|(minute, counters)| counters.view(*minute, 0)).collect(),
            partial: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, sync::Arc};

    use muster_protocol::frame::Health;

    use super::*;
    use crate::{
        backplane::{JoinRequest, SystemClock, TimeSource},
        hub::SessionInfo,
        reports::HealthReport,
    };

    fn session(terminal: &str) -> JoinRequest {
        JoinRequest {
            info: Arc::new(SessionInfo::fresh(terminal)),
            will: None,
            cursor: None,
            again: false,
            patient: false,
        }
    }

    #[test]
    fn a_minute_has_the_terminals_of_each_kind_and_is_written_once() {
        let clock: Arc<dyn TimeSource> = Arc::new(SystemClock);
        let mut store = NodeStore::new(&clock, 1 << 20, true);
        for (terminal, ordinal) in [("a", 0), ("b", 1), ("c", 2)] {
            store.terminals.enter(&session(terminal), &"n1".parse().unwrap(), ordinal);
        }
        let health = Some(Health { condition: Condition::Failing, metrics: BTreeMap::new() });
        store.terminals.vitals(&"b".parse().unwrap(), HealthReport { seen: None, health });
        store.terminals.known.get_mut("c").unwrap().is_online = false;
        store.minutes.count("sent", 2);
        for _ in 0..2 {
            store.write_minute(7, Duration::from_secs(25));
        }
        store.write_minute(6, Duration::from_secs(25));
        let views: Vec<_> = store.minutes.minutes.iter().map(|(minute, counters)| counters.view(*minute, 0)).collect();
        assert_eq!((views.len(), views[0].online, views[0].stale, views[0].offline), (1, 2, 0, 1));
        assert_eq!((views[0].by_condition["failing"], views[0].by_condition["ok"]), (1, 2));
        assert_eq!(views[0].targets[&muster_protocol::api::TargetState::Sent], 2);
    }
}
