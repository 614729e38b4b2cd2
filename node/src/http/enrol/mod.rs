//! Gives a terminal its first token, in exchange for a code that an operator made.

mod attempts;
mod code;
pub mod operator;

use std::{net::IpAddr, time::Instant};

use hyper::{Request, Response, StatusCode, body::Incoming};
use muster_protocol::api::EnrolRequest;

pub use self::attempts::WrongCodes;
use super::{
    HttpState,
    answer::{Answer, Body, later, problem, typed},
    renew::granted,
    request,
};
use crate::backplane::EnrolOutcome;

/// When a terminal that waits for approval may ask again, in seconds.
const ASK_AGAIN: u64 = 5;

/// `POST /v1/enrol`, without a key. 202 while an operator has to approve: the terminal asks again with the same code.
pub async fn post(request: Request<Incoming>, address: &str, state: &HttpState) -> Answer {
    state.shared.auth.check_signs()?;
    let ip: Option<IpAddr> = address.parse().ok();
    if let Some(ip) = ip {
        let wait = state.wrong_codes.check(ip, Instant::now());
        let why = "too many wrong codes came from this address";
        wait.map_err(|seconds| later(StatusCode::TOO_MANY_REQUESTS, seconds, why))?;
    }
    let body = request::body(request.into_body(), &state.shared.config).await?;
    let EnrolRequest { code, terminal } = request::json(&body, "enrolment of a terminal")?;
    let wrong = || {
        if let Some(ip) = ip {
            state.wrong_codes.count(ip, Instant::now());
        }
    };
    let Some(id) = code::id_of(&code) else {
        wrong();
        return Err(refused());
    };
    match state.shared.backplane.enrol(&id, terminal.as_ref(), address).await? {
        EnrolOutcome::Taken(enrolment, terminal) => {
            tracing::info!(%terminal, address, by = enrolment.by, "a terminal was enrolled");
            Ok(granted(state.shared.auth.first_token(&enrolment, terminal)?))
        }
        EnrolOutcome::Waiting => {
            let waiting = typed(StatusCode::ACCEPTED, "application/json", "{\"state\":\"waiting\"}");
            Ok(super::answer::wait(waiting, ASK_AGAIN))
        }
        EnrolOutcome::Nameless => Err(request::bad("terminal: the code is for any terminal, so say which this is")),
        EnrolOutcome::Other => {
            wrong();
            Err(problem(StatusCode::FORBIDDEN, "the code is for another terminal"))
        }
        EnrolOutcome::Unknown => {
            wrong();
            Err(refused())
        }
    }
}

fn refused() -> Response<Body> {
    problem(StatusCode::FORBIDDEN, "the code is wrong, or was used, or has ended: ask an operator for a new one")
}
