//! Hears for one terminal: turns each text into a line of its journal, and into what the terminal should say.

use std::{borrow::Cow, sync::Arc};

use muster_protocol::{
    CommandId, Payload,
    frame::{Ack, FromTerminal, ResultFrame},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Live;
use crate::{
    clock::Nanos,
    journal::{Arrival, Journal, Odd},
    message::{self, Reading, TARGETED},
};

/// The fields of every frame of a node that matter here, read in one go.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    id: Option<CommandId>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    cursor: Option<Cow<'a, str>>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
}

/// One terminal's ear.
#[derive(Clone)]
pub struct Ear {
    /// The terminal.
    pub number: usize,
    /// The run's mark in each message.
    pub run: u32,
    /// Whether frames are `muster.v1`.
    pub v1: bool,
    /// Whether a message to all is acknowledged.
    pub acks_all: bool,
    /// How many messages there are in the plan.
    pub messages: usize,
    /// What is written to.
    pub journal: Arc<Journal>,
    /// For the eye.
    pub live: Arc<Live>,
}

impl Ear {
    /// Hears a text that was read at this time. Returns what is to be said; the cursor moves.
    pub fn hear(&self, text: &str, at: Nanos, cursor: &mut Option<String>) -> Vec<String> {
        if !self.v1 {
            self.message(text, None, at);
            return Vec::new();
        }
        let Ok(frame) = serde_json::from_str::<Frame>(text) else {
            self.odd(Odd::Corrupt, at);
            return Vec::new();
        };
        self.frame(frame, at, cursor)
    }

    fn frame(&self, frame: Frame, at: Nanos, cursor: &mut Option<String>) -> Vec<String> {
        match (&*frame.kind, frame.id) {
            ("command", Some(id)) => {
                let payload = frame.payload.map(RawValue::get).unwrap_or_default();
                let targeted = self.message(&unquoted(payload), Some(id), at);
                if let Some(new) = frame.cursor {
                    replace(cursor, &new);
                }
                return if targeted || self.acks_all { answers(id, targeted) } else { Vec::new() };
            }
            ("gap", _) => {
                self.journal.terminal(self.number).gaps.push(at);
                if let Some(to) = frame.to {
                    replace(cursor, &to);
                }
            }
            ("error", _) => self.odd(Odd::Complaint, at),
            _ => {}
        }
        Vec::new()
    }

    /// Whether it was for this terminal alone.
    fn message(&self, text: &str, id: Option<CommandId>, at: Nanos) -> bool {
        match message::decode(text) {
            Reading::Whole(header) if header.run != self.run => self.odd(Odd::OtherRun, at),
            Reading::Whole(header) if header.seq < self.messages as u64 => {
                let copy = id.map_or(0, |id| crc32c::crc32c(id.0.as_bytes()));
                self.live.arrived(at.saturating_sub(header.due.saturating_sub(self.journal.clock.zero())));
                let arrival = Arrival { message: header.seq as u32, copy, at };
                self.journal.terminal(self.number).arrivals.push(arrival);
                return header.flags & TARGETED != 0;
            }
            Reading::Corrupt => self.odd(Odd::Corrupt, at),
            Reading::Whole(_) | Reading::Foreign => self.odd(Odd::Phantom, at),
        }
        false
    }

    fn odd(&self, odd: Odd, at: Nanos) {
        self.journal.terminal(self.number).odd.push((odd, at));
    }
}

/// An ack, and for a command to this terminal alone its result.
fn answers(id: CommandId, targeted: bool) -> Vec<String> {
    let mut answers = vec![FromTerminal::Ack(Ack { id }).to_string()];
    if targeted {
        answers.push(
            FromTerminal::Result(ResultFrame { id, ok: true, reason: None, payload: Payload::default() }).to_string(),
        );
    }
    answers
}

/// The content of a JSON string: our messages have nothing to unescape.
fn unquoted(json: &str) -> Cow<'_, str> {
    let inner = json.strip_prefix('"').and_then(|json| json.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.contains('\\') => inner.into(),
        _ => serde_json::from_str::<String>(json).unwrap_or_default().into(),
    }
}

/// Without an allocation once there is room.
fn replace(cursor: &mut Option<String>, new: &str) {
    cursor.get_or_insert_default().replace_range(.., new);
}
