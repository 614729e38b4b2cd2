//! What each step of the store costs, as Redis sees it: CPU in U, the longest call, and memory. `scripts/bench store` runs this, and
//! `docs/sizing.md` says what follows from the figures.
//!
//! U is the CPU that Redis needs for one `HSET` when 100,000 new fields of 100 bytes are written into one hash in batches of 500, on
//! the same server in the same run. So figures in U can be compared between machines.

mod backup;
mod backup_file;
mod commands;
mod crowd;
mod ends;
mod fleet;
mod nodes;
mod outside;
mod registry;
mod servers;
mod sessions;
mod spread;
mod step;
mod table;

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use muster_protocol::partition::Partitions;

use crate::{
    fleet::BenchFleet,
    servers::{BenchServers, BenchTopology},
    step::Recorder,
    table::Table,
};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Each step, by calls of the store's scripts.
    Steps,
    /// Joins and commands, with a node and 10,000 terminals.
    Outside,
    /// A broadcast to all terminals, and meanwhile commands at another node.
    Crowd,
    /// An import of a file with so many terminals, and an export.
    Backup,
}

/// What the steps of the store cost of Redis
#[derive(Debug, Parser)]
#[command(name = "scripts/bench store")]
struct Args {
    /// How many terminals are registered; several numbers are measured one after another
    #[arg(long, value_delimiter = ',', default_value = "10000")]
    terminals: Vec<u32>,
    /// How many partitions the store has; several numbers are measured one after another
    #[arg(long, value_delimiter = ',', default_value = "16", value_parser = partitions)]
    partitions: Vec<Partitions>,
    /// One Redis, or a Redis Cluster of three masters; both, and the one compared with the other, if it is not given
    #[arg(long)]
    topology: Option<BenchTopology>,
    /// What is measured; all if it is not given
    #[arg(long)]
    only: Option<Part>,
    /// Prints for each step the commands of Redis that take most of its time
    #[arg(long)]
    commands: bool,
    /// Has Redis run before all other programs, and judges the longest calls: a call's time is that of its work alone then. Redis is woken for
    /// each call, so it takes more CPU than where it is busy. Needs the right to call chrt
    #[arg(long)]
    precedence: bool,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let topologies = args.topology.map_or_else(|| BenchTopology::value_variants().to_vec(), |one| vec![one]);
    let mut table = Table::new(args.precedence);
    for terminals in &args.terminals {
        for partitions in &args.partitions {
            for topology in &topologies {
                measure(&args, *terminals, *partitions, *topology, &mut table).await;
            }
            spread::compare(&mut table);
        }
    }
    table.verdict()
}

async fn measure(args: &Args, terminals: u32, partitions: Partitions, topology: BenchTopology, table: &mut Table) {
    let is_wanted = |part| args.only.is_none_or(|only| only == part);
    println!("\n{terminals} terminals, {} partitions, {topology}", partitions.count());
    if is_wanted(Part::Outside) {
        let servers = BenchServers::start(topology, args.precedence).await;
        let mut recorder = Recorder::new(&servers, args.commands, table);
        outside::measure(&mut recorder, partitions).await;
    }
    if is_wanted(Part::Backup) {
        let servers = BenchServers::start(topology, args.precedence).await;
        let mut recorder = Recorder::new(&servers, args.commands, table);
        backup::measure(&mut recorder, partitions, terminals).await;
    }
    if is_wanted(Part::Steps) || is_wanted(Part::Crowd) {
        let servers = BenchServers::start(topology, args.precedence).await;
        let mut recorder = Recorder::new(&servers, args.commands, table);
        let fleet = BenchFleet::fill(&mut recorder, partitions, terminals).await;
        if is_wanted(Part::Steps) {
            sessions::measure(&mut recorder, &fleet).await;
            registry::measure(&mut recorder, &fleet).await;
            commands::measure(&mut recorder, &fleet).await;
        }
        ends::give_up_nodes(&mut recorder, &fleet).await;
        if is_wanted(Part::Crowd) {
            crowd::measure(&mut recorder, &fleet).await;
        }
    }
}

fn partitions(text: &str) -> Result<Partitions, String> {
    text.parse().ok().and_then(Partitions::new).ok_or_else(|| "1 to 1024 partitions".to_owned())
}
