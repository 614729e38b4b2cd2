//! What the kit says in the end.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether a client keeps a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It does, in all that was tried.
    Kept,
    /// It does not.
    Broken(Break),
    /// Nobody looked.
    NotTried {
        /// Why not.
        why: String,
    },
}

impl Verdict {
    /// Whether the client does not keep the rule.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Broken(_))
    }
}

/// How a rule was broken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Break {
    /// What the rule demands here.
    pub expected: String,
    /// What came instead.
    pub seen: String,
    /// The end of what happened on the wire and of what the program printed.
    pub recording: Vec<String>,
    /// The end of what the program said on standard error.
    pub errors: String,
}

/// The verdict on one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleVerdict {
    /// The rule, such as R9.
    pub rule: String,
    /// The rule in a few words.
    pub says: String,
    /// The scenario that gave the verdict. None if it was not tried.
    pub scenario: Option<String>,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// The verdicts on all rules that were asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KitReport {
    /// The client.
    pub client: String,
    /// The rules, by their numbers.
    pub rules: Vec<RuleVerdict>,
}

impl KitReport {
    /// The rules that are broken.
    pub fn broken(&self) -> impl Iterator<Item = &RuleVerdict> {
        self.rules.iter().filter(|rule| rule.verdict.is_broken())
    }
}

impl fmt::Display for KitReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for rule in &self.rules {
            rule.fmt(f)?;
        }
        let kept = self.rules.iter().filter(|rule| rule.verdict == Verdict::Kept).count();
        let broken = self.broken().count();
        let not_tried = self.rules.len() - kept - broken;
        writeln!(f, "{}: {kept} rules kept, {broken} broken, {not_tried} not tried", self.client)
    }
}

impl fmt::Display for RuleVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, says, scenario, verdict } = self;
        match verdict {
            Verdict::Kept => writeln!(f, "kept       {rule:4} {says}"),
            Verdict::NotTried { why } => writeln!(f, "not tried  {rule:4} {says}: {why}"),
            Verdict::Broken(broken) => {
                writeln!(f, "BROKEN     {rule:4} {says}")?;
                writeln!(f, "             expected: {}", broken.expected)?;
                writeln!(f, "             seen:     {}", broken.seen)?;
                writeln!(f, "             in the scenario {:?}, at the end:", scenario.as_deref().unwrap_or_default())?;
                for line in broken.recording.iter().map(String::as_str).chain(broken.errors.lines()) {
                    writeln!(f, "               {line}")?;
                }
                Ok(())
            }
        }
    }
}
