//! New tokens for terminals: a token that allows it is renewed, and a code is traded for the first.

use jiff::Timestamp;
use muster_protocol::{
    TerminalId,
    api::Enrolment,
    token::{Claims, TerminalClaims, sign},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Auth, AuthError};

/// A token that was made for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeToken {
    /// The token.
    pub token: String,
    /// The terminal that it lets in.
    pub terminal: TerminalId,
    /// The last second in which it is valid, since 1970.
    pub expires: u64,
}

impl Auth {
    /// Makes a new token for the terminal of a valid one, if its claim `renew` allows that. The new one has the same claims, an id of its own
    /// and a later expiry, and remembers the first of its line: what revokes that one revokes all that came of it.
    ///
    /// # Errors
    /// Those of a handshake; [`AuthError::NoSecret`] without a secret to sign with; [`AuthError::Forbidden`] if the token can't be renewed.
    pub fn renew(&self, token: Option<&str>) -> Result<MadeToken, AuthError> {
        let secret = self.signing()?;
        let token = token.ok_or(AuthError::Missing("send the terminal's token as Authorization: Bearer"))?;
        let (checked, verified) = self.verify_terminal(token)?;
        self.check_lets_in(&verified, None)?;
        let forbidden = |why: &str| Err(AuthError::Forbidden(format!("the token can't be renewed: {why}")));
        if !checked.is_own {
            return forbidden("another issuer has made it");
        }
        let claims = &checked.claims;
        let Some(seconds) = claims.renew()? else { return forbidden("it has no claim renew") };
        let now = Timestamp::now().as_second().max(0) as u64;
        let expires = now.saturating_add(seconds).min(claims.renew_until()?.unwrap_or(u64::MAX));
        if expires <= claims.expires() {
            return forbidden("a new one would not be valid for longer (its claims renew and renew_until)");
        }
        Ok(MadeToken { token: sign(&secret, &renewed(claims, now, expires)?), terminal: verified.id, expires })
    }

    /// The first token of a terminal that used a code.
    ///
    /// # Errors
    /// [`AuthError::NoSecret`] without a secret to sign with.
    pub fn first_token(&self, enrolment: &Enrolment, terminal: TerminalId) -> Result<MadeToken, AuthError> {
        let now = Timestamp::now().as_second().max(0) as u64;
        let expires = now.saturating_add(enrolment.valid_s);
        let claims = TerminalClaims {
            iat: Some(now),
            jti: Some(Uuid::now_v7().to_string()),
            renew: enrolment.renew_s,
            labels: enrolment.labels.clone(),
            ..TerminalClaims::new(terminal.clone(), expires)
        };
        Ok(MadeToken { token: sign(&self.signing()?, &claims), terminal, expires })
    }

    /// Checks that this node can make tokens.
    ///
    /// # Errors
    /// [`AuthError::NoSecret`].
    pub fn check_signs(&self) -> Result<(), AuthError> {
        self.signing().map(drop)
    }
}

