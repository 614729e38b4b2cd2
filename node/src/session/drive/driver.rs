//! The driver of one session. The driver owns the connection, feeds the session's machine, and carries out what the
//! machine asks for. The machine alone decides what a session does.

use std::{
    io::{ErrorKind, Read},
    net::TcpStream,
    rc::Rc,
    sync::Arc,
    time::Instant,
};

use jiff::Timestamp;
use muster_protocol::{SessionId, selector::SayableKeys};
use uuid::Uuid;

use super::{
    call::{Call, CallAnswer},
    connection::SessionConnection,
    poller::SocketReadiness,
};
use crate::{
    auth::TokenMark,
    hub::SessionAddr,
    session::machine::{Action, Input, Machine, Now, SessionStart},
    shard::{SessionKey, Shard, Upgraded},
};

/// A machine with its connection. Dropping the driver removes the session from the shard, whatever happened before.
pub struct Driver {
    pub(super) shard: Rc<Shard>,
    machine: Machine,
    pub(super) connection: SessionConnection,
    /// The call to the backplane that is under way. A session has at most one, and mostly none.
    pub(super) call: Option<Call>,
    /// The older session of this terminal, which ends before this one registers.
    pub(super) older: Option<Box<SessionAddr>>,
    /// The token that was verified last, until the session lives by it.
    pub(super) token: Option<Arc<TokenMark>>,
    pub(super) key: SessionKey,
    /// What the socket is watched for.
    pub watched: SocketReadiness,
    /// When the session is to be told the time.
    pub alarm: Option<Instant>,
}

impl Driver {
    /// Returns the driver of a session with this key. The caller has to [open](Self::open) the driver.
    pub fn new(mut upgraded: Upgraded, shard: Rc<Shard>, key: SessionKey) -> Self {
        let session = SessionId(Uuid::now_v7());
        let start = SessionStart {
            session,
            protocol: upgraded.protocol,
            labels: std::mem::take(&mut upgraded.labels),
            say: std::mem::replace(&mut upgraded.say, SayableKeys::All),
            expires: upgraded.expires,
        };
        let machine = Machine::new(start, &shard.settings, Instant::now());
        let token = upgraded.token.take();
        let connection = SessionConnection::new(upgraded, session);
        let (call, older, watched, alarm) = (None, None, SocketReadiness::empty(), None);
        Self { shard, machine, connection, call, older, token, key, watched, alarm }
    }

    /// Begins the session. `read` is what the node has read beyond the handshake.
    pub fn open(&mut self, read: &[u8]) {
        self.feed(Input::Opened);
        if !read.is_empty() {
            self.feed(Input::Read(&mut read.to_vec()));
        }
    }

    /// Returns whether the session has ended and none of its calls is under way.
    pub fn is_over(&self) -> bool {
        self.machine.is_done() && self.call.is_none()
    }

    /// Returns what the socket has to be ready for, and when the session wants to be told the time.
    pub fn waits_for(&self) -> (SocketReadiness, Option<Instant>) {
        let wants = self.machine.wants(Instant::now());
        let mut readiness = SocketReadiness::empty();
        readiness.set(SocketReadiness::IN, wants.read);
        readiness.set(SocketReadiness::OUT, !self.connection.is_flushed());
        (readiness, wants.wake_at)
    }

    /// Returns the connection.
    pub fn stream(&self) -> &TcpStream {
        self.connection.stream()
    }

    /// Uses the socket for what it is ready for: writes what is queued, and reads once. A broken connection counts as
    /// ready for both, so that writing or reading finds the error.
    pub fn take_readiness(&mut self, readiness: SocketReadiness) {
        let is_broken = readiness.intersects(SocketReadiness::ERR | SocketReadiness::HUP);
        if self.watched.contains(SocketReadiness::OUT) && (is_broken || readiness.contains(SocketReadiness::OUT)) {
            self.connection.flush(&self.shard);
        }
        let is_readable = is_broken || readiness.contains(SocketReadiness::IN);
        if self.watched.contains(SocketReadiness::IN) && is_readable && self.machine.wants(Instant::now()).read {
            self.read();
        }
    }

    /// Tells the session the time. Reads first what the terminal has sent by now: on a busy node a hello may lie unread
    /// until after its deadline, and must not count as missing then.
    pub fn tell_time(&mut self) {
        self.alarm = None;
        if self.watched.contains(SocketReadiness::IN) {
            self.read();
        }
        self.feed(Input::Time);
    }

    /// Takes the answer to a call, unless the call was given up.
    pub fn take_answer(&mut self, call: u64, answer: CallAnswer) {
        if self.call.take_if(|waited| waited.number == call).is_none() {
            return;
        }
        match answer {
            CallAnswer::Joined(outcome) => self.feed(Input::Joined(outcome)),
            CallAnswer::Fetched(frames) => self.feed(Input::Fetched(frames)),
            CallAnswer::Left => {}
        }
    }

    /// Records that the driver now looks at the session, as the shard has asked.
    pub fn begin_look(&mut self) {
        self.connection.begin_look();
    }

    /// Carries out what the shard asks of the session, until there is nothing more.
    pub fn take_requests(&mut self) {
        while !self.machine.is_done() && self.take_request() {}
    }

    /// Carries out one thing that the shard asks of the session. Returns false if the shard asks for nothing.
    fn take_request(&mut self) -> bool {
        if let Some(socket) = self.connection.entry().map(|entry| &entry.socket) {
            if let Some(end) = socket.ended() {
                self.feed(Input::End(end));
                return true;
            }
            if self.machine.is_live() && socket.takes_rejoin() {
                let received_up_to = socket.received_up_to();
                self.feed(Input::Rejoin { received_up_to });
                return true;
            }
        }
        let is_flushed = self.machine.wants(Instant::now()).flush && self.connection.is_flushed();
        if is_flushed {
            self.feed(Input::Flushed);
        }
        is_flushed
    }

    /// Reads once, with the buffer of the shard.
    fn read(&mut self) {
        let shard = self.shard.clone();
        let mut buffer = shard.buffer.borrow_mut();
        match self.connection.stream().read(&mut buffer) {
            Ok(count @ 1..) => self.feed(Input::Read(&mut buffer[..count])),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Ok(0) | Err(_) => self.feed(Input::EndOfStream),
        }
    }

    /// Feeds the machine, and carries out the actions that follow from the input.
    fn feed(&mut self, input: Input<'_>) {
        let mut output = self.shard.output.take();
        let mut next = Some(input);
        while let Some(input) = next.take() {
            self.machine.handle(input, now(), &self.shard.settings, &mut output);
            for action in output.actions.drain(..) {
                match action {
                    Action::Verify(frame) => next = Some(Input::Verified(self.verify(&frame.token))),
                    action => self.carry_out(action),
                }
            }
        }
        self.shard.output.replace(output);
    }
}

fn now() -> Now {
    Now { instant: Instant::now(), time: Timestamp::now() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hub::SessionInfo, shard::Socket};

    /// The most bytes that a session takes in these parts. docs/architecture.md lists the parts. An `Rc` or `Arc`
    /// counts its owners in two words.
    const MAX: usize = 470;

    #[test]
    fn a_session_at_rest_is_small() {
        let (driver, machine) = (size_of::<Driver>(), size_of::<Machine>());
        let [socket, identity] =
            [size_of::<Socket>(), size_of::<SessionInfo>()].map(|size| size + 2 * size_of::<usize>());
        println!("driver {driver}, of which its machine {machine}; socket {socket}; identity {identity}");
        assert!(driver + socket + identity <= MAX, "{driver} + {socket} + {identity}");
    }
}
