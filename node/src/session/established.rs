//! An established session: it reads what its terminal sends and reports it. What goes to the terminal does not pass
//! here; the shard writes it to the socket directly.

use std::{collections::VecDeque, rc::Rc};

use bytes::Bytes;
use data_encoding::BASE64;
use muster_protocol::{
    CommandId, Payload,
    api::{Protocol, TargetState},
    frame::{Condition, ErrorFrame, Event, FromNode, FromTerminal, NotRun, Progress, ResultFrame},
};
use tokio::task;

use super::{ReadBudget, farewell::Farewell, join::ResumeState};
use crate::{
    end::SessionEnd,
    hub::SessionAddr,
    shard::{Shard, Socket, WriteBatch},
    wire::{self, Message, Partial},
};

/// The largest event or will that is stored, in bytes: ten thousand of them are 80 MB.
pub(super) const EVENT_MAX: usize = 8 * 1024;

/// The number of metrics that a health frame may hold. A frame with more is answered with an error.
const METRICS_MAX: usize = 64;

/// A session that its shard and the hub know. Dropping it removes it from the shard, whatever happened.
pub struct Established {
    pub(super) shard: Rc<Shard>,
    pub(super) key: usize,
    pub(super) socket: Rc<Socket>,
    partial: Option<Box<Partial>>,
    messages: VecDeque<Message>,
    condition: Condition,
    /// The second, since 1970, in which a token was last looked at.
    pub(super) token_checked: u32,
    pub(super) resume_state: Box<ResumeState>,
    read_budget: ReadBudget,
}

impl Established {
    pub(super) fn new(
        shard: Rc<Shard>,
        key: usize,
        socket: Rc<Socket>,
        partial: Option<Box<Partial>>,
        messages: VecDeque<Message>,
        read_budget: ReadBudget,
    ) -> Self {
        shard.shared.metrics.sessions.inc();
        Self {
            read_budget,
            shard,
            key,
            socket,
            partial,
            messages,
            condition: Condition::default(),
            token_checked: 0,
            resume_state: Box::default(),
        }
    }

    /// Enters the session into the hub. Ends the older one of two sessions of this terminal.
    pub async fn enter_hub(&self) {
        let info = &self.socket.info;
        let addr = SessionAddr { shard: self.shard.index, key: self.key, session: info.session };
        if let Some(older) = self.shard.shared.hub.insert(info.clone(), addr) {
            self.shard.shared.shards.end(older, SessionEnd::Replaced).await;
        }
    }

    /// Serves the session until it ends.
    pub async fn serve(&mut self) -> SessionEnd {
        loop {
            while let Some(message) = self.messages.pop_front() {
                if let Err(end) = self.take(message) {
                    return end;
                }
            }
            // A session that is asked again while it joins again has already used up the wake-up: it waits for its socket there
            // too. So it looks once more before it waits here.
            while self.socket.takes_rejoin() {
                if let Err(end) = Box::pin(self.rejoin()).await {
                    return end;
                }
            }
            if let Err(end) = self.step().await {
                return end;
            }
        }
    }

