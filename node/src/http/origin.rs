//! Which web pages may call a node. A browser sends a page's requests from the user's place in the network, and a node
//! with `--insecure` asks for nothing more. So a page from elsewhere must not open sessions or change anything.

use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
    http::uri::Authority,
};

use super::answer::{Body, problem};
use crate::config::{Config, WebOrigin};

/// The headers of an answer that a page may read, beside those that every page may read.
const EXPOSED: &str = "Retry-After, Location, Allow, ETag, WWW-Authenticate, X-Request-Id";
/// The headers that a page may send.
const ACCEPTED: &str = "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-Request-Id";
/// How long a browser may remember a preflight, in seconds.
const PREFLIGHT_AGE: &str = "600";

/// Checks the `Origin` of a request that opens a session or changes something. A request without `Origin` does not come
/// from a web page.
///
/// # Errors
/// 403.
pub fn check(headers: &HeaderMap, config: &Config) -> Result<(), Response<Body>> {
    let Some(sent) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = read(sent);
    let is_allowed = |origin: &WebOrigin| match &config.browsers.allow_origin[..] {
        [] => !config.insecure || origin.is_local() || Some(origin.host()) == own_host(headers).as_deref(),
        listed => listed.contains(origin),
    };
    let allows_any = config.browsers.allow_origin.is_empty() && !config.insecure;
    if allows_any || origin.as_ref().is_some_and(is_allowed) {
        return Ok(());
    }
    let detail = "the request comes from a web page whose Origin may not open sessions or change something here: --allow-origin lists \
                  those that may";
    Err(problem(StatusCode::FORBIDDEN, detail))
}

/// Lets the page that sent `origin` read the answer, if `--allow-origin` lists its origin (CORS). Does not allow
/// cookies, because no call needs one.
pub fn share(response: &mut Response<Body>, origin: Option<HeaderValue>, config: &Config) {
    if config.browsers.allow_origin.is_empty() {
        return;
    }
    let headers = response.headers_mut();
    // A cache must not give one page the answer to another.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin.filter(|origin| is_listed(origin, config)) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}

/// Adds to the answer to OPTIONS what a browser asks before a request (a preflight), if `--allow-origin` lists the
/// page's origin.
pub fn preflight(request: &Request<Incoming>, response: &mut Response<Body>, config: &Config) {
    let is_preflight = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !is_preflight || !request.headers().get(header::ORIGIN).is_some_and(|origin| is_listed(origin, config)) {
        return;
    }
    let methods = response.headers().get(header::ALLOW).cloned();
    let headers = response.headers_mut();
    if let Some(methods) = methods {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ACCEPTED));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_AGE));
}

fn is_listed(origin: &HeaderValue, config: &Config) -> bool {
    read(origin).is_some_and(|origin| config.browsers.allow_origin.contains(&origin))
}

/// Returns the origin in a header. None for `null`, which a sandboxed page of any site sends.
fn read(origin: &HeaderValue) -> Option<WebOrigin> {
    origin.to_str().ok()?.parse().ok()
}

/// Returns the host that the request was sent to, without its port, since a proxy may pass the host on without a port.
fn own_host(headers: &HeaderMap) -> Option<String> {
    let authority: Authority = headers.get(header::HOST)?.to_str().ok()?.parse().ok()?;
    Some(authority.host().to_ascii_lowercase())
}
