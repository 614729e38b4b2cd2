//! What the program of `--adapter-cmd` is asked and told.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use tokio_tungstenite::tungstenite::Message;

/// A request: one line of JSON.
#[derive(Debug, Serialize)]
pub struct ProgramRequest<'a> {
    /// The number by which the answer names the request. `None` if no answer is expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// The number of the connection. A terminal that comes back has a new one. 0 for what is about none.
    pub connection: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: ProgramEvent<'a>,
}

/// What happened.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ProgramEvent<'a> {
    /// The program has been started; nothing is connected yet.
    Start {
        /// The version of these lines: 1.
        version: u32,
    },
    /// The connection is open.
    Open {
        /// The number of the terminal from 0. The connection that publishes has the number after the last terminal's.
        terminal: usize,
        /// The id of the terminal, which is new in each run.
        name: &'a str,
        /// A number of the terminal's own that follows from the seed of the run.
        seed: u64,
        /// The terminal's line of the file of credentials; empty without one.
        credential: &'a str,
        /// What the program said last of where to resume.
        #[serde(skip_serializing_if = "Option::is_none")]
        resume: Option<&'a str>,
    },
    /// A text frame came.
    Text {
        /// Its text.
        text: &'a str,
    },
    /// A binary frame came.
    Binary {
        /// Its bytes.
        base64: String,
    },
    /// A message is to be published: the answer has the frame.
    Publish {
        /// The message.
        message: &'a str,
        /// Its number.
        number: u32,
    },
    /// The connection has ended. Nothing is answered.
    Close,
}

impl<'a> ProgramEvent<'a> {
    /// A text or binary frame that came.
    pub fn of(frame: &'a Message) -> Self {
        match frame {
            Message::Text(text) => Self::Text { text },
            other => Self::Binary { base64: STANDARD.encode(other.clone().into_data()) },
        }
    }
}

impl ProgramRequest<'_> {
    /// The line, with its end.
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("texts and numbers are JSON") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: u64, event: ProgramEvent<'_>) -> String {
        ProgramRequest { id: Some(id), connection: 3, event }.line()
    }

    #[test]
    fn a_request_is_one_line() {
        let open = ProgramEvent::Open { terminal: 7, name: "load-7", seed: 9, credential: "", resume: None };
        let wanted = r#"{"id":1,"connection":3,"event":"open","terminal":7,"name":"load-7","seed":9,"credential":""}"#;
        assert_eq!(line(1, open), format!("{wanted}\n"));
        let text = Message::text("a\nb");
        let wanted = r#"{"id":2,"connection":3,"event":"text","text":"a\nb"}"#;
        assert_eq!(line(2, ProgramEvent::of(&text)), format!("{wanted}\n"));
        let binary = Message::binary(vec![b'x']);
        let wanted = r#"{"id":3,"connection":3,"event":"binary","base64":"eA=="}"#;
        assert_eq!(line(3, ProgramEvent::of(&binary)), format!("{wanted}\n"));
        let close = ProgramRequest { id: None, connection: 3, event: ProgramEvent::Close };
        assert_eq!(close.line(), "{\"connection\":3,\"event\":\"close\"}\n");
    }
}
