//! Sends a message by HTTP, and says what became of it: which answers accept a message, which refuse it, and which
//! leave its outcome unknown.

use std::io;

use anyhow::anyhow;
use hyper::StatusCode;
use rustix::io::Errno;
use serde::Deserialize;
use tokio::time::timeout;

use super::own_messages::OwnMessages;
use crate::{
    clock::Nanos,
    config::ServerKind,
    journal::SendOutcome,
    play::api::{Api, RequestError},
};

#[derive(Deserialize)]
struct AcceptedCommand {
    id: String,
}

/// Posts a message and writes the time of sending to `at`. Returns the outcome and, for a message to one
/// terminal, the command id with which the API is polled.
pub(super) async fn post(
    messages: &OwnMessages,
    api: &Api,
    endpoint: usize,
    message: usize,
    at: &mut Nanos,
) -> (SendOutcome, Option<String>) {
    let path = if messages.config.server() == ServerKind::Muster { "/v1/commands" } else { "" };
    let body = || {
        *at = messages.journal.clock.now();
        messages.leaves(message, *at, endpoint);
        messages.body(message, *at)
    };
    let limit = messages.answer_limit();
    let answered = timeout(limit, api.post(path, body)).await;
    let answered = answered.unwrap_or_else(|_| match *at {
        0 => Err(RequestError::Unsent(anyhow!("no connection within {limit:?}"))),
        _ => Err(RequestError::Unanswered(anyhow!("no answer within {limit:?}"))),
    });
    match answered {
        Ok((status, answer)) if accepted(status, messages.config.server()) => {
            let targeted = messages.plan.messages[message].to.is_some();
            let id = serde_json::from_slice::<AcceptedCommand>(&answer).ok().filter(|_| targeted);
            (SendOutcome::Accepted, id.map(|accepted| accepted.id))
        }
        Ok((status, answer)) => (refusal(status, &String::from_utf8_lossy(&answer)), None),
        Err(RequestError::Unsent(error)) => {
            *at = messages.journal.clock.now();
            (unreached(&error), None)
        }
        Err(RequestError::Unanswered(error)) => (SendOutcome::Unknown(format!("{error:#}")), None),
    }
}

/// Returns true if the status means that the message was accepted: 202 for Muster, which it sends once Redis has
/// stored the command, and any 2xx status for another server.
fn accepted(status: StatusCode, target: ServerKind) -> bool {
    if target == ServerKind::Muster { status == StatusCode::ACCEPTED } else { status.is_success() }
}

/// Returns the outcome of a message that was not sent. A server that can't be reached counts as a refusal by the
/// server. A resource limit of this machine (descriptors, ports, memory) says nothing about the server and counts as
/// unsent.
fn unreached(error: &anyhow::Error) -> SendOutcome {
    let why = format!("{error:#}");
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    let ours = [Errno::MFILE, Errno::NFILE, Errno::ADDRNOTAVAIL, Errno::NOBUFS, Errno::NOMEM];
    match causes.any(|cause| Errno::from_io_error(cause).is_some_and(|errno| ours.contains(&errno))) {
        true => SendOutcome::Unsent(why),
        false => SendOutcome::Refused(why),
    }
}

/// Returns the outcome for an error status. After 500, 502 or 504 the outcome is unknown: a server that failed, or a
/// proxy that lost its server, may have accepted the message.
fn refusal(status: StatusCode, answer: &str) -> SendOutcome {
    let why = format!("{status}: {answer}");
    match status.as_u16() {
        500 | 502 | 504 => SendOutcome::Unknown(why),
        _ => SendOutcome::Refused(why),
    }
}
