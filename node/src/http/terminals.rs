//! Terminals of the registry.

use hyper::{Request, Response, StatusCode, body::Incoming};
use muster_protocol::{
    TerminalId,
    api::{ChangedTerminal, Status, TerminalPage},
    selector::{InvalidMatch, Labels, MatchExpression, check_labels},
};

use super::{
    HttpState,
    answer::{Answer, Body, json, problem},
    call::ApiCall,
    reach::{self, unknown},
    request::{self, Limit, bad, terminal_id},
    saved_selectors::expanded,
};
use crate::{auth::written, backplane::TerminalQuery};

/// `GET /v1/terminals?match=version<2&selector=site=bj,kind=kiosk&status=online&prefix=bj-&limit=100&after=ID`
pub async fn list(query: &str, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let mut query = parse(query)?;
    let Some(labels) = reach::joined(&query.labels, &call.operator.limits) else {
        let page = TerminalPage { terminals: Vec::new(), next: None, partial: Vec::new() };
        return Ok(json(StatusCode::OK, &page));
    };
    query.labels = labels;
    if let Some(expression) = query.expression.take() {
        query.expression = Some(expanded(expression, state).await?);
    }
    Ok(json(StatusCode::OK, &state.shared.backplane.terminals(&query).await?))
}

/// `GET /v1/terminals/{id}`
pub async fn get(id: &str, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let id = terminal_id(id)?;
    match state.shared.backplane.terminal(&id).await? {
        Some(view) if call.operator.limits.include(&view.labels) => Ok(json(StatusCode::OK, &view)),
        _ => Err(unknown(&id)),
    }
}

/// `PUT /v1/terminals/{id}/labels` with `{"site":"bj"}`: replaces the labels that were put before.
pub async fn label(id: &str, request: Request<Incoming>, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let id = terminal_id(id)?;
    let bytes = call.body(request.into_body(), state).await?;
    let labels: Labels = request::json(&bytes, "object of labels")?;
    check_labels(&labels).map_err(|error| bad(error.to_string()))?;
    reach::check_terminal(&id, call, state).await?;
    // With new labels a terminal must not leave the reach of this key and enter the reach of another.
    if !call.operator.limits.include(&labels) {
        let limit = written(&call.operator.limits.labels);
        let detail =
            format!("the key is limited to terminals with {limit}: the labels that it sets must have these too");
        return Err(problem(StatusCode::FORBIDDEN, detail));
    }
    let view = state.shared.backplane.label(&id, &labels).await?.ok_or_else(|| unknown(&id))?;
    Ok(json(StatusCode::OK, &view))
}

/// `DELETE /v1/terminals/{id}/session`: ends the session. The terminal may come back.
pub async fn disconnect(id: &str, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let id = terminal_id(id)?;
    reach::check_terminal(&id, call, state).await?;
    if state.shared.backplane.disconnect(&id).await? {
        return Ok(json(StatusCode::ACCEPTED, &ChangedTerminal { terminal: id }));
    }
    match state.shared.backplane.terminal(&id).await? {
        Some(_) => Err(problem(StatusCode::CONFLICT, format!("{id} is offline: there is no session to end"))),
        None => Err(unknown(&id)),
    }
}

/// `DELETE /v1/terminals/{id}`: forgets the terminal and tells it not to come back.
pub async fn forget(id: &str, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let id = terminal_id(id)?;
    reach::check_terminal(&id, call, state).await?;
    if state.shared.backplane.forget(&id).await? {
        Ok(json(StatusCode::OK, &ChangedTerminal { terminal: id }))
    } else {
        Err(unknown(&id))
    }
}

/// `GET /v1/terminals/{id}/history`: the last changes of the terminal.
pub async fn history(id: &str, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let id = terminal_id(id)?;
    reach::check_terminal(&id, call, state).await?;
    match state.shared.backplane.terminal_history(&id).await? {
        Some(history) => Ok(json(StatusCode::OK, &history)),
        None => Err(unknown(&id)),
    }
}

pub(super) fn parse(text: &str) -> Result<TerminalQuery, Response<Body>> {
    let mut query = TerminalQuery { limit: Limit::default().0, ..TerminalQuery::default() };
    request::query(text, |name, value| {
        match name {
            "selector" => query.labels = labels(value)?,
            "match" => query.expression = Some(expression(value)?),
            "status" => query.status = Some(status(value)?),
            "prefix" => query.prefix = prefix(value)?,
            "after" => query.after = Some(value.parse().map_err(|error| format!("{error}"))?),
            "limit" => query.limit = value.parse::<Limit>()?.0,
            _ => {}
        }
        Ok(())
    })?;
    Ok(query)
}

/// Reads labels as `site=bj,kind=kiosk`.
pub(super) fn labels(text: &str) -> Result<Labels, String> {
    let pair = |pair: &str| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    let pairs: Option<Labels> = text.split(',').map(pair).collect();
    let labels = pairs.ok_or("labels as key=value, joined by commas")?;
    check_labels(&labels).map(|()| labels).map_err(|error| error.to_string())
}

/// Parses an expression. The error does not name the parameter, because the caller does.
pub(super) fn expression(text: &str) -> Result<MatchExpression, String> {
    text.parse().map_err(|error: InvalidMatch| format!("at character {}: {}", error.at, error.problem))
}

fn status(text: &str) -> Result<Status, String> {
    match text {
        "online" => Ok(Status::Online),
        "stale" => Ok(Status::Stale),
        "offline" => Ok(Status::Offline),
        other => Err(format!("online, stale or offline, not {other:?}")),
    }
}

/// Checks the beginning of an id, and returns it. It must itself be a valid id.
fn prefix(text: &str) -> Result<String, String> {
    text.parse::<TerminalId>().map(|id| id.to_string()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_whole_or_refused() {
        let query = parse("selector=site%3Dbj,kind=kiosk&status=online&limit=7&after=t1&prefix=t").unwrap();
        assert_eq!((query.limit, query.status, query.labels.len()), (7, Some(Status::Online), 2));
        assert_eq!((query.after.unwrap().as_str(), query.prefix.as_str()), ("t1", "t"));
        let picked = parse("match=version%3C2%20or%20not%20site%20exists").unwrap().expression.unwrap();
        assert_eq!(picked.as_str(), "version<2 or not site exists");
        for bad in ["limit=0", "limit=x", "status=up", "selector=site", "after=a%20b", "prefix=%5B", "match=site"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
