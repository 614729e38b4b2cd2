//! What the stores and the model are compared by, in words. Ids are replaced by the names that the model has for terminals
//! (`t0`, `t1`, …) and commands (`c0`, `c1`, …, in the order of acceptance).

use std::collections::BTreeMap;

use muster_protocol::api::{CommandState, TargetState};

/// What an operation led to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepResult {
    /// The answer to the operation.
    pub answer: String,
    /// The commands that each terminal's session received, in order, and `gap` where it was told of one.
    pub deliveries: BTreeMap<String, Vec<String>>,
    /// The events, with the number of times that each happened. Those of states count terminals.
    pub events: BTreeMap<String, u64>,
}

/// Everything that can be asked of a store, by question.
pub type Snapshot = BTreeMap<String, String>;

pub fn terminal(number: u8) -> String {
    format!("t{number}")
}

pub fn site(number: u8) -> &'static str {
    ["a", "b", "c"][usize::from(number) % 3]
}

/// The site that a terminal says of itself.
pub fn own_site(terminal: u8) -> &'static str {
    site(terminal % 2)
}

pub fn condition(number: u8) -> &'static str {
    ["ok", "degraded", "failing"][usize::from(number) % 3]
}

/// A command with the counts of its targets.
pub fn command(state: CommandState, targets: u64, counts: &BTreeMap<TargetState, u64>) -> String {
    let counts = counts.iter().filter(|(_, count)| **count > 0);
    let counts: Vec<_> = counts.map(|(state, count)| format!("{} {count}", state.name())).collect();
    format!("{state:?} of {targets}: {}", counts.join(", "))
}

/// The event of a command that is done.
pub fn done(command: &str, state: &str, targets: u64, counts: &BTreeMap<String, u64>) -> String {
    format!("command.done {command} {state} of {targets}: {}", numbers(counts))
}

/// A target: its state, the steps that have a time, and its reply.
pub fn target(state: TargetState, steps: &[&str], reply: &str) -> String {
    let mut steps = steps.to_vec();
    steps.sort_unstable();
    format!("{} ({}) {reply}", state.name(), steps.join(" "))
}

/// Names in one line.
pub fn list(names: impl IntoIterator<Item = String>) -> String {
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_unstable();
    names.join(" ")
}

/// Numbers by name in one line.
pub fn numbers<'a>(numbers: impl IntoIterator<Item = (&'a String, &'a u64)>) -> String {
    let numbers: Vec<_> = numbers.into_iter().map(|(name, number)| format!("{name} {number}")).collect();
    numbers.join(", ")
}
