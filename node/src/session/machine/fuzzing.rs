//! A session to which anything happens, in any order.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use muster_protocol::{
    CommandId, Payload, SessionId,
    api::Protocol,
    frame::Command,
    selector::{Labels, SayableKeys},
};
use uuid::Uuid;

use super::{Action, Input, Machine, Now, Output, SessionStart, Settings};
use crate::{
    backplane::{Cursor, JoinOutcome, MissedCommand, ResumePoint},
    end::SessionEnd,
    wire::Decoder,
};

/// The second in which a session begins, since 1970.
const BEGAN: i64 = 1_800_000_000;
/// The last second of its token.
const EXPIRES: u64 = BEGAN as u64 + 600;
/// The smallest frame of a terminal, in bytes.
const FRAME_MIN: usize = 6;

/// Lets things happen to a session, step by step: the first byte of a step says what happens, and the bytes after that
/// one say with which values. Panics unless the session ends once, does nothing after its end, and answers each step
/// with a number of actions that the bytes read so far bound.
pub fn session(bytes: &[u8]) {
    let mut script = Script(bytes);
    let mut session = FuzzedSession::new(if script.byte() % 2 == 0 { Protocol::V1 } else { Protocol::Plain });
    while !script.0.is_empty() && !session.machine.is_done() {
        session.step(&mut script);
    }
    session.handle(Input::End(SessionEnd::Removed));
    session.pass(Duration::from_secs(600));
    session.handle(Input::Time);
    assert!(session.machine.is_done(), "a session that was ended is done at last");
}

/// The bytes that say what happens. Past the end every byte reads as 0.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or_default()
    }

    /// Returns as many bytes as the next byte says, or all that are left if they are fewer.
    fn bytes(&mut self) -> &'a [u8] {
        let count = usize::from(self.byte()).min(self.0.len());
        self.0.split_off(..count).unwrap_or_default()
    }
}

struct FuzzedSession {
    machine: Machine,
    settings: Settings,
    now: Now,
    output: Output,
    /// The frames that were read and whose messages may still wait.
    waiting: usize,
    has_entered: bool,
    has_ended: bool,
    has_closed: bool,
}

impl FuzzedSession {
    fn new(protocol: Protocol) -> Self {
        let settings = Settings {
            node: "n1".parse().expect("an id"),
            decoder: Decoder { max_message: 1024 },
            hello_timeout: Duration::from_secs(5),
            max_rate: 500,
            ping: Duration::from_secs(25),
            queue: 4096,
            plain_heartbeat: None,
            echo: false,
        };
        let now = Now { instant: Instant::now(), time: Timestamp::from_second(BEGAN).expect("a time") };
        let start = SessionStart {
            session: SessionId(Uuid::nil()),
            protocol,
            labels: Labels::new(),
            say: SayableKeys::Listed(vec!["site".into()]),
            expires: Some(EXPIRES),
        };
        let machine = Machine::new(start, &settings, now.instant);
        let (has_entered, has_ended, has_closed) = (false, false, false);
        let output = Output::default();
        let mut session = Self { machine, settings, now, output, waiting: 0, has_entered, has_ended, has_closed };
        session.handle(Input::Opened);
        session
    }

