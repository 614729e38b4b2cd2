//! Rollouts.

use futures_util::FutureExt;
use muster_protocol::{
    RolloutId,
    api::{RolloutPage, RolloutRequest, RolloutView},
    token::Scope::{Command, Read},
};

use super::{
    Route,
    content::{AnswerContent::Json, of},
    get,
    parameter::{AFTER, IDEMPOTENCY_KEY, LIMIT},
    post,
};
use crate::http::rollouts::{self, WantedChange};

pub const ROUTES: &[Route] = &[
    post("/v1/rollouts", "Sends a command in waves", |asked| {
        rollouts::post(asked.request, asked.call, asked.state).boxed()
    })
    .needs(Command)
    .hears(&[IDEMPOTENCY_KEY])
    .reads(of::<RolloutRequest>)
    .answers(&[(201, Json(of::<RolloutView>))])
    .refuses(&[404, 409, 422]),
    get("/v1/rollouts", "Lists the rollouts that are stored, the newest first", |asked| {
        rollouts::list(asked.query, asked.state).boxed()
    })
    .needs(Read)
    .takes(&[LIMIT, AFTER])
    .answers(&[(200, Json(of::<RolloutPage>))]),
    get("/v1/rollouts/{id}", "Shows a rollout with its waves", |asked| rollouts::get(asked.id(), asked.state).boxed())
        .needs(Read)
        .with_id(of::<RolloutId>)
        .answers(&[(200, Json(of::<RolloutView>))]),
    post("/v1/rollouts/{id}/pause", "Holds a rollout", |asked| {
        rollouts::change(asked.id(), WantedChange::Pause, asked.call, asked.state).boxed()
    })
    .needs(Command)
    .with_id(of::<RolloutId>)
    .answers(&[(200, Json(of::<RolloutView>))])
    .refuses(&[409]),
    post("/v1/rollouts/{id}/resume", "Lets a rollout go on", |asked| {
        rollouts::change(asked.id(), WantedChange::Resume, asked.call, asked.state).boxed()
    })
    .needs(Command)
    .with_id(of::<RolloutId>)
    .answers(&[(200, Json(of::<RolloutView>))])
    .refuses(&[409]),
    post("/v1/rollouts/{id}/stop", "Ends a rollout, and cancels what was not sent", |asked| {
        rollouts::change(asked.id(), WantedChange::Stop, asked.call, asked.state).boxed()
    })
    .needs(Command)
    .with_id(of::<RolloutId>)
    .answers(&[(200, Json(of::<RolloutView>))])
    .refuses(&[409]),
];
