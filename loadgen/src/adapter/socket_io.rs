//! Socket.IO 4 on Engine.IO 4, by WebSocket alone: its pings, its acks, and its connection state recovery.

use std::{borrow::Cow, time::Duration};

use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};
use tokio_tungstenite::tungstenite::Message;

use super::{Adapter, Content, Conversation, Heard, Opening, Promise, Publication, Readiness, TerminalIdentity};
use crate::{config::AdapterSettings, template::Template};

/// The adapter for Socket.IO. The channel is the name of an event, or a namespace and the name: `/admin,message`.
#[derive(Debug)]
pub struct SocketIo {
    channel: Template,
    publish_to: Template,
    /// Whether a message that is published asks for an ack.
    asks_ack: bool,
}

impl SocketIo {
    /// The adapter for these settings; the default event is `message`.
    pub fn new(settings: &AdapterSettings) -> Self {
        let (channel, publish_to) = settings.channels("message");
        Self { channel, publish_to, asks_ack: settings.publish_ack }
    }
}

impl Adapter for SocketIo {
    fn promise(&self) -> Promise {
        let text = "each message at most once, in order; a session that the server recovers is sent what it missed";
        Promise { resumes: true, ..Promise::at_most_once("socket.io", text) }
    }

    fn open(&self, _who: &TerminalIdentity) -> Opening {
        Opening { query: "EIO=4&transport=websocket".into(), subprotocol: None, has_credentials: true }
    }

    fn converse(&self, who: &TerminalIdentity, resume: Option<String>) -> Box<dyn Conversation> {
        let (namespace, event) = place(&who.fill(&self.channel));
        let (_, publish) = place(&who.fill(&self.publish_to));
        let owned = |state: &str| match state.split_once(' ') {
            Some((pid, offset)) => (pid.to_owned(), Some(offset.to_owned())),
            None => (state.to_owned(), None),
        };
        Box::new(SocketIoSession {
            namespace,
            event: Value::from(event).to_string(),
            publish: Value::from(publish).to_string(),
            asks_ack: self.asks_ack,
            token: who.token.clone(),
            login: who.login.clone(),
            resume: resume.as_deref().map(owned),
            silence: None,
        })
    }
}

/// The namespace as it stands in packets, with a comma, or empty; and the name of the event.
fn place(channel: &str) -> (String, String) {
    match channel.split_once(',').filter(|(namespace, _)| namespace.starts_with('/')) {
        Some((namespace, event)) => (format!("{namespace},"), event.into()),
        None => (String::new(), channel.into()),
    }
}

struct SocketIoSession {
    namespace: String,
    /// The events' names as JSON.
    event: String,
    publish: String,
    asks_ack: bool,
    token: Option<String>,
    login: Option<(String, String)>,
    /// The private id of the session to recover, and the offset of the last event in it, if there was one.
    resume: Option<(String, Option<String>)>,
    silence: Option<Duration>,
}

/// What Engine.IO says at the begin, in milliseconds.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Handshake {
    ping_interval: u64,
    ping_timeout: u64,
}

/// What Socket.IO says of a connection to a namespace.
#[derive(Deserialize)]
struct Connected {
    pid: Option<String>,
}

