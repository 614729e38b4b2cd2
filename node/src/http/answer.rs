//! Answers: JSON, plain text, and refusals as `application/problem+json` (RFC 9457).

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{Response, StatusCode, header};
use muster_protocol::{CommandId, api::Problem};
use serde::Serialize;

use crate::{auth::AuthError, backplane::BackplaneError};

/// The body of any answer.
pub type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;
/// What a handler returns. Both sides are answers: an error is a refusal.
pub type Answer = Result<Response<Body>, Response<Body>>;

/// Returns a body with these bytes.
pub fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

/// Returns an answer with a value as JSON.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let bytes = serde_json::to_vec(value).expect("what the API shows is JSON");
    typed(status, "application/json", bytes)
}

/// Returns an answer with a text of the content type `kind`.
pub fn typed(status: StatusCode, kind: &'static str, bytes: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(body(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

/// Returns an answer with this status and an empty body.
pub fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(body(Bytes::new()));
    *response.status_mut() = status;
    response
}

/// Returns a refusal. `detail` says what is wrong and what to do.
pub fn problem(status: StatusCode, detail: impl Into<String>) -> Response<Body> {
    problem_json(status, &new_problem(status, detail))
}

fn new_problem(status: StatusCode, detail: impl Into<String>) -> Problem {
    let title = status.canonical_reason().unwrap_or("Refused").to_owned();
    Problem { status: status.as_u16(), title, detail: detail.into(), command: None, partitions: Vec::new() }
}

fn problem_json(status: StatusCode, problem: &Problem) -> Response<Body> {
    let mut response = json(status, problem);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
    response
}

/// Returns the refusal 404: there is no command with this id.
pub fn no_command(id: CommandId) -> Response<Body> {
    problem(StatusCode::NOT_FOUND, format!("no command {id}, or it expired long ago (--keep)"))
}

/// Returns a refusal whose cause will pass. The client should come back after this many seconds.
pub fn later(status: StatusCode, seconds: u64, detail: impl Into<String>) -> Response<Body> {
    wait(problem(status, detail), seconds)
}

/// Returns `response` with a `Retry-After` of this many seconds.
pub fn wait(mut response: Response<Body>, seconds: u64) -> Response<Body> {
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    response
}

/// Returns a refusal whose cause will pass, with a `Retry-After` of 1 s. It names the partitions that were away, or the
/// command that is not accepted or cancelled everywhere yet.
fn partial(status: StatusCode, refusal: &BackplaneError) -> Response<Body> {
    let mut problem = new_problem(status, refusal.to_string());
    match refusal {
        BackplaneError::Away(partitions, _) => problem.partitions.clone_from(partitions),
        BackplaneError::Unfinished(command, _) => problem.command = Some(*command),
        BackplaneError::CancelledInPart(command, partitions) => {
            problem.command = Some(*command);
            problem.partitions.clone_from(partitions);
        }
        _ => {}
    }
    wait(problem_json(status, &problem), 1)
}

impl From<BackplaneError> for Response<Body> {
    fn from(refusal: BackplaneError) -> Self {
        match refusal {
            BackplaneError::Unknown(_) => problem(StatusCode::NOT_FOUND, refusal.to_string()),
            BackplaneError::Offline(_) | BackplaneError::Full(_) | BackplaneError::Nobody => {
                problem(StatusCode::CONFLICT, refusal.to_string())
            }
            BackplaneError::OtherBody(_) | BackplaneError::OtherRollout(_) => {
                problem(StatusCode::UNPROCESSABLE_ENTITY, refusal.to_string())
            }
            BackplaneError::NoCursor
            | BackplaneError::NoPage
            | BackplaneError::LeftOut(_)
            | BackplaneError::Broad(_)
            | BackplaneError::Selector(_) => problem(StatusCode::BAD_REQUEST, refusal.to_string()),
            BackplaneError::NoRoom(_)
            | BackplaneError::TooManyOpen(_)
            | BackplaneError::TooManyRevocations(_)
            | BackplaneError::TooManyEnrolments(_)
            | BackplaneError::TooManyKeys(_)
            | BackplaneError::TooManyRollouts(_)
            | BackplaneError::TooManySelectors(_)
            | BackplaneError::TooManyNotices(_)
            | BackplaneError::Unavailable(_)
            | BackplaneError::Nameless(_) => later(StatusCode::SERVICE_UNAVAILABLE, 1, refusal.to_string()),
            BackplaneError::Away(..) => partial(StatusCode::SERVICE_UNAVAILABLE, &refusal),
            BackplaneError::Unfinished(..) | BackplaneError::CancelledInPart(..) => {
                partial(StatusCode::GATEWAY_TIMEOUT, &refusal)
            }
            // Not 503, which promises that nothing was stored: with these errors nobody knows whether something was
            // stored.
            BackplaneError::Unsure | BackplaneError::Unreplicated => {
                later(StatusCode::GATEWAY_TIMEOUT, 1, refusal.to_string())
            }
        }
    }
}

impl From<AuthError> for Response<Body> {
    fn from(denied: AuthError) -> Self {
        match denied {
            AuthError::Unnamed => return problem(StatusCode::BAD_REQUEST, denied.to_string()),
            AuthError::NoSecret => return problem(StatusCode::NOT_IMPLEMENTED, denied.to_string()),
            AuthError::Forbidden(_) => return problem(StatusCode::FORBIDDEN, denied.to_string()),
            AuthError::Missing(_)
            | AuthError::UnknownKid
            | AuthError::BadToken(_)
            | AuthError::BadCertificate(_)
            | AuthError::Revoked
            | AuthError::SessionEnds(_) => {}
        }
        let mut response = problem(StatusCode::UNAUTHORIZED, denied.to_string());
        response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        response
    }
}
