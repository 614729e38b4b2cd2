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
    door::{self, Guest},
    fault::{Fault, Mistake},
};

/// A connected terminal.
pub(super) struct Seat {
    pub(super) guest: Guest,
    pub(super) writer: OwnedWriteHalf,
    /// A frame that is written after the next one, for the fault that swaps frames.
    pub(super) held: Option<Vec<u8>>,
}

/// The connected terminals and the state of the server, behind one lock.
#[derive(Default)]
pub(super) struct Hall {
    seats: Mutex<Seats>,
}

#[derive(Default)]
pub(super) struct Seats {
    pub(super) seats: Vec<Seat>,
    pub(super) fault: Option<Fault>,
    /// The ids of terminals, in the order of their first handshakes.
    came: Vec<String>,
    delivered: u64,
    ids: u64,
    /// How much longer each message is delayed than the one before it.
    pub(super) drag: Duration,
    messages: u32,
}

impl Hall {
    pub(super) fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut hall = self.seats();
        let (frames, again) = (hall.frames(text), hall.frames(text));
        let Seats { seats, fault, delivered, .. } = &mut *hall;
        let count = seats.len();
        for at in 0..count {
            if to.is_some_and(|to| to != seats[at].guest.id) {
                continue;
            }
            *delivered += 1;
            let due = fault.filter(|fault| !fault.what.is_of_handshakes() && *delivered >= fault.at);
            let due = due.map(|fault| fault.what);
            let mistake = due.filter(|what| *what != Mistake::Misdeliver || to.is_some() && count > 1);
            if mistake.is_some() {
                *fault = None;
            }
            let other = (at + 1) % count;
            match mistake {
                Some(Mistake::Drop) => {}
                Some(Mistake::Repeat) => {
                    seats[at].write(&frames);
                    seats[at].write(&again);
                }
                Some(Mistake::Swap) => seats[at].hold(&frames),
                Some(Mistake::Corrupt) => seats[at].write(&frames.each_ref().map(|frame| corrupt(frame))),
                Some(Mistake::Misdeliver) => seats[other].write(&frames),
                Some(Mistake::Refuse | Mistake::Ignore) | None => seats[at].write(&frames),
            }
        }
    }
}

impl Seats {
    /// Returns the fault to inject into a handshake of this terminal, if any.
    pub(super) fn mistreats(&mut self, id: &str) -> Option<Mistake> {
        let fault = self.fault.filter(|fault| fault.what.is_of_handshakes())?;
        let place = self.came.iter().position(|known| known == id).unwrap_or_else(|| {
            self.came.push(id.to_owned());
            self.came.len() - 1
        });
        (place as u64 + 1).is_multiple_of(fault.at).then_some(fault.what)
    }

    /// Counts a message and returns its delay.
    pub(super) fn delay(&mut self) -> Duration {
        self.messages += 1;
        self.drag * self.messages
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
        [door::encode(1, text.as_bytes()), door::encode(1, command.to_string().as_bytes())]
    }

    pub(super) fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("00000000-0000-7000-8000-{:012x}", self.ids)
    }
}

impl Seat {
    /// Writes a frame without waiting and without a queue. If the terminal's socket buffer is full, the frame is
    /// lost, and the load generator reports the loss.
    fn write(&mut self, frames: &[Vec<u8>; 2]) {
        let _ = self.writer.try_write(&frames[usize::from(self.guest.v1)]);
        if let Some(held) = self.held.take() {
            let _ = self.writer.try_write(&held);
        }
    }

    fn hold(&mut self, frames: &[Vec<u8>; 2]) {
        self.held = Some(frames[usize::from(self.guest.v1)].clone());
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
