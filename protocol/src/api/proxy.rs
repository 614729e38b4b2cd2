//! What a node tells a proxy of itself, and what a proxy tells the nodes.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a proxy must know of a node and must itself do alike: the answer to `GET /proxy`. The sidecar of a proxy asks every
/// node for it and compares it with its own settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
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

/// The answer to `GET /v1/proxies`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct ProxyList {
    /// The proxies that have reported within the last 10 s, in ascending order of their ids.
    pub proxies: Vec<ProxyView>,
}

/// A proxy, as its sidecar reports it every 2 s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct ProxyView {
    /// `EDGE:PORT`: the name of the proxy (`--edge`) and the port of its address.
    pub id: String,
    /// Where Nginx listens for terminals and operators.
    pub address: SocketAddr,
    /// The version of the sidecar.
    pub version: String,
    /// When the sidecar started, by its clock.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub started_at: Timestamp,
    /// When this report was made, by the sidecar's clock.
    #[cfg_attr(feature = "json-schema", schemars(with = "crate::json_schema::Time"))]
    pub reported_at: Timestamp,
    /// The generation of the configuration that Nginx runs, by its own word. Null if it does not answer.
    pub generation: Option<u64>,
    /// The generation that Nginx should run: a newer one than it runs while a change waits or fails.
    pub generation_wanted: u64,
    /// The number of nodes in Nginx's configuration.
    pub nodes: u64,
    /// What is not as it should be; empty if all is well.
    pub differs: Vec<ProxyDifference>,
    /// The number of old workers that still have sessions.
    pub lingering_workers: u64,
    /// The connections of the workers that take new ones. Null if the sidecar can't see them.
    pub connections: Option<ConnectionUse>,
    /// Until when the certificate is valid with which Nginx serves. Null without TLS.
    #[cfg_attr(feature = "json-schema", schemars(with = "Option<crate::json_schema::Time>"))]
    pub certificate_ends_at: Option<Timestamp>,
    /// When Nginx last ran what it should, by the sidecar's clock. Null if it never has since the sidecar's start.
    #[cfg_attr(feature = "json-schema", schemars(with = "Option<crate::json_schema::Time>"))]
    pub last_success_at: Option<Timestamp>,
    /// What was refused since the sidecar's start, by cause.
    pub refused: BTreeMap<String, u64>,
}

/// Something of a proxy that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct ProxyDifference {
    /// What it is: nodes, generation, files, registry, leases, settings or host.
    pub what: String,
    /// Why, and what to do; cut off after 300 bytes.
    pub why: String,
}

/// The connections that there are, and how many there can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct ConnectionUse {
    /// The open ones. A session uses two.
    pub used: u64,
    /// Nginx refuses more than these.
    pub limit: u64,
}
