//! What is wrong with flags that do not go together, or are too small to run with.

use super::{Config, browsers, plain_mode};

/// What a frame has beside the payload of its command, in bytes at most: the name (which has its own bound), the id, the cursor and times.
const FRAME_ROOM: usize = 2 * 1024;

/// Why a configuration is invalid.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConfig {
    /// There is no secret, no public key and no JWK set, and `--insecure` is not set.
    #[error(
        "no secrets: give --secret (or MUSTER_SECRET) as `muster-node secret` prints it, or --secret-file, or --insecure to let anyone in"
    )]
    NoSecrets,
    /// The node shares a store, and there are public keys alone.
    #[error(
        "no secret of the cluster, by which nodes seal what they tell each other: give --cluster-secret-file with what `muster-node secret` prints, the same for all nodes and sidecars, since --public-key and --jwks only check tokens"
    )]
    NoSealingSecret,
    /// `--insecure` is set with a secret of the cluster.
    #[error(
        "--insecure and --cluster-secret-file: a node that lets everyone in is no part of a cluster with a secret; leave one of them out"
    )]
    InsecureInCluster,
    /// `--ws-path` is not a path.
    #[error("--ws-path must begin with / and have no ?, not {0:?}")]
    WsPath(String),
    /// `--redis-replicas` is set without `--redis`.
    #[error("--redis-replicas asks for replicas of a Redis, and there is none: give --redis URL")]
    NoRedis,
    /// `--plain-protocols` has too many names.
    #[error("--plain-protocols takes {max} names at most", max = plain_mode::NAMES_MAX)]
    PlainProtocols,
    /// `--allow-origin` has too many origins.
    #[error("--allow-origin takes {max} origins at most", max = browsers::ORIGINS_MAX)]
    Origins,
    /// The frame of a command at the limit of one flag does not fit into the queue of another.
    #[error(
        "--max-body {body} is too much for --queue {queue}: a command of that size would never get into the queue of its terminal; give --queue {least} or more, or a --max-body of at most {most}"
    )]
    QueueBelowBody {
        /// `--max-body`.
        body: usize,
        /// `--queue`.
        queue: usize,
        /// The least queue for this body.
        least: usize,
        /// The largest body for this queue.
        most: usize,
    },
    /// A number is too small to run with.
    #[error("{0} must be at least {1}")]
    TooSmall(&'static str, usize),
}

impl Config {
    /// Checks what concerns more than one flag.
    pub fn validate(&self) -> Result<(), InvalidConfig> {
        if !self.insecure
            && self.keys.secret.is_empty()
            && self.keys.public_key.is_empty()
            && self.issuers.jwks.is_none()
        {
            return Err(InvalidConfig::NoSecrets);
        }
        if self.redis.url.is_some() && !self.insecure && self.sealing_secrets().is_empty() {
            return Err(InvalidConfig::NoSealingSecret);
        }
        if self.insecure && self.cluster_secret_file.is_some() {
            return Err(InvalidConfig::InsecureInCluster);
        }
        if self.redis_replicas > 0 && self.redis.url.is_none() {
            return Err(InvalidConfig::NoRedis);
        }
        if !self.ws_path.starts_with('/') || self.ws_path.contains('?') {
            return Err(InvalidConfig::WsPath(self.ws_path.clone()));
        }
        if self.plain_mode.plain_protocols.len() > plain_mode::NAMES_MAX {
            return Err(InvalidConfig::PlainProtocols);
        }
        if self.browsers.allow_origin.len() > browsers::ORIGINS_MAX {
            return Err(InvalidConfig::Origins);
        }
        // A queue that can't hold one joined write would close healthy sessions.
        let floors = [
            ("--queue", self.queue, 128 * 1024),
            ("--max-message", self.max_message, 128),
            ("--handshakes", self.handshakes as usize, 1),
            ("--handshakes-per-terminal", self.handshakes_per_terminal as usize, 1),
            ("--refusals-per-address", self.refusals_per_address as usize, 1),
            ("--max-http-connections", self.max_http_connections, 16),
            ("--shards", self.shards.unwrap_or(1), 1),
            ("--max-rate", self.max_rate as usize, 1),
            ("--log", self.bounds.log as usize, 2),
            ("--backlog", self.bounds.backlog as usize, 1),
            ("--ping (in seconds)", self.ping.as_secs() as usize, 1),
        ];
        match floors.into_iter().find(|(_, value, floor)| value < floor) {
            Some((flag, _, floor)) => Err(InvalidConfig::TooSmall(flag, floor)),
            None => self.check_sizes(),
        }
    }

    /// Checks the limits that a command passes on its way: the body that brings it, the store, and the queue of its terminal.
    fn check_sizes(&self) -> Result<(), InvalidConfig> {
        let (body, queue) = (self.max_body, self.queue);
        if body.saturating_add(FRAME_ROOM) > queue {
            let (least, most) = (body.saturating_add(FRAME_ROOM), queue - FRAME_ROOM);
            return Err(InvalidConfig::QueueBelowBody { body, queue, least, most });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        config: Config,
    }

    #[test]
    fn a_command_that_a_body_may_bring_fits_into_the_queue_of_its_terminal() {
        let told = |flags: &str| {
            let flags = format!("node --insecure {flags}");
            Flags::parse_from(flags.split_whitespace()).config.validate().map_err(|error| error.to_string())
        };
        let error = told("--max-body 4194304").unwrap_err();
        for part in ["--max-body 4194304", "--queue 524288", "--queue 4196352 or more", "at most 522240"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert_eq!(told("--max-body 4194304 --queue 4196352"), Ok(()));
        assert!(told("--max-body 4194304 --queue 4196351").is_err());
        assert!(told("--queue 131072").unwrap_err().contains("--max-body 262144"));
    }

    #[test]
    fn a_node_with_redis_needs_a_secret_to_seal_with() {
        let told = |keys: &str| {
            let flags = format!("node --redis redis://h --partitions 5 {keys}");
            Flags::parse_from(flags.split_whitespace()).config.validate().map_err(|error| error.to_string())
        };
        let error = told("--public-key k1=issuer.pem").unwrap_err();
        assert!(error.contains("give --cluster-secret-file"), "{error}");
        let secret = format!("--secret k1={}", "s".repeat(32));
        assert_eq!((told("--insecure"), told(&secret)), (Ok(()), Ok(())));
        let error = told("--insecure --cluster-secret-file f").unwrap_err();
        assert!(error.contains("leave one of them out"), "{error}");
    }
}
