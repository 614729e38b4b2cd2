//! What a program decides about its terminal before it starts. Checked once, by [`crate::Terminal::start`].

use std::{fmt, net::IpAddr, path::PathBuf, str::FromStr, time::Duration};

use muster_protocol::{Payload, TerminalId, api::Protocol, frame::DEFAULT_MAX_MESSAGE, selector::Labels};

use crate::Policy;

/// What a terminal is and where it connects to. [`Config::new`] fills in what most terminals want.
#[derive(Debug, Clone)]
pub struct Config {
    /// `ws://HOST:PORT/PATH`, tried in turn: a failed attempt or a lost session goes on to the next. `terminal_id` is added to the query.
    pub urls: Vec<String>,
    /// Who connects.
    pub terminal: TerminalId,
    /// Shows that it may.
    pub token: Option<Token>,
    /// Frames of `muster.v1`, or bare messages.
    pub protocol: Protocol,
    /// What the terminal says of itself in its hello.
    pub labels: Labels,
    /// Published by the cluster, once, if the terminal is lost without having left.
    pub will: Option<Payload>,
    /// Where an earlier life of this terminal stood, if it is to go on from there.
    pub cursor: Option<String>,
    /// How many commands are remembered, so that one which comes again is not run again: more than can be on their way at once. 16
    /// bytes each.
    pub remember: usize,
    /// Keeps the cursor and the remembered commands over a restart of the program.
    pub memory: Option<PathBuf>,
    /// The program's name and version, for the hello.
    pub sdk: String,
    /// The local address to connect from, for hosts that hold more connections than one address has ports.
    pub source: Option<IpAddr>,
    /// Whether each command is acknowledged once the listener has it. If not, the program says [`ack`] itself.
    ///
    /// [`ack`]: muster_protocol::frame::Ack
    pub acknowledge: bool,
    /// How long an attempt may take from the first packet to the welcome.
    pub deadline: Duration,
    /// The largest message, in bytes, that nodes are assumed to take from this terminal until a `welcome` names the node's limit;
    /// plain mode has no welcome. Set it to what the nodes' `--max-message` says. At most 1 MiB is sent, whatever it is.
    pub max_message: u64,
    /// When to come back.
    pub policy: Policy,
    /// Makes the delays of the policy repeatable; terminals that share it come back together.
    pub seed: u64,
}

impl Config {
    /// A terminal that speaks `muster.v1`, acknowledges on arrival and comes back by the default policy.
    pub fn new(urls: impl IntoIterator<Item = impl Into<String>>, terminal: TerminalId) -> Self {
        Self {
            urls: urls.into_iter().map(Into::into).collect(),
            terminal,
            token: None,
            protocol: Protocol::V1,
            labels: Labels::new(),
            will: None,
            cursor: None,
            remember: 4096,
            memory: None,
            sdk: concat!("muster-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            source: None,
            acknowledge: true,
            deadline: Duration::from_secs(10),
            max_message: DEFAULT_MAX_MESSAGE,
            policy: Policy::default(),
            seed: rand::random(),
        }
    }
}

/// A bearer token. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The value of the `Authorization` header.
    pub(crate) fn authorization(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidToken)
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why a text is no token; does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token is one word of visible ASCII characters")]
pub struct InvalidToken;

/// Why a terminal could not be started. Names a URL by its place and not by its text, which might hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// There is nowhere to connect to.
    #[error("urls is empty: give at least one, such as ws://127.0.0.1:9000/ws")]
    NoUrl,
    /// One of the URLs can't be connected to.
    #[error("urls[{index}] {problem}")]
    BadUrl {
        /// Which, from 0.
        index: usize,
        /// What is wrong, and what to do.
        problem: &'static str,
    },
    /// The hello would be closed with 1009, at each attempt.
    #[error(
        "labels, will and sdk make a hello of {bytes} bytes; at most {limit}: shorten the will, or raise max_message if the nodes take more"
    )]
    HelloTooLarge {
        /// Its size as a JSON text, with room for a cursor, in bytes.
        bytes: usize,
        /// [`Config::max_message`], or 1 MiB if that is more.
        limit: usize,
    },
    /// The memory file can't be read or written.
    #[error("memory {path}: {problem}")]
    Memory {
        /// The file.
        path: String,
        /// What the system says.
        problem: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_fits_a_header_and_is_never_printed() {
        let mut config = Config::new(["ws://h/ws"], "t1".parse().unwrap());
        config.token = Some("eyJ.secret".parse().unwrap());
        assert!(!format!("{config:?}").contains("secret"));
        for bad in ["", "two words", "line\nbreak", "é"] {
            assert_eq!(bad.parse::<Token>(), Err(InvalidToken), "{bad:?}");
        }
    }
}
