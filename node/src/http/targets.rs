//! The targets of a command, and the state of each.

use hyper::{Response, StatusCode};
use jiff::Timestamp;
use muster_protocol::{
    CommandId, TerminalId,
    api::{TargetPage, TargetState, TargetView},
};

use super::{
    HttpState,
    answer::{Answer, Body, json, no_command},
    request::{self, Limit},
};
use crate::backplane::{CommandRecord, TargetList, TargetRecord};

/// Which targets to show.
#[derive(Debug, Default)]
struct Wanted {
    state: Option<TargetState>,
    after: Option<TerminalId>,
    limit: Limit,
}

/// `GET /v1/commands/{id}/targets?state=acked&limit=100&after=ID`
pub async fn list(id: &str, query: &str, state: &HttpState) -> Answer {
    let (id, wanted) = (request::command_id(id)?, wanted(query)?);
    let record = state.shared.backplane.command(id).await?.ok_or_else(|| no_command(id))?;
    let now = Timestamp::now();
    let is_wanted = |(terminal, target): &(TerminalId, TargetRecord)| {
        let state = wanted.state.is_none_or(|state| record.shown(target.state, now) == state);
        state && wanted.after.as_ref().is_none_or(|after| terminal > after)
    };
    let TargetList { targets: all, partial } = state.shared.backplane.targets(id).await?;
    let mut page: Vec<_> = all.into_iter().filter(is_wanted).take(wanted.limit.0 + 1).collect();
    let more = page.len() > wanted.limit.0;
    page.truncate(wanted.limit.0);
    let next = if more { page.last().map(|(terminal, _)| terminal.clone()) } else { None };
    Ok(json(StatusCode::OK, &TargetPage { targets: views(&record, page, state).await?, next, partial }))
}

/// All targets, for a command that has few.
pub async fn all(id: CommandId, state: &HttpState) -> Result<Vec<TargetView>, Response<Body>> {
    let record = state.shared.backplane.command(id).await?.ok_or_else(|| no_command(id))?;
    let list = state.shared.backplane.targets(id).await?;
    views(&record, list.targets, state).await
}

async fn views(
    record: &CommandRecord,
    targets: Vec<(TerminalId, TargetRecord)>,
    state: &HttpState,
) -> Result<Vec<TargetView>, Response<Body>> {
    let terminals: Vec<_> = targets.iter().map(|(terminal, _)| terminal.clone()).collect();
    let replies = state.shared.backplane.replies(record.frame.id, &terminals).await?;
    let (rows, now) = (targets.into_iter().zip(replies), Timestamp::now());
    Ok(rows.map(|((terminal, target), reply)| record.target_view(terminal, &target, reply, now)).collect())
}

fn wanted(text: &str) -> Result<Wanted, Response<Body>> {
    let mut wanted = Wanted::default();
    request::query(text, |name, value| {
        match name {
            "state" => wanted.state = Some(state(value)?),
            "after" => wanted.after = Some(value.parse().map_err(|error| format!("{error}"))?),
            "limit" => wanted.limit = value.parse()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(wanted)
}

fn state(name: &str) -> Result<TargetState, String> {
    let names = || TargetState::ALL.map(TargetState::name).join(", ");
    TargetState::of_name(name).ok_or_else(|| format!("one of {}", names()))
}
