//! Which events messages tell of, and what events say of who is online.

use jiff::Timestamp;
use muster_protocol::{TerminalId, api::NoticeKind};
use serde::Deserialize;

use crate::backplane::EventView;

/// What an event says that concerns notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeardEvent {
    /// The terminal came online.
    Back(TerminalId),
    /// The terminal went offline.
    Off(TerminalId, Timestamp),
    /// Something that a message tells of, of this terminal if it is about one.
    Told(NoticeKind, Option<TerminalId>, Option<Timestamp>),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EventData {
    terminal: Option<TerminalId>,
    at: Option<Timestamp>,
    condition: Option<String>,
    state: Option<String>,
}

/// What an event says. None if it concerns no notice.
pub fn heard(event: &EventView) -> Option<HeardEvent> {
    let kind = event.kind.as_str();
    if !matches!(kind, "command.done" | "rollout.changed") && !kind.starts_with("terminal.") || kind == "terminal.event"
    {
        return None;
    }
    let data: EventData = serde_json::from_str(&event.data).ok()?;
    let told = |kind| Some(HeardEvent::Told(kind, data.terminal.clone(), data.at));
    match kind {
        "terminal.online" => Some(HeardEvent::Back(data.terminal?)),
        "terminal.offline" => Some(HeardEvent::Off(data.terminal?, data.at?)),
        "terminal.health" if matches!(data.condition.as_deref(), Some("degraded" | "failing")) => {
            told(NoticeKind::TerminalDegraded)
        }
        "terminal.contested" => told(NoticeKind::TerminalContested),
        "command.done" => told(NoticeKind::CommandDone),
        "rollout.changed" if data.state.as_deref() == Some("stopped") => told(NoticeKind::RolloutStopped),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str, data: &str) -> Option<HeardEvent> {
        heard(&EventView { cursor: "1".into(), kind: kind.into(), data: data.into() })
    }

    #[test]
    fn an_event_is_heard_if_a_message_tells_of_it() {
        let (t1, at): (TerminalId, Timestamp) = ("t1".parse().unwrap(), "2026-01-01T00:00:00Z".parse().unwrap());
        let data = |rest: &str| format!(r#"{{"terminal":"t1","at":"{at}"{rest}}}"#);
        assert_eq!(of("terminal.online", &data(r#","node":"n1""#)), Some(HeardEvent::Back(t1.clone())));
        assert_eq!(of("terminal.offline", &data(r#","reason":"left""#)), Some(HeardEvent::Off(t1.clone(), at)));
        let told = |kind| Some(HeardEvent::Told(kind, Some(t1.clone()), Some(at)));
        assert_eq!(of("terminal.health", &data(r#","condition":"failing""#)), told(NoticeKind::TerminalDegraded));
        assert_eq!(of("terminal.health", &data(r#","condition":"ok""#)), None);
        assert_eq!(of("terminal.contested", &data("")), told(NoticeKind::TerminalContested));
        let done = of("command.done", r#"{"command":"x","state":"done"}"#);
        assert_eq!(done, Some(HeardEvent::Told(NoticeKind::CommandDone, None, None)));
        let stopped = of("rollout.changed", r#"{"rollout":"x","state":"stopped"}"#);
        assert_eq!(stopped, Some(HeardEvent::Told(NoticeKind::RolloutStopped, None, None)));
        for other in ["terminal.event", "command.state", "store.ordinals"] {
            assert_eq!(of(other, &data(r#","state":"stopped""#)), None, "{other}");
        }
        assert_eq!(of("rollout.changed", r#"{"state":"done"}"#), None);
    }
}
