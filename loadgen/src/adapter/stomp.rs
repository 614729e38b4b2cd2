//! STOMP 1.2: one subscription, its receipt, and heart-beats.

use std::{borrow::Cow, time::Duration};

use tokio_tungstenite::tungstenite::Message;

use super::{
    Adapter, Content, Conversation, Heard, Keepalive, Opening, Promise, Publication, Readiness, TerminalIdentity,
};
use crate::{config::AdapterSettings, template::Template};

/// The receipt of the subscription. Those of messages are numbers.
const SUBSCRIBED: &str = "subscribed";
/// How often each side is asked for a heart-beat, in milliseconds.
const HEART_BEAT: u64 = 10_000;

/// The adapter for STOMP. The channel is a destination.
#[derive(Debug)]
pub struct Stomp {
    channel: Template,
    publish_to: Template,
    /// Whether the server answers with receipts.
    has_receipts: bool,
}

impl Stomp {
    /// The adapter for these settings; the default destination is `/topic/load`.
    pub fn new(settings: &AdapterSettings) -> Self {
        let (channel, publish_to) = settings.channels("/topic/load");
        Self { channel, publish_to, has_receipts: !settings.unconfirmed }
    }
}

impl Adapter for Stomp {
    fn promise(&self) -> Promise {
        Promise::at_most_once("stomp", "each message at most once, without acks (ack:auto); nothing is replayed")
    }

    fn open(&self, _who: &TerminalIdentity) -> Opening {
        Opening { subprotocol: Some("v12.stomp"), has_credentials: true, ..Opening::default() }
    }

    fn converse(&self, who: &TerminalIdentity, _resume: Option<String>) -> Box<dyn Conversation> {
        Box::new(StompSession {
            destination: who.fill(&self.channel),
            publish_to: who.fill(&self.publish_to),
            login: who.login.clone(),
            token: who.token.clone(),
            has_receipts: self.has_receipts,
            readiness: Readiness::default(),
        })
    }
}

struct StompSession {
    destination: String,
    publish_to: String,
    login: Option<(String, String)>,
    token: Option<String>,
    has_receipts: bool,
    /// What was agreed when the server accepted the connection.
    readiness: Readiness,
}

/// A frame of STOMP.
struct Frame<'a> {
    command: &'a str,
    headers: &'a str,
    body: &'a str,
}

impl Conversation for StompSession {
    fn on_open(&mut self, heard: &mut dyn FnMut(Heard<'_>)) {
        let heart_beat = format!("{HEART_BEAT},{HEART_BEAT}");
        let mut headers = vec![("accept-version", "1.2"), ("host", "/"), ("heart-beat", heart_beat.as_str())];
        if let Some((user, password)) = &self.login {
            headers.extend([("login", user.as_str()), ("passcode", password)]);
        }
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        headers.extend(bearer.as_ref().map(|bearer| ("Authorization", bearer.as_str())));
        heard(Heard::Reply(frame("CONNECT", &headers, "")));
    }

    fn on_frame(&mut self, frame: &Message, heard: &mut dyn FnMut(Heard<'_>)) {
        let text = match frame {
            Message::Text(text) => Some(text.as_str()),
            // Some servers send all frames as binary ones.
            Message::Binary(bytes) => str::from_utf8(bytes).ok(),
            _ => None,
        };
        let Some(mut text) = text else { return heard(Heard::Malformed) };
        loop {
            // A line end alone is a heart-beat.
            text = text.trim_start_matches(['\r', '\n']);
            if text.is_empty() {
                return;
            }
            let Some((frame, after)) = parse(text) else { return heard(Heard::Malformed) };
            self.frame(&frame, heard);
            text = after;
        }
    }

    fn publish(&mut self, message: &str, number: u32) -> Publication {
        let receipt = number.to_string();
        let mut headers = vec![("destination", self.publish_to.as_str()), ("content-type", "text/plain")];
        if self.has_receipts {
            headers.push(("receipt", &receipt));
        }
        Publication { frame: frame("SEND", &headers, message), ticket: self.has_receipts.then_some(number) }
    }

    fn resume_state(&mut self) -> Option<String> {
        None
    }
}

impl StompSession {
    fn frame(&mut self, frame: &Frame<'_>, heard: &mut dyn FnMut(Heard<'_>)) {
        match frame.command {
            "MESSAGE" => {
                let copy = header(frame.headers, "message-id").map_or(0, |id| crc32c::crc32c(id.as_bytes()));
                heard(Heard::Payload(Content::Text(Cow::Borrowed(frame.body)), copy));
            }
            "CONNECTED" => self.connected(frame, heard),
            "RECEIPT" => match header(frame.headers, "receipt-id") {
                Some(SUBSCRIBED) => heard(Heard::Ready(std::mem::take(&mut self.readiness))),
                Some(number) if number.parse::<u32>().is_ok() => {
                    heard(Heard::Published(number.parse().unwrap_or_default(), Ok(())));
                }
                _ => heard(Heard::Malformed),
            },
            "ERROR" => {
                let why = header(frame.headers, "message").unwrap_or(frame.body);
                heard(Heard::Refused(format!("the server sent ERROR: {why}")));
            }
            _ => heard(Heard::Malformed),
        }
    }

    fn connected(&mut self, connected: &Frame<'_>, heard: &mut dyn FnMut(Heard<'_>)) {
        let theirs = header(connected.headers, "heart-beat").and_then(|both| both.split_once(','));
        let (sends, wants) = theirs.map_or((0, 0), |(sends, wants)| (number(sends), number(wants)));
        self.readiness.node = header(connected.headers, "server").unwrap_or_default().to_owned();
        self.readiness.silence = (sends > 0).then(|| Duration::from_millis(sends.max(HEART_BEAT).saturating_mul(3)));
        self.readiness.keepalive = (wants > 0)
            .then(|| Keepalive { every: Duration::from_millis(wants.max(HEART_BEAT)), frame: Message::text("\n") });
        let mut headers = vec![("id", "0"), ("destination", self.destination.as_str()), ("ack", "auto")];
        if self.has_receipts {
            headers.push(("receipt", SUBSCRIBED));
        }
        heard(Heard::Reply(frame("SUBSCRIBE", &headers, "")));
        if !self.has_receipts {
            heard(Heard::Ready(std::mem::take(&mut self.readiness)));
        }
    }
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or(0)
}

