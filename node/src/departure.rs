//! How sessions are sent away: all of them when the node stops, a surplus when others hold fewer, those of one worker of the
//! proxy when it has lingered too long. Always evenly over a time, and never faster back than the others take them.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use muster_protocol::{
    NodeId,
    api::{NodeState, NodeView},
    inbox::DrainRequest,
};
use tokio::{sync::mpsc, task::JoinSet, time};
use tokio_util::sync::CancellationToken;

use crate::{card::Card, end::End, fanout::Place, hub::Hub, peers::Peers};

/// Sessions are closed in slices: short, so that a slice is no storm of its own.
const SLICE: Duration = Duration::from_millis(100);
/// What the sessions that were closed last may take to go.
pub const GRACE: Duration = Duration::from_secs(2);
/// Of what the others take, this part is for those who are sent there; the rest is for whoever comes by itself.
const SHARE: f64 = 0.8;
/// A node that holds less than this part more than the mean keeps what it has.
const EVEN: u64 = 20;
/// Departures that may wait to be taken up.
pub const ASKED: usize = 64;

/// Takes up what the node is asked for, until it is dropped. `leave` is cancelled when the node is to stop.
pub async fn run(hub: Arc<Hub>, peers: Arc<Peers>, mut asked: mpsc::Receiver<DrainRequest>, leave: CancellationToken) {
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            Some(departure) = asked.recv() => match departure {
                DrainRequest::Drain => leave.cancel(),
                DrainRequest::Rebalance { sessions, rate } => {
                    under_way.spawn(rebalance(hub.clone(), sessions, rate));
                }
                DrainRequest::Retire { worker, over_ms } => {
                    under_way.spawn(retire(hub.clone(), peers.clone(), worker, Duration::from_millis(over_ms)));
                }
            },
            Some(_) = under_way.join_next() => {}
            else => return,
        }
    }
}

/// Sends everyone away over this time; how many had not gone when it was over.
pub async fn drain(hub: &Hub, peers: &Peers, over: Duration) -> usize {
    let places = hub.places(|_| true);
    Schedule::new(places.len(), over, peers.accept()).carry_out(hub, places, draining).await;
    let deadline = Instant::now() + GRACE;
    while !hub.is_empty() && Instant::now() < deadline {
        // Whoever was in the middle of a handshake when it began; the others have been told, and are told nothing new.
        for place in hub.places(|_| true) {
            hub.end(place, draining(SLICE)).await;
        }
        time::sleep(SLICE / 2).await;
    }
    hub.len()
}

async fn rebalance(hub: Arc<Hub>, sessions: u64, rate: f64) {
    let mut places = hub.places(|_| true);
    places.truncate(sessions as usize);
    let over = Duration::try_from_secs_f64(places.len() as f64 / rate.max(0.1)).unwrap_or(Duration::MAX);
    tracing::info!(sessions = places.len(), seconds = over.as_secs(), "sending a surplus away");
    Schedule::new(places.len(), over, 0).carry_out(&hub, places, |_| End::Rebalanced).await;
}

async fn retire(hub: Arc<Hub>, peers: Arc<Peers>, worker: String, over: Duration) {
    let places = hub.places(|card| came_through(card, &worker));
    if places.is_empty() {
        return;
    }
    tracing::info!(sessions = places.len(), %worker, "sending away what came through a worker that is to go");
    // They come back to all nodes, this one among them; the others' budget alone is the careful guess.
    Schedule::new(places.len(), over, peers.accept()).carry_out(&hub, places, draining).await;
}

/// `HOST/PID` is what comes before the generation.
fn came_through(card: &Card, worker: &str) -> bool {
    card.edge.as_deref().and_then(|edge| edge.rsplit_once('/')).is_some_and(|(of, _)| of == worker)
}

fn draining(retry: Duration) -> End {
    End::Draining { retry }
}

/// What each node holds beyond the mean, if that is worth moving.
pub fn surplus(nodes: &[NodeView]) -> BTreeMap<NodeId, u64> {
    let ready: Vec<_> = nodes.iter().filter(|node| node.state == NodeState::Ready).collect();
    let mean = ready.iter().map(|node| node.sessions).sum::<u64>() / ready.len().max(1) as u64;
    let beyond = |node: &&NodeView| (node.id.clone(), node.sessions.saturating_sub(mean));
    ready.iter().map(beyond).filter(|(_, surplus)| *surplus > mean / EVEN).collect()
}

