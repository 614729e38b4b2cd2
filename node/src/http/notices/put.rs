//! `PUT /v1/notices/{name}`: sets a notice.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use hyper::{Request, Response, StatusCode, body::Incoming, header};
use jiff::Timestamp;
use muster_protocol::{
    NoticeName,
    api::{NewNotice, NoticeKind, NoticeRequest, NoticeSecret},
    selector::MatchTerm,
};

use super::{not_there, notice_name, stored, view};
use crate::{
    backplane::{BackplaneError, NoticeChange, NoticeRecord},
    http::{
        HttpState,
        answer::{Answer, Body, json, later},
        call::ApiCall,
        request::{self, bad},
        saved_selectors::expanded,
    },
    notices::NoticeUrl,
};

/// The bytes of a secret that an operator gives. A shorter one could be guessed from a message and its signature.
const SECRET_MIN: usize = 16;
const SECRET_MAX: usize = 128;
/// The most attempts to replace a notice that others replace at the same time.
const ATTEMPTS: u32 = 8;
/// The longest time offline.
const OFF_FOR_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// Sets a notice, new or in the place of one with the same name, which keeps its secret unless the call has one. The answer has the secret if
/// the node has made it; nobody can look it up later.
pub async fn put(name: &str, request: Request<Incoming>, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let name = notice_name(name)?;
    let bytes = request::body(request.into_body(), &state.shared.config).await?;
    let mut asked: NoticeRequest = request::json(&bytes, "notice")?;
    note(&asked, call, state);
    if let Some(expression) = asked.expression.take() {
        asked.expression = Some(expanded(expression, state).await?);
    }
    check(&asked)?;
    let url = NoticeUrl::parse(&asked.url).map_err(bad)?;
    state.notices.check(&url).await.map_err(bad)?;
    let made = save(&name, &asked, &call.operator.name, state).await?;
    let notice = stored(&name, state).await.map_err(BackplaneError::after_a_change)?.ok_or_else(|| not_there(&name))?;
    let mut response = json(StatusCode::OK, &NewNotice { secret: made, notice: view(notice) });
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Stores the notice. Returns its secret if the node has made it. Of calls that make a notice at once, one does; the others find it, and
/// change it.
async fn save(
    name: &NoticeName,
    asked: &NoticeRequest,
    by: &str,
    state: &HttpState,
) -> Result<Option<NoticeSecret>, Response<Body>> {
    let backplane = &state.shared.backplane;
    for _ in 0..ATTEMPTS {
        let before = stored(name, state).await?.map(|stored| stored.record);
        let kept = before.as_ref().map(|before| &before.secret);
        let (secret, made) = match asked.secret.as_ref().or(kept) {
            Some(secret) => (secret.clone(), None),
            None => {
                let fresh = fresh_secret();
                (fresh.clone(), Some(fresh))
            }
        };
        let record = NoticeRecord {
            name: name.clone(),
            url: asked.url.clone(),
            on: asked.on.clone(),
            off_for: asked.off_for,
            expression: asked.expression.clone(),
            secret,
            by: by.to_owned(),
            created_at: before.as_ref().map_or_else(Timestamp::now, |before| before.created_at),
        };
        let cursor = backplane.events(None).await?.newest;
        let change = NoticeChange { record: &record, before: kept, cursor: &cursor };
        if backplane.put_notice(change).await? {
            return Ok(made);
        }
    }
    Err(later(StatusCode::SERVICE_UNAVAILABLE, 1, "the notice is changed by others at the same time; try again"))
}

/// Notes the body for the audit: without the secret, and of the URL the host alone, since in many the path is a secret.
fn note(asked: &NoticeRequest, call: &ApiCall<'_>, state: &HttpState) {
    let Some(trail) = call.trail else { return };
    let url = NoticeUrl::parse(&asked.url).map(|url| url.origin()).unwrap_or_default();
    let shown = NoticeRequest { url, secret: None, ..asked.clone() };
    let bytes = serde_json::to_vec(&shown).unwrap_or_default();
    trail.note_body(&bytes, state.shared.config.audit.audit_payloads);
}

fn check(asked: &NoticeRequest) -> Result<(), Response<Body>> {
    let kinds = NoticeKind::ALL.map(NoticeKind::name).join(", ");
    if asked.on.is_empty() || asked.on.contains(&NoticeKind::Test) {
        return Err(bad(format!("on: one or more of {kinds}")));
    }
    if asked.off_for < Duration::from_secs(1) || asked.off_for > OFF_FOR_MAX {
        return Err(bad(format!("off_for: from 1s to {} days", OFF_FOR_MAX.as_secs() / 86_400)));
    }
    let is_secret = |secret: &NoticeSecret| {
        (SECRET_MIN..=SECRET_MAX).contains(&secret.0.len()) && secret.0.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !asked.secret.as_ref().is_none_or(is_secret) {
        return Err(bad(format!("secret: {SECRET_MIN} to {SECRET_MAX} characters of ASCII, without spaces")));
    }
    let terms = asked.expression.iter().flat_map(|expression| expression.tree().terms());
    if !terms.into_iter().all(MatchTerm::is_about_id_or_labels) {
        return Err(bad("match: a notice chooses terminals by labels and @id"));
    }
    if asked.expression.is_some() && !asked.on.iter().any(|kind| kind.is_about_terminals()) {
        return Err(bad("match: none of the kinds in on is about terminals; leave it out"));
    }
    Ok(())
}

/// 256 bits by chance.
fn fresh_secret() -> NoticeSecret {
    let bytes: [u8; 32] = rand::random();
    NoticeSecret(BASE64URL_NOPAD.encode(&bytes))
}