    /// Waits for the next thing to do at the socket, and does it.
    pub(super) async fn step(&mut self) -> Result<(), SessionEnd> {
        if let Some(end) = self.socket.ended() {
            return Err(end);
        }
        let wait = self.read_budget.wait();
        let Ok(ready) = self.socket.ready(wait).await else { return Err(SessionEnd::Lost) };
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

    /// Closes the session: tells the hub and the registry, sends the close frame, and reads what the terminal still
    /// sends. What was queued is not sent, except the rest of a frame that was begun.
    pub async fn leave(mut self, end: SessionEnd) {
        let (shard, socket, partial) = (self.shard.clone(), self.socket.clone(), self.partial.take());
        let info = socket.info.clone();
        shard.shared.hub.remove(&info.terminal, info.session);
        shard.count_end(&info.terminal, end);
        // The session leaves its lane before the close frame is sent: nothing may follow a close.
        drop(self);
        let leaves = shard.shared.backplane.leave(&info, end);
        if let Some((code, reason)) = end.close(socket.protocol()) {
            shard.sockets.send_last(&socket, &wire::close(code, &reason));
            // Both run together, so that neither the registry nor the terminal makes the other wait.
            tokio::join!(leaves, Farewell::established(&shard, &socket, partial, end).finish());
        } else {
            leaves.await;
        }
    }

    /// Sends a frame that belongs to no command.
    pub fn send_frame(&self, frame: &Bytes) {
        self.socket.write(&WriteBatch::bare(frame.clone()));
    }

    fn read(&mut self) -> Result<(), SessionEnd> {
        let mut messages = Vec::new();
        let read = self.shard.read(&self.socket.stream, &mut self.partial, &mut messages, &mut self.read_budget);
        // Messages that came whole before the error were sent, and count.
        for message in messages {
            self.take(message)?;
        }
        read
    }

    fn take(&mut self, message: Message) -> Result<(), SessionEnd> {
        if message != Message::Pong {
            self.socket.record_message();
        }
        match (message, self.socket.protocol()) {
            (Message::Ping(payload), _) => self.send_frame(&wire::pong(payload)),
            (Message::Pong, _) => self.ponged(),
            (Message::Close(_), _) => return Err(SessionEnd::Left),
            (Message::Text(text), Protocol::Plain) => self.event("message", Payload::from_text(&text)),
            (Message::Binary(bytes), Protocol::Plain) => {
                self.event("binary", Payload::from_text(&BASE64.encode(&bytes)))
            }
            (Message::Text(text), Protocol::V1) => return self.frame(&text),
            (Message::Binary(_), Protocol::V1) => return Err(SessionEnd::Protocol),
        }
        Ok(())
    }

    fn frame(&mut self, text: &str) -> Result<(), SessionEnd> {
        match FromTerminal::decode(text) {
            Ok(FromTerminal::Hello(_)) => return Err(SessionEnd::Protocol),
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
                self.send_error("bad_frame", format!("health.metrics: at most {METRICS_MAX}"));
            }
            Ok(FromTerminal::Health(health)) => {
                let was = std::mem::replace(&mut self.condition, health.condition);
                self.shard.shared.reports.health(&self.socket.info.terminal, health, was);
            }
            Ok(FromTerminal::Event(Event { name, payload })) => self.event(&name, payload),
            Ok(FromTerminal::Token(frame)) => self.renew(&frame.token),
            Err(error) => self.send_error("bad_frame", error.to_string()),
        }
        Ok(())
    }

    fn reached(&self, command: CommandId, state: TargetState) {
        self.shard.shared.reports.state(command, state, self.socket.info.terminal.clone());
    }

    /// Reports a reply before the state that it led to. The two may be taken in two batches, and whoever sees the
    /// state must see the reply.
    fn replied(&self, command: CommandId, payload: Payload) {
        self.shard.shared.reports.reply(command, self.socket.info.terminal.clone(), payload);
    }

    /// An event over the limit is reported without its payload: with its size, under the name `too_large`.
    fn event(&self, name: &str, payload: Payload) {
        let size = name.len() + payload.as_json().len();
        let fields = if size <= EVENT_MAX {
            vec![("name", Payload::from_text(name)), ("payload", payload)]
        } else {
            vec![("name", Payload::from_text("too_large")), ("bytes", Payload::from_value(&size.into()))]
        };
        self.shard.shared.reports.event("terminal.event", &self.socket.info.terminal, fields);
    }

    /// Tells the terminal that something it sent was not taken. The session goes on.
    pub(super) fn send_error(&self, code: &str, message: String) {
        let error = ErrorFrame { code: code.into(), message };
        self.send_frame(&wire::text(&FromNode::Error(error).to_string()));
    }

    fn ponged(&self) {
        if let Some(rtt_ms) = self.socket.record_pong() {
            self.shard.shared.reports.pong(&self.socket.info.terminal, rtt_ms);
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

impl Drop for Established {
    fn drop(&mut self) {
        self.shard.sockets.remove(self.key);
        self.shard.shared.metrics.sessions.dec();
    }
}
