//! What a Centrifugo server sends: a line of JSON is a reply to a command, or a push.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A reply to a command, or a push without an `id`.
#[derive(Deserialize)]
pub(super) struct Reply<'a> {
    pub(super) id: Option<u32>,
    pub(super) error: Option<ReplyError>,
    pub(super) connect: Option<ConnectResult>,
    #[serde(borrow)]
    pub(super) subscribe: Option<SubscribeResult<'a>>,
    #[serde(borrow)]
    pub(super) push: Option<Push<'a>>,
}

#[derive(Deserialize)]
pub(super) struct ReplyError {
    pub(super) code: u32,
    pub(super) message: String,
}

/// Its fields about pings; a server without pings has none.
#[derive(Deserialize)]
pub(super) struct ConnectResult {
    /// Seconds.
    #[serde(default)]
    pub(super) ping: u64,
    #[serde(default)]
    pub(super) pong: bool,
}

#[derive(Deserialize)]
pub(super) struct SubscribeResult<'a> {
    #[serde(default)]
    pub(super) recoverable: bool,
    #[serde(default)]
    pub(super) recovered: bool,
    #[serde(default)]
    pub(super) was_recovering: bool,
    #[serde(default)]
    pub(super) offset: u64,
    #[serde(default)]
    pub(super) epoch: String,
    #[serde(borrow, default)]
    pub(super) publications: Vec<Published<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Push<'a> {
    #[serde(borrow)]
    pub(super) r#pub: Option<Published<'a>>,
    pub(super) disconnect: Option<ReplyEnd>,
    pub(super) unsubscribe: Option<ReplyEnd>,
}

#[derive(Deserialize)]
pub(super) struct Published<'a> {
    #[serde(borrow)]
    pub(super) data: &'a RawValue,
    #[serde(default)]
    pub(super) offset: u64,
}

#[derive(Deserialize)]
pub(super) struct ReplyEnd {
    #[serde(default)]
    pub(super) code: u32,
    #[serde(default)]
    pub(super) reason: String,
}
