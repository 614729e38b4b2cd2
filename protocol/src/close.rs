//! How a session is closed, and what the terminal should do next. The code alone decides: a client that knows no code of
//! 4000 and above still does right by its range.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A WebSocket close code that a node sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// The node is going away: come back, when the hint says.
    GoingAway = 1001,
    /// What was sent is not of the kind this session speaks.
    Unsupported = 1003,
    /// A message over the limit.
    TooBig = 1009,
    /// The node restarts or drains: come back, when the hint says.
    Restart = 1012,
    /// No pong in time.
    NoHeartbeat = 4001,
    /// The session's queue was full: it reads too slowly.
    TooSlow = 4002,
    /// The cluster moves sessions to another node.
    Rebalance = 4003,
    /// What was sent breaks the protocol.
    ProtocolError = 4500,
    /// The token was refused, has expired or was revoked.
    TokenRefused = 4501,
    /// An operator removed the terminal.
    Removed = 4503,
    /// A newer session of the same terminal took its place.
    Replaced = 4509,
}

impl CloseCode {
    /// Every code, in ascending order.
    pub const ALL: [Self; 11] = [
        Self::GoingAway,
        Self::Unsupported,
        Self::TooBig,
        Self::Restart,
        Self::NoHeartbeat,
        Self::TooSlow,
        Self::Rebalance,
        Self::ProtocolError,
        Self::TokenRefused,
        Self::Removed,
        Self::Replaced,
    ];

    /// The number on the wire.
    pub fn number(self) -> u16 {
        self as u16
    }
}

/// What a terminal does after a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Come back after the hint that the close carried, or else by the terminal's own backoff.
    FollowHint,
    /// Come back by the terminal's own backoff.
    Backoff,
    /// Do not come back: the same would happen again.
    StayAway,
}

impl Advice {
    /// The advice of any code on the wire, also of one that this version does not know.
    pub fn of(code: u16) -> Self {
        match code {
            1001 | 1012 => Self::FollowHint,
            4500..=4999 => Self::StayAway,
            _ => Self::Backoff,
        }
    }
}

/// The reason text of a 1001 or 1012: when to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryHint {
    /// Milliseconds from the close.
    pub retry_ms: u64,
}

impl RetryHint {
    /// A hint to come back after `delay`.
    pub fn after(delay: Duration) -> Self {
        Self { retry_ms: delay.as_millis().try_into().unwrap_or(u64::MAX) }
    }

    /// The hint in a close reason, if it has one.
    pub fn in_reason(reason: &str) -> Option<Duration> {
        serde_json::from_str::<Self>(reason).ok().map(|hint| Duration::from_millis(hint.retry_ms))
    }

    /// The close reason that carries this hint: under the 123 bytes that a close frame allows.
    pub fn to_reason(self) -> String {
        format!(r#"{{"retry_ms":{}}}"#, self.retry_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_decides_also_for_unknown_codes() {
        assert_eq!(Advice::of(CloseCode::Restart.number()), Advice::FollowHint);
        assert_eq!(Advice::of(CloseCode::TooSlow.number()), Advice::Backoff);
        assert_eq!(Advice::of(CloseCode::Replaced.number()), Advice::StayAway);
        assert_eq!(Advice::of(4777), Advice::StayAway);
        assert_eq!(Advice::of(1006), Advice::Backoff);
    }

    #[test]
    fn a_hint_survives_the_reason_text() {
        let reason = RetryHint::after(Duration::from_millis(1500)).to_reason();
        assert_eq!(RetryHint::in_reason(&reason), Some(Duration::from_millis(1500)));
        assert_eq!(RetryHint::in_reason("bye"), None);
    }
}
