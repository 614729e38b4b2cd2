//! A server that relays bare messages: each text or binary frame is one, and nothing is confirmed. Muster's plain mode is
//! such a protocol, too.

use std::{borrow::Cow, collections::BTreeMap};

use tokio_tungstenite::tungstenite::Message;

use super::{
    Adapter, Content, Conversation, Heard, Keepalive, Opening, Promise, Publication, Readiness, TerminalIdentity,
};
use crate::{
    config::{AdapterSettings, FramePing},
    template::Template,
};

/// The adapter for bare messages.
#[derive(Debug)]
pub struct Raw {
    /// Whether the query names the terminal, as Muster needs it.
    names_terminal: bool,
    binary: bool,
    first: Vec<Template>,
    answers: Vec<(String, Template)>,
    ping: Option<FramePing>,
}

impl Raw {
    /// The adapter for any server.
    pub fn new(settings: &AdapterSettings) -> Self {
        Self {
            names_terminal: false,
            binary: settings.binary,
            first: settings.first_message.clone(),
            answers: settings.answer.iter().map(|answer| (answer.to.clone(), answer.with.clone())).collect(),
            ping: settings.ping(),
        }
    }

    /// The adapter for Muster's plain mode.
    pub fn of_muster(settings: &AdapterSettings) -> Self {
        Self { names_terminal: true, ..Self::new(settings) }
    }

    fn frame(&self, text: String) -> Message {
        if self.binary { Message::binary(text.into_bytes()) } else { Message::text(text) }
    }
}

impl Adapter for Raw {
    fn promise(&self) -> Promise {
        let name = if self.names_terminal { "muster.plain" } else { "raw" };
        Promise::owed(name, "nothing is known: a terminal that is meant to be connected is owed each message once")
    }

    fn open(&self, who: &TerminalIdentity) -> Opening {
        let query = if self.names_terminal { format!("terminal_id={}", who.id) } else { String::new() };
        Opening { query, ..Opening::default() }
    }

    fn converse(&self, who: &TerminalIdentity, _resume: Option<String>) -> Box<dyn Conversation> {
        let keepalive = self.ping.as_ref().map(|ping| Keepalive {
            every: ping.every,
            frame: match &ping.message {
                Some(message) => self.frame(who.fill(message)),
                None => Message::Ping(Default::default()),
            },
        });
        let answer = |(to, with): &(String, Template)| (to.clone(), self.frame(who.fill(with)));
        Box::new(Relay {
            binary: self.binary,
            first: self.first.iter().map(|first| self.frame(who.fill(first))).collect(),
            answers: self.answers.iter().map(answer).collect(),
            keepalive,
        })
    }
}

struct Relay {
    binary: bool,
    first: Vec<Message>,
    answers: BTreeMap<String, Message>,
    keepalive: Option<Keepalive>,
}

impl Conversation for Relay {
    fn on_open(&mut self, heard: &mut dyn FnMut(Heard<'_>)) {
        self.first.drain(..).for_each(|first| heard(Heard::Reply(first)));
        heard(Heard::Ready(Readiness { keepalive: self.keepalive.take(), ..Readiness::default() }));
    }

    fn on_frame(&mut self, frame: &Message, heard: &mut dyn FnMut(Heard<'_>)) {
        if !self.answers.is_empty()
            && let Some(answer) = frame.to_text().ok().and_then(|text| self.answers.get(text))
        {
            return heard(Heard::Reply(answer.clone()));
        }
        match frame {
            Message::Text(text) => heard(Heard::Payload(Content::Text(Cow::Borrowed(text)), 0)),
            Message::Binary(bytes) => heard(Heard::Payload(Content::Binary(bytes), 0)),
            _ => {}
        }
    }

    fn publish(&mut self, message: &str, _number: u32) -> Publication {
        let frame =
            if self.binary { Message::binary(message.as_bytes().to_vec()) } else { Message::text(message.to_owned()) };
        Publication { frame, ticket: None }
    }

    fn resume_state(&mut self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        adapter::trial::{Trial, identity},
        config::tests::config,
    };

    fn raw(flags: &str) -> Trial {
        let config = config(&format!("--target raw {flags}"));
        Trial::start(&Raw::new(&config.adapter), None)
    }

    #[test]
    fn a_raw_terminal_is_ready_at_once_and_each_frame_is_a_message() {
        let mut trial = raw("");
        assert_eq!(trial.opened(), ["ready"]);
        assert_eq!(trial.text("M1ab"), ["payload M1ab copy 0"]);
        assert_eq!(trial.binary(b"M1ab"), ["binary payload M1ab copy 0"]);
    }

    #[test]
    fn the_first_messages_the_answers_and_the_pings_are_templates() {
        let mut trial =
            raw("--first-message join:{n} --first-message {id} --answer PING=PONG:{n} --ping 9s --ping-message {seed}");
        assert_eq!(trial.opened(), ["reply join:7", "reply load-7", "ready keepalive 9s 99"]);
        assert_eq!(trial.text("PING"), ["reply PONG:7"]);
        assert_eq!(raw("--ping 9s").opened(), ["ready keepalive 9s ping"]);
        assert_eq!(raw("--binary --first-message x").opened(), ["binary reply x", "ready"]);
    }

    #[test]
    fn a_plain_terminal_of_muster_says_who_it_is_in_the_query() {
        let config = config("--plain");
        assert_eq!(Raw::of_muster(&config.adapter).open(&identity()).query, "terminal_id=load-7");
        assert_eq!(Raw::new(&config.adapter).open(&identity()).query, "");
    }
}
