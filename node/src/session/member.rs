//! A session that has begun: it reads what its terminal sends and reports it. What goes to the terminal does not pass here;
//! the shard writes it to the socket directly.

use std::{collections::VecDeque, rc::Rc};

use bytes::Bytes;
use data_encoding::BASE64;
use muster_protocol::{
    CommandId, Payload,
    api::{Protocol, TargetState},
    frame::{Condition, ErrorFrame, Event, FromNode, FromTerminal, NotRun, Progress, ResultFrame},
};
use tokio::task;

use super::{Pace, farewell::Farewell, join::Beginning};
use crate::{
    end::End,
    fanout::{Batch, Place, Socket},
    shard::Shard,
    wire::{self, Message, Partial},
};

/// The largest event or will that is stored, in bytes: ten thousand of them are 80 MB.
pub(super) const EVENT_MAX: usize = 8 * 1024;

/// Metrics that a terminal may report.
const METRICS_MAX: usize = 64;

/// A session in the lane of its shard. Dropping it frees its place, whatever happened.
pub struct Member {
    pub(super) shard: Rc<Shard>,
    key: usize,
    pub(super) socket: Rc<Socket>,
    partial: Option<Box<Partial>>,
    messages: VecDeque<Message>,
    condition: Condition,
    pub(super) beginning: Box<Beginning>,
    pace: Pace,
}

impl Member {
    pub(super) fn new(
        shard: Rc<Shard>,
        key: usize,
        socket: Rc<Socket>,
        partial: Option<Box<Partial>>,
        messages: VecDeque<Message>,
        pace: Pace,
    ) -> Self {
        shard.shared.metrics.sessions.inc();
        Self { pace, shard, key, socket, partial, messages, condition: Condition::default(), beginning: Box::default() }
    }

    /// Tells the hub; ends whichever session of this terminal is the older.
    pub async fn take_seat(&self) {
        let card = &self.socket.card;
        let place = Place { shard: self.shard.index, key: self.key, session: card.session };
        if let Some(older) = self.shard.shared.hub.enter(card.clone(), place) {
            self.shard.shared.hub.end(older, End::Replaced).await;
        }
    }

    /// Serves the session until it ends.
    pub async fn serve(&mut self) -> End {
        loop {
            while let Some(message) = self.messages.pop_front() {
                if let Err(end) = self.take(message) {
                    return end;
                }
            }
            if self.socket.takes_rejoin()
                && let Err(end) = Box::pin(self.rejoin()).await
            {
                return end;
            }
            if let Err(end) = self.step().await {
                return end;
            }
        }
    }

    /// Waits for whatever is next at the socket, and does it.
    pub(super) async fn step(&mut self) -> Result<(), End> {
        if let Some(end) = self.socket.ended() {
            return Err(end);
        }
        let wait = self.pace.wait();
        let Ok(ready) = self.socket.ready(wait).await else { return Err(End::Lost) };
        if ready.is_writable() {
            self.shard.sockets.flush(&self.socket);
        }
        if ready.is_readable() && wait.is_none() {
            self.read()?;
            // A terminal that sends faster than it is read keeps its socket readable, so nothing else here would wait.
            task::yield_now().await;
        }
        Ok(())
    }

    /// Says goodbye, tells the hub and the registry, and hears the terminal out.
    pub async fn leave(mut self, end: End) {
        let (shard, socket, partial) = (self.shard.clone(), self.socket.clone(), self.partial.take());
        let card = socket.card.clone();
        let close = end.close(socket.protocol());
        if let Some((code, reason)) = &close {
            self.say(&wire::close(*code, reason));
        }
        shard.shared.hub.leave(&card.terminal, card.session);
        shard.count_end(&card.terminal, end);
        // Out of the lane before the registry is waited for: nothing follows a close.
        drop(self);
        let leaves = shard.shared.backplane.leave(&card, end);
        if close.is_some() && end != End::Left {
            // Together, so that neither the registry nor the terminal makes the other wait.
            tokio::join!(leaves, Farewell::new(&shard, &socket.stream, partial, end).hear_out());
        } else {
            leaves.await;
        }
    }

    /// Sends a frame that belongs to no command.
    pub fn say(&self, frame: &Bytes) {
        self.socket.say(&Batch::bare(frame.clone()));
    }

