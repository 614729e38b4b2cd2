//! Terminals, and the fleet that they are.

use futures_util::FutureExt;
use muster_protocol::{
    api::{ChangedTerminal, FleetHistory, FleetView, TerminalHistory, TerminalPage, TerminalView},
    selector::Labels,
    token::Scope::{Admin, Read},
};

use super::{
    Route,
    content::{AnswerContent::Json, of},
    delete, get,
    parameter::{AFTER, LIMIT, MATCH, MINUTES, PREFIX, SELECTOR, STATUS},
    put,
};
use crate::http::{fleet, terminals};

pub const ROUTES: &[Route] = &[
    get("/v1/terminals", "Lists terminals in the order of their ids", |asked| {
        terminals::list(asked.query, asked.call, asked.state).boxed()
    })
    .needs(Read)
    .within_reach()
    .takes(&[STATUS, MATCH, SELECTOR, PREFIX, LIMIT, AFTER])
    .answers(&[(200, Json(of::<TerminalPage>))]),
    get("/v1/terminals/{id}", "Shows a terminal", |asked| terminals::get(asked.id(), asked.call, asked.state).boxed())
        .needs(Read)
        .within_reach()
        .of_terminal()
        .answers(&[(200, Json(of::<TerminalView>))]),
    delete("/v1/terminals/{id}", "Forgets a terminal, which stays away", |asked| {
        terminals::forget(asked.id(), asked.call, asked.state).boxed()
    })
    .needs(Admin)
    .within_reach()
    .of_terminal()
    .answers(&[(200, Json(of::<ChangedTerminal>))]),
    get("/v1/terminals/{id}/history", "Shows the last changes of a terminal, the newest first", |asked| {
        terminals::history(asked.id(), asked.call, asked.state).boxed()
    })
    .needs(Read)
    .within_reach()
    .of_terminal()
    .answers(&[(200, Json(of::<TerminalHistory>))]),
    put("/v1/terminals/{id}/labels", "Sets the labels that operators give a terminal", |asked| {
        terminals::label(asked.id(), asked.request, asked.call, asked.state).boxed()
    })
    .needs(Admin)
    .within_reach()
    .of_terminal()
    .reads(of::<Labels>)
    .answers(&[(200, Json(of::<TerminalView>))]),
    delete("/v1/terminals/{id}/session", "Closes the session of a terminal, which comes back", |asked| {
        terminals::disconnect(asked.id(), asked.call, asked.state).boxed()
    })
    .needs(Admin)
    .within_reach()
    .of_terminal()
    .answers(&[(202, Json(of::<ChangedTerminal>))])
    .refuses(&[409]),
    get("/v1/fleet", "Counts terminals by status, condition, node and label", |asked| {
        fleet::counts(asked.state).boxed()
    })
    .needs(Read)
    .answers(&[(200, Json(of::<FleetView>))]),
    get("/v1/fleet/history", "Shows the fleet minute by minute, up to a day", |asked| {
        fleet::history(asked.query, asked.state).boxed()
    })
    .needs(Read)
    .takes(&[MINUTES])
    .answers(&[(200, Json(of::<FleetHistory>))]),
];
