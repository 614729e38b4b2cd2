//! Tokens.

use muster_protocol::{
    selector::check_labels,
    token::{Claims, Jwt, unverified_expiry},
};

/// A whole token. Its signature is taken to be right, so that its claims are read.
pub fn token(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let _ = unverified_expiry(text);
    let Ok(jwt) = Jwt::parse(text) else { return };
    let Some(algorithm) = jwt.algorithm() else { return };
    let verified = jwt.verify(algorithm, |_, _| true).expect("the signature is taken to be right");
    if let Ok(claims) = verified.claims(0) {
        look_at(&claims);
    }
}

/// The claims of a token alone.
pub fn claims(bytes: &[u8]) {
    if let Ok(claims) = Claims::read(bytes, 0) {
        look_at(&claims);
    }
}

fn look_at(claims: &Claims) {
    let _ = (claims.expires(), claims.issued_at(), claims.renew(), claims.renew_until(), claims.origin_issued_at());
    let _ = (claims.issuer(), claims.token_id(), claims.origin(), claims.audience(), claims.scope());
    if let Ok(id) = claims.terminal() {
        assert!((1..=128).contains(&id.as_str().len()), "{id}");
    }
    if let (Ok(keys), Ok(labels)) = (claims.sayable_keys(), claims.labels()) {
        assert!(check_labels(&labels).is_ok(), "{labels:?}");
        if let Ok(taken) = keys.take(labels) {
            assert!(check_labels(&taken).is_ok(), "{taken:?}");
        }
    }
}
