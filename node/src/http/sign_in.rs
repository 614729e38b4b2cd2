//! Signs operators in: a page sends the operator's key once, and then keeps a token of 15 minutes in place of the key.

use hyper::{Request, StatusCode, body::Incoming, header};
use muster_protocol::api::OperatorSession;

use super::{
    HttpState,
    answer::{Answer, json},
    call::ApiCall,
    request::bearer,
};
use crate::auth::MadeSession;

/// `POST /v1/session`, with a key, or with the token of an operator's session, to renew the session. A renewal leaves
/// no audit record.
pub fn post(request: &Request<Incoming>, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let MadeSession { token, expires_at, renew_until, is_renewal } = state.shared.auth.sign_in(bearer(request))?;
    if is_renewal {
        call.leave_no_record();
    }
    let operator = &call.operator;
    let (name, scopes, limits) = (operator.name.clone(), operator.scope.included(), operator.limits.clone());
    let session = OperatorSession { token, expires_at, renew_until, name, scopes, limits };
    let mut response = json(StatusCode::CREATED, &session);
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    Ok(response)
}