/// Writes a frame. Values of headers are escaped, except in CONNECT.
fn frame(command: &str, headers: &[(&str, &str)], body: &str) -> Message {
    let mut text = format!("{command}\n");
    for (name, value) in headers {
        let value = match command {
            "CONNECT" => (*value).to_owned(),
            _ => value.replace('\\', "\\\\").replace('\n', "\\n").replace(':', "\\c"),
        };
        text += &format!("{name}:{value}\n");
    }
    Message::text(text + "\n" + body + "\0")
}

/// Splits the first frame from a text. A body ends where `content-length` says, or else at the first zero byte.
fn parse(text: &str) -> Option<(Frame<'_>, &str)> {
    let (head, rest) = text.split_once("\n\n").or_else(|| text.split_once("\r\n\r\n"))?;
    let (command, headers) = head.split_once('\n').unwrap_or((head, ""));
    let length = match header(headers, "content-length") {
        Some(length) => length.parse().ok()?,
        None => rest.find('\0')?,
    };
    let (body, rest) = rest.split_at_checked(length)?;
    Some((Frame { command: command.trim_end(), headers, body }, rest.strip_prefix('\0')?))
}

/// The first header of this name, which is the one that counts; escapes stay.
fn header<'a>(headers: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = headers.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{adapter::trial::Trial, config::tests::config};

    fn begun(flags: &str) -> Trial {
        let config = config(&format!("--adapter stomp {flags}"));
        let mut trial = Trial::start(&Stomp::new(&config.adapter), None);
        let connect = "reply CONNECT\naccept-version:1.2\nhost:/\nheart-beat:10000,10000\nlogin:user\npasscode:password\n\
                       Authorization:Bearer token-7\n\n\0";
        assert_eq!(trial.opened(), [connect]);
        trial
    }

    #[test]
    fn a_terminal_is_ready_with_the_receipt_of_its_subscription() {
        let mut trial = begun("");
        // As RabbitMQ 3.12 says it.
        let told = trial
            .text("CONNECTED\nserver:RabbitMQ/3.12.1\nsession:session-x\nheart-beat:10000,10000\nversion:1.2\n\n\0");
        assert_eq!(told, ["reply SUBSCRIBE\nid:0\ndestination:/topic/load\nack:auto\nreceipt:subscribed\n\n\0"]);
        let told = trial.text("RECEIPT\nreceipt-id:subscribed\n\n\0");
        assert_eq!(told, ["ready on RabbitMQ/3.12.1 silence 30s keepalive 10s \n"]);
        assert_eq!(trial.text("\n"), Vec::<String>::new());
        let message = "MESSAGE\nsubscription:0\nmessage-id:T_0@@session-x@@1\ndestination:/topic/load\ncontent-length:4\n\nM1ab\0\n";
        let copy = crc32c::crc32c(b"T_0@@session-x@@1");
        assert_eq!(trial.text(message), [format!("payload M1ab copy {copy}")]);
    }

    #[test]
    fn a_server_without_receipts_is_believed_if_asked_to() {
        let mut trial = begun("--unconfirmed --channel /topic/a:b --publish-to /app/say");
        let told = trial.text("CONNECTED\nversion:1.2\nheart-beat:0,0\n\n\0");
        assert_eq!(told, ["reply SUBSCRIBE\nid:0\ndestination:/topic/a\\cb\nack:auto\n\n\0", "ready"]);
        let published = "SEND\ndestination:/app/say\ncontent-type:text/plain\n\nM1\0";
        assert_eq!(trial.published("M1", 4), (published.to_owned(), None));
    }

    #[test]
    fn a_message_of_ours_has_a_receipt() {
        let mut trial = begun("");
        let published = "SEND\ndestination:/topic/load\ncontent-type:text/plain\nreceipt:4\n\nM1\0";
        assert_eq!(trial.published("M1", 4), (published.to_owned(), Some(4)));
        assert_eq!(trial.text("RECEIPT\nreceipt-id:4\n\n\0"), ["published 4"]);
    }

    #[test]
    fn errors_and_broken_frames_are_told() {
        let mut trial = begun("");
        let told = trial.text("ERROR\nmessage:Bad CONNECT\n\nAccess refused\0");
        assert_eq!(told, ["refused: the server sent ERROR: Bad CONNECT"]);
        for broken in ["MESSAGE", "MESSAGE\n\nab", "MESSAGE\ncontent-length:9\n\nab\0", "WHAT\n\n\0", "RECEIPT\n\n\0"] {
            assert_eq!(trial.text(broken), ["malformed"], "{broken:?}");
        }
        let two = "MESSAGE\n\na\0\nMESSAGE\r\nx:y\r\n\r\nb\0";
        assert_eq!(trial.text(two), ["payload a copy 0", "payload b copy 0"]);
    }
}
