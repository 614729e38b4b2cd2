//! How the generator itself did in a run.

/// The facts about the generator that the gates check besides the tally.
#[derive(Debug, Clone, Copy)]
pub struct GeneratorHealth {
    /// The share of its threads' time that the generator used, from 0 to 1.
    pub cpu: f64,
    /// The longest time for which its threads that read for terminals stalled, in milliseconds.
    pub stalled_ms: f64,
    /// Whether the run was interrupted.
    pub cut_short: bool,
    /// True if a task of the generator failed: one of a terminal, of the sending of messages, or of a report.
    pub failed: bool,
    /// The largest difference between the clocks of several hosts, in milliseconds.
    pub clock_ms: f64,
}
