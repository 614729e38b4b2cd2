//! Enrolments as both backplanes have them.

use muster_protocol::{TerminalId, api::Enrolment};

/// The result of a terminal's attempt to use a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnrolOutcome {
    /// There is no such code, or it was used, or has ended.
    Unknown,
    /// Neither the request nor the enrolment says which terminal it is.
    Nameless,
    /// The code is for another terminal, or another terminal has used it and waits for approval.
    Other,
    /// An operator has to approve.
    Waiting,
    /// The code is used up, by this terminal.
    Taken(Box<Enrolment>, TerminalId),
}

/// A page of enrolments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundEnrolments {
    /// The enrolments.
    pub found: Vec<Enrolment>,
    /// How many enrolments to skip for the next page. None on the last page.
    pub next: Option<u64>,
}
