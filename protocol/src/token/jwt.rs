//! JSON Web Tokens in compact form, `HEADER.CLAIMS.SIGNATURE`. This module signs and verifies HS256. The caller
//! verifies signatures by public keys, so that programs without public keys need no code for them.

use data_encoding::BASE64URL_NOPAD;
use ring::hmac::{self, HMAC_SHA256};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;

use super::{ClaimError, Claims, Secret};

/// Why a token is not accepted. The text can be shown to whoever sent the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The text has no JWT header.
    #[error("it is no JWT, which is written HEADER.CLAIMS.SIGNATURE")]
    NoJwt,
    /// The header has no `kid`, and the node has no key of its algorithm, or several.
    #[error("it is a JWT without a kid, and not exactly one key of this node has its algorithm")]
    NoKid,
    /// The header's `alg` is not the algorithm of the key that `kid` names.
    #[error("its algorithm is not that of its key")]
    WrongAlgorithm,
    /// The key did not make the signature.
    #[error("its signature is wrong")]
    WrongSignature,
    /// The claims are no JSON object.
    #[error("its claims are no JSON object")]
    NoObject,
    /// A claim is refused.
    #[error(transparent)]
    Claim(#[from] ClaimError),
}

/// The algorithms that keys have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256: signed with a [`Secret`].
    Hs256,
    /// Ed25519: signed with a private key, verified with its public key.
    EdDsa,
    /// ECDSA with the curve P-256 and SHA-256, as public keys of a JWK set have it.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256, as public keys of a JWK set have it.
    Rs256,
}

impl Algorithm {
    /// Returns the algorithm that a JWT or a JWK names as its `alg`. `None` if no key has it, as for `none`.
    pub fn named(alg: &str) -> Option<Self> {
        match alg {
            "HS256" => Some(Self::Hs256),
            "EdDSA" => Some(Self::EdDsa),
            "ES256" => Some(Self::Es256),
            "RS256" => Some(Self::Rs256),
            _ => None,
        }
    }
}

/// A token taken apart. Its claims can't be read before its signature is verified.
#[derive(Debug)]
pub struct Jwt<'a> {
    kid: Option<String>,
    algorithm: Option<Algorithm>,
    /// `HEADER.CLAIMS`.
    signed: &'a str,
    signature: Vec<u8>,
}

/// The fields of a header that are read. `crit` names extensions that a reader must know (RFC 7515); this reader knows
/// none.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Vec<String>>,
}

impl<'a> Jwt<'a> {
    /// Takes a token apart. Fails with [`TokenError::NoJwt`].
    pub fn parse(token: &'a str) -> Result<Self, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::NoJwt)?;
        let (header, _) = signed.split_once('.').ok_or(TokenError::NoJwt)?;
        let header: Header = decode(header).ok_or(TokenError::NoJwt)?;
        // A token with an extension or an encoding that this reader does not know gets an empty signature, which no key
        // has made.
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok().filter(|_| header.crit.is_none());
        let algorithm = Algorithm::named(&header.alg);
        Ok(Self { kid: header.kid, algorithm, signed, signature: signature.unwrap_or_default() })
    }

    /// Returns the name of the key that signed the token, by its header. `None` if the header names none.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Returns the algorithm of the signature, by the token's header. `None` if no key has this algorithm.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// Verifies an HS256 signature. Fails with [`TokenError::WrongAlgorithm`] or [`TokenError::WrongSignature`].
    pub fn verify_with(self, secret: &Secret) -> Result<VerifiedJwt<'a>, TokenError> {
        self.verify(Algorithm::Hs256, |signed, signature| hmac::verify(&key(secret), signed, signature).is_ok())
    }

    /// Verifies the signature of a key of this algorithm by `is_valid`, which gets the signed text and the signature's
    /// bytes. Fails with [`TokenError::WrongAlgorithm`] or [`TokenError::WrongSignature`].
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
        let claims = self.signed.split_once('.').map_or("", |(_, claims)| claims);
        Ok(VerifiedJwt { claims })
    }
}

