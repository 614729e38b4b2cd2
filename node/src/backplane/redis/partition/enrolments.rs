//! The enrolments that a partition holds for all of them (enrol.lua and those whose names begin with it,
//! enrolments.lua).

use jiff::Timestamp;
use muster_protocol::{
    TerminalId,
    api::{Enrolment, EnrolmentState},
};
use redis::RedisResult;

use super::StorePartition;
use crate::backplane::{
    BackplaneError, EnrolOutcome, FoundEnrolments,
    redis::refusal::{broken, unavailable, unsure},
    rules::ENROLMENTS_MAX,
};

const OPEN: &str = "open";
const WAITING: &str = "waiting";
const APPROVED: &str = "approved";

impl StorePartition {
    /// Stores an enrolment in the state that it has, from `now` on.
    ///
    /// # Errors
    /// [`BackplaneError::TooManyEnrolments`], and those of a call that changes something.
    pub async fn add_enrolment(&self, enrolment: &Enrolment, now: Timestamp) -> Result<(), BackplaneError> {
        let json = serde_json::to_string(enrolment).expect("an enrolment has a JSON form");
        let lives_ms = enrolment.expires_at.as_millisecond().saturating_sub(now.as_millisecond()).max(1);
        let mut call = self.scripts.enrol_add(&self.keys);
        call.arg(&enrolment.id).arg(json).arg(name_of(enrolment.state));
        call.arg(enrolment.terminal.as_ref().map_or("", TerminalId::as_str)).arg(u8::from(enrolment.approve));
        call.arg(lives_ms).arg(ENROLMENTS_MAX).arg(enrolment.address.as_deref().unwrap_or_default());
        let stored: RedisResult<bool> = call.invoke_async(&mut self.connection.clone()).await;
        if stored.map_err(unsure)? { Ok(()) } else { Err(BackplaneError::TooManyEnrolments(ENROLMENTS_MAX)) }
    }

    /// Has a terminal use a code.
    ///
    /// # Errors
    /// Those of a call that changes something.
    pub async fn enrol(
        &self,
        id: &str,
        terminal: Option<&TerminalId>,
        address: &str,
    ) -> Result<EnrolOutcome, BackplaneError> {
        let mut call = self.scripts.enrol(&self.keys);
        call.arg(id).arg(terminal.map_or("", TerminalId::as_str)).arg(address).arg(OPEN).arg(WAITING);
        let answer: RedisResult<Vec<String>> = call.invoke_async(&mut self.connection.clone()).await;
        let answer = answer.map_err(unsure)?;
        match answer.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["unknown"] => Ok(EnrolOutcome::Unknown),
            ["nameless"] => Ok(EnrolOutcome::Nameless),
            ["other"] => Ok(EnrolOutcome::Other),
            ["waiting"] => Ok(EnrolOutcome::Waiting),
            ["taken", json, terminal] => {
                let terminal = terminal.parse().map_err(broken)?;
                Ok(EnrolOutcome::Taken(serde_json::from_str(json).map_err(broken)?, terminal))
            }
            _ => Err(broken("enrol.lua")),
        }
    }

    /// Approves the terminal that has used a code. Returns the state that the enrolment had; none if there is none.
    ///
    /// # Errors
    /// Those of a call that changes something.
    pub async fn approve_enrolment(&self, id: &str) -> Result<Option<EnrolmentState>, BackplaneError> {
        let mut call = self.scripts.enrol_approve(&self.keys);
        call.arg(id).arg(WAITING).arg(APPROVED);
        let state: RedisResult<String> = call.invoke_async(&mut self.connection.clone()).await;
        Ok(state_of(&state.map_err(unsure)?))
    }

    /// Removes an enrolment. False if there is none.
    ///
    /// # Errors
    /// Those of a call that changes something.
    pub async fn remove_enrolment(&self, id: &str) -> Result<bool, BackplaneError> {
        let mut call = self.scripts.enrol_remove(&self.keys);
        call.arg(id).invoke_async(&mut self.connection.clone()).await.map_err(unsure)
    }

    /// Returns a page of enrolments. One that can't be read is left out.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn enrolments(&self, after: u64, limit: u64) -> Result<FoundEnrolments, BackplaneError> {
        let mut call = self.scripts.enrolments(&self.keys);
        let answer: RedisResult<(u64, Vec<Vec<String>>)> =
            call.arg(after).arg(limit).invoke_async(&mut self.connection.clone()).await;
        let (looked_at, all) = answer.map_err(unavailable)?;
        let read = |stored: Vec<String>| {
            let [json, state, terminal, address] = &stored[..] else { return None };
            let enrolment: Enrolment = serde_json::from_str(json).ok()?;
            let address = Some(address.clone()).filter(|address| !address.is_empty());
            Some(Enrolment { state: state_of(state)?, terminal: terminal.parse().ok(), address, ..enrolment })
        };
        let found = all.into_iter().filter_map(read).collect();
        Ok(FoundEnrolments { found, next: (looked_at == limit).then_some(after + limit) })
    }
}

fn name_of(state: EnrolmentState) -> &'static str {
    match state {
        EnrolmentState::Open => OPEN,
        EnrolmentState::Waiting => WAITING,
        EnrolmentState::Approved => APPROVED,
    }
}

fn state_of(name: &str) -> Option<EnrolmentState> {
    match name {
        OPEN => Some(EnrolmentState::Open),
        WAITING => Some(EnrolmentState::Waiting),
        APPROVED => Some(EnrolmentState::Approved),
        _ => None,
    }
}