/// When each of so many sessions is closed, and when it is to be back.
struct Schedule {
    total: usize,
    over: Duration,
    returns: Duration,
}

impl Schedule {
    /// `accepts`: what the others take in a second; 0 if that does not matter or nobody is there to take them.
    fn new(total: usize, over: Duration, accepts: u64) -> Self {
        let needed = match accepts {
            0 => Duration::ZERO,
            accepts => Duration::from_secs_f64(total as f64 / (accepts as f64 * SHARE)),
        };
        Self { total, over, returns: over.max(needed) }
    }

    async fn carry_out(&self, hub: &Hub, places: Vec<Place>, end: impl Fn(Duration) -> End) {
        let (began, mut closed) = (Instant::now(), 0);
        let mut beat = time::interval(SLICE);
        while closed < places.len() {
            beat.tick().await;
            let elapsed = began.elapsed();
            let due = self.due(elapsed);
            for (index, place) in places.iter().enumerate().take(due).skip(closed) {
                hub.end(*place, end(self.retry(index, elapsed))).await;
            }
            closed = due;
        }
    }

    /// How many are closed by then, the slice that begins then included.
    fn due(&self, elapsed: Duration) -> usize {
        let part = (elapsed + SLICE).as_secs_f64() / self.over.as_secs_f64().max(SLICE.as_secs_f64());
        ((part * self.total as f64).ceil() as usize).min(self.total)
    }

    /// Its own place in the row of returns, less what has passed.
    fn retry(&self, index: usize, elapsed: Duration) -> Duration {
        let place = (index as f64 + rand::random::<f64>()) / self.total as f64;
        self.returns.mul_f64(place.min(1.0)).saturating_sub(elapsed)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// When each of them is back, in seconds from the beginning.
    fn returns(schedule: &Schedule) -> Vec<f64> {
        let mut closed = 0;
        let mut returns = Vec::new();
        for slice in 0.. {
            let elapsed = SLICE * slice;
            let due = schedule.due(elapsed);
            returns.extend((closed..due).map(|index| (elapsed + schedule.retry(index, elapsed)).as_secs_f64()));
            closed = due;
            if closed == schedule.total {
                return returns;
            }
        }
        unreachable!()
    }

    #[test]
    fn returns_are_even_over_the_drain() {
        let returns = returns(&Schedule::new(1000, 20 * SECOND, 10_000));
        for second in 0..20 {
            let count = returns.iter().filter(|at| (second as f64..second as f64 + 1.0).contains(*at)).count();
            assert!((40..=60).contains(&count), "{count} in second {second}");
        }
    }

    #[test]
    fn returns_take_as_long_as_the_others_need() {
        let returns = returns(&Schedule::new(1000, 5 * SECOND, 50));
        let last = returns.iter().fold(0.0, |last: f64, at| last.max(*at));
        assert!((24.0..=25.0).contains(&last), "{last}: 1000 sessions at 80 % of 50 a second");
    }

    #[test]
    fn no_session_is_left_and_few_are_not_all_at_once() {
        for total in [0, 1, 7, 1000] {
            let schedule = Schedule::new(total, 2 * SECOND, 0);
            assert_eq!(schedule.due(2 * SECOND), total);
            assert!(schedule.due(Duration::ZERO) <= total.div_ceil(20));
        }
        assert_eq!(Schedule::new(5, Duration::ZERO, 0).due(Duration::ZERO), 5);
    }

    #[test]
    fn only_what_is_clearly_beyond_the_mean_moves() {
        let node = |id: &str, sessions, state| NodeView {
            id: id.parse().unwrap(),
            address: String::new(),
            state,
            sessions,
            accepts: 0,
            renewed_at: None,
            version: String::new(),
            started_at: Timestamp::UNIX_EPOCH,
        };
        let nodes = [
            node("a", 1000, NodeState::Ready),
            node("b", 1010, NodeState::Ready),
            node("c", 0, NodeState::Ready),
            node("d", 5000, NodeState::Draining),
        ];
        assert_eq!(surplus(&nodes), BTreeMap::from([("a".parse().unwrap(), 330), ("b".parse().unwrap(), 340)]));
        assert!(surplus(&nodes[..2]).is_empty() && surplus(&[]).is_empty());
    }
}
