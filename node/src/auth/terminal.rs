//! Terminals: what lets them in, which is a token, or a certificate that a proxy has verified.

use std::sync::Arc;

use jiff::Timestamp;
use muster_protocol::{
    TerminalId,
    selector::{Labels, SayableKeys},
    token::{ClaimError, ClaimFault, Claims, LIMITED_OPERATOR, OPERATOR, TERMINAL},
};

use super::{Auth, AuthError, CheckedToken, TokenHolder, TokenMark, client_certificate::ClientCertificate};

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

impl Auth {
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
        let terminal = self.token_says(token)?;
        self.check_lets_in(&terminal, named)?;
        Ok(terminal)
    }

    /// What a token says: as it was verified before, or else as it is verified now.
    fn token_says(&self, token: &str) -> Result<VerifiedTerminal, AuthError> {
        let now = Timestamp::now().as_second().max(0) as u64;
        let place = match self.verified.find(token, now) {
            Ok(terminal) => return Ok(terminal),
            Err(place) => place,
        };
        let (_, terminal) = self.verify_terminal(token)?;
        self.verified.remember(place, &terminal, now);
        Ok(terminal)
    }

    /// Verifies a terminal's token. Whether it is revoked is not looked at.
    pub(super) fn verify_terminal(&self, token: &str) -> Result<(CheckedToken, VerifiedTerminal), AuthError> {
        let token = self.check(token)?;
        let claims = &token.claims;
        self.check_terminal_audience(token.is_own, claims)?;
        let id = claims.terminal()?;
        let mark = Arc::new(token.mark(TokenHolder::Terminal(id.clone()))?);
        let (labels, say, expires) = (claims.labels()?, claims.sayable_keys()?, Some(claims.expires()));
        Ok((token, VerifiedTerminal { id, labels, say, expires, token: Some(mark) }))
    }

    /// Checks what does not follow from a token that was verified: that it is of the terminal of this name, if one is named, and is not
    /// revoked.
    pub(super) fn check_lets_in(
        &self,
        terminal: &VerifiedTerminal,
        named: Option<TerminalId>,
    ) -> Result<(), AuthError> {
        if named.is_some_and(|named| named != terminal.id) {
            return Err(AuthError::Forbidden(
                "the token is for another terminal: its sub is not this terminal's id".into(),
            ));
        }
        terminal.token.as_ref().map_or(Ok(()), |mark| self.check_not_revoked(mark))
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
        let holder = TokenHolder::Terminal(id.clone());
        let mark = Arc::new(TokenMark { holder, token_id: None, origin: None, kid: None, issued_at });
        self.check_not_revoked(&mark)?;
        Ok(VerifiedTerminal {
            id,
            labels: Labels::new(),
            say: SayableKeys::Listed(Vec::new()),
            expires: Some(certificate.expires),
            token: Some(mark),
        })
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
