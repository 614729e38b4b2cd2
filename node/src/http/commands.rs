//! Commands: creates them, shows them, cancels them, retries them.

use std::time::{Duration, Instant};

use hyper::{HeaderMap, Request, Response, StatusCode, body::Incoming};
use jiff::Timestamp;
use muster_protocol::{
    CommandId, Selector, TerminalId,
    api::{CommandRequest, CommandState, CommandView, Offline},
};

use super::{
    HttpState,
    answer::{Answer, Body, json, no_command, problem},
    command_bounds::{NAMED_MAX, check},
    direct::DirectCommand,
    request::{self, bad},
    targets,
};
use crate::backplane::{
    Accepted, BackplaneError, CommandDraft, CommandRecord, IdempotencyKey, TargetQuery, accepted_at, partition_names,
};

/// The longest `?wait=`.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// The number of targets that are read at once.
const RETRY_PAGE: usize = 1000;
/// An answer that waited shows the result of each target up to this number of targets.
const SHOWN: u64 = 100;

/// The query parameters of a new command.
#[derive(Debug, Default)]
struct Options {
    wait: Option<Duration>,
    dry_run: bool,
}

/// `POST /v1/commands?wait=5s&dry_run=1`
pub async fn post(request: Request<Incoming>, operator: &str, state: &HttpState) -> Answer {
    let options = options(request.uri().query().unwrap_or_default())?;
    let (head, body) = request.into_parts();
    let bytes = request::body(body, &state.shared.config).await?;
    let command: CommandRequest = request::json(&bytes, "command")?;
    check(&command)?;
    if options.dry_run {
        return Ok(json(StatusCode::OK, &state.shared.backplane.estimate(&command).await?));
    }
    let draft = CommandDraft::new(command, key(&head.headers, operator, &bytes)?).asked_by(operator);
    let view = accept(draft, state).await?;
    match options.wait {
        Some(wait) => answer_when_done(view, wait, state).await,
        None => Ok(json(StatusCode::ACCEPTED, &view)),
    }
}

/// `GET /v1/commands/{id}`
pub async fn get(id: &str, state: &HttpState) -> Answer {
    let id = request::command_id(id)?;
    let record = state.shared.backplane.command(id).await?.ok_or_else(|| no_command(id))?;
    Ok(json(StatusCode::OK, &record.full_view(Timestamp::now())))
}

/// `DELETE /v1/commands/{id}`
pub async fn cancel(id: &str, state: &HttpState) -> Answer {
    let id = request::command_id(id)?;
    let record = state.shared.backplane.cancel(id).await?.ok_or_else(|| no_command(id))?;
    Ok(json(StatusCode::OK, &record.view(Timestamp::now())))
}

/// `POST /v1/commands/{id}/retry`: sends the same command again to the targets that ended without the wanted state.
/// Targets that may still reach it are left alone. Which targets were lost with a part of the store is not known, so the answer has in `lost` the
/// partitions of the first command that lack them.
pub async fn retry(id: &str, headers: &HeaderMap, operator: &str, state: &HttpState) -> Answer {
    let key = key(headers, operator, id.as_bytes())?;
    let id = request::command_id(id)?;
    let record = state.shared.backplane.command(id).await?.ok_or_else(|| no_command(id))?;
    let terminals = failed_targets(&record, state).await?;
    if terminals.is_empty() {
        let mut detail = format!("no target of command {id} has ended without what was asked for");
        if !record.lost.is_empty() {
            detail += &format!(", as far as is known: the targets in {} are lost", partition_names(&record.lost));
        }
        return Err(problem(StatusCode::CONFLICT, detail));
    }
    let again = CommandRequest { target: Selector::Terminals(terminals), offline: Offline::Queue, ..record.request };
    let view = accept_known(again, key, operator, state).await?;
    Ok(json(StatusCode::ACCEPTED, &CommandView { lost: record.lost, ..view }))
}

