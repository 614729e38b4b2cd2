//! Commands: asked for, looked up, taken back, tried again.

use std::time::{Duration, Instant};

use hyper::{HeaderMap, Request, Response, StatusCode, body::Incoming};
use jiff::Timestamp;
use muster_protocol::{
    CommandId, Selector,
    api::{CommandRequest, CommandState, CommandView, Confirm, Offline},
};
use tokio::time;

use super::{
    Front,
    answer::{Answer, Body, json, problem},
    request::{self, bad},
    targets,
};
use crate::backplane::{Accepted, Draft, IdempotencyKey, Refusal, parcel};

/// Names are for people and for a terminal's switch.
const NAME_MAX: usize = 128;
/// The longest that an answer waits for a command to be done.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How often it is looked whether a command is done.
const LOOK: Duration = Duration::from_millis(25);
/// What became of each target is shown in the answer that waited, for so many.
const SHOWN: u64 = 100;

/// What a query may ask beside the command.
#[derive(Debug, Default)]
struct Options {
    wait: Option<Duration>,
    dry_run: bool,
}

/// `POST /v1/commands?wait=5s&dry_run=1`
pub async fn post(request: Request<Incoming>, front: &Front) -> Answer {
    let options = options(request.uri().query().unwrap_or_default())?;
    let (head, body) = request.into_parts();
    let bytes = request::body(body, front.shared.config.max_body).await?;
    let command: CommandRequest = request::json(&bytes, "command")?;
    check(&command)?;
    if options.dry_run {
        return Ok(json(StatusCode::OK, &front.shared.backplane.estimate(&command).await?));
    }
    let draft = Draft::new(command, key(&head.headers, &bytes)?);
    let view = accept(draft, front).await?;
    match options.wait {
        Some(wait) => answer_when_done(view, wait, front).await,
        None => Ok(json(StatusCode::ACCEPTED, &view)),
    }
}

/// `GET /v1/commands/{id}`
pub async fn get(id: &str, front: &Front) -> Answer {
    let id = request::command_id(id)?;
    Ok(json(StatusCode::OK, &find(id, front).await?))
}

/// `DELETE /v1/commands/{id}`
pub async fn cancel(id: &str, front: &Front) -> Answer {
    let id = request::command_id(id)?;
    if !front.shared.backplane.cancel(id).await? {
        return Err(unknown(id));
    }
    Ok(json(StatusCode::OK, &find(id, front).await?))
}

/// `POST /v1/commands/{id}/retry`: the same again for the targets that did not get, or do, what was asked.
pub async fn retry(id: &str, front: &Front) -> Answer {
    let id = request::command_id(id)?;
    let life = front.shared.backplane.command(id).await?.ok_or_else(|| unknown(id))?;
    let (targets, now) = (front.shared.backplane.targets(id).await?, Timestamp::now());
    let without = targets.into_iter().filter(|(_, target)| !life.succeeded(life.shown(target.state, now)));
    let terminals: Vec<_> = without.map(|(terminal, _)| terminal).collect();
    if terminals.is_empty() {
        return Err(problem(StatusCode::CONFLICT, format!("every target of command {id} got what was asked for")));
    }
    // Some may be offline by now; who asked for all of them did not name them one by one.
    let target = Selector::Terminals(terminals);
    let again = CommandRequest { target, offline: Offline::Queue, ..life.request };
    Ok(json(StatusCode::ACCEPTED, &accept(Draft::new(again, None), front).await?))
}

/// The command as it stands, or 404.
async fn find(id: CommandId, front: &Front) -> Result<CommandView, Response<Body>> {
    let life = front.shared.backplane.command(id).await?.ok_or_else(|| unknown(id))?;
    Ok(life.view(Timestamp::now()))
}

pub(super) fn unknown(id: CommandId) -> Response<Body> {
    problem(StatusCode::NOT_FOUND, format!("no command {id}, or it expired long ago (--keep)"))
}

async fn accept(draft: Draft, front: &Front) -> Result<CommandView, Response<Body>> {
    let direct = direct(&draft);
    match front.shared.backplane.accept(draft).await {
        Ok(Accepted::New(view)) => {
            front.shared.metrics.commands.inc();
            Ok(view)
        }
        Ok(Accepted::Before(id)) => find(id, front).await,
        Err(refusal @ Refusal::Unavailable(_)) => match direct {
            Some(direct) => direct.deliver(front).await.ok_or_else(|| refusal.into()),
            None => Err(refusal.into()),
        },
        Err(refusal) => Err(refusal.into()),
    }
}

/// A command that can do without the store: for one terminal, of which nothing is to be confirmed.
struct Direct {
    terminal: muster_protocol::TerminalId,
    command: muster_protocol::frame::Command,
    created_at: Timestamp,
}

fn direct(draft: &Draft) -> Option<Direct> {
    match &draft.request.target {
        Selector::Terminal(terminal) if draft.request.confirm == Confirm::None && draft.key.is_none() => {
            Some(Direct { terminal: terminal.clone(), command: draft.frame.clone(), created_at: draft.created_at })
        }
        _ => None,
    }
}

impl Direct {
    /// Sends it, if the terminal is on this node; the answer says that nothing is stored.
    async fn deliver(self, front: &Front) -> Option<CommandView> {
        let view = CommandView {
            id: self.command.id,
            name: self.command.name.clone(),
            state: CommandState::Done,
            targets: 1,
            counts: [(muster_protocol::api::TargetState::Sent, 1)].into(),
            created_at: self.created_at,
            expires_at: self.command.expires_at,
            stored: false,
            results: None,
        };
        let nowhere = crate::backplane::Cursor { epoch: String::new(), number: 0 };
        let parcel = parcel(self.command, &nowhere, false);
        front.shared.hub.direct(&self.terminal, parcel).await.then_some(view)
    }
}

/// 200 once the command is done, 202 if it is not within `wait`.
async fn answer_when_done(mut view: CommandView, wait: Duration, front: &Front) -> Answer {
    let deadline = Instant::now() + wait;
    while view.stored && view.state == CommandState::Open {
        if Instant::now() >= deadline {
            return Ok(json(StatusCode::ACCEPTED, &view));
        }
        time::sleep(LOOK).await;
        view = find(view.id, front).await?;
    }
    if view.stored && view.targets <= SHOWN {
        view.results = Some(targets::all(view.id, front).await?);
    }
    Ok(json(StatusCode::OK, &view))
}

fn check(command: &CommandRequest) -> Result<(), Response<Body>> {
    if command.name.is_empty() || command.name.len() > NAME_MAX {
        return Err(bad(format!("name must have 1 to {NAME_MAX} bytes")));
    }
    if command.expires_in.is_zero() {
        return Err(bad("expires_in must be longer than 0s"));
    }
    if command.stagger >= command.expires_in {
        return Err(bad("stagger must be shorter than expires_in: a terminal that waits longer would not run it"));
    }
    if command.rate.is_some_and(|rate| !(rate > 0.0 && rate.is_finite())) {
        return Err(bad("rate must be a number of targets a second, above 0"));
    }
    Ok(())
}

fn key(headers: &HeaderMap, body: &[u8]) -> Result<Option<IdempotencyKey>, Response<Body>> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().and_then(|key| IdempotencyKey::new(key, body));
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
            options.dry_run = matches!(value, "1" | "true");
            Ok(true)
        }
        _ => Ok(false),
    })?;
    Ok(options)
}
