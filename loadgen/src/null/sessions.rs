//! The connected terminals of the null server, and the delivery to them: one non-blocking write per terminal,
//! without a queue.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hyper::StatusCode;
use muster_protocol::{
    Selector,
    api::CommandRequest,
    frame::{Command, FromNode},
};
use tokio::net::tcp::OwnedWriteHalf;

use super::{
    fault::{NullFault, NullFaultKind},
    handshake::{self, NullTerminal},
};

/// A connected terminal.
pub(super) struct NullSession {
    pub(super) terminal: NullTerminal,
    pub(super) writer: OwnedWriteHalf,
    /// A frame that is written after the next one, for the fault that swaps frames.
    pub(super) swapped: Option<Vec<u8>>,
}

/// The connected terminals and the state of the server, behind one lock.
#[derive(Default)]
pub(super) struct NullSessions {
    sessions: Mutex<NullState>,
}

#[derive(Default)]
pub(super) struct NullState {
    pub(super) sessions: Vec<NullSession>,
    pub(super) fault: Option<NullFault>,
    /// The ids of terminals, in the order of their first handshakes.
    known_ids: Vec<String>,
    delivered: u64,
    ids: u64,
    /// How much longer each message is delayed than the one before it.
    pub(super) drag: Duration,
    messages: u32,
}

impl NullSessions {
    pub(super) fn state(&self) -> MutexGuard<'_, NullState> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn command(&self, command: &CommandRequest) -> StatusCode {
        let text: String = serde_json::from_str(command.payload.as_json()).unwrap_or_default();
        match &command.target {
            Selector::All => self.deliver(None, &text),
            Selector::Terminal(id) => self.deliver(Some(id.as_str()), &text),
            _ => return StatusCode::BAD_REQUEST,
        }
        StatusCode::ACCEPTED
    }

    pub(super) fn deliver(&self, to: Option<&str>, text: &str) {
        let mut sessions = self.state();
        let (frames, again) = (sessions.frames(text), sessions.frames(text));
        let NullState { sessions, fault, delivered, .. } = &mut *sessions;
        let count = sessions.len();
        for at in 0..count {
            if to.is_some_and(|to| to != sessions[at].terminal.id) {
                continue;
            }
            *delivered += 1;
            let due = fault.filter(|fault| fault.what.is_of_deliveries() && *delivered >= fault.at);
            let due = due.map(|fault| fault.what);
            let mistake = due.filter(|what| *what != NullFaultKind::Misdeliver || to.is_some() && count > 1);
            if mistake.is_some() {
                *fault = None;
            }
            let other = (at + 1) % count;
            match mistake {
                Some(NullFaultKind::Drop) => {}
                Some(NullFaultKind::Repeat) => {
                    sessions[at].write(&frames);
                    sessions[at].write(&again);
                }
                Some(NullFaultKind::Swap) => sessions[at].hold(&frames),
                Some(NullFaultKind::Corrupt) => sessions[at].write(&frames.each_ref().map(|frame| corrupt(frame))),
                Some(NullFaultKind::Misdeliver) => sessions[other].write(&frames),
                Some(NullFaultKind::Refuse | NullFaultKind::Ignore | NullFaultKind::NoAnswer) | None => {
                    sessions[at].write(&frames)
                }
            }
        }
    }
}

impl NullState {
    /// Returns the fault to inject into a handshake of this terminal, if any.
    pub(super) fn handshake_fault(&mut self, id: &str) -> Option<NullFaultKind> {
        let fault = self.fault.filter(|fault| fault.what.is_of_handshakes())?;
        let place = self.known_ids.iter().position(|known| known == id).unwrap_or_else(|| {
            self.known_ids.push(id.to_owned());
            self.known_ids.len() - 1
        });
        (place as u64 + 1).is_multiple_of(fault.at).then_some(fault.what)
    }

    /// Counts a posted message. Returns the time by which its delivery is delayed, and whether the request is answered.
    pub(super) fn next_message(&mut self) -> (Duration, bool) {
        self.messages += 1;
        let silent = self.fault.filter(|fault| fault.what == NullFaultKind::NoAnswer);
        let answers = silent.is_none_or(|fault| !u64::from(self.messages).is_multiple_of(fault.at));
        (self.drag * self.messages, answers)
    }

    /// Encodes a text as a bare message and as a `muster.v1` command.
    fn frames(&mut self, text: &str) -> [Vec<u8>; 2] {
        let command = FromNode::Command(Command {
            id: self.next_id().parse().expect("a uuid"),
            name: "load".into(),
            payload: serde_json::from_value(text.into()).expect("a string is JSON"),
            expires_at: jiff::Timestamp::now(),
            cursor: None,
            stagger_ms: None,
        });
        [handshake::encode(1, text.as_bytes()), handshake::encode(1, command.to_string().as_bytes())]
    }

    pub(super) fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("00000000-0000-7000-8000-{:012x}", self.ids)
    }
}

impl NullSession {
    /// Writes a frame without waiting and without a queue. If the terminal's socket buffer is full, the frame is
    /// lost, and the load generator reports the loss.
    fn write(&mut self, frames: &[Vec<u8>; 2]) {
        let _ = self.writer.try_write(&frames[usize::from(self.terminal.v1)]);
        if let Some(swapped) = self.swapped.take() {
            let _ = self.writer.try_write(&swapped);
        }
    }

    fn hold(&mut self, frames: &[Vec<u8>; 2]) {
        self.swapped = Some(frames[usize::from(self.terminal.v1)].clone());
    }
}

/// Changes one letter of the message's padding, which only the checksum can detect.
fn corrupt(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let mark = frame.windows(2).position(|pair| pair == b"M1").unwrap_or(0);
    if let Some(letter) = frame.get_mut(mark + 84) {
        *letter = if *letter == b'z' { b'a' } else { b'z' };
    }
    frame
}
