//! The proxy's report to the nodes, which show it at `GET /v1/proxies`.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use muster_protocol::api::ProxyView;

use crate::{config::Config, state::SidecarState};

/// How often the proxy reports. Nodes forget a proxy that has not reported for five times this.
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// Makes the reports, and decides when one is due.
#[derive(Debug)]
pub struct ProxyReporter {
    id: String,
    address: SocketAddr,
    started_at: Timestamp,
    due: Instant,
}

impl ProxyReporter {
    /// Makes a reporter for the proxy that listens at this address. The first report is due at once.
    pub fn new(config: &Config, address: SocketAddr, now: Instant) -> Self {
        let id = format!("{}:{}", config.edge.as_deref().unwrap_or_default(), address.port());
        Self { id, address, started_at: Timestamp::now(), due: now }
    }

    /// Returns whether a report is due. The next one then is 2 s later.
    pub fn is_due(&mut self, now: Instant) -> bool {
        let is_due = now >= self.due;
        if is_due {
            self.due = now + REPORT_EVERY;
        }
        is_due
    }

    /// Returns the report of a state.
    pub fn report(&self, state: SidecarState) -> ProxyView {
        ProxyView {
            id: self.id.clone(),
            address: self.address,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: self.started_at,
            reported_at: Timestamp::now(),
            generation: state.generation_served,
            generation_wanted: state.generation_wanted,
            nodes: state.served.len() as u64,
            differs: state.differs,
            lingering_workers: state.lingering.len() as u64,
            connections: state.connections,
            certificate_ends_at: state.certificate_ends_at,
            last_success_at: state.last_success_at,
            refused: state.refused.into_iter().map(|(cause, count)| (cause.to_owned(), count)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_due_at_once_and_then_every_two_seconds() {
        let (config, now) = (crate::config::tests::config(&["--edge", "proxy1"]), Instant::now());
        let mut reporter = ProxyReporter::new(&config, ([10, 0, 0, 1], 443).into(), now);
        let due = [0, 1999, 2000, 3000, 4001].map(|ms| reporter.is_due(now + Duration::from_millis(ms)));
        assert_eq!(due, [true, false, true, false, true]);
        let state = SidecarState { served: vec![([10, 0, 0, 2], 9000).into()], ..SidecarState::default() };
        let view = reporter.report(state);
        assert_eq!((view.id.as_str(), view.nodes, view.generation), ("proxy1:443", 1, None));
    }
}
