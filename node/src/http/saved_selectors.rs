//! Saved selectors: saves, lists, shows and removes them, and puts them in place of their names.

use std::collections::BTreeMap;

use hyper::{Request, Response, StatusCode, body::Incoming};
use jiff::Timestamp;
use muster_protocol::{
    Selector, SelectorName,
    api::{SavedSelector, SelectorPage, SelectorRequest},
    id::InvalidId,
    selector::{InvalidMatch, MatchExpression},
};

use super::{
    HttpState,
    answer::{Answer, Body, json, problem},
    call::ApiCall,
    request::{self, bad},
};

/// `PUT /v1/selectors/{name}` with `{"match":"site = bj"}`: saves the expression under the name, in place of an older
/// one.
pub async fn put(name: &str, request: Request<Incoming>, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let name = selector_name(name)?;
    let bytes = call.body(request.into_body(), state).await?;
    let SelectorRequest { expression } = request::json(&bytes, "selector")?;
    if let Some(other) = expression.saved().first() {
        return Err(bad(expression.problem_with(other, "a saved selector can't name another one").to_string()));
    }
    let by = Some(call.operator.name.clone()).filter(|by| !by.is_empty());
    let selector = SavedSelector { name, expression, by, saved_at: Timestamp::now() };
    state.shared.backplane.save_selector(&selector).await?;
    Ok(json(StatusCode::OK, &selector))
}

/// `GET /v1/selectors?limit=&after=`: in the order of their names.
pub async fn list(query: &str, state: &HttpState) -> Answer {
    let (limit, after) = request::page::<SelectorName>(query)?;
    let mut selectors = state.shared.backplane.saved_selectors(&[]).await?;
    selectors.retain(|selector| after.as_ref().is_none_or(|after| selector.name > *after));
    selectors.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let next = (selectors.len() > limit).then(|| selectors[limit - 1].name.clone());
    selectors.truncate(limit);
    Ok(json(StatusCode::OK, &SelectorPage { selectors, next }))
}

/// `GET /v1/selectors/{name}`
pub async fn get(name: &str, state: &HttpState) -> Answer {
    let name = selector_name(name)?;
    let found = state.shared.backplane.saved_selectors(std::slice::from_ref(&name)).await?.pop();
    found.map(|selector| json(StatusCode::OK, &selector)).ok_or_else(|| no_selector(&name))
}

/// `DELETE /v1/selectors/{name}`. Commands that used the selector stay as they are.
pub async fn remove(name: &str, state: &HttpState) -> Answer {
    let name = selector_name(name)?;
    if !state.shared.backplane.remove_selector(&name).await? {
        return Err(no_selector(&name));
    }
    Ok(json(StatusCode::OK, &serde_json::json!({ "name": name })))
}

/// Returns the expression with the saved expressions in place of their names. So an operator who looks at a command
/// later sees by what its targets were chosen.
///
/// # Errors
/// 400 if the expression names a selector that is not saved, or is too large with the saved ones.
pub async fn expanded(expression: MatchExpression, state: &HttpState) -> Result<MatchExpression, Response<Body>> {
    let names: Vec<_> = expression.saved().into_iter().cloned().collect();
    if names.is_empty() {
        return Ok(expression);
    }
    let found = state.shared.backplane.saved_selectors(&names).await?;
    let found: BTreeMap<_, _> = found.into_iter().map(|selector| (selector.name, selector.expression)).collect();
    if let Some(name) = names.iter().find(|name| !found.contains_key(*name)) {
        return Err(bad(expression.problem_with(name, not_saved(name)).to_string()));
    }
    // The answer names no place in the text, because the caller has not written the expanded text.
    let too_large = |InvalidMatch { problem, .. }| {
        bad(format!("match: with what is saved in place of names, the expression is too large: {problem}"))
    };
    expression.expanded(&found).map_err(too_large)
}

/// Returns the target with the saved expressions in place of their names.
///
/// # Errors
/// As [`expanded`].
pub async fn expanded_target(target: Selector, state: &HttpState) -> Result<Selector, Response<Body>> {
    match target {
        Selector::Match(expression) => Ok(Selector::Match(expanded(expression, state).await?)),
        other => Ok(other),
    }
}

fn selector_name(text: &str) -> Result<SelectorName, Response<Body>> {
    text.parse().map_err(|error: InvalidId| bad(error.to_string()))
}

fn no_selector(name: &SelectorName) -> Response<Body> {
    problem(StatusCode::NOT_FOUND, not_saved(name))
}

fn not_saved(name: &SelectorName) -> String {
    format!("no selector is saved as {name}; GET /v1/selectors lists them")
}
