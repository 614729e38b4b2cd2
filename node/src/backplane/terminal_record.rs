//! A terminal as the registry in memory has it, and as the API shows it.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use muster_protocol::{
    NodeId, SessionId,
    api::{Status, TerminalView},
    frame::Health,
    selector::Labels,
};

use crate::{hub::SessionInfo, reports::HealthReport};

/// The last session of a terminal, and its node.
#[derive(Debug, Clone)]
pub struct TerminalRecord {
    /// The identity of the session. The session shares this value while it lasts.
    pub info: Arc<SessionInfo>,
    /// The node that holds or held the session.
    pub node: NodeId,
}

impl TerminalRecord {
    /// Returns the terminal as the API shows it, with these labels. `owner` is the terminal's session that is online
    /// now, if it has one. `ping` is the ping interval.
    pub fn view(&self, labels: Labels, owner: Option<SessionId>, vitals: HealthReport, ping: Duration) -> TerminalView {
        let online = owner == Some(self.info.session);
        let status = self.status(owner, vitals.seen.map(|(at, _)| at), ping);
        let health = vitals.health.unwrap_or_else(healthy);
        let (seen, rtt) = vitals.seen.map_or((None, None), |(at, rtt)| (Some(at), Some(rtt)));
        let last_seen = self.last_seen(seen);
        TerminalView {
            id: self.info.terminal.clone(),
            status,
            condition: health.condition,
            labels,
            node: online.then(|| self.node.clone()),
            address: Some(self.info.address.to_string()),
            protocol: self.info.protocol,
            connected_at: self.info.connected_at,
            last_seen,
            rtt_ms: rtt,
            metrics: health.metrics,
            last_close: None,
        }
    }

    /// Returns the terminal's status. `owner` is its session that is online now, if it has one; `seen` is when the
    /// terminal last answered a ping.
    pub fn status(&self, owner: Option<SessionId>, seen: Option<Timestamp>, ping: Duration) -> Status {
        if owner != Some(self.info.session) {
            return Status::Offline;
        }
        let silent = Timestamp::now().duration_since(self.last_seen(seen));
        let is_stale = silent > SignedDuration::try_from(stale_after(ping)).unwrap_or(SignedDuration::MAX);
        if is_stale { Status::Stale } else { Status::Online }
    }

    fn last_seen(&self, seen: Option<Timestamp>) -> Timestamp {
        seen.unwrap_or(self.info.connected_at).max(self.info.connected_at)
    }
}

/// Returns the time without a sign of life after which a session is stale. A pong is due with each ping, and has some
/// time to arrive and to be written. A session ends at the second ping without a pong, so a lost terminal becomes stale
/// and then offline within two intervals.
pub fn stale_after(ping: Duration) -> Duration {
    ping.mul_f64(1.25) + Duration::from_millis(500)
}

fn healthy() -> Health {
    Health { condition: Default::default(), metrics: Default::default() }
}
