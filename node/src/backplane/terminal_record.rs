//! A terminal as the registry keeps it, and what the API shows of it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_protocol::{
    NodeId, SessionId,
    api::{Status, TerminalView},
    frame::Health,
};
use serde::{Deserialize, Serialize};

use crate::{hub::SessionInfo, reports::HealthReport};

/// The last session of a terminal, and where it was or is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TerminalRecord {
    /// The session.
    #[serde(flatten)]
    pub info: SessionInfo,
    /// The node that holds or held it.
    pub node: NodeId,
}

impl TerminalRecord {
    /// As the API shows it. `owner`: the session that is on the line now, if any. `ping`: how often it is pinged.
    pub fn view(self, owner: Option<SessionId>, vitals: HealthReport, ping: Duration) -> TerminalView {
        let online = owner == Some(self.info.session);
        let health = vitals.health.unwrap_or_else(healthy);
        let (seen, rtt) = vitals.seen.map_or((None, None), |(at, rtt)| (Some(at), Some(rtt)));
        let last_seen = seen.unwrap_or(self.info.connected_at).max(self.info.connected_at);
        let silent = Timestamp::now().duration_since(last_seen);
        let status = match online {
            false => Status::Offline,
            true if silent > SignedDuration::try_from(stale_after(ping)).unwrap_or(SignedDuration::MAX) => {
                Status::Stale
            }
            true => Status::Online,
        };
        TerminalView {
            id: self.info.terminal,
            status,
            condition: health.condition,
            labels: self.info.labels,
            node: online.then_some(self.node),
            address: Some(self.info.address),
            protocol: self.info.protocol,
            connected_at: self.info.connected_at,
            last_seen,
            rtt_ms: rtt,
            metrics: health.metrics,
        }
    }
}

/// After so long without a sign of life a session is stale: a pong is due with each ping, and has some time to come and to be
/// written. By the second ping without a pong the session ends, so that a lost terminal is stale, then offline, within two.
pub fn stale_after(ping: Duration) -> Duration {
    ping.mul_f64(1.25) + Duration::from_millis(500)
}

fn healthy() -> Health {
    Health { condition: Default::default(), metrics: Default::default() }
}
