//! The keys that tokens are verified with, and which of them a token's header means.

use std::collections::HashMap;

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

/// Keys by their `kid`.
#[derive(Default)]
pub(super) struct KeySet(HashMap<String, Key>);

impl KeySet {
    /// Adds a key. Returns whether no other has its name.
    pub(super) fn add(&mut self, kid: &str, key: Key) -> bool {
        self.0.insert(kid.to_owned(), key).is_none()
    }

    /// Whether there is no key.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key that a token's header means: the one that its `kid` names, or without a `kid` the only one that has its algorithm.
    ///
    /// # Errors
    /// [`AuthError::UnknownKid`], or [`TokenError::NoKid`] if it names none and not exactly one has the algorithm.
    pub(super) fn find(&self, jwt: &Jwt<'_>) -> Result<(&str, &Key), AuthError> {
        if let Some(kid) = jwt.kid() {
            let found = self.0.get_key_value(kid).ok_or(AuthError::UnknownKid)?;
            return Ok((found.0, found.1));
        }
        let mut able = self.0.iter().filter(|(_, key)| Some(key.algorithm()) == jwt.algorithm());
        match (able.next(), able.next()) {
            (Some((kid, key)), None) => Ok((kid, key)),
            _ => Err(TokenError::NoKid.into()),
        }
    }
}
