//! A connection does not fail, it *ends*: one value says how, and with it what to do next.

use std::time::Duration;

use muster_protocol::close::{Advice, RetryHint};

/// How a connection, or an attempt at one, ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// The node closed the session.
    #[error("closed by the node with {code} {reason:?}")]
    Closed {
        /// The close code; 1005 if the close carried none.
        code: u16,
        /// The reason text.
        reason: String,
        /// When to come back, if the close or the goodbye before it said so.
        hint: Option<Duration>,
    },
    /// The node, or the proxy before it, refused the handshake.
    #[error("refused with HTTP status {status}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its `Retry-After`.
        hint: Option<Duration>,
    },
    /// The connection could not be made, or broke, or its other side made no sense.
    #[error("lost: {0}")]
    Lost(String),
    /// The attempt took longer than its deadline.
    #[error("no welcome before the deadline")]
    NoWelcome,
    /// The node's pings stopped.
    #[error("no ping for three times as long as the node promised")]
    Silent,
    /// The terminal left by its own wish.
    #[error("left")]
    Left,
}

impl End {
    /// A close frame, after a goodbye that may have carried a hint. The close has the last word.
    pub(crate) fn closed(code: u16, reason: &str, goodbye: Option<Duration>) -> Self {
        let hint = RetryHint::in_reason(reason).or(goodbye);
        Self::Closed { code, reason: reason.to_owned(), hint }
    }

    /// Anything that went wrong below.
    pub(crate) fn lost(cause: impl ToString) -> Self {
        Self::Lost(cause.to_string())
    }

    /// What the terminal does next.
    pub fn advice(&self) -> Advice {
        match self {
            Self::Left => Advice::StayAway,
            // The same request would be answered the same: a wrong URL, id or token.
            Self::Refused { status: 400 | 401 | 403 | 404, .. } => Advice::StayAway,
            Self::Closed { code, .. } if Advice::of(*code) == Advice::StayAway => Advice::StayAway,
            _ if self.hint().is_some() => Advice::FollowHint,
            _ => Advice::Backoff,
        }
    }

    /// When the node wants the terminal back.
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
    fn the_close_overrules_the_goodbye() {
        let second = Some(Duration::from_secs(1));
        assert_eq!(End::closed(1012, r#"{"retry_ms":7}"#, second).hint(), Some(Duration::from_millis(7)));
        assert_eq!(End::closed(1012, "", second).hint(), second);
        assert_eq!(End::closed(4509, "", second).advice(), Advice::StayAway);
    }

    #[test]
    fn a_refusal_that_would_be_repeated_is_final() {
        let refused = |status, hint| End::Refused { status, hint }.advice();
        for status in [400, 401, 403, 404] {
            assert_eq!(refused(status, Some(Duration::ZERO)), Advice::StayAway);
        }
        assert_eq!(refused(429, Some(Duration::from_secs(2))), Advice::FollowHint);
        assert_eq!(refused(429, None), Advice::Backoff);
        assert_eq!(refused(503, None), Advice::Backoff);
    }
}
