//! A session as a state machine: inputs and the time go in, actions come out. The machine does no I/O, waits for
//! nothing and has no clock. So tests need nothing but the machine, and any owner of a connection can drive it.
//!
//! ```text
//!   Opened ─▶ hello ─▶ registering ◀──▶ contested                Read, EndOfStream, Time,
//!                          │  ▲                                  Flushed, Rejoin, End ...
//!                          ▼  │ Rejoin                                   │
//!              catching up ─▶ live                                       ▼
//!                                                               Machine::handle ──▶ Actions
//!   from each: closing ─▶ done
//! ```
//!
//! | State | Ends by itself after |
//! |---|---|
//! | hello | `--hello-timeout`, with 4500 |
//! | registering | [`JOIN_TIME`](join::JOIN_TIME), with 1012 |
//! | contested | the delay that the store demands; it then registers again |
//! | catching up | [`FETCH_TIME`](catch_up::FETCH_TIME) for an answer of the store, which is then asked again; [`FLUSH_PINGS`](catch_up::FLUSH_PINGS) ping intervals for a frame that the terminal does not read, with 4002 |
//! | live | never; the shard ends it if the terminal answers no ping, or its token expires |
//! | closing | [`FAREWELL_TIME`](closing::FAREWELL_TIME) or [`FAREWELL_BYTES`](closing::FAREWELL_BYTES) |
//!
//! The bytes that were read bound the work of one input: see [`Output`].

mod action;
mod catch_up;
mod closing;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod heartbeat;
mod hello;
mod input;
mod join;
mod messages;
mod read_budget;
mod reading;
mod settings;
mod token;
mod wants;

#[cfg(test)]
mod tests;

use std::time::Instant;

use muster_protocol::{
    api::Protocol,
    frame::{Condition, ErrorFrame, FromNode},
};

pub use self::{
    action::{Action, JoinCall, MissedFrame, Output, TerminalReport},
    heartbeat::TextHeartbeat,
    input::{Input, Now},
    join::JOIN_TIME,
    settings::{SessionStart, Settings},
    wants::Wants,
};
use self::{
    catch_up::CatchUp, closing::Closing, hello::AwaitedHello, join::Registration, read_budget::ReadBudget,
    reading::WaitingMessages,
};
use crate::{
    end::SessionEnd,
    wire::{self, Partial, ReceivedClose},
};

/// The session of one connection.
#[derive(Debug)]
pub struct Machine {
    state: State,
    /// The start of a frame or message that has not ended.
    partial: Option<Box<Partial>>,
    /// Messages that the machine must not handle yet. While there are any, the machine reads nothing.
    waiting: Option<Box<WaitingMessages>>,
    registration: Box<Registration>,
    read_budget: ReadBudget,
    /// The second, since 1970, in which the machine last took a frame `token`.
    token_checked: u32,
    protocol: Protocol,
    condition: Condition,
    /// Whether the first try to register has ended. The machine then sends the welcome, and handles messages of the
    /// terminal from then on.
    has_joined: bool,
    /// Whether a token is being verified.
    awaits_verdict: bool,
}

#[derive(Debug)]
enum State {
    /// Before the hello. Neither hub nor registry knows the connection.
    Hello(Box<AwaitedHello>),
    /// In lane and hub, held; the backplane was asked to register the session.
    Registering { deadline: Instant },
    /// In lane and hub, held; the session has to wait before it asks the backplane again.
    Contested { until: Instant },
    /// Registered and held; the machine sends what the terminal missed.
    CatchingUp(Box<CatchUp>),
    /// Commands are sent as they come.
    Live,
    /// The close frame was sent.
    Closing(Box<Closing>),
    /// The connection can be closed.
    Done,
}

/// What the machine needs to handle one input.
struct InputContext<'a> {
    now: Now,
    settings: &'a Settings,
    output: &'a mut Output,
}

impl InputContext<'_> {
    fn push(&mut self, action: Action) {
        self.output.actions.push(action);
    }
}

