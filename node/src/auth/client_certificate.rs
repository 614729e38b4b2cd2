//! A terminal's certificate (X.509), as a proxy passes it on that has verified it: which terminal it names, and until when it
//! is valid. The proxy's TLS library has checked the signatures, so only what is used here is read.

use std::{fmt, str::FromStr};

use data_encoding::BASE64;
use form_urlencoded::parse;
use jiff::Timestamp;
use muster_protocol::TerminalId;

use super::der::Der;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
/// The object identifier 2.5.4.3 (common name).
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
/// The object identifier 2.5.29.17 (subject alternative name).
const ALTERNATIVE_NAME: [u8; 3] = [0x55, 0x1d, 0x11];

/// The tags of the fields that are read.
mod tag {
    pub const OID: u8 = 0x06;
    pub const OCTET_STRING: u8 = 0x04;
    pub const UTC_TIME: u8 = 0x17;
    pub const GENERALIZED_TIME: u8 = 0x18;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;
    pub const EXTENSIONS: u8 = 0xa3;
    pub const VERSION: u8 = 0xa0;
    /// UTF8String, PrintableString and IA5String: text in UTF-8.
    pub const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];
    pub const DNS_NAME: u8 = 0x82;
    pub const URI: u8 = 0x86;
}

/// What of a certificate is the terminal's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdSource {
    /// The common name of the subject.
    CommonName,
    /// The DNS name among the subject's alternative names.
    DnsName,
    /// The URI among the subject's alternative names: what follows its last `/`, or all of it.
    Uri,
}

impl FromStr for IdSource {
    type Err = CertificateError;

    /// Parses the names of the sidecar's `--client-id-from`.
    fn from_str(name: &str) -> Result<Self, CertificateError> {
        match name {
            "cn" => Ok(Self::CommonName),
            "san-dns" => Ok(Self::DnsName),
            "san-uri" => Ok(Self::Uri),
            _ => Err(CertificateError::Unreadable),
        }
    }
}

impl fmt::Display for IdSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::CommonName => "common name (CN)",
            Self::DnsName => "DNS name (subjectAltName)",
            Self::Uri => "URI (subjectAltName)",
        })
    }
}

/// Why a certificate lets no terminal in. The text is fit to be shown to its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It is no certificate, or has fields that are not where they must be.
    #[error("it can't be read")]
    Unreadable,
    /// It is not valid any more.
    #[error("it has expired")]
    Expired,
    /// It has no name of the kind that is the id, or several.
    #[error("it needs exactly one {0}, which is the terminal's id")]
    NotOneName(IdSource),
    /// The name is no id.
    #[error("its {0} is no terminal's id: 1 to 128 characters of A-Z a-z 0-9 . _ : -")]
    NoId(IdSource),
}

/// What a terminal's certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The terminal's id.
    pub terminal: TerminalId,
    /// The first second in which the certificate is valid, since 1970; 0 if that is earlier.
    pub issued: u64,
    /// The last second in which the certificate is valid, since 1970.
    pub expires: u64,
}

impl ClientCertificate {
    /// Reads a certificate in PEM that is percent-encoded, as Nginx's `$ssl_client_escaped_cert` is.
    pub fn from_escaped_pem(escaped: &str, source: IdSource) -> Result<Self, CertificateError> {
        let der = decoded(escaped).ok_or(CertificateError::Unreadable)?;
        let fields = Fields::of(&der, source).ok_or(CertificateError::Unreadable)?;
        let [name] = fields.names[..] else { return Err(CertificateError::NotOneName(source)) };
        let name = if source == IdSource::Uri { name.rsplit('/').next().unwrap_or(name) } else { name };
        let terminal = name.parse().map_err(|_| CertificateError::NoId(source))?;
        // A TLS session that is resumed is not verified again.
        if fields.until < Timestamp::now() {
            return Err(CertificateError::Expired);
        }
        let expires = u64::try_from(fields.until.as_second()).map_err(|_| CertificateError::Unreadable)?;
        let issued = u64::try_from(fields.from.as_second()).unwrap_or_default();
        Ok(Self { terminal, issued, expires })
    }
}

