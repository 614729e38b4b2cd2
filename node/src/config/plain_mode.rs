//! The settings of plain mode: what terminals of other systems expect, so that a fleet that can't be changed can come in.

use std::str::FromStr;

use clap::Args;

/// The longest name of a subprotocol, in bytes.
const NAME_MAX: usize = 64;
/// The longest text of a heartbeat, in bytes.
const HEARTBEAT_MAX: usize = 125;
/// How many names may count as plain mode. Each is looked for in each handshake.
pub const NAMES_MAX: usize = 32;

/// The settings of plain mode.
#[derive(Debug, Clone, Default, Args)]
pub struct PlainModeFlags {
    /// Subprotocols that count as plain mode, as libraries always offer one: arduino, ocpp1.6. The answer selects the first of them that
    /// is offered. At most 32 names, separated by commas
    #[arg(long, env = "MUSTER_PLAIN_PROTOCOLS", value_name = "NAME", value_delimiter = ',')]
    pub plain_protocols: Vec<PlainProtocol>,

    /// A plain terminal's message PING is answered with the message PONG, and is no event: for libraries that send a text as their
    /// heartbeat and want a text back. 1 to 125 bytes each; PING has no =
    #[arg(long, env = "MUSTER_PLAIN_HEARTBEAT", value_name = "PING=PONG")]
    pub plain_heartbeat: Option<PlainHeartbeat>,

    /// Whether each message of a plain terminal is sent back, and is no event. No flag sets it: only the program does that tests how
    /// frames are read and written (`testkit/src/bin/conformance`).
    #[arg(skip)]
    pub echo: bool,
}

/// The name of a subprotocol that counts as plain mode: a token of HTTP, 1 to 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainProtocol(String);

impl PlainProtocol {
    /// The name as clients offer it.
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl FromStr for PlainProtocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if text.is_empty() || text.len() > NAME_MAX || !text.bytes().all(is_token) {
            return Err(format!(
                "a subprotocol has 1 to {NAME_MAX} letters, digits and characters of !#$%&'*+-.^_`|~, not {text:?}"
            ));
        }
        if text.starts_with("muster.") {
            return Err("names that begin with muster. are Muster's own".into());
        }
        Ok(Self(text.into()))
    }
}

/// A text heartbeat of plain terminals, and the answer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainHeartbeat {
    /// The message of the terminal.
    pub ping: String,
    /// The node's answer.
    pub pong: String,
}

impl FromStr for PlainHeartbeat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (ping, pong) = text.split_once('=').ok_or("a heartbeat is written PING=PONG")?;
        if [ping, pong].iter().any(|text| text.is_empty() || text.len() > HEARTBEAT_MAX) {
            return Err(format!("PING and PONG have 1 to {HEARTBEAT_MAX} bytes each"));
        }
        Ok(Self { ping: ping.into(), pong: pong.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_protocol_is_a_token_of_http_and_none_of_musters_own() {
        for name in ["arduino", "ocpp1.6", "v10.stomp"] {
            assert_eq!(name.parse::<PlainProtocol>().unwrap().name(), name);
        }
        for bad in ["", "a b", "a,b", "a=b", "\u{e9}", "muster.v1", &"x".repeat(65)] {
            assert!(bad.parse::<PlainProtocol>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_heartbeat_has_two_texts() {
        let heartbeat: PlainHeartbeat = "ping=po=ng".parse().unwrap();
        assert_eq!((heartbeat.ping.as_str(), heartbeat.pong.as_str()), ("ping", "po=ng"));
        for bad in ["ping", "=pong", "ping=", &format!("p={}", "x".repeat(126))] {
            assert!(bad.parse::<PlainHeartbeat>().is_err(), "{bad}");
        }
    }
}
