//! The registry: terminals and nodes.

use hyper::{Response, StatusCode};
use muster_protocol::{
    TerminalId,
    api::{NodeList, Status},
};

use super::{
    Front,
    answer::{Answer, Body, json, problem},
};
use crate::backplane::Query;

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1000;

/// `GET /v1/terminals?selector=site=bj,kind=kiosk&status=online&limit=100&after=ID`
pub async fn list(query: &str, front: &Front) -> Answer {
    let query = parse(query).map_err(|detail| problem(StatusCode::BAD_REQUEST, detail))?;
    Ok(json(StatusCode::OK, &front.shared.backplane.terminals(&query).await?))
}

/// `GET /v1/terminals/{id}`
pub async fn get(id: &str, front: &Front) -> Answer {
    let id: TerminalId = id.parse().map_err(bad_id)?;
    match front.shared.backplane.terminal(&id).await? {
        Some(view) => Ok(json(StatusCode::OK, &view)),
        None => Err(problem(StatusCode::NOT_FOUND, format!("no such terminal: {id}"))),
    }
}

/// `GET /v1/nodes`
pub async fn nodes(front: &Front) -> Answer {
    let nodes = front.shared.backplane.nodes().await?;
    Ok(json(StatusCode::OK, &NodeList { nodes }))
}

fn bad_id(error: muster_protocol::id::InvalidId) -> Response<Body> {
    problem(StatusCode::BAD_REQUEST, error.to_string())
}

fn parse(text: &str) -> Result<Query, String> {
    let mut query = Query { limit: LIMIT, ..Query::default() };
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        match &*name {
            "selector" => query.labels = labels(&value)?,
            "status" => query.status = Some(status(&value)?),
            "after" => query.after = Some(value.parse().map_err(|error| format!("after: {error}"))?),
            "limit" => query.limit = limit(&value)?,
            other => return Err(format!("no parameter {other:?}: there are selector, status, limit and after")),
        }
    }
    Ok(query)
}

fn labels(text: &str) -> Result<muster_protocol::selector::Labels, String> {
    let pair = |pair: &str| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    let pairs: Option<_> = text.split(',').map(pair).collect();
    pairs.ok_or_else(|| "selector is labels as key=value, joined by commas".into())
}

fn status(text: &str) -> Result<Status, String> {
    match text {
        "online" => Ok(Status::Online),
        "stale" => Ok(Status::Stale),
        "offline" => Ok(Status::Offline),
        other => Err(format!("status is online, stale or offline, not {other:?}")),
    }
}

fn limit(text: &str) -> Result<usize, String> {
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| format!("limit is a number from 1 to {LIMIT_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_whole_or_refused() {
        let query = parse("selector=site%3Dbj,kind=kiosk&status=online&limit=7&after=t1").unwrap();
        assert_eq!((query.limit, query.status, query.labels.len()), (7, Some(Status::Online), 2));
        assert_eq!(query.after.unwrap().as_str(), "t1");
        for bad in ["limit=0", "limit=x", "status=up", "selector=site", "after=a%20b", "page=2"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
