//! A server whose protocol flags describe: by default it relays bare messages, each text or binary frame is one, and nothing
//! is confirmed. Muster's plain mode is such a protocol, too.

mod relay;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio_tungstenite::tungstenite::Message;

use self::relay::Relay;
use super::{Adapter, Conversation, Keepalive, Opening, Promise, TerminalIdentity};
use crate::config::{AdapterSettings, RawSettings};

/// The adapter for a protocol that flags describe.
#[derive(Debug)]
pub struct Raw {
    /// Whether the query names the terminal, as Muster needs it.
    names_terminal: bool,
    protocol: Arc<RawSettings>,
}

impl Raw {
    /// The adapter for any server.
    pub fn new(settings: &AdapterSettings) -> Self {
        Self { names_terminal: false, protocol: Arc::new(settings.raw.clone()) }
    }

    /// The adapter for Muster's plain mode.
    pub fn of_muster(settings: &AdapterSettings) -> Self {
        Self { names_terminal: true, ..Self::new(settings) }
    }

    fn keepalive(&self, who: &TerminalIdentity) -> Option<Keepalive> {
        let ping = self.protocol.ping()?;
        let frame = match &ping.message {
            Some(message) => relay::frame(self.protocol.binary, who.fill(message)),
            None => Message::Ping(Default::default()),
        };
        Some(Keepalive { every: ping.every, frame })
    }
}

impl Adapter for Raw {
    fn promise(&self) -> Promise {
        let name = if self.names_terminal { "muster.plain" } else { "raw" };
        Promise::owed(name, "nothing is known: a terminal that is meant to be connected is owed each message once")
    }

    fn open(&self, who: &TerminalIdentity) -> Opening {
        let query = if self.names_terminal { format!("terminal_id={}", who.id) } else { String::new() };
        Opening { query, ..Opening::default() }
    }

    fn converse(&self, who: &TerminalIdentity, _resume: Option<String>) -> Box<dyn Conversation> {
        Box::new(Relay::new(self.protocol.clone(), who, self.keepalive(who)))
    }
}
