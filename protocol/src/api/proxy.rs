//! What a node tells a proxy of itself.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// What a proxy must know of a node and must itself do alike: the answer to `GET /proxy`. The sidecar of a proxy asks every
/// node for it and compares it with its own settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyTerms {
    /// Whether the node trusts who asks as a proxy (`--trusted-proxy`).
    pub trusted: bool,
    /// The address of who asks, as the node sees it.
    pub address: IpAddr,
    /// The path of the WebSocket (`--ws-path`).
    pub ws_path: String,
    /// The largest body of a request, in bytes (`--max-body`).
    pub max_body: u64,
    /// The interval at which each session is pinged, in milliseconds (`--ping`).
    pub ping_ms: u64,
}
