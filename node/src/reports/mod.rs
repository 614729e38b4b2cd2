//! Reports: what this node's sessions report, until the backplane takes the reports. Shards write here after each walk
//! and never wait. The backplane drains the table at an interval of its own, so ten thousand acknowledgements become a
//! few writes.
//!
//! The lock is held for an append and never across an await. The table is bounded: when it holds `ROOM` bytes, new
//! entries are dropped and counted. That happens only while the store behind the backplane is away, and the backplane
//! logs the count.

#[cfg(all(test, feature = "shuttle"))]
mod models;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
};

use jiff::Timestamp;
use muster_protocol::{
    CommandId, Payload, SessionId, TerminalId,
    api::{Protocol, TargetState},
    frame::{Condition, Health},
};

use crate::sync::{Mutex, MutexGuard};

/// The bytes that the table may hold apart from events, by the weights used here: states, replies and health.
const ROOM: usize = 128 << 20;
/// The bytes of events that the table may hold. Events have a room of their own, so that they can't push out what
/// became of commands.
const ROOM_FOR_EVENTS: usize = 32 << 20;
/// The weight of an entry in bytes, without its payload.
const ENTRY: usize = 100;

/// An event at a terminal, for whoever follows the events.
#[derive(Debug, Clone)]
pub struct ReportedEvent {
    /// The kind, as the API names it: `terminal.health`, `terminal.event`, ...
    pub kind: &'static str,
    /// The terminal.
    pub terminal: TerminalId,
    /// The remaining fields of the event's data.
    pub fields: Vec<(&'static str, Payload)>,
    /// When the event happened, by this node's clock.
    pub at: Timestamp,
    /// Whom to tell that the event is stored, if anybody.
    pub receipt: Option<Box<EventReceipt>>,
}

/// Whom to tell that an event is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventReceipt {
    /// The session that the event came on.
    pub session: SessionId,
    /// What the terminal calls the event.
    pub id: String,
}

impl ReportedEvent {
    /// Returns the fields of the event's kind as members of a JSON object, without the braces.
    pub fn rest(&self) -> String {
        let members: Vec<_> =
            self.fields.iter().map(|(name, value)| format!("\"{name}\":{}", value.as_json())).collect();
        members.join(",")
    }

    /// Returns the event's data as a JSON object: the terminal, the time, and the fields of the event's kind.
    pub fn data(&self) -> String {
        // Neither an id nor a time has a character that JSON must escape.
        let mut data = format!(r#"{{"terminal":"{}","at":"{}""#, self.terminal, self.at);
        for (name, value) in &self.fields {
            data.extend([",\"", *name, "\":", value.as_json()]);
        }
        data.push('}');
        data
    }
}

/// What is known of a terminal's health. A later report replaces an earlier one field by field.
#[derive(Debug, Clone, Default)]
pub struct HealthReport {
    /// When the terminal last answered a ping, and the round-trip time in milliseconds.
    pub seen: Option<(Timestamp, u64)>,
    /// The last health frame of the terminal.
    pub health: Option<Health>,
}

/// A state of a command that some terminals have reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StateReport {
    /// The command.
    pub command: CommandId,
    /// The state.
    pub state: TargetState,
    /// Whether this is the last state that these terminals report, as `sent` is for plain terminals.
    pub last: bool,
}

/// Everything that was reported since the last drain.
#[derive(Debug, Clone, Default)]
pub struct ReportBatch {
    /// The terminals that reached a state one by one, and when, in milliseconds since 1970.
    pub steps: HashMap<StateReport, Vec<(TerminalId, u64)>>,
    /// States that many terminals reached at once, and when, in milliseconds since 1970. Commands share the list of
    /// terminals, so it is not copied.
    pub walks: Vec<(StateReport, u64, Arc<[TerminalId]>)>,
    /// Replies to commands, in the order of arrival.
    pub replies: Vec<(CommandId, TerminalId, Payload)>,
    /// Events, in the order in which they happened.
    pub events: Vec<ReportedEvent>,
    /// Health reports, by terminal.
    pub vitals: HashMap<TerminalId, HealthReport>,
    weight: usize,
    weight_of_events: usize,
    /// The number of entries that were dropped because the table was full.
    pub dropped: u64,
}

/// The table of reports.
#[derive(Debug, Default)]
pub struct Reports(Mutex<ReportBatch>);

impl Reports {
    /// Reports that a command was written to a terminal's socket.
    pub fn sent(&self, command: CommandId, terminal: TerminalId, protocol: Protocol) {
        self.add_state(sent(command, protocol), terminal);
    }

