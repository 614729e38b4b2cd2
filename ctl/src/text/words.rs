//! What the API answers, in words.

use muster_protocol::{
    Selector,
    api::{Enrolment, NoticeKind, NoticeView, RevokedTokens},
    selector::Labels,
};
use serde::Serialize;

use super::moment;

/// Returns the word that the API has for a value.
pub fn word(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    text.trim_matches('"').to_owned()
}

/// Returns the labels as `key=value,key=value`.
pub fn labels(labels: &Labels) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// Returns the targets in words.
pub fn selected(target: &Selector) -> String {
    match target {
        Selector::All => "all".to_owned(),
        Selector::Terminal(id) => id.to_string(),
        Selector::Terminals(ids) if ids.len() <= 3 => ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        Selector::Terminals(ids) => format!("{},… ({})", ids[0], ids.len()),
        Selector::Labels(wanted) => labels(wanted),
        Selector::Match(expression) => expression.to_string(),
    }
}

/// Returns for whom a code is, and where it stands.
pub fn enrolment_words(enrolment: &Enrolment) -> String {
    let whom = enrolment.terminal.as_ref().map_or("any terminal".to_owned(), ToString::to_string);
    let approval = if enrolment.approve { ", to be approved" } else { "" };
    format!("{}, for {whom}{approval}", word(&enrolment.state))
}

/// Returns which tokens, such as `terminal=t1 issued until 2026-01-31T08:00:00Z`.
pub fn token_words(tokens: &RevokedTokens) -> String {
    let terminal = tokens.terminal.as_ref().map(ToString::to_string);
    let named =
        [("terminal", &terminal), ("operator", &tokens.operator), ("token", &tokens.token_id), ("kid", &tokens.kid)];
    let named = named.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={value}")));
    let issued = tokens.issued_before.map(|at| format!("issued until {}", moment(at)));
    named.chain(issued).collect::<Vec<_>>().join(" ")
}

/// Returns what a notice tells of, such as `node.lost terminal.away>10m`.
pub fn notice_words(notice: &NoticeView) -> String {
    notice.on.iter().map(|kind| told(*kind, notice)).collect::<Vec<_>>().join(" ")
}

fn told(kind: NoticeKind, notice: &NoticeView) -> String {
    match kind {
        NoticeKind::TerminalAway => format!("{}>{}", kind.name(), humantime::format_duration(notice.off_for)),
        _ => kind.name().to_owned(),
    }
}
