//! The verdict on a run. It answers three questions: was everything that was owed *delivered*, and rightly ([`gates`] say
//! whether that is known); can the *times* be trusted ([`times`]); and are the SLOs met ([`slo`]).
//!
//! The first of these that applies decides the outcome and the exit code: faulty deliveries (11), deliveries of which
//! nobody can know (12), a run that was cut short (13), an SLO on times that are not to be trusted (16), a missed SLO
//! (10), a regression (14), a missing output (15). Times that are not to be trusted, and on which no SLO is, change
//! nothing: the report says so.

pub mod gates;
mod generator;
pub mod slo;
pub mod times;

use std::process::ExitCode;

use serde::{Deserialize, Serialize};

pub use self::{gates::Gate, generator::GeneratorHealth, slo::Check, times::TimeGate};
use crate::measure::{FaultKind, Tally};

/// The overall result of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// What was delivered is known and correct, and the SLOs are met.
    Pass,
    /// At least one SLO was missed.
    SloMissed,
    /// At least one message was lost without a report, delivered twice, changed, reordered, misdelivered or never
    /// sent.
    Broken,
    /// At least one gate besides [`gates::COURSE`] failed: nobody can know what was delivered.
    Invalid,
    /// A signal ended the run early, and no other gate failed. Messages that were due until then are judged.
    CutShort,
    /// The run passed, but it is worse than its baseline, beyond the noise.
    Regression,
    /// The run passed, but an output that was asked for could not be written.
    OutputMissing,
    /// An SLO is on a time that is not to be trusted.
    TimesUntrusted,
}

impl RunOutcome {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::SloMissed => 10,
            Self::Broken => 11,
            Self::Invalid => 12,
            Self::CutShort => 13,
            Self::Regression => 14,
            Self::OutputMissing => 15,
            Self::TimesUntrusted => 16,
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
            Self::Regression => "REGRESSION",
            Self::OutputMissing => "OUTPUT MISSING",
            Self::TimesUntrusted => "TIMES UNTRUSTED",
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
    /// Every gate of the deliveries and its result.
    pub gates: Vec<Gate>,
    /// Every condition of trustworthy times and its result. Absent in older files: none.
    #[serde(default)]
    pub times: Vec<TimeGate>,
    /// Faults in the deliveries, one text per kind.
    pub broken: Vec<String>,
    /// In what the run is worse than its baseline, one text for each figure. Absent in older files: none.
    #[serde(default)]
    pub regressions: Vec<String>,
    /// Every SLO and its result.
    pub checks: Vec<Check>,
    /// Deliveries that were lost with their sessions, of a protocol that promises no more. Absent in older files: 0.
    #[serde(default)]
    pub not_promised: u64,
}

impl RunVerdict {
    /// The verdict that follows from these gates, the faults counted in `tally`, and these checks.
    pub fn new(gates: Vec<Gate>, times: Vec<TimeGate>, tally: &Tally, checks: Vec<Check>) -> Self {
        let broken = broken(tally);
        let mut failing = gates.iter().filter(|gate| !gate.ok).peekable();
        let outcome = if is_broken(&gates, tally) {
            RunOutcome::Broken
        } else if failing.peek().is_some() {
            match failing.all(|gate| gate.name == gates::COURSE) {
                true => RunOutcome::CutShort,
                false => RunOutcome::Invalid,
            }
        } else if checks.iter().any(|check| !check.trusted) {
            RunOutcome::TimesUntrusted
        } else if checks.iter().any(|check| !check.ok) {
            RunOutcome::SloMissed
        } else {
            RunOutcome::Pass
        };
        let not_promised = tally.behaved().not_promised;
        Self { outcome, gates, times, broken, regressions: Vec::new(), checks, not_promised }
    }

