//! The ways by which messages reach the server, and which of them the settings ask for.

use std::sync::Arc;

use crate::{
    config::{Config, SendBy, ServerKind},
    plan::Partition,
    play::{ProgramPipe, api::Api, publisher::Publisher, redis_publisher::RedisPublisher},
};

/// How messages are sent to the server.
pub(super) enum SendPath {
    /// By `POST /v1/commands` to Muster's API, or by posting a body with the message to another server's URL.
    Http(Vec<Arc<Api>>),
    /// Over a WebSocket connection of the operator's own.
    Line(Publisher),
    /// By PUBLISH in Redis.
    Redis(RedisPublisher),
}

impl SendPath {
    /// Prepares the way that the settings ask for. Fails if a URL or a file for TLS can't be used.
    pub(super) async fn open(
        config: &Config,
        partition: Partition,
        program: Option<&ProgramPipe>,
    ) -> anyhow::Result<Self> {
        let api = |uri: &hyper::Uri| Api::new(uri, config).map(Arc::new);
        if config.server() == ServerKind::Muster {
            return Ok(Self::Http(config.api.iter().map(api).collect::<Result<_, _>>()?));
        }
        Ok(match (&config.send.send_by, config.posts_to()) {
            (Some(SendBy::Redis(address, channel, _)), _) => {
                Self::Redis(RedisPublisher::new(address.clone(), channel.clone()))
            }
            (_, Some(post)) => Self::Http(vec![api(post)?]),
            (_, None) => Self::Line(Publisher::start(config, partition, program).await?),
        })
    }
}
