//! Checks who is let in: terminals by their tokens, operators by their keys. Both are JWTs whose `kid` names a
//! secret (HS256) or, for terminals, a public key (EdDSA). The algorithm is the one of the key and never the token's
//! own claim; `none` has no key.

mod public_key;

use std::{collections::HashMap, fs};

use anyhow::{Context, bail};
use jiff::Timestamp;
use muster_protocol::{
    TerminalId,
    selector::{Labels, check_labels},
    token::{
        Algorithm, Jwt, OPERATOR, OperatorClaims, Scope, Secret, TERMINAL, TerminalClaims, TokenError, VerifiedJwt,
    },
};
use serde::de::DeserializeOwned;

use self::public_key::PublicKey;
use crate::config::Config;

/// The longest name of an operator, in bytes. It is stored with each command of theirs.
const NAME_MAX: usize = 128;

/// Why a token or key is refused. The text is fit to be shown to its holder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is no token.
    #[error("{0}")]
    Missing(&'static str),
    /// The token is signed, and is not of the kind that is asked for here.
    #[error("the token is refused: {0}")]
    Refused(&'static str),
    /// The token's key did not sign it, or the token is not valid now.
    #[error("the token is refused: {0}")]
    BadToken(#[from] TokenError),
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
    /// The last second in which its token is valid, since 1970. None without a token that was verified.
    pub expires: Option<u64>,
}

/// An operator who may do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerifiedOperator {
    /// The name of the key's owner, at most 128 bytes of it. Empty without a key that was verified.
    pub name: String,
    /// The last second in which the key is valid, since 1970. None without a key that was verified.
    pub expires: Option<u64>,
}

/// The keys that this node checks tokens with.
pub struct Auth {
    insecure: bool,
    keys: HashMap<String, Key>,
}

/// What verifies the tokens of one `kid`.
enum Key {
    Secret(Secret),
    Public(PublicKey),
}

impl Key {
    fn verify<'a>(&self, jwt: Jwt<'a>) -> Result<VerifiedJwt<'a>, TokenError> {
        match self {
            Self::Secret(secret) => jwt.verify_with(secret),
            Self::Public(key) => jwt.verify(Algorithm::EdDsa, |signed, signature| key.verify(signed, signature)),
        }
    }
}

