//! Gives a terminal its first token, in exchange for a code that an operator made.

mod code;
pub mod operator;

use std::time::Instant;

use hyper::{Request, Response, StatusCode, body::Incoming};
use muster_protocol::api::{EnrolRequest, EnrolmentProgress, EnrolmentState};

use super::{
    HttpState,
    answer::{Answer, Body, json, later, problem},
    renew::granted,
    request,
};
use crate::{
    backplane::EnrolOutcome,
    cluster::{KeyedBudgets, keyed_budgets::of_site},
};

/// When a terminal that waits for approval may ask again, in seconds.
const ASK_AGAIN: u64 = 5;
/// The wrong codes that an address may send at once. Beyond it the answer is 429.
const WRONG_MAX: f64 = 10.0;
/// How many of them it has again in a second.
const WRONG_RATE: f64 = 1.0 / 6.0;

/// The budget of wrong codes of each address. A right code costs nothing and is taken whatever the budget has: thousands of terminals may
/// stand behind one address, and one that guesses must not keep the others out. A code has 80 random bits, so guessing is bounded by that.
pub fn wrong_codes() -> KeyedBudgets {
    KeyedBudgets::new(WRONG_RATE, WRONG_MAX)
}

/// `POST /v1/enrol`, without a key. 202 while an operator has to approve: the terminal asks again with the same code.
pub async fn post(request: Request<Incoming>, address: &str, state: &HttpState) -> Answer {
    state.shared.auth.check_signs()?;
    let body = request::body(request.into_body(), &state.shared.config).await?;
    let EnrolRequest { code, terminal } = request::json(&body, "enrolment of a terminal")?;
    let wrong = |refusal: Response<Body>| match state.wrong_codes.take(of_site(address), Instant::now()) {
        Ok(()) => refusal,
        Err(seconds) => later(StatusCode::TOO_MANY_REQUESTS, seconds, "too many wrong codes came from this address"),
    };
    let Some(id) = code::id_of(&code) else { return Err(wrong(refused())) };
    match state.shared.backplane.enrol(&id, terminal.as_ref(), address).await? {
        EnrolOutcome::Taken(enrolment, terminal) => {
            tracing::info!(%terminal, address, by = enrolment.by, "a terminal was enrolled");
            Ok(granted(state.shared.auth.first_token(&enrolment, terminal)?))
        }
        EnrolOutcome::Waiting => {
            let waiting = json(StatusCode::ACCEPTED, &EnrolmentProgress { state: EnrolmentState::Waiting });
            Ok(super::answer::wait(waiting, ASK_AGAIN))
        }
        EnrolOutcome::Nameless => Err(request::bad("terminal: the code is for any terminal, so say which this is")),
        EnrolOutcome::Other => Err(wrong(problem(StatusCode::FORBIDDEN, "the code is for another terminal"))),
        EnrolOutcome::Unknown => Err(wrong(refused())),
    }
}

fn refused() -> Response<Body> {
    problem(StatusCode::FORBIDDEN, "the code is wrong, or was used, or has ended: ask an operator for a new one")
}
