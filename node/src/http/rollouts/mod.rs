//! Rollouts: makes, shows, pauses, resumes and stops them. They are carried on by [`rollout`](crate::rollout).

mod bounds;
mod change;
mod view;

use hyper::{Request, Response, StatusCode, body::Incoming};
use jiff::Timestamp;
use muster_protocol::{
    RolloutId, Selector,
    api::{CommandRequest, Offline, RolloutPage, RolloutRequest},
};
use uuid::Uuid;

pub use self::change::{WantedChange, change};
use super::{
    HttpState,
    answer::{Answer, Body, json, problem},
    call::ApiCall,
    commands::key,
    reach,
    request::{self, Limit, bad},
    saved_selectors::expanded_target,
};
use crate::{
    backplane::{BackplaneError, CreatedRollout, RolloutDraft, RolloutPlace, RolloutRecord, StoredRollout},
    rollout::TARGETS_MAX,
};

/// The most rollouts on a page: each is read as a whole.
const PAGE_MAX: usize = 50;

/// `POST /v1/rollouts`
pub async fn post(request: Request<Incoming>, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let (head, body) = request.into_parts();
    let bytes = call.body(body, state).await?;
    let mut asked: RolloutRequest = request::json(&bytes, "rollout")?;
    match &asked.target {
        Selector::Terminal(id) => call.note_terminals(std::slice::from_ref(id)),
        Selector::Terminals(ids) => call.note_terminals(ids),
        _ => {}
    }
    bounds::check(&asked, Timestamp::now())?;
    reach::check_name(&asked.command.name, &call.operator.limits)?;
    asked.target = expanded_target(asked.target, state).await?;
    let targets = check_targets(&asked, state).await?;
    let id = RolloutId(Uuid::now_v7());
    let record = RolloutRecord::new(id, asked, &call.operator.name, Timestamp::now());
    let draft = RolloutDraft { record, key: key(&head.headers, &call.operator, &bytes)? };
    let id = match state.shared.backplane.create_rollout(&draft).await? {
        CreatedRollout::New => id,
        CreatedRollout::Before(before) => {
            call.note(|record| record.repeated = true);
            before
        }
    };
    call.note(|record| (record.subject, record.targets) = (Some(id.to_string()), Some(targets)));
    let stored = state.shared.backplane.rollout(id).await.map_err(BackplaneError::after_a_change)?;
    // A key is stored for longer than a rollout may be.
    let record = match stored {
        Some(stored) => stored.record,
        None if id == draft.record.id => draft.record,
        None => return Err(no_rollout(id)),
    };
    Ok(json(StatusCode::CREATED, &view::full(&record, state).await.map_err(BackplaneError::after_a_change)?))
}

/// `GET /v1/rollouts?limit=&after=`: newest first.
pub async fn list(query: &str, state: &HttpState) -> Answer {
    let (mut after, mut limit) = (None::<RolloutPlace>, Limit::default());
    request::query(query, |name, value| {
        match name {
            "after" => after = Some(value.parse().map_err(|error: BackplaneError| error.to_string())?),
            "limit" => limit = value.parse()?,
            _ => {}
        }
        Ok(())
    })?;
    let page = state.shared.backplane.rollouts(after, limit.0.min(PAGE_MAX)).await?;
    let rollouts = page.rollouts.iter().map(view::brief).collect();
    Ok(json(StatusCode::OK, &RolloutPage { rollouts, next: page.next.map(|next| next.to_string()) }))
}

/// `GET /v1/rollouts/{id}`
pub async fn get(id: &str, state: &HttpState) -> Answer {
    let stored = find(rollout_id(id)?, state).await?;
    Ok(json(StatusCode::OK, &view::full(&stored.record, state).await?))
}

/// The number of terminals that a rollout would be for now.
///
/// # Errors
/// As for a command: 404 if it names a terminal that is not known, 409 if it starts at once and selects nobody. 400 if it selects too many.
async fn check_targets(asked: &RolloutRequest, state: &HttpState) -> Result<u64, Response<Body>> {
    let request = command_of(asked);
    let targets = state.shared.backplane.estimate(&request).await?.targets;
    if targets == 0 && asked.start_at.is_none() {
        return Err(BackplaneError::Nobody.into());
    }
    if targets > TARGETS_MAX {
        let detail = format!(
            "target: {targets} terminals are selected, and a rollout has at most {TARGETS_MAX}; make one for each part of them"
        );
        return Err(bad(detail));
    }
    Ok(targets)
}

/// The command of a rollout as if it went to all targets at once.
fn command_of(asked: &RolloutRequest) -> CommandRequest {
    let command = &asked.command;
    CommandRequest {
        target: asked.target.clone(),
        name: command.name.clone(),
        payload: command.payload.clone(),
        expires_in: command.expires_in.unwrap_or(asked.advance.within),
        confirm: command.confirm,
        offline: Offline::Queue,
        stagger: command.stagger,
        rate: None,
    }
}

fn rollout_id(text: &str) -> Result<RolloutId, Response<Body>> {
    text.parse().map_err(|_| bad("a rollout id is a UUID, as POST /v1/rollouts gave it"))
}

async fn find(id: RolloutId, state: &HttpState) -> Result<StoredRollout, Response<Body>> {
    let found = state.shared.backplane.rollout(id).await?;
    found.ok_or_else(|| no_rollout(id))
}

fn no_rollout(id: RolloutId) -> Response<Body> {
    problem(StatusCode::NOT_FOUND, format!("no rollout {id}, or it ended long ago (--keep)"))
}
