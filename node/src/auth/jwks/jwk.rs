//! A JWK set (RFC 7517): which of its keys verify tokens.

use data_encoding::BASE64URL_NOPAD;
use muster_protocol::token::Algorithm;
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;
use serde_json::Value;

use crate::auth::{
    keys::{Key, KeySet},
    public_key::PublicKey,
};

/// The most keys of a set that are used. An issuer has a few, and each handshake may look at all of them.
pub(in crate::auth) const KEYS_MAX: usize = 64;

/// Why a JWK set is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::auth) enum InvalidJwks {
    /// The text is no JWK set.
    #[error("it is no JWK set, which is written {{\"keys\":[…]}}: {0}")]
    NoSet(String),
    /// The set has no key of the kinds that are used.
    #[error(
        "none of its {0} keys verifies tokens: Ed25519 (EdDSA), P-256 (ES256) or RSA of 2048 to 8192 bits (RS256), for signatures"
    )]
    NoKey(usize),
    /// The set has more keys than are used.
    #[error("it has more than {KEYS_MAX} keys that verify tokens")]
    TooMany,
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Value>,
}

/// The fields of a key that decide. Those of other kinds of keys are ignored.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

/// Reads a set. A key that can't be used, as one for encryption, is left out; so is the second of two with one name.
///
/// # Errors
/// If no key is left, or more than [`KEYS_MAX`].
pub(in crate::auth) fn read(json: &[u8]) -> Result<KeySet, InvalidJwks> {
    let set: JwkSet = serde_json::from_slice(json).map_err(|error| InvalidJwks::NoSet(error.to_string()))?;
    let given = set.keys.len();
    let mut keys = KeySet::default();
    for value in set.keys {
        let Ok(jwk) = serde_json::from_value::<Jwk>(value) else { continue };
        if let Some(key) = jwk.public_key() {
            keys.add(jwk.kid.as_deref(), Key::Public(key));
        }
    }
    match keys.len() {
        0 => Err(InvalidJwks::NoKey(given)),
        count if count > KEYS_MAX => Err(InvalidJwks::TooMany),
        _ => Ok(keys),
    }
}

impl Jwk {
    /// The key, if it is one for signatures of an algorithm that nodes verify.
    fn public_key(&self) -> Option<PublicKey> {
        if self.r#use.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let key = match (self.kty.as_str(), self.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => {
                let point = bytes(&self.x).filter(|point| point.len() == 32)?;
                PublicKey::new(Algorithm::EdDsa, &ED25519, point)
            }
            ("EC", Some("P-256")) => {
                let [x, y] = [bytes(&self.x)?, bytes(&self.y)?];
                if (x.len(), y.len()) != (32, 32) {
                    return None;
                }
                // SEC 1: 4 is the mark of a point that is written with both of its coordinates.
                PublicKey::new(Algorithm::Es256, &ECDSA_P256_SHA256_FIXED, [&[4], &x[..], &y[..]].concat())
            }
            ("RSA", _) => {
                let [n, e] = [number(&self.n)?, number(&self.e)?];
                let bits = RSA_BITS.contains(&(n.len() * 8));
                if !bits {
                    return None;
                }
                PublicKey::rsa(&RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents { n, e })
            }
            _ => return None,
        };
        // The key's own word about its algorithm must be the same; without one the kind of the key says it.
        let said = self.alg.as_deref().map(Algorithm::named);
        said.is_none_or(|said| said == Some(key.algorithm())).then_some(key)
    }
}

/// The sizes of RSA keys that ring verifies with.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

fn bytes(text: &Option<String>) -> Option<Vec<u8>> {
    BASE64URL_NOPAD.decode(text.as_deref()?.trim_end_matches('=').as_bytes()).ok()
}

/// A positive number, without the zeros that some programs write before it and ring does not take.
fn number(text: &Option<String>) -> Option<Vec<u8>> {
    let bytes = bytes(text)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Some(bytes[zeros..].to_vec())
}

#[cfg(test)]
mod tests {
    use muster_protocol::token::Jwt;
    use serde_json::json;

    use super::*;
    use crate::auth::keys::find;

    /// The keys and signatures of RFC 7515, appendices A.2 and A.3, and RFC 8037, appendix A.
    fn examples() -> [(Value, &'static str); 3] {
        [
            (
                json!({ "kty": "RSA", "kid": "r", "e": "AQAB", "n": concat!(
                    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs",
                    "D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV",
                    "MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
                ) }),
                concat!(
                    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
                    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZ",
                    "cAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-e",
                    "OkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
                ),
            ),
            (
                json!({ "kty": "EC", "kid": "e", "crv": "P-256", "use": "sig", "alg": "ES256",
                    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" }),
                concat!(
                    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
                    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
                ),
            ),
            (
                json!({ "kty": "OKP", "kid": "o", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }),
                concat!(
                    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.",
                    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
                ),
            ),
        ]
    }

    #[test]
    fn keys_of_each_kind_verify_what_the_standards_signed_with_them() {
        let examples = examples();
        let set = json!({ "keys": examples.iter().map(|(key, _)| key).collect::<Vec<_>>() });
        let keys = read(set.to_string().as_bytes()).unwrap();
        for (_, token) in examples {
            // The header has no kid: there is one key of each algorithm.
            let (_, key) = find(&[&keys], &Jwt::parse(token).unwrap()).unwrap();
            assert!(key.verify(Jwt::parse(token).unwrap()).is_ok(), "{token}");
            let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
            let changed = format!("{header}.{claims}x.{signature}");
            assert!(key.verify(Jwt::parse(&changed).unwrap()).is_err(), "{token}");
        }
    }

    #[test]
    fn a_key_that_is_not_for_signatures_is_left_out_and_spoils_no_other() {
        let [(rsa, _), (ec, _), (okp, _)] = examples();
        let with = |key: &Value, name: &str, value: Value| {
            let mut key = key.clone();
            key[name] = value;
            key
        };
        let bad = [
            json!(5),
            json!({ "kty": "oct", "k": "AAAA" }),
            with(&rsa, "use", json!("enc")),
            with(&rsa, "alg", json!("RS512")),
            with(&rsa, "n", json!("AQAB")),
            with(&ec, "crv", json!("P-384")),
            with(&ec, "x", json!("AQAB")),
            with(&okp, "crv", json!("X25519")),
            with(&okp, "alg", json!("ES256")),
            with(&okp, "x", json!("!")),
        ];
        let set = |keys: &[Value]| read(json!({ "keys": keys }).to_string().as_bytes()).map(|keys| keys.len());
        assert_eq!(set(&bad), Err(InvalidJwks::NoKey(bad.len())));
        let both: Vec<_> = bad.into_iter().chain([okp.clone()]).collect();
        assert_eq!(set(&both), Ok(1));
        let many: Vec<_> = (0..=KEYS_MAX).map(|number| with(&okp, "kid", json!(number.to_string()))).collect();
        assert_eq!((set(&many[1..]), set(&many)), (Ok(KEYS_MAX), Err(InvalidJwks::TooMany)));
        for text in ["", "[]", "{}", r#"{"keys":{}}"#] {
            assert!(matches!(read(text.as_bytes()), Err(InvalidJwks::NoSet(_))), "{text}");
        }
    }
}
