//! Operators: their keys and sessions, what was revoked, and what was changed by whom.

use futures_util::{FutureExt, future::ready};
use muster_protocol::{
    api::{
        AuditPage, EndedRevocation, KeyPage, KeyRequest, NewKey, OperatorSession, Revocation, RevocationPage,
        RevocationRequest, RevokedKey,
    },
    token::Scope::{Admin, Read},
};
use uuid::Uuid;

use super::{
    Route,
    content::{AnswerContent::Json, of},
    delete, get,
    parameter::{AFTER, BEFORE, BY, COMMAND, KEY, LIMIT, TERMINAL},
    post,
};
use crate::http::{audit, keys, revocations, sign_in};

pub const ROUTES: &[Route] = &[
    post("/v1/keys", "Makes an operator's key", |asked| keys::post(asked.request, asked.call, asked.state).boxed())
        .needs(Admin)
        .within_reach()
        .reads(of::<KeyRequest>)
        .answers(&[(201, Json(of::<NewKey>))])
        .refuses(&[501]),
    get("/v1/keys", "Lists keys, those first that expire first", |asked| {
        keys::list(asked.query, asked.call, asked.state).boxed()
    })
    .needs(Admin)
    .within_reach()
    .takes(&[LIMIT, AFTER])
    .answers(&[(200, Json(of::<KeyPage>))]),
    delete("/v1/keys/{id}", "Revokes a key", |asked| keys::revoke(asked.id(), asked.call, asked.state).boxed())
        .needs(Admin)
        .within_reach()
        .with_id(of::<String>)
        .answers(&[(200, Json(of::<RevokedKey>))]),
    post("/v1/session", "Trades a key for a token of 15 minutes", |asked| {
        ready(sign_in::post(&asked.request, asked.call, asked.state)).boxed()
    })
    .needs(Read)
    .within_reach()
    .answers(&[(201, Json(of::<OperatorSession>))])
    .refuses(&[501]),
    post("/v1/revocations", "Refuses tokens or keys that have not expired", |asked| {
        revocations::post(asked.request, asked.call, asked.state).boxed()
    })
    .needs(Admin)
    .reads(of::<RevocationRequest>)
    .answers(&[(201, Json(of::<Revocation>))]),
    get("/v1/revocations", "Lists revocations, the newest first", |asked| {
        revocations::list(asked.query, asked.state).boxed()
    })
    .needs(Admin)
    .takes(&[LIMIT, AFTER])
    .answers(&[(200, Json(of::<RevocationPage>))]),
    delete("/v1/revocations/{id}", "Takes a revocation back", |asked| {
        revocations::take_back(asked.id(), asked.state).boxed()
    })
    .needs(Admin)
    .with_id(of::<Uuid>)
    .answers(&[(200, Json(of::<EndedRevocation>))]),
    get("/v1/audit", "Shows who changed what, the newest first", |asked| audit::list(asked.query, asked.state).boxed())
        .needs(Admin)
        .takes(&[BY, KEY, TERMINAL, COMMAND, BEFORE, LIMIT])
        .answers(&[(200, Json(of::<AuditPage>))]),
];
