//! The list of commands.

use hyper::{Response, StatusCode};
use jiff::Timestamp;
use muster_protocol::{
    Selector,
    api::{CommandPage, CommandState, CommandView},
};

use super::{
    HttpState,
    answer::{Answer, Body, json},
    call::ApiCall,
    reach::{LISTED_NAMED_MAX, seen},
    request::{self, Limit},
};
use crate::backplane::{CommandQuery, CommandRecord};

/// The most terminals that a selector may name to be shown in the list.
const NAMED_MAX: usize = 100;
/// The most commands on a page for a limited key. The bound exists because the node looks up the terminals that the
/// commands name.
const LIMITED_PAGE: usize = 100;

/// `GET /v1/commands?state=open&name=show&by=ann&terminal=t1&limit=100&after=NEXT`
pub async fn commands(query: &str, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let (mut query, limits) = (parse(query)?, &call.operator.limits);
    if !limits.labels.is_empty() {
        query.limit = query.limit.min(LIMITED_PAGE);
    }
    let page = state.shared.backplane.commands(&query).await?;
    let now = Timestamp::now();
    let commands = seen(page.commands, limits, LISTED_NAMED_MAX, state).await?;
    let commands = commands.into_iter().map(|record| view(&record, now)).collect();
    let next = page.next.map(|next| next.to_string());
    Ok(json(StatusCode::OK, &CommandPage { commands, next, partial: page.partial }))
}

fn view(record: &CommandRecord, now: Timestamp) -> CommandView {
    let is_short = |target: &&Selector| !matches!(target, Selector::Terminals(ids) if ids.len() > NAMED_MAX);
    CommandView { target: Some(&record.request.target).filter(is_short).cloned(), ..record.view(now) }
}

pub(super) fn parse(text: &str) -> Result<CommandQuery, Response<Body>> {
    let (mut wanted, mut limit) = (CommandQuery::default(), Limit::default());
    let filter = &mut wanted.filter;
    request::query(text, |name, value| {
        match name {
            "name" => filter.name = Some(value.to_owned()),
            "by" => filter.by = Some(value.to_owned()),
            "terminal" => filter.terminal = Some(value.parse().map_err(|error| format!("{error}"))?),
            "state" => {
                let state = CommandState::of_name(value).ok_or("one of open, done, cancelled")?;
                filter.state = Some(state);
            }
            "after" => wanted.after = Some(value.parse().map_err(|error| format!("{error}"))?),
            "limit" => limit = value.parse()?,
            _ => {}
        }
        Ok(())
    })?;
    wanted.limit = limit.0;
    Ok(wanted)
}
