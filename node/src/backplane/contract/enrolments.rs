//! What a backplane does for enrolments.

use async_trait::async_trait;
use muster_protocol::{
    TerminalId,
    api::{Enrolment, EnrolmentState},
};

use crate::backplane::{BackplaneError, EnrolOutcome, FoundEnrolments};

/// Enrolments: codes that terminals trade for their first tokens. The store does not have the code, only an id that is
/// derived from it.
#[async_trait]
pub trait EnrolmentStore: Send + Sync {
    /// Stores an enrolment until it ends.
    ///
    /// # Errors
    /// [`TooManyEnrolments`](BackplaneError::TooManyEnrolments) if the store is full.
    async fn add_enrolment(&self, enrolment: &Enrolment) -> Result<(), BackplaneError>;

    /// Has a terminal at this address use a code. Taking an enrolment and removing it is one step, so of several
    /// terminals that use a code at the same time, at any nodes, only one gets it.
    async fn enrol(
        &self,
        id: &str,
        terminal: Option<&TerminalId>,
        address: &str,
    ) -> Result<EnrolOutcome, BackplaneError>;

    /// Approves the terminal that has used a code, if the enrolment waits for that. Returns the state that the
    /// enrolment had; `None` if there is no such enrolment.
    async fn approve_enrolment(&self, id: &str) -> Result<Option<EnrolmentState>, BackplaneError>;

    /// Removes an enrolment. False if there is none.
    async fn remove_enrolment(&self, id: &str) -> Result<bool, BackplaneError>;

    /// Skips `after` enrolments and returns at most `limit`, the enrolments that end first at the front. If some end or
    /// are removed between two pages, the second page may miss as many.
    async fn enrolments(&self, after: u64, limit: u64) -> Result<FoundEnrolments, BackplaneError>;
}
