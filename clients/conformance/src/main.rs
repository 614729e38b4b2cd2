//! The kit: plays nodes that misbehave by script, and says which rules of docs/protocol.md a client keeps. What the client's
//! conformance program does and prints stands in clients/README.md.
//!
//! ```text
//! kit run -- COMMAND          every scenario        kit run --rule R9 -- COMMAND     those of one rule
//! kit rules                   what is tried         kit table FILE...                reports, as a table
//! ```

mod answers;
mod fake_port;
mod handshake;
mod link;
mod policy;
mod program;
mod recording;
mod report;
mod rules;
mod runner;
mod scenarios;
mod stage;
mod table;
mod timing;

use std::{ffi::OsString, fs, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::Parser;

use crate::{
    report::KitReport,
    rules::{RULES, Rule},
    runner::Runner,
};

/// Says which rules of Muster's protocol a client keeps
#[derive(Parser)]
#[command(name = "kit", version)]
enum KitCommand {
    /// Run a client's conformance program. Exits with 0 if no rule is broken, and with 1 if one is
    Run(RunArgs),
    /// List the rules, and how each is tried
    Rules,
    /// Print reports as one table in Markdown: a row for each rule, a column for each client
    Table {
        /// The reports, which `kit run --report FILE` wrote
        #[arg(required = true)]
        reports: Vec<PathBuf>,
    },
}

#[derive(clap::Args)]
struct RunArgs {
    /// Only the scenarios of this rule, as R9; may be repeated
    #[arg(long = "rule", value_parser = Rule::of)]
    rules: Vec<&'static Rule>,
    /// The client's name in the report
    #[arg(long, default_value = "client")]
    client: String,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Also write the report as JSON to this file
    #[arg(long)]
    report: Option<PathBuf>,
    /// The client can't set headers and does not see the status of a refused handshake, as in a browser
    #[arg(long)]
    browser: bool,
    /// How many scenarios run at once
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=64))]
    at_once: u64,
    /// How often a scenario in which a rule seems to be broken is played again, alone
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=9))]
    again: u64,
    /// The conformance program and its arguments
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match KitCommand::parse() {
        KitCommand::Run(args) => run(args).await,
        KitCommand::Rules => {
            RULES.iter().for_each(|rule| println!("{}", rule.description()));
            Ok(ExitCode::SUCCESS)
        }
        KitCommand::Table { reports } => print_table(&reports),
    };
    done.unwrap_or_else(|error| {
        eprintln!("kit: {error:#}");
        ExitCode::from(2)
    })
}

async fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let RunArgs { at_once, again, .. } = args;
    let runner = Runner { command: args.command, is_browser: args.browser, at_once: at_once as usize, again };
    let report = runner.run(&args.client, &args.rules).await?;
    if let Some(path) = &args.report {
        let text = serde_json::to_string_pretty(&report)?;
        fs::write(path, text + "\n").with_context(|| format!("--report {}", path.display()))?;
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?)
    } else {
        print!("{report}")
    }
    Ok(if report.broken().next().is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print_table(paths: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let read = |path: &PathBuf| -> anyhow::Result<KitReport> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| format!("{} is no report of kit run --report", path.display()))
    };
    let reports: Vec<_> = paths.iter().map(read).collect::<Result<_, _>>()?;
    print!("{}", table::markdown(&reports));
    Ok(ExitCode::SUCCESS)
}
