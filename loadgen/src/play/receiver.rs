//! Processes the frames that one terminal receives: records each in the terminal's journal, and returns the frames that
//! the terminal has to send in answer.

use std::{borrow::Cow, sync::Arc};

use muster_protocol::{
    CommandId, Payload,
    frame::{Ack, FromTerminal, ResultFrame},
};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Message;

use super::LiveCounters;
use crate::{
    clock::Nanos,
    journal::{Anomaly, Journal, Received},
    message::{self, Decoded, Header, TARGETED},
};

/// The fields of a node's frames that matter here. All kinds of frame are parsed into this one struct, in one pass.
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

/// Processes the frames of one terminal.
#[derive(Clone)]
pub struct FrameReceiver {
    /// The terminal's number in the plan.
    pub number: usize,
    /// The run's random id, which each message of the run carries.
    pub run: u32,
    /// True if the texts are `muster.v1` frames; otherwise each text is a bare message.
    pub v1: bool,
    /// True if the terminal acknowledges broadcasts too; otherwise it acknowledges only commands that target it
    /// alone.
    pub acks_all: bool,
    /// The number of messages in the plan. A message with a greater sequence number is recorded as a phantom.
    pub messages: usize,
    /// The journal that receives the records.
    pub journal: Arc<Journal>,
    /// The counters for the progress display.
    pub live: Arc<LiveCounters>,
}

impl FrameReceiver {
    /// Records a frame that was read at `at`. Returns the frames to send, and moves `cursor` forward if the frame
    /// carries a cursor.
    pub fn receive(&self, frame: &Message, at: Nanos, cursor: &mut Option<String>) -> Vec<String> {
        match frame {
            Message::Text(text) => return self.text(text, at, cursor),
            Message::Binary(bytes) => self.binary(bytes, at),
            _ => {}
        }
        Vec::new()
    }

    fn text(&self, text: &str, at: Nanos, cursor: &mut Option<String>) -> Vec<String> {
        if !self.v1 {
            self.message(text, None, at);
            return Vec::new();
        }
        let Ok(frame) = serde_json::from_str::<Frame>(text) else {
            self.odd(Anomaly::Corrupt, at);
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
            ("error", _) => self.odd(Anomaly::Complaint, at),
            _ => {}
        }
        Vec::new()
    }

    /// Records a binary frame. A server that relays texts in binary frames delivers all the same, but not what was sent.
    fn binary(&self, bytes: &[u8], at: Nanos) {
        match message::decode(str::from_utf8(bytes).unwrap_or_default()) {
            Decoded::Whole(header) if header.run == self.run && header.seq < self.messages as u64 => {
                let arrival = self.arrival(&header, 0, at);
                self.journal.terminal(self.number).binary.push(arrival);
            }
            Decoded::Corrupt => self.odd(Anomaly::Corrupt, at),
            Decoded::Whole(_) | Decoded::Foreign => self.odd(Anomaly::Foreign, at),
        }
    }

    fn arrival(&self, header: &Header, copy: u32, at: Nanos) -> Received {
        self.live.arrived(at.saturating_sub(header.due.saturating_sub(self.journal.clock.zero())));
        Received { message: header.seq as u32, copy, at }
    }

    /// Records a message. Returns true if the message targets this terminal alone.
    fn message(&self, text: &str, id: Option<CommandId>, at: Nanos) -> bool {
        match message::decode(text) {
            Decoded::Whole(header) if header.run != self.run => self.odd(Anomaly::OtherRun, at),
            Decoded::Whole(header) if header.seq < self.messages as u64 => {
                let copy = id.map_or(0, |id| crc32c::crc32c(id.0.as_bytes()));
                let arrival = self.arrival(&header, copy, at);
                self.journal.terminal(self.number).arrivals.push(arrival);
                return header.flags & TARGETED != 0;
            }
            Decoded::Corrupt => self.odd(Anomaly::Corrupt, at),
            Decoded::Whole(_) => self.odd(Anomaly::Phantom, at),
            Decoded::Foreign => self.odd(Anomaly::Foreign, at),
        }
        false
    }

    fn odd(&self, odd: Anomaly, at: Nanos) {
        self.journal.terminal(self.number).odd.push((odd, at));
    }
}

/// Returns an ack, and for a command that targets this terminal alone also its result.
fn answers(id: CommandId, targeted: bool) -> Vec<String> {
    let mut answers = vec![FromTerminal::Ack(Ack { id }).to_string()];
    if targeted {
        answers.push(
            FromTerminal::Result(ResultFrame { id, ok: true, reason: None, payload: Payload::default() }).to_string(),
        );
    }
    answers
}

/// Returns the content of a JSON string. The generator's own messages contain nothing to unescape, so they are
/// borrowed and not copied.
fn unquoted(json: &str) -> Cow<'_, str> {
    let inner = json.strip_prefix('"').and_then(|json| json.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.contains('\\') => inner.into(),
        _ => serde_json::from_str::<String>(json).unwrap_or_default().into(),
    }
}

/// Overwrites the cursor in place, which allocates nothing once the string has enough capacity.
fn replace(cursor: &mut Option<String>, new: &str) {
    cursor.get_or_insert_default().replace_range(.., new);
}
