//! What a card says, as JSON (`loadgen/card.schema.json`).

use serde::{Deserialize, Serialize};

use super::repeat::RepeatResult;
use crate::{
    health::Environment,
    report::{Figures, Report},
    verdict::RunOutcome,
};

/// The format of cards, and its version.
pub const SCHEMA: &str = "muster.card/1";

/// A card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardReport {
    /// The format, see [`SCHEMA`].
    pub schema: String,
    /// The name of the set of scenarios.
    pub set: String,
    /// Whether it was only a trial with fewer terminals and one repeat, which can't be compared.
    pub small: bool,
    /// When the card was begun, in the format of RFC 3339.
    pub started_at: String,
    /// The seed of the first repeats.
    pub seed: u64,
    /// The server.
    pub server: MeasuredServer,
    /// The machine, and the version of the generator.
    pub machine: Environment,
    /// Which cores the server and the generator had.
    pub cores: String,
    /// A server that does nothing but deliver, in the scenario `steady`.
    pub floor: CardFloor,
    /// The result of each scenario.
    pub scenarios: Vec<ScenarioResult>,
    /// Whether a signal ended the card early.
    pub cut_short: bool,
}

/// The server that was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredServer {
    /// The name of its file.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Its version, as its own command says it.
    pub version: String,
    /// What it promises, and what not.
    pub promise: String,
    /// How it is set up.
    pub settings: Vec<String>,
    /// The command that starts it.
    pub start: String,
}

/// What a server costs that does nothing but deliver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardFloor {
    /// The times of its live deliveries.
    pub live: Figures,
    /// Its CPU time for a delivery, in microseconds.
    pub cpu_us_per_delivery: f64,
    /// Its memory for a session, in bytes.
    pub bytes_per_session: u64,
    /// Why these times are not to be trusted; none if they are.
    pub doubts: Vec<String>,
}

/// The result of a scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioResult {
    /// Its name in the set.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// What it asks.
    pub question: String,
    /// The worst of its repeats.
    pub verdict: CardVerdict,
    /// How many terminals the server bears; `None` if it was not asked.
    pub capacity: Option<Capacity>,
    /// Each repeat, or each multiple of the capacity.
    pub repeats: Vec<RepeatResult>,
}

/// What became of all that was owed, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardVerdict {
    /// All was delivered, and rightly.
    Delivered,
    /// What was not delivered was told to the terminal as a gap.
    GapTold,
    /// Messages were lost with their sessions, and the protocol promises no more.
    NotPromised,
    /// Nobody can know.
    Unknown,
    /// Something was lost without a word, or delivered wrongly.
    Broken,
}

/// How many terminals a server bears.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// The most terminals with which the objective was met; 0 if it never was.
    pub terminals: usize,
    /// The objective.
    pub objective: String,
    /// Why it is no more.
    pub limit: String,
    /// Each number that was tried, and whether the objective was met.
    pub tried: Vec<(usize, bool)>,
}

impl CardVerdict {
    /// The verdict of a run.
    pub fn of(report: &Report) -> Self {
        let account = report.behaved();
        match report.verdict.outcome {
            RunOutcome::Broken => Self::Broken,
            RunOutcome::Invalid | RunOutcome::CutShort => Self::Unknown,
            _ if account.not_promised > 0 => Self::NotPromised,
            _ if account.signalled_gap > 0 => Self::GapTold,
            _ => Self::Delivered,
        }
    }

    /// The verdict in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::GapTold => "gap told",
            Self::NotPromised => "not promised",
            Self::Unknown => "unknown",
            Self::Broken => "broken",
        }
    }
}

impl CardFloor {
    /// The floor that a run found. `None` if it did not deliver all.
    pub fn of(repeat: &RepeatResult) -> Option<Self> {
        Some(Self {
            live: repeat.live.clone(),
            cpu_us_per_delivery: repeat.cpu_us_per_delivery.filter(|_| repeat.verdict == CardVerdict::Delivered)?,
            bytes_per_session: repeat.bytes_per_session?,
            doubts: repeat.doubts.clone(),
        })
    }
}
