//! What this node's sessions have to report, until the backplane takes it. Shards write here after each walk and never wait;
//! the backplane drains it on its own beat, so that ten thousand acknowledgements become a few writes.
//!
//! The lock is held for an append and never across an await. The table is bounded: beyond [`ROOM`] entries new ones are counted
//! as dropped, which happens only while the store behind the backplane is away.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use jiff::Timestamp;
use muster_protocol::{
    CommandId, Payload, TerminalId,
    api::TargetState,
    frame::{Condition, Health},
};

/// Entries kept while the store is away: at about 100 bytes each, 100 MB.
const ROOM: usize = 1_000_000;

/// Something that happened at a terminal, for whoever follows the events.
#[derive(Debug, Clone)]
pub struct Happening {
    /// Its kind, as the API names it: `terminal.online`, `terminal.event`, ...
    pub kind: &'static str,
    /// Where.
    pub terminal: TerminalId,
    /// The rest of the event's data, by field.
    pub fields: Vec<(&'static str, Payload)>,
    /// When.
    pub at: Timestamp,
}

impl Happening {
    /// A JSON object: the terminal, the time, and the fields of its kind.
    pub fn data(&self) -> String {
        let terminal = Payload::from_text(self.terminal.as_str());
        let at = Payload::from_text(&self.at.to_string());
        let all = [("terminal", &terminal), ("at", &at)].into_iter();
        let fields = all.chain(self.fields.iter().map(|(name, value)| (*name, value)));
        let members: Vec<_> = fields.map(|(name, value)| format!("\"{name}\":{}", value.as_json())).collect();
        format!("{{{}}}", members.join(","))
    }
}

/// What is known of a terminal's well-being; a later one replaces an earlier one field by field.
#[derive(Debug, Clone, Default)]
pub struct Vitals {
    /// When it was last heard, and the last ping's way there and back in milliseconds.
    pub seen: Option<(Timestamp, u64)>,
    /// What it last said of itself.
    pub health: Option<Health>,
}

/// All that was reported since the last drain.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Terminals that reached a state of a command.
    pub steps: HashMap<(CommandId, TargetState), Vec<TerminalId>>,
    /// Commands that went out to all of these at once.
    pub sent: Vec<(CommandId, Arc<[TerminalId]>)>,
    /// In the order they happened.
    pub happenings: Vec<Happening>,
    /// By terminal.
    pub vitals: HashMap<TerminalId, Vitals>,
    entries: usize,
    /// How many found no room.
    pub dropped: u64,
}

/// The table. Cheap to share behind an `Arc`.
#[derive(Debug, Default)]
pub struct Reports(Mutex<Batch>);

impl Reports {
    /// Terminals that reached `state` of `command`.
    pub fn reached(&self, command: CommandId, state: TargetState, terminals: impl IntoIterator<Item = TerminalId>) {
        self.add(|batch| {
            let list = batch.steps.entry((command, state)).or_default();
            let before = list.len();
            list.extend(terminals);
            list.len() - before
        });
    }

    /// A command was sent to all of `terminals`: a list that is shared between commands, and so not copied.
    pub fn sent_to(&self, command: CommandId, terminals: Arc<[TerminalId]>) {
        self.add(|batch| {
            let entries = terminals.len();
            batch.sent.push((command, terminals));
            entries
        });
    }

    /// Something happened.
    pub fn happened(&self, kind: &'static str, terminal: &TerminalId, fields: Vec<(&'static str, Payload)>) {
        let happening = Happening { kind, terminal: terminal.clone(), fields, at: Timestamp::now() };
        self.add(|batch| {
            batch.happenings.push(happening);
            1
        });
    }

    /// A terminal answered a ping after `rtt_ms`.
    pub fn seen(&self, terminal: &TerminalId, rtt_ms: u64) {
        self.vitals(terminal, |vitals| vitals.seen = Some((Timestamp::now(), rtt_ms)));
    }

    /// A terminal told how it fares; a change of its condition is an event as well.
    pub fn health(&self, terminal: &TerminalId, health: Health, was: Condition) {
        if health.condition != was {
            let condition = serde_json::to_value(health.condition).unwrap_or_default();
            self.happened("terminal.health", terminal, vec![("condition", Payload::from_value(&condition))]);
        }
        self.vitals(terminal, |vitals| vitals.health = Some(health));
    }

    /// Takes all there is.
    pub fn drain(&self) -> Batch {
        std::mem::take(&mut *self.lock())
    }

    fn vitals(&self, terminal: &TerminalId, change: impl FnOnce(&mut Vitals)) {
        self.add(|batch| {
            let known = batch.vitals.len();
            change(batch.vitals.entry(terminal.clone()).or_default());
            batch.vitals.len() - known
        });
    }

    fn add(&self, write: impl FnOnce(&mut Batch) -> usize) {
        let mut batch = self.lock();
        if batch.entries < ROOM {
            batch.entries += write(&mut batch);
        } else {
            batch.dropped += 1;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Batch> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Batch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.sent.is_empty() && self.happenings.is_empty() && self.vitals.is_empty()
    }
}
