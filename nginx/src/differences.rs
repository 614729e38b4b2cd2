//! Says what of a proxy is not as it should be, and why, for `differs` in `/state` and `GET /v1/proxies`.

use muster_protocol::api::ProxyDifference;

use crate::state::SidecarState;

/// A reason is cut off after this many bytes.
const WHY_MAX: usize = 300;

impl SidecarState {
    /// Returns what is not as it should be, each with the reason.
    pub fn differences(&self) -> Vec<ProxyDifference> {
        let all = [
            ("nodes", self.nodes_differ()),
            ("generation", self.generation_differs()),
            ("files", self.own_files_error.clone()),
            ("registry", self.registry_differs()),
            ("leases", self.leases_differ()),
            ("settings", self.mismatches.first().map(|first| format!("{}: {}", first.node, first.what.join("; ")))),
            (
                "host",
                self.out_of_files.then(|| "no more files can be opened; raise the limit of open files".to_owned()),
            ),
        ];
        let told = all.into_iter().filter_map(|(what, why)| Some((what, why?)));
        told.map(|(what, why)| ProxyDifference { what: what.to_owned(), why: cut(why) }).collect()
    }

    /// Returns whether Nginx runs what it should, as far as is known.
    pub fn is_applied(&self) -> bool {
        self.nodes_differ().is_none() && self.generation_differs().is_none() && self.own_files_error.is_none()
    }

    fn nodes_differ(&self) -> Option<String> {
        match (&self.failing, self.waits) {
            (Some(failing), _) => Some(format!("a change is tried again ({}): {}", failing.result, failing.error)),
            (None, Some(why)) => Some(format!("a change waits ({why})")),
            (None, None) => None,
        }
    }

    fn generation_differs(&self) -> Option<String> {
        match self.generation_served {
            Some(served) if served == self.generation => None,
            Some(served) => Some(format!("Nginx runs generation {served} and would start with {}", self.generation)),
            None => Some("Nginx does not answer".to_owned()),
        }
    }

    fn leases_differ(&self) -> Option<String> {
        let outside = || {
            let (node, address) = self.outside.first_key_value()?;
            Some(format!(
                "{node} is at {address}, in no network of --allow: add the network here, or give the node another --advertise"
            ))
        };
        self.foreign.as_ref().map(|foreign| foreign.why.clone()).or_else(outside)
    }

    fn registry_differs(&self) -> Option<String> {
        let unfit = self.redis_unfit.clone();
        match () {
            () if self.source_error.is_some() => self.source_error.clone(),
            () if unfit.is_some() => unfit,
            () if self.partitions_away > 0 => Some(format!("{} partitions do not answer", self.partitions_away)),
            () if self.frozen => Some("it was away, flushed or replaced lately; no node leaves now".to_owned()),
            () => None,
        }
    }
}

fn cut(mut why: String) -> String {
    why.truncate(why.floor_char_boundary(WHY_MAX));
    why
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{FailingChange, NodeMismatch};

    fn told(state: &SidecarState) -> Vec<String> {
        state.differences().into_iter().map(|difference| difference.what).collect()
    }

    #[test]
    fn each_difference_is_told_with_its_reason() {
        let well = SidecarState { generation: 7, generation_served: Some(7), ..SidecarState::default() };
        assert!(told(&well).is_empty() && well.is_applied());
        let failing = FailingChange { result: "not_written", error: "x".repeat(1000), ..FailingChange::default() };
        let mismatch = NodeMismatch { node: ([10, 0, 0, 1], 9000).into(), what: vec!["--ws-path".into()] };
        let bad = SidecarState {
            failing: Some(failing),
            generation_served: Some(6),
            own_files_error: Some("own.conf".into()),
            source_error: Some("Redis is away".into()),
            mismatches: vec![mismatch],
            out_of_files: true,
            ..well.clone()
        };
        assert_eq!(told(&bad), ["nodes", "generation", "files", "registry", "settings", "host"]);
        assert!(!bad.is_applied() && bad.differences().iter().all(|difference| difference.why.len() <= WHY_MAX));
        let outside = [("n2".to_owned(), "[2001:db8::9]:9000".to_owned())].into();
        let outside = SidecarState { outside, ..well.clone() }.differences();
        assert!(outside[0].what == "leases" && outside[0].why.contains("[2001:db8::9]:9000"), "{outside:?}");
        let frozen = SidecarState { frozen: true, ..well };
        assert!(told(&frozen) == ["registry"] && frozen.is_applied());
    }
}
