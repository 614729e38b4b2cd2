//! Enrolments belong to no terminal yet: the first partition has them for all.

use async_trait::async_trait;
use muster_protocol::{
    TerminalId,
    api::{Enrolment, EnrolmentState},
};

use super::RedisBackplane;
use crate::backplane::{BackplaneError, EnrolOutcome, EnrolmentStore, FoundEnrolments};

#[async_trait]
impl EnrolmentStore for RedisBackplane {
    async fn add_enrolment(&self, enrolment: &Enrolment) -> Result<(), BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.add_enrolment(enrolment, self.clock.now())).await
    }

    async fn enrol(
        &self,
        id: &str,
        terminal: Option<&TerminalId>,
        address: &str,
    ) -> Result<EnrolOutcome, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.enrol(id, terminal, address)).await
    }

    async fn approve_enrolment(&self, id: &str) -> Result<Option<EnrolmentState>, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.approve_enrolment(id)).await
    }

    async fn remove_enrolment(&self, id: &str) -> Result<bool, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.remove_enrolment(id)).await
    }

    async fn enrolments(&self, after: u64, limit: u64) -> Result<FoundEnrolments, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.enrolments(after, limit)).await
    }
}