    /// Reports that a command was written to the sockets of all these terminals.
    pub fn sent_to_all(&self, command: CommandId, terminals: Arc<[TerminalId]>, protocol: Protocol) {
        // The list of terminals has no weight of its own, since walks share it.
        self.add(ENTRY, |batch| batch.walks.push((sent(command, protocol), now(), terminals)));
    }

    /// Reports that a terminal has reached `state` of `command`.
    pub fn state(&self, command: CommandId, state: TargetState, terminal: TerminalId) {
        self.add_state(StateReport { command, state, last: false }, terminal);
    }

    /// Reports a terminal's reply to `command`.
    pub fn reply(&self, command: CommandId, terminal: TerminalId, payload: Payload) {
        let weight = ENTRY + payload.as_json().len();
        self.add(weight, |batch| batch.replies.push((command, terminal, payload)));
    }

    /// Reports an event.
    pub fn event(&self, kind: &'static str, terminal: &TerminalId, fields: Vec<(&'static str, Payload)>) {
        self.add_event(kind, terminal, fields, None);
    }

    /// Reports an event of a terminal's own. The session in `receipt` is told once the event is stored. If the table
    /// has no room, nobody is told, so the terminal sends the event again.
    pub fn event_with_receipt(
        &self,
        terminal: &TerminalId,
        fields: Vec<(&'static str, Payload)>,
        receipt: EventReceipt,
    ) {
        self.add_event("terminal.event", terminal, fields, Some(Box::new(receipt)));
    }

    fn add_event(
        &self,
        kind: &'static str,
        terminal: &TerminalId,
        fields: Vec<(&'static str, Payload)>,
        receipt: Option<Box<EventReceipt>>,
    ) {
        let event = ReportedEvent { kind, terminal: terminal.clone(), fields, at: Timestamp::now(), receipt };
        let weight = ENTRY + event.fields.iter().map(|(_, value)| value.as_json().len()).sum::<usize>();
        let mut batch = self.lock();
        if batch.weight_of_events + weight > ROOM_FOR_EVENTS {
            batch.dropped += 1;
        } else {
            batch.weight_of_events += weight;
            batch.events.push(event);
        }
    }

    /// Reports that a terminal answered a ping after `rtt_ms` milliseconds.
    pub fn pong(&self, terminal: &TerminalId, rtt_ms: u64) {
        self.add_health(terminal, |vitals| vitals.seen = Some((Timestamp::now(), rtt_ms)));
    }

    /// Reports a terminal's health frame. A change of the condition is an event as well.
    pub fn health(&self, terminal: &TerminalId, health: Health, was: Condition) {
        if health.condition != was {
            let condition = serde_json::to_value(health.condition).unwrap_or_default();
            self.event("terminal.health", terminal, vec![("condition", Payload::from_value(&condition))]);
        }
        self.add_health(terminal, |vitals| vitals.health = Some(health));
    }

    /// Returns whether the table has an event of this terminal. Looks at every event in the table.
    pub fn has_event_of(&self, terminal: &TerminalId) -> bool {
        self.lock().events.iter().any(|event| event.terminal == *terminal)
    }

    /// Takes everything that was reported.
    pub fn drain(&self) -> ReportBatch {
        std::mem::take(&mut *self.lock())
    }

    fn add_state(&self, step: StateReport, terminal: TerminalId) {
        self.add(ENTRY, |batch| batch.steps.entry(step).or_default().push((terminal, now())));
    }

    fn add_health(&self, terminal: &TerminalId, change: impl FnOnce(&mut HealthReport)) {
        self.add(ENTRY, |batch| change(batch.vitals.entry(terminal.clone()).or_default()));
    }

    fn add(&self, weight: usize, write: impl FnOnce(&mut ReportBatch)) {
        let mut batch = self.lock();
        if batch.weight + weight > ROOM {
            batch.dropped += 1;
        } else {
            batch.weight += weight;
            write(&mut batch);
        }
    }

    fn lock(&self) -> MutexGuard<'_, ReportBatch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReportBatch {
    /// Returns each state with its terminals and the times at which they reached it, in milliseconds since 1970. A
    /// state may come more than once.
    pub fn all_states(&self) -> impl Iterator<Item = (StateReport, Vec<(&TerminalId, u64)>)> {
        let walks = self.walks.iter().map(|(step, at, all)| (*step, all.iter().map(|one| (one, *at)).collect()));
        let steps = self.steps.iter().map(|(step, all)| (*step, all.iter().map(|(one, at)| (one, *at)).collect()));
        walks.chain(steps)
    }
}

fn sent(command: CommandId, protocol: Protocol) -> StateReport {
    StateReport { command, state: TargetState::Sent, last: protocol == Protocol::Plain }
}

fn now() -> u64 {
    Timestamp::now().as_millisecond().unsigned_abs()
}
