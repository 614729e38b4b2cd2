//! JSON Web Tokens in compact form, `HEADER.CLAIMS.SIGNATURE`. HS256 is signed and
//! verified here. An EdDSA signature is verified by the caller, so that programs without public keys need no code for
//! them.

use data_encoding::BASE64URL_NOPAD;
use ring::hmac::{self, HMAC_SHA256};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;

use super::Secret;

/// Why a token is not accepted. The text can be shown to whoever sent the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The text has no JWT header, or one without `kid`.
    #[error("it is no JWT with a kid")]
    NoKid,
    /// The header's `alg` is not the algorithm of the key that `kid` names.
    #[error("its algorithm is not that of its key")]
    WrongAlgorithm,
    /// The signature is not the key's.
    #[error("its signature is wrong")]
    WrongSignature,
    /// `exp` is in the past.
    #[error("it has expired")]
    Expired,
    /// The claims have no `exp`.
    #[error("a claim is missing")]
    NoExpiry,
    /// The claims are no JSON, or a claim is not of its type.
    #[error("it can't be read")]
    Malformed,
}

/// The algorithms that keys have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256: signed with a [`Secret`].
    Hs256,
    /// Ed25519: signed with a private key, verified with its public key.
    EdDsa,
}

/// A token taken apart. Its claims can't be read before its signature is verified.
#[derive(Debug)]
pub struct Jwt<'a> {
    kid: String,
    algorithm: Option<Algorithm>,
    /// `HEADER.CLAIMS`.
    signed: &'a str,
    signature: Vec<u8>,
}

/// The fields of a header that decide. `crit` names extensions that a reader must know (RFC 7515); this one knows none.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Vec<String>>,
}

impl<'a> Jwt<'a> {
    /// Takes a token apart. Fails with [`TokenError::NoKid`].
    pub fn parse(token: &'a str) -> Result<Self, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::NoKid)?;
        let (header, _) = signed.split_once('.').ok_or(TokenError::NoKid)?;
        let header: Header = decode(header).ok_or(TokenError::NoKid)?;
        let kid = header.kid.ok_or(TokenError::NoKid)?;
        let algorithm = match header.alg.as_str() {
            "HS256" => Some(Algorithm::Hs256),
            "EdDSA" => Some(Algorithm::EdDsa),
            _ => None,
        };
        // An extension or an encoding that this reader does not know makes a signature that no key has.
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok().filter(|_| header.crit.is_none());
        Ok(Self { kid, algorithm, signed, signature: signature.unwrap_or_default() })
    }

    /// The name of the key that is said to have signed the token.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Verifies an HS256 signature. Fails with [`TokenError::WrongAlgorithm`] or [`TokenError::WrongSignature`].
    pub fn verify_with(self, secret: &Secret) -> Result<VerifiedJwt<'a>, TokenError> {
        self.verify(Algorithm::Hs256, |signed, signature| hmac::verify(&key(secret), signed, signature).is_ok())
    }

    /// Verifies the signature of a key of this algorithm by `is_valid`, which is given what was signed and the
    /// signature's bytes. Fails with [`TokenError::WrongAlgorithm`] or [`TokenError::WrongSignature`].
    pub fn verify(
        self,
        algorithm: Algorithm,
        is_valid: impl FnOnce(&[u8], &[u8]) -> bool,
    ) -> Result<VerifiedJwt<'a>, TokenError> {
        if self.algorithm != Some(algorithm) {
            return Err(TokenError::WrongAlgorithm);
        }
        if !is_valid(self.signed.as_bytes(), &self.signature) {
            return Err(TokenError::WrongSignature);
        }
        let (_, claims) = self.signed.split_once('.').ok_or(TokenError::Malformed)?;
        Ok(VerifiedJwt { claims })
    }
}

/// A token whose signature is right.
#[derive(Debug)]
pub struct VerifiedJwt<'a> {
    claims: &'a str,
}

/// The claim that every token must have: seconds since 1970.
#[derive(Deserialize)]
struct Expiry {
    exp: Option<f64>,
}

impl VerifiedJwt<'_> {
    /// The claims, unless the token expired before `now` in seconds since 1970. Fails with [`TokenError::Expired`],
    /// [`TokenError::NoExpiry`] or [`TokenError::Malformed`].
    pub fn claims<C: DeserializeOwned>(&self, now: u64) -> Result<C, TokenError> {
        let Expiry { exp } = decode(self.claims).ok_or(TokenError::Malformed)?;
        match exp {
            None => Err(TokenError::NoExpiry),
            Some(exp) if exp < now as f64 => Err(TokenError::Expired),
            Some(_) => decode(self.claims).ok_or(TokenError::Malformed),
        }
    }
}