/// A token whose signature is right.
#[derive(Debug)]
pub struct VerifiedJwt<'a> {
    claims: &'a str,
}

impl VerifiedJwt<'_> {
    /// Returns the claims at the time `now`, in seconds since 1970. Fails as [`Claims::read`] does.
    pub fn claims(&self, now: u64) -> Result<Claims, TokenError> {
        let json = BASE64URL_NOPAD.decode(self.claims.as_bytes()).map_err(|_| TokenError::NoObject)?;
        Claims::read(&json, now)
    }
}

/// The claim that every token must have: seconds since 1970.
#[derive(Deserialize)]
struct Expiry {
    exp: Option<f64>,
}

/// Returns the `exp` of a token in seconds since 1970, without the fraction of a second. It does not verify the
/// signature: it is for the holder of a token, who wants to know when to renew it. `None` if the text is no JWT or has
/// no `exp`.
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
    use serde_json::Value;

    use super::{super::ClaimFault, *};

    fn secret(name: &str) -> Secret {
        format!("{name}={}", name.repeat(20)).parse().unwrap()
    }

    fn read(token: &str, now: u64) -> Result<Value, TokenError> {
        Ok(Jwt::parse(token)?.verify_with(&secret("k1"))?.claims(now)?.json().clone().into())
    }

    #[test]
    fn a_signed_token_is_read_until_it_expires() {
        let claims = || json!({ "sub": "t1", "exp": 100 });
        let token = sign(&secret("k1"), &claims());
        assert_eq!(Jwt::parse(&token).unwrap().kid(), Some("k1"));
        assert_eq!(read(&token, 100), Ok(claims()));
        assert_eq!(read(&token, 101), Err(ClaimFault::Past.of("exp").into()));
        assert_eq!(unverified_expiry(&token), Some(100));
        for other in ["", "a.b", "a.b.c", &sign(&secret("k1"), &json!({ "sub": "t1" }))] {
            assert_eq!(unverified_expiry(other), None, "{other}");
        }
        assert_eq!(read(&sign(&secret("k2"), &claims()), 100), Err(TokenError::WrongSignature));
        assert_eq!(read(&sign(&secret("k1"), &json!({ "sub": "t1" })), 100), Err(ClaimFault::Missing.of("exp").into()));
        assert_eq!(read(&sign(&secret("k1"), &json!([])), 100), Err(TokenError::NoObject));
    }

    /// The token was made with Python's hmac and base64 modules.
    #[test]
    fn a_token_of_another_implementation_is_read() {
        let secret: Secret = "k1=0123456789abcdef0123456789abcdef".parse().unwrap();
        let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImsxIn0.eyJzdWIiOiJ0MSIsImV4cCI6MTAwfQ.JYM7xPKfmOCTPjlofH3OOVJLgjxcUGHOPVZ4-YZL6TU";
        let claims = Jwt::parse(token).unwrap().verify_with(&secret).unwrap().claims(0).unwrap();
        assert_eq!((claims.subject(), claims.expires()), (Ok("t1"), 100));
    }

    #[test]
    fn a_forged_token_is_refused() {
        let token = sign(&secret("k1"), &json!({ "sub": "t1", "exp": 100 }));
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
            (format!("{}.{claims}.{signature}", with(r#"{"alg":"HS256"}"#)), TokenError::WrongSignature),
            (format!("{}.{claims}.{signature}", with(r#"{"kid":"k1"}"#)), TokenError::NoJwt),
            (format!("{}.{claims}.{signature}", with(r#"{"alg":"HS256","kid":1}"#)), TokenError::NoJwt),
            ("x".into(), TokenError::NoJwt),
            (String::new(), TokenError::NoJwt),
        ] {
            assert_eq!(read(&forged, 0), Err(error), "{forged}");
        }
        assert!(Jwt::parse(&token).unwrap().verify(Algorithm::EdDsa, |_, _| true).is_err());
    }
}
