//! The frames of `muster.v1`: JSON text messages, one object each, distinguished by `type`. A terminal sends
//! [`FromTerminal`], a node sends [`FromNode`].
//!
//! Unknown fields are ignored. An unknown type is an error that names it; a node answers it with [`FromNode::Error`].

mod node;
mod read;
mod terminal;

use std::fmt;

pub use self::{
    node::{
        Command, DEFAULT_MAX_MESSAGE, ErrorFrame, EventAck, FromNode, Gap, Goodbye, TOKEN_REFUSED, TOKEN_TOO_SOON,
        TOO_LARGE, Welcome,
    },
    read::FrameError,
    terminal::{
        Ack, Condition, EVENT_MAX, Event, FromTerminal, Health, Hello, NotRun, Progress, ResultFrame, TokenFrame,
    },
};

/// The WebSocket subprotocol of these frames.
pub const V1: &str = "muster.v1";
/// The subprotocol that asks for plain mode. Needed only beside a token in a subprotocol: a handshake without any
/// subprotocol asks for plain mode too.
pub const PLAIN: &str = "muster.plain";
/// The prefix of a subprotocol that carries a token: `muster.bearer.TOKEN`. It is for browsers, which can't set a
/// header.
pub const BEARER_PREFIX: &str = "muster.bearer.";

/// Gives frames a `Display` that writes them as the JSON text that is sent.
macro_rules! display_as_json {
    ($($frame:ty),*) => {$(
        impl fmt::Display for $frame {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
            }
        }
    )*};
}

display_as_json!(FromTerminal, FromNode);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_and_written_without_changing_a_byte() {
        let text = r#"{"type":"command","id":"0190163d-8694-739b-aea5-966c26f8ad91","name":"show","payload":{"z":1e400,"a":[1]},"expires_at":"2030-01-01T00:00:00Z"}"#;
        assert_eq!(FromNode::decode(text).unwrap().to_string(), text);
    }

    #[test]
    fn a_payload_is_json_or_bytes_and_never_both() {
        let id = "0190163d-8694-739b-aea5-966c26f8ad91";
        let command = format!(
            r#"{{"type":"command","id":"{id}","name":"show","payload_base64":"AP8=","expires_at":"2030-01-01T00:00:00Z"}}"#
        );
        let FromNode::Command(read) = FromNode::decode(&command).unwrap() else { panic!("no command") };
        assert_eq!((read.payload.bytes(), FromNode::Command(read).to_string()), (Some(vec![0, 255]), command.clone()));
        for rest in [
            format!(r#""progress","id":"{id}","#),
            format!(r#""result","id":"{id}","ok":true,"#),
            r#""event","name":"picture","#.to_owned(),
        ] {
            let text = format!(r#"{{"type":{rest}"payload_base64":"AP8="}}"#);
            assert_eq!(FromTerminal::decode(&text).unwrap().to_string(), text);
            for bad in [r#""payload":1,"payload_base64":"AP8=""#, r#""payload_base64":"AP8""#, r#""payload_base64":7"#]
            {
                let error = FromTerminal::decode(&format!(r#"{{"type":{rest}{bad}}}"#)).unwrap_err().to_string();
                assert!(bad.ends_with('7') || error.contains("payload_base64"), "{error}");
            }
        }
        assert!(FromNode::decode(&command.replace(r#""name""#, r#""payload":1,"name""#)).is_err());
    }

    #[test]
    fn a_token_is_written_and_never_printed() {
        let frame = FromTerminal::Token(TokenFrame { token: "eyJ.secret".into() });
        assert_eq!(frame.to_string(), r#"{"type":"token","token":"eyJ.secret"}"#);
        assert!(!format!("{frame:?}").contains("secret"));
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
    fn an_unknown_type_is_named_and_other_texts_are_malformed() {
        assert!(matches!(FromTerminal::decode(r#"{"type":"dance"}"#), Err(FrameError::UnknownType(t)) if t == "dance"));
        for text in ["", "[]", "{}", r#"{"type":1}"#, r#"{"type":"ack"}"#, r#"{"type":"ack","id":"x"}"#] {
            assert!(matches!(FromTerminal::decode(text), Err(FrameError::Malformed(_))), "{text}");
        }
    }
}
