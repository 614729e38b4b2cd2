//! Revocations: makes, lists and takes them back.

use std::time::Duration;

use hyper::{Request, Response, StatusCode, body::Incoming};
use jiff::Timestamp;
use muster_protocol::api::{EndedRevocation, Revocation, RevocationPage, RevocationRequest, RevokedTokens};
use uuid::Uuid;

use super::{
    HttpState,
    answer::{Answer, Body, json, problem},
    call::ApiCall,
    request::{self, bad},
};

/// The longest text that a revocation has, in bytes: as long as a token's claim may be.
const TEXT_MAX: usize = 512;
/// The longest time for which a revocation is stored.
const EXPIRY_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// `POST /v1/revocations`. The answer says that the revocation is stored. Every node applies it within 2 s, this node
/// at once.
pub async fn post(request: Request<Incoming>, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let body = call.body(request.into_body(), state).await?;
    let revocation = revocation(request::json(&body, "revocation")?, &call.operator.name)?;
    call.note(|record| {
        record.subject = Some(revocation.id.to_string());
        record.terminals = revocation.tokens.terminal.iter().cloned().collect();
    });
    state.shared.backplane.revoke(&revocation).await?;
    state.shared.auth.revocations().set_stale();
    Ok(json(StatusCode::CREATED, &revocation))
}

/// `GET /v1/revocations?limit=&after=`: the newest first.
pub async fn list(query: &str, state: &HttpState) -> Answer {
    let (limit, after) = request::page::<Uuid>(query)?;
    let mut all = state.shared.backplane.revocations("").await?.map_or_else(Vec::new, |read| read.all);
    let now = Timestamp::now();
    all.retain(|revocation| revocation.expires_at > now && after.is_none_or(|after| revocation.id < after));
    all.sort_unstable_by_key(|revocation| std::cmp::Reverse(revocation.id));
    let next = (all.len() > limit).then(|| all[limit - 1].id);
    all.truncate(limit);
    Ok(json(StatusCode::OK, &RevocationPage { revocations: all, next }))
}

/// `DELETE /v1/revocations/{id}`: the tokens are accepted again. Sessions that were ended stay ended.
pub async fn take_back(id: &str, state: &HttpState) -> Answer {
    let id: Uuid = id.parse().map_err(|_| bad("a revocation's id is a UUID, as POST /v1/revocations gave it"))?;
    if !state.shared.backplane.take_back(id).await? {
        return Err(problem(StatusCode::NOT_FOUND, format!("no revocation {id}, or it has ended")));
    }
    state.shared.auth.revocations().set_stale();
    Ok(json(StatusCode::OK, &EndedRevocation { id }))
}

/// Returns the revocation that the request asks for, as it is stored. Fails with 400 if the request breaks a bound or
/// chooses no tokens.
fn revocation(request: RevocationRequest, by: &str) -> Result<Revocation, Response<Body>> {
    let RevocationRequest { terminal, operator, token_id, kid, issued_before, expires_in } = request;
    for (name, text) in [("operator", &operator), ("token_id", &token_id), ("kid", &kid)] {
        if text.as_ref().is_some_and(|text| text.is_empty() || text.len() > TEXT_MAX) {
            return Err(bad(format!("{name}: 1 to {TEXT_MAX} bytes")));
        }
    }
    if terminal.is_none() && operator.is_none() && token_id.is_none() && kid.is_none() && issued_before.is_none() {
        return Err(bad(
            "say which tokens: terminal, operator, token_id, kid or issued_before, or several, which must all be so",
        ));
    }
    if terminal.is_some() && operator.is_some() {
        return Err(bad("terminal, operator: a token is for one of them"));
    }
    if expires_in.is_zero() || expires_in > EXPIRY_MAX {
        return Err(bad("expires_in: more than 0 and at most 366 days"));
    }
    let created_at = Timestamp::now();
    // A token's id names one token. The other choices do not include tokens that are made later.
    let issued_before = issued_before.or_else(|| token_id.is_none().then_some(created_at));
    let tokens = RevokedTokens { terminal, operator, token_id, kid, issued_before };
    let expires_at = created_at.checked_add(expires_in).unwrap_or(Timestamp::MAX);
    Ok(Revocation { id: Uuid::now_v7(), tokens, by: by.to_owned(), created_at, expires_at })
}
