//! Sessions of operators: a page shows the operator's key once, and gets a token of 15 minutes in its place, which it has renewed.
//!
//! The token has all claims of the key, so it is the key to whoever reads it: the same name, id, scope and limits, and the same revocations
//! are about it. The secret that signed the key signs the token too, so that both end when that secret does.

use jiff::Timestamp;
use muster_protocol::token::{ClaimError, Claims, sign};
use serde_json::{Map, Value, json};

use super::{Auth, AuthError, operator::time_of};

/// How long a token is valid, in seconds.
const TOKEN: u64 = 15 * 60;
/// How long a session lasts, in seconds: after that time the operator shows the key again.
const SESSION: u64 = 12 * 3600;

/// A token that was made in the place of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeSession {
    /// The token.
    pub token: String,
    /// The last second in which it is valid.
    pub expires_at: Timestamp,
    /// The last second in which any token of this session is valid. No later than the key.
    pub renew_until: Timestamp,
    /// Whether it was made in exchange for another token of the session.
    pub is_renewal: bool,
}

impl Auth {
    /// Makes a token in the place of a valid key, or of another token of the session. [`operator`](Self::operator) has checked whose it is.
    ///
    /// # Errors
    /// [`AuthError::NoSecret`] without a secret to sign with, [`AuthError::Missing`] without a key, and [`AuthError::SessionEnds`] if the
    /// token is the last of its session.
    pub fn sign_in(&self, key: Option<&str>) -> Result<MadeSession, AuthError> {
        self.check_signs()?;
        let key = key.ok_or(AuthError::Missing("send an operator key as Authorization: Bearer"))?;
        let checked = self.check(key)?;
        let secret = checked.kid.as_deref().and_then(|kid| self.secret(kid)).ok_or(AuthError::NoSecret)?;
        let (claims, now) = (&checked.claims, Timestamp::now().as_second().max(0) as u64);
        let is_renewal = claims.key_expires()?.is_some();
        let end = match claims.renew_until()? {
            Some(end) if is_renewal => end,
            _ => claims.expires().min(now + SESSION),
        };
        if is_renewal && claims.expires() >= end {
            return Err(AuthError::SessionEnds(time_of(end)));
        }
        let expires = end.min(now + TOKEN);
        let token = sign(&secret, &standing_for(claims, now, expires, end)?);
        Ok(MadeSession { token, expires_at: time_of(expires), renew_until: time_of(end), is_renewal })
    }
}

