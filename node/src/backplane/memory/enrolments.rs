//! Enrolments of a node alone. They end with the process, as everything does that it stores.

use async_trait::async_trait;
use muster_protocol::{
    TerminalId,
    api::{Enrolment, EnrolmentState},
};

use super::MemoryBackplane;
use crate::backplane::{BackplaneError, EnrolOutcome, EnrolmentStore, FoundEnrolments, rules::ENROLMENTS_MAX};

#[async_trait]
impl EnrolmentStore for MemoryBackplane {
    async fn add_enrolment(&self, enrolment: &Enrolment) -> Result<(), BackplaneError> {
        let now = self.clock.now();
        let all = &mut self.store().enrolments.0;
        all.retain(|enrolment| enrolment.expires_at > now);
        if all.len() as u64 >= ENROLMENTS_MAX {
            return Err(BackplaneError::TooManyEnrolments(ENROLMENTS_MAX));
        }
        let place = all.partition_point(|other| other.expires_at <= enrolment.expires_at);
        all.insert(place, enrolment.clone());
        Ok(())
    }

    async fn enrol(
        &self,
        id: &str,
        terminal: Option<&TerminalId>,
        address: &str,
    ) -> Result<EnrolOutcome, BackplaneError> {
        let now = self.clock.now();
        let stored = &mut self.store().enrolments;
        let Some(place) = stored.place(id, now) else { return Ok(EnrolOutcome::Unknown) };
        let enrolment = &mut stored.0[place];
        let terminal = match (&enrolment.terminal, terminal) {
            (Some(own), Some(terminal)) if own != terminal => return Ok(EnrolOutcome::Other),
            (Some(own), _) => own.clone(),
            (None, Some(terminal)) => terminal.clone(),
            (None, None) => return Ok(EnrolOutcome::Nameless),
        };
        if enrolment.state == EnrolmentState::Open && enrolment.approve {
            enrolment.state = EnrolmentState::Waiting;
            enrolment.terminal = Some(terminal.clone());
            enrolment.address = Some(address.to_owned());
        }
        if enrolment.state == EnrolmentState::Waiting {
            return Ok(EnrolOutcome::Waiting);
        }
        Ok(EnrolOutcome::Taken(Box::new(stored.0.remove(place)), terminal))
    }

    async fn approve_enrolment(&self, id: &str) -> Result<Option<EnrolmentState>, BackplaneError> {
        let now = self.clock.now();
        let stored = &mut self.store().enrolments;
        let Some(place) = stored.place(id, now) else { return Ok(None) };
        let state = &mut stored.0[place].state;
        let before = *state;
        if before == EnrolmentState::Waiting {
            *state = EnrolmentState::Approved;
        }
        Ok(Some(before))
    }

    async fn remove_enrolment(&self, id: &str) -> Result<bool, BackplaneError> {
        let now = self.clock.now();
        let stored = &mut self.store().enrolments;
        let place = stored.place(id, now);
        Ok(place.map(|place| stored.0.remove(place)).is_some())
    }

    async fn enrolments(&self, after: u64, limit: u64) -> Result<FoundEnrolments, BackplaneError> {
        let now = self.clock.now();
        let all = &mut self.store().enrolments.0;
        all.retain(|enrolment| enrolment.expires_at > now);
        let found: Vec<_> = all.iter().skip(after as usize).take(limit as usize).cloned().collect();
        let next = (found.len() as u64 == limit).then_some(after + limit);
        Ok(FoundEnrolments { found, next })
    }
}
