//! The enrolments that are stored.

use jiff::Timestamp;
use muster_protocol::api::Enrolment;

/// The enrolments that are stored, those first that end first.
#[derive(Debug, Default)]
pub(super) struct StoredEnrolments(pub(super) Vec<Enrolment>);

impl StoredEnrolments {
    /// The place of an enrolment that has not ended.
    pub(super) fn place(&mut self, id: &str, now: Timestamp) -> Option<usize> {
        self.0.retain(|enrolment| enrolment.expires_at > now);
        self.0.iter().position(|enrolment| enrolment.id == id)
    }
}
