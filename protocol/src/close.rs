//! How a session is closed, and what the terminal does next. The close code alone decides. If a client does not know a
//! code of 4000 or above, the range of the code tells it what to do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::api::Protocol;

/// A WebSocket close code that a node sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// The node goes away. The terminal comes back after the hint in the reason.
    GoingAway = 1001,
    /// The terminal sent a message of a type that the session does not take.
    Unsupported = 1003,
    /// The terminal sent a message over the node's limit.
    TooBig = 1009,
    /// The node restarts or drains. The terminal comes back after the hint in the reason. A node sends a plain session
    /// 1001 instead; see [`sent_to`](Self::sent_to).
    Restart = 1012,
    /// The terminal did not answer a ping in time.
    NoHeartbeat = 4001,
    /// The terminal read too slowly: its queue in the node was full.
    TooSlow = 4002,
    /// The cluster moves sessions to another node.
    Rebalance = 4003,
    /// The token has expired. The terminal comes back with a newer token, and slowly while it has none.
    TokenExpired = 4004,
    /// The terminal broke the protocol.
    ProtocolError = 4500,
    /// The token was revoked.
    TokenRefused = 4501,
    /// An operator removed the terminal.
    Removed = 4503,
    /// A newer session of the same terminal replaced this one.
    Replaced = 4509,
}

impl CloseCode {
    /// Every code, in ascending order.
    pub const ALL: [Self; 12] = [
        Self::GoingAway,
        Self::Unsupported,
        Self::TooBig,
        Self::Restart,
        Self::NoHeartbeat,
        Self::TooSlow,
        Self::Rebalance,
        Self::TokenExpired,
        Self::ProtocolError,
        Self::TokenRefused,
        Self::Removed,
        Self::Replaced,
    ];

    /// Returns the number on the wire.
    pub fn number(self) -> u16 {
        self as u16
    }

    /// Returns the number that a node sends in a session of `protocol`. A plain terminal gets 1001 instead of 1012,
    /// with the same reason: many WebSocket libraries in the field know only the codes of RFC 6455, treat 1012 as a
    /// protocol error, and lose the hint in its reason.
    pub fn sent_to(self, protocol: Protocol) -> u16 {
        match (protocol, self) {
            (Protocol::Plain, Self::Restart) => Self::GoingAway.number(),
            _ => self.number(),
        }
    }
}

/// What a terminal does after a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// Come back after the hint in the close or, if the close has none, after the terminal's own backoff.
    FollowHint,
    /// Come back after the terminal's own backoff.
    Backoff,
    /// Do not come back: the session would end in the same way.
    StayAway,
}

impl Advice {
    /// Returns the advice for any close code, known or not.
    pub fn of(code: u16) -> Self {
        match code {
            1001 | 1012 => Self::FollowHint,
            4500..=4999 => Self::StayAway,
            _ => Self::Backoff,
        }
    }
}

/// The reason of a close with 1001 or 1012, as JSON: how long to wait before coming back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryHint {
    /// The time to wait after the close, in milliseconds.
    pub retry_ms: u64,
}

impl RetryHint {
    /// Returns a hint to come back after `delay`, rounded down to milliseconds.
    pub fn after(delay: Duration) -> Self {
        Self { retry_ms: delay.as_millis().try_into().unwrap_or(u64::MAX) }
    }

    /// Returns the hint in a close reason. `None` if the reason is another text.
    pub fn in_reason(reason: &str) -> Option<Duration> {
        serde_json::from_str::<Self>(reason).ok().map(|hint| Duration::from_millis(hint.retry_ms))
    }

    /// Returns the close reason with this hint: at most 33 bytes, while a close frame has room for 123.
    pub fn to_reason(self) -> String {
        format!(r#"{{"retry_ms":{}}}"#, self.retry_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_an_unknown_code_decides() {
        assert_eq!(Advice::of(CloseCode::Restart.number()), Advice::FollowHint);
        assert_eq!(Advice::of(CloseCode::TooSlow.number()), Advice::Backoff);
        assert_eq!(Advice::of(CloseCode::TokenExpired.number()), Advice::Backoff);
        assert_eq!(Advice::of(CloseCode::Replaced.number()), Advice::StayAway);
        assert_eq!(Advice::of(4777), Advice::StayAway);
        assert_eq!(Advice::of(1006), Advice::Backoff);
    }

    #[test]
    fn a_plain_session_is_sent_only_codes_of_rfc_6455_and_of_4000_and_above() {
        assert_eq!(CloseCode::Restart.sent_to(Protocol::Plain), 1001);
        assert_eq!(CloseCode::Restart.sent_to(Protocol::V1), 1012);
        assert_eq!(CloseCode::TooBig.sent_to(Protocol::Plain), 1009);
        assert_eq!(CloseCode::Removed.sent_to(Protocol::Plain), 4503);
        assert_eq!(Advice::of(CloseCode::Restart.sent_to(Protocol::Plain)), Advice::FollowHint);
    }

    #[test]
    fn a_hint_is_written_and_read() {
        let reason = RetryHint::after(Duration::from_millis(1500)).to_reason();
        assert_eq!(RetryHint::in_reason(&reason), Some(Duration::from_millis(1500)));
        assert_eq!(RetryHint::in_reason("bye"), None);
    }
}
