//! How a session ends. There is no other error type for a session: each way to end is one variant here, and this table alone
//! says what the terminal is told, how loud the log is, and under which label it is counted.

use std::time::Duration;

use muster_protocol::{CloseCode, api::Protocol, close::RetryHint, selector::InvalidLabels};
use tracing::Level;

use crate::wire::WireError;

/// When a terminal whose session an operator ended comes back.
const DISCONNECTED: Duration = Duration::from_secs(1);

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The terminal closed it.
    Left,
    /// The connection broke.
    Lost,
    /// No pong came in time.
    NoHeartbeat,
    /// The queue of what it is owed was full.
    TooSlow,
    /// It broke the WebSocket protocol or a limit.
    Wire(WireError),
    /// No hello within the deadline.
    NoHello,
    /// The first frame was not a hello that can be read.
    BadHello,
    /// Labels that can't be kept.
    BadLabels(InvalidLabels),
    /// A second hello, or a kind of message that `muster.v1` does not have.
    Protocol,
    /// A newer session of the same terminal took its place.
    Replaced,
    /// An operator ended the session; the terminal may come back.
    Disconnected,
    /// An operator removed the terminal.
    Removed,
    /// The node, or the proxy's worker that it came through, stops; come back after this delay.
    Draining {
        /// The terminal's own share of the time over which the returns are spread.
        retry: Duration,
    },
    /// Other nodes hold fewer sessions.
    Rebalanced,
}

impl End {
    /// The code and reason of the close frame that a session of `protocol` is sent; none if its connection is lost.
    pub fn close(self, protocol: Protocol) -> Option<(u16, String)> {
        let (code, reason) = match self {
            Self::Left => (1000, String::new()),
            Self::Lost => return None,
            Self::NoHeartbeat => (CloseCode::NoHeartbeat.number(), "no pong in time".into()),
            Self::TooSlow => (CloseCode::TooSlow.number(), "messages were not read in time".into()),
            Self::Wire(error) => (error.code(), error.to_string()),
            Self::NoHello => (CloseCode::ProtocolError.number(), "no hello in time".into()),
            Self::BadHello => (CloseCode::ProtocolError.number(), "the first frame must be a hello".into()),
            Self::BadLabels(error) => (CloseCode::ProtocolError.number(), error.to_string()),
            Self::Protocol => (CloseCode::ProtocolError.number(), "not a frame of muster.v1".into()),
            Self::Replaced => (CloseCode::Replaced.number(), "a newer session took over".into()),
            Self::Disconnected => (CloseCode::Restart.sent_to(protocol), RetryHint::after(DISCONNECTED).to_reason()),
            Self::Removed => (CloseCode::Removed.number(), "an operator removed this terminal".into()),
            Self::Draining { retry } => (CloseCode::Restart.sent_to(protocol), RetryHint::after(retry).to_reason()),
            Self::Rebalanced => (CloseCode::Rebalance.number(), "another node has room".into()),
        };
        Some((code, reason))
    }

    /// How loud the log is: what an operator should look into is a warning.
    pub fn level(self) -> Level {
        match self {
            Self::Left | Self::Lost | Self::Draining { .. } | Self::Rebalanced => Level::DEBUG,
            Self::NoHeartbeat | Self::Replaced | Self::Disconnected | Self::Removed => Level::INFO,
            Self::TooSlow | Self::Wire(_) | Self::NoHello | Self::BadHello | Self::BadLabels(_) | Self::Protocol => {
                Level::WARN
            }
        }
    }

    /// The value of the metric's `end` label, and the reason of an offline event.
    pub fn label(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Lost => "lost",
            Self::NoHeartbeat => "no_heartbeat",
            Self::TooSlow => "too_slow",
            Self::Wire(_) => "wire",
            Self::NoHello => "no_hello",
            Self::BadHello => "bad_hello",
            Self::BadLabels(_) => "bad_labels",
            Self::Protocol => "protocol",
            Self::Replaced => "replaced",
            Self::Disconnected => "disconnected",
            Self::Removed => "removed",
            Self::Draining { .. } => "draining",
            Self::Rebalanced => "rebalanced",
        }
    }

    /// Whether the terminal went without meaning to, or being told to: then its will is published.
    pub fn is_loss(self) -> bool {
        matches!(self, Self::Lost | Self::NoHeartbeat | Self::TooSlow)
    }
}
