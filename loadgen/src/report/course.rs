//! The course of a run: its seconds, and what was done to the servers meanwhile.

use serde::{Deserialize, Serialize};

use super::Figures;
use crate::{
    clock::SECOND,
    measure::{Tally, timeline},
};

/// One second of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Terminals on the line.
    pub online: i64,
    /// Sessions lost, not by plan.
    pub dropped: u64,
    /// Messages due.
    pub sent: u64,
    /// Deliveries.
    pub received: u64,
    /// Deliveries of the messages due in it that never came.
    pub lost: u64,
    /// Their latency, in milliseconds, if there are any.
    pub p50: Option<f64>,
    /// Likewise.
    pub p99: Option<f64>,
    /// Likewise.
    pub max: Option<f64>,
}

/// Something that was done to the servers meanwhile, and what it did to the latency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// When, in seconds of the run.
    pub at: f64,
    /// What.
    pub text: String,
    /// The ten seconds before.
    pub before: Figures,
    /// From it until it was steady again, or the next mark.
    pub during: Figures,
    /// From then on, until the next mark.
    pub after: Figures,
    /// How long until five seconds began without a loss, with a p99 within one and a half times that of before.
    pub steady_s: Option<f64>,
}

/// The seconds as rows.
pub fn seconds(tally: &Tally) -> Vec<Second> {
    let row = |second: &timeline::Second| {
        let at = |share| (second.latency.count() > 0).then(|| second.latency.at(share).milliseconds());
        let timeline::Second { online, dropped, sent, received, lost, .. } = *second;
        Second { online, dropped, sent, received, lost, p50: at(0.5), p99: at(0.99), max: at(1.0) }
    };
    tally.timeline.seconds.iter().map(row).collect()
}

/// Cuts the time line at each mark.
pub fn marks(tally: &Tally, marks: &[(u64, String)], end: u64) -> Vec<Mark> {
    let timeline = &tally.timeline;
    let second = |at: u64| (at / SECOND) as usize;
    let cut = |(number, (at, text)): (usize, &(u64, String))| {
        let from = second(*at);
        let until = marks.get(number + 1).map_or(second(end), |(next, _)| second(*next)).max(from);
        let steady = timeline.steady_after(from, until);
        let calm = steady.unwrap_or(until);
        Mark {
            at: *at as f64 / 1e9,
            text: text.clone(),
            before: (&timeline.latency(from.saturating_sub(10)..from)).into(),
            during: (&timeline.latency(from..calm)).into(),
            after: (&timeline.latency(calm..until)).into(),
            steady_s: steady.map(|steady| (steady as f64 - *at as f64 / 1e9).max(0.0)),
        }
    };
    marks.iter().enumerate().map(cut).collect()
}
