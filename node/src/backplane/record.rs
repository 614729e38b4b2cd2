//! A terminal as the registry keeps it, and what the API shows of it.

use jiff::Timestamp;
use muster_protocol::{
    NodeId, SessionId,
    api::{CommandState, CommandView, Status, TargetState, TerminalView},
    frame::{self, Health},
};
use serde::{Deserialize, Serialize};

use crate::{card::Card, reports::Vitals};

/// The last session of a terminal, and where it was or is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The session.
    #[serde(flatten)]
    pub card: Card,
    /// The node that holds or held it.
    pub node: NodeId,
}

impl Record {
    /// As the API shows it. `owner`: the session that is on the line now, if any.
    pub fn view(self, owner: Option<SessionId>, vitals: Vitals) -> TerminalView {
        let online = owner == Some(self.card.session);
        let health = vitals.health.unwrap_or_else(healthy);
        let (seen, rtt) = vitals.seen.map_or((None, None), |(at, rtt)| (Some(at), Some(rtt)));
        TerminalView {
            id: self.card.terminal,
            status: if online { Status::Online } else { Status::Offline },
            condition: health.condition,
            labels: self.card.labels,
            node: online.then_some(self.node),
            address: Some(self.card.address),
            protocol: self.card.protocol,
            connected_at: self.card.connected_at,
            last_seen: seen.unwrap_or(self.card.connected_at).max(self.card.connected_at),
            rtt_ms: rtt,
            metrics: health.metrics,
        }
    }
}

fn healthy() -> Health {
    Health { condition: Default::default(), metrics: Default::default() }
}

/// A command as the API shows it. It is done when every target has confirmed it, or when it can't be delivered any more.
pub fn command_view(frame: &frame::Command, created_at: Timestamp, counts: [u64; 3]) -> CommandView {
    let [queued, sent, acked] = counts;
    let targets = queued + sent + acked;
    let done = acked == targets || Timestamp::now() >= frame.expires_at;
    let states = [(TargetState::Queued, queued), (TargetState::Sent, sent), (TargetState::Acked, acked)];
    CommandView {
        id: frame.id,
        name: frame.name.clone(),
        state: if done { CommandState::Done } else { CommandState::Open },
        targets,
        counts: states.into(),
        created_at,
        expires_at: frame.expires_at,
    }
}
