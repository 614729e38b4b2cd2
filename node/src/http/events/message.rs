//! What a stream of events sends, as server-sent events, and what of it a filter looks at.

use std::sync::{Arc, OnceLock};

use muster_protocol::{CommandId, TerminalId, partition::PartitionIndex, selector::Labels};
use serde::Deserialize;

use crate::backplane::EventView;

/// The kind of an event about one target of a command.
pub const TARGET: &str = "command.target";

/// Sent where events were missed that are not retained any more.
pub const GAP: &str = "event: gap\ndata: {\"reason\":\"events before the next one were removed unsent; read the current state from the API\"}\n\n";

/// Sent as the last message to a stream that read too slowly.
pub const SLOW: &str = "event: slow\ndata: {\"reason\":\"this stream was read too slowly and ends; connect again with Last-Event-ID\"}\n\n";

/// Sent as the last message to a stream whose key has expired.
pub const EXPIRED: &str = "event: expired\ndata: {\"reason\":\"the key has expired and this stream ends; connect again with a key that is valid and Last-Event-ID\"}\n\n";

/// Sent as the last message to a stream whose key was revoked.
pub const REVOKED: &str = "event: revoked\ndata: {\"reason\":\"the key was revoked and this stream ends\"}\n\n";

/// What an event is about.
#[derive(Debug, Default, Deserialize)]
pub struct EventSubject {
    /// Its kind.
    #[serde(skip)]
    pub kind: String,
    /// The terminal that it is about.
    pub terminal: Option<TerminalId>,
    /// The command that it is about.
    pub command: Option<CommandId>,
    /// The labels that the terminal had. Only in an event about a terminal that was removed.
    pub labels: Option<Labels>,
}

impl EventSubject {
    /// Reads what an event is about in its data. Data that is not a JSON object is about nothing.
    pub fn of(kind: &str, data: &str) -> Self {
        Self { kind: kind.to_owned(), ..serde_json::from_str(data).unwrap_or_default() }
    }
}

/// One message.
#[derive(Debug)]
pub struct StreamMessage {
    /// The place behind it, which is an event's id.
    pub cursor: String,
    /// The text, with an empty line at its end.
    pub text: String,
    /// What it is about. None if it is about the stream itself and is sent to everyone.
    pub subject: Option<EventSubject>,
    /// The labels of its terminal when one of the streams first asked for them. None within it if the terminal was not known.
    pub labels: OnceLock<Option<Arc<Labels>>>,
}

impl StreamMessage {
    /// The message of an event.
    pub fn of(event: &EventView) -> Self {
        // A line break in the data can only be between two tokens of JSON, where a space means the same.
        let data = event.data.replace(['\n', '\r'], " ");
        let text = format!("id: {}\nevent: {}\ndata: {data}\n\n", event.cursor, event.kind);
        let mut subject = EventSubject::of(&event.kind, &event.data);
        let labels = subject.labels.take().map(|labels| OnceLock::from(Some(Arc::new(labels)))).unwrap_or_default();
        Self { cursor: event.cursor.clone(), text, subject: Some(subject), labels }
    }

    /// The message of an event that is not stored, behind the one with this cursor. It has no id of its own: who connects again is told how
    /// things stand then.
    pub fn without_id(kind: &str, cursor: &str, data: &str) -> Self {
        let text = format!("event: {kind}\ndata: {data}\n\n");
        let subject = Some(EventSubject::of(kind, data));
        Self { cursor: cursor.to_owned(), text, subject, labels: OnceLock::new() }
    }

    /// The data of its event, if it has one.
    pub fn data(&self) -> Option<&str> {
        self.text.split_once("\ndata: ").map(|(_, data)| data.trim_end())
    }

    /// Whether it tells the client its place.
    pub fn has_id(&self) -> bool {
        self.text.starts_with("id: ")
    }

    /// A message about the stream itself, behind the event with this cursor.
    pub fn about_stream(cursor: &str, text: String) -> Self {
        Self { cursor: cursor.to_owned(), text, subject: None, labels: OnceLock::new() }
    }
}

/// Tells which partitions do not answer: their events come when they are back.
pub fn partial(partitions: &[PartitionIndex]) -> String {
    format!("event: partial\ndata: {}\n\n", serde_json::json!({ "partial": partitions }))
}

/// Tells the place up to which the stream was read.
pub fn place(cursor: &str) -> String {
    format!("id: {cursor}\n\n")
}
