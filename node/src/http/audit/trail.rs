//! What becomes the audit record of a call. It is written once, whatever becomes of the call: also if its caller does not wait for the
//! answer.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use data_encoding::HEXLOWER;
use hyper::{Request, Response, body::Incoming};
use jiff::Timestamp;
use muster_protocol::{TerminalId, api::AuditRecord};
use ring::digest::{SHA256, digest};

use crate::{
    auth::VerifiedOperator,
    backplane::QueuedRecord,
    http::{
        HttpState, Requester,
        answer::Body,
        proxy_hop::ProxyHop,
        routes::{
            Route,
            id::{PathId, id_in},
        },
    },
};

/// The status of a call whose caller closed the connection before it was answered, as Nginx has it. It may have changed something.
const NO_ANSWER: u16 = 499;
/// The longest body that is recorded, in bytes.
const BODY_MAX: usize = 4096;
/// The longest id of a path that is recorded, in bytes: the longest that a key may have.
const SUBJECT_MAX: usize = 512;

/// The audit record of a call, until the call ends.
pub struct AuditTrail {
    state: Arc<HttpState>,
    record: Mutex<AuditRecord>,
    is_strangers: bool,
    is_change: AtomicBool,
}

impl AuditTrail {
    /// The trail of a call, if it leaves a record.
    pub fn of(
        route: &Route,
        segments: &[&str],
        request: &Request<Incoming>,
        requester: &Requester,
        request_id: &str,
        state: &Arc<HttpState>,
    ) -> Option<Self> {
        if !route.is_audited() {
            return None;
        }
        let mut record = AuditRecord {
            address: ProxyHop::of(request, requester.peer, state).address,
            method: request.method().to_string(),
            status: NO_ANSWER,
            request_id: request_id.to_owned(),
            ..AuditRecord::default()
        };
        describe(route, id_in(segments), &mut record);
        Some(Self {
            state: state.clone(),
            record: Mutex::new(record),
            is_strangers: true,
            is_change: AtomicBool::new(true),
        })
    }

    /// Records who makes the call.
    pub fn set_operator(&mut self, operator: &VerifiedOperator) {
        self.is_strangers = false;
        self.note(|record| {
            record.by = Some(operator.name.clone()).filter(|name| !name.is_empty());
            record.key = operator.key_id().map(str::to_owned);
        });
    }

    /// Says that the call changes nothing: its record is not written.
    pub fn leave_no_record(&self) {
        self.is_change.store(false, Ordering::Relaxed);
    }

    /// Adds to the record.
    pub fn note(&self, note: impl FnOnce(&mut AuditRecord)) {
        note(&mut self.record.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Records the body of the call: its hash, and with `whole` the body itself.
    pub fn note_body(&self, bytes: &[u8], whole: bool) {
        if bytes.is_empty() {
            return;
        }
        let text = Some(bytes).filter(|bytes| whole && bytes.len() <= BODY_MAX);
        self.note(|record| {
            record.body_sha256 = Some(HEXLOWER.encode(digest(&SHA256, bytes).as_ref()));
            record.body = text.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
        });
    }

    /// Ends the trail with the answer.
    pub fn end(self, answer: &Response<Body>) {
        let status = answer.status();
        self.note(|record| {
            record.status = status.as_u16();
            let is_error = status.is_client_error() || status.is_server_error();
            record.error = status.canonical_reason().filter(|_| is_error).map(str::to_owned);
        });
    }
}

impl Drop for AuditTrail {
    fn drop(&mut self) {
        if !self.is_change.load(Ordering::Relaxed) {
            return;
        }
        let mut record = std::mem::take(&mut *self.record.lock().unwrap_or_else(PoisonError::into_inner));
        record.at = Timestamp::now();
        let queued = QueuedRecord { record, is_strangers: self.is_strangers };
        self.state.audit.push(queued, &self.state.shared.metrics);
    }
}

/// Records the route, and the id in the path.
fn describe(route: &Route, id: &str, record: &mut AuditRecord) {
    record.route = route.path.to_owned();
    match route.id {
        Some(PathId::Terminal) => {
            record.terminals = id.parse::<TerminalId>().into_iter().collect();
            record.targets = Some(record.terminals.len() as u64);
        }
        Some(PathId::Command) => record.command = id.parse().ok(),
        Some(PathId::Of(_)) => record.subject = Some(id[..id.floor_char_boundary(SUBJECT_MAX)].to_owned()),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes;

    #[test]
    fn a_route_has_no_id_and_the_record_has_it() {
        let record = |method: &str, path: &str| {
            let segments: Vec<_> = path.split('/').skip(1).collect();
            let routes = routes::of_path(&segments);
            let mut record = AuditRecord::default();
            describe(routes.iter().find(|route| route.method == method).unwrap(), id_in(&segments), &mut record);
            record
        };
        let label = record("PUT", "/v1/terminals/t1/labels");
        assert_eq!((label.route.as_str(), label.targets), ("/v1/terminals/{id}/labels", Some(1)));
        assert_eq!(label.terminals[0].as_str(), "t1");
        let cancel = record("DELETE", "/v1/commands/0198c0de-0000-7000-8000-000000000001");
        assert!(cancel.route == "/v1/commands/{id}" && cancel.command.is_some() && cancel.subject.is_none());
        let rebalance = record("POST", "/v1/nodes/rebalance");
        assert_eq!((rebalance.route.as_str(), rebalance.subject), ("/v1/nodes/rebalance", None));
        let drain = record("POST", "/v1/nodes/n1/drain");
        assert_eq!((drain.route.as_str(), drain.subject.as_deref()), ("/v1/nodes/{id}/drain", Some("n1")));
        let long = record("DELETE", &format!("/v1/keys/{}", "é".repeat(400)));
        assert_eq!(long.subject.unwrap().len(), SUBJECT_MAX);
        let bad = record("DELETE", "/v1/terminals/a b");
        assert_eq!((bad.terminals.len(), bad.targets), (0, Some(0)));
    }
}
