//! A session before its hello. The hello must come before a deadline. Any other message ends the session, except pings
//! and pongs. The node does not answer a ping, because it sends nothing before the welcome.

use std::time::Instant;

use muster_protocol::{
    api::Protocol,
    frame::{FromTerminal, Hello},
    selector::{Labels, SayableKeys},
};

use super::{Action, InputContext, Machine, State};
use crate::{end::SessionEnd, wire::Message};

/// What the machine knows while it waits for the hello.
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
    /// Enters the session at once if the terminal is plain, since a plain terminal sends no hello.
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

    /// Enters lane and hub, held, and registers after that. So no command is missed: registering finds the commands
    /// that were accepted before, and later ones wait in the lane. And no command is sent before the welcome.
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
