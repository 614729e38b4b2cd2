//! Tickets for web pages of others. `EventSource` can send no key, so a page asks for a ticket with its key and puts the ticket into
//! the URL: it is good once and for 30 s, so a log that has the URL has nothing of use.

use hyper::{Response, StatusCode, header};
use jiff::Timestamp;
use muster_protocol::api::TicketView;

use super::{
    HttpState,
    answer::{Answer, Body, json, later, problem},
};
use crate::{
    auth::VerifiedOperator,
    backplane::{TICKET_TTL, TicketHash},
};

/// The query parameter with a ticket.
pub const PARAMETER: &str = "ticket";

/// `POST /v1/ticket`: a ticket for one `GET /v1/events?ticket=TICKET`, in the name of the operator whose key asked for it.
pub async fn post(operator: &VerifiedOperator, state: &HttpState) -> Answer {
    let ticket = format!("{:032x}", rand::random::<u128>());
    let stands_for = serde_json::to_string(operator).expect("an operator is JSON");
    if !state.shared.backplane.put_ticket(&TicketHash::of(&ticket), &stands_for).await? {
        return Err(later(StatusCode::SERVICE_UNAVAILABLE, 1, "too many tickets wait to be used; ask again"));
    }
    let view = TicketView { ticket, expires_at: Timestamp::now() + TICKET_TTL };
    let mut response = json(StatusCode::CREATED, &view);
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The operator whose ticket this is. The ticket is used up, whatever becomes of the request.
///
/// # Errors
/// 401 if the ticket was used, has expired, or is none.
pub async fn take(ticket: &str, state: &HttpState) -> Result<VerifiedOperator, Response<Body>> {
    let stands_for = state.shared.backplane.take_ticket(&TicketHash::of(ticket)).await?;
    let operator = stands_for.and_then(|stands_for| serde_json::from_str(&stands_for).ok());
    let detail = "the ticket was used, has expired (30 s), or was never given: ask for another by POST /v1/ticket";
    operator.ok_or_else(|| problem(StatusCode::UNAUTHORIZED, detail))
}
