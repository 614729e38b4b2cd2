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
#[cfg(test)]
mod tests;
mod token_mark;

use std::{
    future,
    sync::{Arc, RwLock},
};

use jiff::Timestamp;
use muster_protocol::{
    TerminalId,
    selector::{Labels, SayableKeys},
    token::{Algorithm, ClaimError, ClaimFault, Claims, Jwt, LIMITED_OPERATOR, OPERATOR, TERMINAL, TokenError},
};

use self::{
    client_certificate::{CertificateError, ClientCertificate},
    configured_keys::ConfiguredKeys,
    jwks::Jwks,
    keys::find,
};
pub use self::{
    key_uses::KeyUses,
    operator::{NAME_MAX, VerifiedOperator, written},
    renew::MadeToken,
    revocations::Revocations,
    sign_in::MadeSession,
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

/// A terminal that may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedTerminal {
    /// The terminal's id.
    pub id: TerminalId,
    /// The labels in its token.
    pub labels: Labels,
    /// The keys of labels that it may say of itself.
    pub say: SayableKeys,
    /// The last second in which its token is valid, since 1970. None without a token that was verified.
    pub expires: Option<u64>,
    /// The token. None without one that was verified.
    pub token: Option<Arc<TokenMark>>,
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

impl Auth {
    /// Reads the keys that the configuration names. Fails if one can't be read.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let configured = RwLock::new(Arc::new(ConfiguredKeys::read(&config.keys)?));
        let jwks = Jwks::of(&config.issuers)?;
        Ok(Self {
            insecure: config.insecure,
            configured,
            jwks,
            issuers: config.issuers.clone(),
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

    /// The terminal that this token lets in. `named` is the id outside the token; the token's `sub` must be the same, and is
    /// enough without it. With `--insecure` and no token that can be verified, `named` is needed.
    pub fn terminal(&self, token: Option<&str>, named: Option<TerminalId>) -> Result<VerifiedTerminal, AuthError> {
        let unverified = |named: Option<TerminalId>| {
            let (id, labels) = (named.ok_or(AuthError::Unnamed)?, Labels::new());
            Ok(VerifiedTerminal { id, labels, say: SayableKeys::All, expires: None, token: None })
        };
        let Some(token) = token else {
            let advice = "send the terminal's token as Authorization: Bearer, or as subprotocol muster.bearer.TOKEN";
            return if self.insecure { unverified(named) } else { Err(AuthError::Missing(advice)) };
        };
        if self.insecure && self.has_no_keys() {
            return unverified(named);
        }
        Ok(self.check_terminal(token, named)?.1)
    }

    /// Verifies a token, and that it lets in the terminal of this name, if one is named.
    fn check_terminal(
        &self,
        token: &str,
        named: Option<TerminalId>,
    ) -> Result<(CheckedToken, VerifiedTerminal), AuthError> {
        let token = self.check(token)?;
        let claims = &token.claims;
        self.check_terminal_audience(token.is_own, claims)?;
        let id = claims.terminal()?;
        if named.is_some_and(|named| named != id) {
            return Err(AuthError::Forbidden(
                "the token is for another terminal: its sub is not this terminal's id".into(),
            ));
        }
        let mark = self.check_revoked(&token, TokenHolder::Terminal(id.clone()))?;
        let (labels, say, expires) = (claims.labels()?, claims.sayable_keys()?, Some(claims.expires()));
        Ok((token, VerifiedTerminal { id, labels, say, expires, token: Some(mark) }))
    }

    /// The terminal that a certificate lets in. A proxy has verified it, and sent it in PEM, percent-encoded. `source` says which of its
    /// names is the id, as the sidecar's `--client-id-from`. `named` is the id outside the certificate, which must be the same. The
    /// terminal has no labels from there.
    pub fn certified(
        &self,
        escaped: &str,
        source: &str,
        named: Option<TerminalId>,
    ) -> Result<VerifiedTerminal, AuthError> {
        let certificate = ClientCertificate::from_escaped_pem(escaped, source.parse()?)?;
        if named.is_some_and(|named| named != certificate.terminal) {
            let why = "the certificate is for another terminal: the id in it is not ?terminal_id=";
            return Err(AuthError::Forbidden(why.into()));
        }
        let (id, issued_at) = (certificate.terminal, Some(certificate.issued));
        // Who revokes the tokens of a terminal also means its certificates.
        let mark =
            TokenMark { holder: TokenHolder::Terminal(id.clone()), token_id: None, origin: None, kid: None, issued_at };
        let token = Some(self.unless_revoked(mark)?);
        Ok(VerifiedTerminal {
            id,
            labels: Labels::new(),
            say: SayableKeys::Listed(Vec::new()),
            expires: Some(certificate.expires),
            token,
        })
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

    /// What a session or a stream remembers of the token that it lives by, unless the token is revoked.
    fn check_revoked(&self, token: &CheckedToken, holder: TokenHolder) -> Result<Arc<TokenMark>, AuthError> {
        let claims = &token.claims;
        let (token_id, origin) = (claims.token_id()?.map(Into::into), claims.origin()?.map(Into::into));
        let issued_at = claims.origin_issued_at()?.or(claims.issued_at()?);
        self.unless_revoked(TokenMark { holder, token_id, origin, kid: token.kid.clone(), issued_at })
    }

    fn unless_revoked(&self, mark: TokenMark) -> Result<Arc<TokenMark>, AuthError> {
        if self.revocations.cover(&mark, Timestamp::now()) { Err(AuthError::Revoked) } else { Ok(Arc::new(mark)) }
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

    /// Checks that a token is a terminal's, and of another issuer, if the node is told its audience, was made for this cluster.
    fn check_terminal_audience(&self, is_own: bool, claims: &Claims) -> Result<(), ClaimError> {
        let taken = &self.issuers.audience;
        let fault = match claims.audience()? {
            Some(audience) if audience.contains(&OPERATOR) || audience.contains(&LIMITED_OPERATOR) => {
                ClaimFault::Other("is an operator's: this is not a terminal's token")
            }
            Some(audience) => {
                let is_taken = |name: &&str| *name == TERMINAL || taken.iter().any(|taken| taken == name);
                if audience.iter().any(is_taken) {
                    return Ok(());
                }
                ClaimFault::Other("has neither muster-terminal nor what this node takes beside it (--audience)")
            }
            None if taken.is_empty() || is_own => return Ok(()),
            None => ClaimFault::Missing,
        };
        Err(fault.of("aud"))
    }
}
