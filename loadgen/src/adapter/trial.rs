//! What tests of adapters share: a conversation of one terminal, and what it hears as texts.

use tokio_tungstenite::tungstenite::Message;

use super::{Adapter, Content, Conversation, Heard, TerminalIdentity};

/// A conversation whose frames come from a test.
pub struct Trial(Box<dyn Conversation>);

/// A terminal with all that a template can name.
pub fn identity() -> TerminalIdentity {
    let login = Some(("user".to_owned(), "password".to_owned()));
    let (id, credential, token) = ("load-7".to_owned(), "secret-7".to_owned(), Some("token-7".to_owned()));
    TerminalIdentity { number: 7, id, seed: 99, credential, token, login }
}

impl Trial {
    /// Begins a conversation of [`identity`].
    pub fn start(adapter: &dyn Adapter, resume: Option<&str>) -> Self {
        Self::of(adapter, &identity(), resume)
    }

    /// Begins a conversation of this terminal.
    pub fn of(adapter: &dyn Adapter, who: &TerminalIdentity, resume: Option<&str>) -> Self {
        Self(adapter.converse(who, resume.map(Into::into)))
    }

    /// What is told once the connection is open.
    pub fn opened(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        self.0.on_open(&mut |heard| told.push(describe(&heard)));
        told
    }

    /// What this text frame means.
    pub fn text(&mut self, text: &str) -> Vec<String> {
        self.frame(&Message::text(text))
    }

    /// What this binary frame means.
    pub fn binary(&mut self, bytes: &[u8]) -> Vec<String> {
        self.frame(&Message::binary(bytes.to_vec()))
    }

    fn frame(&mut self, frame: &Message) -> Vec<String> {
        let mut told = Vec::new();
        self.0.on_frame(frame, &mut |heard| told.push(describe(&heard)));
        told
    }

    /// The frame that publishes a message, and its ticket.
    pub fn published(&mut self, message: &str, number: u32) -> (String, Option<u32>) {
        let published = self.0.publish(message, number);
        (shown(&published.frame), published.ticket)
    }

    /// From where the next conversation resumes.
    pub fn resume_state(&mut self) -> Option<String> {
        self.0.resume_state()
    }
}

fn describe(heard: &Heard<'_>) -> String {
    match heard {
        Heard::Ready(ready) => {
            let mut text = "ready".to_owned();
            if ready.resumed {
                text += " resumed";
            }
            if !ready.node.is_empty() {
                text += &format!(" on {}", ready.node);
            }
            if let Some(silence) = ready.silence {
                text += &format!(" silence {silence:?}");
            }
            if let Some(keepalive) = &ready.keepalive {
                text += &format!(" keepalive {:?} {}", keepalive.every, shown(&keepalive.frame));
            }
            text
        }
        Heard::Payload(Content::Text(text), copy) => format!("payload {text} copy {copy}"),
        Heard::Payload(Content::Binary(bytes), copy) => {
            format!("binary payload {} copy {copy}", String::from_utf8_lossy(bytes))
        }
        Heard::Reply(frame @ Message::Binary(_)) => format!("binary reply {}", shown(frame)),
        Heard::Reply(frame) => format!("reply {}", shown(frame)),
        Heard::Gap => "gap".into(),
        Heard::Greeting => "greeting".into(),
        Heard::Malformed => "malformed".into(),
        Heard::Complaint => "complaint".into(),
        Heard::Refused(why) => format!("refused: {why}"),
        Heard::Published(number, Ok(())) => format!("published {number}"),
        Heard::Published(number, Err(why)) => format!("published {number}: {why}"),
    }
}

fn shown(frame: &Message) -> String {
    match frame {
        Message::Ping(_) => "ping".into(),
        Message::Binary(bytes) => {
            let printable = |byte: &u8| byte.is_ascii_graphic();
            match bytes.iter().all(printable) {
                true => String::from_utf8_lossy(bytes).into_owned(),
                false => data_encoding::HEXLOWER.encode(bytes),
            }
        }
        other => other.to_text().unwrap_or("?").to_owned(),
    }
}
