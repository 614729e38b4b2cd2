//! How a connection ended. One value carries the cause and determines what the terminal does next.

use std::time::Duration;

use muster_protocol::{
    CloseCode,
    close::{Advice, RetryHint},
};

use crate::TokenUnavailable;

/// How a connection, or an attempt to connect, ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionEnd {
    /// The node closed the session.
    #[error("closed by the node with {code} {reason:?}")]
    Closed {
        /// The close code; 1005 if the close carried none.
        code: u16,
        /// The close reason; may be empty.
        reason: String,
        /// How long to wait before the next attempt, if the close or the goodbye before it said so.
        hint: Option<Duration>,
    },
    /// The node, or the proxy in front of it, refused the handshake.
    #[error("refused with HTTP status {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The `Retry-After` header, if it holds a number of seconds.
        hint: Option<Duration>,
    },
    /// The connection could not be made, it broke, or it carried something that is not the protocol. Holds the cause as
    /// text.
    #[error("lost: {0}")]
    Lost(String),
    /// TLS failed, or one side speaks TLS and the other does not. The settings of one side are wrong, or a certificate
    /// has expired. The text says which, and names the setting. The terminal comes back by its backoff.
    #[error("TLS failed: {0}")]
    TlsFailed(String),
    /// The attempt took longer than [`Config::deadline`](crate::Config::deadline).
    #[error("no welcome before the deadline")]
    NoWelcome,
    /// Nothing came from the node for three of its ping intervals.
    #[error("nothing came from the node for three of its ping intervals")]
    Silent,
    /// There is no token to connect with, since the source has not given one yet. The terminal made no attempt.
    #[error("no token: {0}")]
    NoToken(TokenUnavailable),
    /// The program closed the terminal.
    #[error("left")]
    Left,
}

impl ConnectionEnd {
    /// Returns the end that a close frame makes. A hint in the close replaces the hint of the goodbye before it.
    pub(crate) fn closed(code: u16, reason: &str, goodbye: Option<Duration>) -> Self {
        let hint = RetryHint::in_reason(reason).or(goodbye);
        Self::Closed { code, reason: reason.to_owned(), hint }
    }

    /// Returns the end that an error of the network or of the WebSocket layer makes.
    pub(crate) fn lost(cause: impl ToString) -> Self {
        Self::Lost(cause.to_string())
    }

    /// Returns what the terminal does next. It follows a hint if there is one, unless the close code or the status says
    /// to stay away.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Left => Advice::StayAway,
            // The URL or the id is wrong: the same request would get the same answer.
            Self::Refused { status: 400 | 403 | 404, .. } => Advice::StayAway,
            Self::Closed { code, .. } if Advice::of(*code) == Advice::StayAway => Advice::StayAway,
            _ if self.hint().is_some() => Advice::FollowHint,
            _ => Advice::Backoff,
        }
    }

    /// Returns whether the token was refused or has expired. The terminal then comes back with another token, or else
    /// slowly: the fault may be a node's.
    pub fn needs_token(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status == 401,
            Self::Closed { code, .. } => *code == CloseCode::TokenExpired.number(),
            _ => false,
        }
    }

    /// Returns how long the node asks the terminal to wait before it comes back.
    pub fn hint(&self) -> Option<Duration> {
        match self {
            Self::Closed { hint, .. } | Self::Refused { hint, .. } => *hint,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_of_a_close_replaces_that_of_the_goodbye() {
        let second = Some(Duration::from_secs(1));
        assert_eq!(ConnectionEnd::closed(1012, r#"{"retry_ms":7}"#, second).hint(), Some(Duration::from_millis(7)));
        assert_eq!(ConnectionEnd::closed(1012, "", second).hint(), second);
        assert_eq!(ConnectionEnd::closed(4509, "", second).advice(), Advice::StayAway);
    }

    #[test]
    fn a_refusal_that_would_be_repeated_is_final() {
        let refused = |status, hint| ConnectionEnd::Refused { status, hint }.advice();
        for status in [400, 403, 404] {
            assert_eq!(refused(status, Some(Duration::ZERO)), Advice::StayAway);
        }
        assert_eq!(refused(429, Some(Duration::from_secs(2))), Advice::FollowHint);
        assert_eq!(refused(429, None), Advice::Backoff);
        assert_eq!(refused(503, None), Advice::Backoff);
        assert_eq!(refused(401, None), Advice::Backoff);
    }

    #[test]
    fn a_refused_token_and_an_expired_one_need_another() {
        assert!(ConnectionEnd::Refused { status: 401, hint: None }.needs_token());
        assert!(ConnectionEnd::closed(4004, "", None).needs_token());
        assert!(!ConnectionEnd::closed(4003, "", None).needs_token());
    }
}
