//! What waits to be written into one partition.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use muster_protocol::{CommandId, Payload, TerminalId};

use super::partition::raise::RaisedState;
use crate::reports::{HealthReport, ReportedEvent};

/// The most reports that wait for one partition. When there are more, the oldest are dropped and counted.
const WAITING_MAX: usize = 100_000;
/// The longest time that an answer to a ping waits before it is written. Such answers come at all times from all
/// terminals, and nobody waits for them.
const VITALS_INTERVAL: Duration = Duration::from_secs(1);

/// The reports of one partition's terminals.
#[derive(Debug, Clone, Default)]
pub struct PartitionReports {
    /// The epoch of the store that gave the ordinals of `replies` and `states`.
    pub epoch: Arc<str>,
    /// What targets replied, by command and ordinal, in order.
    pub replies: BTreeMap<CommandId, Vec<(u32, Payload)>>,
    /// States that targets reached.
    pub states: Vec<RaisedState>,
    /// Whether the last batch had states.
    pub is_fresh: bool,
    /// Commands of which all targets of the partition are settled, and whose homes are to be told.
    pub settled: Vec<CommandId>,
    /// How terminals fare.
    pub vitals: Vec<(TerminalId, HealthReport)>,
    /// When the first of `vitals` came.
    vitals_since: Option<Instant>,
    /// What happened, in order.
    pub events: Vec<ReportedEvent>,
}

impl PartitionReports {
    /// Returns whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.count() == 0 && self.settled.is_empty()
    }

    /// Adds how a terminal fares.
    pub fn add_vitals(&mut self, terminal: TerminalId, report: HealthReport) {
        if self.vitals.is_empty() {
            self.vitals_since = Some(Instant::now());
        }
        self.vitals.push((terminal, report));
    }

    /// Returns whether `vitals` are to be written: one of them has the health of a terminal, or they have waited for
    /// their interval.
    pub fn are_vitals_due(&self) -> bool {
        self.vitals_since.is_some_and(|since| since.elapsed() >= VITALS_INTERVAL)
            || self.vitals.iter().any(|(_, report)| report.health.is_some())
    }

    /// Returns whether nothing waits that names terminals by their ordinals.
    pub fn needs_no_ordinals(&self) -> bool {
        self.states.is_empty() && self.replies.is_empty()
    }

    /// Begins to take ordinals of this epoch. Drops reports by ordinals of another epoch, because those may belong to
    /// other terminals now. Returns how many it dropped.
    pub fn begin_epoch(&mut self, epoch: Arc<str>) -> usize {
        if *self.epoch == *epoch {
            return 0;
        }
        self.epoch = epoch;
        let states: usize = std::mem::take(&mut self.states).iter().map(|state| state.targets.len()).sum();
        states + std::mem::take(&mut self.replies).values().map(Vec::len).sum::<usize>()
    }

    /// Returns the number of reports.
    fn count(&self) -> usize {
        let replies: usize = self.replies.values().map(Vec::len).sum();
        replies
            + self.vitals.len()
            + self.events.len()
            + self.states.iter().map(|state| state.targets.len()).sum::<usize>()
    }

    /// Drops the oldest reports beyond the bounds. Returns how many.
    pub fn drop_beyond_bounds(&mut self) -> usize {
        let beyond = self.events.len().saturating_sub(WAITING_MAX);
        self.events.drain(..beyond);
        let vitals = self.vitals.len().saturating_sub(WAITING_MAX);
        self.vitals.drain(..vitals);
        let settled = self.settled.len().saturating_sub(WAITING_MAX);
        self.settled.drain(..settled);
        beyond + vitals + settled + drop_states(&mut self.states)
    }
}

/// Drops the oldest states beyond the bound. Returns how many targets they had.
fn drop_states(states: &mut Vec<RaisedState>) -> usize {
    let (mut room, mut kept) = (WAITING_MAX, states.len());
    while kept > 0 && states[kept - 1].targets.len() <= room {
        kept -= 1;
        room -= states[kept].targets.len();
    }
    // A single report may have more targets than the bound. It is kept whole.
    let beyond = kept.min(states.len().saturating_sub(1));
    states.drain(..beyond).map(|state| state.targets.len()).sum()
}
