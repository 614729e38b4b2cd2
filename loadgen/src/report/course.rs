//! The course of a run: its steps, and the marks that were set during it.

use serde::{Deserialize, Serialize};

use super::Figures;
use crate::measure::{Tally, timeline};

/// One step of the run: a second, or longer in a long run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimelineRow {
    /// Terminals connected at the end of the step.
    pub online: i64,
    /// Sessions lost that the plan did not end.
    pub dropped: u64,
    /// Messages due in the step.
    pub sent: u64,
    /// Messages received in the step.
    pub received: u64,
    /// Deliveries that never arrived, of messages due in the step.
    pub lost: u64,
    /// The median latency of live deliveries of messages due in the step, in milliseconds; `None` without a
    /// delivery.
    pub p50: Option<f64>,
    /// The 99th percentile of the same latencies.
    pub p99: Option<f64>,
    /// The maximum of the same latencies.
    pub max: Option<f64>,
}

/// A mark: something that was done to the servers during the run, and its effect on the latency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MarkRow {
    /// When the mark was set, in seconds since the beginning of the run.
    pub at: f64,
    /// The text of the mark.
    pub text: String,
    /// The live latencies of the ten seconds before the mark.
    pub before: Figures,
    /// The live latencies from the mark until the service was steady again; until the next mark or the end of the
    /// run if it never was.
    pub during: Figures,
    /// The live latencies from when the service was steady again until the next mark or the end of the run.
    pub after: Figures,
    /// Seconds from the mark until the first of five seconds without a loss whose p99 is at most 1.5 times the p99
    /// before the mark. `None` if there were no such five seconds before the next mark or the end of the run.
    pub steady_s: Option<f64>,
}

/// The steps of a run as rows of the report.
pub fn steps(tally: &Tally) -> Vec<TimelineRow> {
    let row = |step: &timeline::TimelineStep| {
        let at = |share| (step.latency.count() > 0).then(|| step.latency.at(share).milliseconds());
        let timeline::TimelineStep { online, dropped, sent, received, lost, .. } = *step;
        TimelineRow { online, dropped, sent, received, lost, p50: at(0.5), p99: at(0.99), max: at(1.0) }
    };
    tally.timeline.steps.iter().map(row).collect()
}

/// Divides the timeline at each mark. `marks` holds the time in nanoseconds and the text of each mark in the order
/// of time; `end`, in nanoseconds, ends the time of the last mark.
pub fn marks(tally: &Tally, marks: &[(u64, String)], end: u64) -> Vec<MarkRow> {
    let timeline = &tally.timeline;
    let step = |at: u64| timeline.number(at);
    let cut = |(number, (at, text)): (usize, &(u64, String))| {
        let from = step(*at);
        let until = marks.get(number + 1).map_or(step(end), |(next, _)| step(*next)).max(from);
        let steady = timeline.steady_after(from, until);
        let calm = steady.unwrap_or(until);
        MarkRow {
            at: *at as f64 / 1e9,
            text: text.clone(),
            before: (&timeline.before(from)).into(),
            during: (&timeline.latency(from..calm)).into(),
            after: (&timeline.latency(calm..until)).into(),
            steady_s: steady.map(|steady| ((steady as u64 * timeline.step_s) as f64 - *at as f64 / 1e9).max(0.0)),
        }
    };
    marks.iter().enumerate().map(cut).collect()
}
