//! The stream of events.

use futures_util::FutureExt;
use hyper::Method;
use muster_protocol::{api::TicketView, token::Scope::Read};

use super::{
    Asked, Route,
    content::{
        AnswerContent::{Json, Text},
        of,
    },
    get,
    parameter::{COMMAND, DETAIL, KIND, LAST_EVENT_ID, LAST_EVENT_ID_HEADER, MATCH, SELECTOR, TERMINAL, TICKET},
    post,
};
use crate::http::{answer::Answer, events, strict, ticket};

pub const ROUTES: &[Route] = &[
    get("/v1/events", "Tells what happens, as server-sent events", |asked| open_stream(asked).boxed())
        .needs(Read)
        .within_reach()
        .takes(&[KIND, TERMINAL, SELECTOR, MATCH, COMMAND, DETAIL, LAST_EVENT_ID, TICKET])
        .hears(&[LAST_EVENT_ID_HEADER])
        .answers(&[(200, Text("text/event-stream"))])
        .refuses(&[404, 429]),
    post("/v1/ticket", "Makes a ticket for one stream of events, for web pages", |asked| {
        ticket::post(&asked.call.operator, asked.state).boxed()
    })
    .needs(Read)
    .within_reach()
    .unrecorded()
    .answers(&[(201, Json(of::<TicketView>))]),
];

/// Opens a stream of events, which is the last answer of its connection: it is not counted among the others from then on.
async fn open_stream(asked: Asked<'_>) -> Answer {
    let Asked { request, call, requester, state, .. } = asked;
    let answer = events::stream(&request, &call.operator, requester.close.clone(), state.clone()).await?;
    if request.method() == Method::GET {
        requester.begin_stream();
    }
    Ok(strict::closing(answer))
}
