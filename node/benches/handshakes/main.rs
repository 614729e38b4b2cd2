//! What an honest terminal's handshake costs a node that verifies its token, as a ratio to the least it could cost: a server that answers each
//! request with the same bytes, in the same run and interleaved with it. `scripts/bench handshakes` runs this.
//!
//! CPU is the server process's own, user and system, from the scheduler's accounts of its threads.

#[path = "../servers/mod.rs"]
mod servers;
#[path = "../figures/verdict.rs"]
mod verdict;

use std::{
    env,
    process::{Command, ExitCode},
};

use servers::{
    handshake_floor, knock,
    process::{self, ServerProcess},
    server::Server,
};
use verdict::verdict;

/// The number of rounds. In each both servers are measured in turn, so that a busy moment of the machine affects both.
const ROUNDS: usize = 5;

/// The bounds: the node's CPU per handshake as a ratio to the floor's; and its memory after all rounds as a ratio to that after the first.
const HANDSHAKE_MAX: f64 = 3.0;
const MEMORY_MAX: f64 = 1.2;

fn main() -> ExitCode {
    if env::args().nth(1).as_deref() == Some("floor") {
        handshake_floor::serve();
    }
    run()
}

#[tokio::main]
async fn run() -> ExitCode {
    let requests = knock::requests();
    let node = knock::verifying_node(process::NODE);
    let own = env::current_exe().expect("a process knows its program");
    let floor = ServerProcess::start(Command::new(own).arg("floor"), "");
    // Rounds that are not counted: each terminal is new in the first.
    knock::measure(&floor, &requests).await;
    knock::measure(&node, &requests).await;
    let (first, mut ratios) = (node.memory(), Vec::new());

    println!("{} handshakes a round; CPU of the server per handshake, in microseconds", requests.len());
    println!("round   floor    node   ratio");
    for round in 1..=ROUNDS {
        let least = knock::measure(&floor, &requests).await;
        let ours = knock::measure(&node, &requests).await;
        println!("{round:>5}  {least:>6.1}  {ours:>6.1}  {:>6.2}", ours / least);
        ratios.push(ours / least);
    }
    ratios.sort_by(f64::total_cmp);
    verdict(&[
        ("CPU per handshake, x floor", ratios[ROUNDS / 2], HANDSHAKE_MAX),
        ("memory after all rounds, x the first", node.memory() as f64 / first as f64, MEMORY_MAX),
    ])
}
