//! What the node retains of commands that nobody confirms: its memory after bursts, as a ratio to its memory before them.

use std::time::{Duration, Instant};

use super::servers::{crowd::Crowd, delivery::broadcast, dialect, node::BenchNode, process, server::Server};

/// Plain terminals.
const TERMINALS: usize = 10_000;
/// How long the bursts last.
const LASTING: Duration = Duration::from_secs(10);
/// Commands of one burst, all in flight at once.
const BURST: usize = 16;
/// For how long the node of this measurement stores a command after it expired.
const KEEP: &str = "1s";
/// More than the 5 s until a command expires, [`KEEP`], and the second until the node looks for what it may forget.
const RETENTION: Duration = Duration::from_secs(9);

/// The node's memory as ratios to that of the same node with idle sessions.
pub struct Retained {
    /// Right after the bursts, when everything is still stored.
    pub stored: f64,
    /// When the node may have forgotten all of the commands.
    pub forgotten: f64,
}

/// Measures a node of its own.
pub async fn measure() -> Retained {
    let mut node = BenchNode::start(process::NODE, &["--keep", KEEP]);
    let mut crowd = Crowd::gather(node.address(), 0, TERMINALS, dialect::PLAIN).await;
    // One burst first: buffers that each session needs once are not what is retained of commands.
    broadcast(&mut node, &mut crowd, BURST).await;
    tokio::time::sleep(RETENTION).await;
    let idle = node.memory() as f64;
    let (began, mut commands) = (Instant::now(), 0);
    while began.elapsed() < LASTING {
        broadcast(&mut node, &mut crowd, BURST).await;
        commands += BURST;
    }
    let stored = node.memory() as f64 / idle;
    tokio::time::sleep(RETENTION).await;
    let forgotten = node.memory() as f64 / idle;
    println!(
        "{commands} commands to {TERMINALS} plain terminals; {:.1} MiB with idle sessions, x {stored:.2} after the commands",
        idle / f64::from(1 << 20),
    );
    Retained { stored, forgotten }
}
