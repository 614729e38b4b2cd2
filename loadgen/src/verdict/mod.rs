//! The verdict on a run. It answers three questions: is the run *valid*, so that its numbers mean something
//! ([`gates`]); are the deliveries *correct*; and are the SLOs met ([`slo`]).
//!
//! The first of these that applies decides the outcome and the exit code: faulty deliveries (11), a failed gate
//! (12), a run that was cut short (13), a missed SLO (10), a missing output (15). Faulty deliveries come first,
//! because they are evidence against the server even in an invalid run.

pub mod gates;
pub mod slo;

use std::process::ExitCode;

use serde::{Deserialize, Serialize};

pub use self::{gates::Gate, slo::Check};
use crate::measure::{FaultKind, Tally};

/// The overall result of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// The run is valid, the deliveries are correct and the SLOs are met.
    Pass,
    /// At least one SLO was missed.
    SloMissed,
    /// At least one message was lost without a report, delivered twice, changed, reordered, misdelivered or never
    /// sent.
    Broken,
    /// At least one gate besides [`gates::COURSE`] failed: the numbers mean nothing.
    Invalid,
    /// A signal ended the run early, and no other gate failed. Messages that were due until then are judged.
    CutShort,
    /// The run passed, but an output that was asked for could not be written.
    OutputMissing,
}

impl RunOutcome {
    /// The exit code: 0 for a pass, 10 for a missed SLO, 11 for faulty deliveries, 12 for an invalid run, 13 for a
    /// run that was cut short, 15 for a missing output.
    pub fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::SloMissed => 10,
            Self::Broken => 11,
            Self::Invalid => 12,
            Self::CutShort => 13,
            Self::OutputMissing => 15,
        }
    }

    /// The result in one or two words, for reports.
    pub fn label(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::SloMissed => "SLO MISSED",
            Self::Broken => "BROKEN",
            Self::Invalid => "INVALID",
            Self::CutShort => "CUT SHORT",
            Self::OutputMissing => "OUTPUT MISSING",
        }
    }
}

impl RunOutcome {
    /// This outcome, unless it is a pass; then `later`, which is about what followed the run.
    pub fn or(self, later: Self) -> Self {
        if self == Self::Pass { later } else { self }
    }

    /// The outcome of the process. `complete` says whether all outputs were written. A missing output changes only a
    /// pass: every other outcome takes precedence.
    pub fn with_outputs(self, complete: bool) -> Self {
        self.or(if complete { Self::Pass } else { Self::OutputMissing })
    }
}

impl From<RunOutcome> for ExitCode {
    fn from(outcome: RunOutcome) -> Self {
        outcome.code().into()
    }
}

/// The verdict and its reasons.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunVerdict {
    /// The overall result.
    pub outcome: RunOutcome,
    /// Every gate and its result.
    pub gates: Vec<Gate>,
    /// Faults in the deliveries, one text per kind.
    pub broken: Vec<String>,
    /// Every SLO and its result.
    pub checks: Vec<Check>,
}

impl RunVerdict {
    /// The verdict that follows from these gates, the faults counted in `tally`, and these checks.
    pub fn new(gates: Vec<Gate>, tally: &Tally, checks: Vec<Check>) -> Self {
        let broken = broken(tally);
        let mut failing = gates.iter().filter(|gate| !gate.ok).peekable();
        let outcome = if is_broken(&gates, tally) {
            RunOutcome::Broken
        } else if failing.peek().is_some() {
            match failing.all(|gate| gate.name == gates::COURSE) {
                true => RunOutcome::CutShort,
                false => RunOutcome::Invalid,
            }
        } else if checks.iter().any(|check| !check.ok) {
            RunOutcome::SloMissed
        } else {
            RunOutcome::Pass
        };
        Self { outcome, gates, broken, checks }
    }

    /// The reasons of the result in one sentence.
    pub fn sentence(&self) -> String {
        let gates = self.gates.iter().filter(|gate| !gate.ok).map(Gate::to_string);
        let checks = self.checks.iter().filter(|check| !check.ok).map(Check::to_string);
        let why: Vec<String> = match self.outcome {
            RunOutcome::Pass => {
                return "the run is valid, every delivery that was owed is accounted for, and none is wrong".into();
            }
            RunOutcome::Invalid | RunOutcome::CutShort => gates.chain(self.broken.iter().cloned()).collect(),
            RunOutcome::Broken => self.broken.iter().cloned().chain(gates).collect(),
            RunOutcome::OutputMissing => vec!["an output could not be written".into()],
            RunOutcome::SloMissed => checks.collect(),
        };
        why.join("; ")
    }
}

/// The faults that make every run fail, whatever its SLOs, and their names in the verdict.
const BROKEN: [(FaultKind, &str); 7] = [
    (FaultKind::SilentlyLost, "silently lost"),
    (FaultKind::DupApp, "delivered twice"),
    (FaultKind::Reordered, "out of order"),
    (FaultKind::Corrupt, "corrupt"),
    (FaultKind::Misdelivered, "misdelivered"),
    (FaultKind::Phantom, "never sent"),
    (FaultKind::FromReplaced, "from a replaced session"),
];

/// The faults of a run in words, one text per kind.
fn broken(tally: &Tally) -> Vec<String> {
    let counted = BROKEN.iter().map(|(kind, name)| (tally.count(*kind), name));
    counted.filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect()
}

/// Whether the server delivered wrongly for certain. A wrong delivery that was received is certain. A message that was
/// not received may be the generator's fault if it was starved.
fn is_broken(gates: &[Gate], tally: &Tally) -> bool {
    let starved = gates.iter().any(|gate| !gate.ok && gates::STARVED.contains(&gate.name.as_str()));
    BROKEN.iter().any(|(kind, _)| tally.count(*kind) > 0 && !(starved && *kind == FaultKind::SilentlyLost))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(name: &str) -> Gate {
        Gate { name: name.into(), ok: false, found: "x".into(), needed: "y".into() }
    }

    fn outcome(gates: &[&str], broken: bool, missed: bool, complete: bool) -> u8 {
        let mut tally = Tally::default();
        if broken {
            tally.faults.insert(FaultKind::SilentlyLost, 1);
        }
        let check = Check { slo: "lost==0".into(), ok: !missed, found: "1".into() };
        let verdict = RunVerdict::new(gates.iter().map(|name| gate(name)).collect(), &tally, vec![check]);
        verdict.outcome.with_outputs(complete).code()
    }

    #[test]
    fn the_first_of_11_12_13_10_15_counts() {
        assert_eq!(outcome(&["ledger", gates::COURSE], true, true, false), 11);
        assert_eq!(outcome(&["ledger", gates::COURSE], false, true, false), 12);
        assert_eq!(outcome(&[gates::STARVED[0]], true, true, false), 12, "the generator may have lost it");
        assert_eq!(outcome(&[gates::COURSE], false, true, false), 13);
        assert_eq!(outcome(&[], false, true, false), 10);
        assert_eq!(outcome(&[], false, false, false), 15);
        assert_eq!(outcome(&[], false, false, true), 0);
    }
}
