//! Queries for the registry, and what the event log answers.

use muster_protocol::{
    TerminalId,
    api::{Status, TerminalView},
    partition::PartitionIndex,
    selector::{Labels, MatchExpression},
};

/// Which terminals to list. A terminal is listed if it meets all conditions.
#[derive(Debug, Clone, Default)]
pub struct TerminalQuery {
    /// The terminal has all of these labels.
    pub labels: Labels,
    /// The terminal meets this expression. Any terminal if `None`.
    pub expression: Option<MatchExpression>,
    /// The terminal has this status. Any status if `None`.
    pub status: Option<Status>,
    /// The terminal's id begins with this text.
    pub prefix: String,
    /// The terminal's id comes after this id.
    pub after: Option<TerminalId>,
    /// The most terminals that are listed.
    pub limit: usize,
}

impl TerminalQuery {
    /// Returns whether a terminal that meets the other conditions has the status.
    pub fn wants(&self, view: &TerminalView) -> bool {
        self.status.is_none_or(|status| view.status == status)
    }

    /// Returns the id at which the list begins. This id is itself listed only if it is not [`after`](Self::after).
    pub fn begin(&self) -> &str {
        self.after
            .as_ref()
            .map(TerminalId::as_str)
            .filter(|after| *after > self.prefix.as_str())
            .unwrap_or(&self.prefix)
    }
}

/// Events after a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventPage {
    /// The events, oldest first.
    pub events: Vec<EventView>,
    /// The cursor after which the next events come.
    pub newest: String,
    /// Whether events between the cursor and the first of `events` are not stored any more.
    pub gap: bool,
    /// Partitions that did not answer. Their events come when they are back.
    pub partial: Vec<PartitionIndex>,
    /// Whether partitions that were away have events older than these. Those events come later.
    pub behind: bool,
    /// Whether there are more events already.
    pub more: bool,
    /// Whether there are events that can't be given out yet, because another partition may still write an older event.
    pub pending: bool,
}

/// A partition of the store that this node can't use now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DegradedPartition {
    /// The partition.
    pub partition: PartitionIndex,
    /// Why, as a sentence for operators.
    pub reason: String,
}

/// An event as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventView {
    /// The event's place in the order of all events; opaque to clients.
    pub cursor: String,
    /// The kind, such as `terminal.online`.
    pub kind: String,
    /// What the event tells, as a JSON object.
    pub data: String,
}
