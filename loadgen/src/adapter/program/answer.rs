//! What the program of `--adapter-cmd` answers.

use std::num::NonZeroU64;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, de::Error};

/// An answer: one line of JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramAnswer {
    /// The id of the request that is answered.
    pub id: u64,
    /// What the terminal is to do, or has heard, in this order. Empty if the frame does not matter.
    #[serde(default, rename = "do")]
    pub(super) actions: Vec<ProgramAction>,
}

impl ProgramAnswer {
    /// Reads a line. The error says what is wrong with it.
    pub fn read(line: &str) -> Result<Self, String> {
        serde_json::from_str(line).map_err(|error| error.to_string())
    }
}

/// What a terminal is to do, or has heard.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ProgramAction {
    /// The server has confirmed the subscription.
    Ready(ProgramReadiness),
    /// A text frame is to be sent.
    Send(String),
    /// A binary frame is to be sent; in base64.
    SendBinary(#[serde(deserialize_with = "base64")] Vec<u8>),
    /// A message came in a text frame.
    Message(String),
    /// A message came in a binary frame; in base64.
    MessageBinary(#[serde(deserialize_with = "base64")] Vec<u8>),
    /// The server says that messages are missing.
    Gap,
    /// The frame is the server's own.
    Greeting,
    /// The frame breaks the protocol.
    Malformed,
    /// The server refused the terminal, for this reason: the connection is closed.
    Refused(String),
    /// To `publish`: the message counts as accepted when the server says so, and not when it was written.
    Await,
    /// The server accepted the message with this number.
    Accepted(u32),
    /// The server refused the message with this number.
    Rejected { number: u32, why: String },
    /// From where the next connection of this terminal can resume.
    Resume(String),
}

/// What a terminal is once it is ready.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ProgramReadiness {
    /// The name of the server.
    pub(super) node: String,
    /// Whether the server replays what the terminal missed.
    pub(super) resumed: bool,
    /// How long the server may say nothing, in milliseconds.
    pub(super) silence_ms: Option<NonZeroU64>,
    /// What the terminal sends again and again.
    pub(super) ping: Option<ProgramPing>,
}

/// A text frame that is sent again and again.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProgramPing {
    /// The time from one frame to the next, in milliseconds.
    pub(super) every_ms: NonZeroU64,
    /// The text.
    pub(super) send: String,
}

fn base64<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<u8>, D::Error> {
    STANDARD.decode(String::deserialize(value)?).map_err(|_| D::Error::custom("it is no base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_not_understood_is_an_error_that_says_why() {
        for (line, why) in [
            ("", "EOF"),
            ("hello", "expected value"),
            (r#"{"do":[]}"#, "missing field `id`"),
            (r#"{"id":1,"action":[]}"#, "unknown field `action`"),
            (r#"{"id":1,"do":["explode"]}"#, "unknown variant `explode`"),
            (r#"{"id":1,"do":[{"send_binary":"?"}]}"#, "no base64"),
            (r#"{"id":1,"do":[{"ready":{"silence_ms":0}}]}"#, "nonzero"),
        ] {
            let told = ProgramAnswer::read(line).unwrap_err();
            assert!(told.contains(why), "{line}: {told}");
        }
    }
}
