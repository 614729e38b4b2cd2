//! Reads how long the certificate is valid with which Nginx serves.

use std::{fs, path::Path};

use data_encoding::BASE64;
use jiff::Timestamp;

use crate::own_files::{CERTIFICATE, FOLDER};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Returns until when the certificate of a generation is valid: the first one in its file, which is the proxy's own.
/// `None` if the generation has no certificate, or if it can't be read.
pub fn ends_at(generation: &Path) -> Option<Timestamp> {
    let pem = fs::read_to_string(generation.join(FOLDER).join(CERTIFICATE)).ok()?;
    not_after(&pem)
}

/// The tags of the fields that are read.
mod tag {
    pub const UTC_TIME: u8 = 0x17;
    pub const GENERALIZED_TIME: u8 = 0x18;
    pub const VERSION: u8 = 0xa0;
}

/// Reads the end of the first certificate of a file in PEM.
pub fn not_after(pem: &str) -> Option<Timestamp> {
    let (_, rest) = pem.split_once(BEGIN)?;
    let (text, _) = rest.split_once(END)?;
    let text: String = text.split_whitespace().collect();
    let der = BASE64.decode(text.as_bytes()).ok()?;
    let (_, certificate) = field(&mut &der[..])?;
    let (_, mut fields) = field(&mut &certificate[..])?;
    // What stands before the validity: a version that may be left out, and then number, algorithm and issuer.
    let has_version = fields.first() == Some(&tag::VERSION);
    for _ in 0..3 + usize::from(has_version) {
        field(&mut fields)?;
    }
    let (_, mut validity) = field(&mut fields)?;
    field(&mut validity)?;
    time(field(&mut validity)?)
}

/// Takes the next field of DER (X.690) from `bytes`: its tag and contents. `None` if there is no field, or if it is cut
/// off.
fn field<'a>(bytes: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let [tag, length, rest @ ..] = *bytes else { return None };
    let (length, rest) = match usize::from(*length) {
        short @ 0..=0x7f => (short, rest),
        // The number of bytes of the length follows.
        long @ 0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(long - 0x80)?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    *bytes = rest;
    Some((*tag, contents))
}

/// Reads `YYMMDDHHMMSSZ`, whose years end in 2049, or `YYYYMMDDHHMMSSZ`.
fn time((kind, text): (u8, &[u8])) -> Option<Timestamp> {
    let text = str::from_utf8(text).ok()?;
    let text = match kind {
        tag::UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        tag::GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let (year, month, day) = (text.get(..4)?, text.get(4..6)?, text.get(6..8)?);
    let (hour, minute, rest) = (text.get(8..10)?, text.get(10..12)?, text.get(12..)?);
    format!("{year}-{month}-{day}T{hour}:{minute}:{rest}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Self-signed, made for this test by `openssl req -x509`.
    const PEM: &str = include_str!("../testdata/certificate.pem");

    #[test]
    fn the_end_is_that_of_the_first_certificate() {
        let expected: Timestamp = "2036-03-20T07:10:31Z".parse().unwrap();
        assert_eq!(not_after(PEM), Some(expected));
        assert_eq!(not_after(&format!("{PEM}{PEM}")), Some(expected));
        let utc = b"360320071031Z";
        assert_eq!(time((tag::UTC_TIME, utc)), Some(expected));
        assert_eq!(time((tag::GENERALIZED_TIME, b"20360320071031Z")), Some(expected));
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        let der =
            BASE64.decode(PEM.lines().filter(|line| !line.starts_with('-')).collect::<String>().as_bytes()).unwrap();
        for length in 0..der.len() / 2 {
            let text = format!("{BEGIN}\n{}\n{END}", BASE64.encode(&der[..length]));
            assert_eq!(not_after(&text), None, "{length}");
        }
        for text in ["", "no certificate", BEGIN, &format!("{BEGIN}{END}"), &format!("{BEGIN}*{END}")] {
            assert_eq!(not_after(text), None, "{text}");
        }
    }
}