impl Auth {
    /// Reads the keys that the configuration names. Fails if one can't be read.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let mut keys = HashMap::new();
        for secret in &config.keys.secret {
            if keys.insert(secret.kid.clone(), Key::Secret(secret.clone())).is_some() {
                bail!(
                    "--secret, --secret-file: two secrets are called {kid}, by which tokens name theirs; give a new one a name \
                     of its own (muster-node secret --kid NAME)",
                    kid = secret.kid
                );
            }
        }
        for (kid, path) in &config.keys.public_key {
            let pem = fs::read_to_string(path)
                .with_context(|| format!("--public-key {kid}: can't read {}", path.display()))?;
            let key = PublicKey::from_pem(&pem)
                .with_context(|| format!("--public-key {kid}: {} is no Ed25519 public key in PEM", path.display()))?;
            if keys.insert(kid.clone(), Key::Public(key)).is_some() {
                bail!("--public-key {kid}: another key has the same name");
            }
        }
        Ok(Self { insecure: config.insecure, keys })
    }

    /// The terminal that this token lets in. `named` is the id outside the token; the token's `sub` must be the same, and is
    /// enough without it. With `--insecure` and no token that can be verified, `named` is needed.
    pub fn terminal(&self, token: Option<&str>, named: Option<TerminalId>) -> Result<VerifiedTerminal, AuthError> {
        let unverified = |named: Option<TerminalId>| {
            Ok(VerifiedTerminal { id: named.ok_or(AuthError::Unnamed)?, labels: Labels::new(), expires: None })
        };
        let Some(token) = token else {
            let advice = "send the terminal's token as Authorization: Bearer, or as subprotocol muster.bearer.TOKEN";
            return if self.insecure { unverified(named) } else { Err(AuthError::Missing(advice)) };
        };
        if self.insecure && self.keys.is_empty() {
            return unverified(named);
        }
        let (_, claims): (_, TerminalClaims) = self.check(token)?;
        if claims.aud.is_some_and(|audience| audience != TERMINAL) {
            return Err(AuthError::Refused("it is not a terminal's"));
        }
        if named.is_some_and(|named| named != claims.sub) {
            return Err(AuthError::Forbidden(
                "the token is for another terminal: its sub is not this terminal's id".into(),
            ));
        }
        check_labels(&claims.labels)
            .map_err(|_| AuthError::Refused("its labels are too many, too long, or hold control characters"))?;
        Ok(VerifiedTerminal { id: claims.sub, labels: claims.labels, expires: Some(claims.exp) })
    }

    /// Checks whether a key allows what needs `scope`. Returns the key's owner; one without a name with `--insecure` and no key that can be
    /// verified.
    pub fn operator(&self, key: Option<&str>, scope: Scope) -> Result<VerifiedOperator, AuthError> {
        if self.insecure && (key.is_none() || self.keys.is_empty()) {
            return Ok(VerifiedOperator::default());
        }
        let key = key.ok_or(AuthError::Missing("send an operator key as Authorization: Bearer"))?;
        let (key, claims): (_, OperatorClaims) = self.check(key)?;
        // An issuer of terminal tokens must not be able to make operators' keys.
        if claims.aud != OPERATOR || !matches!(key, Key::Secret(_)) {
            return Err(AuthError::Refused("it is not an operator's"));
        }
        if claims.scope < scope {
            return Err(AuthError::Forbidden(format!("the key's scope is {}, this needs {scope}", claims.scope)));
        }
        let mut name = claims.sub;
        name.truncate(name.floor_char_boundary(NAME_MAX));
        Ok(VerifiedOperator { name, expires: Some(claims.exp) })
    }

    /// The key that signed a token, and the token's claims. The audience tells a terminal from an operator; the
    /// callers check it.
    fn check<C: DeserializeOwned>(&self, token: &str) -> Result<(&Key, C), AuthError> {
        let jwt = Jwt::parse(token)?;
        let key = self.keys.get(jwt.kid()).ok_or(AuthError::Refused("its kid names no key of this node"))?;
        let now = Timestamp::now().as_second().max(0) as u64;
        Ok((key, key.verify(jwt)?.claims(now)?))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use clap::Parser;
    use muster_protocol::token::sign;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    const NEVER: u64 = 4_000_000_000;

    fn secret() -> Secret {
        format!("k1={}", "s".repeat(40)).parse().unwrap()
    }

    fn auth() -> Auth {
        Auth::new(&Cli::parse_from(["node", "--secret", &secret().reveal()]).config).unwrap()
    }

    fn token(aud: Option<&str>, exp: u64) -> String {
        let claims = TerminalClaims {
            sub: "t1".parse().unwrap(),
            exp,
            aud: aud.map(Into::into),
            labels: [("site".to_owned(), "bj".to_owned())].into(),
        };
        sign(&secret(), &claims)
    }

    fn key(scope: Scope) -> String {
        sign(&secret(), &OperatorClaims { sub: "op".into(), exp: NEVER, aud: OPERATOR.into(), scope })
    }

    fn named(id: &str) -> Option<TerminalId> {
        Some(id.parse().unwrap())
    }

    #[test]
    fn a_token_lets_in_its_own_terminal_with_its_labels_until_it_expires() {
        let (auth, t1, t2) = (auth(), named("t1"), named("t2"));
        assert_eq!(auth.terminal(Some(&token(None, NEVER)), t1.clone()).unwrap().labels["site"], "bj");
        assert!(matches!(auth.terminal(Some(&token(None, NEVER)), t2), Err(AuthError::Forbidden(_))));
        assert_eq!(auth.terminal(Some(&token(None, 1)), t1.clone()), Err(TokenError::Expired.into()));
        assert!(matches!(auth.terminal(None, t1), Err(AuthError::Missing(_))));
    }

    #[test]
    fn a_token_alone_names_its_terminal_if_it_is_verified() {
        let verified = auth().terminal(Some(&token(None, NEVER)), None).unwrap();
        assert_eq!((verified.id.as_str(), verified.labels["site"].as_str()), ("t1", "bj"));
        assert_eq!(verified.expires, Some(NEVER));
        assert!(matches!(auth().terminal(None, None), Err(AuthError::Missing(_))));
        let insecure = Auth::new(&Cli::parse_from(["node", "--insecure"]).config).unwrap();
        assert_eq!(insecure.terminal(None, None), Err(AuthError::Unnamed));
        assert_eq!(insecure.terminal(Some(&token(None, NEVER)), None), Err(AuthError::Unnamed));
        assert_eq!(insecure.terminal(None, named("t1")).unwrap().id.as_str(), "t1");
    }

    #[test]
    fn a_forged_token_is_refused() {
        let (auth, t1) = (auth(), named("t1"));
        let good = token(None, NEVER);
        let [_, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
        // {"alg":"none","kid":"k1"}
        let none = format!("eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.{claims}.");
        let cut = &good[..good.len() - signature.len()];
        for forged in [&none, cut, "x", ""] {
            assert!(matches!(auth.terminal(Some(forged), t1.clone()), Err(AuthError::BadToken(_))), "{forged:?}");
        }
    }

    /// The key and the token were made with openssl.
    #[test]
    fn a_public_key_lets_in_terminals_and_no_operators() {
        let mut pem = tempfile::NamedTempFile::new().unwrap();
        let key = "MCowBQYDK2VwAyEA0oSBYDAbKq23yDGdR6QtjUGr6Hw+5xAI/bPLnZ+22t4=";
        writeln!(pem, "-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----").unwrap();
        let flag = format!("e1={}", pem.path().display());
        let auth = Auth::new(&Cli::parse_from(["node", "--public-key", &flag]).config).unwrap();
        let signed = concat!(
            "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIsImtpZCI6ImUxIn0.",
            "eyJzdWIiOiJ0MSIsImV4cCI6NDAwMDAwMDAwMCwibGFiZWxzIjp7InNpdGUiOiJiaiJ9fQ"
        );
        let signature = "4YdSWKFGOevOS6d9dXUCl2Eg5wD1JDuQ0K6sKZE9gGeQBK5WznzaoqthOaWxQYhvOZdq4S0g7L59dG5J-aBoBw";
        let terminal = named("t1");
        assert_eq!(
            auth.terminal(Some(&format!("{signed}.{signature}")), terminal.clone()).unwrap().labels["site"],
            "bj"
        );
        let other = format!("{signed}.5{}", &signature[1..]);
        assert_eq!(auth.terminal(Some(&other), terminal), Err(TokenError::WrongSignature.into()));
        assert!(auth.operator(Some(&format!("{signed}.{signature}")), Scope::Read).is_err());
    }

    #[test]
    fn keys_and_tokens_do_not_stand_in_for_each_other_and_scopes_hold() {
        let (auth, t1) = (auth(), named("t1"));
        assert!(auth.terminal(Some(&key(Scope::Admin)), t1).is_err());
        assert!(auth.operator(Some(&token(None, NEVER)), Scope::Read).is_err());
        assert!(auth.operator(Some(&token(Some(OPERATOR), NEVER)), Scope::Read).is_err());
        let op = VerifiedOperator { name: "op".into(), expires: Some(NEVER) };
        assert_eq!(auth.operator(Some(&key(Scope::Command)), Scope::Read), Ok(op));
        assert!(matches!(auth.operator(Some(&key(Scope::Read)), Scope::Command), Err(AuthError::Forbidden(_))));
    }
}
