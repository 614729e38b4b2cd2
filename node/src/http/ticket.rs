//! Tickets, with which web pages open event streams. `EventSource` can't send a key, so a page first asks for a ticket
//! with its key, and puts the ticket into the URL. A ticket is good once and for 30 s, so the URL in a log is of no use
//! to anybody.

use hyper::{Response, StatusCode, header};
use jiff::Timestamp;
use muster_protocol::api::TicketView;
use serde::{Deserialize, Serialize};

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

/// The operator whom a ticket of a limited key stands for, as it is stored. Nodes of a version without limits can't
/// read this form, so they refuse the ticket.
#[derive(Serialize, Deserialize)]
struct LimitedHolder {
    limited: VerifiedOperator,
}

/// `POST /v1/ticket`: gives a ticket for one `GET /v1/events?ticket=TICKET`, in the name of the operator whose key the
/// request has.
pub async fn post(operator: &VerifiedOperator, state: &HttpState) -> Answer {
    let ticket = format!("{:032x}", rand::random::<u128>());
    let stands_for = written(operator);
    if !state.shared.backplane.put_ticket(&TicketHash::of(&ticket), &stands_for).await? {
        return Err(later(StatusCode::SERVICE_UNAVAILABLE, 1, "too many tickets wait to be used; ask again"));
    }
    let view = TicketView { ticket, expires_at: Timestamp::now() + TICKET_TTL };
    let mut response = json(StatusCode::CREATED, &view);
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Returns the operator whom a ticket stands for. Uses the ticket up, whatever becomes of the request.
///
/// # Errors
/// 401 if the ticket was used, has expired, or was never given.
pub async fn take(ticket: &str, state: &HttpState) -> Result<VerifiedOperator, Response<Body>> {
    let stands_for = state.shared.backplane.take_ticket(&TicketHash::of(ticket)).await?;
    let operator = stands_for.and_then(|stands_for| read(&stands_for));
    let detail = "the ticket was used, has expired (30 s), or was never given: ask for another by POST /v1/ticket";
    operator.ok_or_else(|| problem(StatusCode::UNAUTHORIZED, detail))
}

fn written(operator: &VerifiedOperator) -> String {
    let written = match operator.limits.is_empty() {
        true => serde_json::to_string(operator),
        false => serde_json::to_string(&LimitedHolder { limited: operator.clone() }),
    };
    written.expect("an operator is JSON")
}

fn read(stands_for: &str) -> Option<VerifiedOperator> {
    match serde_json::from_str::<LimitedHolder>(stands_for) {
        Ok(holder) => Some(holder.limited),
        Err(_) => serde_json::from_str(stands_for).ok(),
    }
}

#[cfg(test)]
mod tests {
    use muster_protocol::token::{KeyLimits, Scope};

    use super::*;

    #[test]
    fn a_ticket_keeps_the_limits_and_a_node_that_knows_none_can_t_read_it() {
        let limits = KeyLimits { commands: ["show".to_owned()].into(), ..KeyLimits::default() };
        let limited = VerifiedOperator { name: "ann".into(), limits, ..VerifiedOperator::default() };
        let stored = written(&limited);
        assert_eq!(read(&stored), Some(limited.clone()));
        assert!(serde_json::from_str::<VerifiedOperator>(&stored).is_err());
        let free = VerifiedOperator { limits: KeyLimits::default(), ..limited };
        assert_eq!(read(&written(&free)), Some(free));
        let of_before = read(r#"{"name":"ann","expires":7}"#).unwrap();
        assert_eq!((of_before.scope, of_before.limits.is_empty()), (Scope::Read, true));
    }
}
