//! What a run proves. Three questions in this order: is it *valid*, so that its numbers mean something ([`gates`]); is what arrived
//! *correct*; and is it as good as was asked for ([`slo`]). The first no decides the exit code.

pub mod gates;
pub mod slo;

use std::process::ExitCode;

use serde::{Deserialize, Serialize};

pub use self::{
    gates::{Excuses, Gate},
    slo::{Check, Slos},
};
use crate::measure::{FaultKind, Tally};

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All is well.
    Pass,
    /// An SLO was missed.
    SloMissed,
    /// A message was lost in silence, doubled, changed, swapped or misdelivered.
    Broken,
    /// The numbers mean nothing.
    Invalid,
    /// A signal ended the run early. What was due until then is judged.
    CutShort,
    /// All is well, except that an output that was asked for could not be written.
    OutputMissing,
}

impl Outcome {
    /// The exit code for CI.
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

    /// In a word or two.
    pub fn word(self) -> &'static str {
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

impl Outcome {
    /// The outcome of the process, `complete` being whether all outputs were written. Any other outcome than a pass
    /// comes before a missing output.
    pub fn with_outputs(self, complete: bool) -> Self {
        if complete || self != Self::Pass { self } else { Self::OutputMissing }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        outcome.code().into()
    }
}

/// The whole judgement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the numbers mean something.
    pub gates: Vec<Gate>,
    /// What is wrong with what arrived.
    pub broken: Vec<String>,
    /// What was asked for.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// Of these findings.
    pub fn new(gates: Vec<Gate>, tally: &Tally, checks: Vec<Check>) -> Self {
        let broken = broken(tally);
        let mut failing = gates.iter().filter(|gate| !gate.ok).peekable();
        let outcome = if !broken.is_empty() {
            Outcome::Broken
        } else if failing.peek().is_some() {
            match failing.all(|gate| gate.name == gates::COURSE) {
                true => Outcome::CutShort,
                false => Outcome::Invalid,
            }
        } else if checks.iter().any(|check| !check.ok) {
            Outcome::SloMissed
        } else {
            Outcome::Pass
        };
        Self { outcome, gates, broken, checks }
    }

    /// In one sentence.
    pub fn sentence(&self) -> String {
        let gates = self.gates.iter().filter(|gate| !gate.ok).map(Gate::to_string);
        let checks = self.checks.iter().filter(|check| !check.ok).map(Check::to_string);
        let why: Vec<String> = match self.outcome {
            Outcome::Pass => {
                return "the run is valid, every delivery that was owed is accounted for, and none is wrong".into();
            }
            Outcome::Invalid | Outcome::CutShort => gates.collect(),
            Outcome::Broken => self.broken.iter().cloned().chain(gates).collect(),
            Outcome::OutputMissing => vec!["an output could not be written".into()],
            Outcome::SloMissed => checks.collect(),
        };
        why.join("; ")
    }
}

/// What is never right, whatever was asked for.
fn broken(tally: &Tally) -> Vec<String> {
    let names = [
        (FaultKind::SilentlyLost, "silently lost"),
        (FaultKind::DupApp, "delivered twice"),
        (FaultKind::Reordered, "out of order"),
        (FaultKind::Corrupt, "corrupt"),
        (FaultKind::Misdelivered, "misdelivered"),
        (FaultKind::Phantom, "never sent"),
        (FaultKind::FromReplaced, "from a replaced session"),
    ];
    let counted = names.iter().map(|(kind, name)| (tally.count(*kind), name));
    counted.filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect()
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
        let verdict = Verdict::new(gates.iter().map(|name| gate(name)).collect(), &tally, vec![check]);
        verdict.outcome.with_outputs(complete).code()
    }

    #[test]
    fn the_first_of_11_12_13_10_15_counts() {
        assert_eq!(outcome(&["ledger", gates::COURSE], true, true, false), 11);
        assert_eq!(outcome(&["ledger", gates::COURSE], false, true, false), 12);
        assert_eq!(outcome(&[gates::COURSE], false, true, false), 13);
        assert_eq!(outcome(&[], false, true, false), 10);
        assert_eq!(outcome(&[], false, false, false), 15);
        assert_eq!(outcome(&[], false, false, true), 0);
    }
}
