//! Checks the seals of leases, seals the proxy's reports, and says which setting is likely wrong when one is foreign.

use muster_protocol::{
    ClusterName,
    api::ProxyView,
    seal::{LeaseKey, SealedLease, SealedReport, seal_keys},
    token::Secret,
};

use crate::membership::LeaseRefusal;

/// The longest lease that is read, in bytes: five times what a node writes.
const LEASE_MAX: usize = 4096;

/// The key that opens the nodes' leases.
pub struct LeaseSeals {
    key: LeaseKey,
    /// The key of nodes with `--insecure`, if the sidecar has a secret.
    insecure: Option<LeaseKey>,
}

impl LeaseSeals {
    /// Returns the key that follows from these secrets; without secrets, the key of all nodes with `--insecure`.
    pub fn of(cluster: &ClusterName, secrets: &[Secret]) -> Self {
        let insecure = (!secrets.is_empty()).then(|| seal_keys(cluster, &[]).0);
        Self { key: seal_keys(cluster, secrets).0, insecure }
    }

    /// Reads the lease of a node in one of these stores.
    pub fn read(&self, stores: &[String], node: &str, lease: &str) -> Result<SealedLease, LeaseRefusal> {
        if lease.len() > LEASE_MAX {
            return Err(LeaseRefusal::NoLease);
        }
        let read = |store: &String| SealedLease::read(&self.key, store, node, lease).ok();
        stores.iter().find_map(read).ok_or(LeaseRefusal::Foreign)
    }

    /// Seals the report of this proxy.
    pub fn seal(&self, report: &ProxyView) -> SealedReport {
        SealedReport::new(&self.key, report)
    }

    /// Returns which setting of the node or of the sidecar is likely wrong.
    pub fn why_foreign(&self, node: &str, lease: &str) -> &'static str {
        let Some(insecure) = &self.insecure else {
            return "its node has a secret and this sidecar has none: give the sidecar the --cluster-secret-file of the nodes, \
                    or their --secret-file if they have no other";
        };
        let store = lease.split_once('\n').and_then(|(_, json)| serde_json::from_str::<SealedLease>(json).ok());
        let store = store.map(|lease| lease.store).unwrap_or_default();
        match SealedLease::read(insecure, &store, node, lease) {
            Ok(_) => {
                "its node runs with --insecure and this sidecar has a secret: start the node with the secret of the cluster, \
                 or the sidecar without --cluster-secret-file and --secret-file"
            }
            Err(_) => {
                "its node has another secret than this sidecar's --cluster-secret-file (or --secret-file), or it was written by \
                 no node: compare the --cluster-secret-file of both, or --secret-file if the nodes have no other"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_long_is_no_lease_and_its_seal_is_not_looked_at() {
        let seals = LeaseSeals::of(&ClusterName::default(), &[]);
        let read = |length| seals.read(&["s1".into()], "n1", &"x".repeat(length)).unwrap_err();
        assert_eq!((read(LEASE_MAX), read(LEASE_MAX + 1)), (LeaseRefusal::Foreign, LeaseRefusal::NoLease));
    }
}
