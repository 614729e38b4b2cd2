//! The result of one run of a card.

use serde::{Deserialize, Serialize};

use super::CardVerdict;
use crate::{
    names,
    report::{Figures, Report},
};

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RepeatResult {
    /// Its seed.
    pub seed: u64,
    /// Its terminals.
    pub terminals: usize,
    /// How many times the capacity that is; `None` if there is none.
    pub times_capacity: Option<usize>,
    /// What became of all that was owed.
    pub verdict: CardVerdict,
    /// The reasons in one sentence.
    pub why: String,
    /// The exit code of the run.
    pub exit_code: Option<i32>,
    /// Whether the server still ran at the end.
    pub server_alive: bool,
    /// The deliveries of terminals that behave.
    pub deliveries: Deliveries,
    /// Sessions and attempts.
    pub sessions: SessionCounts,
    /// The times of live deliveries.
    pub live: Figures,
    /// The times from a lost session to the next one.
    pub reconnect: Option<Figures>,
    /// Why times are not to be trusted; none if they are.
    pub doubts: Vec<String>,
    /// The server's CPU time for a delivery in microseconds; `None` if it was restarted or delivered nothing.
    pub cpu_us_per_delivery: Option<f64>,
    /// The same as a ratio to the floor.
    pub cpu_ratio: Option<f64>,
    /// By how much the server's memory grew for each terminal, in bytes; `None` if it was restarted.
    pub bytes_per_session: Option<u64>,
    /// What was done to the server: seconds since the beginning of the run, and text.
    pub marks: Vec<(f64, String)>,
    /// The 99th percentile of live deliveries in each step of the run, in milliseconds.
    pub course: Vec<Option<f64>>,
}

/// The outcomes of what was owed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Deliveries {
    /// All that was owed.
    pub owed: u64,
    /// Delivered within the grace.
    pub on_time: u64,
    /// Delivered later.
    pub late: u64,
    /// Delivered by replay.
    pub replayed: u64,
    /// Not delivered, and told so.
    pub gap_told: u64,
    /// Not delivered, and not promised.
    pub not_promised: u64,
    /// Not delivered, without a word.
    pub silently_lost: u64,
    /// Messages that the server refused, or for which it was not reached.
    pub refused: u64,
    /// Messages that were not sent since the connection that sends was down.
    pub unsent: u64,
}

/// Sessions and attempts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SessionCounts {
    /// The most terminals that were connected at once.
    pub peak: u64,
    /// Sessions that the plan did not end.
    pub lost: u64,
    /// Stays without a session: the server let the terminal in at no attempt.
    pub never_let_in: u64,
    /// Attempts that failed.
    pub failed_attempts: u64,
}

impl RepeatResult {
    /// The result of a run from its report. `restarts` says that the server's process was not the same all the time.
    pub fn of(report: &Report, exit_code: Option<i32>, restarts: bool, server_alive: bool) -> Self {
        let account = report.behaved();
        let (messages, connections) = (&report.messages, &report.connections);
        let processes = &report.servers.processes;
        let cpu_s: f64 = processes.values().map(|cost| cost.cpu_s).sum();
        let grown: u64 = processes.values().map(|cost| cost.rss_after.saturating_sub(cost.rss_before)).sum();
        let has_cost = !restarts && server_alive && !processes.is_empty();
        Self {
            seed: report.seed,
            terminals: report.terminals,
            times_capacity: None,
            verdict: CardVerdict::of(report),
            why: report.verdict.sentence(),
            exit_code,
            server_alive,
            deliveries: Deliveries {
                owed: account.expected,
                on_time: account.on_time,
                late: account.late,
                replayed: account.replayed,
                gap_told: account.signalled_gap,
                not_promised: account.not_promised,
                silently_lost: account.silently_lost,
                refused: messages.refused,
                unsent: messages.unsent,
            },
            sessions: SessionCounts {
                peak: connections.peak,
                lost: connections.lost,
                never_let_in: connections.never + connections.unanswered,
                failed_attempts: connections.failed,
            },
            live: report.latencies.get(names::LIVE).cloned().unwrap_or_default(),
            reconnect: report.latencies.get(names::RECONNECT).cloned(),
            doubts: report.verdict.doubts(),
            cpu_us_per_delivery: (has_cost && report.frames.read > 0).then(|| cpu_s * 1e6 / report.frames.read as f64),
            cpu_ratio: None,
            bytes_per_session: has_cost.then(|| grown / report.terminals.max(1) as u64),
            marks: report.marks.iter().map(|mark| (mark.at, mark.text.clone())).collect(),
            course: report.timeline.iter().map(|row| row.p99.filter(|p99| p99.is_finite())).collect(),
        }
    }

    /// The result of a run that left no report.
    pub fn missing(seed: u64, terminals: usize, why: String, exit_code: Option<i32>, server_alive: bool) -> Self {
        Self {
            seed,
            terminals,
            times_capacity: None,
            verdict: CardVerdict::Unknown,
            why,
            exit_code,
            server_alive,
            deliveries: Deliveries::default(),
            sessions: SessionCounts::default(),
            live: Figures::default(),
            reconnect: None,
            doubts: Vec::new(),
            cpu_us_per_delivery: None,
            cpu_ratio: None,
            bytes_per_session: None,
            marks: Vec::new(),
            course: Vec::new(),
        }
    }
}
