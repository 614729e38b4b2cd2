//! Counts the leases that are refused.

use std::collections::{BTreeMap, HashSet};

use muster_protocol::seal::SealedLease;

use crate::membership::LeaseRefusal;

/// How many nodes with refused leases are remembered, so that each is logged and counted once. Later ones are neither
/// logged nor counted.
const REMEMBERED: usize = 1000;
/// How many bytes of a node's id are kept: twice the longest id that a node takes.
const ID_MAX: usize = 256;

/// The refused leases so far.
#[derive(Debug)]
pub struct Refusals {
    known: HashSet<(String, LeaseRefusal)>,
    counts: BTreeMap<&'static str, u64>,
}

impl Default for Refusals {
    /// Makes a count for each reason from the start on: Prometheus sees no increase in a counter that begins with 1.
    fn default() -> Self {
        Self { known: HashSet::new(), counts: LeaseRefusal::ALL.map(|reason| (reason.label(), 0)).into() }
    }
}

impl Refusals {
    /// Counts and logs that a node's lease is refused, once for each node and reason. `why` says more about the reason.
    pub fn refuse(&mut self, node: &str, lease: &str, refused: LeaseRefusal, why: Option<&str>) {
        let node = shortened(node);
        if self.known.len() >= REMEMBERED || !self.known.insert((node.clone(), refused)) {
            return;
        }
        *self.counts.entry(refused.label()).or_default() += 1;
        let why = why.map(str::to_owned).unwrap_or_else(|| match refused {
            LeaseRefusal::NoLease => "it is no lease of a node".into(),
            LeaseRefusal::Address(why) => format!("{}: {why}", address_in(lease).unwrap_or_default()),
            LeaseRefusal::Foreign => "it is foreign".into(),
        });
        tracing::warn!(node, ?refused, "a lease is refused: {why}");
    }

    /// Returns how many leases were refused, by reason.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.counts.iter().map(|(reason, count)| (*reason, *count))
    }
}

/// Returns the address that a lease names, which anyone who can write to Redis may have made up.
pub fn address_in(lease: &str) -> Option<String> {
    let (_, json) = lease.split_once('\n')?;
    let lease: SealedLease = serde_json::from_str(json).ok()?;
    Some(shortened(&lease.view.address))
}

/// Returns the id of a node, which anyone who can write to Redis may have made up.
pub fn shortened(node: &str) -> String {
    node[..node.floor_char_boundary(ID_MAX)].to_owned()
}
