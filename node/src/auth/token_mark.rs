//! What a node remembers of a token while a session or a stream lives by it: enough to know whether a revocation is about it.

use std::sync::Arc;

use muster_protocol::{TerminalId, api::RevokedTokens};
use serde::{Deserialize, Serialize};

/// A token that was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenMark {
    /// Whom it is for.
    pub holder: TokenHolder,
    /// Its own id (`jti`), if it has one.
    pub token_id: Option<Box<str>>,
    /// The id of the first of the tokens of which it came by renewal, if it did and that has one.
    pub origin: Option<Box<str>>,
    /// The name of the key that signed it, if that has one.
    pub kid: Option<Arc<str>>,
    /// When it, or the first of the tokens of which it came, was issued, in seconds since 1970, if it says so.
    pub issued_at: Option<u64>,
}

/// Whom a token is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenHolder {
    /// A terminal.
    Terminal(TerminalId),
    /// An operator, by name.
    Operator(Box<str>),
}

impl TokenMark {
    /// Whether these are tokens of which this is one.
    pub fn is_of(&self, tokens: &RevokedTokens) -> bool {
        let (terminal, operator) = match &self.holder {
            TokenHolder::Terminal(terminal) => (Some(terminal), None),
            TokenHolder::Operator(name) => (None, Some(&**name)),
        };
        let wants = |wanted: Option<&str>, has: Option<&str>| wanted.is_none() || wanted == has;
        // A token that does not say when it was issued may be an old one.
        let is_old = |before: jiff::Timestamp| {
            self.issued_at.is_none_or(|issued| i64::try_from(issued).is_ok_and(|issued| issued <= before.as_second()))
        };
        tokens.terminal.as_ref().is_none_or(|wanted| Some(wanted) == terminal)
            && wants(tokens.operator.as_deref(), operator)
            && (wants(tokens.token_id.as_deref(), self.token_id.as_deref())
                || wants(tokens.token_id.as_deref(), self.origin.as_deref()))
            && wants(tokens.kid.as_deref(), self.kid.as_deref())
            && tokens.issued_before.is_none_or(is_old)
    }
}
