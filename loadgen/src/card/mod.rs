//! Cards: what a fixed set of scenarios found on one server, so that anyone can repeat it and compare servers.
//!
//! [`CardServer`] is a file that says how a server is installed, started and spoken with, [`CardScenario`] one of the set
//! `card-v1`. For each of its [`repeats`] a server is started anew ([`process`]) and a run of `muster-loadgen` is played against
//! it ([`attempt`]); servers and generator have cores of their own ([`cores`]). [`overload`] first finds out how many terminals
//! the server bears. [`serve`] starts a server for others who measure it. The floor is the first scenario against a server that
//! does nothing but deliver. The result is a [`CardReport`], as JSON and as a [`page`].

mod attempt;
mod bench;
mod cores;
mod format;
mod overload;
mod page;
mod process;
mod repeat;
mod repeats;
mod result;
mod scenario;
mod serve;
mod server;
mod shell;
pub mod table;
mod text_file;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use clap::Args;
use jiff::Timestamp;

use self::{attempt::Attempt, bench::Bench};
pub use self::{
    result::{CardFloor, CardReport, CardVerdict, ScenarioResult},
    scenario::CardScenario,
    serve::{ServeArgs, serve},
    server::CardServer,
};
use crate::{console::note, health::environment::environment, interrupt::Interrupt, verdict::RunOutcome};

/// What a card is made of.
#[derive(Debug, Args)]
pub struct CardArgs {
    /// The file that describes the server, such as loadgen/servers/ws.toml
    #[arg(long, value_name = "FILE")]
    target: PathBuf,

    /// The folder for the card: NAME.json and NAME.md, after the name of the server's file
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,

    /// The folder in which servers are installed and write their files
    #[arg(long, value_name = "DIR", default_value = "target/cards")]
    work: PathBuf,

    /// Only these scenarios, of: steady, burst, churn, storm, restart, slow-readers, half-open, overload
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    scenarios: Vec<String>,

    /// The seed of the first repeat; each further one has the next number
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// A tenth of the terminals, and one repeat: to try out the file of a server. Such a card says so, and can't be compared
    #[arg(long)]
    small: bool,
}

/// Makes a card. Fails if a file is wrong, the server can't be installed or started, or the card can't be written. A server
/// that delivers wrongly is no failure: the card says so.
pub async fn run(args: CardArgs) -> anyhow::Result<RunOutcome> {
    let server = CardServer::read(&args.target)?;
    let scenarios = scenario::chosen(&args.scenarios)?;
    fs::create_dir_all(&args.out).with_context(|| format!("--out {}", args.out.display()))?;
    let interrupt = Interrupt::listen(|| ())?;
    let bench = Bench::new(&args.work, args.seed, args.small, interrupt)?;
    let installed = bench.install(&server).await?;
    let floor = floor(&bench).await?;
    let mut card = CardReport {
        schema: result::SCHEMA.into(),
        set: scenario::SET.into(),
        small: args.small,
        started_at: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        seed: args.seed,
        server: installed,
        machine: environment(),
        cores: bench.cores.described(),
        floor,
        scenarios: Vec::new(),
        cut_short: false,
    };
    for scenario in &scenarios {
        note(format!("{}: {}", server.name, scenario.title));
        let result = repeats::play(&bench, &server, scenario, &card.floor).await?;
        note(format!("{}: {}: {}", server.name, scenario.title, result.verdict.words()));
        card.scenarios.push(result);
        card.cut_short = bench.interrupt.is_requested();
        // What was measured is never lost, whatever happens later.
        write(&args.out, &server.name, &card)?;
        if card.cut_short {
            return Ok(RunOutcome::CutShort);
        }
    }
    Ok(RunOutcome::Pass)
}

/// Measures a server that does nothing but deliver, in the first scenario.
async fn floor(bench: &Bench) -> anyhow::Result<CardFloor> {
    note("floor: a server that does nothing but deliver");
    let server = CardServer::floor()?;
    bench.install(&server).await?;
    let steady = scenario::chosen(&["steady".to_owned()])?.remove(0);
    let played = Attempt::of(&steady, bench.seed).play(bench, &server).await?;
    CardFloor::of(&played).context("the floor could not be measured")
}

fn write(folder: &Path, name: &str, card: &CardReport) -> anyhow::Result<()> {
    let file = |ending: &str| folder.join(format!("{name}.{ending}"));
    let json = serde_json::to_string_pretty(card)? + "\n";
    for (file, text) in [(file("json"), json), (file("md"), page::render(card))] {
        fs::write(&file, text).with_context(|| format!("--out: {}", file.display()))?;
    }
    Ok(())
}

/// Reads a card. Returns `None` if the file is JSON and no card, which then may be the report of a run.
pub fn read(file: &Path) -> anyhow::Result<Option<CardReport>> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let value: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))?;
    let Some(schema) = value["schema"].as_str() else { return Ok(None) };
    ensure!(schema == result::SCHEMA, "{} has schema {schema}, not {}", file.display(), result::SCHEMA);
    let card = serde_json::from_value(value).with_context(|| format!("{} is no card", file.display()))?;
    Ok(Some(card))
}
