//! The conversation of one terminal with a server that relays messages.

use std::{borrow::Cow, sync::Arc};

use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::{
    adapter::{Content, Conversation, Heard, Keepalive, Publication, Readiness, TerminalIdentity},
    config::RawSettings,
};

/// The conversation of one terminal.
pub(super) struct Relay {
    protocol: Arc<RawSettings>,
    /// The messages that are sent once the connection is open.
    first: Vec<Message>,
    /// What the terminal will be once it is ready; `None` afterwards.
    readiness: Option<Readiness>,
    /// Who answers; `None` if nothing is answered.
    who: Option<Box<TerminalIdentity>>,
}

impl Relay {
    pub(super) fn new(protocol: Arc<RawSettings>, who: &TerminalIdentity, keepalive: Option<Keepalive>) -> Self {
        let first = protocol.first_message.iter().map(|first| frame(protocol.binary, who.fill(first))).collect();
        let who = (!protocol.answer.is_empty()).then(|| Box::new(who.clone()));
        Self { protocol, first, readiness: Some(Readiness { keepalive, ..Readiness::default() }), who }
    }

    /// What a terminal that is not ready will be, if this frame makes it so.
    fn readiness_by(&mut self, frame: &Message) -> Option<Readiness> {
        let pattern = self.protocol.ready_when.as_ref()?;
        pattern.matched(frame.to_text().ok()?)?;
        self.readiness.take()
    }

    /// The answer to this frame, if it asks for one.
    fn answer_to(&self, asked: &Message) -> Option<Message> {
        let (who, text) = (self.who.as_ref()?, asked.to_text().ok()?);
        let answer = self.protocol.answer.iter().find_map(|answer| {
            let matched = answer.to.matched(text)?;
            Some(who.fill_answer(&answer.with, matched))
        });
        answer.map(|answer| frame(self.protocol.binary, answer))
    }
}

impl Conversation for Relay {
    fn on_open(&mut self, heard: &mut dyn FnMut(Heard<'_>)) {
        self.first.drain(..).for_each(|first| heard(Heard::Reply(first)));
        if self.protocol.ready_when.is_none()
            && let Some(readiness) = self.readiness.take()
        {
            heard(Heard::Ready(readiness));
        }
    }

    fn on_frame(&mut self, frame: &Message, heard: &mut dyn FnMut(Heard<'_>)) {
        if self.readiness.is_some()
            && let Some(readiness) = self.readiness_by(frame)
        {
            heard(Heard::Ready(readiness));
        }
        match (self.answer_to(frame), &self.protocol.payload_at, frame) {
            (Some(answer), ..) => heard(Heard::Reply(answer)),
            (None, Some(pointer), _) => heard_at(pointer, frame, heard),
            // The frame that makes a terminal ready may be a message, too.
            (None, None, Message::Text(text)) => heard(Heard::Payload(Content::Text(Cow::Borrowed(text)), 0)),
            (None, None, Message::Binary(bytes)) => heard(Heard::Payload(Content::Binary(bytes), 0)),
            (None, None, _) => {}
        }
    }

    fn publish(&mut self, message: &str, _number: u32) -> Publication {
        Publication { frame: frame(self.protocol.binary, message.to_owned()), ticket: None }
    }

    fn resume_state(&mut self) -> Option<String> {
        None
    }
}

/// A frame with this text, of the kind that messages have.
pub(super) fn frame(is_binary: bool, text: String) -> Message {
    if is_binary { Message::binary(text.into_bytes()) } else { Message::text(text) }
}

/// Tells of the message in a frame of JSON. A frame without one is the server's own.
fn heard_at(pointer: &str, frame: &Message, heard: &mut dyn FnMut(Heard<'_>)) {
    let value = frame.to_text().ok().and_then(|text| serde_json::from_str::<Value>(text).ok());
    match value.as_ref().and_then(|value| value.pointer(pointer)).and_then(Value::as_str) {
        Some(text) if frame.is_binary() => heard(Heard::Payload(Content::Binary(text.as_bytes()), 0)),
        Some(text) => heard(Heard::Payload(Content::Text(Cow::Borrowed(text)), 0)),
        None => heard(Heard::Greeting),
    }
}
