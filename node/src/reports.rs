//! What this node's sessions have to report, until the backplane takes it. Shards write here after each walk and never wait;
//! the backplane drains it on its own beat, so that ten thousand acknowledgements become a few writes.
//!
//! The lock is held for an append and never across an await. The table is bounded: beyond [`ROOM`] bytes new entries are counted
//! as dropped, which happens only while the store behind the backplane is away, and which it then says.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use muster_protocol::{
    CommandId, Payload, TerminalId,
    api::{Protocol, TargetState},
    frame::{Condition, Health},
};

/// What is kept while the store is away, in bytes as they are weighed here: steps and replies of commands, and what else.
const ROOM: usize = 128 << 20;
/// Of it for what terminals tell by themselves, so that these can't push out what became of commands.
const ROOM_FOR_EVENTS: usize = 32 << 20;
/// An entry weighs so much beside its payload.
const ENTRY: usize = 100;

/// Something that happened at a terminal, for whoever follows the events.
#[derive(Debug, Clone)]
pub struct Happening {
    /// Its kind, as the API names it: `terminal.health`, `terminal.event`, ...
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

/// A state of a command that terminals have reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Step {
    /// The command.
    pub command: CommandId,
    /// The state.
    pub state: TargetState,
    /// Whether these terminals will confirm no more than this, as plain ones never do.
    pub settled: bool,
}

/// All that was reported since the last drain.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Terminals that took a step, and when, in milliseconds since 1970.
    pub steps: HashMap<Step, Vec<(TerminalId, u64)>>,
    /// A step that all of these took at once, in a list that is shared between commands and so not copied.
    pub walks: Vec<(Step, u64, Arc<[TerminalId]>)>,
    /// What terminals said of commands, in the order they said it.
    pub replies: Vec<(CommandId, TerminalId, Payload)>,
    /// In the order they happened.
    pub happenings: Vec<Happening>,
    /// By terminal.
    pub vitals: HashMap<TerminalId, Vitals>,
    weight: usize,
    weight_of_events: usize,
    /// How many found no room.
    pub dropped: u64,
}

/// The table. Cheap to share behind an `Arc`.
#[derive(Debug, Default)]
pub struct Reports(Mutex<Batch>);

impl Reports {
    /// A command was written to a terminal's socket.
    pub fn sent(&self, command: CommandId, terminal: TerminalId, protocol: Protocol) {
        self.step(sent(command, protocol), terminal);
    }

    /// A command was written to all of these terminals' sockets.
    pub fn sent_to_all(&self, command: CommandId, terminals: Arc<[TerminalId]>, protocol: Protocol) {
        // The list is shared: it weighs where a terminal is not in the next walk any more.
        self.add(ENTRY, |batch| batch.walks.push((sent(command, protocol), now(), terminals)));
    }

    /// A terminal says that it has reached `state` of `command`.
    pub fn reached(&self, command: CommandId, state: TargetState, terminal: TerminalId) {
        self.step(Step { command, state, settled: false }, terminal);
    }

    /// A terminal says this of `command`.
    pub fn replied(&self, command: CommandId, terminal: TerminalId, payload: Payload) {
        let weight = ENTRY + payload.as_json().len();
        self.add(weight, |batch| batch.replies.push((command, terminal, payload)));
    }

    /// Something happened.
    pub fn happened(&self, kind: &'static str, terminal: &TerminalId, fields: Vec<(&'static str, Payload)>) {
        let happening = Happening { kind, terminal: terminal.clone(), fields, at: Timestamp::now() };
        let weight = ENTRY + happening.fields.iter().map(|(_, value)| value.as_json().len()).sum::<usize>();
        let mut batch = self.lock();
        if batch.weight_of_events + weight > ROOM_FOR_EVENTS {
            batch.dropped += 1;
        } else {
            batch.weight_of_events += weight;
            batch.happenings.push(happening);
        }
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

    fn step(&self, step: Step, terminal: TerminalId) {
        self.add(ENTRY, |batch| batch.steps.entry(step).or_default().push((terminal, now())));
    }

    fn vitals(&self, terminal: &TerminalId, change: impl FnOnce(&mut Vitals)) {
        self.add(ENTRY, |batch| change(batch.vitals.entry(terminal.clone()).or_default()));
    }

    fn add(&self, weight: usize, write: impl FnOnce(&mut Batch)) {
        let mut batch = self.lock();
        if batch.weight + weight > ROOM {
            batch.dropped += 1;
        } else {
            batch.weight += weight;
            write(&mut batch);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Batch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch {
    /// All steps, one list of terminals after the other.
    pub fn all_steps(&self) -> impl Iterator<Item = (Step, Vec<(&TerminalId, u64)>)> {
        let walks = self.walks.iter().map(|(step, at, all)| (*step, all.iter().map(|one| (one, *at)).collect()));
        let steps = self.steps.iter().map(|(step, all)| (*step, all.iter().map(|(one, at)| (one, *at)).collect()));
        walks.chain(steps)
    }
}

fn sent(command: CommandId, protocol: Protocol) -> Step {
    Step { command, state: TargetState::Sent, settled: protocol == Protocol::Plain }
}

fn now() -> u64 {
    Timestamp::now().as_millisecond().unsigned_abs()
}