impl Conversation for SocketIoSession {
    fn on_open(&mut self, _heard: &mut dyn FnMut(Heard<'_>)) {}

    fn on_frame(&mut self, frame: &Message, heard: &mut dyn FnMut(Heard<'_>)) {
        let text = match frame {
            Message::Text(text) => text.as_str(),
            // The attachment of a binary event.
            Message::Binary(bytes) => return heard(Heard::Payload(Content::Binary(bytes), 0)),
            _ => return,
        };
        match text.as_bytes().first() {
            Some(b'4') => self.packet(&text[1..], heard),
            Some(b'2') => heard(Heard::Reply(Message::text(format!("3{}", &text[1..])))),
            Some(b'0') => self.handshake(&text[1..], heard),
            Some(b'1') => heard(Heard::Refused("the server closed the session".into())),
            Some(b'6') => {}
            _ => heard(Heard::Malformed),
        }
    }

    fn publish(&mut self, message: &str, number: u32) -> Publication {
        let ack = if self.asks_ack { number.to_string() } else { String::new() };
        let data = Value::from(message);
        let frame = format!("42{}{ack}[{},{data}]", self.namespace, self.publish);
        Publication { frame: Message::text(frame), ticket: self.asks_ack.then_some(number) }
    }

    fn resume_state(&mut self) -> Option<String> {
        Some(match self.resume.as_ref()? {
            (pid, Some(offset)) => format!("{pid} {offset}"),
            (pid, None) => pid.clone(),
        })
    }
}

impl SocketIoSession {
    fn handshake(&mut self, text: &str, heard: &mut dyn FnMut(Heard<'_>)) {
        let Ok(handshake) = serde_json::from_str::<Handshake>(text) else { return heard(Heard::Malformed) };
        self.silence = Some(Duration::from_millis(handshake.ping_interval.saturating_add(handshake.ping_timeout)));
        let mut auth = Map::new();
        if let Some(token) = &self.token {
            auth.insert("token".into(), token.clone().into());
        }
        if let Some((user, password)) = &self.login {
            auth.insert("username".into(), user.clone().into());
            auth.insert("password".into(), password.clone().into());
        }
        if let Some((pid, offset)) = &self.resume {
            auth.insert("pid".into(), pid.clone().into());
            auth.extend(offset.clone().map(|offset| ("offset".into(), offset.into())));
        }
        heard(Heard::Reply(Message::text(format!("40{}{}", self.namespace, Value::from(auth)))));
    }

    fn packet(&mut self, text: &str, heard: &mut dyn FnMut(Heard<'_>)) {
        let mut letters = text.chars();
        let kind = letters.next();
        let Some(rest) = letters.as_str().strip_prefix(self.namespace.as_str()) else { return heard(Heard::Greeting) };
        match kind {
            Some('2') => self.event(rest, heard),
            Some('0') => self.connected(rest, heard),
            Some('1') => heard(Heard::Refused("the server disconnected the terminal".into())),
            Some('3') => acked(rest, heard),
            Some('4') => heard(Heard::Refused(format!("the server refused the terminal: {rest}"))),
            // The attachments of a binary event or ack follow in frames of their own.
            Some('5' | '6') => {}
            _ => heard(Heard::Malformed),
        }
    }

    fn connected(&mut self, text: &str, heard: &mut dyn FnMut(Heard<'_>)) {
        let Ok(connected) = serde_json::from_str::<Connected>(text) else { return heard(Heard::Malformed) };
        let asked = self.resume.take();
        let is_recovered = asked.as_ref().is_some_and(|(pid, _)| connected.pid.as_ref() == Some(pid));
        heard(Heard::Ready(Readiness { resumed: is_recovered, silence: self.silence, ..Readiness::default() }));
        if asked.is_some() && !is_recovered {
            heard(Heard::Gap);
        }
        self.resume = if is_recovered { asked } else { connected.pid.map(|pid| (pid, None)) };
    }

    fn event(&mut self, text: &str, heard: &mut dyn FnMut(Heard<'_>)) {
        let (ack, text) = text.split_at(text.find('[').unwrap_or(0));
        let Ok(fields) = serde_json::from_str::<Vec<&RawValue>>(text) else { return heard(Heard::Malformed) };
        match fields[..] {
            [name, data, ..] if name.get() == self.event => heard(Heard::Payload(Content::Text(content(data)), 0)),
            _ => heard(Heard::Greeting),
        }
        if !ack.is_empty() {
            heard(Heard::Reply(Message::text(format!("43{}{ack}[]", self.namespace))));
        }
        // A server that recovers sessions adds an offset to each event.
        if let (Some((_, last)), Some(offset)) = (&mut self.resume, fields.last().and_then(|last| json_text(last))) {
            *last = Some(offset.into_owned());
        }
    }
}

fn acked(text: &str, heard: &mut dyn FnMut(Heard<'_>)) {
    match text.split('[').next().and_then(|number| number.parse().ok()) {
        Some(number) => heard(Heard::Published(number, Ok(()))),
        None => heard(Heard::Malformed),
    }
}

/// The content of a JSON value: of a text what is in it, of anything else the JSON.
fn content(data: &RawValue) -> Cow<'_, str> {
    json_text(data).unwrap_or(Cow::Borrowed(data.get()))
}

/// What is in a JSON text; `None` if the value is of another type.
pub(super) fn json_text(value: &RawValue) -> Option<Cow<'_, str>> {
    let inner = value.get().strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(inner.into());
    }
    serde_json::from_str::<String>(value.get()).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{adapter::trial::Trial, config::tests::config};

    /// What a server of socket.io 4.8 says first.
    const OPEN: &str = r#"0{"sid":"aVNK3Pk-2yqGMzZMAAAA","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

    fn begun(flags: &str, resume: Option<&str>) -> (Trial, Vec<String>) {
        let config = config(&format!("--adapter socket.io {flags}"));
        let mut trial = Trial::start(&SocketIo::new(&config.adapter), resume);
        assert_eq!(trial.opened(), Vec::<String>::new());
        let told = trial.text(OPEN);
        (trial, told)
    }

    #[test]
    fn a_terminal_is_ready_when_its_namespace_is_connected() {
        let (mut trial, told) = begun("", None);
        assert_eq!(told, [r#"reply 40{"password":"password","token":"token-7","username":"user"}"#]);
        assert_eq!(trial.text(r#"40{"sid":"0vpPlLkJl3tpBuTxAAAB"}"#), ["ready silence 45s"]);
        assert_eq!(trial.text(r#"42["message","M1ab"]"#), ["payload M1ab copy 0"]);
        assert_eq!(trial.text("2"), ["reply 3"]);
        assert_eq!(trial.text(r#"42["other","M1ab"]"#), ["greeting"]);
        assert_eq!(trial.resume_state(), None);
    }

    #[test]
    fn an_event_that_asks_for_an_ack_gets_it_and_a_message_of_ours_is_acked() {
        let (mut trial, _) = begun("--channel /admin,news --publish-to /admin,say --publish-ack", None);
        assert_eq!(trial.text(r#"40/admin,{"sid":"x"}"#), ["ready silence 45s"]);
        let told = trial.text(r#"42/admin,12["news","M1ab"]"#);
        assert_eq!(told, ["payload M1ab copy 0", "reply 43/admin,12[]"]);
        assert_eq!(trial.published("M1", 5), (r#"42/admin,5["say","M1"]"#.to_owned(), Some(5)));
        assert_eq!(trial.text("43/admin,5[]"), ["published 5"]);
        assert_eq!(begun("", None).0.published("M1", 5), (r#"42["message","M1"]"#.to_owned(), None));
    }

    #[test]
    fn a_recovered_session_resumes_from_the_last_offset_and_another_one_is_a_gap() {
        let (mut trial, _) = begun("", None);
        trial.text(r#"40{"sid":"a","pid":"P1"}"#);
        assert_eq!(trial.text(r#"42["message","M1","off-1"]"#), ["payload M1 copy 0"]);
        let state = trial.resume_state();
        assert_eq!(state.as_deref(), Some("P1 off-1"));

        let (mut trial, told) = begun("", state.as_deref());
        assert!(told[0].contains(r#""offset":"off-1""#) && told[0].contains(r#""pid":"P1""#), "{told:?}");
        assert_eq!(trial.text(r#"40{"sid":"a","pid":"P1"}"#), ["ready resumed silence 45s"]);
        assert_eq!(trial.resume_state().as_deref(), Some("P1 off-1"), "until a new offset comes");

        let (mut trial, _) = begun("", state.as_deref());
        assert_eq!(trial.text(r#"40{"sid":"b","pid":"P2"}"#), ["ready silence 45s", "gap"]);
        assert_eq!(trial.resume_state().as_deref(), Some("P2"), "no event has come");
    }

    #[test]
    fn a_refusal_says_why() {
        let (mut trial, _) = begun("", None);
        let told = trial.text(r#"44{"message":"not authorized"}"#);
        assert_eq!(told, [r#"refused: the server refused the terminal: {"message":"not authorized"}"#]);
        assert!(trial.text("41")[0].starts_with("refused") && trial.text("1")[0].starts_with("refused"));
        assert_eq!(trial.text("42[1"), ["malformed"]);
        assert_eq!(trial.text("x"), ["malformed"]);
        assert_eq!(trial.text(""), ["malformed"]);
    }
}
