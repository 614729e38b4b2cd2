//! Sends a command again to the targets that ended without the wanted state.

use hyper::{HeaderMap, Response, StatusCode};
use jiff::Timestamp;
use muster_protocol::{
    Selector, TerminalId,
    api::{CommandRequest, CommandView, Offline},
};

use super::{
    HttpState,
    answer::{Answer, Body, json, no_command, problem},
    call::ApiCall,
    command_bounds::NAMED_MAX,
    commands::{accept, key},
    reach, request,
};
use crate::backplane::{BackplaneError, CommandDraft, CommandRecord, IdempotencyKey, TargetQuery, partition_names};

/// How many targets are read at once.
const PAGE: usize = 1000;

/// `POST /v1/commands/{id}/retry`: sends the same command again to the targets that ended without the wanted state.
/// Leaves out targets that may still reach that state. Targets that were lost with a part of the store are not known,
/// so the answer names in `lost` the partitions that lost targets of the first command.
pub async fn retry(id: &str, headers: &HeaderMap, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let key = key(headers, &call.operator, id.as_bytes())?;
    let id = request::command_id(id)?;
    call.note(|record| record.subject = Some(id.to_string()));
    let record = state.shared.backplane.command(id).await?.ok_or_else(|| no_command(id))?;
    let record = reach::check_seen(record, &call.operator.limits, state).await?;
    let terminals = failed_targets(&record, state).await?;
    if terminals.is_empty() {
        let mut detail = format!("no target of command {id} has ended without what was asked for");
        if !record.lost.is_empty() {
            detail += &format!(", as far as is known: the targets in {} are lost", partition_names(&record.lost));
        }
        return Err(problem(StatusCode::CONFLICT, detail));
    }
    let again = CommandRequest { target: Selector::Terminals(terminals), offline: Offline::Queue, ..record.request };
    let view = accept_known(again, key, call, state).await?;
    Ok(json(StatusCode::ACCEPTED, &CommandView { lost: record.lost, ..view }))
}

/// Returns the targets of a command that ended without the wanted state, each once. Fails with 503 if a partition is
/// away, and with 409 if they are too many.
async fn failed_targets(record: &CommandRecord, state: &HttpState) -> Result<Vec<TerminalId>, Response<Body>> {
    let (id, states) = (record.frame.id, Some(record.stored_failed(Timestamp::now())));
    let (mut terminals, mut query) = (Vec::new(), TargetQuery { states, after: None, limit: PAGE });
    loop {
        let page = state.shared.backplane.targets(id, &query).await?;
        if !page.partial.is_empty() {
            let reason = "it is not known which of their targets to try again".into();
            return Err(BackplaneError::Away(page.partial, reason).into());
        }
        terminals.extend(page.targets.into_iter().map(|target| target.terminal));
        if terminals.len() > NAMED_MAX {
            let detail = format!(
                "more than {NAMED_MAX} targets of command {id} have ended without what was asked for; send a new command by labels, \
                 or to those that GET /v1/commands/{id}/targets shows"
            );
            return Err(problem(StatusCode::CONFLICT, detail));
        }
        query.after = page.next;
        if query.after.is_none() {
            terminals.sort_unstable();
            terminals.dedup();
            return Ok(terminals);
        }
    }
}

/// Accepts the command for the terminals that were not forgotten meanwhile.
async fn accept_known(
    mut request: CommandRequest,
    key: Option<IdempotencyKey>,
    call: &ApiCall<'_>,
    state: &HttpState,
) -> Result<CommandView, Response<Body>> {
    if let Err(BackplaneError::Unknown(gone)) = state.shared.backplane.estimate(&request).await
        && let Selector::Terminals(terminals) = &mut request.target
    {
        terminals.retain(|terminal| !gone.contains(terminal));
    }
    let request = reach::narrowed(request, call, state).await?;
    accept(CommandDraft::new(request, key).asked_by(&call.operator.name), call, state).await
}
