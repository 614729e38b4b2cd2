//! What a delivery costs the node, as a ratio to the least it could cost: one `write` of a ready frame per socket, done by a
//! server that does nothing else, in the same run and interleaved with it. `scripts/bench fanout` runs this.
//!
//! CPU is the server process's own, user and system, from the scheduler's accounts of its threads.

mod bursts;
#[path = "../servers/mod.rs"]
mod servers;
#[path = "../figures/verdict.rs"]
mod verdict;

use std::{env, process::ExitCode, time::Duration};

use servers::{
    crowd::Crowd, delivery, dialect, floor, floor_process::FloorServer, node::BenchNode, payload::PAYLOAD, process,
    server::Server,
};
use verdict::verdict;

/// Plain terminals on each server.
const TERMINALS: usize = 5_000;
/// The number of rounds. In each both servers are measured in turn, so that a busy moment of the machine affects
/// both.
const ROUNDS: usize = 5;

/// The bounds: the node's CPU per delivery as a ratio to the floor's, with one broadcast in flight and with 16; and
/// its memory per terminal in KiB. Then the node's memory after bursts that nobody confirms, as a ratio to its memory before, with
/// everything stored and when it may be forgotten.
const ONE_MAX: f64 = 1.08;
const SIXTEEN_MAX: f64 = 0.15;
const MEMORY_MAX: f64 = 1.8;
const STORED_MAX: f64 = 1.5;
const FORGOTTEN_MAX: f64 = 1.1;

fn main() -> ExitCode {
    match env::args().nth(1).as_deref() {
        Some("floor") => {
            floor::serve();
            ExitCode::SUCCESS
        }
        _ => run(),
    }
}

#[tokio::main]
async fn run() -> ExitCode {
    let mut node = BenchNode::start(process::NODE, &[]);
    let empty = node.memory();
    let mut on_node = Crowd::gather(node.address(), 0, TERMINALS, dialect::PLAIN).await;
    // What a handshake needed is given back by and by.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let per_session = (node.memory() - empty) as f64 / TERMINALS as f64 / 1024.0;
    let mut floor = FloorServer::start(TERMINALS).await;
    let mut on_floor = Crowd::gather(floor.address(), 0, TERMINALS, floor::FLOOR).await;

    let mut ratios = [Vec::new(), Vec::new()];
    println!("{TERMINALS} terminals, {PAYLOAD} bytes; CPU of the server per delivery, in microseconds");
    println!("round  in flight   floor    node   ratio");
    for round in 1..=ROUNDS {
        for (index, in_flight) in [1, 16].into_iter().enumerate() {
            let least = delivery::measure(&mut floor, &mut on_floor, in_flight).await;
            let ours = delivery::measure(&mut node, &mut on_node, in_flight).await;
            println!("{round:>5}  {in_flight:>9}  {least:>6.2}  {ours:>6.2}  {:>6.2}", ours / least);
            ratios[index].push(ours / least);
        }
    }
    let [one, sixteen] = ratios.map(median);
    drop((node, on_node, floor, on_floor));
    let retained = bursts::measure().await;
    verdict(&[
        ("CPU per delivery, one in flight, x floor", one, ONE_MAX),
        ("CPU per delivery, 16 in flight, x floor", sixteen, SIXTEEN_MAX),
        ("KiB of memory per idle session", per_session, MEMORY_MAX),
        ("memory with what bursts left, x idle", retained.stored, STORED_MAX),
        ("memory when that is forgotten, x idle", retained.forgotten, FORGOTTEN_MAX),
    ])
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
