//! Who is let in: terminals by their tokens, operators by their keys. Both are JWTs whose `kid` names a secret (HS256) or, for
//! terminals, a public key (EdDSA). The algorithm is the key's and never the token's own claim; `none` has no key.

use std::{collections::HashMap, fs};

use anyhow::{Context, bail};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode, errors::ErrorKind,
};
use muster_protocol::{
    TerminalId,
    selector::{Labels, check_labels},
    token::{OPERATOR, OperatorClaims, Scope, Secret, TERMINAL, TerminalClaims},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::config::Config;

/// Why someone is not let in; fit to be shown to them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No token at all.
    #[error("{0}")]
    Missing(&'static str),
    /// One that proves nothing.
    #[error("the token is refused: {0}")]
    Refused(&'static str),
    /// A good one, for something else.
    #[error("{0}")]
    Forbidden(String),
}

/// The keys of this node.
pub struct Auth {
    insecure: bool,
    keys: HashMap<String, (Algorithm, DecodingKey)>,
}

impl Auth {
    /// Reads the keys that the configuration names.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let mut keys = HashMap::new();
        for secret in &config.keys.secret {
            let key = (Algorithm::HS256, DecodingKey::from_secret(secret.as_bytes()));
            if keys.insert(secret.kid.clone(), key).is_some() {
                bail!(
                    "--secret, --secret-file: two secrets are called {kid}, by which tokens name theirs; give a new one a name \
                     of its own (muster-node secret --kid NAME)",
                    kid = secret.kid
                );
            }
        }
        for (kid, path) in &config.keys.public_key {
            let pem = fs::read(path).with_context(|| format!("--public-key {kid}: can't read {}", path.display()))?;
            let key = DecodingKey::from_ed_pem(&pem)
                .with_context(|| format!("--public-key {kid}: {} is no Ed25519 public key in PEM", path.display()))?;
            if keys.insert(kid.clone(), (Algorithm::EdDSA, key)).is_some() {
                bail!("--public-key {kid}: another key has the same name");
            }
        }
        Ok(Self { insecure: config.insecure, keys })
    }

    /// Whether this token lets `terminal` in, and with which labels.
    pub fn terminal(&self, token: Option<&str>, terminal: &TerminalId) -> Result<Labels, Denied> {
        let Some(token) = token else {
            let advice = "send the terminal's token as Authorization: Bearer, or as subprotocol muster.bearer.TOKEN";
            return if self.insecure { Ok(Labels::new()) } else { Err(Denied::Missing(advice)) };
        };
        if self.insecure && self.keys.is_empty() {
            return Ok(Labels::new());
        }
        let (_, claims): (_, TerminalClaims) = self.check(token)?;
        if claims.aud.is_some_and(|audience| audience != TERMINAL) {
            return Err(Denied::Refused("it is not a terminal's"));
        }
        if claims.sub != *terminal {
            return Err(Denied::Forbidden("the token is for another terminal id".into()));
        }
        check_labels(&claims.labels)
            .map_err(|_| Denied::Refused("its labels are too many, too long, or hold control characters"))?;
        Ok(claims.labels)
    }

    /// Whether this key allows what needs `scope`.
    pub fn operator(&self, key: Option<&str>, scope: Scope) -> Result<(), Denied> {
        if self.insecure && (key.is_none() || self.keys.is_empty()) {
            return Ok(());
        }
        let key = key.ok_or(Denied::Missing("send an operator key as Authorization: Bearer"))?;
        let (algorithm, claims): (_, OperatorClaims) = self.check(key)?;
        // An issuer of terminal tokens must not be able to make operators.
        if claims.aud != OPERATOR || algorithm != Algorithm::HS256 {
            return Err(Denied::Refused("it is not an operator's"));
        }
        if claims.scope < scope {
            return Err(Denied::Forbidden(format!("the key's scope is {}, this needs {scope}", claims.scope)));
        }
        Ok(())
    }

    fn check<C: DeserializeOwned + Clone>(&self, token: &str) -> Result<(Algorithm, C), Denied> {
        let kid = decode_header(token).ok().and_then(|header| header.kid);
        let kid = kid.ok_or(Denied::Refused("it is no JWT with a kid"))?;
        let (algorithm, key) = self.keys.get(&kid).ok_or(Denied::Refused("its kid names no key of this node"))?;
        let mut rules = Validation::new(*algorithm);
        // The audience decides between terminal and operator, which the callers do.
        rules.validate_aud = false;
        rules.leeway = 0;
        match decode(token, key, &rules) {
            Ok(data) => Ok((*algorithm, data.claims)),
            Err(error) => Err(Denied::Refused(why(error.kind()))),
        }
    }
}

fn why(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::ExpiredSignature => "it has expired",
        ErrorKind::InvalidSignature => "its signature is wrong",
        ErrorKind::InvalidAlgorithm => "its algorithm is not that of its key",
        ErrorKind::MissingRequiredClaim(_) => "a claim is missing",
        _ => "it can't be read",
    }
}

/// Signs a terminal's token or an operator's key.
pub fn sign<C: Serialize>(secret: &Secret, claims: &C) -> anyhow::Result<String> {
    let header = Header { kid: Some(secret.kid.clone()), ..Header::new(Algorithm::HS256) };
    Ok(encode(&header, claims, &EncodingKey::from_secret(secret.as_bytes()))?)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

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
        sign(&secret(), &claims).unwrap()
    }

    fn key(scope: Scope) -> String {
        sign(&secret(), &OperatorClaims { sub: "op".into(), exp: NEVER, aud: OPERATOR.into(), scope }).unwrap()
    }

    #[test]
    fn a_token_lets_in_its_own_terminal_with_its_labels_until_it_expires() {
        let (auth, t1, t2) = (auth(), "t1".parse().unwrap(), "t2".parse().unwrap());
        assert_eq!(auth.terminal(Some(&token(None, NEVER)), &t1).unwrap()["site"], "bj");
        assert!(matches!(auth.terminal(Some(&token(None, NEVER)), &t2), Err(Denied::Forbidden(_))));
        assert_eq!(auth.terminal(Some(&token(None, 1)), &t1), Err(Denied::Refused("it has expired")));
        assert!(matches!(auth.terminal(None, &t1), Err(Denied::Missing(_))));
    }

    #[test]
    fn a_forged_token_is_refused() {
        let (auth, t1) = (auth(), "t1".parse().unwrap());
        let good = token(None, NEVER);
        let [_, claims, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
        // {"alg":"none","kid":"k1"}
        let none = format!("eyJhbGciOiJub25lIiwia2lkIjoiazEifQ.{claims}.");
        let cut = &good[..good.len() - signature.len()];
        for forged in [&none, cut, "x", ""] {
            assert!(matches!(auth.terminal(Some(forged), &t1), Err(Denied::Refused(_))), "{forged:?}");
        }
    }

    #[test]
    fn keys_and_tokens_do_not_stand_in_for_each_other_and_scopes_hold() {
        let (auth, t1) = (auth(), "t1".parse().unwrap());
        assert!(auth.terminal(Some(&key(Scope::Admin)), &t1).is_err());
        assert!(auth.operator(Some(&token(None, NEVER)), Scope::Read).is_err());
        assert!(auth.operator(Some(&token(Some(OPERATOR), NEVER)), Scope::Read).is_err());
        assert_eq!(auth.operator(Some(&key(Scope::Command)), Scope::Read), Ok(()));
        assert!(matches!(auth.operator(Some(&key(Scope::Read)), Scope::Command), Err(Denied::Forbidden(_))));
    }
}