    fn step(&mut self, script: &mut Script<'_>) {
        match script.byte() {
            0 => self.read(script.bytes().to_vec()),
            1 => self.read(frame(0x81, script.bytes())),
            2 => self.read(frame(script.byte(), script.bytes())),
            3 => self.handle(Input::EndOfStream),
            4 => {
                self.pass(Duration::from_millis(100) * u32::from(script.byte()));
                self.handle(Input::Time);
            }
            5 => self.handle(Input::Joined(outcome(script.byte()))),
            6 => self.handle(Input::Fetched(frames(script.byte()))),
            7 => self.handle(Input::Flushed),
            8 => self.handle(Input::Rejoin { received_up_to: u64::from(script.byte()) }),
            9 => self.handle(Input::Verified(verdict(script.byte()))),
            10 => self.handle(Input::End(SessionEnd::Replaced)),
            // A hello and an answer, which most other steps need.
            _ => {
                self.read(frame(0x81, br#"{"type":"hello"}"#));
                self.handle(Input::Joined(outcome(script.byte())));
            }
        }
    }

    /// Has the session read these bytes even if it does not want to read now: a driver may have begun the read before
    /// the session changed its mind.
    fn read(&mut self, mut bytes: Vec<u8>) {
        self.waiting += bytes.len() / FRAME_MIN + 1;
        self.handle(Input::Read(&mut bytes));
    }

    fn pass(&mut self, time: Duration) {
        self.now = Now { instant: self.now.instant + time, time: self.now.time + time };
    }

    fn handle(&mut self, input: Input<'_>) {
        self.machine.handle(input, self.now, &self.settings, &mut self.output);
        let actions = std::mem::take(&mut self.output.actions);
        assert!(actions.len() <= 3 * self.waiting + 10, "{} actions of {} frames", actions.len(), self.waiting);
        actions.iter().for_each(|action| self.check(action));
        let is_done = actions.iter().position(|action| *action == Action::Done);
        assert!(is_done.is_none_or(|place| place + 1 == actions.len()), "nothing follows the last action: {actions:?}");
        if self.machine.wants(self.now.instant).read {
            self.waiting = 0;
        }
    }

    /// Checks an action against those before it.
    fn check(&mut self, action: &Action) {
        match action {
            Action::Enter(_) => {
                assert!(!self.has_entered && !self.has_ended, "a session enters once");
                self.has_entered = true;
            }
            Action::End(..) => {
                assert!(!self.has_ended, "a session ends once");
                self.has_ended = true;
            }
            Action::SendLast(_) => {
                assert!(self.has_ended && !self.has_closed, "one close frame follows the end");
                self.has_closed = true;
            }
            Action::ShutDown | Action::Done => assert!(self.has_ended, "{action:?} before the end"),
            _ => assert!(self.has_entered && !self.has_ended, "{action:?} of a session that nobody knows"),
        }
    }
}

/// Returns a frame of a terminal with this first byte, and a mask that changes nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = match payload.len() {
        small @ 0..126 => vec![0x80 | small as u8],
        medium => [&[0x80 | 126][..], &(medium as u16).to_be_bytes()].concat(),
    };
    [&[first][..], &length[..], &[0; 4], payload].concat()
}

fn id(number: u64) -> CommandId {
    CommandId(Uuid::from_u64_pair(0, number))
}

/// Returns an answer to a call to register. From 3 on, `kind` is the number of commands that the session has missed.
fn outcome(kind: u8) -> JoinOutcome {
    match kind {
        0 => JoinOutcome::Away,
        1 => JoinOutcome::Contested(Duration::from_secs(2)),
        2 => JoinOutcome::Ended(SessionEnd::Replaced),
        count => {
            let missed = |number| MissedCommand { number, command: id(number), to_all: number % 2 == 0 };
            let missed = (501 - u64::from(count)..=500).map(missed).collect();
            JoinOutcome::In(ResumePoint { cursor: Cursor { epoch: "e".into(), number: 500 }, missed, lost: None })
        }
    }
}

/// Returns `count - 1` frames of commands, of which every fifth is not stored any more; none, as if the store did not
/// answer, for 0.
fn frames(count: u8) -> Option<Vec<Option<Command>>> {
    let command = |number| Command {
        id: id(number),
        name: "show".into(),
        payload: Payload::default(),
        expires_at: Timestamp::MAX,
        cursor: None,
        stagger_ms: None,
    };
    (count > 0).then(|| (1..u64::from(count)).map(|number| (number % 5 > 0).then(|| command(number))).collect())
}

fn verdict(kind: u8) -> Result<Option<u64>, String> {
    match kind {
        0 => Err("no".into()),
        1 => Ok(None),
        later => Ok(Some(EXPIRES - 2 + u64::from(later))),
    }
}
