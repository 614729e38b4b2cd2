//! Terminals' tokens: the first one, and new ones.

use futures_util::{FutureExt, future::ready};
use muster_protocol::{
    api::{EnrolRequest, EnrolmentPage, EnrolmentProgress, EnrolmentRequest, NewEnrolment, TokenGrant},
    token::Scope::Admin,
};

use super::{
    Asked, Route,
    content::{AnswerContent::Json, object, of},
    delete, get,
    parameter::{AFTER, LIMIT},
    post,
};
use crate::http::{
    answer::Answer,
    enrol::{self, operator},
    proxy_hop::ProxyHop,
    renew,
};

pub const ROUTES: &[Route] = &[
    post("/v1/enrolments", "Makes a code for a terminal's first token", |asked| {
        operator::post(asked.request, asked.call, asked.state).boxed()
    })
    .needs(Admin)
    .reads(of::<EnrolmentRequest>)
    .answers(&[(201, Json(of::<NewEnrolment>))])
    .refuses(&[501]),
    get("/v1/enrolments", "Lists the codes that were not used, without the codes themselves", |asked| {
        operator::list(asked.query, asked.state).boxed()
    })
    .needs(Admin)
    .takes(&[LIMIT, AFTER])
    .answers(&[(200, Json(of::<EnrolmentPage>))]),
    delete("/v1/enrolments/{id}", "Removes a code", |asked| operator::remove(asked.id(), asked.state).boxed())
        .needs(Admin)
        .with_id(of::<String>)
        .answers(&[(200, Json(object))]),
    post("/v1/enrolments/{id}/approve", "Lets the terminal that used a code have its token", |asked| {
        operator::approve(asked.id(), asked.state).boxed()
    })
    .needs(Admin)
    .with_id(of::<String>)
    .answers(&[(200, Json(of::<EnrolmentProgress>))])
    .refuses(&[409]),
    post("/v1/enrol", "Trades a code for a terminal's first token", |asked| trade(asked).boxed())
        .reads(of::<EnrolRequest>)
        .answers(&[(200, Json(of::<TokenGrant>)), (202, Json(of::<EnrolmentProgress>))])
        .refuses(&[429, 501, 503]),
    post("/v1/renew", "Makes a new token for a terminal that shows a valid one", |asked| {
        ready(renew::post(&asked.request, asked.state)).boxed()
    })
    .answers(&[(200, Json(of::<TokenGrant>))])
    .refuses(&[401, 501]),
];

async fn trade(asked: Asked<'_>) -> Answer {
    let address = ProxyHop::of(&asked.request, asked.requester.peer, asked.state).address;
    enrol::post(asked.request, &address, asked.state).await
}
