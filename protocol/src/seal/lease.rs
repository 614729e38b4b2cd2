//! Sealed leases: what a node tells about itself under its lease. Only a node or a sidecar of the same cluster can make
//! the seal.

use serde::{Deserialize, Serialize};

use super::{Foreign, LeaseKey};
use crate::api::NodeView;

/// The content of a node's lease in one partition. The seal covers all of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SealedLease {
    /// The id of the store. A lease of another store is foreign.
    pub store: String,
    /// The process that holds the lease: of two processes with one node id, one holds it.
    pub process: String,
    /// The lease's name. It changes each time that the node gets its lease anew after it had lost it. It may be one
    /// renewal behind.
    pub name: String,
    /// The newest schema of the store that the node runs on. The schema is raised only if all nodes run on the new one.
    pub schema: u32,
    /// The node, with the address at which it serves.
    pub view: NodeView,
}

impl SealedLease {
    /// Returns the text that is stored: the seal, a line feed, and the lease as JSON.
    pub fn to_text(&self, key: &LeaseKey) -> String {
        let json = serde_json::to_string(self).expect("a lease has a JSON form");
        format!("{}\n{json}", key.0.seal(&[&json]))
    }

    /// Reads what the node `node` stored as its lease in the store `store`.
    ///
    /// # Errors
    /// [`Foreign`] if another cluster, a node without the secret or anyone else wrote it, or if it is the lease of
    /// another node or store.
    pub fn read(key: &LeaseKey, store: &str, node: &str, text: &str) -> Result<Self, Foreign> {
        let (seal, json) = text.split_once('\n').ok_or(Foreign)?;
        key.0.check(&[json], seal)?;
        let lease: Self = serde_json::from_str(json).map_err(|_| Foreign)?;
        if lease.store == store && lease.view.id.as_str() == node { Ok(lease) } else { Err(Foreign) }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{api::NodeState, id::ClusterName, seal::seal_keys};

    #[test]
    fn a_lease_is_read_only_in_its_own_place_and_as_it_was_written() {
        let view = NodeView {
            id: "n1".parse().unwrap(),
            address: "10.0.0.1:9000".into(),
            state: NodeState::Ready,
            sessions: 1,
            accepts: 2,
            renewed_at: None,
            version: "1".into(),
            started_at: Timestamp::UNIX_EPOCH,
            partitions: None,
            foreign: 0,
            refused: None,
        };
        let lease = SealedLease { store: "s1".into(), process: "p1".into(), name: "l1".into(), schema: 1, view };
        let (key, _) = seal_keys(&ClusterName::default(), &[]);
        let text = lease.to_text(&key);
        assert_eq!(SealedLease::read(&key, "s1", "n1", &text).as_ref(), Ok(&lease));
        let newer = serde_json::to_string(&lease).unwrap().replacen('{', r#"{"zone":{"a":1},"#, 1);
        let newer = format!("{}\n{newer}", key.0.seal(&[&newer]));
        assert_eq!(SealedLease::read(&key, "s1", "n1", &newer).as_ref(), Ok(&lease), "a newer node has a field more");
        for (store, node, text) in [
            ("s2", "n1", text.clone()),
            ("s1", "n2", text.clone()),
            ("s1", "n1", text.replace("10.0.0.1", "10.0.0.2")),
            ("s1", "n1", text[1..].to_owned()),
            ("s1", "n1", serde_json::to_string(&lease).unwrap()),
        ] {
            assert_eq!(SealedLease::read(&key, store, node, &text), Err(Foreign), "{text}");
        }
    }
}
