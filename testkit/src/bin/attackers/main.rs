//! Attackers: clients that break a server's rules, each kind in a way of its own, to see that honest terminals do not notice. And a
//! sink, which takes whatever attackers send and does nothing with it: what the attackers themselves cost the machine.
//!
//! ```text
//! attackers run --url ws://127.0.0.1:8080/ws --count 200 --for 10s       all kinds; MUSTER_SECRET and MUSTER_KEY give good credentials
//! attackers run --url … --kinds pings:10,silent:50 --from 127.0.0.2      two kinds, from another address
//! attackers sink                                                         prints where it listens
//! ```
//!
//! After `--for`, or at SIGTERM, it prints one JSON object: the `seconds` that it took, its own `cpu_seconds`, and for each of the `kinds` the
//! connections that were `begun`, how they `ended`, and how many are still `open`; the `frames` of floods that were written, how often a write
//! `stalled` for a second, and what was `received`.

mod answers;
mod attack;
mod attacker;
mod cpu_share;
mod flood;
mod frame;
mod kind;
mod sink;
mod stall;
mod storm;
mod tally;
mod victim;

use std::{
    io::{self, Write},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use muster_protocol::token::Secret;
use rand::{SeedableRng, rngs::ChaCha8Rng};
use serde_json::json;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time,
};

use self::{attacker::Attacker, kind::KindCount, tally::AttackTally, victim::Victim};

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Attack a server
    Run(RunArgs),
    /// Accept connections, say yes to each first request, and discard what comes
    Sink {
        /// Where to listen. Port 0 takes a free port, which is printed
        #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0")]
        listen: SocketAddr,
    },
}

#[derive(Args)]
struct RunArgs {
    /// The WebSocket URL to attack, as ws://IP:PORT/PATH. API calls go to the same address
    #[arg(long, value_name = "WS_URL")]
    url: String,
    /// The kinds, each with the number of its attackers: pings:10,silent. Those without a number share --count. Default: all kinds
    #[arg(long, value_name = "KIND[:N]", value_delimiter = ',')]
    kinds: Vec<KindCount>,
    /// The number of attackers that the kinds without a number share
    #[arg(long, value_name = "N", default_value_t = 100)]
    count: usize,
    /// The local addresses to connect from, used in turn. Default: the system's choice
    #[arg(long, value_name = "IP", value_delimiter = ',')]
    from: Vec<IpAddr>,
    /// How long the attack lasts
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration, default_value = "10s")]
    duration: Duration,
    /// The share of one core that this program takes at most, 0.01 to 1. Beyond it everything here pauses
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = share)]
    cores: f64,
    /// Decides the pauses. Default: 0
    #[arg(long, env = "MUSTER_SEED", default_value_t = 0)]
    seed: u64,
    /// The beginning of the ids of attackers that are terminals
    #[arg(long, default_value = "attacker-")]
    prefix: String,
    /// Signs the tokens of attackers that are terminals; they have none without it
    #[arg(long, env = "MUSTER_SECRET", value_name = "KID=SECRET", hide_env_values = true)]
    secret: Option<Secret>,
    /// The operator's key of those that have a good one
    #[arg(long, env = "MUSTER_KEY", hide_env_values = true)]
    key: Option<String>,
}

// One thread, so that one sleep holds up everything: see `cpu_share`.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().verb {
        Verb::Run(args) => run(args).await,
        Verb::Sink { listen } => sink::serve(listen).await,
    }
}

async fn run(args: RunArgs) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let victim = Arc::new(Victim::new(&args.url, args.from, args.prefix, args.secret, args.key)?);
    let tally = Arc::new(AttackTally::default());
    let (began, mut attackers) = (Instant::now(), JoinSet::new());
    attackers.spawn(cpu_share::hold(args.cores));
    let mut number = 0;
    for (kind, count) in kind::shares(&args.kinds, args.count) {
        for _ in 0..count {
            let rng = ChaCha8Rng::seed_from_u64(args.seed.wrapping_add(number as u64));
            let attacker = Attacker { kind, number, victim: victim.clone(), tally: tally.clone(), rng };
            attackers.spawn(attacker.attack());
            number += 1;
        }
    }
    let _ = writeln!(io::stderr(), "{number} attackers begin");
    tokio::select! {
        () = time::sleep(args.duration) => {}
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), cpu_share::cpu_time().as_secs_f64());
    let report = json!({ "seconds": seconds, "cpu_seconds": cpu, "kinds": tally.to_json() });
    writeln!(io::stdout(), "{report}").context("the report on standard output")
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "a share is a number".to_owned())?;
    if (0.01..=1.0).contains(&share) { Ok(share) } else { Err("a share is 0.01 to 1".into()) }
}
