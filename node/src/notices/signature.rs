//! The signature of a message, by which its receiver knows that it comes from this cluster, and when it was made.

use data_encoding::HEXLOWER;
use muster_protocol::api::NoticeSecret;
use ring::hmac;

/// The header that has the signature.
pub const SIGNATURE: &str = "muster-signature";

/// The value of the header: `t=SECONDS,v1=HEX`, an HMAC-SHA256 of the time, a dot and the body.
pub fn signature(secret: &NoticeSecret, seconds: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.0.as_bytes());
    let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    format!("t={seconds},v1={}", HEXLOWER.encode(tag.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected value is what `openssl dgst -sha256 -hmac` prints.
    #[test]
    fn a_signature_is_over_the_time_and_the_body() {
        let secret = NoticeSecret("0123456789abcdef".into());
        let signed = signature(&secret, 1_900_000_000, r#"{"id":"1"}"#);
        assert_eq!(signed, "t=1900000000,v1=d2b49e5869b51fa69927fbc5e4e15f81032681d43b329b3a1ee2bedced0b71e6");
    }
}
