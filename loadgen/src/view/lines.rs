//! One line per second, for logs.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use tokio::{sync::oneshot, time};

use super::ViewData;
use crate::console::note;

/// Writes one line per second to stderr until `stopped` resolves.
pub async fn show(scene: ViewData, mut stopped: oneshot::Receiver<()>) {
    let mut ticks = time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            _ = ticks.tick() => note(line(&scene)),
        }
    }
}

fn line(scene: &ViewData) -> String {
    let live = &scene.live;
    let times = live
        .latencies()
        .map_or_else(|| "no delivery".into(), |[p50, p99, max]| format!("p50 {p50:.1} p99 {p99:.1} max {max:.1} ms"));
    format!(
        "{:>4.0} s  {:>6} online  {:>6} sent  {:>9} received  {:>5} lost sessions  {times}",
        scene.clock.now() as f64 / 1e9,
        live.online.load(Relaxed),
        live.sent.load(Relaxed),
        live.received.load(Relaxed),
        live.lost.load(Relaxed),
    )
}
