//! What a key with limits may do and see. The labels of its limits choose the terminals that the key reaches. To the
//! key, other terminals do not exist.

use std::collections::{BTreeSet, HashMap};

use hyper::{Response, StatusCode};
use muster_protocol::{
    Selector, TerminalId,
    api::CommandRequest,
    selector::{InvalidMatch, Labels, MatchExpression},
    token::KeyLimits,
};

use super::{
    HttpState,
    answer::{Body, no_command, problem},
    call::ApiCall,
    request::bad,
};
use crate::backplane::{BackplaneError, CommandRecord};

/// The most terminals that a command may name if a limited key sends or sees the command. The bound exists because the
/// node looks up each of them.
pub const NAMED_MAX: usize = 512;
/// The most terminals that a command may name if a limited key sees it in a list. It is lower, because a list looks up
/// the terminals of many commands.
pub const LISTED_NAMED_MAX: usize = 100;

/// Checks that a key may send commands with this name.
///
/// # Errors
/// 403.
pub fn check_name(name: &str, limits: &KeyLimits) -> Result<(), Response<Body>> {
    if limits.allow(name) {
        return Ok(());
    }
    let names: Vec<_> = limits.commands.iter().map(String::as_str).collect();
    Err(problem(StatusCode::FORBIDDEN, format!("the key is limited to the commands {}", names.join(", "))))
}

/// Checks that a key reaches a terminal.
///
/// # Errors
/// 404, as for a terminal that is not known.
pub async fn check_terminal(id: &TerminalId, call: &ApiCall<'_>, state: &HttpState) -> Result<(), Response<Body>> {
    let unreached = unreached(std::slice::from_ref(id), &call.operator.limits, state).await?;
    if unreached.is_empty() { Ok(()) } else { Err(unknown(id)) }
}

/// Returns the refusal 404: there is no such terminal, or the key does not reach it.
pub fn unknown(id: &TerminalId) -> Response<Body> {
    problem(StatusCode::NOT_FOUND, format!("no such terminal: {id}"))
}

/// Returns these labels and the labels of the limits together; none if no terminal can have both.
pub fn joined(wanted: &Labels, limits: &KeyLimits) -> Option<Labels> {
    let is_met = |(key, value): (&String, &String)| limits.labels.get(key).is_none_or(|limit| limit == value);
    wanted.iter().all(is_met).then(|| wanted.clone().into_iter().chain(limits.labels.clone()).collect())
}

/// Returns the request with a target that has only terminals which the key reaches.
///
/// # Errors
/// 403 if the key may not send the command; 404 if the command names a terminal that the key does not reach; 409 if the
/// labels of command and key contradict, so that it selects nobody.
pub async fn narrowed(
    mut command: CommandRequest,
    call: &ApiCall<'_>,
    state: &HttpState,
) -> Result<CommandRequest, Response<Body>> {
    let limits = &call.operator.limits;
    check_name(&command.name, limits)?;
    if limits.labels.is_empty() {
        return Ok(command);
    }
    match &mut command.target {
        target @ Selector::All => *target = Selector::Labels(limits.labels.clone()),
        Selector::Labels(labels) => *labels = joined(labels, limits).ok_or(BackplaneError::Nobody)?,
        Selector::Match(expression) => *expression = limited(expression, limits)?,
        Selector::Terminal(id) => check_named(std::slice::from_ref(id), limits, state).await?,
        Selector::Terminals(ids) => check_named(ids, limits, state).await?,
    }
    Ok(command)
}

/// Returns the expression, limited to the terminals that the key reaches.
///
/// # Errors
/// 400 if the expression is too large with the limits of the key.
fn limited(expression: &MatchExpression, limits: &KeyLimits) -> Result<MatchExpression, Response<Body>> {
    // The answer names no place in the text, because the caller has not written the text with the limits.
    let too_large = |InvalidMatch { problem, .. }| {
        bad(format!("match: with the labels that the key is limited to, the expression is too large: {problem}"))
    };
    expression.limited_to(&limits.labels).map_err(too_large)
}