/// The `exp` of a token, in seconds since 1970, without a look at the signature: for the holder of a token, who wants to know when
/// to renew it. `None` if the text is no JWT or has no `exp`. A fraction of a second is dropped.
pub fn unverified_expiry(token: &str) -> Option<u64> {
    let (_, rest) = token.split_once('.')?;
    let (claims, _) = rest.split_once('.')?;
    decode::<Expiry>(claims)?.exp.map(|exp| exp as u64)
}

/// Signs claims with HS256; the header's `kid` is the secret's.
///
/// # Panics
/// If the claims have no JSON form, such as a map whose keys are no strings.
pub fn sign<C: Serialize>(secret: &Secret, claims: &C) -> String {
    let header = json!({ "typ": "JWT", "alg": "HS256", "kid": secret.kid });
    let claims = serde_json::to_string(claims).expect("claims have a JSON form");
    let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    let signed = format!("{}.{}", encode(&header.to_string()), encode(&claims));
    let signature = hmac::sign(&key(secret), signed.as_bytes());
    format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
}

fn key(secret: &Secret) -> hmac::Key {
    hmac::Key::new(HMAC_SHA256, secret.as_bytes())
}

fn decode<T: DeserializeOwned>(part: &str) -> Option<T> {
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Claims {
        sub: String,
        exp: u64,
    }

    fn secret(name: &str) -> Secret {
        format!("{name}={}", name.repeat(20)).parse().unwrap()
    }

    fn read(token: &str, now: u64) -> Result<Claims, TokenError> {
        Jwt::parse(token)?.verify_with(&secret("k1"))?.claims(now)
    }

    #[test]
    fn a_signed_token_is_read_until_it_expires() {
        let claims = || Claims { sub: "t1".into(), exp: 100 };
        let token = sign(&secret("k1"), &claims());
        assert_eq!(Jwt::parse(&token).unwrap().kid(), "k1");
        assert_eq!(read(&token, 100), Ok(claims()));
        assert_eq!(read(&token, 101), Err(TokenError::Expired));
        assert_eq!(unverified_expiry(&token), Some(100));
        for other in ["", "a.b", "a.b.c", &sign(&secret("k1"), &json!({ "sub": "t1" }))] {
            assert_eq!(unverified_expiry(other), None, "{other}");
        }
        assert_eq!(read(&sign(&secret("k2"), &claims()), 100), Err(TokenError::WrongSignature));
        assert_eq!(read(&sign(&secret("k1"), &json!({ "sub": "t1" })), 100), Err(TokenError::NoExpiry));
        assert_eq!(read(&sign(&secret("k1"), &json!({ "exp": 100 })), 100), Err(TokenError::Malformed));
    }

    /// The token was made with Python's hmac and base64 modules.
    #[test]
    fn a_token_of_another_implementation_is_read() {
        let secret: Secret = "k1=0123456789abcdef0123456789abcdef".parse().unwrap();
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImsxIn0.eyJzdWIiOiJ0MSIsImV4cCI6MTAwfQ.JYM7xPKfmOCTPjlofH3OOVJLgjxcUGHOPVZ4-YZL6TU";
        let claims: Claims = Jwt::parse(token).unwrap().verify_with(&secret).unwrap().claims(0).unwrap();
        assert_eq!(claims, Claims { sub: "t1".into(), exp: 100 });
    }

    #[test]
    fn a_forged_token_is_refused() {
        let token = sign(&secret("k1"), &Claims { sub: "t1".into(), exp: 100 });
        let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("no three parts") };
        let with = |json: &str| BASE64URL_NOPAD.encode(json.as_bytes());
        let none = with(r#"{"alg":"none","kid":"k1"}"#);
        let crit = with(r#"{"alg":"HS256","kid":"k1","crit":["exp"]}"#);
        for (forged, error) in [
            (format!("{none}.{claims}."), TokenError::WrongAlgorithm),
            (format!("{header}.{claims}."), TokenError::WrongSignature),
            (format!("{header}.{}.{signature}", with(r#"{"sub":"t2","exp":100}"#)), TokenError::WrongSignature),
            (format!("{header}.{claims}.x.{signature}"), TokenError::WrongSignature),
            (format!("{crit}.{claims}.{signature}"), TokenError::WrongSignature),
            (format!("{}.{claims}.{signature}", with(r#"{"alg":"HS256"}"#)), TokenError::NoKid),
            ("x".into(), TokenError::NoKid),
            (String::new(), TokenError::NoKid),
        ] {
            assert_eq!(read(&forged, 0), Err(error), "{forged}");
        }
        assert!(Jwt::parse(&token).unwrap().verify(Algorithm::EdDsa, |_, _| true).is_err());
    }
}
