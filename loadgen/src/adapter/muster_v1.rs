//! Muster's own protocol, `muster.v1`: frames of JSON, cursors, gaps and acks.

use std::{borrow::Cow, time::Duration};

use muster_protocol::{
    CommandId, Payload,
    frame::{Ack, FromNode, FromTerminal, Hello, ResultFrame, V1, Welcome},
};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::Message;

use super::{
    Adapter, Content, Conversation, DeliveryPromise, Heard, Opening, Promise, Publication, Readiness, TerminalIdentity,
};
use crate::{config::Acks, message};

/// The adapter for Muster.
#[derive(Debug)]
pub struct MusterV1 {
    /// Whether terminals acknowledge broadcasts, too; otherwise only commands that target them alone.
    acks_all: bool,
}

/// The fields of a node's frames that matter here. All kinds of frame are parsed into this one struct, in one pass.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    id: Option<CommandId>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    cursor: Option<Cow<'a, str>>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
}

impl MusterV1 {
    /// The adapter for terminals that acknowledge these messages.
    pub fn new(acks: Acks) -> Self {
        Self { acks_all: acks == Acks::All }
    }
}

impl Adapter for MusterV1 {
    fn promise(&self) -> Promise {
        Promise {
            adapter: V1.into(),
            text: "each message once, in order; what was missed is replayed, or the terminal is told of a gap".into(),
            delivery: DeliveryPromise::Owed,
            resumes: true,
            repeats: true,
            pipe: false,
        }
    }

    fn open(&self, who: &TerminalIdentity) -> Opening {
        Opening { query: format!("terminal_id={}", who.id), subprotocol: Some(V1), has_credentials: false }
    }

    fn converse(&self, _who: &TerminalIdentity, resume: Option<String>) -> Box<dyn Conversation> {
        Box::new(MusterSession { acks_all: self.acks_all, welcomed: false, cursor: resume })
    }
}

struct MusterSession {
    acks_all: bool,
    welcomed: bool,
    cursor: Option<String>,
}

