//! Overload: how many terminals a server bears, and what it does with more.

use super::{
    CardScenario, CardServer, CardVerdict, attempt::Attempt, bench::Bench, repeat::RepeatResult, result::Capacity,
    scenario::OverloadRules,
};

/// The most terminals of one run: one process may have 20,000 open files on many machines.
const MOST: usize = 19_000;
/// How often the gap between what a server bears and what it does not is halved.
const HALVINGS: usize = 2;

/// Finds the capacity, and then offers the multiples of it. The multiples are left out if there is no capacity.
pub async fn play(
    bench: &Bench,
    server: &CardServer,
    scenario: &CardScenario,
    rules: &OverloadRules,
) -> anyhow::Result<(Option<Capacity>, Vec<RepeatResult>)> {
    let mut search = Search { bench, server, scenario, rules, tried: Vec::new(), limit: String::new() };
    let terminals = search.capacity().await?;
    let Search { tried, limit, .. } = search;
    let mut repeats = Vec::new();
    for times in rules.offered.iter().copied().filter(|_| terminals > 0) {
        if bench.interrupt.is_requested() {
            break;
        }
        let mut attempt = Attempt::of(scenario, bench.seed).with(&rules.run);
        attempt.terminals = (terminals * times).min(MOST);
        let mut repeat = attempt.play(bench, server).await?;
        repeat.times_capacity = Some(times);
        repeats.push(repeat);
    }
    let terminals = if terminals > 0 { bench.terminals(terminals) } else { 0 };
    Ok((Some(Capacity { terminals, objective: rules.objective.clone(), limit, tried }), repeats))
}

/// The search for the capacity.
struct Search<'a> {
    bench: &'a Bench,
    server: &'a CardServer,
    scenario: &'a CardScenario,
    rules: &'a OverloadRules,
    tried: Vec<(usize, bool)>,
    limit: String,
}

impl Search<'_> {
    /// Doubles the terminals until the server does not bear them, and then halves the gap.
    async fn capacity(&mut self) -> anyhow::Result<usize> {
        let (mut borne, mut next) = (0, self.scenario.terminals);
        let mut too_many = loop {
            if self.bench.interrupt.is_requested() || !self.bears(next).await? {
                break next;
            }
            borne = next;
            if next == self.rules.most {
                self.limit = "the scenario tries no more".into();
                return Ok(borne);
            }
            next = (next * 2).min(self.rules.most);
        };
        for _ in 0..HALVINGS {
            let middle = borne.midpoint(too_many);
            if borne == 0 || middle == borne || self.bench.interrupt.is_requested() {
                break;
            }
            if self.bears(middle).await? { borne = middle } else { too_many = middle }
        }
        Ok(borne)
    }

    /// Whether the server meets the objective with so many terminals. If not, the limit is the reason.
    async fn bears(&mut self, terminals: usize) -> anyhow::Result<bool> {
        let mut attempt = Attempt::of(self.scenario, self.bench.seed);
        (attempt.terminals, attempt.objective) = (terminals, self.rules.objective.clone());
        let result = attempt.play(self.bench, self.server).await?;
        let bears = result.exit_code == Some(0) && result.verdict == CardVerdict::Delivered;
        if !bears {
            let whose = if result.doubts.is_empty() { "the server" } else { "the generator, maybe not the server" };
            let doubts = result.doubts.first().map(|doubt| format!("; {doubt}")).unwrap_or_default();
            self.limit = format!("{whose}: {} terminals: {}{doubts}", result.terminals, result.why);
        }
        self.tried.push((self.bench.terminals(terminals), bears));
        Ok(bears)
    }
}
