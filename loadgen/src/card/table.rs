//! Several cards side by side, as one table.

use std::{fmt::Write, path::PathBuf};

use anyhow::{bail, ensure};

use super::{CardReport, ScenarioResult, page::figures, read};

/// The width of the column of each card, and of the first one.
const COLUMN: usize = 26;
const FIRST: usize = 30;

/// The cards in these files. `None` if none is a card: they are reports of runs then. Fails if only some are.
pub fn cards(files: &[&PathBuf]) -> anyhow::Result<Option<Vec<CardReport>>> {
    let cards = files.iter().map(|file| read(file)).collect::<anyhow::Result<Vec<_>>>()?;
    if cards.iter().all(Option::is_none) {
        return Ok(None);
    }
    if let Some(at) = cards.iter().position(Option::is_none) {
        bail!("{} is no card: compare cards with cards, and reports with reports", files[at].display());
    }
    Ok(Some(cards.into_iter().flatten().collect()))
}

/// The table: a row for each scenario and figure, a column for each card. Fails if the cards can't be compared.
pub fn table(cards: &[CardReport]) -> anyhow::Result<String> {
    let set = cards.first().map_or("", |card| card.set.as_str());
    if let Some(other) = cards.iter().find(|card| card.set != set) {
        bail!("cards of {set} and of {} can't be compared: they are of other scenarios", other.set);
    }
    ensure!(
        cards.iter().all(|card| card.small == cards[0].small),
        "a card of --small can't be compared with a whole one"
    );
    let mut table = String::new();
    row(&mut table, set, cards.iter().map(|card| card.server.title.clone()));
    row(&mut table, "version", cards.iter().map(|card| card.server.version.clone()));
    row(&mut table, "floor, us a delivery", cards.iter().map(|card| format!("{:.2}", card.floor.cpu_us_per_delivery)));
    for scenario in scenarios(cards) {
        let of = |card: &CardReport| card.scenarios.iter().find(|other| other.name == scenario.name).cloned();
        let results: Vec<Option<ScenarioResult>> = cards.iter().map(of).collect();
        scenario_rows(&mut table, &scenario.title, &results);
    }
    let machines = cards
        .windows(2)
        .any(|pair| ["cpu", "cores"].iter().any(|fact| pair[0].machine.get(*fact) != pair[1].machine.get(*fact)));
    if machines {
        table += "The cards were made on different machines: compare ratios to the floor, not times.\n";
    }
    Ok(table)
}

/// The scenarios of all cards, each once.
fn scenarios(cards: &[CardReport]) -> Vec<ScenarioResult> {
    let mut all: Vec<ScenarioResult> = Vec::new();
    for scenario in cards.iter().flat_map(|card| &card.scenarios) {
        if all.iter().all(|known| known.name != scenario.name) {
            all.push(scenario.clone());
        }
    }
    all
}

fn scenario_rows(table: &mut String, title: &str, results: &[Option<ScenarioResult>]) {
    let cell = |value: &dyn Fn(&ScenarioResult) -> String| {
        results.iter().map(|result| result.as_ref().map_or("-".into(), value)).collect::<Vec<_>>()
    };
    row(table, title, cell(&|result| result.verdict.words().into()).into_iter());
    if results.iter().flatten().any(|result| result.capacity.is_some()) {
        let capacity = |result: &ScenarioResult| {
            result.capacity.as_ref().map_or("-".into(), |capacity| format!("{} terminals", capacity.terminals))
        };
        row(table, "  capacity", cell(&capacity).into_iter());
    }
    for (index, name) in ["  live p50", "  live p99", "  CPU to floor", "  memory a session"].iter().enumerate() {
        row(table, name, cell(&|result| figures(result)[index].replace(" (not to be trusted)", " ?")).into_iter());
    }
}

fn row(table: &mut String, first: &str, cells: impl Iterator<Item = String>) {
    let _ = write!(table, "{first:<FIRST$}");
    for cell in cells {
        let _ = write!(table, " {:<COLUMN$}", cell.chars().take(COLUMN).collect::<String>());
    }
    table.truncate(table.trim_end().len());
    table.push('\n');
}
