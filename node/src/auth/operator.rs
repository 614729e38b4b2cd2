//! Operators: what their keys allow, and new keys.

use std::sync::Arc;

use jiff::Timestamp;
use muster_protocol::{
    api::OperatorKey,
    selector::Labels,
    token::{ClaimFault, KeyLimits, LIMITED_OPERATOR, OPERATOR, OperatorClaims, Scope, TERMINAL, sign},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Auth, AuthError, TokenHolder, TokenMark};

/// The longest name of an operator, in bytes. It is stored with each command of theirs.
pub const NAME_MAX: usize = 128;

/// Whoever a key was verified of. A ticket stands for one in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedOperator {
    /// The name of the key's owner, at most 128 bytes of it. Empty without a key that was verified.
    pub name: String,
    /// What the key allows. Everything without a key.
    #[serde(default = "reading")]
    pub scope: Scope,
    /// What the key is limited to. Nothing without a key.
    #[serde(default)]
    pub limits: KeyLimits,
    /// The last second in which the key, or the session's token in its place, is valid, since 1970. None without a key that was verified.
    pub expires: Option<u64>,
    /// The last second in which the key itself is valid. None without a key that was verified, and of a ticket of an older version.
    #[serde(default)]
    pub key_expires: Option<u64>,
    /// The key. None without one that was verified.
    #[serde(default)]
    pub token: Option<Arc<TokenMark>>,
}

/// A ticket says no scope, as nodes of an older version store it: it is for reading.
fn reading() -> Scope {
    Scope::Read
}

impl Default for VerifiedOperator {
    /// Who is let in without a key.
    fn default() -> Self {
        let (name, limits) = (String::new(), KeyLimits::default());
        Self { name, scope: Scope::Admin, limits, expires: None, key_expires: None, token: None }
    }
}

impl VerifiedOperator {
    /// Checks that the key's scope includes `scope`.
    ///
    /// # Errors
    /// [`AuthError::Forbidden`].
    pub fn check_scope(&self, scope: Scope) -> Result<(), AuthError> {
        if self.scope >= scope {
            return Ok(());
        }
        let allowed = self.scope;
        Err(AuthError::Forbidden(format!("the key's scope is {allowed}, this needs {scope}")))
    }

    /// The key's own id, if it has one.
    pub fn key_id(&self) -> Option<&str> {
        self.token.as_ref()?.token_id.as_deref()
    }

    /// The id of the key that made this one, if that was a limited one.
    pub fn origin(&self) -> Option<&str> {
        self.token.as_ref()?.origin.as_deref()
    }

    /// Whose requests an idempotency key is for: the owner, and of a limited key that key alone. Two keys of one name may reach other
    /// terminals.
    pub fn requester(&self) -> String {
        match self.key_id() {
            Some(id) if !self.limits.is_empty() => format!("{}\n{id}", self.name),
            _ => self.name.clone(),
        }
    }
}

impl Auth {
    /// The owner of a key, or of the key for which a session's token stands; one without a name with `--insecure` and no key that can be
    /// verified. The use of the key is recorded.
    ///
    /// # Errors
    /// If the key is missing, is not valid, is no operator's, or was revoked.
    pub fn operator(&self, key: Option<&str>) -> Result<VerifiedOperator, AuthError> {
        if self.insecure && (key.is_none() || self.has_no_keys()) {
            return Ok(VerifiedOperator::default());
        }
        let key = key.ok_or(AuthError::Missing("send an operator key as Authorization: Bearer"))?;
        let key = self.check(key)?;
        let claims = &key.claims;
        let audience = claims.audience()?.unwrap_or_default();
        let is_operator = audience.contains(&OPERATOR) || audience.contains(&LIMITED_OPERATOR);
        // An issuer of terminal tokens must not be able to make operators' keys.
        if !is_operator || audience.contains(&TERMINAL) || !key.is_own {
            return Err(ClaimFault::Other("is not an operator's, or its key signs no operators' keys")
                .of("aud")
                .into());
        }
        let (subject, scope, limits) = (claims.subject()?, claims.scope()?, claims.limits()?);
        let mark = Arc::new(key.mark(TokenHolder::Operator(subject.into()))?);
        self.check_not_revoked(&mark)?;
        let mut name = subject.to_owned();
        name.truncate(name.floor_char_boundary(NAME_MAX));
        let key_expires = claims.key_expires()?.or(Some(claims.expires()));
        let (expires, token) = (Some(claims.expires()), Some(mark));
        let operator = VerifiedOperator { name, scope, limits, expires, key_expires, token };
        self.key_uses.record(&operator, Timestamp::now());
        Ok(operator)
    }

    /// Makes a key for an operator with this name, which expires after the second `exp` since 1970.
    ///
    /// # Errors
    /// [`AuthError::NoSecret`] without a secret to sign with.
    pub fn make_key(
        &self,
        name: &str,
        scope: Scope,
        limits: KeyLimits,
        exp: u64,
        maker: &VerifiedOperator,
    ) -> Result<(String, OperatorKey), AuthError> {
        let secret = self.signing()?;
        let now = Timestamp::now();
        let origin = maker.key_id().filter(|_| !maker.limits.is_empty()).map(str::to_owned);
        let claims = OperatorClaims {
            iat: u64::try_from(now.as_second()).ok(),
            jti: Some(Uuid::now_v7().to_string()),
            origin: origin.clone(),
            ..OperatorClaims::new(name, exp, scope).limited_to(limits.clone())
        };
        let made = OperatorKey {
            id: claims.jti.clone().unwrap_or_default(),
            name: name.to_owned(),
            scope,
            limits,
            kid: Some(secret.kid.clone()),
            by: Some(maker.name.clone()).filter(|by| !by.is_empty()),
            origin,
            created_at: Some(now),
            expires_at: time_of(exp),
            last_used_at: None,
            revoked: false,
        };
        Ok((sign(&secret, &claims), made))
    }

    /// Whether a key is revoked, as far as this node knows.
    pub fn is_key_revoked(&self, key: &OperatorKey, now: Timestamp) -> bool {
        let mark = TokenMark {
            holder: TokenHolder::Operator(key.name.as_str().into()),
            token_id: Some(key.id.as_str().into()),
            origin: key.origin.as_deref().map(Into::into),
            kid: key.kid.as_deref().map(Into::into),
            issued_at: key.created_at.and_then(|at| u64::try_from(at.as_second()).ok()),
        };
        self.revocations.cover(&mark, now)
    }
}

/// What the store has of a key that was used, if the key has an id.
pub(super) fn used_key(operator: &VerifiedOperator, now: Timestamp) -> Option<OperatorKey> {
    let mark = operator.token.as_ref()?;
    Some(OperatorKey {
        id: mark.token_id.as_deref()?.to_owned(),
        name: operator.name.clone(),
        scope: operator.scope,
        limits: operator.limits.clone(),
        kid: mark.kid.as_deref().map(str::to_owned),
        by: None,
        origin: mark.origin.as_deref().map(str::to_owned),
        // The token of a session has 0 if its key does not say when it was made.
        created_at: mark.issued_at.filter(|second| *second > 0).map(time_of),
        expires_at: time_of(operator.key_expires?),
        last_used_at: Some(now),
        revoked: false,
    })
}

/// A second since 1970 as a time; the last one that there is for what lies beyond it.
pub(super) fn time_of(second: u64) -> Timestamp {
    i64::try_from(second).ok().and_then(|second| Timestamp::from_second(second).ok()).unwrap_or(Timestamp::MAX)
}

/// Labels as people write them, for a sentence: `shop=7, kind=gate`.
pub fn written(labels: &Labels) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
}