/// The targets of a command that ended without the wanted state, each once.
async fn failed_targets(record: &CommandRecord, state: &HttpState) -> Result<Vec<TerminalId>, Response<Body>> {
    let (id, states) = (record.frame.id, Some(record.stored_failed(Timestamp::now())));
    let (mut terminals, mut query) = (Vec::new(), TargetQuery { states, after: None, limit: RETRY_PAGE });
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

/// Accepts the command for those terminals that were not forgotten meanwhile.
async fn accept_known(
    mut request: CommandRequest,
    key: Option<IdempotencyKey>,
    operator: &str,
    state: &HttpState,
) -> Result<CommandView, Response<Body>> {
    if let Err(BackplaneError::Unknown(gone)) = state.shared.backplane.estimate(&request).await
        && let Selector::Terminals(terminals) = &mut request.target
    {
        terminals.retain(|terminal| !gone.contains(terminal));
    }
    accept(CommandDraft::new(request, key).asked_by(operator), state).await
}

/// The command as it is now, or 404.
async fn find(id: CommandId, state: &HttpState) -> Result<CommandView, Response<Body>> {
    let record = state.shared.backplane.command(id).await?.ok_or_else(|| no_command(id))?;
    Ok(record.view(Timestamp::now()))
}

/// A command of which nothing is stored but its id.
fn forgotten(id: CommandId, name: String) -> CommandView {
    let created_at = accepted_at(id);
    CommandView {
        id,
        name,
        state: CommandState::Done,
        targets: 0,
        counts: Default::default(),
        created_at,
        expires_at: created_at,
        stored: false,
        by: None,
        target: None,
        payload: None,
        payload_base64: None,
        results: None,
        partial: Vec::new(),
        lost: Vec::new(),
    }
}

async fn accept(draft: CommandDraft, state: &HttpState) -> Result<CommandView, Response<Body>> {
    let (direct, name) = (DirectCommand::of(&draft), draft.request.name.clone());
    match state.shared.backplane.accept(draft).await {
        Ok(Accepted::New(view)) => {
            state.shared.metrics.commands.inc();
            Ok(*view)
        }
        Ok(Accepted::Before(id)) => {
            let record = state.shared.backplane.command(id).await.map_err(BackplaneError::after_a_change)?;
            Ok(record.map_or_else(|| forgotten(id, name), |record| record.view(Timestamp::now())))
        }
        Err(refusal) if refusal.is_away() => match direct {
            Some(direct) => direct.deliver(state).await.ok_or_else(|| refusal.into()),
            None => Err(refusal.into()),
        },
        Err(refusal) => Err(refusal.into()),
    }
}

/// 200 once the command is done. 202 if it is not done within `wait`, or if the store can't tell.
async fn answer_when_done(mut view: CommandView, wait: Duration, state: &HttpState) -> Answer {
    let deadline = Instant::now() + wait;
    while view.stored && view.state == CommandState::Open {
        let rest = deadline.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return Ok(json(StatusCode::ACCEPTED, &view));
        }
        // A command that expires is done, and nobody says so at that moment.
        let expires = Duration::try_from(view.expires_at.duration_since(Timestamp::now())).unwrap_or_default();
        state.shared.backplane.wait(view.id, rest.min(expires + Duration::from_millis(1))).await;
        match find(view.id, state).await {
            Ok(now) => view = now,
            Err(_) => return Ok(json(StatusCode::ACCEPTED, &view)),
        }
    }
    if view.stored && view.targets <= SHOWN {
        view.results = targets::all(view.id, SHOWN as usize, state).await.ok();
    }
    Ok(json(StatusCode::OK, &view))
}

fn key(headers: &HeaderMap, operator: &str, body: &[u8]) -> Result<Option<IdempotencyKey>, Response<Body>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().and_then(|key| IdempotencyKey::new(operator, key, body));
    let wanted = format!("Idempotency-Key must be 1 to {} visible ASCII characters", IdempotencyKey::MAX);
    key.map(Some).ok_or_else(|| bad(wanted))
}

fn options(text: &str) -> Result<Options, Response<Body>> {
    let mut options = Options::default();
    request::query(text, |name, value| match name {
        "wait" => {
            let wait = humantime::parse_duration(value).map_err(|error| error.to_string())?;
            options.wait = Some(wait.min(WAIT_MAX));
            Ok(true)
        }
        "dry_run" => {
            options.dry_run = match value {
                "1" | "true" => true,
                "0" | "false" => false,
                _ => return Err("1 or 0".into()),
            };
            Ok(true)
        }
        _ => Ok(false),
    })?;
    Ok(options)
}
