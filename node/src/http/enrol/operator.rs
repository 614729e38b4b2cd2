//! What operators do with enrolments: make, list, approve and remove them.

use std::time::Duration;

use hyper::{Request, Response, StatusCode, body::Incoming, header};
use jiff::Timestamp;
use muster_protocol::{
    api::{Enrolment, EnrolmentPage, EnrolmentProgress, EnrolmentRequest, EnrolmentState, NewEnrolment},
    selector::check_labels,
};

use super::{
    super::{
        HttpState,
        answer::{Answer, Body, json, problem, typed},
        call::ApiCall,
        request::{self, bad},
    },
    code,
};

/// The longest time in which a code can be used.
const EXPIRY_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// The longest validity of a token.
const VALID_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// `POST /v1/enrolments`. The answer has the code, which nobody can look up later.
pub async fn post(request: Request<Incoming>, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    // Said now, and not to the terminal that comes with the code.
    state.shared.auth.check_signs()?;
    let body = call.body(request.into_body(), state).await?;
    let new = new_enrolment(request::json(&body, "enrolment")?, &call.operator.name)?;
    call.note(|record| {
        record.subject = Some(new.enrolment.id.clone());
        record.terminals = new.enrolment.terminal.iter().cloned().collect();
    });
    state.shared.backplane.add_enrolment(&new.enrolment).await?;
    let mut response = json(StatusCode::CREATED, &new);
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `GET /v1/enrolments?limit=&after=`: those first that end first.
pub async fn list(query: &str, state: &HttpState) -> Answer {
    let (after, look) = request::short_list(query)?;
    let page = state.shared.backplane.enrolments(after, look).await?;
    let next = page.next.map(|next| next.to_string());
    Ok(json(StatusCode::OK, &EnrolmentPage { enrolments: page.found, next }))
}

/// `POST /v1/enrolments/{id}/approve`: the terminal that has used the code gets its token when it asks again.
pub async fn approve(id: &str, state: &HttpState) -> Answer {
    match state.shared.backplane.approve_enrolment(id).await? {
        Some(EnrolmentState::Waiting | EnrolmentState::Approved) => {
            Ok(json(StatusCode::OK, &EnrolmentProgress { state: EnrolmentState::Approved }))
        }
        Some(EnrolmentState::Open) => Err(problem(StatusCode::CONFLICT, "no terminal has used the code yet")),
        None => Err(not_there()),
    }
}

/// `DELETE /v1/enrolments/{id}`: the code can't be used any more.
pub async fn remove(id: &str, state: &HttpState) -> Answer {
    match state.shared.backplane.remove_enrolment(id).await? {
        true => Ok(typed(StatusCode::OK, "application/json", "{}")),
        false => Err(not_there()),
    }
}

fn not_there() -> Response<Body> {
    problem(
        StatusCode::NOT_FOUND,
        "no such enrolment: it was used, removed, or has ended; GET /v1/enrolments lists them",
    )
}

fn new_enrolment(request: EnrolmentRequest, by: &str) -> Result<NewEnrolment, Response<Body>> {
    let EnrolmentRequest { terminal, labels, expires_in, valid_for, renew, approve } = request;
    check_labels(&labels).map_err(|error| bad(error.to_string()))?;
    for (name, time, most) in [
        ("expires_in", Some(expires_in), EXPIRY_MAX),
        ("valid_for", Some(valid_for), VALID_MAX),
        ("renew", renew, VALID_MAX),
    ] {
        if time.is_some_and(|time| time < Duration::from_secs(1) || time > most) {
            return Err(bad(format!("{name}: from 1s to {} days", most.as_secs() / 86_400)));
        }
    }
    let (code, created_at) = (code::fresh(), Timestamp::now());
    let enrolment = Enrolment {
        id: code::id_of(&code).expect("a fresh code is a code"),
        state: EnrolmentState::Open,
        terminal,
        address: None,
        labels,
        valid_s: valid_for.as_secs(),
        renew_s: renew.map(|time| time.as_secs()),
        approve,
        by: by.to_owned(),
        created_at,
        expires_at: created_at.checked_add(expires_in).unwrap_or(Timestamp::MAX),
    };
    Ok(NewEnrolment { code, enrolment })
}
