//! Before the hello. The connection has a deadline and can do nothing else. Any other message closes it; pings are ignored, as nothing is
//! sent before the welcome.

use std::time::Instant;

use muster_protocol::{
    api::Protocol,
    frame::{FromTerminal, Hello},
    selector::{Labels, SayableKeys},
};

use super::{Action, InputContext, Machine, State};
use crate::{end::SessionEnd, wire::Message};

/// What is known until the hello comes.
#[derive(Debug)]
pub struct AwaitedHello {
    /// When the hello must have come.
    pub deadline: Instant,
    /// The labels of the terminal's token.
    pub labels: Labels,
    /// The keys of labels that the terminal may say without a prefix.
    pub say: SayableKeys,
}

impl Machine {
    /// A plain terminal sends no hello, so its session enters at once.
    pub(super) fn opened(&mut self, context: &mut InputContext<'_>) {
        if self.protocol == Protocol::Plain {
            self.enter(Labels::new(), context);
        }
    }

    pub(super) fn take_hello(&mut self, message: Message, context: &mut InputContext<'_>) {
        match message {
            Message::Text(text) => match FromTerminal::decode(&text) {
                Ok(FromTerminal::Hello(hello)) => self.greet(hello, context),
                _ => self.end(SessionEnd::BadHello, None, context),
            },
            Message::Binary(_) => self.end(SessionEnd::BadHello, None, context),
            Message::Close(close) => self.end(SessionEnd::Left, close.map(Box::new), context),
            Message::Ping(_) | Message::Pong => {}
        }
    }

    fn greet(&mut self, hello: Hello, context: &mut InputContext<'_>) {
        let State::Hello(awaited) = &self.state else { return };
        match awaited.say.take(hello.labels) {
            Ok(labels) => {
                self.registration.remember(hello.resume.as_deref(), hello.will);
                self.enter(labels, context);
            }
            Err(error) => self.end(SessionEnd::BadLabels(error), None, context),
        }
    }

    /// Enters lane and hub, held, and registers after that. A command that was accepted before is found by registering; a command that is
    /// accepted after waits in the lane; and no command is sent before the welcome.
    fn enter(&mut self, from_hello: Labels, context: &mut InputContext<'_>) {
        let State::Hello(hello) = &mut self.state else { return };
        let mut labels = std::mem::take(&mut hello.labels);
        // A label of the token is never replaced.
        for (key, value) in from_hello {
            labels.entry(key).or_insert(value);
        }
        context.push(Action::Enter(labels));
        self.register(false, context);
    }
}