    /// The reasons of the result in one sentence.
    pub fn sentence(&self) -> String {
        let gates = self.gates.iter().filter(|gate| !gate.ok).map(Gate::to_string);
        let checks = self.checks.iter().filter(|check| !check.ok || !check.trusted).map(Check::to_string);
        let why: Vec<String> = match self.outcome {
            RunOutcome::Pass if self.not_promised > 0 => {
                vec![format!(
                    "{} deliveries were lost with their sessions, and the protocol promises no more",
                    self.not_promised
                )]
            }
            RunOutcome::Pass => return "every delivery that was owed is accounted for, and none is wrong".into(),
            RunOutcome::Invalid | RunOutcome::CutShort => gates.chain(self.broken.iter().cloned()).collect(),
            RunOutcome::Broken => self.broken.iter().cloned().chain(gates).collect(),
            RunOutcome::Regression => self.regressions.clone(),
            RunOutcome::OutputMissing => vec!["an output could not be written".into()],
            RunOutcome::SloMissed | RunOutcome::TimesUntrusted => checks.collect(),
        };
        why.join("; ")
    }

    /// Records in what the run is worse than its baseline.
    pub fn regressed(&mut self, regressions: Vec<String>) {
        self.outcome = self.outcome.or(if regressions.is_empty() { RunOutcome::Pass } else { RunOutcome::Regression });
        self.regressions = regressions;
    }

    /// Why times are not to be trusted, one text for each condition that failed: which figures, why, and what to do.
    pub fn doubts(&self) -> Vec<String> {
        self.times.iter().filter(|gate| !gate.ok).map(TimeGate::to_string).collect()
    }
}

/// The faults that make every run fail, whatever its SLOs, and their names in the verdict.
const BROKEN: [(FaultKind, &str); 8] = [
    (FaultKind::SilentlyLost, "silently lost"),
    (FaultKind::DupApp, "delivered twice"),
    (FaultKind::Reordered, "out of order"),
    (FaultKind::Corrupt, "corrupt"),
    (FaultKind::OtherKind, "in frames of another kind than sent"),
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
/// not received may be the generator's fault if it was starved, or a part of it failed.
fn is_broken(gates: &[Gate], tally: &Tally) -> bool {
    let own = gates.iter().any(|gate| !gate.ok && [gates::OWN_LOSSES, gates::GENERATOR].contains(&gate.name.as_str()));
    BROKEN.iter().any(|(kind, _)| tally.count(*kind) > 0 && !(own && *kind == FaultKind::SilentlyLost))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a run besides its gates.
    #[derive(Default, Clone, Copy)]
    struct Wrong {
        lost: u64,
        missed: bool,
        untrusted: bool,
        regressed: bool,
        incomplete: bool,
    }

    fn code(failing: &[&str], wrong: Wrong) -> u8 {
        let mut tally = Tally::default();
        tally.faults.insert(FaultKind::SilentlyLost, wrong.lost);
        let gate = |name: &&str| Gate { name: (*name).into(), ok: false, found: "x".into(), needed: "y".into() };
        let check =
            Check { slo: "live.p99<1s".into(), ok: !wrong.missed, trusted: !wrong.untrusted, found: "1".into() };
        let verdict = RunVerdict::new(failing.iter().map(gate).collect(), Vec::new(), &tally, vec![check]);
        let later = if wrong.regressed { RunOutcome::Regression } else { RunOutcome::Pass };
        verdict.outcome.or(later).with_outputs(!wrong.incomplete).code()
    }

    #[test]
    fn the_first_of_11_12_13_16_10_14_15_counts() {
        let mut wrong = Wrong { lost: 1, missed: true, untrusted: true, regressed: true, incomplete: true };
        assert_eq!(code(&["ledger", gates::COURSE], wrong), 11);
        assert_eq!(code(&[gates::OWN_LOSSES], wrong), 12, "the generator may have lost it");
        assert_eq!(code(&[gates::GENERATOR], wrong), 12, "it failed before it could read");
        wrong.lost = 0;
        assert_eq!(code(&["ledger", gates::COURSE], wrong), 12);
        assert_eq!(code(&[gates::COURSE], wrong), 13);
        assert_eq!(code(&[], wrong), 16);
        wrong.untrusted = false;
        assert_eq!(code(&[], wrong), 10);
        wrong.missed = false;
        assert_eq!(code(&[], wrong), 14);
        wrong.regressed = false;
        assert_eq!(code(&[], wrong), 15);
        wrong.incomplete = false;
        assert_eq!(code(&[], wrong), 0);
    }
}
