//! Seals. By a seal, a node or a sidecar knows that a node of its own cluster wrote what it reads in Redis, and not
//! someone else who can write there.
//!
//! ```text
//!   cluster secret ──┬──▶ LeaseKey   nodes and sidecars have it      ──▶ SealedLease, SealedReport
//!                    └──▶ NodeKey    nodes only                      ──▶ SealedCommand
//! ```
//!
//! Both keys are derived from the secret and the name of the cluster, so what one cluster sealed is foreign to another.
//! A program accepts the seals of several secrets and seals with the first, so that one secret can replace another
//! while both are in use.

mod command;
mod lease;
mod report;

use data_encoding::HEXLOWER;
use ring::hmac::{self, HMAC_SHA256};

pub use self::{
    command::{CommandScope, SealedCommand, digest_of_targets},
    lease::SealedLease,
    report::SealedReport,
};
use crate::{id::ClusterName, token::Secret};

/// The secret of every cluster whose nodes run with `--insecure`. Everyone knows it, so it protects from mistakes
/// alone: a node without secrets and a node with secrets are foreign to each other.
const INSECURE: &[u8] = b"muster --insecure";

/// What was read was not sealed by a key of this cluster, or not for the place where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it was not written by a node of this cluster that has the same secret")]
pub struct Foreign;

/// The key that seals leases.
#[derive(Debug, Clone)]
pub struct LeaseKey(SealKeys);

/// The key that seals commands.
#[derive(Debug, Clone)]
pub struct NodeKey(SealKeys);

/// Returns both keys of a cluster, derived from its secrets. Without secrets, these are the keys of all clusters that
/// run with `--insecure`.
pub fn seal_keys(cluster: &ClusterName, secrets: &[Secret]) -> (LeaseKey, NodeKey) {
    let derived = |purpose| SealKeys::derive(cluster, secrets, purpose);
    (LeaseKey(derived("lease")), NodeKey(derived("node")))
}

/// Derived keys, one for each secret. The first key seals, and a seal of any of them is accepted.
#[derive(Debug, Clone)]
struct SealKeys(Vec<hmac::Key>);

impl SealKeys {
    fn derive(cluster: &ClusterName, secrets: &[Secret], purpose: &str) -> Self {
        let derive = |secret: &[u8]| {
            let root = hmac::Key::new(HMAC_SHA256, secret);
            let derived = hmac::sign(&root, format!("muster seal 1\n{purpose}\n{cluster}").as_bytes());
            hmac::Key::new(HMAC_SHA256, derived.as_ref())
        };
        match secrets {
            [] => Self(vec![derive(INSECURE)]),
            secrets => Self(secrets.iter().map(|secret| derive(secret.as_bytes())).collect()),
        }
    }

    /// Returns the seal of these parts, in 64 hexadecimal digits. Only the last part may have line feeds, so no two
    /// lists of parts have the same seal.
    fn seal(&self, parts: &[&str]) -> String {
        HEXLOWER.encode(signed(&self.0[0], parts).as_ref())
    }

    fn check(&self, parts: &[&str], seal: &str) -> Result<(), Foreign> {
        let seal = HEXLOWER.decode(seal.as_bytes()).map_err(|_| Foreign)?;
        let text = parts.join("\n");
        let fits = self.0.iter().any(|key| hmac::verify(key, text.as_bytes(), &seal).is_ok());
        if fits { Ok(()) } else { Err(Foreign) }
    }
}

fn signed(key: &hmac::Key, parts: &[&str]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            context.update(b"\n");
        }
        context.update(part.as_bytes());
    }
    context.sign()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(cluster: &str, secrets: &[&str]) -> SealKeys {
        let secrets: Vec<Secret> = secrets.iter().map(|secret| secret.parse().unwrap()).collect();
        SealKeys::derive(&cluster.parse().unwrap(), &secrets, "lease")
    }

    #[test]
    fn only_the_same_cluster_with_a_common_secret_opens_a_seal() {
        let (old, new) = (format!("old={}", "o".repeat(32)), format!("new={}", "n".repeat(32)));
        let sealed = keys("a", &[&old]).seal(&["x", "y"]);
        let opens = |keys: SealKeys, parts: &[&str]| keys.check(parts, &sealed).is_ok();
        assert!(opens(keys("a", &[&old]), &["x", "y"]) && opens(keys("a", &[&new, &old]), &["x", "y"]));
        assert!(!opens(keys("a", &[&new]), &["x", "y"]) && !opens(keys("b", &[&old]), &["x", "y"]));
        assert!(!opens(keys("a", &[]), &["x", "y"]), "a node with --insecure is foreign to one with secrets");
        assert!(!opens(keys("a", &[&old]), &["x", "z"]));
    }

    #[test]
    fn the_keys_for_two_purposes_differ() {
        let secrets = [format!("k={}", "o".repeat(32)).parse().unwrap()];
        let (lease, node) = seal_keys(&ClusterName::default(), &secrets);
        assert_ne!(lease.0.seal(&["x"]), node.0.seal(&["x"]));
    }
}
