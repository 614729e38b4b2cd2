//! A terminal as `terminals` of a partition has it: `NODE SESSION PROTOCOL`, a newline, and the rest as JSON.

use std::borrow::Cow;

use jiff::{Timestamp, Unit};
use muster_protocol::{TerminalId, selector::Labels};
use serde::{Deserialize, Serialize};

use crate::hub::SessionInfo;

/// The JSON of a terminal's last session, without what the line before has. Of a terminal that was forgotten only the
/// id is left.
///
/// `address` must stand right behind `labels`: `join.lua` compares what stands before `},"address":"` to see whether
/// the labels are the same as before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredTerminal<'a> {
    /// The terminal.
    pub terminal: Cow<'a, TerminalId>,
    /// The labels that the terminal's token and hello say.
    #[serde(default)]
    pub labels: Cow<'a, Labels>,
    /// The IP address that the terminal connected from.
    #[serde(default)]
    pub address: Cow<'a, str>,
    /// When the session started, in whole milliseconds.
    #[serde(default)]
    pub connected_at: Timestamp,
}

impl<'a> StoredTerminal<'a> {
    /// Returns the terminal of a session.
    pub fn of(info: &'a SessionInfo) -> Self {
        Self {
            terminal: Cow::Borrowed(&info.terminal),
            labels: Cow::Borrowed(&info.labels),
            address: Cow::Borrowed(&info.address),
            connected_at: info.connected_at.round(Unit::Millisecond).unwrap_or(info.connected_at),
        }
    }

    /// Returns the record as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a record is JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_labels_end_where_the_script_looks_for_their_end() {
        let id = "t1".parse().unwrap();
        let labels = Labels::from([("a".into(), r#"},"address":""#.into()), ("address".into(), "}".into())]);
        let record = StoredTerminal {
            terminal: Cow::Borrowed(&id),
            labels: Cow::Borrowed(&labels),
            address: "10.0.0.1".into(),
            connected_at: Timestamp::UNIX_EPOCH,
        };
        let text = record.to_json();
        let (before, _) = text.split_once(r#"},"address":""#).unwrap();
        assert_eq!(before, r#"{"terminal":"t1","labels":{"a":"},\"address\":\"","address":"}""#);
        let forgotten: StoredTerminal<'_> = serde_json::from_str(r#"{"terminal":"t1"}"#).unwrap();
        assert_eq!(forgotten.terminal.as_str(), "t1");
    }
}
