//! Two builds of the node, measured in turn in one run: what a handshake, a delivery and an idle session cost the one as a ratio to the other.
//! `scripts/bench compare COMMIT` builds the old one and runs this.
//!
//! A median alone says nothing: the interval says how far it can be trusted. If 1 lies in the interval, the builds were not seen to differ.

#[path = "../figures/interval.rs"]
mod interval;
#[path = "../servers/mod.rs"]
mod servers;

use std::path::{Path, PathBuf};

use clap::Parser;
use interval::Interval;
use servers::{
    crowd::Crowd,
    delivery, dialect, knock,
    node::BenchNode,
    process::{self, ServerProcess},
    server::Server,
};

/// Plain terminals on each node.
const TERMINALS: usize = 2_000;
/// What is measured, in the order of the figures of a round.
const FIGURES: [&str; 4] = [
    "CPU per handshake",
    "CPU per delivery, one in flight",
    "CPU per delivery, 16 in flight",
    "memory with idle sessions",
];

/// Two builds of the node, measured in turn
#[derive(Parser)]
struct Args {
    /// The program of the old build
    #[arg(long, value_name = "PROGRAM")]
    old: PathBuf,
    /// How often both are measured
    #[arg(long, value_name = "N", default_value_t = 9)]
    rounds: usize,
    /// What cargo gives to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    let requests = knock::requests();
    let mut builds = [Build::start(&args.old).await, Build::start(Path::new(process::NODE)).await];
    // A round that is not counted, so that both begin with warm caches and known terminals.
    for build in &mut builds {
        build.measure(&requests).await;
    }
    let mut ratios: [Vec<f64>; FIGURES.len()] = Default::default();
    for round in 0..args.rounds {
        let mut measured = [[0.0; FIGURES.len()]; 2];
        // The one that was second is first in the next round.
        for which in [round % 2, (round + 1) % 2] {
            measured[which] = builds[which].measure(&requests).await;
        }
        let [old, new] = measured;
        for (index, ratios) in ratios.iter_mut().enumerate() {
            ratios.push(new[index] / old[index]);
        }
        println!("round {}: old {old:.2?}, new {new:.2?}", round + 1);
    }
    println!("new / old, the median of {} rounds and an interval that holds it:", args.rounds);
    for (what, ratios) in FIGURES.iter().zip(ratios) {
        println!("{what:<34} {}", Interval::of(ratios));
    }
}

/// One of the two: a node that verifies tokens, and another one with terminals that are connected.
struct Build {
    verifying: ServerProcess,
    node: BenchNode,
    crowd: Crowd,
}

impl Build {
    async fn start(program: &Path) -> Self {
        let node = BenchNode::start(program, &[]);
        let crowd = Crowd::gather(node.address(), 0, TERMINALS, dialect::PLAIN).await;
        Self { verifying: knock::verifying_node(program), node, crowd }
    }

    /// The figures of a round: times in microseconds, memory in MiB.
    async fn measure(&mut self, requests: &[String]) -> [f64; FIGURES.len()] {
        [
            knock::measure(&self.verifying, requests).await,
            delivery::measure(&mut self.node, &mut self.crowd, 1).await,
            delivery::measure(&mut self.node, &mut self.crowd, 16).await,
            self.node.memory() as f64 / f64::from(1 << 20),
        ]
    }
}
