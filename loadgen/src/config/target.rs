//! What is under test, as several flags say it together.

use hyper::Uri;

use super::{AdapterKind, Config, SendBy, ServerKind};

impl Config {
    /// The protocol that terminals speak.
    pub fn adapter_kind(&self) -> AdapterKind {
        match (self.adapter.adapter, self.target) {
            _ if self.adapter.adapter_cmd.is_some() => AdapterKind::Program,
            (Some(kind), _) => kind,
            (None, ServerKind::Muster) if self.fleet.plain => AdapterKind::MusterPlain,
            (None, ServerKind::Muster) => AdapterKind::MusterV1,
            (None, ServerKind::Raw) => AdapterKind::Raw,
        }
    }

    /// The kind of server under test.
    pub fn server(&self) -> ServerKind {
        if self.adapter_kind().is_muster() { ServerKind::Muster } else { ServerKind::Raw }
    }

    /// The URL to which messages of a server that is not Muster are posted.
    pub fn posts_to(&self) -> Option<&Uri> {
        match &self.send.send_by {
            Some(SendBy::Post(uri, _)) => Some(uri),
            _ => self.post.as_ref(),
        }
    }
}
