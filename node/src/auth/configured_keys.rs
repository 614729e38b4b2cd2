//! The keys that flags and their files have. The files are read when the node starts, and again when it is asked to.

use std::{
    fs,
    sync::{Arc, PoisonError},
};

use anyhow::{Context, bail};
use muster_protocol::token::Secret;

use super::{
    Auth, AuthError,
    keys::{Key, KeySet},
    public_key::PublicKey,
};
use crate::config::Keys;

/// The keys of `--secret`, `--secret-file` and `--public-key`.
pub(super) struct ConfiguredKeys {
    /// All of them, which verify tokens.
    pub(super) keys: KeySet,
    /// The first secret, which signs what this node makes.
    signing: Option<Secret>,
}

impl ConfiguredKeys {
    /// Takes the secrets, which are read already, and reads the public keys. Fails if one can't be read, or if two have one name.
    pub(super) fn read(flags: &Keys) -> anyhow::Result<Self> {
        let mut keys = KeySet::default();
        for secret in &flags.secret {
            if !keys.add(Some(&secret.kid), Key::Secret(secret.clone())) {
                bail!(
                    "--secret, --secret-file: two secrets are called {kid}, by which tokens name theirs; give a new one a name \
                     of its own (muster-node secret --kid NAME)",
                    kid = secret.kid
                );
            }
        }
        for (kid, path) in &flags.public_key {
            let pem = fs::read_to_string(path)
                .with_context(|| format!("--public-key {kid}: can't read {}", path.display()))?;
            let key = PublicKey::from_pem(&pem)
                .with_context(|| format!("--public-key {kid}: {} is no Ed25519 public key in PEM", path.display()))?;
            if !keys.add(Some(kid), Key::Public(key)) {
                bail!("--public-key {kid}: another key has the same name");
            }
        }
        Ok(Self { keys, signing: flags.secret.first().cloned() })
    }
}

impl Auth {
    /// Uses these keys from now on in the place of those that flags and files had. Fails as [`Auth::new`] does, and the keys of before stay.
    /// What was let in by a key that is not among them goes on until it expires.
    pub fn replace_keys(&self, flags: &Keys) -> anyhow::Result<()> {
        let keys = Arc::new(ConfiguredKeys::read(flags)?);
        *self.configured.write().unwrap_or_else(PoisonError::into_inner) = keys;
        self.verified.forget_all();
        Ok(())
    }

    pub(super) fn configured(&self) -> Arc<ConfiguredKeys> {
        self.configured.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The secret that signs what this node makes.
    pub(super) fn signing(&self) -> Result<Secret, AuthError> {
        self.configured().signing.clone().ok_or(AuthError::NoSecret)
    }

    /// The secret with this name.
    pub(super) fn secret(&self, kid: &str) -> Option<Secret> {
        match self.configured().keys.named(kid)? {
            (_, Key::Secret(secret)) => Some(secret.clone()),
            (_, Key::Public(_)) => None,
        }
    }
}
