//! The table of what was found, with goals.

use std::process::ExitCode;

use crate::servers::BenchTopology;

/// The longest that a call may take, in microseconds.
const CALL_MAX: u64 = 5_000;

/// What a step costs.
pub struct StepRow {
    /// The servers.
    pub topology: BenchTopology,
    /// The step.
    pub name: String,
    /// CPU of all masters, in microseconds.
    pub micros: f64,
    /// The same in U.
    pub units: f64,
    /// The most U.
    pub goal: Option<f64>,
    /// The longest call, in microseconds; 0 if none took half a millisecond.
    pub longest: u64,
    /// What memory grew by.
    pub bytes: f64,
    /// CPU by master.
    pub cpu: Vec<f64>,
    /// Calls of scripts by master.
    pub calls: Vec<f64>,
}

/// All figures, which are printed as they are added.
pub struct Table {
    /// Whether no call may be too long.
    judges_calls: bool,
    /// Of the topologies that are being compared.
    pub rows: Vec<StepRow>,
    over: Vec<String>,
}

impl Table {
    /// An empty table, in which no call may be too long if `judges_calls` is true.
    pub fn new(judges_calls: bool) -> Self {
        Self { judges_calls, rows: Vec::new(), over: Vec::new() }
    }

    /// Prints the names of the columns.
    pub fn head(&self) {
        println!("| step | us | U | goal | longest call, ms | bytes | CPU of each master, % | |");
        println!("|---|---|---|---|---|---|---|---|");
    }

    /// Adds a step.
    pub fn add(&mut self, row: StepRow) {
        let goal = row.goal.map_or_else(String::new, |goal| format!("{goal} U"));
        let longest = match row.longest {
            0 => "< 0.5".to_owned(),
            longest => format!("{:.1}", longest as f64 / 1e3),
        };
        let total: f64 = row.cpu.iter().sum();
        let shares: Vec<_> = row.cpu.iter().map(|cpu| format!("{:.0}", 100.0 * cpu / total.max(1.0))).collect();
        let is_short = !self.judges_calls || row.longest <= CALL_MAX;
        let verdict = self.judge(&row.name, is_short && row.goal.is_none_or(|goal| row.units <= goal));
        println!(
            "| {} | {:.3} | {:.3} | {goal} | {longest} | {:.1} | {} | {verdict} |",
            row.name,
            row.micros,
            row.units,
            row.bytes,
            shares.join(" ")
        );
        self.rows.push(row);
    }

    /// Adds a figure that is to be at most `goal`.
    pub fn figure(&mut self, name: String, value: f64, goal: Option<f64>, unit: &str) {
        let verdict = self.judge(&name, goal.is_none_or(|goal| value <= goal));
        let goal = goal.map_or_else(String::new, |goal| format!("{goal} {unit}"));
        println!("| {name}: {value:.2} {unit} | | | {goal} | | | | {verdict} |");
    }

    /// Adds a figure that is to be at least `goal`.
    pub fn at_least(&mut self, name: String, value: f64, goal: f64) {
        let verdict = self.judge(&name, value >= goal);
        println!("| {name}: {value:.2} | | | at least {goal} | | | | {verdict} |");
    }

    fn judge(&mut self, name: &str, is_met: bool) -> &'static str {
        if !is_met {
            self.over.push(name.to_owned());
        }
        if is_met { "ok" } else { "over" }
    }

    /// Prints what is over its goal.
    pub fn verdict(&self) -> ExitCode {
        for name in &self.over {
            println!("over: {name}");
        }
        if self.over.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
