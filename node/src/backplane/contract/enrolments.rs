//! What a backplane does for enrolments.

use async_trait::async_trait;
use muster_protocol::{
    TerminalId,
    api::{Enrolment, EnrolmentState},
};

use crate::backplane::{BackplaneError, EnrolOutcome, FoundEnrolments};

/// Codes that are traded for a terminal's first token. The store has no code, only an id that follows from it.
#[async_trait]
pub trait EnrolmentStore: Send + Sync {
    /// Stores an enrolment until it ends.
    ///
    /// # Errors
    /// [`TooManyEnrolments`](BackplaneError::TooManyEnrolments) if as many are stored as may be.
    async fn add_enrolment(&self, enrolment: &Enrolment) -> Result<(), BackplaneError>;

    /// A terminal uses a code, from this address. In one step an enrolment that is taken is removed: whoever asks at the same time, at
    /// whichever node, finds none.
    async fn enrol(
        &self,
        id: &str,
        terminal: Option<&TerminalId>,
        address: &str,
    ) -> Result<EnrolOutcome, BackplaneError>;

    /// An operator approves the terminal that has used a code. Returns the state that the enrolment had, or `None` if there is none;
    /// only one that waits is approved.
    async fn approve_enrolment(&self, id: &str) -> Result<Option<EnrolmentState>, BackplaneError>;

    /// Removes an enrolment. False if there is none.
    async fn remove_enrolment(&self, id: &str) -> Result<bool, BackplaneError>;

    /// At most `limit` enrolments behind the first `after`, those first that end first. While some end or are removed, a page may miss
    /// as many.
    async fn enrolments(&self, after: u64, limit: u64) -> Result<FoundEnrolments, BackplaneError>;
}
