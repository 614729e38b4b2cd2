//! The frames of `muster.v1`: JSON text messages, one object each, told apart by `type`.
//! Unknown fields are ignored; an unknown type is an error that names it, so that the node can answer with [`FromNode::Error`].
//!
//! What a [`terminal`] says, what a [`node`] says, and how either is [`read`].

mod node;
mod read;
mod terminal;

use std::fmt;

pub use self::{
    node::{Command, DEFAULT_MAX_MESSAGE, ErrorFrame, FromNode, Gap, Goodbye, Welcome},
    read::FrameError,
    terminal::{Ack, Condition, Event, FromTerminal, Health, Hello, NotRun, Progress, ResultFrame},
};

/// The WebSocket subprotocol of these frames.
pub const V1: &str = "muster.v1";
/// The subprotocol that asks for plain mode by name, beside a bearer.
pub const PLAIN: &str = "muster.plain";
/// The prefix of the subprotocol that carries a token, for browsers, which can't set a header.
pub const BEARER_PREFIX: &str = "muster.bearer.";

/// A frame is shown as the JSON text that goes on the wire.
macro_rules! shown_as_json {
    ($($frame:ty),*) => {$(
        impl fmt::Display for $frame {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
            }
        }
    )*};
}

shown_as_json!(FromTerminal, FromNode);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_survives_the_wire_to_the_letter() {
        let text = r#"{"type":"command","id":"0190163d-8694-739b-aea5-966c26f8ad91","name":"show","payload":{"z":1e400,"a":[1]},"expires_at":"2030-01-01T00:00:00Z"}"#;
        assert_eq!(FromNode::decode(text).unwrap().to_string(), text);
    }

    #[test]
    fn a_hello_needs_nothing_but_its_type() {
        assert_eq!(
            FromTerminal::decode(r#"{"type":"hello","later":1}"#).unwrap(),
            FromTerminal::Hello(Hello::default())
        );
    }

    #[test]
    fn a_welcome_without_a_limit_means_the_default() {
        let text = r#"{"type":"welcome","session":"0190163d-8694-739b-aea5-966c26f8ad91","node":"n1","time":"2030-01-01T00:00:00Z","ping_ms":25000,"resumed":false}"#;
        let FromNode::Welcome(welcome) = FromNode::decode(text).unwrap() else { panic!("no welcome") };
        assert_eq!(welcome.max_message, DEFAULT_MAX_MESSAGE);
    }

    #[test]
    fn an_unknown_type_is_named_and_nonsense_is_malformed() {
        assert!(matches!(FromTerminal::decode(r#"{"type":"dance"}"#), Err(FrameError::UnknownType(t)) if t == "dance"));
        for text in ["", "[]", "{}", r#"{"type":1}"#, r#"{"type":"ack"}"#, r#"{"type":"ack","id":"x"}"#] {
            assert!(matches!(FromTerminal::decode(text), Err(FrameError::Malformed(_))), "{text}");
        }
    }
}
