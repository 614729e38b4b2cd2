//! The keys that tokens are verified with, and which of them a token's header means.

use std::sync::Arc;

use muster_protocol::token::{Algorithm, Jwt, Secret, TokenError, VerifiedJwt};

use super::{AuthError, public_key::PublicKey};

/// What verifies the tokens of one `kid`.
pub(super) enum Key {
    /// A secret of this cluster. It signs tokens of terminals and keys of operators.
    Secret(Secret),
    /// The public key of another issuer. It signs tokens of terminals alone.
    Public(PublicKey),
}

impl Key {
    /// The algorithm with which the key's tokens are signed, and no other.
    pub(super) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Secret(_) => Algorithm::Hs256,
            Self::Public(key) => key.algorithm(),
        }
    }

    /// Whether the key is a secret of this cluster.
    pub(super) fn is_own(&self) -> bool {
        matches!(self, Self::Secret(_))
    }

    /// Verifies a token's signature.
    pub(super) fn verify<'a>(&self, jwt: Jwt<'a>) -> Result<VerifiedJwt<'a>, TokenError> {
        match self {
            Self::Secret(secret) => jwt.verify_with(secret),
            Self::Public(key) => jwt.verify(key.algorithm(), |signed, signature| key.verify(signed, signature)),
        }
    }
}

/// Keys and their names. There are few, so they are looked at one by one.
#[derive(Default)]
pub(super) struct KeySet(Vec<NamedKey>);

/// A key with its `kid`, if it has one.
type NamedKey = (Option<Arc<str>>, Key);

impl KeySet {
    /// Adds a key, whose `kid` is none in a JWK set that names none. Returns false, and does not add the key, if another has its name.
    pub(super) fn add(&mut self, kid: Option<&str>, key: Key) -> bool {
        let is_new = kid.is_none() || self.0.iter().all(|(other, _)| other.as_deref() != kid);
        if is_new {
            self.0.push((kid.map(Into::into), key));
        }
        is_new
    }

    /// The number of keys.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the keys; `-` for one without.
    pub(super) fn names(&self) -> Vec<String> {
        self.0.iter().map(|(kid, _)| kid.as_deref().unwrap_or("-").to_owned()).collect()
    }

    /// The key with this name.
    pub(super) fn named(&self, kid: &str) -> Option<&NamedKey> {
        self.0.iter().find(|(name, _)| name.as_deref() == Some(kid))
    }

    /// The keys whose tokens have this algorithm.
    pub(super) fn with(&self, algorithm: Algorithm) -> impl Iterator<Item = &NamedKey> {
        self.0.iter().filter(move |(_, key)| key.algorithm() == algorithm)
    }
}

/// The key that a token's header means: the one that its `kid` names, in the first set that has it, or without a `kid` the only one of all
/// sets that has its algorithm.
///
/// # Errors
/// [`AuthError::UnknownKid`], or [`TokenError::NoKid`] if it names none and not exactly one has the algorithm.
pub(super) fn find<'a>(sets: &[&'a KeySet], jwt: &Jwt<'_>) -> Result<&'a NamedKey, AuthError> {
    if let Some(kid) = jwt.kid() {
        return sets.iter().find_map(|set| set.named(kid)).ok_or(AuthError::UnknownKid);
    }
    let algorithm = jwt.algorithm().ok_or(TokenError::NoKid)?;
    let mut able = sets.iter().flat_map(|set| set.with(algorithm));
    match (able.next(), able.next()) {
        (Some(key), None) => Ok(key),
        _ => Err(TokenError::NoKid.into()),
    }
}
