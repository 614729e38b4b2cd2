//! Rules that every request must keep. If a proxy and a node read one request in two ways, an attacker can use the
//! difference. So a node refuses a request that has two readings, and closes its connection.

use hyper::{
    HeaderMap, Request, Response, StatusCode, Version,
    header::{self, HeaderName, HeaderValue},
    http::uri::Authority,
};

use super::{
    answer::{Body, problem},
    request::bad,
};

/// Headers that a request may have once at most.
const ONCE: [HeaderName; 8] = [
    header::HOST,
    header::AUTHORIZATION,
    header::ORIGIN,
    header::CONTENT_TYPE,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_VERSION,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("last-event-id"),
];

/// Checks what holds for every request.
///
/// A `Content-Length` beside a `Transfer-Encoding` does not get here: hyper removes the length, reads the body by its
/// encoding, and closes the connection after the answer (RFC 9112, 6.3).
///
/// # Errors
/// 400, after which the connection closes, if one of these headers is there twice, or if `Host` is missing or is no
/// host.
pub fn check<B>(request: &Request<B>) -> Result<(), Response<Body>> {
    let headers = request.headers();
    if let Some(name) = ONCE.iter().find(|name| is_repeated(headers, name)) {
        return Err(closing(bad(format!("there are several {} headers, and one at most is allowed", shown(name)))));
    }
    match headers.get(header::HOST) {
        Some(host) if host.to_str().is_ok_and(is_host) => Ok(()),
        Some(_) => Err(closing(bad("the Host header is no host with an optional port, such as example.net:9000"))),
        // HTTP/1.0 requires no `Host`.
        None if request.version() == Version::HTTP_10 => Ok(()),
        None => Err(closing(bad("there is no Host header, and HTTP/1.1 requires one"))),
    }
}

/// Checks that a handshake has HTTP/1.1 and no body.
///
/// # Errors
/// 505 for HTTP/1.0, 400 for a body.
pub fn check_handshake(request: &Request<()>) -> Result<(), Response<Body>> {
    if request.version() == Version::HTTP_10 {
        let detail = "a WebSocket handshake needs HTTP/1.1, and this request is HTTP/1.0. Behind Nginx: proxy_http_version 1.1, with \
                      proxy_set_header Upgrade $http_upgrade and proxy_set_header Connection \"upgrade\"";
        return Err(closing(problem(StatusCode::HTTP_VERSION_NOT_SUPPORTED, detail)));
    }
    let headers = request.headers();
    let has_length = headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    for (name, is_there) in [
        (header::TRANSFER_ENCODING, headers.contains_key(header::TRANSFER_ENCODING)),
        (header::CONTENT_LENGTH, has_length),
    ] {
        if is_there {
            return Err(closing(bad(format!("a WebSocket handshake has no body, and this one has {}", shown(&name)))));
        }
    }
    Ok(())
}

/// Returns the answer with `Connection: close`, so that the connection is closed after it.
pub fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

fn is_repeated(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(name).iter().nth(1).is_some()
}

/// Returns whether a text is a host with an optional port, as it stands in a URL.
fn is_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else { return false };
    let host = authority.host();
    let port = text.get(host.len()..).unwrap_or("@");
    let is_port =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && (port.is_empty() || port.parse::<u16>().is_ok());
    !host.is_empty() && !host.contains([',', '@']) && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

/// Returns a header's name as people write it: `Content-Length` for `content-length`.
fn shown(name: &HeaderName) -> String {
    let word = |word: &str| match word {
        "id" => "ID".to_owned(),
        "websocket" => "WebSocket".to_owned(),
        _ => word[..1].to_ascii_uppercase() + &word[1..],
    };
    name.as_str().split('-').map(word).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        for host in ["a", "example.net", "a_b:80", "a:", "10.0.0.1:9000", "[::1]", "[::1]:9000"] {
            assert!(is_host(host), "{host}");
        }
        for bad in ["", ":80", "a b", "a,b", "a@b", "a:b", "a:+1", "a:70000", "a/b", "a?b", "http://a", "[::1", "a:1:2"]
        {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn a_header_is_named_as_people_write_it() {
        assert_eq!(shown(&header::SEC_WEBSOCKET_KEY), "Sec-WebSocket-Key");
        assert_eq!(shown(&HeaderName::from_static("last-event-id")), "Last-Event-ID");
    }
}
