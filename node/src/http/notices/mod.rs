//! Notices: sets, lists, tries and removes them, and shows what became of their messages.

mod put;

use hyper::{Response, StatusCode};
use muster_protocol::{
    NoticeName,
    api::{NoticeAttempts, NoticePage, NoticeView},
};

pub use self::put::put;
use super::{
    HttpState,
    answer::{Answer, Body, json, problem, typed},
    call::ApiCall,
    request::{self, bad},
};
use crate::{
    backplane::{BackplaneError, StoredNotice, TriedMessage},
    notices::{test_message, try_once},
};

/// `GET /v1/notices`
pub async fn list(query: &str, state: &HttpState) -> Answer {
    let notices = state.shared.backplane.notices().await?.into_iter().map(view).collect();
    let (notices, next) = page(notices, query)?;
    Ok(json(StatusCode::OK, &NoticePage { notices, next }))
}

/// `GET /v1/notices/{name}`
pub async fn get(name: &str, state: &HttpState) -> Answer {
    Ok(json(StatusCode::OK, &view(find(&notice_name(name)?, state).await?)))
}

/// `DELETE /v1/notices/{name}`: what waits for its receiver is not sent.
pub async fn remove(name: &str, state: &HttpState) -> Answer {
    let name = notice_name(name)?;
    match state.shared.backplane.remove_notice(&name).await? {
        true => Ok(typed(StatusCode::OK, "application/json", "{}")),
        false => Err(not_there(&name)),
    }
}

/// `GET /v1/notices/{name}/attempts`: the last 50, newest first.
pub async fn attempts(name: &str, query: &str, state: &HttpState) -> Answer {
    let name = find(&notice_name(name)?, state).await?.record.name;
    let (attempts, next) = page(state.shared.backplane.notice_attempts(&name).await?, query)?;
    Ok(json(StatusCode::OK, &NoticeAttempts { attempts, next }))
}

/// `POST /v1/notices/{name}/test`: this node posts a message at once, and answers with the attempt, which is not repeated.
pub async fn test(name: &str, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let record = find(&notice_name(name)?, state).await?.record;
    let message = test_message(&record.name, &call.operator.name);
    let attempt = try_once(&state.notices, &record, &message).await;
    state.shared.metrics.notice_attempts.with_label_values(&[attempt.result.name()]).inc();
    let tried = TriedMessage { notice: &record.name, message: &message, wait: None, attempt: &attempt };
    state.shared.backplane.record_attempt(tried).await?;
    Ok(json(StatusCode::OK, &attempt))
}

/// The rows of a page, and what `after` takes for the next one.
fn page<T>(all: Vec<T>, query: &str) -> Result<(Vec<T>, Option<String>), Response<Body>> {
    let (after, most) = request::short_list(query)?;
    let end = after.saturating_add(most);
    let next = (all.len() as u64 > end).then(|| end.to_string());
    let rows = all.into_iter().skip(usize::try_from(after).unwrap_or(usize::MAX)).take(most as usize);
    Ok((rows.collect(), next))
}

fn view(stored: StoredNotice) -> NoticeView {
    let StoredNotice { record, waiting, waiting_bytes, lost } = stored;
    NoticeView {
        name: record.name,
        url: record.url,
        on: record.on,
        off_for: record.off_for,
        expression: record.expression,
        by: Some(record.by).filter(|by| !by.is_empty()),
        created_at: record.created_at,
        waiting,
        waiting_bytes,
        lost,
    }
}

async fn stored(name: &NoticeName, state: &HttpState) -> Result<Option<StoredNotice>, BackplaneError> {
    Ok(state.shared.backplane.notices().await?.into_iter().find(|stored| stored.record.name == *name))
}

async fn find(name: &NoticeName, state: &HttpState) -> Result<StoredNotice, Response<Body>> {
    stored(name, state).await?.ok_or_else(|| not_there(name))
}

fn not_there(name: &NoticeName) -> Response<Body> {
    problem(StatusCode::NOT_FOUND, format!("no notice {name}; GET /v1/notices lists them"))
}

fn notice_name(text: &str) -> Result<NoticeName, Response<Body>> {
    text.parse().map_err(|error: muster_protocol::id::InvalidId| bad(error.to_string()))
}
