//! The ways in which a session ends. There is no other error type for a session: each way to end is one variant, and
//! this table alone says what the terminal is told, at which level the end is logged, and under which label it is
//! counted.

mod report;

use std::time::Duration;

use muster_protocol::{CloseCode, api::Protocol, close::RetryHint, selector::InvalidLabels};
use tracing::Level;

pub use self::report::{CloseReport, EndReport};
use crate::wire::WireError;

/// The delay after which a terminal comes back whose session an operator ended.
const DISCONNECTED: Duration = Duration::from_secs(1);
/// The delay after which a new terminal comes back for which the store has no number left. Numbers that were freed rest for 10 minutes at
/// least, so some are free again within minutes.
pub const NO_ORDINAL: Duration = Duration::from_secs(30);

/// The delay after which a terminal comes back whose session the store did not register in time.
const JOIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// The terminal closed the session.
    Left,
    /// The connection broke.
    Lost,
    /// No pong came before the next ping was due.
    NoHeartbeat,
    /// The terminal read so slowly that its queue (`--queue`) was full.
    TooSlow,
    /// The terminal broke the WebSocket protocol or a limit.
    Wire(WireError),
    /// No hello came within `--hello-timeout`.
    NoHello,
    /// The first frame was not a valid hello.
    BadHello,
    /// The hello holds invalid labels.
    BadLabels(InvalidLabels),
    /// The terminal sent a second hello, or a kind of message that `muster.v1` does not have.
    Protocol,
    /// A newer session of the same terminal replaced this one.
    Replaced,
    /// An operator ended the session. The terminal may come back.
    Disconnected,
    /// An operator removed the terminal.
    Removed,
    /// The node, or the proxy worker that the session came through, stops. The terminal comes back after `retry`.
    Draining {
        /// The terminal's own part of the time over which the returns are spread.
        retry: Duration,
    },
    /// Other nodes hold fewer sessions.
    Rebalanced,
    /// The terminal's token has expired, and no newer one came.
    TokenExpired,
    /// An operator revoked the terminal's token.
    TokenRevoked,
    /// The terminal is new, and the store has no number left for it. Handshakes are refused with 429 from then on.
    NoOrdinal,
    /// The backplane did not say in time whether the session is registered.
    JoinTimeout,
}

impl SessionEnd {
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
            Self::NoOrdinal => (CloseCode::Restart.sent_to(protocol), RetryHint::after(NO_ORDINAL).to_reason()),
            Self::JoinTimeout => (CloseCode::Restart.sent_to(protocol), RetryHint::after(JOIN_TIMEOUT).to_reason()),
            Self::Rebalanced => (CloseCode::Rebalance.number(), "another node has room".into()),
            Self::TokenExpired => (CloseCode::TokenExpired.number(), "the token has expired".into()),
            Self::TokenRevoked => (CloseCode::TokenRefused.number(), "the token was revoked".into()),
        };
        Some((code, reason))
    }

    /// The log level: an end that an operator should look into is a warning.
    pub fn level(self) -> Level {
        match self {
            Self::Left | Self::Lost | Self::Draining { .. } | Self::Rebalanced | Self::TokenExpired => Level::DEBUG,
            Self::NoHeartbeat | Self::Replaced | Self::Disconnected | Self::Removed | Self::TokenRevoked => Level::INFO,
            // One warning a minute tells of all of them.
            Self::NoOrdinal => Level::DEBUG,
            Self::TooSlow
            | Self::Wire(_)
            | Self::NoHello
            | Self::BadHello
            | Self::BadLabels(_)
            | Self::Protocol
            | Self::JoinTimeout => Level::WARN,
        }
    }

    /// The value of the metric's `end` label, and the reason of a `terminal.offline` event.
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
            Self::TokenExpired => "token_expired",
            Self::TokenRevoked => "token_revoked",
            Self::NoOrdinal => "no_ordinal",
            Self::JoinTimeout => "join_timeout",
        }
    }

    /// Returns whether the node lost the terminal: the connection ended, the terminal was silent, or it read too slowly.
    /// The terminal's last will is then published.
    pub fn is_loss(self) -> bool {
        matches!(self, Self::Lost | Self::NoHeartbeat | Self::TooSlow)
    }
}
