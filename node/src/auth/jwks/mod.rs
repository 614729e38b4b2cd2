//! The public keys of an issuer, read from where it publishes them, again and again.
//!
//! A set that can't be read, or has no key that can be used, changes nothing: the node goes on with the keys of the last good set.

mod jwk;
mod server;
mod source;

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use ring::digest::{SHA256, digest};
use tokio::{
    sync::Notify,
    time::{self, Instant},
};

#[cfg(any(test, fuzzing))]
pub(super) use self::jwk::{KEYS_MAX, read};
use self::source::JwksSource;
use super::{keys::KeySet, verified_tokens::VerifiedTokens};
use crate::{config::Issuers, metrics::Metrics};

/// How long one attempt may take.
const FETCH_TIME: Duration = Duration::from_secs(10);
/// The interval at which a server is asked. An issuer that replaces a key publishes the new one longer before it signs with it.
const SERVER_INTERVAL: Duration = Duration::from_secs(300);
/// The interval at which a file is read.
const FILE_INTERVAL: Duration = Duration::from_secs(5);
/// The least time between two fetches because of a `kid` that no key has: anyone can send one.
const UNKNOWN_INTERVAL: Duration = Duration::from_secs(10);
/// The pause after the first failure. It doubles with each further one.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
/// The longest pause after a failure.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// The keys of `--jwks`.
pub(super) struct Jwks {
    /// The flag's value, for the log.
    name: String,
    source: JwksSource,
    keys: RwLock<Arc<KeySet>>,
    /// The SHA-256 of the text of the last good set.
    text_hash: Mutex<Vec<u8>>,
    /// What tokens say that keys have verified. All of it is forgotten with the set that they were in.
    verified: Arc<VerifiedTokens>,
    /// Notified when a token names a key that is not there.
    unknown: Notify,
}

impl Jwks {
    /// The keys of the source that the flags name, of which none is read yet. None without `--jwks`.
    ///
    /// # Errors
    /// If the flags can't be used.
    pub(super) fn of(flags: &Issuers, verified: Arc<VerifiedTokens>) -> anyhow::Result<Option<Self>> {
        let source = JwksSource::of(flags)?;
        Ok(source.map(|source| Self {
            name: flags.jwks.clone().unwrap_or_default(),
            source,
            keys: RwLock::default(),
            text_hash: Mutex::default(),
            verified,
            unknown: Notify::new(),
        }))
    }

    /// The keys of the last good set.
    pub(super) fn keys(&self) -> Arc<KeySet> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has the set read soon, since a token names a key that is not there.
    pub(super) fn miss(&self) {
        self.unknown.notify_one();
    }

    /// Reads the set. Returns whether that was possible; if not, the keys stay as they are.
    pub(super) async fn refresh(&self, metrics: &Metrics) -> bool {
        let outcome = self.read().await;
        let (label, good) = match outcome {
            Ok((keys, text_hash)) => {
                let (names, before) = (keys.names(), self.keys().names());
                if names != before {
                    tracing::info!(jwks = %self.name, keys = %names.join(", "), "keys of another issuer");
                }
                metrics.jwks_keys.set(keys.len() as i64);
                self.replace(keys, text_hash);
                ("ok", true)
            }
            Err(error) => {
                let kept = self.keys().len();
                tracing::warn!(jwks = %self.name, error = format!("{error:#}"), kept, "--jwks: the keys can't be read; those read before stay");
                ("failed", false)
            }
        };
        metrics.jwks_fetches.with_label_values(&[label]).inc();
        good
    }

    /// Uses these keys from now on. What keys of another set have verified is forgotten.
    fn replace(&self, keys: KeySet, text_hash: Vec<u8>) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        let mut last = self.text_hash.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != text_hash {
            *last = text_hash;
            self.verified.forget_all();
        }
    }

    /// Reads the set: its keys, and the hash of its text.
    async fn read(&self) -> anyhow::Result<(KeySet, Vec<u8>)> {
        let text = self.source.read(Instant::now() + FETCH_TIME).await?;
        Ok((jwk::read(&text)?, digest(&SHA256, &text).as_ref().to_vec()))
    }

    /// Reads the set again and again, for ever. Begins with a pause: [`refresh`](Self::refresh) was called before, and returned `good`.
    pub(super) async fn follow(&self, mut good: bool, metrics: &Metrics) {
        let (mut backoff, mut missed) = (BACKOFF_MIN, None);
        loop {
            if good {
                backoff = BACKOFF_MIN;
                let interval = if self.source.is_file() { FILE_INTERVAL } else { SERVER_INTERVAL };
                let unknown = async {
                    if let Some(missed) = missed {
                        time::sleep_until(missed + UNKNOWN_INTERVAL).await;
                    }
                    self.unknown.notified().await;
                };
                tokio::select! {
                    () = time::sleep(interval) => {}
                    () = unknown => missed = Some(Instant::now()),
                }
            } else {
                // Nodes that failed together do not ask together.
                time::sleep(backoff.mul_f64(0.75 + rand::random::<f64>() / 2.0)).await;
                backoff = (backoff * 2).min(BACKOFF_MAX);
            }
            good = self.refresh(metrics).await;
        }
    }
}
