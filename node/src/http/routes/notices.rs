//! Notices.

use futures_util::FutureExt;
use muster_protocol::{
    NoticeName,
    api::{NewNotice, NoticeAttempt, NoticeAttempts, NoticePage, NoticeRequest, NoticeView},
    token::Scope::Admin,
};

use super::{
    Route,
    content::{AnswerContent::Json, object, of},
    delete, get,
    parameter::{AFTER, LIMIT},
    post, put,
};
use crate::http::notices;

pub const ROUTES: &[Route] = &[
    get("/v1/notices", "Lists the notices in the order of their names", |asked| {
        notices::list(asked.query, asked.state).boxed()
    })
    .needs(Admin)
    .takes(&[LIMIT, AFTER])
    .answers(&[(200, Json(of::<NoticePage>))]),
    put("/v1/notices/{name}", "Sets a notice, in the place of one with the same name", |asked| {
        notices::put(asked.id(), asked.request, asked.call, asked.state).boxed()
    })
    .needs(Admin)
    .with_id(of::<NoticeName>)
    .reads(of::<NoticeRequest>)
    .answers(&[(200, Json(of::<NewNotice>))]),
    get("/v1/notices/{name}", "Shows a notice and what waits for its receiver", |asked| {
        notices::get(asked.id(), asked.state).boxed()
    })
    .needs(Admin)
    .with_id(of::<NoticeName>)
    .answers(&[(200, Json(of::<NoticeView>))]),
    delete("/v1/notices/{name}", "Removes a notice and what waits for its receiver", |asked| {
        notices::remove(asked.id(), asked.state).boxed()
    })
    .needs(Admin)
    .with_id(of::<NoticeName>)
    .answers(&[(200, Json(object))]),
    get("/v1/notices/{name}/attempts", "Lists the last attempts to deliver messages, the newest first", |asked| {
        notices::attempts(asked.id(), asked.query, asked.state).boxed()
    })
    .needs(Admin)
    .with_id(of::<NoticeName>)
    .takes(&[LIMIT, AFTER])
    .answers(&[(200, Json(of::<NoticeAttempts>))]),
    post("/v1/notices/{name}/test", "Posts a message at once, and says what became of it", |asked| {
        notices::test(asked.id(), asked.call, asked.state).boxed()
    })
    .needs(Admin)
    .with_id(of::<NoticeName>)
    .answers(&[(200, Json(of::<NoticeAttempt>))]),
];