fn decoded(escaped: &str) -> Option<Vec<u8>> {
    // A query with a name and no value is decoded alike. Blanks were plus signs that are not encoded, which Nginx does not send.
    let (pem, _) = parse(escaped.as_bytes()).next()?;
    let (_, rest) = pem.split_once(BEGIN)?;
    let (base64, _) = rest.split_once(END)?;
    let base64: String = base64.split_ascii_whitespace().collect();
    BASE64.decode(base64.as_bytes()).ok()
}

/// The fields of a certificate that are used.
struct Fields<'a> {
    names: Vec<&'a str>,
    from: Timestamp,
    until: Timestamp,
}

impl<'a> Fields<'a> {
    /// Walks through a certificate (RFC 5280, section 4.1). `None` if a field is missing or cut off.
    fn of(der: &'a [u8], source: IdSource) -> Option<Self> {
        let mut signed = Der(Der(der).expect(tag::SEQUENCE)?).expect(tag::SEQUENCE).map(Der)?;
        let (mut field, _) = signed.next()?;
        if field == tag::VERSION {
            // The serial number follows.
            field = signed.next()?.0;
        }
        let _serial = field;
        let _algorithm = signed.expect(tag::SEQUENCE)?;
        let _issuer = signed.expect(tag::SEQUENCE)?;
        let mut validity = Der(signed.expect(tag::SEQUENCE)?);
        let (from, until) = (time(validity.next()?)?, time(validity.next()?)?);
        let subject = signed.expect(tag::SEQUENCE)?;
        let names = match source {
            IdSource::CommonName => common_names(subject)?,
            IdSource::DnsName => alternative_names(&mut signed, tag::DNS_NAME)?,
            IdSource::Uri => alternative_names(&mut signed, tag::URI)?,
        };
        Some(Self { names, from, until })
    }
}

/// The common names of a subject: a sequence of sets of pairs.
fn common_names(subject: &[u8]) -> Option<Vec<&str>> {
    let mut names = Vec::new();
    let mut sets = Der(subject);
    while let Some(mut pairs) = sets.more(tag::SET)?.map(Der) {
        while let Some(mut pair) = pairs.more(tag::SEQUENCE)?.map(Der) {
            if pair.expect(tag::OID)? == COMMON_NAME {
                let (kind, text) = pair.next()?;
                names.push(tag::TEXTS.contains(&kind).then(|| str::from_utf8(text).ok())??);
            }
        }
    }
    Some(names)
}

/// The alternative names of one kind, from the extensions that follow in the certificate. None without that extension.
fn alternative_names<'a>(rest: &mut Der<'a>, kind: u8) -> Option<Vec<&'a str>> {
    let mut names = Vec::new();
    while let Some((field, extensions)) = rest.maybe_next()? {
        if field != tag::EXTENSIONS {
            continue;
        }
        let mut extensions = Der(Der(extensions).expect(tag::SEQUENCE)?);
        while let Some(mut extension) = extensions.more(tag::SEQUENCE)?.map(Der) {
            if extension.expect(tag::OID)? != ALTERNATIVE_NAME {
                continue;
            }
            // Whether the extension is critical may come first.
            let (first, value) = extension.next()?;
            let value = if first == tag::OCTET_STRING { value } else { extension.expect(tag::OCTET_STRING)? };
            let mut general = Der(Der(value).expect(tag::SEQUENCE)?);
            while let Some((found, text)) = general.maybe_next()? {
                if found == kind {
                    names.push(str::from_utf8(text).ok()?);
                }
            }
        }
    }
    Some(names)
}

/// A time of a certificate, which is in UTC and ends with `Z`. Two digits of a year mean 1950 to 2049.
fn time((kind, text): (u8, &[u8])) -> Option<Timestamp> {
    let text = str::from_utf8(text).ok()?;
    let text = match kind {
        tag::UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        tag::GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let date = (text.len() == 15).then(|| Some((text.get(..4)?, text.get(4..6)?, text.get(6..8)?)))??;
    let (hour, minute, rest) = (text.get(8..10)?, text.get(10..12)?, text.get(12..)?);
    format!("{}-{}-{}T{hour}:{minute}:{rest}", date.0, date.1, date.2).parse().ok()
}

#[cfg(test)]
mod tests;
