//! The connected terminals of the null server, and the delivery to them: one non-blocking write per terminal,
//! without a queue.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hyper::StatusCode;
use muster_protocol::{
    Selector,
    api::CommandRequest,
    frame::{Command, FromNode},
};
use tokio::{net::tcp::OwnedWriteHalf, time::sleep};

use super::{
    fault::{NullFault, NullFaultKind},
    handshake::{self, NullTerminal},
};

/// How much later the fault `delay` delivers.
pub(super) const DELAY: Duration = Duration::from_secs(3);

/// A connected terminal.
pub(super) struct NullSession {
    pub(super) terminal: NullTerminal,
    /// Its place in the order in which terminals connected, from 1.
    pub(super) number: u64,
    pub(super) writer: Arc<OwnedWriteHalf>,
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
    /// Sessions so far.
    accepted: u64,
    /// Messages so far, each to any number of terminals.
    relayed: u64,
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
        let NullState { sessions, fault, delivered, relayed, .. } = &mut *sessions;
        let count = sessions.len();
        for at in 0..count {
            if to.is_some_and(|to| to != sessions[at].terminal.id) {
                continue;
            }
            *delivered += 1;
            let due = fault.filter(|fault| fault.affects(*delivered, sessions[at].number));
            let due = due.filter(|due| due.what != NullFaultKind::Misdeliver || to.is_some() && count > 1);
            if due.is_some_and(NullFault::happens_once) {
                *fault = None;
            }
            let other = (at + 1) % count;
            match due.map(|due| due.what) {
                Some(NullFaultKind::Drop | NullFaultKind::DropEvery | NullFaultKind::Exclude) => {}
                Some(NullFaultKind::Repeat | NullFaultKind::RepeatEvery) => {
                    sessions[at].write(&frames);
                    sessions[at].write(&again);
                }
                Some(NullFaultKind::Swap) => sessions[at].hold(&frames),
                Some(NullFaultKind::Corrupt) => sessions[at].write(&frames.each_ref().map(|frame| corrupt(frame))),
                Some(NullFaultKind::Misdeliver) => sessions[other].write(&frames),
                Some(NullFaultKind::Binary) => sessions[at].write(&frames.each_ref().map(|frame| binary(frame))),
                Some(NullFaultKind::Delay) => sessions[at].write_later(&frames),
                _ => sessions[at].write(&frames),
            }
        }
        *relayed += 1;
        if fault.is_some_and(|fault| fault.what == NullFaultKind::Close && *relayed == fault.at) {
            let close = handshake::encode(8, &4000_u16.to_be_bytes());
            sessions.iter().for_each(|session| drop(session.writer.try_write(&close)));
        }
    }
}

impl NullState {
    /// Adds a session of a terminal, and greets it if that is the fault.
    pub(super) fn add(&mut self, terminal: NullTerminal, writer: OwnedWriteHalf) {
        self.accepted += 1;
        if self.fault.is_some_and(|fault| fault.is_every(NullFaultKind::Greet, self.accepted)) {
            let _ = writer.try_write(&handshake::encode(1, b"welcome"));
        }
        let session = NullSession { terminal, number: self.accepted, writer: writer.into(), swapped: None };
        self.sessions.push(session);
    }

    /// Whether the server reads nothing more of terminals that send messages.
    pub(super) fn reads_no_more(&self) -> bool {
        self.fault.is_some_and(|fault| fault.what == NullFaultKind::StopReading && self.relayed >= fault.at)
    }

    /// Returns the fault to inject into a handshake of this terminal, if any.
    pub(super) fn handshake_fault(&mut self, id: &str) -> Option<NullFaultKind> {
        let fault = self.fault.filter(|fault| fault.is_of_handshakes())?;
        let place = self.known_ids.iter().position(|known| known == id).unwrap_or_else(|| {
            self.known_ids.push(id.to_owned());
            self.known_ids.len() - 1
        });
        (place as u64 + 1).is_multiple_of(fault.at).then_some(fault.what)
    }

    /// Counts a posted message. Returns the time by which its delivery is delayed, and whether the request is answered.
    pub(super) fn next_message(&mut self) -> (Duration, bool) {
        self.messages += 1;
        let silent = |fault: NullFault| fault.is_every(NullFaultKind::NoAnswer, self.messages.into());
        let answers = !self.fault.is_some_and(silent);
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

    /// Writes a frame after [`DELAY`].
    fn write_later(&self, frames: &[Vec<u8>; 2]) {
        let (writer, frame) = (self.writer.clone(), frames[usize::from(self.terminal.v1)].clone());
        tokio::spawn(async move {
            sleep(DELAY).await;
            let _ = writer.try_write(&frame);
        });
    }

    fn hold(&mut self, frames: &[Vec<u8>; 2]) {
        self.swapped = Some(frames[usize::from(self.terminal.v1)].clone());
    }
}

/// The same frame as a binary one.
fn binary(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[0] = 0x82;
    frame
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
