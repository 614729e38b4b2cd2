//! Checks who is let in: terminals by their tokens, operators by their keys. Both are JWTs whose `kid` names a
//! secret (HS256) or, for terminals, a public key (EdDSA; from a JWK set also ES256 and RS256). The algorithm is the one of the key and never the token's
//! own claim; `none` has no key.

mod client_certificate;
mod configured_keys;
mod der;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod jwks;
mod key_uses;
mod keys;
mod operator;
mod public_key;
mod renew;
mod revocations;
mod sign_in;
mod terminal;
#[cfg(test)]
mod tests;
mod token_mark;
mod verified_tokens;

use std::{
    future,
    sync::{Arc, RwLock},
};

use jiff::Timestamp;
use muster_protocol::token::{Algorithm, ClaimError, ClaimFault, Claims, Jwt, TokenError};

use self::{
    client_certificate::CertificateError, configured_keys::ConfiguredKeys, jwks::Jwks, keys::find,
    verified_tokens::VerifiedTokens,
};
pub use self::{
    key_uses::KeyUses,
    operator::{NAME_MAX, VerifiedOperator, written},
    renew::MadeToken,
    revocations::Revocations,
    sign_in::MadeSession,
    terminal::VerifiedTerminal,
    token_mark::{TokenHolder, TokenMark},
};
use crate::{
    config::{Config, Issuers},
    metrics::Metrics,
};

