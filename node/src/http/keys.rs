//! Operators' keys: makes, lists and revokes them.

use std::time::Duration;

use hyper::{Request, Response, StatusCode, body::Incoming, header};
use jiff::{SignedDuration, Timestamp};
use muster_protocol::{
    api::{KeyPage, KeyRequest, NewKey, OperatorKey, Revocation, RevokedKey, RevokedTokens},
    token::KeyLimits,
};
use uuid::Uuid;

use super::{
    HttpState,
    answer::{Answer, Body, json, problem},
    call::ApiCall,
    request::{self, bad},
};
use crate::auth::NAME_MAX;

/// The longest validity of a key.
const VALID_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// The longest id of a key, in bytes: as long as a claim may be.
const ID_MAX: usize = 512;
/// How long the revocation of a key lasts if only the id of the key is known: ten years.
const UNKNOWN_REVOKED: SignedDuration = SignedDuration::from_hours(10 * 366 * 24);

/// `POST /v1/keys`. The answer has the key, which nobody can look up later.
pub async fn post(request: Request<Incoming>, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    state.shared.auth.check_signs()?;
    let bytes = call.body(request.into_body(), state).await?;
    let KeyRequest { name, scope, valid_for, labels, commands } = request::json(&bytes, "key")?;
    if name.is_empty() || name.len() > NAME_MAX {
        return Err(bad(format!("name: 1 to {NAME_MAX} bytes")));
    }
    if valid_for < Duration::from_secs(1) || valid_for > VALID_MAX {
        return Err(bad(format!("valid_for: from 1s to {} days", VALID_MAX.as_secs() / 86_400)));
    }
    let limits = KeyLimits { labels, commands: commands.into_iter().collect() };
    limits.check().map_err(|error| bad(error.to_string()))?;
    let exp = (Timestamp::now().as_second().max(0) as u64).saturating_add(valid_for.as_secs());
    check_maker(&limits, exp, call)?;
    let (key, made) = state.shared.auth.make_key(&name, scope, limits, exp, &call.operator)?;
    state.shared.backplane.add_key(&made).await?;
    call.note(|record| record.subject = Some(made.id.clone()));
    let mut response = json(StatusCode::CREATED, &NewKey { key, made });
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Checks that a limited key makes no key that can do more, or is valid longer, than itself.
fn check_maker(limits: &KeyLimits, exp: u64, call: &ApiCall<'_>) -> Result<(), Response<Body>> {
    let maker = &call.operator;
    if maker.limits.is_empty() {
        return Ok(());
    }
    let forbidden = |why: &str| Err(problem(StatusCode::FORBIDDEN, why));
    if maker.origin().is_some() || maker.key_id().is_none() {
        return forbidden("a limited key makes no keys if it has no id, or was made by a limited key itself");
    }
    if !limits.are_within(&maker.limits) {
        return forbidden(
            "labels, commands: a limited key makes keys that can no more than itself: give at least its own labels, and some of its own \
             commands",
        );
    }
    if maker.key_expires.is_some_and(|expires| exp > expires) {
        return forbidden("valid_for: a limited key makes keys that expire no later than itself");
    }
    Ok(())
}

/// `GET /v1/keys?limit=&after=`: the keys that expire first come first. A limited key sees the keys that can do no more
/// than itself.
pub async fn list(query: &str, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let (after, look) = request::short_list(query)?;
    let page = state.shared.backplane.keys(after, look).await?;
    let now = Timestamp::now();
    let mut keys = page.found;
    keys.retain(|key| key.limits.are_within(&call.operator.limits));
    keys.iter_mut().for_each(|key| key.revoked = state.shared.auth.is_key_revoked(key, now));
    Ok(json(StatusCode::OK, &KeyPage { keys, next: page.next.map(|next| next.to_string()) }))
}

/// `DELETE /v1/keys/{id}`: every node refuses the key within 2 s, this node at once. A key that is not listed is
/// revoked too, by its id.
pub async fn revoke(id: &str, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    if id.is_empty() || id.len() > ID_MAX {
        return Err(bad(format!("a key's id has 1 to {ID_MAX} bytes")));
    }
    let known = state.shared.backplane.key(id).await?;
    let limits = &call.operator.limits;
    let is_visible = known.as_ref().map_or(limits.is_empty(), |key| key.limits.are_within(limits));
    if !is_visible {
        return Err(problem(StatusCode::NOT_FOUND, format!("no key {id}; GET /v1/keys lists them")));
    }
    let now = Timestamp::now();
    let revoked =
        RevokedKey { id: id.to_owned(), known: known.is_some(), expires_at: revoked_until(known.as_ref(), now) };
    if !known.is_some_and(|key| state.shared.auth.is_key_revoked(&key, now)) {
        let revocation = Revocation {
            id: Uuid::now_v7(),
            tokens: RevokedTokens { token_id: Some(id.to_owned()), ..RevokedTokens::default() },
            by: call.operator.name.clone(),
            created_at: now,
            expires_at: revoked.expires_at,
        };
        state.shared.backplane.revoke(&revocation).await?;
        state.shared.auth.revocations().set_stale();
    }
    Ok(json(StatusCode::OK, &revoked))
}

/// Returns when the revocation of a key ends: a second after the key expires, because the key is still valid in the
/// second of its expiry.
fn revoked_until(key: Option<&OperatorKey>, now: Timestamp) -> Timestamp {
    let until = match key {
        Some(key) => key.expires_at.checked_add(SignedDuration::from_secs(1)),
        None => now.checked_add(UNKNOWN_REVOKED),
    };
    until.unwrap_or(Timestamp::MAX)
}
