//! From bytes to messages, which the machine handles in the order in which they came.

use std::collections::VecDeque;

use super::{Action, InputContext, Machine, State};
use crate::{end::SessionEnd, wire::Message};

/// Messages that the machine must not handle yet, in order. Messages before the welcome wait for it, because the
/// welcome is the first frame of every session. Messages after a token wait until the token was verified.
#[derive(Debug, Default)]
pub struct WaitingMessages {
    messages: VecDeque<Message>,
    /// How the connection ended after the messages, if it did. The machine handles the messages before this end.
    end: Option<SessionEnd>,
}

impl Machine {
    pub(super) fn read(&mut self, bytes: &mut [u8], context: &mut InputContext<'_>) {
        let (count, now) = (bytes.len(), context.now.instant);
        let is_closing = matches!(self.state, State::Closing(_));
        let is_broken = match &mut self.state {
            State::Closing(closing) => closing.discard(count, now),
            State::Done => return,
            _ => false,
        };
        let mut messages = std::mem::take(&mut context.output.messages);
        let decoded = match is_broken {
            true => Ok(0),
            false => context.settings.decoder.decode(bytes, &mut self.partial, &mut messages),
        };
        self.read_budget.count(count, *decoded.as_ref().unwrap_or(&0), context.settings.max_rate, now);
        if !is_closing && self.read_budget.wait(now).is_some() {
            context.push(Action::Pause);
        }
        for message in messages.drain(..) {
            self.receive(message, context);
        }
        context.output.messages = messages;
        if let Err(error) = decoded {
            self.receive_end(SessionEnd::Wire(error), context);
        }
        self.finish_if_over(context);
    }

    /// Handles a message now, or has it wait behind the others.
    fn receive(&mut self, message: Message, context: &mut InputContext<'_>) {
        match &mut self.state {
            State::Done => return,
            State::Closing(closing) => return closing.look_at(&message),
            State::Hello(_) => return self.take_hello(message, context),
            _ => {}
        }
        if self.must_wait(&message) {
            self.waiting.get_or_insert_default().messages.push_back(message);
        } else {
            self.take(message, context);
        }
    }

    /// Records that the connection has ended. If messages wait, the machine handles them before it ends the session.
    pub(super) fn receive_end(&mut self, end: SessionEnd, context: &mut InputContext<'_>) {
        match (&mut self.state, &mut self.waiting) {
            (State::Closing(closing), _) => {
                closing.end_of_stream(end, context.now.instant);
                self.finish_if_over(context);
            }
            (_, Some(waiting)) => waiting.end = waiting.end.or(Some(end)),
            _ => self.end(end, None, context),
        }
    }

    /// Returns whether the message has to wait. A ping, pong or close waits only for the messages before it.
    fn must_wait(&self, message: &Message) -> bool {
        let is_paused = !self.has_joined || self.awaits_verdict;
        self.waiting.is_some() || is_paused && matches!(message, Message::Text(_) | Message::Binary(_))
    }

    /// Handles the messages that wait. If one of them makes the others wait again, those stay.
    pub(super) fn take_waiting(&mut self, context: &mut InputContext<'_>) {
        let Some(waiting) = self.waiting.take() else { return };
        for message in waiting.messages {
            self.receive(message, context);
        }
        if let Some(end) = waiting.end {
            self.receive_end(end, context);
        }
        self.finish_if_over(context);
    }
}
