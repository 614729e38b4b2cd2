//! How Redis is reached, for a node and for what works on the store of a cluster.

use std::path::PathBuf;

use clap::Args;
use muster_redis::{TLS_FLAGS, TlsFiles, Topology, url::with_password_file};

/// Where Redis is, and what is shown to it.
#[derive(Debug, Clone, Default, Args)]
pub struct RedisFlags {
    /// The Redis that joins this node to the others: redis://HOST:PORT, redis+sentinel://HOST:PORT,HOST:PORT/NAME or
    /// redis+cluster://HOST:PORT,HOST:PORT; with rediss instead of redis by TLS. Without it the node is alone and needs
    /// nothing else
    #[arg(id = "redis", long = "redis", env = "MUSTER_REDIS", value_name = "URL", hide_env_values = true)]
    pub url: Option<String>,

    /// A file with the password for --redis, so that the password is in no list of processes
    #[arg(
        id = "redis_password_file",
        long = "redis-password-file",
        env = "MUSTER_REDIS_PASSWORD_FILE",
        value_name = "FILE",
        requires = "redis"
    )]
    pub password_file: Option<PathBuf>,

    /// The certificate (PEM) of the CA that signed the certificate of Redis, for a URL that begins with rediss. Default:
    /// the CAs that the system trusts
    #[arg(id = "redis_ca", long = "redis-ca", env = "MUSTER_REDIS_CA", value_name = "FILE", requires = "redis")]
    pub ca: Option<PathBuf>,

    /// The certificate (PEM, with its chain) that this node shows to Redis, if Redis requires one
    #[arg(
        id = "redis_cert",
        long = "redis-cert",
        env = "MUSTER_REDIS_CERT",
        value_name = "FILE",
        requires = "redis_key"
    )]
    pub cert: Option<PathBuf>,

    /// The key of --redis-cert (PEM, not encrypted)
    #[arg(
        id = "redis_key",
        long = "redis-key",
        env = "MUSTER_REDIS_KEY",
        value_name = "FILE",
        requires = "redis_cert"
    )]
    pub key: Option<PathBuf>,
}

impl RedisFlags {
    /// Reads the file that `--redis-password-file` names. The password is in the URL then.
    ///
    /// # Errors
    /// If the file can't be read, or the URL has a password already. The text names the flag.
    pub fn load_files(mut self) -> anyhow::Result<Self> {
        if let (Some(url), Some(file)) = (&self.url, self.password_file.take()) {
            self.url = Some(with_password_file(url, &file)?);
        }
        Ok(self)
    }

    /// Where the masters of the Redis at `url` are looked for.
    ///
    /// # Errors
    /// If the URL or a file is wrong. The text names the flag.
    pub fn topology(&self, url: &str) -> anyhow::Result<Topology> {
        let Self { ca, cert, key, .. } = self.clone();
        Ok(Topology::new(url, &TlsFiles { flags: TLS_FLAGS, ca, cert, key, insecure: false })?)
    }
}
