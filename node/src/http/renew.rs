//! Makes a new token for a terminal that has a valid one.

use hyper::{Request, Response, StatusCode, body::Incoming, header};
use jiff::Timestamp;
use muster_protocol::api::TokenGrant;

use super::{
    HttpState,
    answer::{Answer, Body, json},
    request::bearer,
};
use crate::auth::MadeToken;

/// `POST /v1/renew`, with the terminal's token.
pub fn post(request: &Request<Incoming>, state: &HttpState) -> Answer {
    Ok(granted(state.shared.auth.renew(bearer(request))?))
}

/// Returns the answer with a token. No cache may store it.
pub fn granted(made: MadeToken) -> Response<Body> {
    let MadeToken { token, terminal, expires } = made;
    let expires_at = i64::try_from(expires).ok().and_then(|second| Timestamp::from_second(second).ok());
    let expires_at = expires_at.unwrap_or(Timestamp::MAX);
    let mut response = json(StatusCode::OK, &TokenGrant { terminal, token, expires_at });
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}
