//! The states of all targets of a command, one character each, for a page that draws thousands of targets.

use std::collections::BTreeSet;

use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
};
use jiff::Timestamp;
use muster_protocol::{
    CommandId,
    api::{CommandCells, TargetState},
};
use serde_json::json;

use super::{
    HttpState,
    answer::{Answer, Body, json, no_command},
    call::ApiCall,
    etag,
    reach::check_seen,
    request::{self, bad},
};
use crate::backplane::{CommandRecord, TargetQuery};

/// The most targets of a command whose cells are shown. The bound exists because the node reads each target from the
/// store.
const TARGETS_MAX: u64 = 10_000;
/// How many targets are read at once.
const PAGE: usize = 1000;

/// `GET /v1/commands/{id}/cells`, or 304 if no target has another state than in the answer whose tag the client sends.
pub async fn get(id: &str, request: &Request<Incoming>, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let id = request::command_id(id)?;
    let record = state.shared.backplane.command(id).await?.ok_or_else(|| no_command(id))?;
    let record = check_seen(record, &call.operator.limits, state).await?;
    let now = Timestamp::now();
    let targets = record.view(now).targets;
    if targets > TARGETS_MAX {
        return Err(bad(format!(
            "the command has {targets} targets, and of {TARGETS_MAX} at most the cells are shown; read GET /v1/commands/{id}/targets?state= \
             for those in a state"
        )));
    }
    let tag = tag(&record, now);
    if etag::is_known(request.headers(), &tag) {
        return Ok(etag::tagged(etag::not_modified(), tag));
    }
    let cells = read(id, &record, targets, now, state).await?;
    let is_whole = cells.partial == record.partial && cells.lost == record.lost;
    let answer = json(StatusCode::OK, &cells);
    // If a partition went away after the tag was made, its targets are missing here, so the answer must not have that
    // tag.
    Ok(if is_whole { etag::tagged(answer, tag) } else { untagged(answer) })
}

/// Returns the cells as they are now.
async fn read(
    id: CommandId,
    record: &CommandRecord,
    targets: u64,
    now: Timestamp,
    state: &HttpState,
) -> Result<CommandCells, Response<Body>> {
    let (mut cells, mut partial, mut lost) = (String::new(), BTreeSet::new(), BTreeSet::new());
    let mut query = TargetQuery { limit: PAGE, ..TargetQuery::default() };
    loop {
        let page = state.shared.backplane.targets(id, &query).await?;
        cells.extend(page.targets.iter().map(|target| record.shown(target.record.state, now).letter()));
        partial.extend(page.partial);
        lost.extend(page.lost);
        query.after = page.next;
        if query.after.is_none() || cells.len() as u64 > TARGETS_MAX {
            break;
        }
    }
    Ok(CommandCells { cells, targets, partial: partial.into_iter().collect(), lost: lost.into_iter().collect() })
}

/// Returns the tag of a command's cells. The counts of states identify the stored states, because a stored state only
/// rises. What is shown for a stored state depends also on the time, and on whether the command was cancelled.
fn tag(record: &CommandRecord, now: Timestamp) -> HeaderValue {
    let shown = [TargetState::Queued, TargetState::Acked].map(|stored| record.shown(stored, now));
    let CommandRecord { counts, unseen, partial, lost, lost_targets, .. } = record;
    let counts: Vec<_> = counts.iter().filter(|(_, count)| **count > 0).collect();
    let facts = json!([record.frame.id, shown, counts, unseen, partial, lost, lost_targets]);
    etag::of(facts.to_string().as_bytes())
}

fn untagged(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
