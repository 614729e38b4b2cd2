//! Sealed reports: what a sidecar tells of its proxy. Only a program that has the secret of the cluster can make the
//! seal.

use serde::{Deserialize, Serialize};

use super::{Foreign, LeaseKey};
use crate::api::ProxyView;

/// The longest report that is read, in bytes: several times what a sidecar writes.
const REPORT_MAX: usize = 8 << 10;
/// What is sealed with a report, so that it can't be taken for a lease.
const PURPOSE: &str = "report";

/// The report of a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedReport {
    seal: String,
    /// A [`ProxyView`] as JSON. The seal covers all of it.
    report: String,
}

impl SealedReport {
    /// Seals a report.
    pub fn new(key: &LeaseKey, view: &ProxyView) -> Self {
        let report = serde_json::to_string(view).expect("a report has a JSON form");
        Self { seal: key.0.seal(&[PURPOSE, &report]), report }
    }

    /// Opens a report.
    ///
    /// # Errors
    /// [`Foreign`] if it is longer than 8 KiB, or if another cluster or someone without the secret wrote it.
    pub fn open(&self, key: &LeaseKey) -> Result<ProxyView, Foreign> {
        if self.report.len() > REPORT_MAX {
            return Err(Foreign);
        }
        key.0.check(&[PURPOSE, &self.report], &self.seal)?;
        serde_json::from_str(&self.report).map_err(|_| Foreign)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;
    use crate::{id::ClusterName, seal::seal_keys};

    fn view(version: &str) -> ProxyView {
        ProxyView {
            id: "proxy1:443".into(),
            address: ([10, 0, 0, 1], 443).into(),
            version: version.into(),
            started_at: Timestamp::UNIX_EPOCH,
            reported_at: Timestamp::UNIX_EPOCH,
            generation: Some(7),
            generation_wanted: 8,
            nodes: 3,
            differs: Vec::new(),
            lingering_workers: 0,
            connections: None,
            certificate_ends_at: None,
            last_success_at: None,
            refused: BTreeMap::new(),
        }
    }

    #[test]
    fn a_report_is_opened_only_as_it_was_written_and_by_the_same_cluster() {
        let (key, _) = seal_keys(&ClusterName::default(), &[]);
        let (other, _) = seal_keys(&"other".parse().unwrap(), &[]);
        let sealed = SealedReport::new(&key, &view("1"));
        assert_eq!(sealed.open(&key), Ok(view("1")));
        assert_eq!(sealed.open(&other), Err(Foreign));
        let changed = SealedReport { report: sealed.report.replace("\"nodes\":3", "\"nodes\":4"), ..sealed };
        assert_eq!(changed.open(&key), Err(Foreign));
        let long = SealedReport::new(&key, &view(&"1".repeat(REPORT_MAX)));
        assert_eq!(long.open(&key), Err(Foreign));
    }
}
