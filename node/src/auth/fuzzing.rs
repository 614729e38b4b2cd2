//! Certificates and JWK sets of others.

use data_encoding::BASE64;
use form_urlencoded::byte_serialize;

use super::{
    client_certificate::{ClientCertificate, IdSource},
    der::Der,
    jwks,
};

/// A certificate: DER, and the text that a proxy makes of it.
pub(crate) fn certificate(bytes: &[u8]) {
    let mut fields = Der(bytes);
    let mut left = bytes.len();
    while let Some((_, contents)) = fields.next() {
        // A head has two bytes at least.
        assert!(fields.0.len() + contents.len() + 2 <= left);
        left = fields.0.len();
    }
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", BASE64.encode(bytes));
    let escaped: String = byte_serialize(pem.as_bytes()).collect();
    for source in [IdSource::CommonName, IdSource::DnsName, IdSource::Uri] {
        if let Ok(certificate) = ClientCertificate::from_escaped_pem(&escaped, source) {
            assert!(certificate.terminal.as_str().len() <= bytes.len(), "{certificate:?}");
        }
        if let Ok(text) = str::from_utf8(bytes) {
            let _ = ClientCertificate::from_escaped_pem(text, source);
        }
    }
}

/// A JWK set.
pub(crate) fn jwks(bytes: &[u8]) {
    if let Ok(keys) = jwks::read(bytes) {
        assert!((1..=jwks::KEYS_MAX).contains(&keys.len()));
    }
}
