//! The targets of a command, and the state of each.

use hyper::{Response, StatusCode};
use jiff::Timestamp;
use muster_protocol::{
    CommandId,
    api::{TargetPage, TargetState, TargetView},
};

use super::{
    HttpState,
    answer::{Answer, Body, json, no_command},
    call::ApiCall,
    reach::check_seen,
    request::{self, Limit},
};
use crate::backplane::{CommandRecord, FoundTarget, TargetQuery};

/// Which targets to show.
#[derive(Debug, Default)]
struct Wanted {
    state: Option<TargetState>,
    after: Option<String>,
    limit: Limit,
}

/// `GET /v1/commands/{id}/targets?state=acked&limit=100&after=NEXT`
pub async fn list(id: &str, query: &str, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let (id, wanted) = (request::command_id(id)?, wanted(query)?);
    let record = state.shared.backplane.command(id).await?.ok_or_else(|| no_command(id))?;
    let record = check_seen(record, &call.operator.limits, state).await?;
    let now = Timestamp::now();
    let states = wanted.state.map(|state| record.stored_as(state, now));
    let query = TargetQuery { states, after: wanted.after, limit: wanted.limit.0 };
    let page = state.shared.backplane.targets(id, &query).await?;
    let targets = views(&record, page.targets, now);
    Ok(json(StatusCode::OK, &TargetPage { targets, next: page.next, partial: page.partial, lost: page.lost }))
}

/// Returns all targets of a command that has at most `limit`, in the order of their ids.
pub async fn all(id: CommandId, limit: usize, state: &HttpState) -> Result<Vec<TargetView>, Response<Body>> {
    let record = state.shared.backplane.command(id).await?.ok_or_else(|| no_command(id))?;
    let (mut targets, mut query) = (Vec::new(), TargetQuery { limit, ..Default::default() });
    loop {
        let page = state.shared.backplane.targets(id, &query).await?;
        targets.extend(page.targets);
        query.after = page.next;
        if query.after.is_none() || targets.len() >= limit {
            break;
        }
    }
    targets.sort_unstable_by(|one, other| one.terminal.cmp(&other.terminal));
    Ok(views(&record, targets, Timestamp::now()))
}

fn views(record: &CommandRecord, targets: Vec<FoundTarget>, now: Timestamp) -> Vec<TargetView> {
    let view = |target: FoundTarget| record.target_view(target.terminal, &target.record, target.reply, now);
    targets.into_iter().map(view).collect()
}

fn wanted(text: &str) -> Result<Wanted, Response<Body>> {
    let mut wanted = Wanted::default();
    request::query(text, |name, value| {
        match name {
            "state" => wanted.state = Some(state(value)?),
            "after" => wanted.after = Some(value.to_owned()),
            "limit" => wanted.limit = value.parse()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(wanted)
}

fn state(name: &str) -> Result<TargetState, String> {
    let names = || TargetState::ALL.map(TargetState::name).join(", ");
    TargetState::of_name(name).ok_or_else(|| format!("one of {}", names()))
}
