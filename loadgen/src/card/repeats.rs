//! The repeats of a scenario, each on a server that is started anew.

use super::{
    CardFloor, CardScenario, CardServer, CardVerdict, ScenarioResult, attempt::Attempt, bench::Bench, overload,
    repeat::RepeatResult,
};

/// Plays all repeats of a scenario.
pub async fn play(
    bench: &Bench,
    server: &CardServer,
    scenario: &CardScenario,
    floor: &CardFloor,
) -> anyhow::Result<ScenarioResult> {
    let (capacity, mut repeats) = match &scenario.overload {
        Some(rules) => overload::play(bench, server, scenario, rules).await?,
        None => (None, repeat(bench, server, scenario).await?),
    };
    for repeat in &mut repeats {
        repeat.cpu_ratio = repeat.cpu_us_per_delivery.map(|cpu| cpu / floor.cpu_us_per_delivery);
    }
    let worst = repeats.iter().map(|repeat| repeat.verdict).max();
    Ok(ScenarioResult {
        name: scenario.name.clone(),
        title: scenario.title.clone(),
        question: scenario.question.clone(),
        verdict: worst.unwrap_or(CardVerdict::Unknown),
        capacity,
        repeats,
    })
}

async fn repeat(bench: &Bench, server: &CardServer, scenario: &CardScenario) -> anyhow::Result<Vec<RepeatResult>> {
    let count = if bench.small { 1 } else { scenario.repeats };
    let mut repeats = Vec::new();
    for seed in bench.seed..bench.seed + count {
        if !bench.interrupt.is_requested() {
            repeats.push(Attempt::of(scenario, seed).play(bench, server).await?);
        }
    }
    Ok(repeats)
}
