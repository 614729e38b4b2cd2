//! A machine with a clock, as tests drive it.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use muster_protocol::{
    CommandId, Payload, SessionId,
    api::Protocol,
    frame::Command,
    selector::{Labels, SayableKeys},
};
use uuid::Uuid;

use super::super::{Action, Input, Machine, Now, Output, SessionStart, Settings, Wants};
use crate::{
    backplane::{Cursor, JoinOutcome, MissedCommand, ResumePoint},
    wire::Decoder,
};

/// The second in which every test begins, since 1970.
pub const BEGAN: i64 = 1_800_000_000;
/// The last second of the token of a session that expires.
pub const EXPIRES: u64 = BEGAN as u64 + 600;

/// A machine, and the time.
pub struct TestSession {
    pub machine: Machine,
    pub settings: Settings,
    pub now: Now,
    output: Output,
}

pub fn settings() -> Settings {
    Settings {
        node: "n1".parse().unwrap(),
        decoder: Decoder { max_message: 64 * 1024 },
        hello_timeout: Duration::from_secs(5),
        max_rate: 500,
        ping: Duration::from_secs(25),
        queue: 512 * 1024,
        plain_heartbeat: None,
        echo: false,
    }
}

impl TestSession {
    /// Returns a connection that was just opened, and what follows from that.
    pub fn open(protocol: Protocol, labels: Labels, settings: Settings) -> (Self, Vec<Action>) {
        Self::open_saying(protocol, labels, SayableKeys::All, settings)
    }

    /// Returns the same for a terminal that may say these labels of itself.
    pub fn open_saying(
        protocol: Protocol,
        labels: Labels,
        say: SayableKeys,
        settings: Settings,
    ) -> (Self, Vec<Action>) {
        let now = Now { instant: Instant::now(), time: Timestamp::from_second(BEGAN).unwrap() };
        let start = SessionStart { session: SessionId(Uuid::nil()), protocol, labels, say, expires: Some(EXPIRES) };
        let machine = Machine::new(start, &settings, now.instant);
        let mut session = Self { machine, settings, now, output: Output::default() };
        let actions = session.handle(Input::Opened);
        (session, actions)
    }

    /// Returns a `muster.v1` connection before its hello.
    pub fn opened() -> Self {
        Self::open(Protocol::V1, Labels::new(), settings()).0
    }

    /// Returns a `muster.v1` session that has sent an empty hello and was not answered yet.
    pub fn registering() -> Self {
        let mut session = Self::opened();
        session.read(&text("{\"type\":\"hello\"}"));
        session
    }

    /// Returns a session that missed nothing and takes live commands.
    pub fn live(protocol: Protocol) -> Self {
        let mut session = Self::open(protocol, Labels::new(), settings()).0;
        if protocol == Protocol::V1 {
            session.read(&text("{\"type\":\"hello\"}"));
        }
        session.handle(Input::Joined(missed(10, 0)));
        assert!(session.machine.is_live());
        session
    }

    pub fn handle(&mut self, input: Input<'_>) -> Vec<Action> {
        self.machine.handle(input, self.now, &self.settings, &mut self.output);
        std::mem::take(&mut self.output.actions)
    }

    pub fn read(&mut self, bytes: &[u8]) -> Vec<Action> {
        self.handle(Input::Read(&mut bytes.to_vec()))
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        self.now = Now { instant: self.now.instant + time, time: self.now.time + time };
    }

    /// Lets time pass, and tells the machine.
    pub fn after(&mut self, time: Duration) -> Vec<Action> {
        self.pass(time);
        self.handle(Input::Time)
    }

    pub fn wants(&self) -> Wants {
        self.machine.wants(self.now.instant)
    }

    /// Returns how long it is until the machine wants to be told the time.
    pub fn wakes_in(&self) -> Option<Duration> {
        self.wants().wake_at.map(|at| at - self.now.instant)
    }
}

/// Returns the names of actions, without what they hold.
pub fn names(actions: &[Action]) -> Vec<String> {
    let name = |action: &Action| format!("{action:?}").split(['(', '{', ' ']).next().unwrap().to_owned();
    actions.iter().map(name).collect()
}

/// Returns the payloads of the frames that were sent, without their heads, as text.
pub fn sent(actions: &[Action]) -> Vec<String> {
    actions
        .iter()
        .filter_map(|action| if let Action::Send(frame) = action { Some(payload(frame)) } else { None })
        .collect()
}

/// Returns the code and reason of the close frame that was sent.
pub fn close_of(actions: &[Action]) -> Option<(u16, String)> {
    actions.iter().find_map(|action| match action {
        Action::SendLast(frame) => {
            let code = u16::from_be_bytes([frame[2], frame[3]]);
            Some((code, String::from_utf8(frame[4..].to_vec()).unwrap()))
        }
        _ => None,
    })
}

fn payload(frame: &[u8]) -> String {
    let head = if frame[1] == 126 { 4 } else { 2 };
    String::from_utf8_lossy(&frame[head..]).into_owned()
}

/// Returns a frame of a terminal with this first byte (FIN and opcode). Its mask is zero, which leaves the payload as
/// it is.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        small @ 0..126 => bytes.push(0x80 | small as u8),
        medium => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(medium).unwrap().to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

pub fn text(payload: &str) -> Vec<u8> {
    frame(0x81, payload.as_bytes())
}

/// Returns the close frame of a terminal.
pub fn close(code: u16, reason: &str) -> Vec<u8> {
    frame(0x88, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// Returns an event of a terminal.
pub fn event(name: &str) -> Vec<u8> {
    text(&format!("{{\"type\":\"event\",\"name\":\"{name}\"}}"))
}

/// Returns the answer to a call to register: the terminal has missed `count` broadcasts up to this number.
pub fn missed(number: u64, count: u64) -> JoinOutcome {
    let numbers = number - count + 1..=number;
    let missed = numbers.map(|number| MissedCommand { number, command: id(number), to_all: true }).collect();
    JoinOutcome::In(ResumePoint { cursor: Cursor { epoch: "e".into(), number }, missed, lost: None })
}

pub fn id(number: u64) -> CommandId {
    CommandId(Uuid::from_u64_pair(0, number))
}

/// Returns a command that has not expired.
pub fn command(id: CommandId, payload: &str) -> Command {
    let payload = Payload::from_text(payload);
    Command { id, name: "show".into(), payload, expires_at: Timestamp::MAX, cursor: None, stagger_ms: None }
}

/// Returns the frames that were asked for.
pub fn fetched(actions: &[Action], payload: &str) -> Option<Vec<Option<Command>>> {
    actions.iter().find_map(|action| match action {
        Action::Fetch(ids) => Some(ids.iter().map(|id| Some(command(*id, payload))).collect()),
        _ => None,
    })
}
