//! The revocations that this node knows, as it last read them in the store. While the store is away they hold.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use jiff::Timestamp;
use muster_protocol::api::Revocation;
use tokio::sync::{Notify, watch};

use super::token_mark::{TokenHolder, TokenMark};

/// The revocations that a node applies.
pub struct Revocations {
    index: RwLock<Arc<RevocationIndex>>,
    /// Told when the revocations have changed.
    changed: watch::Sender<()>,
    /// Notified when the store has other revocations than this node, as far as this node knows.
    stale: Notify,
}

/// Revocations, by what most of them are about: each handshake looks at few.
#[derive(Default)]
struct RevocationIndex {
    by_token_id: HashMap<String, Vec<Revocation>>,
    by_terminal: HashMap<String, Vec<Revocation>>,
    others: Vec<Revocation>,
}

impl Default for Revocations {
    fn default() -> Self {
        Self { index: RwLock::default(), changed: watch::Sender::new(()), stale: Notify::new() }
    }
}

impl Revocations {
    /// Replaces what is known.
    pub fn replace(&self, all: Vec<Revocation>) {
        let mut index = RevocationIndex::default();
        for revocation in all {
            let tokens = &revocation.tokens;
            let list = match (&tokens.token_id, &tokens.terminal) {
                (Some(id), _) => index.by_token_id.entry(id.clone()).or_default(),
                (None, Some(terminal)) => index.by_terminal.entry(terminal.as_str().to_owned()).or_default(),
                (None, None) => &mut index.others,
            };
            list.push(revocation);
        }
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(index);
        self.changed.send_replace(());
    }

    /// Whether a token is revoked at this time.
    pub fn cover(&self, mark: &TokenMark, now: Timestamp) -> bool {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner).clone();
        let ids = [mark.token_id.as_deref(), mark.origin.as_deref()].into_iter().flatten();
        let by_id = ids.filter_map(|id| index.by_token_id.get(id));
        let by_terminal = match &mark.holder {
            TokenHolder::Terminal(terminal) => index.by_terminal.get(terminal.as_str()),
            TokenHolder::Operator(_) => None,
        };
        let mut all = by_id.chain(by_terminal).flatten().chain(&index.others);
        all.any(|revocation| revocation.expires_at > now && mark.is_of(&revocation.tokens))
    }

    /// A receiver that is told when the revocations change.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Has the revocations read again at once.
    pub fn set_stale(&self) {
        self.stale.notify_one();
    }

    /// Waits until they are to be read again at once.
    pub async fn stale(&self) {
        self.stale.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use muster_protocol::api::RevokedTokens;
    use uuid::Uuid;

    use super::*;

    fn mark(holder: TokenHolder, token_id: Option<&str>, kid: &str, issued_at: Option<u64>) -> TokenMark {
        TokenMark { holder, token_id: token_id.map(Into::into), origin: None, kid: Some(kid.into()), issued_at }
    }

    #[test]
    fn a_token_is_revoked_that_has_all_of_what_is_given() {
        let now = Timestamp::from_second(1000).unwrap();
        let t1 = || TokenHolder::Terminal("t1".parse().unwrap());
        let tokens = [
            mark(t1(), Some("a"), "k1", Some(500)),
            mark(t1(), None, "k2", None),
            mark(TokenHolder::Operator("t1".into()), Some("b"), "k1", Some(501)),
            mark(TokenHolder::Terminal("t2".parse().unwrap()), Some("a"), "k1", Some(900)),
        ];
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        let terminal = || Some("t1".parse().unwrap());
        let none = RevokedTokens::default;
        for (revoked, expected) in [
            (RevokedTokens { terminal: terminal(), ..none() }, [true, true, false, false]),
            (RevokedTokens { operator: Some("t1".into()), ..none() }, [false, false, true, false]),
            (RevokedTokens { token_id: Some("a".into()), ..none() }, [true, false, false, true]),
            (RevokedTokens { token_id: Some("a".into()), terminal: terminal(), ..none() }, [true, false, false, false]),
            (RevokedTokens { kid: Some("k1".into()), ..none() }, [true, false, true, true]),
            (RevokedTokens { issued_before: at(500), ..none() }, [true, true, false, false]),
            (RevokedTokens { kid: Some("k1".into()), issued_before: at(501), ..none() }, [true, false, true, false]),
            (RevokedTokens { terminal: terminal(), issued_before: at(499), ..none() }, [false, true, false, false]),
        ] {
            let revocations = Revocations::default();
            let expires_at = now + SignedDuration::from_secs(1);
            let (id, by) = (Uuid::nil(), String::new());
            revocations.replace(vec![Revocation { id, tokens: revoked.clone(), by, created_at: now, expires_at }]);
            assert_eq!(tokens.each_ref().map(|mark| revocations.cover(mark, now)), expected, "{revoked:?}");
            assert_eq!(tokens.each_ref().map(|mark| revocations.cover(mark, expires_at)), [false; 4]);
        }
    }
}
