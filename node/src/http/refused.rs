//! Refused handshakes, as operators see them: by cause as a metric, and as events. Operators need them, because most
//! client libraries show their users at most the status of a refusal, and never its text.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use data_encoding::BASE64URL_NOPAD;
use hyper::{Response, StatusCode};
use muster_protocol::{Payload, TerminalId};
use serde::Deserialize;

use super::{HttpState, answer::Body};
use crate::auth::AuthError;

/// The most events that a node writes in each [`INTERVAL`]. The bound exists because anybody can have handshakes
/// refused, and must not push out other events.
const EVENTS_MAX: usize = 60;
/// A node writes an event for one terminal and one cause once in this time.
const INTERVAL: Duration = Duration::from_secs(60);

/// Why a handshake was refused: the value of the label `cause`. The answer carries the cause inside the node, and does
/// not send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusalCause(&'static str);

impl RefusalCause {
    /// The node is stopping.
    pub const DRAINING: Self = Self("draining");
    /// The node has too little memory, or no shard that answers.
    pub const SHORTAGE: Self = Self("shortage");
    /// The node takes no more handshakes, or no more sessions.
    pub const BUSY: Self = Self("busy");
    /// The terminal makes too many handshakes.
    pub const TERMINAL_RATE: Self = Self("terminal_rate");
    /// Too many handshakes from the address had no good token.
    pub const ADDRESS_RATE: Self = Self("address_rate");
    /// The store takes no new terminal.
    pub const ORDINALS: Self = Self("ordinals");
    /// The request can be read in two ways, has a body, or is HTTP/1.0.
    pub const REQUEST: Self = Self("request");
    /// The handshake comes from a web page that may not open sessions.
    pub const ORIGIN: Self = Self("origin");
    /// The request is no WebSocket handshake, or a handshake of another version.
    pub const WEBSOCKET: Self = Self("websocket");
    /// The terminal's id is missing or malformed, or the URL has a token.
    pub const URL: Self = Self("url");
    /// The handshake offers only subprotocols that the node does not know.
    pub const SUBPROTOCOL: Self = Self("subprotocol");
    /// The handshake has two different tokens.
    pub const TWO_TOKENS: Self = Self("two_tokens");
    /// Anything else, such as a store that does not answer.
    const OTHER: Self = Self("other");

    /// Returns the cause of a refused token.
    pub fn of(error: &AuthError) -> Self {
        use muster_protocol::token::{ClaimError, ClaimFault, TokenError};
        Self(match error {
            AuthError::Missing(_) => "token_missing",
            AuthError::UnknownKid => "unknown_kid",
            AuthError::BadToken(TokenError::Claim(ClaimError { fault: ClaimFault::Past, .. })) => "token_expired",
            AuthError::BadCertificate(_) => "bad_certificate",
            AuthError::Revoked => "token_revoked",
            AuthError::Forbidden(_) => "other_terminal",
            AuthError::Unnamed => "no_id",
            _ => "bad_token",
        })
    }

    /// Returns the answer with this cause.
    pub fn of_answer(self, mut answer: Response<Body>) -> Response<Body> {
        answer.extensions_mut().insert(self);
        answer
    }

    /// Returns whether the cause lies with the terminal, and not with the state of the node.
    fn is_of_terminal(self) -> bool {
        ![Self::DRAINING, Self::SHORTAGE, Self::BUSY, Self::OTHER].contains(&self)
    }
}

/// The events that were written lately.
#[derive(Debug, Default)]
pub struct RefusedHandshakes {
    salt: RandomState,
    told: Mutex<ToldRefusals>,
}

/// At most [`EVENTS_MAX`] hashes of a terminal and a cause.
#[derive(Debug, Default)]
struct ToldRefusals {
    hashes: HashSet<u64>,
    since: Option<Instant>,
}

impl RefusedHandshakes {
    /// Counts a refused handshake, and writes the event `terminal.refused` if it names a terminal and the event was not
    /// written lately. `terminal` is what the handshake claims, and is not verified.
    pub fn report(&self, answer: &Response<Body>, terminal: Option<TerminalId>, address: &str, state: &HttpState) {
        let cause = answer.extensions().get().copied().unwrap_or(RefusalCause::OTHER);
        let status = answer.status();
        state.shared.metrics.refused.with_label_values(&[cause.0, status.as_str()]).inc();
        let Some(terminal) = terminal.filter(|_| cause.is_of_terminal()) else { return };
        if self.is_new(&terminal, cause, Instant::now()) {
            state.shared.reports.event("terminal.refused", &terminal, fields(cause, status, address));
        }
    }

    fn is_new(&self, terminal: &TerminalId, cause: RefusalCause, now: Instant) -> bool {
        let hash = self.salt.hash_one((terminal.as_str(), cause.0));
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(*told.since.get_or_insert(now)) >= INTERVAL {
            *told = ToldRefusals { since: Some(now), ..Default::default() };
        }
        told.hashes.len() < EVENTS_MAX && told.hashes.insert(hash)
    }
}

fn fields(cause: RefusalCause, status: StatusCode, address: &str) -> Vec<(&'static str, Payload)> {
    vec![
        ("cause", Payload::from_text(cause.0)),
        ("status", Payload::from_value(&status.as_u16().into())),
        ("address", Payload::from_text(address)),
    ]
}

/// Returns the terminal that a token claims to belong to. Does not verify the token.
pub fn claimed_terminal(token: &str) -> Option<TerminalId> {
    #[derive(Deserialize)]
    struct Claimed {
        sub: String,
    }
    let claims = BASE64URL_NOPAD.decode(token.split('.').nth(1)?.as_bytes()).ok()?;
    serde_json::from_slice::<Claimed>(&claims).ok()?.sub.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_once_a_minute_and_no_more_than_the_bound_are() {
        let (refused, now) = (RefusedHandshakes::default(), Instant::now());
        let id = |n: usize| format!("t{n}").parse::<TerminalId>().unwrap();
        assert!(refused.is_new(&id(0), RefusalCause::URL, now) && !refused.is_new(&id(0), RefusalCause::URL, now));
        assert!(refused.is_new(&id(0), RefusalCause::ORIGIN, now), "another cause");
        assert_eq!((1..1000).filter(|n| refused.is_new(&id(*n), RefusalCause::URL, now)).count(), EVENTS_MAX - 2);
        assert!(refused.is_new(&id(0), RefusalCause::URL, now + INTERVAL));
    }

    #[test]
    fn a_token_claims_a_terminal_before_it_is_verified() {
        let claims = BASE64URL_NOPAD.encode(br#"{"sub":"t1","exp":1}"#);
        assert_eq!(claimed_terminal(&format!("x.{claims}.y")).unwrap().as_str(), "t1");
        for bad in ["", "x", "x.y.z", &format!("x.{}.z", BASE64URL_NOPAD.encode(br#"{"sub":"a b"}"#))] {
            assert_eq!(claimed_terminal(bad), None, "{bad}");
        }
    }
}
