//! The task of a session: it owns the connection, feeds the session's machine, and carries out what the machine asks for. Nothing here
//! decides what a session does.

mod calls;
mod carry_out;
mod connection;

use std::{
    io,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use muster_protocol::{SessionId, selector::SayableKeys};
use tokio::{io::Ready, task};
use uuid::Uuid;

use self::{calls::CallAnswer, connection::SessionConnection};
use super::machine::{Action, Input, Machine, Now, SessionStart};
use crate::{
    auth::TokenMark,
    hub::SessionAddr,
    shard::{Shard, Upgraded},
    sleep::sleep_until_some,
};

/// How long a shard that stops waits for the sessions that it has just told to end.
pub const FAREWELL: Duration = Duration::from_secs(1);

/// A call to the backplane. A session has one at a time, and mostly none.
type Call = Pin<Box<dyn Future<Output = CallAnswer>>>;

/// Runs a session to its end.
pub async fn run(upgraded: Box<Upgraded>, shard: Rc<Shard>) {
    // Fails if the runtime can't watch the socket.
    if let Ok(mut driver) = Driver::new(*upgraded, shard) {
        driver.run().await;
    }
}

/// A machine with its connection. Dropping it removes the session from the shard, whatever happened.
struct Driver {
    shard: Rc<Shard>,
    machine: Machine,
    connection: SessionConnection,
    call: Option<Call>,
    /// The older session of this terminal, which ends before this one registers.
    older: Option<Box<SessionAddr>>,
    /// The token that was verified last, until the session lives by it.
    token: Option<Arc<TokenMark>>,
}

/// What a driver waited for.
enum Event {
    Woken,
    Time,
    Answer(CallAnswer),
    Ready(io::Result<Ready>),
}

impl Driver {
    fn new(mut upgraded: Upgraded, shard: Rc<Shard>) -> io::Result<Self> {
        let session = SessionId(Uuid::now_v7());
        let start = SessionStart {
            session,
            protocol: upgraded.protocol,
            labels: std::mem::take(&mut upgraded.labels),
            say: std::mem::replace(&mut upgraded.say, SayableKeys::All),
            expires: upgraded.expires,
        };
        let machine = Machine::new(start, &shard.settings, Instant::now());
        let (read, token) = (std::mem::take(&mut upgraded.read), upgraded.token.take());
        let connection = SessionConnection::new(upgraded, session)?;
        let mut driver = Self { shard, machine, connection, call: None, older: None, token };
        driver.feed(Input::Opened);
        if !read.is_empty() {
            driver.feed(Input::Read(&mut read.to_vec()));
        }
        Ok(driver)
    }

    async fn run(&mut self) {
        while !self.machine.is_done() || self.call.is_some() {
            if self.look() {
                continue;
            }
            let event = self.wait().await;
            if self.take(event) {
                // A terminal that sends faster than it is read keeps its socket readable, so nothing else here would wait.
                task::yield_now().await;
            }
        }
    }

    /// Handles what was waited for. Returns whether the socket was read.
    fn take(&mut self, event: Event) -> bool {
        match event {
            Event::Woken => {}
            Event::Time => self.feed(Input::Time),
            Event::Answer(answer) => {
                self.call = None;
                match answer {
                    CallAnswer::Joined(outcome) => self.feed(Input::Joined(outcome)),
                    CallAnswer::Fetched(frames) => self.feed(Input::Fetched(frames)),
                    CallAnswer::Left => {}
                }
            }
            Event::Ready(ready) => {
                // An error shows again when the socket is read.
                let ready = ready.unwrap_or(Ready::READABLE);
                if ready.is_writable() {
                    self.connection.flush(&self.shard);
                }
                if ready.is_readable() && self.machine.wants(Instant::now()).read {
                    self.read();
                    return true;
                }
            }
        }
        false
    }

    /// Looks at what the shard asks of the session. Returns whether there was anything.
    ///
    /// A session that is asked to join again while it does so has already used up the wake-up. So this is called before each wait.
    fn look(&mut self) -> bool {
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

    async fn wait(&mut self) -> Event {
        let wants = self.machine.wants(Instant::now());
        let interest = self.connection.interest(wants.read);
        tokio::select! {
            biased;
            () = self.connection.woken() => Event::Woken,
            answer = calls::answer(&mut self.call) => Event::Answer(answer),
            () = sleep_until_some(wants.wake_at) => Event::Time,
            ready = self.connection.ready(interest), if interest.is_some() => Event::Ready(ready),
        }
    }

    /// Reads once, with the buffer of the shard.
    fn read(&mut self) {
        let shard = self.shard.clone();
        let mut buffer = shard.buffer.borrow_mut();
        match self.connection.stream().try_read(&mut buffer) {
            Ok(count @ 1..) => self.feed(Input::Read(&mut buffer[..count])),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => self.feed(Input::EndOfStream),
        }
    }

    /// Feeds the machine, and carries out what follows.
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

    /// The bytes of the task of each session, without what it allocates.
    const TASK_MAX: usize = 1024;

    fn size_of<A, B, F>(_run: fn(A, B) -> F) -> usize {
        std::mem::size_of::<F>()
    }

    #[test]
    fn the_task_of_a_session_is_small() {
        let (task, machine) = (size_of(run), std::mem::size_of::<Machine>());
        println!("{task} bytes for a task, of which its machine takes {machine}");
        assert!(task <= TASK_MAX, "{task}");
    }
}
