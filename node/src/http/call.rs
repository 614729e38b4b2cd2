//! A call of the API under way: who makes the call, and its audit record.

use bytes::Bytes;
use hyper::{Response, body::Incoming};
use muster_protocol::{TerminalId, api::AuditRecord};

use super::{HttpState, answer::Body, audit::AuditTrail, request};
use crate::auth::VerifiedOperator;

/// The most terminals in an audit record. Further terminals are left out.
const TERMINALS_MAX: usize = 32;

/// A call of the API.
pub struct ApiCall<'a> {
    /// Who makes the call.
    pub operator: VerifiedOperator,
    /// What becomes the audit record of the call. None if the call changes nothing.
    pub trail: Option<&'a AuditTrail>,
}

impl ApiCall<'_> {
    /// Adds to the audit record of the call, if it leaves one.
    pub fn note(&self, note: impl FnOnce(&mut AuditRecord)) {
        if let Some(trail) = self.trail {
            trail.note(note);
        }
    }

    /// Records that the call changes nothing, so that it leaves no audit record.
    pub fn leave_no_record(&self) {
        if let Some(trail) = self.trail {
            trail.leave_no_record();
        }
    }

    /// Notes the terminals that the call names.
    pub fn note_terminals(&self, terminals: &[TerminalId]) {
        self.note(|record| record.terminals = terminals.iter().take(TERMINALS_MAX).cloned().collect());
    }

    /// Reads the whole body as [`request::body`] does, and notes the body in the audit record.
    pub async fn body(&self, body: Incoming, state: &HttpState) -> Result<Bytes, Response<Body>> {
        let bytes = request::body(body, &state.shared.config).await?;
        if let Some(trail) = self.trail {
            trail.note_body(&bytes, state.shared.config.audit.audit_payloads);
        }
        Ok(bytes)
    }
}
