//! Public keys of other issuers of terminals' tokens.

use data_encoding::BASE64;
use muster_protocol::token::Algorithm;
use ring::signature::{ED25519, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};

/// What stands before the 32 bytes of every Ed25519 key in its DER form (RFC 8410): the sequence, the algorithm 1.3.101.112
/// and the beginning of the bit string. No other parameters are possible.
const DER_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// A public key.
pub(super) struct PublicKey {
    algorithm: Algorithm,
    verifier: Verifier,
}

enum Verifier {
    Point(UnparsedPublicKey<Vec<u8>>),
    Rsa(&'static RsaParameters, RsaPublicKeyComponents<Vec<u8>>),
}

impl PublicKey {
    /// A key on a curve, in the form that ring verifies with.
    pub(super) fn new(algorithm: Algorithm, verifier: &'static dyn VerificationAlgorithm, point: Vec<u8>) -> Self {
        Self { algorithm, verifier: Verifier::Point(UnparsedPublicKey::new(verifier, point)) }
    }

    /// An RSA key.
    pub(super) fn rsa(parameters: &'static RsaParameters, key: RsaPublicKeyComponents<Vec<u8>>) -> Self {
        Self { algorithm: Algorithm::Rs256, verifier: Verifier::Rsa(parameters, key) }
    }

    /// Reads an Ed25519 key in PEM, as `openssl pkey -pubout` writes it. Text around the key is skipped, as RFC 7468 asks. `None` if there is
    /// no key, or one of another kind.
    pub(super) fn from_pem(pem: &str) -> Option<Self> {
        let (_, rest) = pem.split_once(BEGIN)?;
        let (base64, _) = rest.split_once(END)?;
        let base64: String = base64.split_ascii_whitespace().collect();
        let der = BASE64.decode(base64.as_bytes()).ok()?;
        let point = der.strip_prefix(&DER_PREFIX).filter(|point| point.len() == 32)?;
        Some(Self::new(Algorithm::EdDsa, &ED25519, point.to_vec()))
    }

    /// The algorithm of the key's signatures.
    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether the key's owner signed `message`.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.verifier {
            Verifier::Point(key) => key.verify(message, signature).is_ok(),
            Verifier::Rsa(parameters, key) => key.verify(parameters, message, signature).is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;

    use super::*;

    /// The key of RFC 8037, appendix A.2, as `openssl pkey -pubout` writes it.
    const PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
        -----END PUBLIC KEY-----\n";

    /// The message and the signature of RFC 8037, appendix A.4.
    const SIGNED: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    const SIGNATURE: &str = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

    #[test]
    fn a_signature_of_rfc_8037_is_verified() {
        let key = PublicKey::from_pem(PEM).unwrap();
        let signature = BASE64URL_NOPAD.decode(SIGNATURE.as_bytes()).unwrap();
        assert!(key.verify(SIGNED.as_bytes(), &signature));
        assert!(!key.verify(b"eyJhbGciOiJFZERTQSJ9.", &signature) && !key.verify(SIGNED.as_bytes(), &signature[1..]));
    }

    #[test]
    fn text_and_line_ends_around_a_key_are_skipped() {
        assert!(PublicKey::from_pem(&format!("Issuer: the factory\r\n{}\r\n", PEM.replace('\n', "\r\n"))).is_some());
    }

    #[test]
    fn what_is_no_ed25519_public_key_is_refused() {
        let private = PEM.replace("PUBLIC", "PRIVATE");
        let x25519 = PEM.replace("K2Vw", "K2Vu");
        let long = PEM.replace("URo=", "URoA");
        let open = PEM.split("-----END").next().unwrap();
        for pem in ["", "k", &private, &x25519, &long, open, &PEM.replace("MCow", "****")] {
            assert!(PublicKey::from_pem(pem).is_none(), "{pem}");
        }
    }
}