async fn check_named(ids: &[TerminalId], limits: &KeyLimits, state: &HttpState) -> Result<(), Response<Body>> {
    if ids.len() > NAMED_MAX {
        return Err(bad(format!(
            "target names at most {NAMED_MAX} terminals with a limited key; select more by labels"
        )));
    }
    let unreached = unreached(ids, limits, state).await?;
    if unreached.is_empty() { Ok(()) } else { Err(BackplaneError::Unknown(unreached).into()) }
}

/// Returns those of these terminals that the key does not reach, or that are not known.
async fn unreached(
    ids: &[TerminalId],
    limits: &KeyLimits,
    state: &HttpState,
) -> Result<Vec<TerminalId>, Response<Body>> {
    if limits.labels.is_empty() {
        return Ok(Vec::new());
    }
    let labels = state.shared.backplane.labels_of(ids).await?;
    let is_reached = |id: &TerminalId| labels.get(id).is_some_and(|labels| limits.include(labels));
    Ok(ids.iter().filter(|id| !is_reached(id)).cloned().collect())
}

/// Returns those of these commands that a key sees, because it reaches all of their targets. A limited key does not see
/// a command that names more than `named_max` terminals.
pub async fn seen(
    mut records: Vec<CommandRecord>,
    limits: &KeyLimits,
    named_max: usize,
    state: &HttpState,
) -> Result<Vec<CommandRecord>, Response<Body>> {
    if limits.labels.is_empty() {
        return Ok(records);
    }
    let names: BTreeSet<_> = records.iter().flat_map(|record| named(record, named_max)).cloned().collect();
    let names: Vec<_> = names.into_iter().collect();
    let labels = if names.is_empty() { HashMap::new() } else { state.shared.backplane.labels_of(&names).await? };
    let is_reached = |id: &TerminalId| labels.get(id).is_some_and(|labels| limits.include(labels));
    records.retain(|record| match &record.request.target {
        Selector::All => false,
        Selector::Labels(labels) => limits.include(labels),
        Selector::Match(expression) => expression.requires(&limits.labels),
        Selector::Terminal(_) | Selector::Terminals(_) => {
            let named = named(record, named_max);
            !named.is_empty() && named.iter().all(is_reached)
        }
    });
    Ok(records)
}

/// Returns the terminals that a command names; none if they are more than `max`.
fn named(record: &CommandRecord, max: usize) -> &[TerminalId] {
    match &record.request.target {
        Selector::Terminal(id) => std::slice::from_ref(id),
        Selector::Terminals(ids) if ids.len() <= max => ids,
        _ => &[],
    }
}

/// Returns the command, if the key sees it.
///
/// # Errors
/// 404.
pub async fn check_seen(
    record: CommandRecord,
    limits: &KeyLimits,
    state: &HttpState,
) -> Result<CommandRecord, Response<Body>> {
    let id = record.frame.id;
    seen(vec![record], limits, NAMED_MAX, state).await?.pop().ok_or_else(|| no_command(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    #[test]
    fn labels_are_joined_with_the_limits_unless_they_contradict() {
        let limits = KeyLimits { labels: labels(&[("shop", "7")]), ..KeyLimits::default() };
        let both = labels(&[("kind", "gate"), ("shop", "7")]);
        assert_eq!(joined(&labels(&[("kind", "gate")]), &limits), Some(both.clone()));
        assert_eq!(joined(&both, &limits), Some(both.clone()));
        assert_eq!(joined(&labels(&[("shop", "8")]), &limits), None);
        assert_eq!(joined(&both, &KeyLimits::default()), Some(both));
    }

    #[test]
    fn a_key_that_is_limited_by_names_sends_those_alone() {
        let names = KeyLimits { commands: ["show".to_owned()].into(), ..KeyLimits::default() };
        assert!(check_name("show", &names).is_ok() && check_name("wipe", &names).is_err());
    }
}