impl Machine {
    /// Returns the machine of a connection. Its first input must be [`Input::Opened`].
    pub fn new(start: SessionStart, settings: &Settings, now: Instant) -> Self {
        let SessionStart { session, protocol, labels, say, expires } = start;
        Self {
            state: State::Hello(Box::new(AwaitedHello { deadline: now + settings.hello_timeout, labels, say })),
            partial: None,
            waiting: None,
            registration: Box::new(Registration::new(session, expires)),
            read_budget: ReadBudget::new(now),
            token_checked: 0,
            protocol,
            condition: Condition::default(),
            has_joined: false,
            awaits_verdict: false,
        }
    }

    /// Handles one input, and appends the actions that follow from it to `output`. An input that the state does not
    /// expect, such as an answer to nothing, changes nothing.
    pub fn handle(&mut self, input: Input<'_>, now: Now, settings: &Settings, output: &mut Output) {
        let context = &mut InputContext { now, settings, output };
        match input {
            Input::Opened => self.opened(context),
            Input::Read(bytes) => self.read(bytes, context),
            Input::EndOfStream => self.receive_end(SessionEnd::Lost, context),
            Input::Time => self.wake(context),
            Input::Joined(outcome) => self.joined(outcome, context),
            Input::Fetched(frames) => self.fetched(frames, context),
            Input::Flushed => self.flushed(context),
            Input::Rejoin { received_up_to } => self.rejoin(received_up_to, context),
            Input::Verified(verdict) => self.verified(verdict, context),
            Input::End(end) => self.end(end, None, context),
        }
    }

    /// Returns whether commands are sent as they come. Only then may the node ask the session to register again.
    pub fn is_live(&self) -> bool {
        matches!(self.state, State::Live)
    }

    /// Returns whether the last action was [`Action::Done`].
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    fn wake(&mut self, context: &mut InputContext<'_>) {
        let now = context.now.instant;
        match &self.state {
            State::Hello(hello) if now >= hello.deadline => self.end(SessionEnd::NoHello, None, context),
            State::Registering { deadline } if now >= *deadline => {
                context.push(Action::Abandon);
                self.end(SessionEnd::JoinTimeout, None, context);
            }
            State::Contested { until } if now >= *until => self.register(true, context),
            State::CatchingUp(_) => self.wake_catching_up(context),
            State::Closing(_) => self.wake_closing(context),
            _ => {}
        }
    }

    fn flushed(&mut self, context: &mut InputContext<'_>) {
        match self.state {
            State::CatchingUp(_) => self.frame_taken(context),
            State::Closing(_) => self.close_taken(context),
            _ => {}
        }
    }

    /// Ends the session. Does nothing if the session has ended already.
    fn end(&mut self, end: SessionEnd, received: Option<Box<ReceivedClose>>, context: &mut InputContext<'_>) {
        match &self.state {
            State::Closing(_) | State::Done => return,
            State::CatchingUp(catch_up) if catch_up.awaits_frames() => context.push(Action::Abandon),
            _ => {}
        }
        // A close frame of the terminal is answered with its own code (RFC 6455, 5.5.1).
        let echo = received.as_ref().map(|close| (close.code, String::new()));
        let close = echo.or_else(|| end.close(self.protocol));
        context.push(Action::End(end, received));
        let Some((code, reason)) = close else {
            self.state = State::Done;
            return context.push(Action::Done);
        };
        context.push(Action::SendLast(wire::close(code, &reason)));
        self.state = State::Closing(Box::new(Closing::new(end, context.now.instant)));
        // The terminal's close may be among the messages that still wait.
        self.take_waiting(context);
    }

    /// Tells the terminal that something it sent was not taken. The session goes on.
    fn send_error(&self, code: &str, message: String, context: &mut InputContext<'_>) {
        let error = ErrorFrame { code: code.into(), message };
        context.push(Action::Send(wire::text(&FromNode::Error(error).to_string())));
    }
}
