//! Entity tags (RFC 9110, 8.8.3). A client that has an answer already gets 304 in place of the answer.

use data_encoding::HEXLOWER;
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{self, HeaderValue},
};
use ring::digest::{SHA256, digest};

use super::answer::{Body, status};

/// How many bytes of a hash stand in a tag.
const BYTES: usize = 16;

/// Returns the tag of an answer that is made from these bytes.
pub fn of(bytes: &[u8]) -> HeaderValue {
    let hash = HEXLOWER.encode(&digest(&SHA256, bytes).as_ref()[..BYTES]);
    HeaderValue::from_str(&format!("\"{hash}\"")).expect("hexadecimal digits make a header")
}

/// Returns whether the client has the answer with this tag: `If-None-Match` names the tag.
pub fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    // A proxy that compresses an answer marks its tag as weak (`W/`).
    let mut known = lists.flat_map(|list| list.split(',')).map(|one| one.trim().trim_start_matches("W/"));
    known.any(|one| one == "*" || one.as_bytes() == tag.as_bytes())
}

/// Returns the answer 304, for a client that has the answer already.
pub fn not_modified() -> Response<Body> {
    status(StatusCode::NOT_MODIFIED)
}

/// Returns the answer with this tag. The client may store the answer, and must ask again before each use.
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
