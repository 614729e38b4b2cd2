//! Commands.

use futures_util::FutureExt;
use muster_protocol::{
    api::{CommandCells, CommandPage, CommandRequest, CommandView, DryRun, TargetPage},
    token::Scope::{Command, Read},
};

use super::{
    Route,
    content::{
        AnswerContent::{Empty, Json},
        either, of,
    },
    delete, get,
    parameter::{
        AFTER, BY, COMMAND_NAME, COMMAND_STATE, DRY_RUN, IDEMPOTENCY_KEY, IF_NONE_MATCH, LIMIT, TARGET_STATE, TERMINAL,
        WAIT,
    },
    post,
};
use crate::http::{cells, commands, list, retry, targets};

pub const ROUTES: &[Route] = &[
    post("/v1/commands", "Sends a command", |asked| commands::post(asked.request, asked.call, asked.state).boxed())
        .needs(Command)
        .within_reach()
        .takes(&[WAIT, DRY_RUN])
        .hears(&[IDEMPOTENCY_KEY])
        .reads(of::<CommandRequest>)
        .answers(&[(202, Json(of::<CommandView>)), (200, Json(either::<CommandView, DryRun>))])
        .refuses(&[404, 409, 422]),
    get("/v1/commands", "Lists the commands that are stored, the newest first", |asked| {
        list::commands(asked.query, asked.call, asked.state).boxed()
    })
    .needs(Read)
    .within_reach()
    .takes(&[COMMAND_STATE, COMMAND_NAME, BY, TERMINAL, LIMIT, AFTER])
    .answers(&[(200, Json(of::<CommandPage>))]),
    get("/v1/commands/{id}", "Shows a command as it stands", |asked| {
        commands::get(asked.id(), asked.call, asked.state).boxed()
    })
    .needs(Read)
    .within_reach()
    .of_command()
    .answers(&[(200, Json(of::<CommandView>))]),
    delete("/v1/commands/{id}", "Cancels a command where it was not sent yet", |asked| {
        commands::cancel(asked.id(), asked.call, asked.state).boxed()
    })
    .needs(Command)
    .within_reach()
    .of_command()
    .answers(&[(200, Json(of::<CommandView>))]),
    get("/v1/commands/{id}/targets", "Lists the targets of a command, with the state of each", |asked| {
        targets::list(asked.id(), asked.query, asked.call, asked.state).boxed()
    })
    .needs(Read)
    .within_reach()
    .of_command()
    .takes(&[TARGET_STATE, LIMIT, AFTER])
    .answers(&[(200, Json(of::<TargetPage>))]),
    get("/v1/commands/{id}/cells", "Shows the states of all targets, one character each", |asked| {
        async move { cells::get(asked.id(), &asked.request, asked.call, asked.state).await }.boxed()
    })
    .needs(Read)
    .within_reach()
    .of_command()
    .hears(&[IF_NONE_MATCH])
    .answers(&[(200, Json(of::<CommandCells>)), (304, Empty)]),
    post(
        "/v1/commands/{id}/retry",
        "Sends a command again to the targets that ended without what was asked for",
        |asked| async move { retry::retry(asked.id(), asked.request.headers(), asked.call, asked.state).await }.boxed(),
    )
    .needs(Command)
    .within_reach()
    .of_command()
    .hears(&[IDEMPOTENCY_KEY])
    .answers(&[(202, Json(of::<CommandView>))])
    .refuses(&[409, 422]),
];
