//! How a node leaves: it drains, ends what it does, and gives its lease back. Until it has drained, an operator may take that back.

use std::{
    pin::{Pin, pin},
    time::{Duration, Instant},
};

use muster_protocol::api::NodeState;
use tokio::{sync::Notify, task, time};

use super::Node;
use crate::{
    config::Config,
    drain::{self, turn},
};

/// The part of the stop deadline that is reserved for what follows the drain: the end of the last sessions, then the
/// last reports and the lease, for each of which a store that hangs makes the node wait 2 s.
const LAST: Duration = Duration::from_secs(drain::GRACE.as_secs() + 4);

/// A drain that has ended.
pub(super) struct Drained {
    /// When it began. The time that the node waited without sessions is left out.
    began: Instant,
    /// The sessions that there were.
    sessions: usize,
    /// Those of them that had not ended in time.
    cut: usize,
}

impl Node {
    /// Serves until the node is to end, and has drained by then. Reads files again at each `reload`. An operator who has asked for a drain may
    /// take that back, until it has ended: then the node takes sessions again.
    pub(super) async fn serve(&self, mut stop: Pin<&mut impl Future<Output = ()>>, reload: &Notify) -> Drained {
        let mut must_end = false;
        loop {
            tokio::select! {
                () = &mut stop => must_end = true,
                () = self.leave.is_asked_for() => {}
                () = reload.notified() => tokio::select! {
                    () = self.supervision.read_files_again() => continue,
                    () = &mut stop => must_end = true,
                },
            }
            if must_end {
                self.must_end();
            }
            let mut drain = pin!(self.drain());
            loop {
                tokio::select! {
                    drained = &mut drain => {
                        if !must_end {
                            self.supervision.stopping();
                        }
                        return drained;
                    }
                    () = self.leave.is_taken_back() => break,
                    () = &mut stop, if !must_end => {
                        must_end = true;
                        self.must_end();
                    }
                }
            }
            tracing::info!("the drain was taken back: this node takes sessions again");
            self.http_state.shared.lifecycle.go_back();
            self.http_state.shared.backplane.announce().await;
        }
    }

    /// The process was told to end. Nobody takes that back.
    fn must_end(&self) {
        self.leave.end();
        self.supervision.stopping();
    }

    /// Waits for its turn, takes no new sessions, and sends the present ones away. Then waits until the node is to end.
    async fn drain(&self) -> Drained {
        let began = Instant::now();
        let (shared, peers) = (&self.http_state.shared, &self.http_state.peers);
        let (drain, within) = (shared.config.drain, stop_within(&shared.config));
        turn::wait(shared, peers, within - drain - LAST).await;
        let sessions = shared.hub.len();
        shared.lifecycle.advance(NodeState::Draining);
        shared.backplane.announce().await;
        let left = (within - LAST + drain::GRACE).saturating_sub(began.elapsed());
        let drained = time::timeout(left, drain::drain(shared, peers, drain)).await;
        let cut = drained.unwrap_or_else(|_| shared.hub.len());
        let waits = Instant::now();
        self.leave.is_to_end().await;
        Drained { began: began + waits.elapsed(), sessions, cut }
    }

    /// Stops the node, which has drained. Whatever is left at the deadline is cut off and logged.
    pub(super) async fn stop(self, drained: Drained) {
        let Drained { began, sessions, cut } = drained;
        let left = stop_within(&self.http_state.shared.config).saturating_sub(began.elapsed());
        let rest =
            if time::timeout(left, self.end()).await.is_ok() { "" } else { "; some of the rest was left undone" };
        let (seconds, moved) = (began.elapsed().as_secs_f32(), sessions.saturating_sub(cut));
        tracing::info!("stopped after {seconds:.1} s: {moved} sessions moved, {cut} cut off{rest}");
    }

    /// Ends the rest, in this order: no more requests, the other tasks, the last reports and the lease, the shards.
    async fn end(mut self) {
        let shared = self.http_state.shared.clone();
        self.closing.cancel();
        let _ = self.listening.await;
        self.beside.shutdown().await;
        shared.backplane.close().await;
        shared.stop.cancel();
        for thread in self.threads {
            let _ = task::spawn_blocking(move || thread.join()).await;
        }
    }
}

/// How long a stop takes at most. A drain that is configured to take longer makes the deadline later.
fn stop_within(config: &Config) -> Duration {
    config.stop_within.max(config.drain + LAST)
}