/// The claims of a token that stands for the key with these, or goes on from another token.
fn standing_for(claims: &Claims, now: u64, expires: u64, end: u64) -> Result<Map<String, Value>, ClaimError> {
    let mut all = claims.json().clone();
    // What revokes keys by when they were made goes by the key. One that does not say it counts as an old one.
    let made = claims.issued_at()?.unwrap_or_default();
    all.entry("origin_iat").or_insert_with(|| json!(made));
    all.entry("key_exp").or_insert_with(|| json!(claims.expires()));
    all.remove("nbf");
    all.extend([("iat", now), ("exp", expires), ("renew_until", end)].map(|(name, at)| (name.to_owned(), json!(at))));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use muster_protocol::{
        api::{Revocation, RevokedTokens},
        token::{LIMITED_OPERATOR, OPERATOR, Secret},
    };
    use uuid::Uuid;

    use super::*;
    use crate::config::Config;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    const OLD: &str = "k1=0123456789abcdef0123456789abcdef";
    const NEW: &str = "k2=fedcba9876543210fedcba9876543210";

    /// A node that signs with the new secret, and verifies with both.
    fn auth() -> Auth {
        Auth::new(&Cli::parse_from(["node", "--secret", NEW, "--secret", OLD]).config).unwrap()
    }

    fn now() -> u64 {
        Timestamp::now().as_second() as u64
    }

    fn signed(claims: &Value) -> String {
        sign(&OLD.parse::<Secret>().unwrap(), claims)
    }

    fn key(now: u64) -> Value {
        json!({
            "sub": "ann", "aud": LIMITED_OPERATOR, "scope": "command", "labels": { "shop": "7" }, "exp": now + 100_000, "iat": now - 50,
            "jti": "key-1", "origin": "maker",
        })
    }

    #[test]
    fn a_token_is_the_key_for_a_quarter_of_an_hour() {
        let (auth, now) = (auth(), now());
        let key = signed(&key(now));
        let made = auth.sign_in(Some(&key)).unwrap();
        let seconds = |at: Timestamp| at.as_second() as u64 - now;
        assert!((900..910).contains(&seconds(made.expires_at)) && !made.is_renewal);
        assert!((43_200..43_210).contains(&seconds(made.renew_until)));
        let [of_key, of_token] = [&key, &made.token].map(|token| auth.operator(Some(token)).unwrap());
        assert_eq!(of_token.expires, Some(made.expires_at.as_second() as u64));
        assert_eq!((of_token.key_id(), of_token.key_expires), (Some("key-1"), Some(now + 100_000)));
        assert_eq!(crate::auth::VerifiedOperator { expires: of_key.expires, ..of_token }, of_key);
        let again = auth.sign_in(Some(&made.token)).unwrap();
        assert!(again.is_renewal && again.renew_until == made.renew_until);
        assert_eq!(auth.operator(Some(&again.token)).unwrap().token, of_key.token);
    }

    #[test]
    fn a_session_ends_with_its_key_and_its_last_token_is_not_renewed() {
        let (auth, now) = (auth(), now());
        let short = json!({ "sub": "ann", "aud": OPERATOR, "scope": "read", "exp": now + 60 });
        let made = auth.sign_in(Some(&signed(&short))).unwrap();
        assert_eq!([made.expires_at, made.renew_until].map(|at| at.as_second() as u64), [now + 60; 2]);
        let told = auth.sign_in(Some(&made.token)).unwrap_err();
        assert!(told.to_string().contains("sign in with the key again"), "{told}");
        let mut late = key(now);
        late["key_exp"] = json!(now + 100_000);
        (late["exp"], late["renew_until"]) = (json!(now + 10), json!(now + 20));
        let last = auth.sign_in(Some(&signed(&late))).unwrap();
        assert_eq!(last.expires_at.as_second() as u64, now + 20);
        assert!(matches!(auth.sign_in(Some(&last.token)), Err(AuthError::SessionEnds(_))));
        assert!(matches!(auth.sign_in(None), Err(AuthError::Missing(_))));
        let insecure = Auth::new(&Cli::parse_from(["node", "--insecure"]).config).unwrap();
        assert_eq!(insecure.sign_in(None), Err(AuthError::NoSecret));
    }

    #[test]
    fn what_revokes_the_key_revokes_the_token() {
        let (auth, now) = (auth(), now());
        let made = auth.sign_in(Some(&signed(&key(now)))).unwrap();
        let is_revoked = |tokens: RevokedTokens| {
            let (created_at, expires_at) = (Timestamp::now(), time_of(now + 100));
            let revocation = Revocation { id: Uuid::nil(), tokens, by: String::new(), created_at, expires_at };
            auth.revocations().replace(vec![revocation]);
            auth.operator(Some(&made.token)) == Err(AuthError::Revoked)
        };
        let none = RevokedTokens::default;
        assert!(is_revoked(RevokedTokens { token_id: Some("key-1".into()), ..none() }));
        assert!(is_revoked(RevokedTokens { token_id: Some("maker".into()), ..none() }));
        assert!(is_revoked(RevokedTokens { operator: Some("ann".into()), ..none() }));
        assert!(is_revoked(RevokedTokens { kid: Some("k1".into()), ..none() }));
        assert!(is_revoked(RevokedTokens { issued_before: Some(time_of(now - 50)), ..none() }));
        assert!(!is_revoked(RevokedTokens { issued_before: Some(time_of(now - 51)), ..none() }));
        assert!(!is_revoked(RevokedTokens { kid: Some("k2".into()), ..none() }));
    }
}