/// Why a token or key is refused. The text is fit to be shown to its holder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is no token.
    #[error("{0}")]
    Missing(&'static str),
    /// The token names a key that this node does not have.
    #[error("the token is refused: its kid names no key of this node")]
    UnknownKid,
    /// The token's key did not sign it, or the token is not valid now.
    #[error("the token is refused: {0}")]
    BadToken(#[from] TokenError),
    /// The token is valid, and an operator has revoked it.
    #[error("the token is refused: it was revoked")]
    Revoked,
    /// The token of an operator's session is valid until the session ends, at this time, and no later one is made.
    #[error("the session ends at {0} and can't be renewed: sign in with the key again")]
    SessionEnds(Timestamp),
    /// The node has no secret to sign tokens with.
    #[error("this node makes no tokens: it has no --secret to sign them with")]
    NoSecret,
    /// The terminal's certificate is not valid, or does not name it.
    #[error("the certificate is refused: {0}")]
    BadCertificate(#[from] CertificateError),
    /// The handshake names no terminal: it has no `?terminal_id=` and no token that can be verified.
    #[error("say which terminal: ?terminal_id=ID, or a token that this node verifies, whose sub is the id")]
    Unnamed,
    /// The token is valid, but not for this terminal or this scope.
    #[error("{0}")]
    Forbidden(String),
}

impl From<ClaimError> for AuthError {
    fn from(refusal: ClaimError) -> Self {
        Self::BadToken(refusal.into())
    }
}

/// The keys that this node checks tokens with, and what tokens must say.
pub struct Auth {
    insecure: bool,
    /// The keys that flags and their files have. They are replaced when the files are read again.
    configured: RwLock<Arc<ConfiguredKeys>>,
    /// The keys that an issuer publishes.
    jwks: Option<Jwks>,
    issuers: Issuers,
    /// What terminals' tokens say that these keys have verified.
    verified: Arc<VerifiedTokens>,
    revocations: Revocations,
    key_uses: KeyUses,
}

/// A token that is valid now, if it is not revoked.
struct CheckedToken {
    claims: Claims,
    /// The `kid` of its key.
    kid: Option<Arc<str>>,
    /// Whether a secret of this cluster signed it.
    is_own: bool,
}

impl CheckedToken {
    /// What a session or a stream remembers of the token that it lives by.
    fn mark(&self, holder: TokenHolder) -> Result<TokenMark, ClaimError> {
        let claims = &self.claims;
        let (token_id, origin) = (claims.token_id()?.map(Into::into), claims.origin()?.map(Into::into));
        let issued_at = claims.origin_issued_at()?.or(claims.issued_at()?);
        Ok(TokenMark { holder, token_id, origin, kid: self.kid.clone(), issued_at })
    }
}

impl Auth {
    /// Reads the keys that the configuration names. Fails if one can't be read.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let configured = RwLock::new(Arc::new(ConfiguredKeys::read(&config.keys)?));
        let verified = Arc::new(VerifiedTokens::new());
        let jwks = Jwks::of(&config.issuers, verified.clone())?;
        Ok(Self {
            insecure: config.insecure,
            configured,
            jwks,
            issuers: config.issuers.clone(),
            verified,
            revocations: Revocations::default(),
            key_uses: KeyUses::default(),
        })
    }

    /// Reads the keys of `--jwks`, now. Returns whether that was possible, for [`follow`](Self::follow); a failure is logged, and the keys of
    /// before stay. Takes 10 s at most.
    pub async fn read_jwks(&self, metrics: &Metrics) -> bool {
        match &self.jwks {
            Some(jwks) => jwks.refresh(metrics).await,
            None => true,
        }
    }

    /// Reads the keys of `--jwks` again and again, for ever. `begun` is what [`read_jwks`](Self::read_jwks) returned.
    pub async fn follow(&self, begun: bool, metrics: &Metrics) {
        match &self.jwks {
            Some(jwks) => jwks.follow(begun, metrics).await,
            None => future::pending().await,
        }
    }

    /// The revocations that this node applies.
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// The operators' keys that were used on this node.
    pub fn key_uses(&self) -> &KeyUses {
        &self.key_uses
    }

    /// Whether there is no key to verify a token with, nor will there be.
    fn has_no_keys(&self) -> bool {
        self.configured().keys.is_empty() && self.jwks.is_none()
    }

    /// Verifies a token. Its audience tells a terminal from an operator; the callers check that, and whether it is revoked.
    fn check(&self, token: &str) -> Result<CheckedToken, AuthError> {
        let jwt = Jwt::parse(token)?;
        let configured = self.configured();
        let published = self.jwks.as_ref().map(Jwks::keys).unwrap_or_default();
        // A key of a flag goes before a published one with its name: the issuer must not replace it.
        let (kid, key) = find(&[&configured.keys, &published], &jwt).inspect_err(|_| self.miss(&jwt))?;
        let now = Timestamp::now().as_second().max(0) as u64;
        let claims = key.verify(jwt)?.claims(now)?;
        self.check_issuer(key.is_own(), &claims)?;
        Ok(CheckedToken { claims, kid: kid.clone(), is_own: key.is_own() })
    }

    fn check_not_revoked(&self, mark: &TokenMark) -> Result<(), AuthError> {
        if self.revocations.cover(mark, Timestamp::now()) { Err(AuthError::Revoked) } else { Ok(()) }
    }

    /// A token may be signed with a key that its issuer has published since. Such a key is no secret.
    fn miss(&self, jwt: &Jwt<'_>) {
        if let Some(jwks) = &self.jwks
            && jwt.algorithm().is_some_and(|algorithm| algorithm != Algorithm::Hs256)
        {
            jwks.miss();
        }
    }

    /// Checks `iss`, if the node is told whose tokens it takes. This cluster's own tokens need none.
    fn check_issuer(&self, is_own: bool, claims: &Claims) -> Result<(), ClaimError> {
        let known = &self.issuers.issuer;
        let fault = match claims.issuer()? {
            _ if known.is_empty() => return Ok(()),
            Some(issuer) if known.iter().any(|known| known == issuer) => return Ok(()),
            None if is_own => return Ok(()),
            Some(_) => ClaimFault::Other("is none of those that this node takes (--issuer)"),
            None => ClaimFault::Missing,
        };
        Err(fault.of("iss"))
    }
}
