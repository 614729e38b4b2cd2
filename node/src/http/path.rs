//! The path of a request, as segments.

use hyper::Response;

use super::{answer::Body, request::bad};

/// Returns the segments of a path, each percent-decoded after the path was split at its slashes. Libraries encode an id
/// such as `AA:BB` as `AA%3ABB`.
///
/// # Errors
/// 400 for a `%` without two hexadecimal digits, for bytes that are not UTF-8, and for an encoded slash or control
/// character, which no name in a path has.
pub fn segments(path: &str) -> Result<Vec<String>, Response<Body>> {
    path.split('/').skip(1).map(segment).collect()
}

fn segment(text: &str) -> Result<String, Response<Body>> {
    let bad_escape = "the path must be percent-encoded UTF-8: each % is followed by two hexadecimal digits";
    let decoded = decode(text).ok_or_else(|| bad(bad_escape))?;
    match decoded.chars().find(|character| *character == '/' || character.is_control()) {
        Some(character) => Err(bad(format!(
            "the path has an encoded {character:?}: no id or name in a path has a slash or a control character"
        ))),
        None => Ok(decoded),
    }
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
        assert_eq!(segments("/v1/terminals/%25%33%41").unwrap(), ["v1", "terminals", "%3A"], "decoded once only");
        assert_eq!(segments("/%C3%A9").unwrap(), ["\u{e9}"]);
        assert_eq!(segments("/").unwrap(), [""]);
        for bad in ["/%", "/%4", "/%zz", "/%+1", "/a%C3", "/a%2Fb", "/a%2fb", "/%00", "/a%0Ab", "/%7f"] {
            assert_eq!(segments(bad).unwrap_err().status(), 400, "{bad}");
        }
    }
}
