//! Reports the state of the loop to `/state` and `/metrics` after each step.

use std::{collections::BTreeMap, time::Instant};

use jiff::Timestamp;
use muster_net::accept::out_of_files;
use muster_service::output;

use super::{FailedChange, Reconcile, UPKEEP_EVERY};
use crate::{
    leases::RegistrySnapshot,
    membership::MembershipDecision,
    state::{FailingChange, LingeringWorker},
    workers::NginxWorker,
};

impl Reconcile {
    /// Updates what `/state` and `/metrics` show.
    pub(super) fn show(&mut self, snapshot: &RegistrySnapshot, decision: &MembershipDecision) {
        self.tell_status();
        self.count();
        let now = Instant::now();
        self.status.update(|state| {
            state.generation = self.activation.active.number();
            state.generation_served = self.seen.generation;
            state.connections = self.seen.connections;
            state.certificate_ends_at = self.seen.certificate_ends_at;
            state.refused = self.refused_by_cause();
            state.resolver = self.activation.active.ports.resolver;
            state.served = self.served.iter().copied().collect();
            state.source_error.clone_from(&self.source_error);
            state.redis_up = self.trust.up() || self.source.is_listed();
            state.redis_age_seconds = self.trust.age(now).as_secs_f64();
            state.partitions_away = self.trust.away();
            state.mismatches = self.terms.shown();
            state.redis_unfit = self.redis_unfit.clone();
            state.out_of_files = out_of_files();
            state.frozen = self.is_frozen(now);
            state.waits = self.waits.as_ref().map(|(_, why)| why.label());
            state.failing = self.failure.as_ref().map(|failure| self.failing(failure, now));
            state.own_files_error = self.activation.own.error().map(str::to_owned);
            if self.trust.up() {
                state.partitions = snapshot.partitions;
                state.foreign.clone_from(&snapshot.foreign);
                state.outside.clone_from(&snapshot.outside);
                state.leased = snapshot.leased.iter().copied().collect();
                state.kept = decision.unleased.iter().copied().collect();
                state.withheld = decision.withheld.iter().copied().collect();
            }
            if self.steps % UPKEEP_EVERY == 1 || state.lingering.len() != self.lingering.len() {
                state.lingering = self.lingering.iter().map(shown).collect();
            }
            let is_applied = state.is_applied();
            if is_applied && state.source_error.is_none() {
                state.last_success_at = Some(Timestamp::now());
            }
            state.generation_wanted = state.generation + u64::from(!is_applied);
            state.differs = state.differences();
        });
    }

    fn failing(&self, failure: &FailedChange, now: Instant) -> FailingChange {
        let wanted = failure.retry.what();
        FailingChange {
            joined: wanted.difference(&self.served).copied().collect(),
            left: self.served.difference(wanted).copied().collect(),
            result: failure.result,
            error: failure.error.clone(),
            attempts: failure.retry.failures(),
            seconds: failure.retry.lasts(now).as_secs_f64(),
            retry_in_seconds: failure.retry.remaining(now).as_secs_f64(),
        }
    }

    fn refused_by_cause(&self) -> BTreeMap<&'static str, u64> {
        self.source
            .refused()
            .into_iter()
            .chain([("connections", self.status.metrics.connections_dropped.get())])
            .collect()
    }

    /// Adds to the counters what other modules have counted.
    fn count(&self) {
        let metrics = &self.status.metrics;
        metrics.dropped_lines.inc_by(output::dropped() - metrics.dropped_lines.get());
        let steps =
            [("asked", self.retire.asked_total), ("done", self.retire.done_total), ("cut", self.retire.cut_total)];
        for (step, total) in steps {
            let counter = metrics.retired.with_label_values(&[step]);
            counter.inc_by(total - counter.get());
        }
        for (reason, total) in self.source.refused() {
            let counter = metrics.refused.with_label_values(&[reason]);
            counter.inc_by(total - counter.get());
        }
    }
}

fn shown(worker: &NginxWorker) -> LingeringWorker {
    LingeringWorker { pid: worker.pid, age: worker.age(), sockets: worker.sockets(), bytes: worker.memory() }
}
