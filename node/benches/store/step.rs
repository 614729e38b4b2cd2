//! Measures steps: Redis' CPU, its longest call and its memory before and after some work.

use std::collections::BTreeMap;

use crate::{
    servers::BenchServers,
    table::{StepRow, Table},
};

/// Measures on these servers, and adds what it found to the table.
pub struct Recorder<'a> {
    /// The servers.
    pub servers: &'a BenchServers,
    lists_commands: bool,
    table: &'a mut Table,
}

/// A step that is measured in rounds, each right after U, since the speed of a machine changes with what else it does. The cost is the median of the rounds. The longest call is that of the round with the shortest
/// one: another program that takes the processor makes a call longer and never shorter.
pub struct MeasuredStep {
    name: String,
    goal: Option<f64>,
    rounds: Vec<Round>,
}

struct Round {
    count: f64,
    /// U at that moment, in microseconds.
    unit: f64,
    /// By master.
    cpu: Vec<f64>,
    longest: u64,
    memory: f64,
    calls: Vec<BTreeMap<String, (f64, f64)>>,
}

impl MeasuredStep {
    /// A step that is to cost at most so many U.
    pub fn new(name: impl Into<String>, goal: impl Into<Option<f64>>) -> Self {
        Self { name: name.into(), goal: goal.into(), rounds: Vec::new() }
    }

    /// Does the work of a round, which is the step `count` times.
    pub async fn round(&mut self, servers: &BenchServers, count: u32, work: impl AsyncFnOnce()) {
        let unit = servers.unit().await;
        servers.reset().await;
        let (before, memory) = (servers.cpu().await, servers.memory().await);
        work().await;
        let cpu = servers.cpu().await.iter().zip(before).map(|(after, before)| after - before).collect();
        self.rounds.push(Round {
            count: f64::from(count.max(1)),
            unit,
            cpu,
            longest: servers.longest_call().await,
            memory: servers.memory().await - memory,
            calls: servers.calls().await,
        });
    }
}

impl Round {
    fn cost(&self) -> f64 {
        self.cpu.iter().sum::<f64>() / self.count
    }
}

impl<'a> Recorder<'a> {
    /// Begins.
    pub fn new(servers: &'a BenchServers, lists_commands: bool, table: &'a mut Table) -> Self {
        table.head();
        Self { servers, lists_commands, table }
    }

    /// Measures a step in one round.
    pub async fn step(
        &mut self,
        name: impl Into<String>,
        goal: impl Into<Option<f64>>,
        count: u32,
        work: impl AsyncFnOnce(),
    ) {
        let mut step = MeasuredStep::new(name, goal);
        step.round(self.servers, count, work).await;
        self.add(step);
    }

    /// Adds a step that was measured.
    pub fn add(&mut self, step: MeasuredStep) {
        let by_master = |of: fn(&Round, usize) -> f64| -> Vec<f64> {
            (0..step.rounds[0].cpu.len()).map(|at| step.rounds.iter().map(|round| of(round, at)).sum()).collect()
        };
        let row = StepRow {
            topology: self.servers.topology,
            name: step.name,
            micros: median(step.rounds.iter().map(Round::cost)),
            units: median(step.rounds.iter().map(|round| round.cost() / round.unit)),
            goal: step.goal,
            longest: step.rounds.iter().map(|round| round.longest).min().unwrap_or(0),
            bytes: median(step.rounds.iter().map(|round| round.memory / round.count)),
            cpu: by_master(|round, at| round.cpu[at]),
            calls: by_master(|round, at| round.calls[at].get("evalsha").map_or(0.0, |calls| calls.0)),
        };
        self.table.add(row);
        if self.lists_commands {
            list_commands(&step.rounds);
        }
    }

    /// Adds a figure that is no step: its value, and the goal with its unit.
    pub fn figure(&mut self, name: impl Into<String>, value: f64, goal: impl Into<Option<f64>>, unit: &str) {
        self.table.figure(name.into(), value, goal.into(), unit);
    }
}

/// The commands that took most time in the last round.
fn list_commands(rounds: &[Round]) {
    let Some(round) = rounds.last() else { return };
    let mut sums = BTreeMap::<&str, (f64, f64)>::new();
    for (name, (calls, time)) in round.calls.iter().flatten() {
        let sum = sums.entry(name).or_default();
        *sum = (sum.0 + calls, sum.1 + time);
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by(|(_, one), (_, other)| other.1.total_cmp(&one.1));
    let one = |(name, (calls, time)): &(&str, (f64, f64))| {
        format!("{name} {:.2} x, {:.2} us", calls / round.count, time / round.count)
    };
    println!("  {}", sums.iter().take(8).map(one).collect::<Vec<_>>().join("; "));
}

/// The value in the middle.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
