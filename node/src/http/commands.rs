//! Commands: creates them, shows them, cancels them.

use std::time::{Duration, Instant};

use hyper::{HeaderMap, Request, Response, StatusCode, body::Incoming};
use jiff::Timestamp;
use muster_protocol::{
    CommandId, Selector,
    api::{CommandRequest, CommandState, CommandView},
};

use super::{
    HttpState,
    answer::{Answer, Body, json, no_command},
    call::ApiCall,
    command_bounds::check,
    direct::DirectCommand,
    reach,
    request::{self, bad},
    saved_selectors::expanded_target,
    targets,
};
use crate::{
    auth::VerifiedOperator,
    backplane::{Accepted, BackplaneError, CommandDraft, IdempotencyKey, accepted_at},
};

/// The longest `?wait=`.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// The most targets of a command whose results are shown in an answer that waited.
const SHOWN: u64 = 100;

/// The query parameters of a new command.
#[derive(Debug, Default)]
struct Options {
    wait: Option<Duration>,
    dry_run: bool,
}

/// `POST /v1/commands?wait=5s&dry_run=1`
pub async fn post(request: Request<Incoming>, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let options = options(request.uri().query().unwrap_or_default())?;
    if options.dry_run {
        call.leave_no_record();
    }
    let (head, body) = request.into_parts();
    let bytes = call.body(body, state).await?;
    let mut command: CommandRequest = request::json(&bytes, "command")?;
    match &command.target {
        Selector::Terminal(id) => call.note_terminals(std::slice::from_ref(id)),
        Selector::Terminals(ids) => call.note_terminals(ids),
        Selector::All | Selector::Labels(_) | Selector::Match(_) => {}
    }
    check(&command)?;
    command.target = expanded_target(command.target, state).await?;
    let command = reach::narrowed(command, call, state).await?;
    if options.dry_run {
        return Ok(json(StatusCode::OK, &state.shared.backplane.estimate(&command).await?));
    }
    let operator = &call.operator;
    let draft = CommandDraft::new(command, key(&head.headers, operator, &bytes)?).asked_by(&operator.name);
    let view = accept(draft, call, state).await?;
    match options.wait {
        Some(wait) => answer_when_done(view, wait, state).await,
        None => Ok(json(StatusCode::ACCEPTED, &view)),
    }
}

/// `GET /v1/commands/{id}`
pub async fn get(id: &str, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let id = request::command_id(id)?;
    let record = state.shared.backplane.command(id).await?.ok_or_else(|| no_command(id))?;
    let record = reach::check_seen(record, &call.operator.limits, state).await?;
    Ok(json(StatusCode::OK, &record.full_view(Timestamp::now())))
}

/// `DELETE /v1/commands/{id}`
pub async fn cancel(id: &str, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let (id, limits) = (request::command_id(id)?, &call.operator.limits);
    if !limits.is_empty() {
        let record = state.shared.backplane.command(id).await?.ok_or_else(|| no_command(id))?;
        reach::check_name(&reach::check_seen(record, limits, state).await?.request.name, limits)?;
    }
    let record = state.shared.backplane.cancel(id).await?.ok_or_else(|| no_command(id))?;
    let view = record.view(Timestamp::now());
    call.note(|record| record.targets = Some(view.targets));
    Ok(json(StatusCode::OK, &view))
}

/// Returns the command as it is now. Fails with 404 if it is not stored.
async fn find(id: CommandId, state: &HttpState) -> Result<CommandView, Response<Body>> {
    let record = state.shared.backplane.command(id).await?.ok_or_else(|| no_command(id))?;
    Ok(record.view(Timestamp::now()))
}

/// Returns the view of a command of which only the id is still stored.
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

/// Accepts a command, and notes it in the audit record.
pub async fn accept(draft: CommandDraft, call: &ApiCall<'_>, state: &HttpState) -> Result<CommandView, Response<Body>> {
    let accepted = accept_unnoted(draft, call, state).await;
    if let Ok(view) = &accepted {
        call.note(|record| (record.command, record.targets) = (Some(view.id), Some(view.targets)));
    }
    accepted
}

async fn accept_unnoted(
    draft: CommandDraft,
    call: &ApiCall<'_>,
    state: &HttpState,
) -> Result<CommandView, Response<Body>> {
    let (direct, name) = (DirectCommand::of(&draft), draft.request.name.clone());
    match state.shared.backplane.accept(draft).await {
        Ok(Accepted::New(view)) => {
            state.shared.metrics.commands.inc();
            Ok(*view)
        }
        Ok(Accepted::Before(id)) => {
            call.note(|record| (record.command, record.repeated) = (Some(id), true));
            let record = state.shared.backplane.command(id).await.map_err(BackplaneError::after_a_change)?;
            Ok(record.map_or_else(|| forgotten(id, name), |record| record.view(Timestamp::now())))
        }
        Err(refusal) if refusal.is_away() => match direct {
            Some(direct) => direct.deliver(state).await.ok_or_else(|| refusal.into()),
            None => Err(refusal.into()),
        },
        Err(refusal) => {
            if let BackplaneError::Unfinished(id, _) = &refusal {
                call.note(|record| record.command = Some(*id));
            }
            Err(refusal.into())
        }
    }
}

/// Answers 200 once the command is done; 202 if it is not done within `wait`, or if the store can't tell.
async fn answer_when_done(mut view: CommandView, wait: Duration, state: &HttpState) -> Answer {
    let deadline = Instant::now() + wait;
    while view.stored && view.state == CommandState::Open {
        let rest = deadline.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return Ok(json(StatusCode::ACCEPTED, &view));
        }
        // A command is done when it expires, but nothing wakes the wait at that moment.
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

/// Returns the idempotency key of a request, if the request has one.
///
/// # Errors
/// 400 if the header is no valid key.
pub fn key(
    headers: &HeaderMap,
    operator: &VerifiedOperator,
    body: &[u8],
) -> Result<Option<IdempotencyKey>, Response<Body>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().and_then(|key| IdempotencyKey::new(&operator.requester(), key, body));
    let wanted = format!("Idempotency-Key must be 1 to {} visible ASCII characters", IdempotencyKey::MAX);
    key.map(Some).ok_or_else(|| bad(wanted))
}

fn options(text: &str) -> Result<Options, Response<Body>> {
    let mut options = Options::default();
    request::query(text, |name, value| {
        match name {
            "wait" => {
                let wait = humantime::parse_duration(value).map_err(|error| error.to_string())?;
                options.wait = Some(wait.min(WAIT_MAX));
            }
            "dry_run" => {
                options.dry_run = match value {
                    "1" | "true" => true,
                    "0" | "false" => false,
                    _ => return Err("1 or 0".into()),
                };
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(options)
}
