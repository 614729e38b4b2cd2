//! The configuration of a terminal. [`Terminal::start`](crate::Terminal::start) checks it once.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use muster_protocol::{Payload, TerminalId, api::Protocol, frame::DEFAULT_MAX_MESSAGE, selector::Labels};

use crate::{Policy, TlsSource, TokenSource, endpoint::Endpoint, limit::SendLimit, terminal::check_hello};

/// What a terminal is and where it connects to. [`Config::new`] fills in the defaults.
#[derive(Debug, Clone)]
pub struct Config {
    /// URLs such as `wss://HOST:PORT/PATH`, or `ws://` without TLS; at least one. After a failed attempt or a lost
    /// connection the terminal tries the next URL. It adds `terminal_id` to the query.
    pub urls: Vec<String>,
    /// The terminal's id, unique in the fleet. A second session of the same id ends the first.
    pub terminal: TerminalId,
    /// Where the terminal's token comes from: a file, a function, or a fixed text (`"…".parse()?`). Nodes that run with
    /// `--insecure` need none.
    pub token: Option<TokenSource>,
    /// Which servers of `wss://` URLs the terminal trusts, and which certificate it shows them. By default it trusts
    /// what the system trusts, and shows no certificate.
    pub tls: TlsSource,
    /// Frames of `muster.v1`, which is the default, or plain text messages.
    pub protocol: Protocol,
    /// Labels sent in the hello, such as `site=bj`; none by default. Labels in the token replace those of the same key.
    pub labels: Labels,
    /// The terminal's last will: a node publishes it once, as an event, if the terminal is lost without having closed.
    /// None by default.
    pub will: Option<Payload>,
    /// The cursor to resume from, if an earlier run of the program stored one. A cursor in the file `memory` replaces
    /// this one.
    pub cursor: Option<String>,
    /// How many of the last command ids the terminal remembers, so that it does not run a command again which arrives
    /// again; 4096 by default. Must be more than the commands that can be on their way at once. Each id takes 32 bytes.
    pub remember: usize,
    /// A file that keeps the cursor and the remembered ids over a restart of the program. None by default.
    pub memory: Option<PathBuf>,
    /// The program's name and version, sent in the hello; `muster-client/VERSION` by default.
    pub sdk: String,
    /// The local address to connect from. Set it on a host that holds more connections than one address has ports.
    pub source: Option<IpAddr>,
    /// Whether the terminal acknowledges each command when the listener returns; true by default. If false, the program
    /// sends each [`ack`].
    ///
    /// [`ack`]: muster_protocol::frame::Ack
    pub acknowledge: bool,
    /// How long an attempt may take, from resolving the host to the welcome; 10 s by default. The token source may take
    /// as long.
    pub deadline: Duration,
    /// The largest message, in bytes, that this terminal sends before a `welcome` names the node's limit; plain mode
    /// has no welcome. Set it to the nodes' `--max-message`. A terminal sends at most 1 MiB, whatever this says.
    pub max_message: u64,
    /// How long to wait before reconnecting.
    pub policy: Policy,
    /// The seed of the policy's random delays; random by default. Terminals with the same seed reconnect at the same
    /// time.
    pub seed: u64,
}

impl Config {
    /// A terminal of `muster.v1` with the defaults that each field names.
    pub fn new(urls: impl IntoIterator<Item = impl Into<String>>, terminal: TerminalId) -> Self {
        Self {
            urls: urls.into_iter().map(Into::into).collect(),
            terminal,
            token: None,
            tls: TlsSource::default(),
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

impl Config {
    /// Checks what [`Terminal::start`](crate::Terminal::start) checks, without opening the file `memory`.
    ///
    /// # Errors
    /// As `Terminal::start`.
    pub fn check(&self) -> Result<(), ConfigError> {
        Endpoint::all(self)?;
        check_hello(self, &SendLimit::new(self.max_message))
    }
}

/// Why a terminal could not be started. A URL is named by its index, since its text may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// [`Config::urls`] is empty.
    #[error("urls is empty: give at least one, such as ws://127.0.0.1:9000/ws")]
    NoUrl,
    /// One of the URLs can't be used.
    #[error("urls[{index}] {problem}")]
    BadUrl {
        /// The index in [`Config::urls`], from 0.
        index: usize,
        /// What is wrong with the URL, and what to do.
        problem: &'static str,
    },
    /// [`Config::tls`] is set, and none of the URLs asks for TLS.
    #[error(
        "{setting} is for TLS, and no URL begins with wss://: write wss:// instead of ws://, or leave {setting} out"
    )]
    TlsUnused {
        /// The first setting, as the program calls it.
        setting: &'static str,
    },
    /// A file of [`Config::tls`] can't be used.
    #[error("{problem}")]
    Tls {
        /// The setting, the file and what is wrong with it.
        problem: String,
    },
    /// The hello is over the limit: the node would close each attempt with 1009.
    #[error(
        "labels, will and sdk make a hello of {bytes} bytes; at most {limit}: shorten the will, or raise max_message if the nodes take more"
    )]
    HelloTooLarge {
        /// The size of the hello as a JSON text, with room for a cursor, in bytes.
        bytes: usize,
        /// The smaller of [`Config::max_message`] and 1 MiB.
        limit: usize,
    },
    /// The memory file can't be read or written.
    #[error("memory {path}: {problem}")]
    Memory {
        /// The path of the file.
        path: String,
        /// The error of the operating system.
        problem: String,
    },
}