fn renewed(claims: &Claims, now: u64, expires: u64) -> Result<Map<String, Value>, AuthError> {
    let mut all = claims.json().clone();
    if let Some(id) = claims.token_id()? {
        all.entry("origin").or_insert_with(|| json!(id));
    }
    // A token that does not say when it was made counts as an old one, and so does what comes of it.
    let issued = claims.issued_at()?.unwrap_or_default();
    all.entry("origin_iat").or_insert_with(|| json!(issued));
    all.remove("nbf");
    all.extend(
        [("iat", json!(now)), ("exp", json!(expires)), ("jti", json!(Uuid::now_v7()))]
            .map(|(name, value)| (name.to_owned(), value)),
    );
    Ok(all)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use muster_protocol::{
        api::{Revocation, RevokedTokens},
        token::{Secret, TERMINAL},
    };

    use super::*;
    use crate::config::Config;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    const SECRET: &str = "k1=0123456789abcdef0123456789abcdef";

    fn auth() -> Auth {
        Auth::new(&Cli::parse_from(["node", "--secret", SECRET]).config).unwrap()
    }

    fn now() -> u64 {
        Timestamp::now().as_second() as u64
    }

    fn signed(claims: Value) -> String {
        sign(&SECRET.parse::<Secret>().unwrap(), &claims)
    }

    #[test]
    fn a_renewed_token_has_the_same_claims_and_a_later_expiry() {
        let (auth, now) = (auth(), now());
        let first = signed(json!({
            "sub": "t1", "exp": now + 10, "iat": now - 5, "jti": "first", "nbf": now - 5, "aud": TERMINAL,
            "labels": { "site": "bj" }, "renew": 100, "other": 7,
        }));
        let second = auth.renew(Some(&first)).unwrap();
        assert!((now + 100..now + 110).contains(&second.expires) && second.terminal.as_str() == "t1");
        let third = auth.check(&signed_later(&auth, &second.token)).unwrap().claims;
        for (name, value) in [
            ("sub", json!("t1")),
            ("aud", json!(TERMINAL)),
            ("labels", json!({ "site": "bj" })),
            ("other", json!(7)),
            ("origin", json!("first")),
            ("origin_iat", json!(now - 5)),
        ] {
            assert_eq!(third.json()[name], value, "{name}");
        }
        assert!(third.json().get("nbf").is_none() && third.token_id().unwrap() != Some("first"));
    }

    /// The renewal of a token whose expiry was set to now.
    fn signed_later(auth: &Auth, token: &str) -> String {
        let mut claims = auth.check(token).unwrap().claims.json().clone();
        claims.insert("exp".into(), json!(now() + 1));
        auth.renew(Some(&signed(claims.into()))).unwrap().token
    }

    #[test]
    fn a_token_that_does_not_allow_it_is_not_renewed() {
        let (auth, now) = (auth(), now());
        for (claims, says) in [
            (json!({ "sub": "t1", "exp": now + 10 }), "it has no claim renew"),
            (json!({ "sub": "t1", "exp": now + 10, "renew": 5 }), "not be valid for longer"),
            (json!({ "sub": "t1", "exp": now + 10, "renew": 100, "renew_until": now + 10 }), "not be valid for longer"),
            (json!({ "sub": "t1", "exp": now + 10, "renew": 0 }), "its claim renew must be a number of seconds"),
            (json!({ "sub": "t1", "exp": now + 10, "renew": "1h" }), "its claim renew must be a number of seconds"),
            (
                json!({ "sub": "t1", "exp": now + 10, "renew": 100, "renew_until": "x" }),
                "its claim renew_until must be",
            ),
            (json!({ "sub": "t1", "exp": now - 2, "renew": 100 }), "its claim exp is past"),
            (json!({ "sub": "op", "exp": now + 10, "aud": "muster-operator", "renew": 100 }), "its claim aud"),
        ] {
            let told = auth.renew(Some(&signed(claims.clone()))).unwrap_err().to_string();
            assert!(told.contains(says), "{claims}: {told}");
        }
        let until =
            auth.renew(Some(&signed(json!({ "sub": "t1", "exp": now + 10, "renew": 100, "renew_until": now + 50 }))));
        assert_eq!(until.unwrap().expires, now + 50);
        assert!(matches!(auth.renew(None), Err(AuthError::Missing(_))));
        let insecure = Auth::new(&Cli::parse_from(["node", "--insecure"]).config).unwrap();
        assert_eq!(insecure.renew(Some("x")), Err(AuthError::NoSecret));
    }

    #[test]
    fn what_revokes_a_token_revokes_what_came_of_it() {
        let (auth, now) = (auth(), now());
        let first = signed(json!({ "sub": "t1", "exp": now + 10, "iat": now - 5, "jti": "first", "renew": 100 }));
        let silent = signed(json!({ "sub": "t1", "exp": now + 10, "renew": 100 }));
        let [second, of_silent] = [first, silent].map(|token| auth.renew(Some(&token)).unwrap().token);
        let before = |second: u64| Timestamp::from_second(second as i64).ok();
        let none = RevokedTokens::default;
        for (tokens, expected) in [
            (RevokedTokens { token_id: Some("first".into()), ..none() }, [true, false]),
            (RevokedTokens { issued_before: before(now - 5), ..none() }, [true, true]),
            (RevokedTokens { issued_before: before(now - 6), ..none() }, [false, true]),
        ] {
            let (created_at, expires_at) = (Timestamp::now(), before(now + 100).unwrap());
            let revocation = Revocation { id: Uuid::nil(), tokens, by: String::new(), created_at, expires_at };
            auth.revocations().replace(vec![revocation]);
            let is_revoked = |token: &str| auth.terminal(Some(token), None) == Err(AuthError::Revoked);
            assert_eq!([is_revoked(&second), is_revoked(&of_silent)], expected);
        }
    }
}