    fn read(&mut self) -> Result<(), End> {
        let mut messages = Vec::new();
        let read = self.shard.read(&self.socket.stream, &mut self.partial, &mut messages, &mut self.pace);
        // What came whole before an error was said, and counts.
        for message in messages {
            self.take(message)?;
        }
        read
    }

    fn take(&mut self, message: Message) -> Result<(), End> {
        if message != Message::Pong {
            self.socket.heard();
        }
        match (message, self.socket.protocol()) {
            (Message::Ping(payload), _) => self.say(&wire::pong(payload)),
            (Message::Pong, _) => self.ponged(),
            (Message::Close(_), _) => return Err(End::Left),
            (Message::Text(text), Protocol::Plain) => self.event("message", Payload::from_text(&text)),
            (Message::Binary(bytes), Protocol::Plain) => {
                self.event("binary", Payload::from_text(&BASE64.encode(&bytes)))
            }
            (Message::Text(text), Protocol::V1) => return self.frame(&text),
            (Message::Binary(_), Protocol::V1) => return Err(End::Protocol),
        }
        Ok(())
    }

    fn frame(&mut self, text: &str) -> Result<(), End> {
        match FromTerminal::decode(text) {
            Ok(FromTerminal::Hello(_)) => return Err(End::Protocol),
            Ok(FromTerminal::Ack(ack)) => self.reached(ack.id, TargetState::Acked),
            Ok(FromTerminal::Progress(Progress { id, payload })) => {
                self.replied(id, payload);
                self.reached(id, TargetState::Running);
            }
            Ok(FromTerminal::Result(outcome)) => {
                let state = ended(&outcome);
                self.replied(outcome.id, outcome.payload);
                self.reached(outcome.id, state);
            }
            Ok(FromTerminal::Health(health)) if health.metrics.len() > METRICS_MAX => {
                self.complain("bad_frame", format!("health.metrics: at most {METRICS_MAX}"));
            }
            Ok(FromTerminal::Health(health)) => {
                let was = std::mem::replace(&mut self.condition, health.condition);
                self.shard.shared.reports.health(&self.socket.card.terminal, health, was);
            }
            Ok(FromTerminal::Event(Event { name, payload })) => self.event(&name, payload),
            Err(error) => self.complain("bad_frame", error.to_string()),
        }
        Ok(())
    }

    fn reached(&self, command: CommandId, state: TargetState) {
        self.shard.shared.reports.reached(command, state, self.socket.card.terminal.clone());
    }

    /// Before the state that it led to: they may be taken in two batches, and who sees the state is to see the reply.
    fn replied(&self, command: CommandId, payload: Payload) {
        self.shard.shared.reports.replied(command, self.socket.card.terminal.clone(), payload);
    }

    /// One that is too large to be kept is known to have been there, and how large it was.
    fn event(&self, name: &str, payload: Payload) {
        let size = name.len() + payload.as_json().len();
        let fields = if size <= EVENT_MAX {
            vec![("name", Payload::from_text(name)), ("payload", payload)]
        } else {
            vec![("name", Payload::from_text("too_large")), ("bytes", Payload::from_value(&size.into()))]
        };
        self.shard.shared.reports.happened("terminal.event", &self.socket.card.terminal, fields);
    }

    /// Tells the terminal that something it sent was not taken. The session goes on.
    pub(super) fn complain(&self, code: &str, message: String) {
        let error = ErrorFrame { code: code.into(), message };
        self.say(&wire::text(&FromNode::Error(error).to_string()));
    }

    fn ponged(&self) {
        if let Some(rtt_ms) = self.socket.ponged() {
            self.shard.shared.reports.seen(&self.socket.card.terminal, rtt_ms);
        }
    }
}

fn ended(outcome: &ResultFrame) -> TargetState {
    match (outcome.reason, outcome.ok) {
        (Some(NotRun::Rejected), _) => TargetState::Rejected,
        (Some(NotRun::Expired), _) => TargetState::Expired,
        (None, true) => TargetState::Succeeded,
        (None, false) => TargetState::Failed,
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.shard.sockets.leave(self.key);
        self.shard.shared.metrics.sessions.dec();
    }
}
