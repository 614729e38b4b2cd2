//! The path of a request, as segments.

use hyper::Response;

use super::{answer::Body, request::bad};

/// The segments of a path, each percent-decoded after the path was split at its slashes. Libraries encode an id such as
/// `AA:BB` as `AA%3ABB`. `%2F` stays inside its segment, so that no id can become a longer path.
///
/// # Errors
/// 400 for a `%` without two hexadecimal digits, and for bytes that are not UTF-8.
pub fn segments(path: &str) -> Result<Vec<String>, Response<Body>> {
    path.split('/').skip(1).map(|segment| decode(segment).ok_or_else(bad_escape)).collect()
}

fn bad_escape() -> Response<Body> {
    bad("the path must be percent-encoded UTF-8: each % is followed by two hexadecimal digits")
}

fn decode(segment: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
            decoded.push((high * 16 + low) as u8);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_decoded_after_the_path_is_split() {
        assert_eq!(segments("/v1/terminals/AA%3aBB%3ACC").unwrap(), ["v1", "terminals", "AA:BB:CC"]);
        assert_eq!(segments("/v1/terminals/a%2Fsession").unwrap(), ["v1", "terminals", "a/session"]);
        assert_eq!(segments("/v1/terminals/%25%33%41").unwrap(), ["v1", "terminals", "%3A"], "decoded once only");
        assert_eq!(segments("/%C3%A9").unwrap(), ["\u{e9}"]);
        assert_eq!(segments("/").unwrap(), [""]);
        for bad in ["/%", "/%4", "/%zz", "/%+1", "/a%C3"] {
            assert_eq!(segments(bad).unwrap_err().status(), 400, "{bad}");
        }
    }
}
