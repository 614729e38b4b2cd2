//! The whole table: what a delivery, a session and a handshake cost a node, alone, with Redis and behind Nginx, as ratios to the least that they
//! could cost and, if they are asked for, beside servers of others. `scripts/bench table` runs this, and docs/benchmarks.md says what is
//! measured.
//!
//! A [`plan`] of visits is made in each [`round`]: a server is started with its terminals, its measurements are made, and it is ended.

mod baseline;
mod core_split;
#[path = "../figures/difference.rs"]
mod difference;
#[path = "../../../loadgen/src/health/environment.rs"]
mod environment;
#[path = "../figures/interval.rs"]
mod interval;
mod kernel_memory;
mod page;
mod picture;
mod plan;
mod prototype;
mod result;
mod round;
mod row;
mod rows;
#[path = "../servers/mod.rs"]
mod servers;
mod stage;
mod subjects;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Parser;
use jiff::Timestamp;

use crate::{
    core_split::CoreSplit,
    plan::{Visit, all_rows, visits},
    result::{SCHEMA, TableResult},
    servers::{floor, handshake_floor},
    subjects::peer::Peer,
};

/// What a delivery, a session and a handshake cost, as ratios to the least that they could cost
#[derive(Debug, Parser)]
#[command(name = "scripts/bench table")]
struct Args {
    /// How often each server is measured, in turn with the others. Six are needed for intervals that are trusted by 95 %
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Terminals of each server; behind Nginx at most 6,000
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=19_000))]
    terminals: u32,
    /// Servers of others that are measured besides
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    peers: Vec<Peer>,
    /// Only these columns, by their names, such as "floor,node,node + Redis"
    #[arg(long, value_name = "COLUMN,...", value_delimiter = ',')]
    only: Vec<String>,
    /// Only rows in whose names one of these stands, such as "handshake", and what is measured together with them
    #[arg(long, value_name = "TEXT,...", value_delimiter = ',')]
    rows: Vec<String>,
    /// Write all values to this file, as JSON
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show what an earlier run wrote to this file, and measure nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out", "peers", "only", "rows"])]
    from: Option<PathBuf>,
    /// Compare with what an earlier run wrote to this file; fail if something is worse
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Draw the ratios to the floor into this file, as SVG
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let words: Vec<_> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["floor"] => floor::serve(),
        ["handshake-floor"] => handshake_floor::serve(),
        ["prototype", redis] => prototype::serve(redis).await,
        _ => return run(Args::parse()).await,
    }
    ExitCode::SUCCESS
}

/// Fails if a goal is missed, or a row is worse than the baseline.
async fn run(args: Args) -> ExitCode {
    let result = match &args.from {
        Some(file) => read(file),
        None => measure(&args).await,
    };
    let rows = all_rows();
    page::print(&result, &rows);
    let mut is_good = page::judge(&result, &rows);
    if let Some(file) = &args.compare {
        is_good = baseline::compare(&result, &read(file), &rows);
    }
    if let Some(file) = &args.picture {
        write("--picture", file, &picture::draw(&result, &rows));
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn measure(args: &Args) -> TableResult {
    // Before the cores are divided: it says how many there are.
    let mut environment = environment::environment();
    // A file that is shown to others needs no name of a host.
    environment.remove("host");
    let cores = CoreSplit::divide();
    environment.insert("divided cores".into(), cores.to_string());
    let terminals = args.terminals as usize;
    let mut result = TableResult {
        schema: SCHEMA.into(),
        began: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        environment,
        terminals,
        rounds: args.rounds.into(),
        rows: Vec::new(),
    };
    let visits = wanted(args, visits(terminals, &args.peers));
    for round in 1..=args.rounds {
        eprintln!("round {round} of {}", args.rounds);
        round::play(&visits, cores, &mut result).await;
        // What was measured is not lost if a later round ends early.
        if let Some(file) = &args.out {
            write("--out", file, &format!("{}\n", serde_json::to_string_pretty(&result).expect("it is JSON")));
        }
    }
    result
}

/// What `--only` and `--rows` leave of all visits.
fn wanted(args: &Args, mut visits: Vec<Visit>) -> Vec<Visit> {
    let is_wanted = |name: &str| args.rows.is_empty() || args.rows.iter().any(|text| name.contains(text.as_str()));
    for visit in &mut visits {
        visit.measurements.retain(|measurement| measurement.rows().iter().any(|row| is_wanted(row.name)));
    }
    let is_column = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    visits.retain(|visit| !visit.measurements.is_empty() && is_column(visit.subject.column()));
    visits
}

fn read(file: &Path) -> TableResult {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let result: TableResult = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert_eq!(result.schema, SCHEMA, "{} has another format", file.display());
    result
}

fn write(flag: &str, file: &Path, text: &str) {
    fs::write(file, text).unwrap_or_else(|error| panic!("{flag} {}: {error}", file.display()));
}
