//! Entity tags (RFC 9110, 8.8.3): a client that has an answer already is told so in place of the answer.

use data_encoding::HEXLOWER;
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{self, HeaderValue},
};
use ring::digest::{SHA256, digest};

use super::answer::{Body, status};

/// The bytes of a hash that stand in a tag.
const BYTES: usize = 16;

/// The tag of an answer that follows from these bytes.
pub fn of(bytes: &[u8]) -> HeaderValue {
    let hash = HEXLOWER.encode(&digest(&SHA256, bytes).as_ref()[..BYTES]);
    HeaderValue::from_str(&format!("\"{hash}\"")).expect("hexadecimal digits make a header")
}

/// Whether the client has the answer with this tag: `If-None-Match` names it.
pub fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    // A proxy that compresses an answer makes its tag a weak one.
    let mut known = lists.flat_map(|list| list.split(',')).map(|one| one.trim().trim_start_matches("W/"));
    known.any(|one| one == "*" || one.as_bytes() == tag.as_bytes())
}

/// The answer to a client that has it already.
pub fn not_modified() -> Response<Body> {
    status(StatusCode::NOT_MODIFIED)
}

/// The same answer with this tag. It is to be asked for again each time.
pub fn tagged(mut response: Response<Body>, tag: HeaderValue) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_names_the_tags_that_it_has() {
        let tag = of(b"page");
        let text = tag.to_str().unwrap().to_owned();
        let is_known = |sent: &str| {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, sent.parse().unwrap())]);
            is_known(&headers, &tag)
        };
        assert_eq!(text.len(), 2 + 2 * BYTES);
        assert!(is_known(&text) && is_known(&format!("\"x\", W/{text}")) && is_known("*"));
        assert!(!is_known("\"x\"") && !is_known(text.trim_matches('"')) && !is_known(""));
        assert!(!super::is_known(&HeaderMap::new(), &tag) && of(b"page ") != tag);
    }
}