impl Conversation for MusterSession {
    fn on_open(&mut self, heard: &mut dyn FnMut(Heard<'_>)) {
        let hello = Hello { sdk: "muster-loadgen".into(), resume: self.cursor.clone(), ..Hello::default() };
        heard(Heard::Reply(Message::text(FromTerminal::Hello(hello).to_string())));
    }

    fn on_frame(&mut self, frame: &Message, heard: &mut dyn FnMut(Heard<'_>)) {
        let text = match frame {
            Message::Text(text) => text,
            Message::Binary(bytes) if self.welcomed => return heard(Heard::Payload(Content::Binary(bytes), 0)),
            _ => return heard(Heard::Refused("the node's first frame was no welcome".into())),
        };
        if !self.welcomed {
            return self.first(text, heard);
        }
        match serde_json::from_str::<Frame>(text) {
            Ok(frame) => self.frame(frame, heard),
            Err(_) => heard(Heard::Malformed),
        }
    }

    fn publish(&mut self, message: &str, _number: u32) -> Publication {
        // `Config::validate` lets no run begin that would publish by this protocol: the API does.
        Publication { frame: Message::text(message.to_owned()), ticket: None }
    }

    fn resume_state(&mut self) -> Option<String> {
        self.cursor.take()
    }
}

impl MusterSession {
    fn first(&mut self, text: &str, heard: &mut dyn FnMut(Heard<'_>)) {
        match FromNode::decode(text) {
            Ok(FromNode::Welcome(welcome)) => self.welcome(welcome, heard),
            Ok(_) => heard(Heard::Refused("the node's first frame was no welcome".into())),
            Err(error) => heard(Heard::Refused(error.to_string())),
        }
    }

    fn welcome(&mut self, welcome: Welcome, heard: &mut dyn FnMut(Heard<'_>)) {
        self.welcomed = true;
        // A node that resumes first replays what follows the old cursor, so the old cursor stays valid until a replayed
        // command brings a new one.
        if let Some(cursor) = welcome.cursor.filter(|_| !welcome.resumed) {
            self.cursor = Some(cursor);
        }
        let silence = (welcome.ping_ms > 0).then(|| Duration::from_millis(welcome.ping_ms.saturating_mul(3)));
        let node = welcome.node.to_string();
        heard(Heard::Ready(Readiness { node, resumed: welcome.resumed, silence, keepalive: None }));
    }

    fn frame(&mut self, frame: Frame, heard: &mut dyn FnMut(Heard<'_>)) {
        match (&*frame.kind, frame.id) {
            ("command", Some(id)) => {
                let text = unquoted(frame.payload.map(RawValue::get).unwrap_or_default());
                let targeted = message::is_targeted(&text);
                heard(Heard::Payload(Content::Text(text), crc32c::crc32c(id.0.as_bytes())));
                if let Some(new) = frame.cursor {
                    replace(&mut self.cursor, &new);
                }
                if targeted || self.acks_all {
                    answer(id, targeted, heard);
                }
            }
            ("gap", _) => {
                heard(Heard::Gap);
                if let Some(to) = frame.to {
                    replace(&mut self.cursor, &to);
                }
            }
            ("error", _) => heard(Heard::Complaint),
            _ => {}
        }
    }
}

/// Sends an ack, and for a command that targets this terminal alone also its result.
fn answer(id: CommandId, targeted: bool, heard: &mut dyn FnMut(Heard<'_>)) {
    let mut send = |frame: FromTerminal| heard(Heard::Reply(Message::text(frame.to_string())));
    send(FromTerminal::Ack(Ack { id }));
    if targeted {
        send(FromTerminal::Result(ResultFrame { id, ok: true, reason: None, payload: Payload::default() }));
    }
}

/// Returns the content of a JSON string. The generator's own messages contain nothing to unescape, so they are
/// borrowed and not copied.
fn unquoted(json: &str) -> Cow<'_, str> {
    let inner = json.strip_prefix('"').and_then(|json| json.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.contains('\\') => inner.into(),
        _ => serde_json::from_str::<String>(json).unwrap_or_default().into(),
    }
}

/// Overwrites the cursor in place, which allocates nothing once the string has enough capacity.
fn replace(cursor: &mut Option<String>, new: &str) {
    cursor.get_or_insert_default().replace_range(.., new);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::trial::Trial;

    const ID: &str = "0190163d-8694-739b-aea5-966c26f8ad91";

    fn welcome(rest: &str) -> String {
        format!(
            r#"{{"type":"welcome","session":"{ID}","node":"n1","time":"2030-01-01T00:00:00Z","ping_ms":2000,"max_message":1000{rest}}}"#
        )
    }

    fn command(payload: &str, cursor: &str) -> String {
        format!(
            r#"{{"type":"command","id":"{ID}","name":"load","payload":"{payload}","expires_at":"2030-01-01T00:00:00Z","cursor":"{cursor}"}}"#
        )
    }

    fn targeted() -> String {
        let header = message::Header { run: 1, publisher: 0, seq: 2, due: 3, sent: 4, flags: message::TARGETED };
        message::encode(&header, 82)
    }

    #[test]
    fn a_terminal_is_ready_with_the_welcome_and_resumes_from_the_last_cursor() {
        let mut trial = Trial::start(&MusterV1::new(Acks::Commands), Some("old"));
        assert!(trial.opened()[0].contains(r#""resume":"old""#));
        let told = trial.text(&welcome(r#","resumed":true,"cursor":"new""#));
        assert_eq!(told, ["ready resumed on n1 silence 6s"]);
        assert_eq!(trial.text(&command("M1", "later"))[..1], [format!("payload M1 copy {}", copy())]);
        assert_eq!(trial.text(r#"{"type":"gap","from":"a","to":"b","reason":"trimmed"}"#), ["gap"]);
        assert_eq!(trial.resume_state().as_deref(), Some("b"));
    }

    fn copy() -> u32 {
        crc32c::crc32c(ID.parse::<CommandId>().unwrap().0.as_bytes())
    }

    #[test]
    fn a_cursor_of_a_session_that_was_not_resumed_replaces_the_old_one() {
        for (resumed, cursor) in [(true, "old"), (false, "new")] {
            let mut trial = Trial::start(&MusterV1::new(Acks::All), Some("old"));
            trial.text(&welcome(&format!(r#","resumed":{resumed},"cursor":"new""#)));
            assert_eq!(trial.resume_state().as_deref(), Some(cursor));
        }
    }

    #[test]
    fn broadcasts_are_acknowledged_if_asked_and_commands_to_one_are_also_answered() {
        let heard = |acks, payload: &str| {
            let mut trial = Trial::start(&MusterV1::new(acks), None);
            trial.text(&welcome(r#","resumed":false"#));
            trial.text(&command(payload, "c")).split_off(1)
        };
        let ack = format!(r#"reply {{"type":"ack","id":"{ID}"}}"#);
        assert_eq!(heard(Acks::Commands, "M1"), Vec::<String>::new());
        assert_eq!(heard(Acks::All, "M1").concat(), ack);
        let both = heard(Acks::Commands, &targeted());
        assert_eq!((both.len(), &both[0]), (2, &ack));
        assert!(both[1].contains(r#""type":"result""#), "{both:?}");
    }

    #[test]
    fn what_breaks_the_protocol_is_told() {
        let mut trial = Trial::start(&MusterV1::new(Acks::All), None);
        assert!(trial.text(r#"{"type":"error","code":"x","message":"y"}"#)[0].contains("no welcome"));
        trial.text(&welcome(r#","resumed":false"#));
        assert_eq!(trial.text("{"), ["malformed"]);
        assert_eq!(trial.text(r#"{"type":"error","code":"x","message":"y"}"#), ["complaint"]);
        assert_eq!(trial.binary(b"M1"), ["binary payload M1 copy 0"]);
    }
}
